"""Says in a sentence what a run's numbers mean."""

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

from mnistlab.statistics import wilson_interval

_WINDOW = 6
"""Evaluations that tell where training stands; one alone tells the noise of mini-batches."""


_SLOW = 0.001
"""A loss that falls by less than this part of itself an epoch has converged, or never moved."""

_STEADY = 0.2
"""A loss that falls at the end faster than this part of its mean speed has not converged: near the
optimum the speed of `configs/linear.yaml` is below 0.01 of its mean."""

_HARDLY = 0.01
"""A loss that came no further than this part of its start has hardly moved."""


def interpret(
    summary: Mapping[str, Any],
    rows: Sequence[Mapping[str, Any]],
    *,
    commonest: float,
    images: int,
    epochs: int,
    stop_after: int | None,
    start_loss: float,
) -> list[str]:
    """Return sentences on the test accuracy's certainty and on whether training was done.

    `commonest` is the share of the most frequent class among the `images` of the test split,
    `epochs` and `stop_after` how many the config asks for; a completed run with fewer than both
    was stopped early.
    `start_loss` is about the training loss before the first step.
    """
    sentences = []
    accuracy = summary["test"]["accuracy"]
    if accuracy is not None:
        low, high = wilson_interval(accuracy, images)
        validation = summary["validation"]["accuracy"]
        sentences.append(
            f"Test accuracy {accuracy:.2%}: with {images:,} images the 95 % interval is "
            f"{low:.2%} to {high:.2%}; always guessing the commonest class gives {commonest:.2%}."
        )
        if validation is not None and high < commonest / 2 < 2 * commonest < validation:
            sentences.append(
                f"That is worse than guessing, while the validation accuracy is {validation:.2%}: "
                "do the labels of the test split mean the same as those of the training split?"
            )
    evaluated = [row for row in rows if math.isfinite(row.get("train_loss", math.nan))]
    if (
        summary["status"] == "completed"
        and stop_after is not None
        and len(rows) == stop_after < epochs
    ):
        sentences.append(f"It ended after epoch {stop_after} of {epochs}, as stop_after says.")
    elif summary["status"] == "completed" and len(rows) < epochs:
        best = min(evaluated, key=lambda row: row["validation_loss"])
        sentences.append(
            f"Early stopping ended it after epoch {len(rows)} of {epochs}: the validation loss was "
            f"lowest in epoch {best['epoch']}. The weights are those of epoch {len(rows)}."
        )
    elif len(evaluated) >= 2:
        sentences.append(_hardly_moved(evaluated, start_loss) or _describe_training(evaluated))
    return sentences


def _hardly_moved(rows: Sequence[Mapping[str, Any]], start_loss: float) -> str | None:
    """Return a sentence on a learning rate that is too low, None if it is not."""
    recent = rows[-_WINDOW:]
    first, last = recent[0]["train_loss"], recent[-1]["train_loss"]
    span, gained = recent[-1]["epoch"] - recent[0]["epoch"], start_loss - last
    speed, mean_speed = (first - last) / span, gained / rows[-1]["epoch"]
    is_slow = speed < _SLOW * first and speed > _STEADY * mean_speed > 0
    if abs(gained) >= _HARDLY * start_loss and not is_slow:
        return None
    steadily = ", and fell no faster at the beginning than at the end" if is_slow else ""
    return (
        f"The training loss hardly moved: it was about {start_loss:.4g} before training and is "
        f"{last:.4g} after it{steadily}. The learning rate is probably too low."
    )


def _describe_training(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return where training stood at its end, from the evaluations of the last epochs."""
    recent = rows[-_WINDOW:]
    losses = [row["train_loss"] for row in recent]
    first, last = losses[0], losses[-1]
    span = recent[-1]["epoch"] - recent[0]["epoch"]
    fall = (first - last) / first / span if first else 0.0
    rises = sum(after > before for before, after in itertools.pairwise(losses))
    swing = (max(losses) - min(losses)) / max(losses) if max(losses) else 0.0
    rate = rows[-1]["learning_rate"] / rows[0]["learning_rate"]
    over = f"over the last {span} epochs" if span > 1 else "in the last epoch"
    if last > 2 * min(row["train_loss"] for row in rows):
        return (
            "The training loss ended at more than twice its lowest value: "
            "the learning rate is too high."
        )
    if rate < 0.1:
        return (
            f"The schedule has run out (the last epoch had {rate:.1%} of the first learning rate): "
            "more epochs help only if the schedule is given them too."
        )
    if rises >= 2 and swing > 0.02:
        return (
            f"The training loss goes up and down, by {swing:.0%} {over}: a lower learning rate "
            "or a schedule would settle it."
        )
    if fall <= 0 or rises >= 2:
        return (
            f"The training loss no longer falls ({over}): a lower learning rate or a schedule may "
            "still help."
        )
    if fall < _SLOW:
        return f"It has converged: the training loss fell by {fall:.2%} an epoch {over}."
    return (
        f"The training loss was still falling, by {fall:.1%} an epoch {over}: more epochs may "
        "lower it further."
    )
