"""`mnistlab runs`: the commands that predict, train again, go on with, delete or write runs."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mnistlab.cli import options
from mnistlab.cli.options import (
    echo,
    echo_json,
    fail_if_refused,
)
from mnistlab.cli.runs import runs_app

if TYPE_CHECKING:
    from mnistlab.store.opening import Given
    from mnistlab.store.predict import Predictions


@runs_app.command(short_help="Show what a run takes pictures or test images for.")
def predict(
    run: options.RunName,
    images: Annotated[
        list[str],
        typer.Argument(
            metavar="IMAGE...",
            help="A PNG or JPEG file, or the number of a test image, from 0.",
        ),
    ],
    runs_dir: options.RunsDir = options.RUNS,
    plugin: options.Plugins = None,
    save: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Draw the images as the model saw them (.png, .svg, .pdf)."
        ),
    ] = None,
    as_json: options.AsJson = False,
) -> None:
    """Show what a run takes images for: the class, and what it gives for each of the ten.

    A picture is made like MNIST's digits first: its ink, dark or light, is found, scaled to fit
    20 x 20 pixels and centred by its mass in 28 x 28. So it should show one digit and no more.
    """
    from mnistlab.console.progress import fetch_progress
    from mnistlab.plots.drawing import check_picture
    from mnistlab.run_folders.places import find_run
    from mnistlab.store.predict import predict

    if save is not None:
        check_picture(save)
    predictions = predict(find_run(run, runs_dir), images, fetch_progress(quiet=as_json))
    if save is not None:
        _draw(predictions, save)
    if as_json:
        echo_json(predictions.as_json() | {"plot": None if save is None else str(save)})
        return
    from mnistlab.console.printed_runs import print_predictions

    print_predictions(predictions)
    if save is not None:
        echo(f"plot: {save}")


def _draw(predictions: "Predictions", path: Path) -> None:
    import numpy as np

    from mnistlab.plots import save_picture, seen_images

    classes, images = predictions.classes, predictions.images
    headings: list[tuple[str, ...]] = [
        (Path(one.image).name, f"predicted {classes[one.predicted]}") for one in images
    ]
    if any(one.label is not None for one in images):
        truths = ["" if one.label is None else f"true {classes[one.label]}" for one in images]
        headings = [(*heading, truth) for heading, truth in zip(headings, truths, strict=True)]
    seen = np.stack([one.seen for one in images])
    save_picture(seen_images(seen, headings, title=f"What {predictions.run} saw"), path)


def _single_runs(names: Sequence[str] | None, runs_dir: Path) -> "list[Given]":
    """Return the runs that are named, each sweep as its runs; all runs where none is named."""
    from mnistlab.store.opening import open_all, open_given, single_runs

    return single_runs(open_given(names, runs_dir)) if names else open_all(runs_dir)


@runs_app.command(short_help="Train runs again; say whether the same comes out.")
def verify(
    names: options.SeveralRuns = None,
    everything: options.AllRuns = False,
    runs_dir: options.RunsDir = options.RUNS,
    plugin: options.Plugins = None,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
) -> None:
    """Train finished runs again from what their folders record, and compare.

    The verdict is `identical` (metrics, weights and predictions to the bit), `within tolerance`
    (apart by rounding, as another machine, another number of threads or a sweep's stack makes
    it), `differs`, with the first epoch that does and what has changed since (data, versions,
    linear algebra, code), or `cannot be verified`, with the reason. The run folder is left as it
    is. Exit codes: 0 all the same; 1 one differs, or a folder is refused; 2 none does, and one
    cannot be verified.
    """
    from dataclasses import asdict, replace

    from mnistlab.console.printed_runs import describe_verification
    from mnistlab.console.progress import ConsoleReporter
    from mnistlab.errors import InputError, MnistlabError
    from mnistlab.store.opening import describe_refused
    from mnistlab.store.verify import DIFFERS, IMPOSSIBLE, Verification, verify

    if bool(names) == everything:
        raise InputError("runs verify: name at least one run, or take --all of them")
    given = _single_runs(names, runs_dir)
    reporter = ConsoleReporter(quiet=quiet or len(given) > 1)
    verdicts = []
    for one in given:
        verdicts.append(
            Verification(one.label, IMPOSSIBLE, reason=one.refused)
            if one.folder is None
            else replace(verify(one.folder, reporter), run=one.label)
        )
        if not (as_json or quiet):
            echo(describe_verification(verdicts[-1]))
    if as_json:
        echo_json([asdict(verdict) for verdict in verdicts])
    by_verdict = {
        kind: ", ".join(one.run for one in verdicts if one.verdict == kind)
        for kind in (DIFFERS, IMPOSSIBLE)
    }
    if by_verdict[DIFFERS]:
        refused = describe_refused(given)
        told = f"not the same came out for {by_verdict[DIFFERS]}"
        raise MnistlabError("; ".join(filter(None, (told, refused))))
    fail_if_refused(given)
    if by_verdict[IMPOSSIBLE]:
        raise InputError(f"cannot be verified: {by_verdict[IMPOSSIBLE]}")


@runs_app.command(short_help="Go on with a run or a sweep that was cut short.")
def resume(
    run: options.RunName,
    overrides: Annotated[
        list[str] | None, typer.Argument(metavar="[epochs=N]", help="Make a single run longer.")
    ] = None,
    runs_dir: options.RunsDir = options.RUNS,
    plugin: options.Plugins = None,
    exact_limit: options.ExactLimit = False,
    no_plots: options.NoPlots = False,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
) -> None:
    """Go on with a run or a sweep: the same as `train --resume` and `sweep --resume`.

    The result is that of a run that was never cut short, to the bit.
    """
    from mnistlab.cli.sweep import sweep
    from mnistlab.cli.train import train
    from mnistlab.errors import InputError
    from mnistlab.run_folders.folder import SweepFolder
    from mnistlab.run_folders.places import find_run

    if not isinstance(find_run(run, runs_dir), SweepFolder):
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


@runs_app.command(short_help="Delete runs and sweeps for good.")
def delete(
    names: options.RunNames,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Delete without asking.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be deleted, delete nothing.")
    ] = False,
    runs_dir: options.RunsDir = options.RUNS,
) -> None:
    """Delete runs and sweeps for good; it names them and asks first.

    All names are checked before the first is deleted. A sweep goes as a whole; a run that a
    process works on stays. `latest` then points to the newest run that is left.
    """
    from mnistlab.errors import InputError, MnistlabError
    from mnistlab.store.listing import plan_removal, remove

    removals = plan_removal(names, runs_dir)
    if dry_run:
        for removal in removals:
            echo(f"would delete {removal}")
        return
    if not yes:
        if not sys.stdin.isatty():
            listed = ", ".join(map(str, removals))
            raise InputError(f"runs delete: nobody can be asked here; --yes deletes {listed}")
        for removal in removals:
            echo(str(removal), err=True)
        question = "Delete it for good?" if len(removals) == 1 else "Delete them for good?"
        echo(f"{question} [y/N]", err=True)  # stdout is for results
        if sys.stdin.readline().strip().lower() not in ("y", "yes"):
            raise MnistlabError("nothing was deleted")
    for removal in remove(removals, runs_dir):
        echo(f"deleted {removal}")


@runs_app.command(short_help="Write runs for other programs: a table, a model, curves.")
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
    runs_dir: options.RunsDir = options.RUNS,
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
    from mnistlab.store import export as store
    from mnistlab.store.opening import facts_of, open_given
    from mnistlab.store.selection import parse, select

    wanted = parse(condition) if condition is not None else None
    if names and everything:
        raise InputError("runs export: name runs, or take --all of them")
    if not (names or everything or wanted):
        raise InputError("runs export: name at least one run, or give --filter or --all")
    kind = store.check_target(to, form, epochs=epochs, force=force)
    if follow and (kind != store.EVENTS or wanted or not names):
        raise InputError(
            "--follow goes with --format tensorboard and names of runs, not with --all or --filter"
        )
    given = open_given(names or (), runs_dir) if follow else _single_runs(names, runs_dir)
    facts = facts_of(given, tolerant=False)
    selection = select(facts, wanted)
    kept = set(map(id, selection.runs))
    chosen = [one for one, row in zip(given, facts, strict=True) if id(row) in kept]
    if not chosen:
        raise InputError("runs export: no run is selected, so nothing was written")
    unread = 0
    if kind == store.EVENTS:
        damaged, count = store.write_events(to, chosen, follow=follow)
    elif kind == "onnx":
        from mnistlab.store.predict import write_model

        write_model(to, [one.folder for one in chosen], fetch_progress(quiet=False))
        damaged, count = {}, 1
    else:
        damaged, count = store.write(to, chosen, selection.runs, epochs=epochs)
        unread = 0 if epochs else sum(one.folder is None for one in chosen)
    for run, files in damaged.items():
        echo(f"warning: {shown(run)}: missing or damaged: {files}", err=True)
    if selection.warning:
        echo(f"warning: {selection.warning}", err=True)
    told = f", {unread:,} of which could not be read" if unread else ""
    echo(f"{to}: {count:,} {'run' if count == 1 else 'runs'}{told}")
    fail_if_refused(given)
