"""Linear least squares in closed form: the normal equations, accumulated and solved in float64.

Shapes: D features, C classes, P columns, K configurations, N samples; features with a constant one
last, parameters (D+1, P) with the biases in the last row.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mnistlab.core.models import ONE_HOT, Coding
from mnistlab.core.samples import Samples

Matrix = NDArray[np.float64]

_ROWS = 4000  # features that are held in float64 at once: 25 MB of MNIST's
_BLOCK = 256  # rows of a triangular system that are solved at once
_SMALLEST_PIVOT = 1e-9
"""Below this, the diagonal being 1, a Cholesky factor has lost all digits but six."""


@dataclass(frozen=True)
class Moments:
    """What least squares needs to know of a split: means over its N samples, in float64.

    `features` is the mean outer product of [x, 1], (D+1, D+1); `cross` that of [x, 1] with the
    targets, (D+1, P); `targets` the mean squared length of a target.
    """

    features: Matrix
    cross: Matrix
    targets: float


@dataclass(frozen=True)
class Solution:
    """Parameters (D+1, P) that no others beat.

    `loss` is their mean loss over the samples, `objective` that with the penalty added.
    """

    parameters: Matrix
    loss: float
    objective: float


def measure_moments(
    samples: Samples,
    P: int,
    coding: Coding = ONE_HOT,
    at_block: Callable[[], None] = lambda: None,
) -> list[tuple[slice, Moments]]:
    """Return the moments of a split for each group of columns that count for the same samples.

    A group is a slice of the P columns. The sums run over float64 and, for bytes, are exact.
    `at_block` is called every few thousand rows and may raise.
    """
    code = coding.code(P)
    counted = coding.counted(code)
    N, D = len(samples), samples.feature_count
    reader = samples.reader(min(_ROWS, N), np.float64)
    groups = 1 if counted is None else len(code)
    features, sums = np.zeros((groups, D + 1, D + 1)), np.zeros((len(code), D + 1))
    for start in range(0, N, _ROWS):
        at_block()
        x = reader.read(samples.inputs[start : start + _ROWS])
        labels = samples.labels[start : start + _ROWS]
        sums += np.eye(len(code))[:, labels] @ x
        if counted is None:
            features[0] += x.T @ x
            continue
        for c in range(len(code)):
            of_class = x[labels == c]
            features[c] += of_class.T @ of_class
    features *= reader.factor**2 / N
    sums *= reader.factor / N
    lengths = np.square(code) * sums[:, -1:]  # the last entry of a class is its share
    of_columns = (
        [(slice(0, P), features[0])]
        if counted is None
        else [(slice(p, p + 1), features[counted[:, p]].sum(axis=0)) for p in range(P)]
    )
    return [
        (part, Moments(outer, sums.T @ code[:, part], float(lengths[:, part].sum())))
        for part, outer in of_columns
    ]


def least_squares(moments: Moments, ridge: float = 0.0) -> Solution:
    """Return the minimum of mean_j ||x_j W + b - t_j||^2 + ridge / 2 ||W||^2, in closed form.

    Setting the gradient to zero gives the normal equations (2 M + ridge E) P = 2 R for M =
    `features`, R = `cross` and E the identity with a zero for the biases, which go without
    penalty (Hastie, Tibshirani and Friedman, "The elements of statistical learning", section
    3.4.1). They are solved in units in which each feature has mean square 1, so that a pixel lit
    in two images counts like any other (van der Sluis, "Condition numbers and equilibration of
    matrices", Numer. Math. 14, 1969: no other scaling is much better).

    That is done by Cholesky's factorisation or, where that breaks down, by eigenvalues: directions
    in which the data does not vary have one of zero but for rounding and are left out, and of all
    minima the one with the smallest parameters is returned.
    """
    penalty = np.full(len(moments.features), ridge)
    penalty[-1] = 0.0
    normal = 2 * moments.features + np.diag(penalty)
    lit = np.sqrt(np.diag(normal))
    unit = 1 / np.where(lit > 0, lit, 1.0)
    scaled = unit[:, None] * normal * unit
    P = _by_cholesky(scaled, unit[:, None] * (2 * moments.cross))
    P = _by_eigenvalues(scaled, unit, moments) if P is None else unit[:, None] * P
    return _solution(P, moments, ridge)


def ridge_path(moments: Moments, ridges: Sequence[float]) -> list[Solution]:
    """Return `least_squares` for each ridge, from one factorisation for all that are above zero.

    Around their means the features have the covariance V L V', and the weights for a ridge r are
    V (2 L + r)^-1 V' 2 S, with S the covariance of features and targets.
    """
    if len(ridges) == 1:
        return [least_squares(moments, ridges[0])]
    counted = moments.features[-1, -1]  # the share of samples that count
    mean, target = moments.features[-1, :-1] / counted, moments.cross[-1] / counted
    covariance = moments.features[:-1, :-1] - counted * np.outer(mean, mean)
    values, vectors = np.linalg.eigh(covariance)
    rotated = vectors.T @ (2 * (moments.cross[:-1] - counted * np.outer(mean, target)))
    found = {0.0: least_squares(moments)} if 0.0 in ridges else {}
    for ridge in ridges:
        if ridge not in found:
            W = vectors @ (rotated / (2 * np.maximum(values, 0) + ridge)[:, None])
            P: Matrix = np.concatenate([W, (target - mean @ W)[None]])
            found[ridge] = _solution(P, moments, ridge)
    return [found[ridge] for ridge in ridges]


def solve(
    samples: Samples,
    coding: Coding,
    P: int,
    ridges: Sequence[float],
    at_block: Callable[[], None],
) -> list[Matrix]:
    """Return the parameters (D+1, P) that are best for each of K penalties."""
    D = samples.feature_count
    found = [np.empty((D + 1, P)) for _ in ridges]
    for columns, moments in measure_moments(samples, P, coding, at_block):
        at_block()
        for k, solution in enumerate(ridge_path(moments, ridges)):
            found[k][:, columns] = solution.parameters
    return found


def _by_cholesky(normal: Matrix, right: Matrix) -> Matrix | None:
    """Return the solution of a positive definite system of unit diagonal, None where it has none.

    A feature that is never lit has a zero on the diagonal, and gets a weight of zero.
    """
    lit = np.flatnonzero(np.diag(normal))
    try:
        lower = np.linalg.cholesky(normal[np.ix_(lit, lit)])
    except np.linalg.LinAlgError:
        return None
    if not np.square(np.diag(lower)).min() > _SMALLEST_PIVOT:
        return None
    solution = np.zeros_like(right)
    forward = _substitute(lower, right[lit])
    # the transpose, read from its end, is a lower triangle again
    solution[lit] = _substitute(lower.T[::-1, ::-1], forward[::-1])[::-1]
    return solution


def _substitute(lower: NDArray[np.floating], right: Matrix) -> Matrix:
    """Return the solution of a lower triangular system, some rows at a time."""
    solution = np.empty_like(right)
    for start in range(0, len(lower), _BLOCK):
        part = slice(start, start + _BLOCK)
        known = lower[part, :start] @ solution[:start]
        solution[part] = np.linalg.solve(lower[part, part], right[part] - known)
    return solution


def _by_eigenvalues(scaled: Matrix, unit: Matrix, moments: Moments) -> Matrix:
    values, vectors = np.linalg.eigh(scaled)
    kept = values > values[-1] * len(values) * np.finfo(np.float64).eps
    basis = unit[:, None] * vectors[:, kept]
    P: Matrix = basis @ ((basis.T @ (2 * moments.cross)) / values[kept, None])
    empty, _ = np.linalg.qr(unit[:, None] * vectors[:, ~kept])  # directions that change no output
    P -= empty @ (empty.T @ P)
    return P


def _solution(P: Matrix, moments: Moments, ridge: float) -> Solution:
    loss = float(moments.targets + np.sum(P * (moments.features @ P - 2 * moments.cross)))
    return Solution(P, loss, loss + ridge / 2 * float(np.square(P[:-1]).sum()))
