"""What a stack of configurations minimises, and the largest learning rate that this can bear.

Shapes: A, outputs and their gradients (B, K, C); targets (B, 1, C); parameters and their
gradients (D+1, K, C), weights and, in the last row, biases; features (B, D+1); N samples.

The objective of one configuration over a batch is

    mean_or_sum_j L(model(x_j W + b), t_j) + weight_decay / 2 * ||W||^2 .

Every array is stored with its first axis innermost, as if it were (K, C, first): products
then run over contiguous rows of length D+1 or B. Against the plain order that made the two
products of a 100x784x10 step 1.4 times faster, and cost nothing at K = 64.

A linear model under a loss with constant curvature c by each output has the Hessian c * M for
each class, M the mean outer product of [x, 1], so only its largest eigenvalue decides up to which
learning rate gradient descent is stable.
"""

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import DTypeLike, NDArray

from mnistlab.core import Registry
from mnistlab.core.losses import LOSSES, Loss
from mnistlab.core.models import MODELS, ONE_HOT, Coding, Model
from mnistlab.core.optimizers import Exact, Optimizer
from mnistlab.core.samples import Samples

Array = NDArray[np.floating]

SMALL_PRODUCT = 1200
SMALL_ROWS = 32
"""A product with at most 1,200 results takes OpenBLAS' kernel for small matrices: 21 us a
hundred rows of (10, 785) x (785, n) instead of 80 on one core. Fewer than 32 rows at a time
(K > 3) gain nothing."""


Reduction = Callable[[int], float]
"""What each sample of a batch of B weighs; to add them is the assignment's batch formula."""

REDUCTIONS: Registry[Reduction] = Registry("reduction")
REDUCTIONS.add("mean", lambda B: 1 / B)
REDUCTIONS.add("sum", lambda B: 1.0)  # noqa: ARG005


@dataclass(frozen=True)
class Objective:
    """Model, loss and reduction, each knowing nothing of the others."""

    model: Model
    loss: Loss
    reduction: Reduction

    @property
    def coding(self) -> Coding:
        """How the model's columns tell classes apart."""
        return coding_of(self.model)

    def values(self, A: Array, targets: Array) -> Array:
        """Return each sample's loss (B, K) from pre-activations."""
        return self.loss_of(self.model.forward(A)[0], targets)

    def loss_of(self, outputs: Array, targets: Array) -> Array:
        """Return each sample's loss (B, K) from outputs; a column that does not count adds none."""
        counted = self.coding.counted(targets)
        return self.loss.value(outputs if counted is None else outputs * counted, targets)

    def gradient(self, A: Array, targets: Array) -> Array:
        """Return each sample's dL/dA (B, K, C), not yet reduced over the batch."""
        outputs, pullback = self.model.forward(A)
        counted = self.coding.counted(targets)
        if counted is None:
            return pullback(self.loss.gradient(outputs, targets))
        return pullback(self.loss.gradient(outputs * counted, targets) * counted)

    def scores(self, A: Array) -> Array:
        """Return how strongly pre-activations (B, K, columns) speak for each class, (B, K, C)."""
        return self.coding.scores(self.model.forward(A)[0])


def coding_of(model: Model) -> Coding:
    """Return how a model's columns tell classes apart."""
    coding: Coding = getattr(model, "coding", ONE_HOT)
    return coding


def trainable_pairs() -> list[tuple[str, str]]:
    """Return the names of each model and each loss that it can be trained with."""
    pairs = itertools.product(MODELS, LOSSES)
    return [(one, other) for one, other in pairs if check_pair(MODELS[one], LOSSES[other]) is None]


def check_pair(model: Model, loss: Loss) -> str | None:
    """Return why a model cannot be trained with a loss, None if it can.

    Where only some columns count for a sample, the loss must be a sum over columns in which one
    that is as it should be adds nothing: that of a constant curvature.
    """
    if coding_of(model) is not ONE_HOT and loss.curvature is None:
        return "tells classes apart in pairs, which only a squared error can be trained for"
    return None


def empty_stack(shape: tuple[int, ...], dtype: DTypeLike) -> Array:
    """Return an uninitialised array (first, K, C) with its first axis innermost in memory."""
    first, K, C = shape
    return np.empty((K, C, first), dtype).transpose(2, 0, 1)


def copy_stack(array: Array) -> Array:
    """Return a copy of a stacked array in the same memory order."""
    copy = empty_stack(array.shape, array.dtype)
    np.copyto(copy, array)
    return copy


def stack_parameters(weights: list[NDArray[np.float64]], dtype: DTypeLike) -> Array:
    """Return parameters (D+1, K, C) from K weight matrices (D, C), with biases of zero."""
    biases = np.zeros((1, weights[0].shape[1]))
    return join_parameters([np.concatenate([W, biases]).astype(dtype) for W in weights])


def join_parameters(parameters: list[Array]) -> Array:
    """Return a stack (D+1, K, C) of K configurations' parameters (D+1, C)."""
    rows, C = parameters[0].shape
    stack = empty_stack((rows, len(parameters), C), parameters[0].dtype)
    for k, one in enumerate(parameters):
        stack[:, k, :] = one
    return stack


def as_rows(array: Array) -> Array:
    """Return the (K*C, first) matrix that shares memory with a stacked array."""
    first, K, C = array.shape
    return np.reshape(array.transpose(1, 2, 0), (K * C, first), copy=False)


class Products:
    """The two matrix products of a step for batches of up to B rows, with their buffers."""

    def __init__(self, parameters: Array, B: int) -> None:
        _, K, C = parameters.shape
        small = SMALL_PRODUCT // (K * C)
        self.tile = small if small >= SMALL_ROWS else B
        self._parameter_rows = as_rows(parameters)
        self.gradient = empty_stack(parameters.shape, parameters.dtype)
        self._gradient_rows = as_rows(self.gradient)
        self.A = empty_stack((B, K, C), parameters.dtype)
        self._A_rows = as_rows(self.A)
        self._dA = empty_stack((B, K, C), parameters.dtype)
        self._dA_rows = as_rows(self._dA)

    def pre_activations(self, x: Array, factor: float, start: int = 0) -> Array:
        """Return A = factor * x @ parameters, (n, K, C), valid until the next call.

        It is written into the buffer from row `start` on, so that a large batch can be put
        together from several calls and then read whole as `A`.
        """
        for first in range(0, len(x), self.tile):
            part = x[first : first + self.tile]
            out = self._A_rows[:, start + first : start + first + len(part)]
            np.matmul(self._parameter_rows, part.T, out=out)
        A = self.A[start : start + len(x)]
        if factor != 1:
            A *= factor
        return A

    def parameter_gradient(self, x: Array, dA: Array, factor: float) -> Array:
        """Return factor * x.T @ dA, (D+1, K, C), valid until the next call."""
        n = len(x)
        np.multiply(dA, factor, out=self._dA[:n])
        np.matmul(self._dA_rows[:, :n], x, out=self._gradient_rows)
        return self.gradient


def batch_gradient(
    objective: Objective,
    products: Products,
    x: Array,
    factor: float,
    A: Array,
    targets: Array,
    parameters: Array,
    weight_decay: Array | None,
) -> Array:
    """Return the objective's gradient over a batch, (D+1, K, C), valid until the next call.

    `A` (n, K, C) are the pre-activations of the features `factor * x` (n, D+1) and may lie in
    `products`; `weight_decay` is (K, 1), or None for no penalty.
    """
    dA = objective.gradient(A, targets)
    weight = objective.reduction(len(x)) * factor
    gradient = products.parameter_gradient(x, dA, weight)
    if weight_decay is not None:
        gradient[:-1] += weight_decay * parameters[:-1]
    return gradient


SUBSET_ROWS = 10_000
"""Rows of the quick estimate: on MNIST within 1 % of the value over all 50,000, in 25 ms."""


@dataclass(frozen=True)
class Curvature:
    """How steep a linear model's squared error is on some samples, and how that varies.

    `largest` is the largest eigenvalue of the mean outer product of x = [features, 1], with the
    eigenvector v; `single` is E ||x||^2 (v.x)^2 / largest, which takes its place for steps on one
    sample each.
    """

    largest: float
    single: float


def curvature(samples: Samples, rows: int | None = None) -> Curvature:
    """Return the curvature of the N samples, or of a subset of `rows` for all.

    The eigenvector comes from power iteration (Golub and Van Loan, "Matrix computations", section
    7.3.1) up to a relative change of the eigenvalue of 1e-6.
    """
    if rows is not None and rows < len(samples):
        samples = samples.subset(rows)
    inputs, D = samples.inputs, samples.feature_count
    block = 2000
    reader = samples.reader(min(block, len(inputs)), np.float32)
    vector = np.full(D + 1, 1 / np.sqrt(D + 1), np.float32)
    eigenvalue = 0.0
    for _ in range(100):
        product = np.zeros(D + 1, np.float32)
        for start in range(0, len(inputs), block):
            x = reader.read(inputs[start : start + block])
            product += x.T @ (x @ vector)
        product *= reader.factor**2 / len(inputs)
        previous, eigenvalue = eigenvalue, float(np.linalg.norm(product))
        vector = product / np.float32(eigenvalue)
        if abs(eigenvalue - previous) <= 1e-6 * eigenvalue:
            break
    total = 0.0
    for start in range(0, len(inputs), block):
        x = reader.read(inputs[start : start + block]) * reader.factor
        total += float((np.square(x).sum(axis=1) * np.square(x @ vector)).sum(dtype=np.float64))
    return Curvature(eigenvalue, total / len(inputs) / eigenvalue)


def stability_limit(
    curve: Curvature,
    objective: Objective,
    optimizer: Optimizer | Exact,
    *,
    momentum: float,
    weight_decay: float,
    batch_size: int,
    images: int,
) -> float | None:
    """Return the learning rate beyond which descent on batches of so many images diverges, or None.

    None means that no such limit is known: the loss is not quadratic in the parameters or
    the optimizer rescales its steps. On all images at once the limits for curvature h are 2/h
    (gradient descent), 2 (1 + m)/h (heavy ball) and 2 (1 + m)/(h (1 + 2m)) (Nesterov): where the
    characteristic polynomial of the linear recurrence has a root at -1 (Polyak, "Introduction to
    optimization", 1987, chapter 3).

    Batches of B of N images differ, which lowers the limit: along the steepest direction the mean
    square of the deviation stays bounded as long as it does with a curvature of mean h and variance
    c^2 L (S - L)/B (N - B)/(N - 1), with L and S the curvature's `largest` and `single` (the mean
    square criterion of Wu, Ma and E, "How SGD selects the global minima in over-parameterized
    learning", NeurIPS 2018). For plain descent on the mean squared error that is, for large N,
    1/(L (1 - 1/B) + S/B).

    It is an estimate, because other directions matter as well. On MNIST with batches of 1, 10 and
    100 plain descent began to diverge at 1.0 to 1.2 times the limit, heavy ball at 0.9 to 1.4
    times, and Nesterov's method at 1.0 times, but with single images at 0.7 times.
    """
    second, relative_limit = objective.loss.curvature, optimizer.stability(momentum, 0.0)
    if second is None or relative_limit is None or not objective.model.is_linear:
        return None
    scale = second * objective.reduction(batch_size) * batch_size
    mean = scale * curve.largest + weight_decay
    apart = max(curve.single - curve.largest, 0.0)
    drawn = (images - batch_size) / max(images - 1, 1) / batch_size
    variance = scale**2 * curve.largest * apart * drawn
    limit = optimizer.stability(momentum, variance / mean**2)
    return None if limit is None else limit / mean


def format_limit(limit: float) -> str:
    """Return a limit in three digits, rounded down, so that what is said stays below it."""
    unit = 10.0 ** (math.floor(math.log10(limit)) - 2)
    return f"{math.floor(limit / unit) * unit:.3g}"
