"""Runs tasks on an executor, and passes on to the main thread what they report.

Each core trains its own stacks with BLAS on one thread: for 64 configurations that took half
the time of one stack whose products use both cores, because everything between the products
runs on both cores, too.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, Future, wait
from dataclasses import dataclass
from queue import SimpleQueue
from threading import Event as Flag
from typing import Any, Protocol, TypeVar

from mnistlab.datasets import Progress
from mnistlab.errors import check_interrupted

T = TypeVar("T")


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
