"""`mnistlab sweep`: many configs, trained together, the best one named."""

import sys
from collections.abc import Mapping
from contextlib import redirect_stdout
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mnistlab.cli.completion import complete_sweep
from mnistlab.cli.options import (
    AsJson,
    ExactLimit,
    NoPlots,
    Plugins,
    Quiet,
    RunsDir,
    echo,
    echo_json,
    missing_config,
    noting_latest,
    refuse_missing_plots,
    resume_options,
    runs_folder,
)

if TYPE_CHECKING:
    from mnistlab.runs.folder import SweepFolder
    from mnistlab.sweep.finish import SweepResult
    from mnistlab.sweep.metric import Metric
    from mnistlab.sweep.trials import Sweep


def sweep(
    config: Annotated[
        Path | None,
        typer.Option("--config", "-c", metavar="FILE", help="A sweep file, or a config to vary."),
    ] = None,
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="KEY=V1,V2",
            help="Values to try: learning_rate=0.01,0.02 or learning_rate=logspace(1e-3,1e-2,9), "
            "also range, linspace, choice, uniform, log_uniform, int_uniform; a single value is "
            "fixed; zip=KEY,KEY moves keys together; @FILE.csv lists trials.",
        ),
    ] = None,
    method: Annotated[
        str | None,
        typer.Option(
            metavar="METHOD",
            help="grid (all combinations, the default), random, or halving (those that look worst "
            "early are stopped; halving.factor=3 halving.min_epochs=1).",
        ),
    ] = None,
    max_trials: Annotated[
        int | None,
        typer.Option(
            metavar="N", help="Try at most so many (random: 64; a larger grid is drawn from)."
        ),
    ] = None,
    seeds: Annotated[
        int | None,
        typer.Option(metavar="N", help="Repeat every trial with so many seeds, for intervals."),
    ] = None,
    random_seed: Annotated[
        int | None, typer.Option(metavar="N", help="Decides what is drawn (default 0).")
    ] = None,
    minimize: Annotated[
        str | None,
        typer.Option(metavar="METRIC", help="Choose by validation.loss, the lowest."),
    ] = None,
    maximize: Annotated[
        str | None,
        typer.Option(metavar="METRIC", help="Choose by validation.accuracy (the default)."),
    ] = None,
    resume: Annotated[
        str | None,
        typer.Option(
            metavar="SWEEP",
            autocompletion=complete_sweep,
            help="Go on with a sweep that was cut short: its folder, name or `latest`.",
        ),
    ] = None,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="With --resume: train again what has failed.")
    ] = False,
    needed: Annotated[
        bool,
        typer.Option("--needed", help="Take runs that are finished already from the runs folder."),
    ] = False,
    fail_fast: Annotated[
        bool, typer.Option("--fail-fast", help="End with the first run that fails.")
    ] = False,
    name: Annotated[
        str | None,
        typer.Option(metavar="TEXT", help="Name the sweep (default: the config's name or file)."),
    ] = None,
    runs_dir: RunsDir = None,
    plugin: Plugins = None,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="Print trials, stacks, time, memory and disk; train nothing."
        ),
    ] = False,
    exact_limit: ExactLimit = False,
    no_plots: NoPlots = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Train many configs together, each into a run folder, and name the best one.

    The validation split chooses. A run that diverges is a result like any other. Exit codes:
    0 done; 1 a run failed, or every one diverged; 2 a wrong space, input or option; 130
    interrupted: --resume goes on.
    """
    plugins = plugin or []
    from mnistlab.plots.painter import Painter
    from mnistlab.plugins import load_plugins

    load_plugins(plugins)
    runs = runs_folder(runs_dir)
    metric = _metric(minimize, maximize)
    settings = {
        "method": method,
        "max_trials": max_trials,
        "seeds": seeds,
        "random_seed": random_seed,
        "metric": metric,
        "name": name,
    }
    folder = _resumed(resume, config, words or [], settings, runs, retry_failed=retry_failed)
    settled = _settle(folder, config, words or [], settings)

    from mnistlab.console.sweeping import ConsoleSweepReporter
    from mnistlab.sweep.plan import prepare_sweep
    from mnistlab.sweep.run import SweepOptions, run_sweep
    from mnistlab.sweep.storage import is_complete

    reporter = ConsoleSweepReporter(quiet=quiet, metric=settled.metric)
    prepared = prepare_sweep(settled, reporter, exact_limit=exact_limit)
    if dry_run:
        from mnistlab.console.sweeps import print_estimate
        from mnistlab.sweep.estimate import estimate

        stacks = prepared.stacks()
        print_estimate(prepared, stacks, estimate(prepared, stacks), as_json=as_json)
        return
    if folder is not None and is_complete(folder, prepared, retry_failed=retry_failed):
        _print_folder(folder, as_json=as_json, quiet=quiet)
        return
    with redirect_stdout(sys.stderr):  # what a plugin prints is no result
        conclusion = run_sweep(
            prepared,
            runs_dir=runs,
            reporter=reporter,
            start_painter=None if no_plots else partial(Painter, plugins),
            resumed=folder,
            options=SweepOptions(
                needed, fail_fast, retry_failed, resume_options(runs_dir, plugins)
            ),
        )
    _print(conclusion, as_json=as_json, quiet=quiet)


def _metric(minimize: str | None, maximize: str | None) -> "Metric | None":
    from mnistlab.errors import InputError
    from mnistlab.sweep.metric import metric_named

    if minimize is not None and maximize is not None:
        raise InputError("sweep: --minimize and --maximize exclude each other")
    if minimize is not None:
        return metric_named(minimize, "minimize", "--minimize")
    if maximize is not None:
        return metric_named(maximize, "maximize", "--maximize")
    return None


def _resumed(
    resume: str | None,
    config: Path | None,
    words: list[str],
    settings: Mapping[str, object],
    runs: Path,
    *,
    retry_failed: bool,
) -> "SweepFolder | None":
    """Return the folder of the sweep to go on with; refuse what would make it another one."""
    from mnistlab.errors import InputError
    from mnistlab.runs.places import find_sweep

    if resume is None:
        if config is None:
            raise missing_config("sweep", words)
        if retry_failed:
            raise InputError("sweep: --retry-failed goes with --resume SWEEP")
        return None
    given = [f"--{key.replace('_', '-')}" for key, value in settings.items() if value is not None]
    if config is not None or words or given:
        what = "--config" if config is not None else (words or given)[0]
        raise InputError(
            f"sweep: --resume goes on with the sweep as it was begun, so {what} has no place; "
            "to vary it, begin a new one, which takes finished runs over with --needed"
        )
    return noting_latest(resume, runs, find_sweep(resume, runs))


def _settle(
    folder: "SweepFolder | None",
    config: Path | None,
    words: list[str],
    settings: Mapping[str, object],
) -> "Sweep":
    from mnistlab.sweep.sweep_file import check_own_file
    from mnistlab.sweep.trials import load_sweep

    if folder is not None:
        check_own_file(folder.config)
    path = config if folder is None else folder.config
    assert path is not None  # noqa: S101 - `_resumed` has seen to it
    return load_sweep(path, words, **settings)  # type: ignore[arg-type]


def _print_folder(folder: "SweepFolder", *, as_json: bool, quiet: bool) -> None:
    """Print a sweep that is complete already."""
    from mnistlab.console.sweeps import print_sweep

    document = folder.read_summary()
    if as_json:
        echo_json(document)
    elif not quiet:
        echo("It was complete already.\n")
        print_sweep(folder, document)


def _print(conclusion: "SweepResult", *, as_json: bool, quiet: bool) -> None:
    from mnistlab.errors import SweepFailedError

    if as_json:
        echo_json(conclusion.document)
    elif not quiet:
        from mnistlab.console.sweeps import print_sweep

        print_sweep(conclusion.folder, conclusion.document)
    if conclusion.status != "completed":
        raise SweepFailedError(f"the sweep {conclusion.status}: {conclusion.error}")
    refuse_missing_plots(conclusion.folder, conclusion.not_drawn)
