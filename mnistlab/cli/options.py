"""What several commands have in common: arguments and options, finding runs, printing."""

import errno
import math
import re
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mnistlab.cli.completion import (
    complete_config,
    complete_override,
    complete_run,
    complete_sweep,
)
from mnistlab.console import results

if TYPE_CHECKING:
    from mnistlab.run_folders import RunFolder
    from mnistlab.run_folders.folder import SweepFolder
    from mnistlab.store.opening import Given

_LAYOUT = "\n\t"
"""The controls that a text may have."""


def find_config_file(given: Path | None) -> Path | None:
    """Return the config that --config names: a file, or a shipped one."""
    if given is None or given.is_file():
        return given
    from mnistlab.config.config_files import find_config

    return find_config(given)


def config_option(help_text: str) -> Any:
    """Return the option for a config, by its file or by the name of a shipped one."""
    return typer.Option(
        "--config",
        "-c",
        metavar="FILE",
        help=help_text,
        callback=find_config_file,
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


def runs_folder(given: Path | None) -> Path:
    """Return the runs folder: that of --runs-dir, else the default."""
    from mnistlab.run_folders import default_runs_dir

    return Path(given) if given else default_runs_dir()


def find_folder(run: str, runs_dir: Path | None) -> "RunFolder":
    """Return the folder that a run's name stands for; raise RunFolderError."""
    from mnistlab.run_folders.places import find_run

    _say_what_latest_is([run], runs_folder(runs_dir))
    return find_run(run, runs_folder(runs_dir))


def find_sweep_folder(sweep: str, runs_dir: Path | None) -> "SweepFolder":
    """Return the folder that a sweep's name stands for; raise RunFolderError."""
    from mnistlab.run_folders.places import find_sweep

    _say_what_latest_is([sweep], runs_folder(runs_dir))
    return find_sweep(sweep, runs_folder(runs_dir))


def _say_what_latest_is(names: Sequence[str], runs_dir: Path) -> None:
    """Say which run is the newest where `latest` is asked for and is no link."""
    from mnistlab.run_folders.places import LATEST, find_run

    link = runs_dir / LATEST
    is_meant = any(name.partition("/")[0] == LATEST for name in names)
    if is_meant and link.exists() and not link.is_symlink():
        newest = find_run(LATEST, runs_dir).name
        echo(f"{link} is no link and none of ours; the newest run is {newest}", err=True)


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

    What a terminal would obey is escaped. In place of click's own, which takes an ASCII terminal
    for a mistake and writes UTF-8 to it.
    """
    from mnistlab.errors import escape

    stream = sys.stderr if err else results()
    stream.write(f"{escape(text, keep=_LAYOUT)}\n")
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


def resume_options(runs_dir: Path | None, plugins: Sequence[Path]) -> str:
    """Return the options that a command needs again to go on with what it began."""
    words = ["--runs-dir", str(runs_dir)] if runs_dir else []
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
    folders: "Sequence[RunFolder]", runs_dir: Path | None, plugins: Sequence[Path]
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


_PLAIN_WORDS = {
    r"is not a valid int\S*( range)?": "is not a whole number",
    r"is not a valid float( range)?": "is not a number",
    r"\S+ is not in the range x>=(\S+)": r"must be at least \1",
    r"\S+ is not in the range (\S+)<=x<=(\S+)": r"must be between \1 and \2",
}
"""What typer says of a number, as a pattern, and how we say it."""


def explain_usage(error: Any) -> str:
    """Return what is wrong with a wrongly typed command, given click's usage error."""
    command = error.ctx.command_path if error.ctx else "mnistlab"
    message = " ".join(error.format_message().split()).rstrip(".")
    message = f"{message[:1].lower()}{message[1:]}"
    for pattern, plain in _PLAIN_WORDS.items():
        message = re.sub(pattern, plain, message)
    hint, option = "", getattr(error, "option_name", None)
    if option is not None:
        from mnistlab.config.load import valid_keys

        key = option.lstrip("-").replace("-", "_")
        if key in valid_keys():
            hint = f"; a config's key is set by {key}=VALUE, without dashes"
    place = command.removeprefix("mnistlab").strip()
    return f"{f'{place}: ' if place else ''}{message}{hint}; see {command} --help"


def open_runs(names: Sequence[str], runs_dir: Path | None) -> "list[Given]":
    """Return the runs and sweeps that are named, in the runs folder or by a path anywhere."""
    from mnistlab.store.opening import open_given

    _say_what_latest_is(names, runs_folder(runs_dir))
    return open_given(names, runs_folder(runs_dir))


def named_or_all(names: Sequence[str] | None, runs_dir: Path | None) -> "list[Given]":
    """Return the runs that are named, each sweep as its runs; all runs where none is named."""
    from mnistlab.store.opening import open_all, single_runs

    return single_runs(open_runs(names, runs_dir)) if names else open_all(runs_folder(runs_dir))


def fail_if_refused(given: "Sequence[Given]") -> None:
    """Raise MnistlabError, for exit code 1, where a folder was refused."""
    from mnistlab.errors import MnistlabError
    from mnistlab.store.opening import describe_refused

    if refused := describe_refused(given):
        raise MnistlabError(refused)


def evaluate_test_if_missing(
    folder: "RunFolder", plugins: Sequence[Path], *, required: bool = False
) -> None:
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
    from mnistlab.plugins import load_plugins
    from mnistlab.run_folders.integrity import check_undamaged

    try:
        check_undamaged(folder)  # before a config that somebody has changed is read
        load_plugins(plugins)
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
