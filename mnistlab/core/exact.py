"""The best that a linear model can do under the squared error, by the normal equations.

Shapes: D features, C classes, N samples; features with a constant one last, parameters (D+1, C)
with the biases in the last row.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mnistlab.core.pixels import PixelMap
from mnistlab.core.samples import FeatureReader, Samples, one_hot

Matrix = NDArray[np.float64]

_ROWS = 4000  # features that are held in float64 at once: 25 MB of MNIST's


@dataclass(frozen=True)
class Moments:
    """What least squares needs to know of a split: means over its N samples, in float64.

    `features` is the mean outer product of [x, 1], (D+1, D+1); `cross` that of [x, 1] with the
    one-hot targets, (D+1, C); `targets` the mean squared length of a target, 1 for one-hot ones.
    """

    features: Matrix
    cross: Matrix
    targets: float


@dataclass(frozen=True)
class Optimum:
    """Parameters (D+1, C) that no others beat.

    `loss` is their mean loss over the samples, `objective` that with the penalty added.
    """

    parameters: Matrix
    loss: float
    objective: float


def measure_moments(samples: Samples, pixels: PixelMap, C: int) -> Moments:
    """Return the moments of a split; the sums run over float64 and, for bytes, are exact."""
    N, D = samples.images.shape
    reader = FeatureReader(pixels, D, min(_ROWS, N), np.float64)
    features, cross = np.zeros((D + 1, D + 1)), np.zeros((D + 1, C))
    for start in range(0, N, _ROWS):
        x = reader.read(samples.images[start : start + _ROWS])
        targets = one_hot(samples.labels[start : start + _ROWS], C, np.float64)[:, 0, :]
        features += x.T @ x
        cross += x.T @ targets
    return Moments(features * (reader.factor**2 / N), cross * (reader.factor / N), 1.0)


def least_squares(moments: Moments, ridge: float = 0.0) -> Optimum:
    """Return the minimum of mean_j ||x_j W + b - t_j||^2 + ridge / 2 ||W||^2, in closed form.

    Setting the gradient to zero gives the normal equations (2 M + ridge E) P = 2 R for M =
    `features`, R = `cross` and E the identity with a zero for the biases, which go without
    penalty (Hastie, Tibshirani and Friedman, "The elements of statistical learning", section
    3.4.1). They are solved in units in which each feature has mean square 1, so that a pixel lit
    in two images counts like any other (van der Sluis, "Condition numbers and equilibration of
    matrices", Numer. Math. 14, 1969: no other scaling is much better). Directions in which the
    data does not vary have an eigenvalue of zero but for rounding and are left out: of all minima
    the one with the smallest parameters is returned.
    """
    penalty = np.full(len(moments.features), ridge)
    penalty[-1] = 0.0
    normal = 2 * moments.features + np.diag(penalty)
    lit = np.sqrt(np.diag(normal))
    unit = 1 / np.where(lit > 0, lit, 1.0)
    values, vectors = np.linalg.eigh(unit[:, None] * normal * unit)
    kept = values > values[-1] * len(values) * np.finfo(np.float64).eps
    basis = unit[:, None] * vectors[:, kept]
    P: Matrix = basis @ ((basis.T @ (2 * moments.cross)) / values[kept, None])
    empty, _ = np.linalg.qr(unit[:, None] * vectors[:, ~kept])  # directions that change no output
    P -= empty @ (empty.T @ P)
    loss = float(moments.targets + np.sum(P * (moments.features @ P - 2 * moments.cross)))
    return Optimum(P, loss, loss + ridge / 2 * float(np.square(P[:-1]).sum()))
