"""Loss and accuracy of a stack over a whole split.

Shapes: B rows at a time, D features, K configurations, C classes, N samples.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mnistlab.core.objective import Objective, Products
from mnistlab.core.samples import FeatureMap, FeatureReader, Samples, Values

Array = NDArray[np.floating]

BLOCK_ROWS = 1000
"""Rows whose outputs are reduced together, which hides the cost of the calls."""


_WIDE = 8
"""Columns from which on a comparison class by class beats argmax, which strides over a block for
each image: 0.25 ms a thousand rows instead of 1.4 at K = 32, but 0.06 instead of 0.02 at K = 1."""


@dataclass(frozen=True)
class Metrics:
    """Mean loss (K,) and share of correct predictions (K,) over a split."""

    loss: NDArray[np.float64]
    accuracy: NDArray[np.float64]


@dataclass(frozen=True)
class Evaluation:
    """Metrics of a split together with each sample's predicted class (N, K)."""

    metrics: Metrics
    predictions: NDArray[np.unsignedinteger]


def evaluate(parameters: Array, objective: Objective, samples: Samples) -> Evaluation:
    """Return metrics and predictions of stacked parameters (D+1, K, C) over all samples.

    The prediction is the class of the largest output, the lowest such class on a tie. Sums
    run in float64 whatever the dtype of the parameters.
    """
    N, (_, K, P) = len(samples), parameters.shape
    total = np.zeros(K)
    C = len(objective.coding.code(P))
    predictions = np.empty((N, K), np.min_scalar_type(C - 1))
    for part, losses, classes in _blocks(parameters, objective, samples):
        with np.errstate(over="ignore", invalid="ignore"):
            total += losses.sum(axis=0, dtype=np.float64)
        predictions[part] = classes
    correct = np.count_nonzero(predictions == samples.labels[:, None], axis=0)
    return Evaluation(Metrics(total / N, correct / N), predictions)


def measure(parameters: Array, objective: Objective, samples: Samples) -> Metrics:
    """Return the metrics alone, to the same bits, without room for all predictions."""
    total, correct = np.zeros(parameters.shape[1]), np.zeros(parameters.shape[1], np.intp)
    for part, losses, classes in _blocks(parameters, objective, samples):
        with np.errstate(over="ignore", invalid="ignore"):
            total += losses.sum(axis=0, dtype=np.float64)
        correct += np.count_nonzero(classes == samples.labels[part, None], axis=0)
    return Metrics(total / len(samples), correct / len(samples))


def score_images(
    parameters: Array, objective: Objective, samples: Samples
) -> tuple[Array, NDArray[np.bool_]]:
    """Return each image's loss (N, K) and whether its prediction is right (N, K)."""
    N, K = len(samples), parameters.shape[1]
    losses, right = np.empty((N, K), parameters.dtype), np.empty((N, K), bool)
    for part, values, classes in _blocks(parameters, objective, samples):
        losses[part] = values
        right[part] = classes == samples.labels[part, None]
    return losses, right


def pre_activations(parameters: Array, rows: Values, features: FeatureMap) -> Array:
    """Return A (n, C) of some rows of values (n, V) by one configuration's parameters (D+1, C)."""
    reader = FeatureReader(features, len(parameters) - 1, max(1, len(rows)), parameters.dtype)
    A: Array = reader.read(rows) @ parameters * reader.factor
    return A


def _blocks(
    parameters: Array, objective: Objective, samples: Samples
) -> Iterator[tuple[slice, Array, NDArray[np.integer]]]:
    """Yield a stretch of samples at a time with their losses (n, K) and predictions (n, K)."""
    N, P = len(samples), parameters.shape[2]
    block = min(BLOCK_ROWS, N)
    products = Products(parameters, block)
    tile = products.tile  # features that are used at once are still in the cache
    reader = samples.reader(tile, parameters.dtype)
    for first in range(0, N, block):
        part = slice(first, first + block)
        inputs, labels = samples.inputs[part], samples.labels[part]
        with np.errstate(over="ignore", invalid="ignore"):  # a diverged column shows in its loss
            for start in range(0, len(labels), tile):
                x = reader.read(inputs[start : start + tile])
                products.pre_activations(x, reader.factor, start)
            outputs, _ = objective.model.forward(products.A[: len(labels)])
            targets = objective.targets(labels, P, parameters.dtype)
            losses = objective.loss_of(outputs, targets)
        yield part, losses, largest_class(objective.coding.scores(outputs))


def largest_class(outputs: Array) -> NDArray[np.integer]:
    """Return the class of the largest output, the lowest such class on a tie, (n, K).

    What is not a number is not looked for: such a column has diverged, which its loss tells.
    """
    K, C = outputs.shape[1:]
    if K < _WIDE:
        classes: NDArray[np.integer] = outputs.argmax(axis=-1)
        return classes
    largest = outputs[..., 0].copy(order="K")
    class_type = np.min_scalar_type(C - 1).type
    classes = np.zeros_like(largest, class_type)
    for c in range(1, C):
        larger = (outputs[..., c] > largest).view(np.uint8)
        np.maximum(largest, outputs[..., c], out=largest)
        np.maximum(classes, larger * class_type(c), out=classes)
    return classes
