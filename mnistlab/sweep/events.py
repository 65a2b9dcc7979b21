"""What the workers of a sweep tell the thread that waits for them, and it tells the console."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from mnistlab.datasets import Progress


@dataclass(frozen=True)
class EpochEnded:
    """A stack has trained and evaluated another epoch; `rows` has one row a run."""

    rows: Mapping[int, Mapping[str, Any]]


@dataclass(frozen=True)
class RunEnded:
    """A run's folder is whole; `error` tells why it diverged or failed, if it did."""

    number: int
    status: str
    error: str | None


@dataclass(frozen=True)
class StackEnded:
    """A worker is done with a stack; `seconds` are its own by kind: train, evaluate, write."""

    seconds: Mapping[str, float]


Event = EpochEnded | RunEnded | StackEnded


class SweepReporter(Progress, Protocol):
    """The progress of downloads, and of a sweep besides."""

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
        metrics of those that are finished already, `epochs` tells how many epochs each of the
        others takes at most.
        """

    def tell(self, event: Event) -> None:
        """Something has happened."""

    def stop(self) -> None:
        """Training is over, however it ended; may be called twice."""
