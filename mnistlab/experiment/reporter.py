"""What a run tells the person in front of it; the console shows it, this room prints nothing."""

import math
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


def describe_epoch(row: Mapping[str, Any], epochs: int, *, short: bool = False) -> str:
    """Return an epoch's numbers as one line of text, `short` in 50 letters or so."""
    if short:
        return _describe_shortly(row, epochs)
    parts = [f"epoch {row['epoch']:{len(str(epochs))}}/{epochs}"]
    for split, label in (("train", "training"), ("validation", "validation")):
        if f"{split}_loss" in row:
            loss, accuracy = row[f"{split}_loss"], row[f"{split}_accuracy"]
            if math.isfinite(loss):
                parts.append(f"{label} loss {loss:.4f}, accuracy {accuracy:.2%}")
            else:
                parts.append(f"{label} loss overflowed")
    return "  ".join(parts)


def _describe_shortly(row: Mapping[str, Any], epochs: int) -> str:
    text = f"{row['epoch']}/{epochs}"
    splits = [split for split in ("train", "validation") if f"{split}_loss" in row]
    if splits:
        losses = " ".join(f"{row[f'{split}_loss']:.4f}" for split in splits)
        accuracies = " ".join(f"{row[f'{split}_accuracy']:.1%}" for split in splits)
        text += f" loss {losses} acc. {accuracies}"
    return text
