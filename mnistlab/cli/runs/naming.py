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
