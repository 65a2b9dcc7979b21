"""`mnistlab runs`: look at runs and sweeps that are there."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mnistlab.cli.options import Plugins, RunsDir

if TYPE_CHECKING:
    from mnistlab.runs import RunFolder

app = typer.Typer(help="Look at runs and sweeps.", no_args_is_help=True, rich_markup_mode=None)

RunName = Annotated[
    str,
    typer.Argument(
        metavar="RUN",
        help="A run's folder, its name or the beginning of it, `latest`, or SWEEP/7 for a run of "
        "a sweep.",
    ),
]


@app.command(short_help="Show a run: its config, status, metrics and files.")
def show(
    run: RunName,
    runs_dir: RunsDir = None,
    plugin: Plugins = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print everything as one JSON document.")
    ] = False,
) -> None:
    """Show a run or a sweep.

    A run of a sweep that was not the best has not seen the test split yet: asked for by name, it
    is evaluated now, and the numbers are kept in its folder.
    """
    from mnistlab.runs.atomic import to_json

    folder = _find(run, runs_dir)
    _complete(folder, plugin or [])
    facts = _facts(folder)
    if as_json:
        typer.echo(to_json(facts))
        return
    from mnistlab.console.runs import print_run

    print_run(folder, facts)


@app.command(short_help="Draw the plots of a run or a sweep.")
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
    from mnistlab.runs.atomic import to_json

    folder = _find(run, runs_dir)
    plugins = plugin or []
    if not folder.summary.exists():
        raise MnistlabError(f"{folder.name}: is not finished, so there is nothing to draw yet")
    with Painter(plugins) as painter:
        _complete(folder, plugins)
        try:
            drawn = [str(folder.plot(name)) for name in painter.draw(folder.path)]
        except RuntimeError as error:
            raise MnistlabError(f"{folder.name}: the plots could not be drawn: {error}") from None
    typer.echo(to_json(drawn) if as_json else "\n".join(f"plot: {path}" for path in drawn))


def _find(run: str, runs_dir: Path | None) -> "RunFolder":
    from mnistlab.runs import default_runs_dir
    from mnistlab.runs.find import find_run

    return find_run(run, runs_dir or default_runs_dir())


def _complete(folder: "RunFolder", plugins: list[Path]) -> None:
    """Evaluate the test split for a whole run that has not seen it."""
    from mnistlab.runs.sweep_folder import SweepFolder

    if isinstance(folder, SweepFolder) or folder.predictions.exists():
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
    evaluate_test(folder, config, open_data(config, ConsoleReporter()))


def _facts(folder: "RunFolder") -> dict[str, Any]:
    """Return what the folder says of itself; what is missing or damaged is None."""
    from mnistlab.config.strict_yaml import read_file
    from mnistlab.errors import InputError
    from mnistlab.sweep.spaces.sweep_file import MAX_SWEEP_BYTES

    facts: dict[str, Any] = {
        "run": folder.name,
        "path": str(folder.path),
        "status": folder.read_status(),
    }
    try:
        facts["config"] = read_file(folder.config, MAX_SWEEP_BYTES)[0]
    except InputError:
        facts["config"] = None
    try:
        facts["summary"] = folder.read_summary()
    except InputError:
        facts["summary"] = None
    facts["environment"] = folder.read_environment() or None
    facts["plots"] = sorted(str(path) for path in folder.plots.glob("*.png"))
    return facts
