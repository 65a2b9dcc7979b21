"""Trains one stack of a sweep: from its last checkpoint, if it has one, to its runs' folders."""

import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Set
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnistlab.core.trainer import Snapshot
from mnistlab.errors import ClusterError, DataError, RunFolderError, WorkersKilledError
from mnistlab.experiment.prepare import plan_on
from mnistlab.experiment.recorder import CheckpointTimer, RunRecorder, check_notes, now
from mnistlab.experiment.training import describe_epoch
from mnistlab.run_folders.folder import SweepFolder
from mnistlab.run_folders.provenance import MACHINE
from mnistlab.run_folders.safeguards import check_in_place, remove_in_place
from mnistlab.run_folders.weights import load_checkpoint, save_checkpoint
from mnistlab.sweeps.plan import PreparedSweep, Stack, last_epoch
from mnistlab.sweeps.workers import (
    EpochEnded,
    RunEnded,
    StackEnded,
    StoppedError,
    TrainedEpoch,
    TrainEpochs,
    Workers,
)

CHECKPOINT_SECONDS = 0.25
"""The least time from one checkpoint to the next; one of 64 columns takes 1 ms at first."""


@dataclass(frozen=True)
class Stretch:
    """A stretch of training: from the end of epoch `since`, without `pruned`, to that of `until`.

    Without halving there is one, from 0 to None, which is the end.
    """

    until: int | None = None
    since: int = 0
    pruned: frozenset[int] = frozenset()


class StorageError(Exception):
    """What a run or a checkpoint came to cannot be written: no fault of the training."""

    def __init__(self, cause: OSError) -> None:
        super().__init__(str(cause))
        self.cause = cause


@contextmanager
def _storing(seconds: dict[str, float]) -> Iterator[None]:
    """Count the block's time as that of writing, and tell its OSError from others."""
    began = time.perf_counter()
    try:
        yield
    except OSError as error:
        raise StorageError(error) from None
    finally:
        seconds["write"] += time.perf_counter() - began


@dataclass(frozen=True)
class Work:
    """What all stacks of a sweep share.

    `done` holds the runs whose folders are whole already, `workers` are told what happens. `train`
    trains a stack, in this process or elsewhere. `features` has a file of what the feature steps of
    a dataset have learned, which the runs on it share.
    """

    folder: SweepFolder
    prepared: PreparedSweep
    environment: Mapping[str, Any]
    done: set[int]
    workers: Workers
    train: TrainEpochs
    features: dict[int, Path] = field(default_factory=dict)
    lock: Lock = field(default_factory=Lock)


def train_stack(stack: Stack, work: Work, stretch: Stretch) -> list[Stack]:
    """Train a stack to the end of a stretch, and write the runs that end on the way.

    When anything but the disk fails, its halves are trained instead, down to the columns that
    fail alone: those are marked as failed. So is a whole stack that kills the processes that train
    it. Returns the stacks that were trained in the end.
    """
    if work.done.issuperset(stack.runs):
        remove_in_place(work.folder.checkpoint_of(stack.name))
        return [stack]
    training = _StackTraining(stack, work)
    try:
        training.run(stretch)
    except (StoppedError, StorageError, RunFolderError, DataError, ClusterError):
        raise
    except WorkersKilledError as error:  # its halves might kill as many again, each
        remove_in_place(work.folder.checkpoint_of(stack.name))
        training.fail(error)
    except (Exception, SystemExit) as error:  # a plugin may call exit()
        remove_in_place(work.folder.checkpoint_of(stack.name))
        if len(stack.columns) > 1:
            return [part for half in stack.split() for part in train_stack(half, work, stretch)]
        training.fail(error)
    finally:
        work.workers.report(StackEnded(training.seconds))
    return [stack]


def end_runs(stack: Stack, work: Work, runs: frozenset[int], epoch: int) -> None:
    """End some runs with what their stack's checkpoint of this epoch holds of them."""
    ending = runs.intersection(stack.runs) - work.done
    if ending:
        _StackTraining(stack, work).end_at(ending, epoch)


@dataclass
class _StackTraining:
    """The state of one stack's training, its columns' rows and the seconds it took."""

    stack: Stack
    work: Work
    started: str = field(default_factory=now)
    seconds: dict[str, float] = field(
        default_factory=lambda: dict.fromkeys(("train", "evaluate", "write"), 0.0)
    )

    def __post_init__(self) -> None:
        columns = self.stack.columns
        self._data = self.work.prepared.data_of(columns[0].config)
        configs = [column.config for column in columns]
        self._plan = plan_on(self._data, configs, without_dark_pixels=self.stack.is_compact)
        self._machine: Mapping[str, Any] = {}
        self._lasts = {run: last_epoch(self.work.prepared.configs[run]) for run in self.stack.runs}
        self._logs = [
            RunRecorder(column.config, self.work.folder.run(column.runs[-1])) for column in columns
        ]
        self._checkpoints = CheckpointTimer()

    def run(self, stretch: Stretch) -> None:
        """Train from the last checkpoint, if there is one, to the end of the stretch."""
        start = self._load()
        if start is not None:
            if stretch.until is not None and start.epoch >= stretch.until:
                return
            if start.epoch == stretch.since and stretch.pruned:  # that halving ended here
                left = [self.stack.columns[column] for column in start.columns]
                start = start.keep(np.array([c.runs[-1] not in stretch.pruned for c in left], bool))
        ends = [[self._lasts[run] for run in column.runs] for column in self.stack.columns]
        epoch: TrainedEpoch | None = None
        try:
            train, until = self.work.train, stretch.until
            for epoch in train(self.stack, self._plan, ends, start, until, self.work.workers.check):
                self._note(epoch)
                at_end = epoch.record.epoch == until
                if at_end or self._checkpoints.is_due(CHECKPOINT_SECONDS):
                    self._save(epoch)
                if at_end and epoch.staying.any():
                    return
        except StoppedError:
            if epoch is not None:
                self._save(epoch)
            raise
        with _storing(self.seconds):
            self.work.folder.sync_runs()
            remove_in_place(self._path)

    def end_at(self, runs: Set[int], epoch: int) -> None:
        """End some runs with what the checkpoint holds of them."""
        snapshot = self._load()
        if snapshot is None or snapshot.epoch < epoch:
            raise RunFolderError(f"{self._path}: is not the checkpoint of epoch {epoch}")
        if snapshot.epoch > epoch:  # an earlier decision let them go on
            return
        reason = f"halving, after epoch {epoch}"
        for position, column in enumerate(snapshot.columns.tolist()):
            parameters = self._plan.with_all_pixels(snapshot.parameters[:, position, :])
            keep = partial(_complete, parameters=parameters, stopped=reason)
            for run in runs & set(self.stack.columns[column].runs):
                self._end(run, column, keep, {"stop_after": epoch})

    def fail(self, error: BaseException) -> None:
        """Mark all runs of the stack that are not done as failed."""
        for column, member in enumerate(self.stack.columns):
            for run in member.runs:
                self._end(run, column, partial(RunRecorder.fail, error=error))

    @property
    def _path(self) -> Path:
        return self.work.folder.checkpoint_of(self.stack.name)

    def _note(self, epoch: TrainedEpoch) -> None:
        """Keep an epoch's rows, and write the runs that end with it."""
        record = epoch.record
        self._data.watched.check()
        self._machine = epoch.machine
        self.seconds["train"] += record.train_seconds
        self.seconds["evaluate"] += record.evaluate_seconds
        rows: dict[int, Mapping[str, Any]] = {}
        for position, column in enumerate(record.columns.tolist()):
            row = self._logs[column].add_epoch(record, position)
            runs = self.stack.columns[column].runs
            rows |= {run: row for run in runs if self._lasts[run] >= record.epoch}
        self.work.workers.report(EpochEnded(rows))
        for position, column in enumerate(record.columns.tolist()):
            self._end_column(epoch, position, column)

    def _end_column(self, epoch: TrainedEpoch, position: int, column: int) -> None:
        """Write the runs of a column that end with this epoch."""
        record, runs = epoch.record, self.stack.columns[column].runs
        ending = [run for run in runs if self._lasts[run] == record.epoch]
        if record.diverged[position] or record.finished[position]:  # the longer ones would, too
            ending += [run for run in runs if self._lasts[run] > record.epoch]
        if record.diverged[position]:
            keep = partial(
                RunRecorder.save_divergence,
                losses=epoch.losses[position],
                steps_per_epoch=self._plan.steps_per_epoch,
            )
        elif ending:
            keep = partial(_complete, parameters=epoch.parameters[position])
        for run in ending:
            self._end(run, column, keep)

    def _end(
        self,
        number: int,
        column: int,
        keep: Callable[[RunRecorder], None],
        changes: Mapping[str, Any] | None = None,
    ) -> None:
        """Write a run's whole folder, its status last; `changes` are those of its config."""
        if number in self.work.done:
            return
        log = self._logs[column]
        run = replace(
            log,
            config=self.work.prepared.configs[number].model_copy(update=changes),
            folder=self.work.folder.run(number),
            rows=list(log.rows),
            seconds={**log.seconds, "total": log.seconds["train"] + log.seconds["evaluate"]},
        )
        width, shared = len(self.stack.columns), self.work.features
        with _storing(self.seconds):
            place = run.folder.path
            check_in_place(place)
            if place.is_dir() and not place.is_symlink():  # half written by a killed process
                shutil.rmtree(place)
            place.unlink(missing_ok=True)
            place.mkdir(parents=True)
            run.begin(self.started)
            environment = {**self.work.environment, **self._machine, "stack_width": width}
            run.record_origin(environment, self._data.sha256)
            with self.work.lock:
                run.record_features(self._data.fitted_steps, like=shared.get(id(self._data)))
                shared.setdefault(id(self._data), run.folder.features)
            run.folder.write_metrics(run.rows)
            keep(run)
            run.write_summary()
            run.folder.write_log(
                f"trained as one of {width} in a stack of {self.work.folder.name}",
                *(describe_epoch(row, run.config.epochs) for row in run.rows),
                *([run.error] if run.error else []),
            )
            run.close()
        self.work.done.add(number)
        self.work.workers.report(RunEnded(number, run.status, run.error))

    def _save(self, epoch: TrainedEpoch) -> None:
        """Write a checkpoint of the columns that go on, if any do and the epoch's end is known."""
        if epoch.snapshot is None or not epoch.staying.any():
            return
        snapshot = epoch.snapshot.keep(epoch.staying)
        machine = {"machine": self._machine} if self._machine else {}
        notes = [{"rows": log.rows, "seconds": log.seconds, **machine} for log in self._logs]
        with _storing(self.seconds), self._checkpoints.saving():
            self.work.folder.sync_runs()  # what has left the stack is in its folder alone
            self._path.parent.mkdir(exist_ok=True)
            save_checkpoint(self._path, snapshot, notes)

    def _load(self) -> Snapshot | None:
        """Return the checkpoint, None where there is none that can be read."""
        if not self._path.exists():
            return None
        try:
            snapshot, notes = load_checkpoint(self._path, self._check)
        except RunFolderError as error:
            self.work.folder.write_log(f"{error}; its stack is trained again from the beginning")
            return None
        for log, kept in zip(self._logs, notes, strict=True):
            log.rows, log.seconds = kept["rows"], kept["seconds"]
            self._machine = kept.get("machine", {})
        return snapshot

    def _check(self, snapshot: Snapshot, notes: Any) -> None:
        """Raise ValueError, TypeError or KeyError for a checkpoint that is of no use.

        Every run that is not done must be in it, and not be over yet.
        """
        self._plan.trainer().restore(snapshot)
        left = set(snapshot.columns.tolist())
        for column, (member, note) in enumerate(zip(self.stack.columns, notes, strict=True)):
            check_notes(note, snapshot.epoch if column in left else len(note["rows"]))
            if not dict(note.get("machine", {})).keys() <= set(MACHINE):
                raise ValueError("its machine is none")
            missing = [run for run in member.runs if run not in self.work.done]
            if any(column not in left or self._lasts[run] <= snapshot.epoch for run in missing):
                raise ValueError(f"run {missing[0]} is neither done nor in it")


def _complete(
    run: RunRecorder, parameters: NDArray[np.floating], stopped: str | None = None
) -> None:
    run.save_result(parameters, test=None)
    run.stopped = stopped
