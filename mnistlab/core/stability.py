"""The largest learning rate that gradient descent on a quadratic loss can bear.

Shapes: D features, N samples. A linear model under a loss with constant curvature c by each
output has the Hessian c * M for each class, M the mean outer product of [x, 1], so only its
largest eigenvalue decides.
"""

import math

import numpy as np

from mnistlab.core.objective import Objective
from mnistlab.core.optimizers import Optimizer
from mnistlab.core.samples import FeatureReader, PixelMap, Samples

SUBSET_ROWS = 10_000
"""Rows of the quick estimate: on MNIST within 1 % of the value over all 50,000, in 25 ms."""


def largest_eigenvalue(samples: Samples, pixels: PixelMap, rows: int | None = None) -> float:
    """Return the largest eigenvalue of the mean outer product of [x, 1] over N samples.

    With `rows`, that many samples drawn at random, always the same, stand for all (every n-th
    would not do: MNIST's file alternates between two groups of writers). Power iteration
    (Golub and Van Loan, "Matrix computations", section 7.3.1) up to a relative change of 1e-6.
    """
    N, D = samples.rows.shape
    images = samples.rows
    if rows is not None and rows < N:
        images = images[np.sort(np.random.default_rng(0).choice(N, rows, replace=False))]
    block = 2000
    reader = FeatureReader(pixels, D, min(block, len(images)), np.float32)
    vector = np.full(D + 1, 1 / np.sqrt(D + 1), np.float32)
    eigenvalue = 0.0
    for _ in range(100):
        product = np.zeros(D + 1, np.float32)
        for start in range(0, len(images), block):
            x = reader.read(images[start : start + block])
            product += x.T @ (x @ vector)
        product *= reader.factor**2 / len(images)
        previous, eigenvalue = eigenvalue, float(np.linalg.norm(product))
        vector = product / np.float32(eigenvalue)
        if abs(eigenvalue - previous) <= 1e-6 * eigenvalue:
            break
    return eigenvalue


def stability_limit(
    eigenvalue: float,
    objective: Objective,
    optimizer: Optimizer,
    *,
    momentum: float,
    weight_decay: float,
    batch_size: int,
) -> float | None:
    """Return the learning rate beyond which full-batch descent diverges, or None.

    None means that no such limit is known: the loss is not quadratic in the parameters or
    the optimizer rescales its steps. For curvature h the limits are 2/h (gradient descent),
    2 (1 + m)/h (heavy ball) and 2 (1 + m)/(h (1 + 2m)) (Nesterov): where the characteristic
    polynomial of the linear recurrence has a root at -1 (Polyak, "Introduction to
    optimization", 1987, chapter 3). Mini-batches make the true limit a little lower.
    """
    curvature, relative_limit = objective.loss.curvature, optimizer.stability(momentum)
    if curvature is None or relative_limit is None or not objective.model.is_linear:
        return None
    samples_per_step = objective.reduction.weight(batch_size) * batch_size
    return relative_limit / (curvature * eigenvalue * samples_per_step + weight_decay)


def format_limit(limit: float) -> str:
    """Return a limit in three digits, rounded down, so that what is said stays below it."""
    unit = 10.0 ** (math.floor(math.log10(limit)) - 2)
    return f"{math.floor(limit / unit) * unit:.3g}"
