"""What measured numbers mean: intervals at 95 %, and in a sentence what those of a run say."""

import itertools
import math
from collections.abc import Mapping, Sequence
from functools import cache
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

_TAIL = 0.025

_WINDOW = 6
"""Evaluations that tell where training stands; one alone tells the noise of mini-batches."""

_SLOW = 0.001
"""A loss that falls by less than this part of itself an epoch has converged, or never moved."""

_STEADY = 0.2
"""A loss that falls at the end faster than this part of its mean speed has not converged: near the
optimum the speed of `configs/linear.yaml` is below 0.01 of its mean."""

_HARDLY = 0.01
"""A loss that came no further than this part of its start has hardly moved."""


def wilson_interval(share: float, n: int) -> tuple[float, float]:
    """Return Wilson's score interval for a share among n draws (J. Am. Stat. Assoc. 22, 1927)."""
    z = z_quantile()
    middle = share + z * z / (2 * n)
    half = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return (middle - half) / (1 + z * z / n), (middle + half) / (1 + z * z / n)


def t_half_width(values: Sequence[float], comparisons: int = 1) -> float | None:
    """Return half the width of Student's interval for the mean of n values; None if n < 2."""
    n = len(values)
    if n < 2:
        return None
    return t_quantile(n - 1, comparisons) * float(np.std(values, ddof=1)) / math.sqrt(n)


def paired_difference(
    first: ArrayLike, second: ArrayLike, comparisons: int = 1
) -> tuple[float, float]:
    """Return the mean of first - second over n pairs, and half of its interval by `t_half_width`.

    What the two scores of a pair have in common cancels (Student, Biometrika 6, 1908). With one
    pair the interval is infinite.
    """
    differences = np.subtract(first, second, dtype=float)
    half = t_half_width(differences.tolist(), comparisons)
    return float(differences.mean()), math.inf if half is None else half


def z_quantile(comparisons: int = 1) -> float:
    """Return the 97.5 % quantile of the normal distribution, or that for several comparisons.

    So many intervals hold all together at 95 % when each holds at 1 - 5 %/comparisons
    (Bonferroni's inequality).
    """
    return NormalDist().inv_cdf(1 - _TAIL / comparisons)


def pairs(count: int) -> int:
    """Return how many pairs there are among so many things, at least 1.

    Whoever compares the best of several with the others has compared every pair: any of them
    could have turned out the best. With 64 that are equal, the 63 comparisons made in the end would
    tell some pair apart in more than a third of all cases.
    """
    return max(1, count * (count - 1) // 2)


@cache
def t_quantile(freedom: int, comparisons: int = 1) -> float:
    """Return the quantile of Student's distribution that `z_quantile` is of the normal one.

    With t = sqrt(f) tan(angle) the density is proportional to cos(angle)^(f - 1) (Student,
    Biometrika 6, 1908), which is integrated by Gauss and Legendre's rule; bisection then finds
    the angle below which the wanted share of it lies.
    """
    nodes, weights = np.polynomial.legendre.leggauss(100)
    # for many degrees the density lies near 0: the part beyond 40 standard deviations is nothing
    widest = min(math.pi / 2, 40 / math.sqrt(freedom))

    def area(angle: float) -> float:
        angles = angle / 2 * (nodes + 1)
        return angle / 2 * float(weights @ np.cos(angles) ** (freedom - 1))

    wanted, low, high = (1 - 2 * _TAIL / comparisons) * area(widest), 0.0, widest
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if area(middle) < wanted else (low, middle)
    return math.sqrt(freedom) * math.tan(low)


def differs(scores: NDArray[np.floating], best: NDArray[np.floating], comparisons: int = 1) -> bool:
    """Return whether two means over the same n images differ, by the interval of the difference.

    Both are (n,), a score an image. Paired by image, the spread that images have in common
    cancels; for right or wrong answers this is McNemar's test (Psychometrika 12, 1947) in its
    large-sample form. `comparisons` are those that are made together, as with `z_quantile`.
    """
    difference = np.asarray(best, float) - np.asarray(scores, float)
    if len(difference) < 2:
        return False
    error = float(np.std(difference, ddof=1)) / math.sqrt(len(difference))
    return abs(float(difference.mean())) > z_quantile(comparisons) * error


def mcnemar_p(only_first: int, only_second: int) -> float:
    """Return the two-sided p of McNemar's test for two classifiers on the same images.

    `only_first` images only the first classifier got right, `only_second` only the second; those
    on which both were right or both wrong say nothing of a difference (McNemar, Psychometrika 12,
    1947). If neither were better, each of the n others would fall to either side like a coin, so
    the exact p is twice the binomial tail sum_{i <= k} C(n, i) / 2^n with k the smaller count, at
    most 1. The tail is taken relative to its largest term, whose logarithm does not underflow.
    """
    n, k = only_first + only_second, min(only_first, only_second)
    share = tail = 1.0
    for i in range(k, 0, -1):
        share *= i / (n - i + 1)  # C(n, i - 1) / C(n, i)
        tail += share
    largest = math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1) - n * math.log(2)
    return min(1.0, 2 * math.exp(largest + math.log(tail)))


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
