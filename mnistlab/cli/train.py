"""`mnistlab train`: one config, one run folder."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mnistlab.cli import options
from mnistlab.cli.options import (
    draw_missing_plots,
    echo_json,
    refuse_changes,
    refuse_missing_plots,
    require_config,
    resume_options,
)

if TYPE_CHECKING:
    from mnistlab.experiment import Plan, RunRecorder
    from mnistlab.run_folders import RunFolder


def train(
    config: options.ConfigFile = None,
    overrides: options.Overrides = None,
    name: options.Name = None,
    runs_dir: options.RunsDir = options.RUNS,
    resume: Annotated[
        str | None,
        typer.Option(
            metavar="RUN",
            autocompletion=options.complete_run,
            help="Go on with a run that was cut short: its folder, name or `latest`; with "
            "epochs=N a run that is complete is made longer.",
        ),
    ] = None,
    plugin: options.Plugins = None,
    dry_run: options.DryRun = False,
    print_config: Annotated[
        bool, typer.Option("--print-config", help="Print the resolved config and stop.")
    ] = False,
    exact_limit: options.ExactLimit = False,
    no_plots: options.NoPlots = False,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
) -> None:
    """Train a config on real images and leave a run folder with metrics and plots.

    Exit codes: 0 trained; 1 the run diverged or failed; 2 a wrong config, input or option;
    130 interrupted.
    """
    from mnistlab.plots.drawing import Painter

    plugins = plugin or []
    with ExitStack() as cleanup:
        is_drawn = not (no_plots or dry_run or print_config)
        # the process that draws imports beside what follows
        painter = cleanup.enter_context(Painter(plugins)) if is_drawn and resume is None else None

        from mnistlab.config.load import load_config

        folder = _resumed(resume, config, overrides or [], name, runs_dir)
        if folder is not None:
            from mnistlab.experiment.resume import check_resumable, plan_resumption

            check_resumable(folder)
        path = folder.config if folder else config
        settled = load_config(path, overrides or [], name=name)
        if print_config:
            from mnistlab.cli.inputs import print_settled

            print_settled(settled, as_json=as_json)
            return

        from mnistlab.console.progress import ConsoleReporter
        from mnistlab.experiment import prepare, train_run

        reporter = ConsoleReporter(quiet=quiet)
        fitted = None if folder is None else folder.read_features()
        plan = prepare([settled], reporter, exact_limit=exact_limit, fitted=fitted)
        if dry_run:
            _print_plan(plan, as_json=as_json)
            return
        resumption = None
        if folder is not None:
            known = load_config(folder.config)
            resumption = plan_resumption(folder, known, settled, plan)
            if resumption is None:
                folder.tidy()
                if is_drawn:
                    draw_missing_plots([folder], runs_dir, plugins)
                said = ["It was complete already."]
                _print(folder, folder.read_summary(), said, as_json=as_json, quiet=quiet)
                return
            painter = cleanup.enter_context(Painter(plugins)) if is_drawn else None
        run = train_run(
            plan,
            runs_dir=runs_dir,
            reporter=reporter,
            painter=painter,
            resumption=resumption,
            resume_options=resume_options(runs_dir, plugins),
            may_fork=not plugins,  # which may have threads
        )
    _print(run.folder, run.summary, run.meaning, as_json=as_json, quiet=quiet)
    if run.status == "diverged":
        raise _diverged(run, plan)
    refuse_missing_plots(run.folder, run.not_drawn, resume_options(runs_dir, plugins))


def _resumed(
    resume: str | None,
    config: Path | None,
    overrides: list[str],
    name: str | None,
    runs_dir: Path,
) -> "RunFolder | None":
    """Return the folder of the run to go on with; refuse what would make it another run."""
    if resume is None:
        require_config("train", config, overrides)
        return None

    from mnistlab.errors import InputError
    from mnistlab.run_folders.folder import SweepFolder
    from mnistlab.run_folders.places import find_run

    others = [word for word in overrides if not word.startswith("epochs=")]
    given = [*(["--config"] if config else []), *(["--name"] if name else []), *others]
    refuse_changes("train", given, "only epochs=N may make it longer")
    folder = find_run(resume, runs_dir)
    if isinstance(folder, SweepFolder):
        raise InputError(f"{folder.name}: is a sweep; mnistlab sweep --resume goes on with it")
    if "/" in folder.name:
        raise InputError(
            f"{folder.name}: belongs to a sweep, which goes on as a whole; to train it by itself: "
            f"mnistlab train --config {folder.config}"
        )
    return folder


def _print(
    folder: "RunFolder",
    summary: Mapping[str, Any],
    meaning: Sequence[str],
    *,
    as_json: bool,
    quiet: bool,
) -> None:
    """Print what a run has come to."""
    from mnistlab.console.printed_runs import print_result
    from mnistlab.console.tables import describe_places, print_lines
    from mnistlab.errors import RunFolderError

    if as_json:
        echo_json(summary)
    elif quiet:
        pass
    elif summary.get("status") == "diverged":
        print_lines(describe_places(folder))
    else:
        try:
            print_result(folder, summary, meaning)
        except (KeyError, TypeError):
            message = f"{folder.summary}: does not say all that a summary says"
            raise RunFolderError(message) from None


def _diverged(run: "RunRecorder", plan: "Plan") -> Exception:
    """Return the error of a run that has diverged, with what to do."""
    from mnistlab.core.objective import format_limit
    from mnistlab.errors import RunDivergedError

    (limit,) = plan.limits
    advice = "try a smaller learning rate"
    if limit is not None:
        advice = (
            f"choose a learning rate well below {format_limit(limit)}, the stability limit of "
            "this data and batch size"
        )
    return RunDivergedError(f"the run diverged: {run.error}; {advice}")


def _print_plan(plan: "Plan", *, as_json: bool) -> None:
    from mnistlab.console.tables import print_pairs

    (config,) = plan.configs
    dataset = plan.dataset
    facts = {
        "model": config.model,
        "loss": config.loss,
        "dataset": dataset.name,
        "data_sha256": None if dataset.is_large else dataset.sha256,  # it is read whole for that
        "train_images": len(dataset.train),
        "validation_images": 0 if dataset.validation is None else len(dataset.validation),
        "test_images": len(dataset.test),
        "features": dataset.train.feature_count,
        "parameters": (dataset.train.feature_count + 1) * len(dataset.classes),
        "epochs": config.epochs,
        "steps": config.epochs * plan.steps_per_epoch,
        "learning_rate": config.learning_rate,
        "learning_rate_limit": plan.limits[0],
        "warnings": plan.warnings(),
    }
    (echo_json if as_json else print_pairs)(facts)
