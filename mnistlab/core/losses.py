"""Losses compare a model's outputs with one-hot targets: a value and a gradient.

Shapes: outputs (B, K, C); targets (B, 1, C), one-hot; values (B, K), one a sample.
Reducing over the batch is the caller's business, so that mean and sum are one decision
made in one place.
"""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from mnistlab.core import Registry

Array = NDArray[np.floating]


class Loss(Protocol):
    """What the trainer, the gradient check and the tests ask of a loss."""

    curvature: float | None
    """The constant second derivative by each output, or None where it is not constant."""

    def value(self, outputs: Array, targets: Array) -> Array:
        """Return each sample's loss, (B, K)."""
        ...

    def gradient(self, outputs: Array, targets: Array) -> Array:
        """Return each sample's dL/d(outputs) as a new array, (B, K, C)."""
        ...


LOSSES: Registry[Loss] = Registry("loss")


class SquaredError:
    """L = sum_c (y_c - t_c)^2, the squared Euclidean distance to the one-hot target."""

    curvature: float | None = 2.0

    def value(self, outputs: Array, targets: Array) -> Array:
        """Return sum_c (y_c - t_c)^2 for each sample, (B, K)."""
        distance: Array = np.square(outputs - targets).sum(axis=-1)
        return distance

    def gradient(self, outputs: Array, targets: Array) -> Array:
        """Return 2 (y - t), (B, K, C)."""
        gradient = outputs - targets
        gradient += gradient
        return gradient


class SoftmaxCrossEntropy:
    """L = -log softmax(a)_t for logits a and the target class t.

    Logits are shifted by their largest first (Blanchard, Higham and Higham, "Accurately
    computing the log-sum-exp and softmax functions", IMA J. Numer. Anal. 41, 2021): no
    exponential exceeds 1, and the result is finite as long as the differences of a sample's
    logits are, so for all logits up to half the largest number in size.
    """

    curvature: float | None = None
    gives_probabilities = True

    def value(self, outputs: Array, targets: Array) -> Array:
        """Return log(sum_c exp(a_c)) - a_t for each sample, (B, K)."""
        shifted = outputs - outputs.real.max(axis=-1, keepdims=True)
        loss: Array = np.log(np.exp(shifted).sum(axis=-1)) - (shifted * targets).sum(axis=-1)
        return loss

    def gradient(self, outputs: Array, targets: Array) -> Array:
        """Return softmax(a) - t, (B, K, C)."""
        return softmax(outputs) - targets


def gives_probabilities(loss: Loss) -> bool:
    """Return whether the softmax of the outputs that a loss is for are probabilities.

    A loss says so by an attribute of this name.
    """
    return getattr(loss, "gives_probabilities", False)


def softmax(logits: Array) -> Array:
    """Return exp(a_c) / sum_j exp(a_j) over the last axis, shifted by the largest logit."""
    exponentials: Array = np.exp(logits - logits.real.max(axis=-1, keepdims=True))
    exponentials /= exponentials.sum(axis=-1, keepdims=True)
    return exponentials


LOSSES.add("squared_error", SquaredError())
LOSSES.add("softmax_cross_entropy", SoftmaxCrossEntropy())
