"""What several commands have in common: arguments, options, what a shell completes, printing."""

import errno
import math
import os
import re
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mnistlab.console import results

if TYPE_CHECKING:
    from mnistlab.run_folders import RunFolder
    from mnistlab.store.opening import Given


_HARMLESS = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*", re.ASCII)
"""The names that mnistlab gives; a folder called `$(…)` is no word to hand to a shell."""


def complete_run(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return the runs and sweeps, the newest first, that a word begins; SWEEP/0 … after a slash."""
    folder = ctx.params["runs_dir"]
    sweep, slash, number = incomplete.rpartition("/")
    if not slash:
        return _begun(["latest", *_names_in(folder)], incomplete)
    if sweep != "latest" and not _HARMLESS.fullmatch(sweep):
        return []
    numbers = [name for name in _names_in(folder / sweep / "runs") if name.isdecimal()]
    return [f"{sweep}/{name}" for name in sorted(_begun(numbers, number), key=int)]


def complete_sweep(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return the sweeps, the newest first, that a word begins."""
    folder = ctx.params["runs_dir"]
    sweeps = [name for name in _names_in(folder) if (folder / name / "plan.json").exists()]
    return _begun(["latest", *sweeps], incomplete)


def _names_in(folder: Path) -> list[str]:
    """Return the folders that are named as mnistlab names them, the newest first."""
    try:
        with os.scandir(folder) as entries:
            folders = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    except (OSError, ValueError):  # a folder that is not there has none
        return []
    return sorted(filter(_HARMLESS.fullmatch, folders), reverse=True)


def _begun(names: list[str], beginning: str) -> list[str]:
    return [name for name in names if name.startswith(beginning)]


def complete_config(incomplete: str) -> list[str]:
    """Return the shipped configs and the YAML files and folders that a word begins."""
    from mnistlab.config.config_files import shipped_configs

    folder, slash, name = incomplete.rpartition("/")
    here = Path(f"{folder}{slash}" or ".")
    files = [
        f"{folder}{slash}{path.name}{'/' if path.is_dir() else ''}"
        for path in (sorted(here.iterdir()) if here.is_dir() else ())
        if path.name.startswith(name) and (path.is_dir() or path.suffix in (".yaml", ".yml"))
        if not path.name.startswith(".")
    ]
    return [*_begun(list(shipped_configs()), incomplete), *files]


def complete_override(incomplete: str) -> list[str]:
    """Return the keys of a config that a word begins, or after the `=` the names of its values."""
    from mnistlab.config.load import names_for, valid_keys
    from mnistlab.datasets import DATASETS, PREPROCESSING, SPLITS

    key, equals, value = incomplete.partition("=")
    if not equals:
        return [f"{one}=" for one in _begun(valid_keys(), incomplete)]
    of_data = {
        "data.dataset": [*DATASETS],
        "data.split": [*SPLITS],
        "data.preprocess": [f"[{name}]" for name in PREPROCESSING],
    }
    return [f"{key}={name}" for name in _begun(of_data.get(key) or names_for(key), value)]


def complete_status(incomplete: str) -> list[str]:
    """Return the statuses that a word begins."""
    from mnistlab.store.selection import STATUSES

    return _begun(list(STATUSES), incomplete)


def _find_config(given: Path | None) -> Path | None:
    """Return the config that --config names: a file, or a shipped one."""
    from mnistlab.config.config_files import find_config

    return given and find_config(given)


def config_option(help_text: str) -> Any:
    """Return the option for a config, by its file or by the name of a shipped one."""
    return typer.Option(
        "--config",
        "-c",
        metavar="FILE",
        help=help_text,
        callback=_find_config,
        autocompletion=complete_config,
    )


ConfigFile = Annotated[
    Path | None,
    config_option("The config: a YAML file, or a shipped one by name (`mnistlab config list`)."),
]

Overrides = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[KEY=VALUE]...",
        help="Values that win over the file's: learning_rate=0.05 data.validation=5000",
        autocompletion=complete_override,
    ),
]

Name = Annotated[
    str | None,
    typer.Option(metavar="TEXT", help="Its name (default: the config's name or file)."),
]

DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Check everything, print what it takes, train nothing.")
]


def _load_plugins(ctx: typer.Context, files: list[Path] | None) -> list[Path]:
    """Load what --plugin names, unless the shell only asks how a word can go on."""
    if files and not ctx.resilient_parsing:
        from mnistlab.plugins import load_plugins

        load_plugins(files)
    return files or []


Plugins = Annotated[
    list[Path] | None,
    typer.Option(
        "--plugin",
        metavar="FILE.py",
        callback=_load_plugins,
        help="Load a model, loss, optimizer or the like of your own; may be repeated.",
    ),
]

RUNS = Path("runs")

RunsDir = Annotated[
    Path,
    typer.Option(
        metavar="DIR",
        envvar="MNISTLAB_RUNS_DIR",
        show_envvar=False,
        show_default=False,
        callback=lambda folder: Path(os.path.expanduser(folder)),
        help="Where run folders are (default: $MNISTLAB_RUNS_DIR or runs).",
    ),
]

ExactLimit = Annotated[
    bool,
    typer.Option(
        "--exact-limit",
        help="Compute the learning-rate limit from all images instead of 10,000.",
    ),
]

NoPlots = Annotated[bool, typer.Option("--no-plots", help="Draw no plots.")]

AsJson = Annotated[bool, typer.Option("--json", help="Print the result as one JSON document.")]

Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", help="Print errors only, and with --json the document.")
]

Force = Annotated[bool, typer.Option("--force", "-f", help="Replace the file if it is there.")]


def run_argument(metavar: str = "RUN") -> Any:
    """Return the argument for one run, whose name the shell completes."""
    return typer.Argument(
        metavar=metavar,
        help="A run's folder, its name or the beginning of it, `latest`, or SWEEP/7 for a run of "
        "a sweep.",
        autocompletion=complete_run,
    )


RunName = Annotated[str, run_argument()]

_ANYWHERE = "a path, to a run or a folder of runs anywhere, which is only read"

RunNames = Annotated[list[str], run_argument("RUN...")]

GivenRuns = Annotated[
    list[str],
    typer.Argument(
        metavar="RUN...",
        help=f"Runs by name, its beginning, `latest` or SWEEP/7; or {_ANYWHERE}.",
        autocompletion=complete_run,
    ),
]

SeveralRuns = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[RUN]...",
        help=f"Runs by name or `latest`, or {_ANYWHERE}; a sweep stands for the runs inside it.",
        autocompletion=complete_run,
    ),
]

SweepNames = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[SWEEP|FOLDER]...",
        help=f"List the runs inside this sweep; or {_ANYWHERE}.",
        autocompletion=complete_sweep,
    ),
]

AllRuns = Annotated[
    bool, typer.Option("--all", help="All runs of the runs folder, those of sweeps included.")
]

FilterText = Annotated[
    str | None,
    typer.Option(
        "--filter",
        metavar="TEXT",
        help="Only runs that meet a condition: 'learning_rate > 0.01 and validation.loss < 0.4', "
        "with and, or, not, ( ), =, !=, <, <=, >, >=, in (a, b), contains, null; 85% is 0.85.",
    ),
]


def check_number(value: float) -> float:
    """Return the value of an option; raise click's error for nan, which lies in every range."""
    if math.isnan(value):
        raise typer.BadParameter("must be a number, not nan")
    return value


def refuse_changes(command: str, given: Sequence[str], hint: str) -> None:
    """Raise InputError where --resume goes with what would make it another run or sweep."""
    from mnistlab.errors import InputError

    if given:
        what = "run" if command == "train" else command
        raise InputError(
            f"{command}: --resume goes on with the {what} as it was begun, so {given[0]} has no "
            f"place; {hint}"
        )


def echo(text: str, *, err: bool = False) -> None:
    """Print text and a newline to stdout, or to stderr.

    What a terminal would obey is escaped, but for ends of lines and tabs. In place of click's own,
    which takes an ASCII terminal for a mistake and writes UTF-8 to it.
    """
    from mnistlab.errors import escape

    stream = sys.stderr if err else results()
    stream.write(escape(text, keep="\n\t") + "\n")
    stream.flush()


def echo_json(document: Any) -> None:
    """Print one JSON document, in the characters that stdout has."""
    from mnistlab.run_folders.files import to_json

    text = to_json(document)
    try:
        text.encode(results().encoding)
    except UnicodeEncodeError:
        import json

        text = json.dumps(json.loads(text), indent=2)
    results().write(f"{text}\n")


def resume_options(runs_dir: Path, plugins: Sequence[Path]) -> str:
    """Return the options that a command needs again to go on with what it began."""
    from mnistlab.run_folders import default_runs_dir

    words = [] if runs_dir == default_runs_dir() else ["--runs-dir", str(runs_dir)]
    for plugin in plugins:
        words += ["--plugin", str(plugin)]
    return f" {shlex.join(words)}" if words else ""


def refuse_missing_plots(folder: "RunFolder", reason: str | None, again: str) -> None:
    """Raise MnistlabError if a run or a sweep that is done lacks plots that it should have.

    `again` are the options that a command needs again to find it.
    """
    from mnistlab.errors import MnistlabError

    if reason is not None:
        raise MnistlabError(
            f"{folder.path}: all is done but the plots, which could not be drawn ({reason}); to "
            f"draw them: mnistlab runs plot {folder.name}{again}"
        )


def draw_missing_plots(
    folders: "Sequence[RunFolder]", runs_dir: Path, plugins: Sequence[Path]
) -> None:
    """Draw what could not be drawn when the first of these folders ended, and say so.

    The others are the runs that have plots beside a sweep's. Raises MnistlabError where nothing
    can be drawn now, either.
    """
    from mnistlab.plots.drawing import Painter

    reason = folders[0].read_status().get("not_drawn")
    if reason is None:
        return
    echo(f"{folders[0].name}: not all of its plots are there ({reason})", err=True)
    with Painter(plugins) as painter:
        for folder in folders:
            try:
                drawn = painter.draw(folder.path)
            except RuntimeError as error:
                refuse_missing_plots(folder, str(error), resume_options(runs_dir, plugins))
            else:
                echo(f"{folder.name}: drawn now: {', '.join(drawn)}", err=True)
    status, checksums = folders[0].read_status()["status"], folders[0].checksums()
    folders[0].write_status(status, checksums=checksums, not_drawn=None)


def require_config(command: str, config: Path | None, words: Sequence[str]) -> None:
    """Raise InputError for a command that was given neither --config nor --resume."""
    from mnistlab.errors import InputError

    if config is None:
        files = [word for word in words if word.endswith((".yaml", ".yml"))]
        hint = f"; did you mean --config {files[0]}?" if files else ""
        raise InputError(
            f"{command}: missing option '--config' / '-c'{hint}; see mnistlab {command} --help"
        )


def fail_if_refused(given: "Sequence[Given]") -> None:
    """Raise MnistlabError, for exit code 1, where a folder was refused."""
    from mnistlab.errors import MnistlabError
    from mnistlab.store.opening import describe_refused

    if refused := describe_refused(given):
        raise MnistlabError(refused)


def evaluate_test_if_missing(folder: "RunFolder", *, required: bool = False) -> None:
    """Evaluate the test split for a complete run that has not seen it: one of a sweep.

    Where that cannot be or cannot be kept there is a warning; with `required` MnistlabError is
    raised where it cannot be.
    """
    from mnistlab.errors import MnistlabError
    from mnistlab.run_folders.folder import SweepFolder

    checksums = {} if isinstance(folder, SweepFolder) else folder.checksums()
    has_test = isinstance(checksums.get(folder.predictions.name), str)
    if not checksums or has_test or folder.read_status()["status"] != "completed":
        return
    from mnistlab.config.load import load_config
    from mnistlab.console.progress import ConsoleReporter
    from mnistlab.experiment.prepare import open_data
    from mnistlab.experiment.training import evaluate_test
    from mnistlab.run_folders.provenance import check_undamaged

    try:
        check_undamaged(folder)  # before a config that somebody has changed is read
        config = load_config(folder.config)
        try:
            fitted = folder.read_features()
            data = open_data(config, ConsoleReporter(), fitted=fitted)
            evaluate_test(folder, config, data)
        except OSError as error:
            if error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS):
                raise
            echo(f"warning: {error.filename}: its test numbers cannot be kept there", err=True)
    except MnistlabError as error:
        if required:
            raise
        echo(f"warning: {folder.name}: no test predictions: {error}", err=True)
