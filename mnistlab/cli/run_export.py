"""`mnistlab runs export`: the command that writes runs for other programs."""

from pathlib import Path
from typing import Annotated

import typer

from mnistlab.cli import options
from mnistlab.cli.options import echo, fail_if_refused, named_or_all, open_runs
from mnistlab.cli.runs import app


@app.command(short_help="Write runs for other programs: a table, a model, curves.")
def export(
    to: Annotated[
        Path,
        typer.Option(
            "--to",
            metavar="FILE|FOLDER",
            help="The file to write, .csv, .json or .onnx; the folder for TensorBoard.",
        ),
    ],
    names: options.SeveralRuns = None,
    everything: options.AllRuns = False,
    condition: options.FilterText = None,
    form: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="csv|json|onnx|tensorboard",
            help="What to write; for a file its ending says it.",
        ),
    ] = None,
    epochs: Annotated[
        bool, typer.Option("--epochs", help="A row an epoch and run instead of a row a run (.csv).")
    ] = False,
    follow: Annotated[
        bool,
        typer.Option("--follow", help="Go on until the runs have ended (tensorboard)."),
    ] = False,
    force: options.Force = False,
    runs_dir: options.RunsDir = None,
    plugin: options.Plugins = None,
) -> None:
    """Write runs for other programs.

    A .csv has a row a run with all that `runs list` knows: status, config, metrics. A .json holds
    besides, for each run, its metrics of every epoch and its environment. Of damaged runs what is
    left is written, with a warning. In a .csv an apostrophe stands before a text that a
    spreadsheet would take for a formula.

    A .onnx holds the model of one run, preprocessing included: it takes `images`, bytes (N, rows,
    columns), and gives `label` and `outputs`, and `probabilities` if the loss is the softmax
    cross-entropy. `deskew` and steps of a plugin that move pixels cannot be in it. It needs the
    extra `onnx`.

    --format tensorboard writes losses, accuracies and learning rate into a folder for TensorBoard,
    each run into FOLDER/RUN. Written again, a run's events are replaced or go on; what else the
    folder holds is left alone. With --follow they go on as the runs train. It needs the extra
    `tensorboard`.
    """
    from mnistlab.console.progress import fetch_progress
    from mnistlab.errors import InputError, shown
    from mnistlab.plugins import load_plugins
    from mnistlab.store import export as store
    from mnistlab.store.filters import parse
    from mnistlab.store.opening import facts_of
    from mnistlab.store.selection import select

    wanted = parse(condition) if condition is not None else None
    if names and everything:
        raise InputError("runs export: name runs, or take --all of them")
    if not (names or everything or wanted):
        raise InputError("runs export: name at least one run, or give --filter or --all")
    kind = store.format_of(to, form)
    store.check_target(to, kind, epochs=epochs, force=force)
    if follow and (kind != store.EVENTS or wanted or not names):
        raise InputError(
            "--follow goes with --format tensorboard and names of runs, not with --all or --filter"
        )
    load_plugins(plugin or [])
    given = open_runs(names or (), runs_dir) if follow else named_or_all(names, runs_dir)
    facts = facts_of(given, tolerant=False)
    selection = select(facts, wanted)
    kept = set(map(id, selection.runs))
    chosen = [one for one, row in zip(given, facts, strict=True) if id(row) in kept]
    folders = [one.folder for one in chosen]
    if not folders:
        raise InputError("runs export: no run is meant, so nothing was written")
    count = sum(folder is not None for folder in folders)
    if kind == store.EVENTS:
        from mnistlab.store.event_files import write_events

        damaged, count = write_events(to, chosen, follow=follow)
    elif kind == "onnx":
        from mnistlab.store.onnx_model import write_model

        write_model(to, folders, fetch_progress(quiet=False))
        damaged = {}
    else:
        damaged = store.write(to, folders, selection.runs, epochs=epochs)
    for run, files in damaged.items():
        echo(f"warning: {shown(run)}: missing or damaged: {files}", err=True)
    if selection.warning:
        echo(f"warning: {selection.warning}", err=True)
    echo(f"{to}: {count:,} {'run' if count == 1 else 'runs'}")
    fail_if_refused(given)
