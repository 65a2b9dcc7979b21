"""`mnistlab runs resume`: go on with a run or a sweep that was cut short."""

from typing import Annotated

import typer

from mnistlab.cli.options import ExactLimit, JsonResult, NoPlots, Plugins, Quiet, RunsDir
from mnistlab.cli.runs.naming import RunName, find


def resume(
    run: RunName,
    overrides: Annotated[
        list[str] | None,
        typer.Argument(metavar="[epochs=N]", help="Make a single run longer."),
    ] = None,
    runs_dir: RunsDir = None,
    plugin: Plugins = None,
    exact_limit: ExactLimit = False,
    no_plots: NoPlots = False,
    as_json: JsonResult = False,
    quiet: Quiet = False,
) -> None:
    """Go on with a run or a sweep: the same as `train --resume` and `sweep --resume`.

    The result is that of a run that was never cut short, to the bit.
    """
    from mnistlab.cli.sweep import sweep
    from mnistlab.cli.train import train
    from mnistlab.errors import InputError
    from mnistlab.runs.folder import SweepFolder

    if not isinstance(find(run, runs_dir), SweepFolder):
        train(
            resume=run, overrides=overrides, runs_dir=runs_dir, plugin=plugin,
            exact_limit=exact_limit, no_plots=no_plots, as_json=as_json, quiet=quiet,
        )  # fmt: skip
    elif overrides:
        raise InputError(
            f"runs resume: {overrides[0]}: a sweep goes on as it was begun; begin a new one, which "
            "takes finished runs over with --needed"
        )
    else:
        sweep(
            resume=run, runs_dir=runs_dir, plugin=plugin,
            exact_limit=exact_limit, no_plots=no_plots, as_json=as_json, quiet=quiet,
        )  # fmt: skip
