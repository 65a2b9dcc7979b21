"""`mnistlab runs show`: what a run's folder says of it."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from mnistlab.cli.options import Plugins, RunsDir
from mnistlab.cli.runs.late_test import evaluate_late_if_possible
from mnistlab.cli.runs.naming import RunName, find

if TYPE_CHECKING:
    from mnistlab.runs import RunFolder


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
    is evaluated now, and the numbers are kept in its folder; where that cannot be, a warning
    says why.
    """
    from mnistlab.runs.files import to_json

    folder = find(run, runs_dir)
    evaluate_late_if_possible(folder, plugin or [])
    facts = _facts(folder)
    if as_json:
        typer.echo(to_json(facts))
        return
    from mnistlab.console.runs import print_run

    print_run(folder, facts)


def _facts(folder: "RunFolder") -> dict[str, Any]:
    """Return what the folder says of itself; what is missing or damaged is None."""
    from mnistlab.config.strict_yaml import MAX_SWEEP_BYTES, read_file
    from mnistlab.errors import InputError
    from mnistlab.store.facts import read_facts

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
    known = read_facts(folder).get("damaged", [])
    facts["damaged"] = list(dict.fromkeys([*known, *folder.damaged_files()]))
    facts["plots"] = sorted(str(path) for path in folder.plots.glob("*.png"))
    return facts
