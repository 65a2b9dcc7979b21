"""`mnistlab runs`: the commands that draw, predict, train again, go on with or delete runs."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mnistlab.cli import options
from mnistlab.cli.options import (
    echo,
    echo_json,
    evaluate_test_if_missing,
    fail_if_refused,
    find_folder,
    named_or_all,
    runs_folder,
)
from mnistlab.cli.runs import app

if TYPE_CHECKING:
    from mnistlab.run_folders import RunFolder
    from mnistlab.store.predict import Predictions


@app.command(short_help="Draw the plots of a run or a sweep.")
def plot(
    run: options.RunName,
    runs_dir: options.RunsDir = None,
    form: Annotated[
        str | None, typer.Option("--format", metavar="png|svg|pdf", help="The kind of picture.")
    ] = None,
    to: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE|FOLDER",
            help="Write there instead of into the run's plots: a .pdf takes all plots, a .png or "
            ".svg one, a folder a file each.",
        ),
    ] = None,
    only: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Draw this plot, weights for example, and no other."),
    ] = None,
    force: options.Force = False,
    plugin: options.Plugins = None,
    as_json: options.AsJson = False,
) -> None:
    """Draw the plots of a run or a sweep from its folder, again if they are there already.

    For a run of a sweep that was not the best this evaluates the test split, as `runs show` does.
    """
    from mnistlab.errors import MnistlabError

    folder = find_folder(run, runs_dir)
    plugins = plugin or []
    kind = _kind_of_picture(form, to, force=force)
    if not folder.summary.exists():
        raise MnistlabError(f"{folder.name}: is not finished, so there is nothing to draw yet")
    if damaged := folder.damaged_files():
        raise MnistlabError(
            f"{folder.path / damaged[0]}: is not what the run left, so nothing is drawn from it"
        )
    if form or to or only:
        from mnistlab.plots import write_plots
        from mnistlab.plugins import load_plugins

        load_plugins(plugins)
        evaluate_test_if_missing(folder, plugins, required=True)
        drawn = [str(path) for path in write_plots(folder, kind, only=only, to=to)]
    else:
        drawn = _draw_all(folder, plugins)
    if as_json:
        echo_json(drawn)
    else:
        echo("\n".join(f"plot: {path}" for path in drawn))


def _kind_of_picture(form: str | None, to: Path | None, *, force: bool) -> str:
    """Return png, svg or pdf, as --format or the ending of --to says; raise InputError."""
    from mnistlab.errors import InputError, UnknownNameError, shown
    from mnistlab.plots.drawing import FORMATS, check_picture

    kinds = [ending.removeprefix(".") for ending in FORMATS]
    if form is not None and form not in kinds:
        raise UnknownNameError("format", form, kinds)
    if to is None or to.is_dir():
        return form or "png"
    check_picture(to)
    ending = to.suffix.lower().removeprefix(".")
    if form not in (None, ending):
        raise InputError(f"--to {shown(to)}: is no {form}; leave out --format, or name a .{form}")
    if not force and (to.exists() or to.is_symlink()):
        raise InputError(f"--to {shown(to)}: is there already; --force replaces it")
    return ending


def _draw_all(folder: "RunFolder", plugins: list[Path]) -> list[str]:
    """Draw every plot into the run's folder by the drawing process; return the files."""
    from mnistlab.errors import MnistlabError
    from mnistlab.plots.drawing import Painter

    with Painter(plugins) as painter:
        evaluate_test_if_missing(folder, plugins, required=True)
        try:
            return [str(folder.plot(name)) for name in painter.draw(folder.path)]
        except RuntimeError as error:
            raise MnistlabError(f"{folder.name}: the plots could not be drawn: {error}") from None


@app.command(short_help="Show what a run takes pictures or test images for.")
def predict(
    run: options.RunName,
    images: Annotated[
        list[str],
        typer.Argument(
            metavar="IMAGE...",
            help="A PNG or JPEG file, or the number of a test image, from 0.",
        ),
    ],
    runs_dir: options.RunsDir = None,
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
    from mnistlab.plugins import load_plugins
    from mnistlab.store.predict import predict

    if save is not None:
        check_picture(save)
    load_plugins(plugin or [])
    predictions = predict(find_folder(run, runs_dir), images, fetch_progress(quiet=as_json))
    if save is not None:
        _draw(predictions, save)
    if as_json:
        echo_json(predictions.as_json() | {"plot": None if save is None else str(save)})
        return
    from mnistlab.console.run_results import print_predictions

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


@app.command(short_help="Train runs again; say whether the same comes out.")
def verify(
    names: options.SeveralRuns = None,
    everything: options.AllRuns = False,
    runs_dir: options.RunsDir = None,
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

    from mnistlab.console.comparisons import describe_verification
    from mnistlab.console.progress import ConsoleReporter
    from mnistlab.errors import InputError, MnistlabError
    from mnistlab.plugins import load_plugins
    from mnistlab.store.opening import describe_refused
    from mnistlab.store.verify import DIFFERS, IMPOSSIBLE, Verification, verify

    if bool(names) == everything:
        raise InputError("runs verify: name at least one run, or take --all of them")
    load_plugins(plugin or [])
    given = named_or_all(names, runs_dir)
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


@app.command(short_help="Go on with a run or a sweep that was cut short.")
def resume(
    run: options.RunName,
    overrides: Annotated[
        list[str] | None, typer.Argument(metavar="[epochs=N]", help="Make a single run longer.")
    ] = None,
    runs_dir: options.RunsDir = None,
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

    if not isinstance(find_folder(run, runs_dir), SweepFolder):
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


@app.command(short_help="Delete runs and sweeps for good.")
def delete(
    names: options.RunNames,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Delete without asking.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be deleted, delete nothing.")
    ] = False,
    runs_dir: options.RunsDir = None,
) -> None:
    """Delete runs and sweeps for good; it names them and asks first.

    All names are checked before the first is deleted. A sweep goes as a whole; a run that a
    process works on stays. `latest` then points to the newest run that is left.
    """
    from mnistlab.errors import InputError, MnistlabError
    from mnistlab.store.delete import plan_removal, remove

    folder = runs_folder(runs_dir)
    removals = plan_removal(names, folder)
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
    for removal in remove(removals, folder):
        echo(f"deleted {removal}")
