"""What a run tells the person in front of it; the console shows it, this room prints nothing."""

from collections.abc import Mapping
from typing import Any, Protocol

from mnistlab.datasets import Progress


class Reporter(Progress, Protocol):
    """The progress of downloads, and of training besides."""

    def warn(self, text: str) -> None:
        """Show a warning."""

    def start(self, epochs: int) -> None:
        """Training begins and takes at most so many epochs."""

    def epoch(self, row: Mapping[str, Any], epochs: int) -> None:
        """An epoch is over; `row` is its row of metrics.csv."""

    def stop(self) -> None:
        """Training is over, however it ended; may be called twice."""


def describe_epoch(row: Mapping[str, Any], epochs: int) -> str:
    """Return an epoch's numbers as one line of text."""
    parts = [f"epoch {row['epoch']:{len(str(epochs))}}/{epochs}"]
    for split, label in (("train", "training"), ("validation", "validation")):
        if f"{split}_loss" in row:
            loss, accuracy = row[f"{split}_loss"], row[f"{split}_accuracy"]
            parts.append(f"{label} loss {loss:.4f}, accuracy {accuracy:.2%}")
    return "  ".join(parts)
