"""`mnistlab runs plot`: draw the plots of a run or a sweep from its folder."""

from typing import Annotated

import typer

from mnistlab.cli.options import Plugins, RunsDir
from mnistlab.cli.runs.late_test import evaluate_late
from mnistlab.cli.runs.naming import RunName, find


def plot(
    run: RunName,
    runs_dir: RunsDir = None,
    plugin: Plugins = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the files as one JSON document.")
    ] = False,
) -> None:
    """Draw the plots of a run or a sweep from its folder, again if they are there already.

    For a run of a sweep that was not the best this evaluates the test split, as `runs show` does.
    """
    from mnistlab.errors import MnistlabError
    from mnistlab.plots.painter import Painter
    from mnistlab.runs.files import to_json

    folder = find(run, runs_dir)
    plugins = plugin or []
    if not folder.summary.exists():
        raise MnistlabError(f"{folder.name}: is not finished, so there is nothing to draw yet")
    if damaged := folder.damaged_files():
        raise MnistlabError(
            f"{folder.path / damaged[0]}: is not what the run left, so nothing is drawn from it"
        )
    with Painter(plugins) as painter:
        evaluate_late(folder, plugins)
        try:
            drawn = [str(folder.plot(name)) for name in painter.draw(folder.path)]
        except RuntimeError as error:
            raise MnistlabError(f"{folder.name}: the plots could not be drawn: {error}") from None
    typer.echo(to_json(drawn) if as_json else "\n".join(f"plot: {path}" for path in drawn))
