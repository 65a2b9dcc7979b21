"""Trains one config into a run folder, from its beginning or from where it was cut short."""

import time
from contextlib import ExitStack, suppress
from pathlib import Path

import numpy as np
import threadpoolctl

from mnistlab import interrupts
from mnistlab.core.metrics import evaluate
from mnistlab.core.objective import copy_stack
from mnistlab.core.trainer import EpochRecord, Trainer
from mnistlab.datasets import as_rows
from mnistlab.experiment.plan import Plan
from mnistlab.experiment.reporter import Reporter, describe_epoch
from mnistlab.experiment.resuming import Resumption
from mnistlab.experiment.run import Run
from mnistlab.interpretation import interpret
from mnistlab.interrupts import deferred
from mnistlab.plots.painter import Painter
from mnistlab.runs.environment import describe_environment, uncommitted_changes


def train_run(
    plan: Plan,
    *,
    runs_dir: Path,
    reporter: Reporter,
    painter: Painter | None = None,
    resumption: Resumption | None = None,
    resume_options: str | None = "",
) -> Run:
    """Train a plan's only config and return its run, which has a folder of its own.

    With a `resumption` the run goes on in the folder that it has. With a `painter` it gets its
    plots. However this ends, the run does not stay marked as running: one that is cut short is
    saved as far as it got. Raises what cut it short, with the command to go on as its note;
    `resume_options` are part of that, None of a run that nobody will go on with.
    """
    started = time.perf_counter()
    trainer = plan.trainer(interrupts.check)
    run: Run | None = None
    with ExitStack() as cleanup:
        cleanup.callback(reporter.stop)
        try:
            # for one configuration a second thread only waits for the first
            cleanup.enter_context(threadpoolctl.threadpool_limits(1, "blas"))
            environment = describe_environment() | {"stack_width": 1}
            origin = environment, plan.dataset.sha256, uncommitted_changes(environment)
            (config,) = plan.configs
            with deferred():
                run = resumption.open(*origin) if resumption else Run.open(config, runs_dir)
                run.clock = started
            if painter is not None:
                painter.load(run.folder.path)
            if resumption is None:
                run.record_origin(*origin)
            if warning := plan.warning():
                reporter.warn(warning)
                run.folder.write_log(f"warning: {warning}")
            if resumption is not None and resumption.warning is not None:
                reporter.warn(resumption.warning)
                run.folder.write_log(f"warning: {resumption.warning}")
            if resumption is not None and resumption.snapshot is not None:
                trainer.restore(resumption.snapshot)

            reporter.start(config.epochs)
            with deferred():  # a signal is heard between two steps
                for record in trainer.epochs():
                    row = run.note_epoch(record, 0)
                    run.folder.write_metrics(run.rows)
                    reporter.epoch(row, config.epochs)
                    run.folder.write_log(describe_epoch(row, config.epochs))
                    _keep(record, run, plan, trainer)
            reporter.stop()

            run.stop_clock()
            run.write_summary()
            if painter is not None:
                run.not_drawn = _paint(painter, run)
            run.meaning = _interpret(run, plan)
            said = [*run.meaning, *([run.error] if run.error else [])]
            run.folder.write_log(*said, f"{run.status} after {run.seconds['total']:.2f} s")
            run.close()
        except BaseException as error:
            with deferred():
                if run is not None and run.is_open:
                    _give_up(run, trainer, error, reporter)
                    if resume_options is not None:
                        resume = f"mnistlab train --resume {run.folder.name}{resume_options}"
                        interrupts.advise(error, f"to go on: {resume}")
            raise
    return run


def _keep(record: EpochRecord, run: Run, plan: Plan, trainer: Trainer) -> None:
    """Keep the results of a run that ends with this epoch, or now and then a checkpoint."""
    if record.diverged[0]:
        run.keep_divergence(trainer.trace_last_epoch(0), plan.steps_per_epoch)
    elif record.finished[0]:
        parameters, objective = copy_stack(trainer.parameters), plan.settings.objective
        test = evaluate(parameters, objective, as_rows(plan.dataset.test), plan.dataset.pixels)
        run.keep_result(parameters[:, 0, :], test)
    elif record.epoch % run.config.checkpoint_every == 0:
        run.save_progress(trainer.snapshot)


def _give_up(run: Run, trainer: Trainer, error: BaseException, reporter: Reporter) -> None:
    """Save what was reached; what went wrong first is what is reported."""
    if run.is_ended:
        return
    reporter.message(f"what was reached is kept in {run.folder.path}")
    with suppress(OSError):
        run.save_progress(trainer.snapshot)
    with suppress(OSError):
        run.abandon(error)


def _paint(painter: Painter, run: Run) -> str | None:
    """Draw the run's plots; return why not, as the run is whole without them."""
    try:
        painter.draw(run.folder.path)
    except RuntimeError as error:
        run.folder.write_log(f"warning: the plots could not be drawn: {error}")
        return str(error)
    return None


def _interpret(run: Run, plan: Plan) -> list[str]:
    labels = plan.dataset.test.labels
    return interpret(
        run.summary,
        run.rows,
        commonest=float(np.bincount(labels).max() / len(labels)),
        images=len(labels),
        epochs=run.config.epochs,
    )
