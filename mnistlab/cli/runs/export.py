"""`mnistlab runs export`: runs in one file for a spreadsheet, pandas or a script."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mnistlab.cli.options import RunsDir
from mnistlab.cli.runs.listing import FilterText
from mnistlab.cli.runs.naming import AllRuns, SeveralRuns, find

if TYPE_CHECKING:
    from mnistlab.runs import RunFolder


def export(
    to: Annotated[
        Path, typer.Option("--to", metavar="FILE", help="The file to write: .csv or .json.")
    ],
    names: SeveralRuns = None,
    everything: AllRuns = False,
    condition: FilterText = None,
    epochs: Annotated[
        bool, typer.Option("--epochs", help="A row an epoch and run instead of a row a run (.csv).")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", "-f", help="Replace the file if it is there.")
    ] = False,
    runs_dir: RunsDir = None,
) -> None:
    """Write runs into one file.

    A .csv has a row a run with all that `runs list` knows: status, config, metrics. A .json holds
    besides, for each run, its metrics of every epoch and its environment. Of damaged runs what is
    left is written, with a warning. In a .csv an apostrophe stands before a text that a
    spreadsheet would take for a formula.
    """
    from mnistlab.errors import InputError
    from mnistlab.runs import default_runs_dir
    from mnistlab.errors import shown
    from mnistlab.store import export as store
    from mnistlab.store.filters import parse
    from mnistlab.store.selection import select

    wanted = parse(condition) if condition is not None else None
    if names and everything:
        raise InputError("runs export: name runs, or take --all of them")
    if not (names or everything or wanted):
        raise InputError("runs export: name at least one run, or give --filter or --all")
    store.check_target(to, epochs=epochs, force=force)
    folders = _folders(names or [], runs_dir or default_runs_dir())
    facts = store.facts_of(folders)
    selection = select(facts, wanted)
    chosen = {run["run"] for run in selection.runs}
    folders = [folder for folder in folders if folder.name in chosen]
    if not folders:
        raise InputError("runs export: no run is meant, so nothing was written")
    lacking = store.damage_of(folders, selection.runs)
    if to.suffix == ".json":
        store.write_documents(to, folders, selection.runs)
    elif not epochs:
        store.write_table(to, selection.runs)
    else:
        lacking |= store.write_epochs(to, folders, selection.runs)
    for run, files in lacking.items():
        typer.echo(f"warning: {shown(run)}: missing or damaged: {files}", err=True)
    if selection.warning:
        typer.echo(f"warning: {selection.warning}", err=True)
    typer.echo(f"{to}: {len(folders):,} {'run' if len(folders) == 1 else 'runs'}")


def _folders(names: list[str], runs_dir: Path) -> "list[RunFolder]":
    from mnistlab.store.export import all_runs, single_runs

    if names:
        return single_runs(find(name, runs_dir) for name in names)
    return all_runs(runs_dir)
