"""How sure a measured accuracy or difference is: intervals at 95 %."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Z = 1.959963984540054
"""The 97.5 % quantile of the normal distribution."""


def wilson_interval(share: float, n: int) -> tuple[float, float]:
    """Return Wilson's score interval for a share among n draws (J. Am. Stat. Assoc. 22, 1927)."""
    middle = share + Z * Z / (2 * n)
    half = Z * math.sqrt(share * (1 - share) / n + Z * Z / (4 * n * n))
    return (middle - half) / (1 + Z * Z / n), (middle + half) / (1 + Z * Z / n)


def t_half_width(values: Sequence[float]) -> float | None:
    """Return half the width of Student's interval for the mean of n values; None if n < 2."""
    n = len(values)
    if n < 2:
        return None
    return t_quantile(n - 1) * float(np.std(values, ddof=1)) / math.sqrt(n)


def t_quantile(freedom: int) -> float:
    """Return the 97.5 % quantile of Student's distribution with so many degrees of freedom.

    With t = sqrt(f) tan(angle) the density is proportional to cos(angle)^(f - 1) (Student,
    Biometrika 6, 1908), which is integrated by Gauss and Legendre's rule; bisection then finds
    where 0.475 of it lies between 0 and the angle.
    """
    nodes, weights = np.polynomial.legendre.leggauss(100)
    # for many degrees the density lies near 0: the part beyond 40 standard deviations is nothing
    widest = min(math.pi / 2, 40 / math.sqrt(freedom))

    def area(angle: float) -> float:
        angles = angle / 2 * (nodes + 1)
        return angle / 2 * float(weights @ np.cos(angles) ** (freedom - 1))

    whole, low, high = area(widest), 0.0, widest
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if area(middle) < 0.95 * whole else (low, middle)
    return math.sqrt(freedom) * math.tan(low)


def differs(scores: NDArray[np.floating], best: NDArray[np.floating]) -> bool:
    """Return whether two means over the same n images differ, by the interval of the difference.

    Both are (n,), a score an image. Paired by image, the spread that images have in common
    cancels; for right or wrong answers this is McNemar's test (Psychometrika 12, 1947) in its
    large-sample form.
    """
    difference = np.asarray(best, float) - np.asarray(scores, float)
    error = float(np.std(difference, ddof=1)) / math.sqrt(len(difference))
    return abs(float(difference.mean())) > Z * error
