"""How sure a measured accuracy or difference is: intervals at 95 %."""

import math
from collections.abc import Sequence
from functools import cache
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

_TAIL = 0.025


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
