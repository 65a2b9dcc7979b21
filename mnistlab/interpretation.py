"""Says in a sentence what a run's numbers mean."""

import math
from collections.abc import Mapping, Sequence
from typing import Any


def interpret(
    summary: Mapping[str, Any], rows: Sequence[Mapping[str, Any]], *, commonest: float, images: int
) -> list[str]:
    """Return sentences on the test accuracy's certainty and on whether training was done.

    `commonest` is the share of the most frequent class among the `images` of the test split.
    """
    sentences = []
    accuracy = summary["test"]["accuracy"]
    if accuracy is not None:
        low, high = wilson_interval(accuracy, images)
        sentences.append(
            f"Test accuracy {accuracy:.2%}: with {images:,} images the 95 % interval is "
            f"{low:.2%} to {high:.2%}; always guessing the commonest class gives {commonest:.2%}."
        )
    evaluated = [row for row in rows if "train_loss" in row]
    losses = [row["train_loss"] for row in evaluated]
    if len(losses) >= 2 and all(map(math.isfinite, losses)):
        rate = evaluated[-1]["learning_rate"] / evaluated[0]["learning_rate"]
        sentences.append(_on_training(losses, rate))
    return sentences


def wilson_interval(share: float, n: int, z: float = 1.96) -> tuple[float, float]:
    """Return Wilson's score interval for a share among n draws (J. Am. Stat. Assoc. 22, 1927)."""
    middle = share + z * z / (2 * n)
    half = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return (middle - half) / (1 + z * z / n), (middle + half) / (1 + z * z / n)


def _on_training(losses: Sequence[float], rate: float) -> str:
    """Say where training stood at its end; `rate` is the last learning rate by the first."""
    previous, last = losses[-2:]
    change = (previous - last) / previous if previous else 0.0
    if last > 2 * min(losses):
        return (
            "The training loss ended at more than twice its lowest value: "
            "the learning rate is too high."
        )
    if rate < 0.1:
        return (
            f"The schedule has run out (the last epoch had {rate:.1%} of the first learning rate): "
            "more epochs help only if the schedule is given them too."
        )
    if change <= 0:
        return "The training loss no longer falls: a lower learning rate or a schedule may help."
    if change < 0.001:
        return f"The last epoch lowered the training loss by {change:.2%} only: it has converged."
    return (
        f"The last epoch still lowered the training loss by {change:.1%}: "
        "more epochs would lower it further."
    )
