"""Options that several commands have in common."""

from pathlib import Path
from typing import Annotated

import typer

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
