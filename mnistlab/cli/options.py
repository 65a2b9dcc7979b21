"""Options that several commands have in common."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from mnistlab.runs import RunFolder

Plugins = Annotated[
    list[Path] | None,
    typer.Option(
        "--plugin",
        metavar="FILE.py",
        help="Load a model, loss, optimizer, … of your own; may be repeated.",
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

JsonResult = Annotated[bool, typer.Option("--json", help="Print the result as one JSON document.")]

Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", help="Show no progress, only warnings and the result.")
]


def resume_options(runs_dir: Path | None, plugins: Sequence[Path]) -> str:
    """Return the options that a command needs again to go on with what it began."""
    words = ["--runs-dir", str(runs_dir)] if runs_dir else []
    for plugin in plugins:
        words += ["--plugin", str(plugin)]
    return f" {shlex.join(words)}" if words else ""


def refuse_missing_plots(folder: "RunFolder", reason: str | None) -> None:
    """Raise MnistlabError if a run or a sweep that is done has not the plots that it should."""
    from mnistlab.errors import MnistlabError

    if reason is not None:
        raise MnistlabError(
            f"{folder.path}: all is done but the plots, which could not be drawn ({reason}); to "
            f"draw them: mnistlab runs plot {folder.name}"
        )
