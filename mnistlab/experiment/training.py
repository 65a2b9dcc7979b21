"""Trains one config into a run folder, from its beginning or from where it was cut short."""

import math
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import threadpoolctl

from mnistlab.config.schema import Config
from mnistlab.core.metrics import evaluate
from mnistlab.core.optimizers import Exact
from mnistlab.core.samples import available_cores
from mnistlab.core.trainer import EpochRecord, Trainer
from mnistlab.datasets import Dataset, Progress
from mnistlab.errors import DataError, advise, check_interrupted, deferred
from mnistlab.experiment.prepare import Plan, objective_of
from mnistlab.experiment.recorder import RunRecorder
from mnistlab.plots.drawing import Painter
from mnistlab.run_folders import RunFolder
from mnistlab.run_folders.files import to_json
from mnistlab.run_folders.provenance import (
    check_same_data,
    check_undamaged,
    describe_environment,
    describe_other_blas,
    replace_files,
    uncommitted_changes,
)
from mnistlab.run_folders.weights import load_weights, predictions_as_bytes
from mnistlab.statistics import interpret

if TYPE_CHECKING:
    from mnistlab.experiment.resume import Resumption

_FEW = 1000
"""Images that tell the loss of the weights to start from."""

_WORTH_A_PROCESS = 500_000
"""Images to evaluate from which on a second process saves time. On 2 cores, without plots, it made
10 epochs of MNIST 1.08 times faster and 50 epochs 1.3 times; 10 of mnist-mini got slower by 6 %."""

_WHILE_IT_DRAWS = 1_000_000
"""How many more beside a process that draws, which needs a core for its imports: 10 epochs of MNIST
took the same time and 15 MB more memory, 50 epochs were 1.2 times faster."""


class Reporter(Progress, Protocol):
    """What shows the progress of downloads and of training."""

    def warn(self, text: str) -> None:
        """Show a warning."""

    def start(self, epochs: int) -> None:
        """Training begins and takes at most so many epochs."""

    def epoch(self, row: Mapping[str, Any], epochs: int) -> None:
        """An epoch is over; `row` is its row of metrics.csv."""

    def stop(self) -> None:
        """Training is over, however it ended; may be called twice."""


def train_run(
    plan: Plan,
    *,
    runs_dir: Path,
    reporter: Reporter,
    painter: Painter | None = None,
    resumption: "Resumption | None" = None,
    resume_options: str | None = "",
    may_fork: bool = False,
) -> RunRecorder:
    """Train a plan's only config and return its run, which has a folder of its own.

    With a `resumption` the run goes on in the folder that it has. With a `painter` it gets its
    plots. A run that is cut short is saved as far as it got. Raises what cut it short, with the
    command to go on as its note; `resume_options` are part of that, None of a run that nobody
    will go on with. `may_fork` says that this process has nothing that a copy of it could disturb.
    """
    started = time.perf_counter()
    trainer = plan.trainer(check_interrupted)
    (config,) = plan.configs
    with ExitStack() as cleanup:
        cleanup.callback(reporter.stop)
        if not isinstance(plan.settings.optimizer, Exact):
            # for one configuration a second thread only waits for the first
            cleanup.enter_context(threadpoolctl.threadpool_limits(1, "blas"))
        if may_fork and _gains_by_a_process(plan, draws=painter is not None):
            with suppress(OSError):  # it is only slower without
                cleanup.enter_context(trainer.evaluator.beside(trainer.parameters))
        environment = describe_environment() | {"stack_width": 1}
        origin = environment, plan.dataset.sha256, uncommitted_changes(environment)
        about_resuming = _warnings_of(resumption, environment)
        with deferred():
            run = (
                resumption.open(cleanup, *origin)
                if resumption
                else RunRecorder.open(config, runs_dir, cleanup)
            )
            run.clock = started
            cleanup.enter_context(_saved_if_cut_short(run, trainer, reporter, resume_options))
        if painter is not None:
            painter.load(run.folder.path)
        if resumption is None:
            run.record_origin(*origin)
        if resumption is None or resumption.snapshot is None:
            run.record_features(plan.dataset.fitted_steps)
        run.warnings = plan.warnings()
        for warning in [*run.warnings, *about_resuming]:
            reporter.warn(warning)
            run.folder.write_log(f"warning: {warning}")
        few = plan.dataset.train.take(slice(_FEW))
        before = evaluate(trainer.parameters, plan.settings.objective, few).metrics
        if resumption is not None and resumption.snapshot is not None:
            trainer.restore(resumption.snapshot)

        reporter.start(config.epochs)
        with deferred():  # a signal is heard between two steps
            for record in trainer.epochs():
                plan.dataset.watched.check()
                row = run.add_epoch(record, 0)
                run.folder.add_metrics(row)
                reporter.epoch(row, config.epochs)
                run.folder.write_log(describe_epoch(row, config.epochs))
                _save_results(record, run, plan, trainer)
        reporter.stop()

        run.stop_clock()
        run.folder.write_metrics(run.rows)  # what the status vouches for is none but our own rows
        run.write_summary()
        if painter is not None:
            run.not_drawn = _paint(painter, run)
        run.meaning = _interpret(run, plan, float(before.loss[0]))
        lines = [*run.meaning, *([run.error] if run.error else [])]
        plan.dataset.watched.check()
        run.folder.write_log(*lines, f"{run.status} after {run.seconds['total']:.2f} s")
        run.close()
    return run


def _gains_by_a_process(plan: Plan, *, draws: bool) -> bool:
    """Return whether the run takes less time if a second process evaluates it.

    A small one does not, a large set of data would be read from disk twice at once, and a copy of
    a process lacks its threads.
    """
    data, (config,) = plan.dataset, plan.configs
    images = len(data.train) + (0 if data.validation is None else len(data.validation))
    evaluations = (config.stop_after or config.epochs) // config.evaluate_every
    return (
        sys.platform == "linux"
        and available_cores() > 1
        and threading.active_count() == 1
        and not isinstance(plan.settings.optimizer, Exact)
        and not data.train.is_large
        and images * evaluations >= _WORTH_A_PROCESS + draws * _WHILE_IT_DRAWS
    )


def _warnings_of(resumption: "Resumption | None", environment: Mapping[str, Any]) -> list[str]:
    """Return what a run that goes on must be warned of."""
    if resumption is None:
        return []
    folder, found = resumption.folder, [resumption.warning]
    if resumption.snapshot is not None:
        other = describe_other_blas(folder.read_environment(), environment)
        found.append(other and f"{folder.name} {other}")
    return [warning for warning in found if warning]


@contextmanager
def _saved_if_cut_short(
    run: RunRecorder, trainer: Trainer, reporter: Reporter, resume_options: str | None
) -> Iterator[None]:
    """Save what was reached if the block raises; what went wrong first is what is reported."""
    try:
        yield
    except BaseException as error:
        with deferred():
            if not run.is_ended:
                with suppress(OSError):
                    if not isinstance(error, DataError):  # the epoch may be one on other data
                        run.save_progress(trainer.snapshot)
                with suppress(OSError):
                    run.abandon(error)
                    if resume_options is not None:  # else the folder is removed
                        reporter.message(f"what was reached is kept in {run.folder.path}")
            if resume_options is not None:
                resume = f"mnistlab train --resume {run.folder.name}{resume_options}"
                advise(error, f"to go on: {resume}")
        raise


def _save_results(record: EpochRecord, run: RunRecorder, plan: Plan, trainer: Trainer) -> None:
    """Save the results of a run that ends with this epoch, or now and then a checkpoint."""
    if record.diverged[0]:
        run.save_divergence(trainer.trace_last_epoch(0), plan.steps_per_epoch)
    elif record.finished[0]:
        parameters = trainer.snapshot.parameters
        test = evaluate(parameters, plan.settings.objective, plan.dataset.test)
        run.save_result(parameters[:, 0, :], test)
    elif record.epoch % run.config.checkpoint_every == 0 and run.checkpoints.is_due():
        run.save_progress(trainer.snapshot)


def _paint(painter: Painter, run: RunRecorder) -> str | None:
    """Draw the run's plots; return why that failed, as the run is complete without them."""
    try:
        painter.draw(run.folder.path)
    except RuntimeError as error:
        run.folder.write_log(f"warning: the plots could not be drawn: {error}")
        return str(error)
    return None


def _interpret(run: RunRecorder, plan: Plan, start_loss: float) -> list[str]:
    labels = plan.dataset.test.labels
    sentences = interpret(
        run.summary,
        run.rows,
        commonest=float(np.bincount(labels).max() / len(labels)),
        images=len(labels),
        epochs=run.config.epochs,
        stop_after=run.config.stop_after,
        start_loss=start_loss,
    )
    if isinstance(plan.settings.optimizer, Exact) and run.status == "completed":
        sentences.append(
            "These weights minimise the training loss and its penalty exactly: they solve the "
            "normal equations."
        )
    return sentences


def describe_epoch(row: Mapping[str, Any], epochs: int, *, short: bool = False) -> str:
    """Return an epoch's numbers as one line of text, `short` in 50 letters or so."""
    splits = [split for split in ("train", "validation") if f"{split}_loss" in row]
    if short:
        parts = [f"{row['epoch']}/{epochs}"]
        for split in splits:
            loss, accuracy = row[f"{split}_loss"], row[f"{split}_accuracy"]
            parts.append(f"{split.removesuffix('idation')} {loss:.4f} {accuracy:.1%}")
        return "  ".join(parts)
    parts = [f"epoch {row['epoch']:{len(str(epochs))}}/{epochs}"]
    for split in splits:
        label = "training" if split == "train" else split
        loss, accuracy = row[f"{split}_loss"], row[f"{split}_accuracy"]
        if math.isfinite(loss):
            parts.append(f"{label} loss {loss:.4f}, accuracy {accuracy:.2%}")
        else:
            parts.append(f"{label} loss overflowed")
    return "  ".join(parts)


def evaluate_test(folder: RunFolder, config: Config, data: Dataset) -> dict[str, float]:
    """Evaluate the test split for a completed run of a sweep; return its loss and accuracy.

    Predictions, loss and accuracy are added to the run's folder. Raises RunFolderError for a run
    that is damaged, that was made on other data, or that another process works on.
    """
    check_undamaged(folder)
    check_same_data(folder, config.data.dataset, data.sha256)
    parameters = load_weights(folder.model)[:, None, :]
    test = evaluate(parameters, objective_of(config), data.test)
    data.watched.check()
    metrics = test.metrics
    numbers = {"loss": float(metrics.loss[0]), "accuracy": float(metrics.accuracy[0])}
    summary = to_json({**folder.read_summary(), "test": numbers}) + "\n"
    contents = {
        folder.predictions: predictions_as_bytes(test.predictions[:, 0]),
        folder.summary: summary.encode(),
    }
    replace_files(folder, contents)
    return numbers
