"""Trains configs that share a stack, each into a run folder of its own."""

import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

import numpy as np
import threadpoolctl

from mnistlab.core.metrics import evaluate
from mnistlab.core.objective import copy_stack
from mnistlab.core.trainer import EpochRecord, Trainer
from mnistlab.experiment.plan import Plan
from mnistlab.experiment.reporter import Reporter, describe_epoch
from mnistlab.experiment.run import Run
from mnistlab.interpretation import interpret
from mnistlab.interrupts import deferred
from mnistlab.plots.painter import Painter
from mnistlab.runs.environment import describe_environment, uncommitted_changes


def run_group(
    plan: Plan,
    *,
    runs_dir: Path,
    reporter: Reporter,
    painter: Painter | None = None,
) -> list[Run]:
    """Train a plan's configs together and return their runs, each in a folder of its own.

    With a `painter` each run gets its plots.

    However this ends, no run stays marked as running: one that is cut short is saved as far
    as it got. Raises what cut it short.
    """
    started = time.perf_counter()
    trainer = plan.trainer()
    runs: list[Run] = []
    with ExitStack() as cleanup:
        cleanup.callback(reporter.stop)
        try:
            for config in plan.configs:
                with deferred():
                    runs.append(Run.open(config, runs_dir))
            if painter is not None:
                painter.load(runs[0].folder.path)
            # for one configuration a second thread only waits for the first
            cleanup.enter_context(threadpoolctl.threadpool_limits(1, "blas"))
            environment = describe_environment() | {"stack_width": len(runs)}
            patch = uncommitted_changes(environment)
            for run in runs:
                run.record_origin(environment, plan.dataset.sha256, patch)
            if warning := plan.warning():
                reporter.warn(warning)
                _log(runs, f"warning: {warning}")

            reporter.start(max(config.epochs for config in plan.configs))
            for record in trainer.epochs():
                for position, column in enumerate(record.columns):
                    row = runs[column].note_epoch(record, position)
                    runs[column].folder.write_metrics(runs[column].rows)
                    reporter.epoch(row, runs[column].config.epochs)
                    _log([runs[column]], describe_epoch(row, runs[column].config.epochs))
                _end_columns(record, runs, plan, trainer)
            reporter.stop()

            for run in runs:
                run.seconds["total"] = time.perf_counter() - started
                run.write_summary()
            if painter is not None:
                _paint(painter, runs, reporter)
            for run in runs:
                run.meaning = _interpret(run, plan)
                said = [*run.meaning, *([run.error] if run.error else [])]
                _log([run], *said, f"{run.status} after {run.seconds['total']:.2f} s")
                run.close()
        except BaseException as error:
            with deferred():
                for column, run in enumerate(runs):
                    if run.is_open:
                        reporter.message(f"what was reached is kept in {run.folder.path}")
                        run.seconds["total"] = time.perf_counter() - started
                        # what went wrong first is what is reported
                        with suppress(OSError):
                            run.save_progress(trainer.snapshot, column)
                        with suppress(OSError):
                            run.abandon(error)
            raise
    return runs


def _end_columns(record: EpochRecord, runs: Sequence[Run], plan: Plan, trainer: Trainer) -> None:
    """Keep the results of the runs that end with this epoch, and checkpoints of the others."""
    for position, column in enumerate(record.columns):
        run = runs[column]
        if record.diverged[position]:
            losses = trainer.trace_last_epoch(int(column))
            run.keep_divergence(losses, plan.steps_per_epoch)
        elif record.finished[position]:
            parameters = copy_stack(trainer.parameters[:, [position], :])
            objective = plan.settings.objective
            test = evaluate(parameters, objective, plan.test, plan.dataset.pixels)
            run.keep_result(parameters[:, 0, :], test)
        elif record.epoch % run.config.checkpoint_every == 0:
            run.save_progress(trainer.snapshot, int(column))


def _paint(painter: Painter, runs: Sequence[Run], reporter: Reporter) -> None:
    """Draw each run's plots; without them a run is still whole, so a failure only warns."""
    for run in runs:
        try:
            painter.draw(run.folder.path)
        except RuntimeError as error:
            reporter.warn(f"the plots could not be drawn: {error}")
            _log([run], f"warning: the plots could not be drawn: {error}")
            return


def _interpret(run: Run, plan: Plan) -> list[str]:
    labels = plan.dataset.test.labels
    commonest = float(np.bincount(labels).max() / len(labels))
    return interpret(
        run.summary,
        run.rows,
        commonest=commonest,
        images=len(labels),
        epochs=run.config.epochs,
    )


def _log(runs: Sequence[Run], *texts: str) -> None:
    for run in runs:
        for text in texts:
            run.folder.say(text)
