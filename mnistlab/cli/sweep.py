"""`mnistlab sweep`: many configs, trained together, the best one named."""

from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mnistlab.cli import options
from mnistlab.cli.options import (
    draw_missing_plots,
    echo,
    echo_json,
    refuse_changes,
    refuse_missing_plots,
    require_config,
    resume_options,
)

if TYPE_CHECKING:
    from mnistlab.run_folders.folder import SweepFolder
    from mnistlab.sweeps.sweep_schema import Metric
    from mnistlab.sweeps.trial_results import Document

_VARY = "to vary it, begin a new one, which takes finished runs over with --needed"


def sweep(
    config: Annotated[
        Path | None,
        options.config_option(
            "A sweep file or a config to vary, or a shipped one by name (`mnistlab config list`)."
        ),
    ] = None,
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[KEY=V1,V2]...",
            help="Values to try: learning_rate=0.01,0.02 or learning_rate=logspace(1e-3,1e-2,9), "
            "also range, linspace, choice, uniform, log_uniform, int_uniform; a single value is "
            "fixed; zip=KEY,KEY moves keys together; @FILE.csv lists trials.",
            autocompletion=options.complete_override,
        ),
    ] = None,
    method: Annotated[
        str | None,
        typer.Option(
            metavar="METHOD",
            help="grid (all combinations, the default), random, halving (those that look worst "
            "early are stopped; halving.factor=3 halving.min_epochs=1), or tpe (Optuna's sampler "
            "asks for trials by what earlier ones came to).",
        ),
    ] = None,
    max_trials: Annotated[
        int | None,
        typer.Option(
            metavar="N", help="Try at most so many (random, tpe: 64; a larger grid is drawn from)."
        ),
    ] = None,
    seeds: Annotated[
        int | None,
        typer.Option(metavar="N", help="Repeat every trial with so many seeds, for intervals."),
    ] = None,
    folds: Annotated[
        int | None,
        typer.Option(
            metavar="K",
            help="Cross-validate: train every trial K times, each time with another of K parts "
            "of the training file as its validation split.",
        ),
    ] = None,
    random_seed: Annotated[
        int | None, typer.Option(metavar="N", help="Decides what is drawn (default 0).")
    ] = None,
    batch: Annotated[
        int | None,
        typer.Option(metavar="N", help="Trials that tpe asks for, and trains, at a time (16)."),
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
            autocompletion=options.complete_sweep,
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
    scheduler: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Train on a Dask cluster: the address of its scheduler, tcp://HOST:PORT, or "
            "local:4 for 4 worker processes on this machine.",
        ),
    ] = None,
    name: options.Name = None,
    runs_dir: options.RunsDir = options.RUNS,
    plugin: options.Plugins = None,
    dry_run: options.DryRun = False,
    exact_limit: options.ExactLimit = False,
    no_plots: options.NoPlots = False,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
) -> None:
    """Train many configs together, each into a run folder, and name the best one.

    The validation split chooses. A run that diverges is a result like any other. Exit codes:
    0 done; 1 a run failed, or every one diverged; 2 a wrong space, input or option; 130
    interrupted: --resume goes on.
    """
    from mnistlab.errors import InputError, SweepFailedError
    from mnistlab.plots.drawing import Painter
    from mnistlab.run_folders.places import find_sweep
    from mnistlab.sweeps.sweep_file import check_own_file
    from mnistlab.sweeps.trials import load_sweep

    plugins = plugin or []
    settings = {
        "method": method,
        "max_trials": max_trials,
        "seeds": seeds,
        "folds": folds,
        "random_seed": random_seed,
        "batch": batch,
        "metric": _metric(minimize, maximize),
        "name": name,
    }
    if resume is None:
        folder = None
        require_config("sweep", config, words or [])
        if retry_failed:
            raise InputError("sweep: --retry-failed goes with --resume SWEEP")
    else:
        named = [key.replace("_", "-") for key, value in settings.items() if value is not None]
        given = [*(["--config"] if config else []), *(words or []), *(f"--{key}" for key in named)]
        refuse_changes("sweep", given, _VARY)
        folder = find_sweep(resume, runs_dir)
        check_own_file(folder.config)
    path = folder.config if folder is not None else config
    settled = load_sweep(path, words or [], **settings)  # type: ignore[arg-type]
    if dry_run and settled.drawn:
        settled = replace(settled, trials=settled.drawn)

    from mnistlab.console.sweeps import ConsoleSweepReporter, estimate_facts, print_estimate
    from mnistlab.sweeps.plan import estimate, prepare_sweep
    from mnistlab.sweeps.run import run_sweep
    from mnistlab.sweeps.storage import best_run, is_complete

    reporter = ConsoleSweepReporter(quiet=quiet, metric=settled.metric)
    with ExitStack() as cleanup:
        cluster = None
        if scheduler is not None:
            from mnistlab.sweeps.cluster import connect

            cluster = cleanup.enter_context(connect(scheduler, plugins))
        prepared = prepare_sweep(
            settled,
            reporter,
            exact_limit=exact_limit,
            workers=None if cluster is None else cluster.threads,
        )
        if dry_run:
            stacks = prepared.stacks()
            facts = estimate_facts(prepared, stacks, estimate(prepared, stacks))
            (echo_json if as_json else print_estimate)(facts)
            return
        if folder is not None and is_complete(folder, prepared, retry_failed=retry_failed):
            if not no_plots:
                draw_missing_plots([folder, *best_run(folder)], runs_dir, plugins)
            if not (as_json or quiet):
                echo("It was complete already.\n")
            _print(folder, folder.read_summary(), as_json=as_json, quiet=quiet)
            return
        result = run_sweep(
            prepared,
            runs_dir=runs_dir,
            reporter=reporter,
            start_painter=None if no_plots else partial(Painter, plugins),
            resumed=folder,
            needed=needed,
            fail_fast=fail_fast,
            retry_failed=retry_failed,
            resume_options=resume_options(runs_dir, plugins),
            cluster=cluster,
        )
    _print(result.folder, result.document, as_json=as_json, quiet=quiet)
    if result.status != "completed":
        raise SweepFailedError(f"the sweep {result.status}: {result.document['error']}")
    refuse_missing_plots(result.folder, result.not_drawn, resume_options(runs_dir, plugins))


def _metric(minimize: str | None, maximize: str | None) -> "Metric | None":
    from mnistlab.errors import InputError
    from mnistlab.sweeps.sweep_schema import metric_named

    if minimize is not None and maximize is not None:
        raise InputError("sweep: --minimize and --maximize exclude each other")
    if minimize is not None:
        return metric_named(minimize, "minimize", "--minimize")
    return None if maximize is None else metric_named(maximize, "maximize", "--maximize")


def _print(folder: "SweepFolder", document: "Document", *, as_json: bool, quiet: bool) -> None:
    from mnistlab.console.sweeps import print_sweep

    if as_json:
        echo_json(document)
    elif not quiet:
        print_sweep(folder, document)
