"""How sure a measured accuracy or difference is: intervals at 95 %."""

import math
from collections.abc import Sequence
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

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


def z_quantile(comparisons: int = 1) -> float:
    """Return the 97.5 % quantile of the normal distribution, or that for several comparisons.

    So many intervals hold all together at 95 % when each holds at 1 - 5 %/comparisons
    (Bonferroni's inequality).
    """
    return NormalDist().inv_cdf(1 - _TAIL / comparisons)


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
