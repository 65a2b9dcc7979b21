"""The main path of a sweep: from a prepared one to a folder of runs, the best one named."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import threadpoolctl

from mnistlab.errors import ClusterError, advise, deferred, describe_error
from mnistlab.experiment import Reporter
from mnistlab.experiment.recorder import now
from mnistlab.plots.drawing import Painter
from mnistlab.run_folders.folder import SweepFolder
from mnistlab.run_folders.places import remove_unbegun
from mnistlab.run_folders.provenance import describe_environment, describe_other_blas
from mnistlab.sweeps import storage
from mnistlab.sweeps.cluster import Cluster
from mnistlab.sweeps.finish import SweepResult, finish_sweep
from mnistlab.sweeps.plan import PreparedSweep, Stack, last_epoch, prepare_sweep
from mnistlab.sweeps.stack_training import StorageError, Stretch, Work, end_runs, train_stack
from mnistlab.sweeps.sweep_schema import Metric
from mnistlab.sweeps.trial_results import (
    budgets,
    describe_parameters,
    pruned_at,
    read_rows,
    sentences,
)
from mnistlab.sweeps.trials import SweepDefinition
from mnistlab.sweeps.workers import (
    Event,
    RunEnded,
    StackEnded,
    StoppedError,
    SweepReporter,
    Workers,
    train_epochs,
)


def run_sweep(
    prepared: PreparedSweep,
    *,
    runs_dir: Path,
    reporter: SweepReporter,
    start_painter: Callable[[], Painter] | None = None,
    resumed: SweepFolder | None = None,
    needed: bool = False,
    fail_fast: bool = False,
    retry_failed: bool = False,
    resume_options: str = "",
    cluster: Cluster | None = None,
) -> SweepResult:
    """Train all runs of a sweep that are not done yet, and name the best trial.

    Stacks are trained by threads, one for each of the sweep's workers, or on the `cluster`.
    `needed` takes runs that are finished elsewhere in the runs folder from there, `fail_fast`
    ends the sweep with the first run that fails, `retry_failed` trains those again that have.
    `resume_options` are part of the command that continues an interrupted sweep.
    With `resumed` the sweep in that folder goes on. However this ends, what was reached is
    kept and can be resumed. Raises what cut it short.
    """
    started = time.perf_counter()
    if prepared.sweep.drawn is not None:
        import mnistlab.sweeps.tpe  # noqa: F401, PLC0415 - an extra, which may not be installed
    folder: SweepFolder | None = None
    with ExitStack() as cleanup:
        cleanup.callback(reporter.stop)
        cleanup.enter_context(threadpoolctl.threadpool_limits(1, "blas"))
        # of a cluster each worker has one stack to train and one that waits for it
        threads = prepared.workers if cluster is None else 2 * prepared.workers
        executor = cleanup.enter_context(ThreadPoolExecutor(threads))
        try:
            with deferred():
                folder = storage.open_folder(prepared, runs_dir, resumed, cleanup)
            # its imports beside the training: a sweep of 64 took 5 % less time, one of 4 12 % less
            painter = cleanup.enter_context(start_painter()) if start_painter else None
            environment = describe_environment()
            other_blas = describe_other_blas(folder.read_environment(), environment)
            take_from = runs_dir if needed else None
            if not storage.has_begun(folder):
                storage.begin(folder, prepared, environment, take_from)
            begun = prepared = storage.with_known_trials(folder, prepared)
            done = storage.finished_runs(folder, begun, retry_failed=retry_failed)
            about_resuming = [f"{folder.name} {other_blas}"] if other_blas else []
            about_cluster = [] if cluster is None else cluster.warnings
            for warning in [*prepared.warnings(), *about_resuming, *about_cluster]:
                reporter.warn(warning)
                folder.write_log(f"warning: {warning}")
            train = train_epochs if cluster is None else cluster.train_epochs
            work = Work(folder, prepared, environment, done, Workers(executor), train)
            training = _Training(work, reporter, fail_fast)
            reporter.start(*_what_is_left(prepared, folder, done))
            try:
                with suppress(StoppedError):  # a run failed, and that was to end it
                    for prepared, batch in _batches(begun, folder, done, reporter, take_from):
                        training.run(prepared, batch)
                with suppress(OSError):
                    folder.checkpoints.rmdir()
            except StorageError as error:
                raise error.cause from None
            reporter.stop()
            result = finish_sweep(prepared, folder, training.seconds, started)
            if painter is not None:
                result = replace(result, not_drawn=_paint(painter, result))
            _close(folder, result, started)
        except BaseException as error:
            reporter.stop()
            if folder is not None:
                with deferred():
                    _give_up(folder, error, resume_options, created=resumed is None)
            raise
    return result


def complete_sweep(
    sweep: SweepDefinition,
    *,
    runs_dir: Path,
    reporter: Reporter,
    sweep_reporter: Callable[[Metric], SweepReporter],
    start_painter: Callable[[], Painter],
) -> SweepFolder:
    """Return this sweep's folder from the runs folder, trained first where it is not complete.

    One that was interrupted goes on. Raises what cuts the training short.
    """
    if known := storage.find_sweep_of(sweep, runs_dir):
        return known
    begun = storage.find_sweep_of(sweep, runs_dir, status="interrupted")
    verb = "training" if begun is None else "going on with"
    seeds = f", {sweep.settings.seeds} seeds each" if sweep.settings.seeds > 1 else ""
    reporter.message(f"{verb} the sweep {sweep.base.name} ({len(sweep.trials)} trials{seeds})")
    return run_sweep(
        prepare_sweep(sweep, reporter),
        runs_dir=runs_dir,
        reporter=sweep_reporter(sweep.metric),
        start_painter=start_painter,
        resumed=begun,
    ).folder


def _batches(
    prepared: PreparedSweep,
    folder: SweepFolder,
    done: set[int],
    reporter: SweepReporter,
    take_from: Path | None = None,
) -> Iterator[tuple[PreparedSweep, SweepDefinition]]:
    """Yield the sweep with all trials that are known, and as a second one the batch to train.

    A search goes by what the folder has of the batches before, so each must be trained when the
    next one is asked for. Its trials are in the plan before they are yielded. Those of its runs
    that are finished in the runs folder `take_from` are taken over, and `done` gains them.
    """
    sweep, size = prepared.sweep, prepared.sweep.settings.batch
    if size is None:
        yield prepared, sweep
        return
    from mnistlab.sweeps.tpe import Study  # noqa: PLC0415 - an extra

    study = Study(folder, sweep)
    first = 0
    while True:
        batch = replace(sweep, trials=sweep.trials[first : first + size])
        yield prepared, batch
        study.tell(batch)
        first += size
        if first >= sweep.wanted:
            return
        if first >= len(sweep.trials):
            points = [trial.point for trial in sweep.trials]
            sweep = sweep.at([*points, *study.ask(sweep)])
            prepared = prepare_sweep(sweep, earlier=prepared)
            done |= storage.extend(folder, prepared, take_from)
            labels = _labels_of(sweep)
            reporter.extend({run: labels[run] for run in labels if run >= first * sweep.repeats})


def _labels_of(sweep: SweepDefinition) -> dict[int, str]:
    """Return what is special about each run, by its number."""
    labels = {}
    for trial in sweep.trials:
        for run, config in sweep.runs_of(trial).items():
            repeat: dict[str, Any] = {"seed": config.seed} if sweep.settings.seeds > 1 else {}
            if sweep.folds is not None:
                repeat = {"data.fold": config.data.fold}
            labels[run] = describe_parameters({**trial.parameters, **repeat})
    return labels


def _close(folder: SweepFolder, result: SweepResult, started: float) -> None:
    """Write what came of the sweep, its status last."""
    folder.write_log(*sentences(result.document))
    folder.write_log(f"{result.status} after {time.perf_counter() - started:.2f} s")
    folder.sync_runs()
    checksums = folder.compute_checksums()
    undrawn = {"not_drawn": result.not_drawn} if result.not_drawn else {}
    details = {"ended": now(), "error": result.document["error"], **undrawn}
    folder.write_status(result.status, checksums=checksums, **details)


def _what_is_left(
    prepared: PreparedSweep, folder: SweepFolder, done: set[int]
) -> tuple[list[str], dict[int, dict[str, Any]], dict[int, int]]:
    """Return each run's label, what is known of those that are done, the others' epochs."""
    sweep = prepared.sweep
    labels = list(_labels_of(sweep).values())
    to_come = range(len(labels), sweep.wanted * sweep.repeats)
    labels += [""] * len(to_come)
    rows = enumerate(read_rows(folder, sweep))
    known = {run: {**row, "epoch": row["epochs_run"]} for run, row in rows if run in done}
    epochs = {run: last_epoch(one) for run, one in prepared.configs.items() if run not in done}
    return labels, known, epochs | dict.fromkeys(to_come, last_epoch(sweep.base))


@dataclass
class _Training:
    """A sweep's training, one batch of trials after the other, and its workers' seconds."""

    work: Work
    reporter: SweepReporter
    fail_fast: bool
    seconds: dict[str, float] = field(
        default_factory=lambda: dict.fromkeys(("train", "evaluate", "write"), 0.0)
    )

    def run(self, prepared: PreparedSweep, batch: SweepDefinition) -> None:
        """Train a batch of trials; halving decides who goes on.

        Raises StoppedError where the sweep is to end.
        """
        work = replace(self.work, prepared=prepared)
        runs = {run for trial in batch.trials for run in batch.runs_of(trial)}
        planned = storage.planned_stacks(work.folder, prepared, work.done)
        stacks = [stack for stack in planned if runs.intersection(stack.runs)]
        ends = budgets(batch.halving, last_epoch(batch.base)) if batch.halving else []
        stretch = Stretch(until=ends[0] if ends else None)
        for following in [*ends[1:], None] if ends else []:
            stacks = self._train(stacks, work, stretch)
            until = stretch.until or 0
            pruned = pruned_at(until, stacks, work.folder, batch, work.done)
            for stack in stacks:
                end_runs(stack, work, pruned, until)
            stretch = Stretch(following, until, pruned)
        self._train(stacks, work, stretch)
        work.workers.check()  # all may have ended before they heard of it

    def _train(self, stacks: list[Stack], work: Work, stretch: Stretch) -> list[Stack]:
        tasks = [partial(train_stack, stack, work, stretch) for stack in stacks]
        return [stack for part in work.workers.run_all(tasks, self._listen) for stack in part]

    def _listen(self, event: Event) -> None:
        self.reporter.event(event)
        if isinstance(event, StackEnded):
            for kind, seconds in event.seconds.items():
                self.seconds[kind] += seconds / self.work.prepared.workers
        elif isinstance(event, RunEnded):
            if event.error:
                self.work.folder.write_log(f"run {event.number} {event.status}: {event.error}")
            if event.status == "failed" and self.fail_fast:
                self.work.workers.stop()


def _paint(painter: Painter, result: SweepResult) -> str | None:
    """Draw the sweep's plots and the winner's; return why not, as a sweep is whole without them."""
    try:
        for folder in (result.folder, *storage.best_run(result.folder)):
            painter.draw(folder.path)
    except RuntimeError as error:
        result.folder.write_log(f"warning: the plots could not be drawn: {error}")
        return str(error)
    return None


def _give_up(
    folder: SweepFolder, error: BaseException, resume_options: str, *, created: bool
) -> None:
    """Mark the sweep as interrupted or failed, and note on the error how to go on."""
    interrupted = isinstance(error, KeyboardInterrupt | ClusterError)
    message = describe_error(error)
    if created and not storage.has_begun(folder):
        remove_unbegun(folder)
        return
    with suppress(OSError):  # what went wrong first is what is reported
        folder.write_status("interrupted" if interrupted else "failed", ended=now(), error=message)
        folder.write_log(message)
    done = len(folder.runs())
    resume = f"mnistlab sweep --resume {folder.name}{resume_options}"
    runs = "run is" if done == 1 else "runs are"
    advise(error, f"{done} {runs} done; to go on: {resume}")
