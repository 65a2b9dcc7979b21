"""How the commands are told which runs they are about, and how a shell completes that."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mnistlab.cli.completion import complete_run

if TYPE_CHECKING:
    from mnistlab.runs import RunFolder

_HELP = (
    "A run's folder, its name or the beginning of it, `latest`, or SWEEP/7 for a run of a sweep."
)

RunName = Annotated[str, typer.Argument(metavar="RUN", help=_HELP, autocompletion=complete_run)]

RunNames = Annotated[
    list[str], typer.Argument(metavar="RUN", help=_HELP, autocompletion=complete_run)
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


def find(run: str, runs_dir: Path | None) -> "RunFolder":
    """Return the folder that a run's name stands for; raise RunFolderError."""
    from mnistlab.runs import default_runs_dir
    from mnistlab.runs.find import find_run

    return find_run(run, runs_dir or default_runs_dir())


def evaluate_late(folder: "RunFolder", plugins: list[Path]) -> None:
    """Evaluate the test split for a complete run that has not seen it: one of a sweep."""
    from mnistlab.runs.sweep_folder import SweepFolder

    if isinstance(folder, SweepFolder):
        return
    files = folder.vouched()
    if not files or isinstance(files.get(folder.predictions.name), str):
        return
    if folder.read_status()["status"] != "completed":
        return
    from mnistlab.config.load import load_config
    from mnistlab.console.progress import ConsoleReporter
    from mnistlab.datasets import NAME_CHECKS
    from mnistlab.experiment.late_test import evaluate_test
    from mnistlab.experiment.plan import open_data
    from mnistlab.plugins import load_plugins

    load_plugins(plugins)
    config = load_config(folder.config, checks=NAME_CHECKS)
    try:
        evaluate_test(folder, config, open_data(config, ConsoleReporter()))
    except PermissionError as error:  # somebody else's run is shown as it is
        typer.echo(f"warning: {error.filename}: its test numbers cannot be kept there", err=True)
