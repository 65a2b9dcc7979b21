"""Arguments and options that several commands have in common, and what follows from them."""

import errno
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from mnistlab.cli.completion import complete_run

if TYPE_CHECKING:
    from mnistlab.errors import InputError
    from mnistlab.runs import RunFolder

_LAYOUT = "\n\t"
"""The controls that a text may have."""

FolderT = TypeVar("FolderT", bound="RunFolder")

Plugins = Annotated[
    list[Path] | None,
    typer.Option(
        "--plugin",
        metavar="FILE.py",
        help="Load a model, loss, optimizer or the like of your own; may be repeated.",
    ),
]

RunsDir = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR", help="Where run folders are (default: $MNISTLAB_RUNS_DIR or runs)."
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

_RUN_HELP = (
    "A run's folder, its name or the beginning of it, `latest`, or SWEEP/7 for a run of a sweep."
)

RunName = Annotated[str, typer.Argument(metavar="RUN", help=_RUN_HELP, autocompletion=complete_run)]

RunNames = Annotated[
    list[str], typer.Argument(metavar="RUN", help=_RUN_HELP, autocompletion=complete_run)
]

SeveralRuns = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="RUN",
        help="Runs by folder, name or `latest`; a sweep stands for the runs inside it.",
        autocompletion=complete_run,
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


def runs_folder(given: Path | None) -> Path:
    """Return the runs folder: that of --runs-dir, else the default."""
    from mnistlab.runs import default_runs_dir

    return given or default_runs_dir()


def find_folder(run: str, runs_dir: Path | None) -> "RunFolder":
    """Return the folder that a run's name stands for; raise RunFolderError."""
    from mnistlab.runs.places import find_run

    folder = runs_folder(runs_dir)
    return noting_latest(run, folder, find_run(run, folder))


def noting_latest(run: str, runs_dir: Path, found: "FolderT") -> "FolderT":
    """Return the folder that was found, and say which it is where `latest` is no link."""
    from mnistlab.runs.places import LATEST

    link = runs_dir / LATEST
    if run.partition("/")[0] == LATEST and link.is_dir() and not link.is_symlink():
        echo(f"{link} is a folder, no link; the newest run is {found.name}", err=True)
    return found


def echo(text: str, *, err: bool = False) -> None:
    """Print text and a newline to stdout, or to stderr.

    What a terminal would obey is escaped. In place of click's own, which takes an ASCII terminal
    for a mistake and writes UTF-8 to it.
    """
    from mnistlab.errors import escape

    stream = sys.stderr if err else sys.stdout
    stream.write(f"{escape(text, keep=_LAYOUT)}\n")
    stream.flush()


def echo_json(document: Any) -> None:
    """Print one JSON document, in the characters that stdout has."""
    from mnistlab.runs.files import to_json

    text = to_json(document)
    try:
        text.encode(sys.stdout.encoding)
    except UnicodeEncodeError:
        import json

        text = json.dumps(json.loads(text), indent=2)
    sys.stdout.write(f"{text}\n")


def resume_options(runs_dir: Path | None, plugins: Sequence[Path]) -> str:
    """Return the options that a command needs again to go on with what it began."""
    words = ["--runs-dir", str(runs_dir)] if runs_dir else []
    for plugin in plugins:
        words += ["--plugin", str(plugin)]
    return f" {shlex.join(words)}" if words else ""


def refuse_missing_plots(folder: "RunFolder", reason: str | None) -> None:
    """Raise MnistlabError if a run or a sweep that is done lacks plots that it should have."""
    from mnistlab.errors import MnistlabError

    if reason is not None:
        raise MnistlabError(
            f"{folder.path}: all is done but the plots, which could not be drawn ({reason}); to "
            f"draw them: mnistlab runs plot {folder.name}"
        )


def refuse_existing(path: Path, *, force: bool) -> None:
    """Raise InputError for a file that is there already, unless it may be replaced."""
    from mnistlab.errors import InputError, shown

    if not force and (path.exists() or path.is_symlink()):
        raise InputError(f"{shown(path)}: is there already; --force replaces it")


def missing_config(command: str, words: Sequence[str]) -> "InputError":
    """Return the error of a command that was given neither --config nor --resume."""
    from mnistlab.errors import InputError

    files = [word for word in words if word.endswith((".yaml", ".yml"))]
    hint = f"; did you mean --config {files[0]}?" if files else ""
    return InputError(
        f"{command}: missing option '--config' / '-c'{hint}; see mnistlab {command} --help"
    )


def explain_usage(error: Any) -> str:
    """Return what is wrong with a wrongly typed command, given click's usage error."""
    command = error.ctx.command_path if error.ctx else "mnistlab"
    message = " ".join(error.format_message().split()).rstrip(".")
    message = f"{message[:1].lower()}{message[1:]}"
    hint, option = "", getattr(error, "option_name", None)
    if option is not None:
        from mnistlab.config.load import valid_keys

        key = option.lstrip("-").replace("-", "_")
        if key in valid_keys():
            hint = f"; a config's key is set by {key}=VALUE, without dashes"
    place = command.removeprefix("mnistlab").strip()
    return f"{f'{place}: ' if place else ''}{message}{hint}; see {command} --help"


def named_or_all(names: Sequence[str] | None, runs_dir: Path | None) -> "list[RunFolder]":
    """Return the runs that are named, each sweep as its runs; all runs where none is named."""
    from mnistlab.store.export import all_runs, single_runs

    if names:
        return single_runs(find_folder(name, runs_dir) for name in names)
    return all_runs(runs_folder(runs_dir))


def evaluate_test_if_missing(folder: "RunFolder", plugins: Sequence[Path]) -> None:
    """Evaluate the test split for a complete run that has not seen it: one of a sweep.

    Raises MnistlabError where that cannot be, and OSError; with a warning where somebody else's
    run cannot be written to.
    """
    from mnistlab.runs.folder import SweepFolder

    checksums = {} if isinstance(folder, SweepFolder) else folder.checksums()
    has_test = isinstance(checksums.get(folder.predictions.name), str)
    if not checksums or has_test or folder.read_status()["status"] != "completed":
        return
    from mnistlab.config.load import load_config
    from mnistlab.console.progress import ConsoleReporter
    from mnistlab.experiment.prepare import open_data
    from mnistlab.experiment.training import evaluate_test
    from mnistlab.plugins import load_plugins
    from mnistlab.runs.integrity import check_undamaged

    check_undamaged(folder)  # before a config that somebody has changed is read
    load_plugins(plugins)
    config = load_config(folder.config)
    try:
        evaluate_test(folder, config, open_data(config, ConsoleReporter()))
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise
        echo(f"warning: {error.filename}: its test numbers cannot be kept there", err=True)


def evaluate_test_if_possible(folder: "RunFolder", plugins: Sequence[Path]) -> None:
    """Do as `evaluate_test_if_missing`, but only warn where it cannot be done."""
    from mnistlab.errors import MnistlabError

    try:
        evaluate_test_if_missing(folder, plugins)
    except MnistlabError as error:
        echo(f"warning: {folder.name}: no test predictions: {error}", err=True)
