"""Lets a few threads work through tasks while the main thread listens and can be interrupted.

Each core trains its own stacks with BLAS on one thread: for 64 configurations that took half
the time of one stack whose products use both cores, because everything between the products
runs on both cores, too.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Event as Flag
from threading import Thread
from typing import TypeVar

from mnistlab import interrupts
from mnistlab.sweep.events import Event
from mnistlab.sweep.training import StoppedError

T = TypeVar("T")


@dataclass(frozen=True)
class _Gone:
    """A worker has left, because of an error if there is one."""

    error: BaseException | None


class Crew:
    """So many worker threads; `tell` and `before_step` are for their use."""

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self._events: SimpleQueue[Event | _Gone] = SimpleQueue()
        self._stopped = Flag()

    def tell(self, event: Event) -> None:
        """Pass an event on to the main thread."""
        self._events.put(event)

    def before_step(self) -> None:
        """Raise StoppedError once the crew is to stop."""
        if self._stopped.is_set():
            raise StoppedError

    def stop(self) -> None:
        """Ask all workers to leave at their next step."""
        self._stopped.set()

    def work_through(
        self, tasks: Sequence[Callable[[], T]], listen: Callable[[Event], None]
    ) -> list[T]:
        """Do all tasks and return their answers in the same order.

        `listen` gets every event, in this thread. The first error of a worker stops the others
        and is raised, StoppedError if they were only asked to stop.
        """
        answers: dict[int, T] = {}
        waiting: SimpleQueue[int] = SimpleQueue()
        for index in range(len(tasks)):
            waiting.put(index)

        def labour() -> None:
            try:
                while True:
                    self.before_step()
                    index = waiting.get_nowait()
                    answers[index] = tasks[index]()
            except Empty:
                self._events.put(_Gone(None))
            except BaseException as error:
                self._stopped.set()
                self._events.put(_Gone(error))

        count = min(self.workers, len(tasks))
        for _ in range(count):
            # a second Ctrl-C must not wait for them
            Thread(target=labour, daemon=True).start()
        errors = self._listen(count, listen)
        if errors:
            raise next((one for one in errors if not isinstance(one, StoppedError)), errors[0])
        return [answers[index] for index in range(len(tasks))]

    def _listen(self, count: int, listen: Callable[[Event], None]) -> list[BaseException]:
        """Return the errors of `count` workers once they have all left."""
        errors: list[BaseException] = []
        left = count
        try:
            while left:
                event = self._events.get()
                interrupts.check()
                if isinstance(event, _Gone):
                    left -= 1
                    errors += [event.error] if event.error else []
                else:
                    listen(event)
        except BaseException:
            self.stop()
            while left:  # what they have reached is still to be saved
                left -= isinstance(self._events.get(), _Gone)
            raise
        return errors


def available_cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
