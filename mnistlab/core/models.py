"""Models turn pre-activations into outputs and carry gradients back; initializers draw weights.

Shapes: A, outputs and their gradients are (B, K, C): batch, configurations, classes; the initial
weights of one configuration are (D, C), D features. The pre-activations A = X W + b are the
business of the trainer, so a model is only what happens after them. Biases start at zero.
"""

from collections.abc import Callable, Mapping
from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from mnistlab.core.coding import OneAgainstOne
from mnistlab.core.registry import Registry

Array = NDArray[np.floating]
Weights = NDArray[np.float64]
Pullback = Callable[[Array], Array]


class Model(Protocol):
    """What the trainer, the gradient check and the tests ask of a model.

    One that has `coding` tells classes apart in that way, all others by a column for each class.
    """

    is_linear: bool
    """Whether the outputs are the pre-activations themselves."""

    def forward(self, A: Array) -> tuple[Array, Pullback]:
        """Return the outputs (B, K, C) and the map from dL/d(outputs) to dL/dA."""
        ...


MODELS: Registry[Model] = Registry("model")


class Linear:
    """y = a: linear regression on one-hot labels, or logits for a softmax loss."""

    is_linear = True

    def forward(self, A: Array) -> tuple[Array, Pullback]:
        """Return A itself and the identity."""
        return A, lambda gradient: gradient


class Sigmoid:
    """y = 1 / (1 + exp(-a)), class by class: every output lies in [0, 1]."""

    is_linear = False

    def forward(self, A: Array) -> tuple[Array, Pullback]:
        """Return sigmoid(A) and the product with its derivative.

        With e = exp(-|a|), the sigmoid is 1/(1+e) or e/(1+e) by the sign of a and its
        derivative e/(1+e)^2: nothing overflows, and both tails keep full precision, which
        y(1-y) would lose where y rounds to 1.
        """
        sign = np.copysign(1, A.real)
        e = np.exp(-sign * A)
        outputs = np.where(sign > 0, 1, e) / (1 + e)
        return outputs, lambda gradient: gradient * (e / (1 + e) ** 2)


class Pairwise(Linear):
    """y = a for each pair of classes, +1 for the first and -1 for the second; the votes decide.

    Knerr, Personnaz and Dreyfus, "Single-layer learning revisited", 1990; the pairwise linear
    classifier of LeCun, Bottou, Bengio and Haffner, "Gradient-based learning applied to document
    recognition", Proc. IEEE 86, 1998.
    """

    is_linear = False  # a column does not see all samples, so no limit of theirs holds for it
    coding = OneAgainstOne()


MODELS.add("linear", Linear())
MODELS.add("sigmoid", Sigmoid())
MODELS.add("pairwise", Pairwise())


class Initializer(Protocol):
    """What the trainer asks of an initializer."""

    options: ClassVar[Mapping[str, float]]
    """The hyperparameters it reads, with their usual values."""

    def weights(self, D: int, C: int, scale: float, generator: np.random.Generator) -> Weights:
        """Return weights of shape (D, C) in float64."""
        ...


INITIALIZERS: Registry[Initializer] = Registry("init")


class Zeros:
    """All weights zero: with one layer there is no symmetry to break."""

    options: ClassVar[Mapping[str, float]] = {}

    def weights(self, D: int, C: int, scale: float, generator: np.random.Generator) -> Weights:  # noqa: ARG002
        """Return zeros."""
        return np.zeros((D, C))


class Normal:
    """Weights from a normal distribution with mean 0 and standard deviation `init_scale`."""

    options: ClassVar[Mapping[str, float]] = {"init_scale": 0.01}

    def weights(self, D: int, C: int, scale: float, generator: np.random.Generator) -> Weights:
        """Return draws from N(0, scale^2)."""
        return generator.normal(0.0, scale, (D, C))


class Uniform:
    """Weights drawn evenly from [-init_scale, init_scale)."""

    options: ClassVar[Mapping[str, float]] = {"init_scale": 0.01}

    def weights(self, D: int, C: int, scale: float, generator: np.random.Generator) -> Weights:
        """Return draws from U(-scale, scale)."""
        return generator.uniform(-scale, scale, (D, C))


INITIALIZERS.add("zeros", Zeros())
INITIALIZERS.add("normal", Normal())
INITIALIZERS.add("uniform", Uniform())
