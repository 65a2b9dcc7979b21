"""`mnistlab runs list`: the runs and sweeps that are there."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mnistlab.cli.completion import complete_sweep
from mnistlab.cli.options import RunsDir
from mnistlab.store.facts import describe_keys

if TYPE_CHECKING:
    from mnistlab.store.selection import Selection

FilterText = Annotated[
    str | None,
    typer.Option(
        "--filter",
        metavar="TEXT",
        help="Only runs that meet a condition: 'learning_rate > 0.01 and validation.loss < 0.4', "
        "with and, or, not, ( ), =, !=, <, <=, >, >=, in (a, b), contains, null; 85% is 0.85.",
    ),
]


_TOLD = 5

HELP = f"""List runs and sweeps, the newest first, or the runs inside a sweep.

Any key of a config (learning_rate, data.dataset) can be filtered by, sorted by and shown, and so
can {describe_keys()}.

--csv puts an apostrophe before a text that a spreadsheet would take for a formula.
"""
"""What --help says; the keys are those that there are."""


def list_runs(
    sweep: Annotated[
        str | None,
        typer.Argument(
            metavar="SWEEP",
            help="List the runs inside this sweep: its folder, name or `latest`.",
            autocompletion=complete_sweep,
        ),
    ] = None,
    condition: FilterText = None,
    sort: Annotated[
        str | None,
        typer.Option(
            metavar="KEY",
            help="Sort by a key, -KEY from the largest, A,-B by several (default: newest).",
        ),
    ] = None,
    columns: Annotated[
        str | None,
        typer.Option(metavar="A,B,C", help="Show these keys: run,learning_rate,test.loss"),
    ] = None,
    status: Annotated[
        str | None,
        typer.Option(
            metavar="STATUS",
            help="Only runs that are running, completed, diverged, failed, interrupted, damaged.",
        ),
    ] = None,
    limit: Annotated[int | None, typer.Option(metavar="N", min=1, help="Show the first N.")] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print all that is known as one JSON document.")
    ] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print the columns as CSV.")] = False,
    runs_dir: RunsDir = None,
) -> None:
    """List runs and sweeps, the newest first, or the runs inside a sweep; see HELP."""
    from mnistlab.console.listing import print_csv, print_json, print_table
    from mnistlab.errors import InputError
    from mnistlab.runs import default_runs_dir
    from mnistlab.store.filters import parse
    from mnistlab.store.selection import LEAST_TELLING, arrange, columns_of, parse_columns, select

    if as_json and as_csv:
        raise InputError("runs list: --json and --csv exclude each other")
    wanted = parse(condition) if condition is not None else None
    folder = runs_dir or default_runs_dir()
    if runs_dir is not None and not runs_dir.exists():
        raise InputError(f"--runs-dir {runs_dir}: there is no such folder")
    if sweep is not None:
        from mnistlab.runs.find import find_sweep

        folder = find_sweep(sweep, folder).path / "runs"
    everything = read(folder)
    selection = select(everything, wanted, status)
    runs = arrange(selection.runs, sort)[:limit]
    shown = parse_columns(columns, everything) if columns is not None else None
    _tell(folder, everything, selection, len(runs))
    if as_json:
        print_json(runs)
    elif as_csv:
        print_csv(runs, shown or columns_of(runs, of_sweep=sweep is not None))
    elif runs:
        print_table(
            runs,
            shown or columns_of(runs, of_sweep=sweep is not None),
            () if shown else LEAST_TELLING,
        )


def read(folder: Path) -> "list[dict[str, object]]":
    """Return the facts of the runs in a folder; a long reading shows how far it is."""
    from mnistlab.console.listing import ReadingProgress
    from mnistlab.store.index import read_all

    progress = ReadingProgress()
    try:
        return read_all(folder, progress)
    finally:
        progress.close()


def _tell(
    folder: Path, everything: "list[dict[str, object]]", selection: "Selection", listed: int
) -> None:
    """Say on stderr why runs are not in the list."""
    from mnistlab.errors import shown
    from mnistlab.store.selection import strangers

    count = len(everything)
    if others := strangers(folder, everything):
        told = ", ".join(map(shown, others[:_TOLD])) + (", …" if len(others) > _TOLD else "")
        typer.echo(f"no run, and not listed: {told}", err=True)

    if selection.warning:
        typer.echo(f"warning: {selection.warning}", err=True)
    if not count:
        typer.echo(f"{shown(folder)}: there is no run here yet", err=True)
    elif not selection.runs:
        typer.echo(f"none of the {count:,} runs here is meant", err=True)
    elif listed < len(selection.runs):
        typer.echo(f"{listed:,} of {len(selection.runs):,} runs", err=True)
