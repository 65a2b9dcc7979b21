"""The workers of a sweep: threads here, and the processes of a Dask cluster that train for them.

Each thread trains its own stacks with BLAS on one core: for 64 configurations that took half the
time of one stack whose products use both cores, because everything between the products runs on
both cores, too. A task of a process and its answer are plain data: names, mappings, arrays.

Shapes: D features, C classes; the parameters of one configuration are (D+1, C).
"""

import hashlib
import platform
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, wait
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from pathlib import Path
from queue import SimpleQueue
from threading import Event as Flag
from threading import Lock
from typing import Any, Protocol, TypeVar

import numpy as np
import threadpoolctl
from numpy.typing import NDArray

import mnistlab
from mnistlab.config.load import load_config
from mnistlab.config.schema import Config
from mnistlab.core.metrics import Metrics
from mnistlab.core.trainer import EpochRecord, Snapshot
from mnistlab.datasets import Dataset, FittedStep, Progress
from mnistlab.datasets.reading import find_data, keep_received
from mnistlab.errors import DataError, MnistlabError, check_interrupted, describe_error
from mnistlab.experiment.prepare import Plan, open_data, plan_on
from mnistlab.plugins import load_plugins
from mnistlab.run_folders.provenance import describe_machine
from mnistlab.sweeps.plan import Column, Stack

T = TypeVar("T")
Array = NDArray[np.floating]


@dataclass(frozen=True)
class EpochEnded:
    """A stack has trained and evaluated another epoch; `rows` has one row a run."""

    rows: Mapping[int, Mapping[str, Any]]


@dataclass(frozen=True)
class RunEnded:
    """A run's folder is complete; `error` says why it diverged or failed, if it did."""

    number: int
    status: str
    error: str | None


@dataclass(frozen=True)
class StackEnded:
    """A worker is done with a stack; `seconds` are its own by kind: train, evaluate, write."""

    seconds: Mapping[str, float]


Event = EpochEnded | RunEnded | StackEnded


class StoppedError(Exception):
    """The sweep is asked to end: not a fault of the stack that raises this."""


class SweepReporter(Progress, Protocol):
    """What shows the progress of downloads and of a sweep."""

    def warn(self, text: str) -> None:
        """Show a warning."""

    def start(
        self,
        labels: Sequence[str],
        done: Mapping[int, Mapping[str, Any]],
        epochs: Mapping[int, int],
    ) -> None:
        """Training begins.

        `labels` says of each run what is special about it, `done` has the status and the last
        metrics of those that are finished already, `epochs` how many epochs each of the others
        takes at most. The labels of runs that are still to be asked for are empty.
        """

    def extend(self, labels: Mapping[int, str]) -> None:
        """More runs have been asked for: these have the labels given, by their numbers."""

    def event(self, event: Event) -> None:
        """Something has happened."""

    def stop(self) -> None:
        """Training is over, however it ended; may be called twice."""


class Workers:
    """Tasks on an executor: they call `report` and `check`, the main thread calls `run_all`."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self._events: SimpleQueue[Event | Future[Any]] = SimpleQueue()
        self._stopped = Flag()

    def report(self, event: Event) -> None:
        """Pass an event on to the main thread."""
        self._events.put(event)

    def check(self) -> None:
        """Raise StoppedError once the workers are to stop."""
        if self._stopped.is_set():
            raise StoppedError

    def stop(self) -> None:
        """Ask all workers to end at their next step."""
        self._stopped.set()

    def run_all(
        self,
        tasks: Sequence[Callable[[], T]],
        listen: Callable[[Event], None] | None = None,
    ) -> list[T]:
        """Do all tasks and return their results in the same order.

        `listen` gets every event, in this thread. The first error of a task stops the others
        and is raised, StoppedError if they were only asked to stop.
        """
        futures = [self._executor.submit(self._run, task) for task in tasks]
        for future in futures:
            future.add_done_callback(self._events.put)
        left = len(futures)
        try:
            while left:
                event = self._events.get()
                check_interrupted()
                if isinstance(event, Future):
                    left -= 1
                elif listen is not None:
                    listen(event)
        except BaseException:
            self.stop()
            wait(futures)  # what they have reached is still to be saved
            raise
        errors = [error for future in futures if (error := future.exception())]
        if errors:
            raise next((one for one in errors if not isinstance(one, StoppedError)), errors[0])
        return [future.result() for future in futures]

    def _run(self, task: Callable[[], T]) -> T:
        self.check()
        try:
            return task()
        except BaseException:
            self.stop()
            raise


@dataclass(frozen=True)
class TrainedEpoch:
    """An epoch of a stack, with all that is to be kept of the runs that end with it.

    `parameters` has the weights (D+1, C), and `losses` the batch losses before each step of an
    epoch that diverged; both by the column's position in the record. `snapshot` is the end of
    the epoch with all columns of the record, None where it has not been kept. `machine` has what
    a run's environment says of the machine that trained it, if that is another one.
    """

    record: EpochRecord
    parameters: Mapping[int, Array]
    losses: Mapping[int, NDArray[np.float64]]
    snapshot: Snapshot | None
    machine: Mapping[str, Any] = field(default_factory=dict)

    @property
    def staying(self) -> NDArray[np.bool_]:
        """Which of the record's columns go on after this epoch."""
        return ~(self.record.diverged | self.record.finished)


TrainEpochs = Callable[
    [Stack, Plan, Sequence[Sequence[int]], Snapshot | None, int | None, Callable[[], None]],
    Iterator[TrainedEpoch],
]
"""What trains a stack as `train_epochs` does, here or elsewhere."""


def train_epochs(
    stack: Stack,  # noqa: ARG001 - its name matters only where it is trained elsewhere
    plan: Plan,
    ends: Sequence[Sequence[int]],
    start: Snapshot | None,
    until: int | None,
    check: Callable[[], None],
) -> Iterator[TrainedEpoch]:
    """Yield the epochs of a stack after `start`, or all, the last one being `until`.

    `ends` has the epochs in which the runs of each column end. What `check` raises, which is
    called often, ends the training early.
    """
    trainer = plan.trainer(check)
    if start is not None:
        trainer.restore(start)
    for record in trainer.epochs():
        parameters, losses = {}, {}
        for position, column in enumerate(record.columns.tolist()):
            if record.diverged[position]:
                losses[position] = trainer.trace_last_epoch(column)
            elif record.finished[position] or record.epoch in ends[column]:
                one = trainer.parameters[:, position, :]
                parameters[position] = plan.with_all_pixels(one)
        yield TrainedEpoch(record, parameters, losses, trainer.snapshot)
        if record.epoch == until:
            return


# Processes of a Dask cluster

MOST_KILLED = 3
"""How many workers in a row a stack may kill."""

_MOST_DATASETS = 8
"""Datasets that a process keeps open; each fold of a sweep is one."""

Plain = Mapping[str, Any]

_one_at_a_time = Lock()
_opened: dict[tuple[str, str], Dataset] = {}


def from_plain(plain: Mapping[str, Any], machine: Mapping[str, Any]) -> TrainedEpoch:
    """Return the epoch that `asdict` took apart, trained by this machine."""
    record = dict(plain["record"])
    for split in ("train", "validation"):
        record[split] = record[split] and Metrics(**record[split])
    snapshot = plain["snapshot"] and Snapshot(**plain["snapshot"])
    made = {"record": EpochRecord(**record), "snapshot": snapshot, "machine": machine}
    return TrainedEpoch(**{**plain, **made})


def dask_setup(worker: Any) -> None:  # noqa: ARG001 - Dask's own form
    """Leave Ctrl-C to the process that has started this one; Dask calls it in workers of that."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def hand_over(shared: Plain) -> Plain:
    """Return what it is given, which Dask then takes to each worker that needs it, once."""
    return shared


def greet(plugins: Sequence[tuple[str, str]], dask_worker: Any) -> dict[str, Any]:
    """Return this worker's machine, and why a plugin cannot be loaded, if so."""
    answer: dict[str, Any] = {"machine": _machine(), "error": None}
    try:
        _load_plugins(plugins, dask_worker)
    except MnistlabError as error:
        answer["error"] = describe_error(error)
    return answer


def train_part(task: Plain, shared: Plain) -> dict[str, Any]:
    """Train a stack from a snapshot on, for some seconds or to its end.

    `task` has mnistlab's version, the names of sweep and stack, the configs, the epochs in which
    the runs of each column end, the snapshot, and the seconds. `shared` has what all stacks on the
    same data need. The answer has the epochs, the machine, and whether the stack `is_over`; `error`
    says why it failed, `data_error` what is wrong with the data. A worker that cannot do it answers
    instead with its `version`, the number of workers `killed`, or that the data are `missing`.
    """
    from distributed import get_worker  # noqa: PLC0415 - an extra
    from distributed.utils import sync  # noqa: PLC0415

    worker = get_worker()
    if task["version"] != mnistlab.__version__:
        return {"version": mnistlab.__version__}
    # The scheduler keeps how often a stack was begun and not ended: so many workers died of it.
    # A number of its own also counts stacks that only waited on a worker when that one died.
    key: Any = {"keys": ["mnistlab", task["token"], task["stack"]]}
    killed = sync(worker.loop, worker.scheduler.get_metadata, **key, default=0)
    sync(worker.loop, worker.scheduler.set_metadata, **key, value=killed + 1)
    if killed >= MOST_KILLED:
        return {"killed": killed}
    answer: dict[str, Any] = {"epochs": [], "is_over": True}
    try:
        answer["machine"] = _machine()
        _load_plugins(shared["plugins"], worker)
        data = _open(task, shared)
        if data is None:
            answer = {"missing": True}
        else:
            _train(task, data, answer, _cancellation(worker, worker.get_current_task()))
    except StoppedError:
        pass  # nobody waits for the answer
    except DataError as error:
        answer["data_error"] = f"{platform.node()}: {describe_error(error)}"
    except (Exception, SystemExit) as error:  # a plugin may call exit()
        answer["error"] = describe_error(error)
    sync(worker.loop, worker.scheduler.set_metadata, **key, value=0)
    return answer


def _train(task: Plain, data: Dataset, answer: dict[str, Any], check: Callable[[], None]) -> None:
    """Add the epochs of a part to the answer."""
    configs = [_config(one, data.name) for one in task["configs"]]
    stack = Stack(task["stack"], tuple(Column((), config) for config in configs))
    plan = plan_on(data, configs, without_dark_pixels=task["is_compact"])
    end = time.monotonic() + task["seconds"]
    start = None if task["start"] is None else Snapshot(**task["start"])
    for epoch in train_epochs(stack, plan, task["ends"], start, task["until"], check):
        data.watched.check()
        is_last = epoch.record.epoch == task["until"]
        is_late = time.monotonic() > end and bool(epoch.staying.any())
        snapshot = epoch.snapshot if is_late or is_last else None
        answer["epochs"].append(asdict(replace(epoch, snapshot=snapshot)))
        if is_late and not is_last:
            answer["is_over"] = False
            return


def _cancellation(worker: Any, key: Any) -> Callable[[], None]:
    """Return what raises StoppedError once nobody wants this task's result any more."""
    tasks = worker.state.tasks

    def check() -> None:
        known = tasks.get(key)
        if known is None or known.state == "cancelled":
            raise StoppedError

    return check


@cache
def _machine() -> dict[str, Any]:
    """Return what the environment of a run says of the machine that trained it.

    From here on this process' linear algebra has one thread, as that of a local sweep has: other
    numbers of threads may give other bits.
    """
    threadpoolctl.threadpool_limits(1, "blas")
    return describe_machine()


def _load_plugins(plugins: Sequence[tuple[str, str]], worker: Any) -> None:
    """Run the plugins that came along, each once; they lie in the worker's own folder."""
    with _one_at_a_time:
        paths = []
        for name, text in plugins:
            sha256 = hashlib.sha256(text.encode()).hexdigest()
            path = Path(worker.local_directory) / "mnistlab-plugins" / sha256[:16] / name
            if not path.exists():
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
            paths.append(path)
        load_plugins(paths)


def _open(task: Plain, shared: Plain) -> Dataset | None:
    """Return the data of a stack, from this process, its cache or what came along."""
    with _one_at_a_time:
        key = (task["token"], shared["key"])
        if key not in _opened:
            place = find_data(shared["dataset"], shared["sha256"])
            if place is None and shared["arrays"] is None:
                return None
            place = place or keep_received(shared["arrays"], shared["sha256"])
            fitted = [FittedStep(*step) for step in shared["fitted"]]
            data = open_data(_config(task["configs"][0], place), fitted=fitted or None)
            while len(_opened) >= _MOST_DATASETS:
                del _opened[next(iter(_opened))]
            _opened[key] = replace(data, classes=tuple(shared["classes"]))
        return _opened[key]


def _config(plain: Plain, place: str) -> Config:
    """Return a config whose data are in another place."""
    return load_config({**plain, "data": {**plain["data"], "dataset": place}})
