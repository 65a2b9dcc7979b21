"""Models turn pre-activations into outputs and back; codings say which columns are which class.

Shapes: A, outputs and their gradients are (B, K, P): batch, configurations, columns; the initial
weights of one configuration are (D, P), D features. Where nothing else is said, P is C, a column
for each class, whose target is 1 for samples of that class and 0 for others. N samples.

The pre-activations A = X W + b are the business of the trainer, so a model is only what happens
after them. Biases start at zero.
"""

import math
from collections.abc import Callable, Mapping
from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import DTypeLike, NDArray

from mnistlab.core import Registry

Array = NDArray[np.floating]

Weights = NDArray[np.float64]
Pullback = Callable[[Array], Array]


class Coding:
    """How columns tell classes apart: a column for each class."""

    def columns(self, C: int) -> int:
        """Return P for so many classes."""
        return C

    def code(self, P: int) -> NDArray[np.float64]:
        """Return what each column is trained towards for each class, (C, P)."""
        return np.eye(P)

    def targets(self, labels: NDArray[np.integer], P: int, dtype: DTypeLike) -> Array:
        """Return targets (N, 1, P), stored column by column like every array of pre-activations."""
        return self.code(P).astype(dtype).T.take(labels, axis=1).T[:, None, :]

    def counted(self, targets: Array) -> NDArray[np.bool_] | None:  # noqa: ARG002
        """Return which columns say anything of a sample, like `targets`; None for all."""
        return None

    def scores(self, outputs: Array) -> Array:
        """Return how strongly the outputs (B, K, P) speak for each class, (B, K, C)."""
        return outputs


class OneAgainstOne(Coding):
    """A column for each pair of classes, in the order (0, 1), (0, 2), …, (C-2, C-1).

    Its target is 1 for samples of the first and -1 for those of the second; samples of other
    classes do not count. The class with most votes wins, of several such the one for which the sum
    of its columns' outputs is largest (Hastie and Tibshirani, "Classification by pairwise
    coupling", Annals of Statistics 26, 1998, have the votes from Friedman, 1996).
    """

    def columns(self, C: int) -> int:
        """Return C (C - 1) / 2."""
        return math.comb(C, 2)

    def code(self, P: int) -> NDArray[np.float64]:
        """Return 1 for a column's first class, -1 for its second, and 0 for all others."""
        C = (1 + math.isqrt(1 + 8 * P)) // 2
        first, second = np.triu_indices(C, 1)
        code = np.zeros((C, P))
        code[first, np.arange(P)], code[second, np.arange(P)] = 1, -1
        return code

    def counted(self, targets: Array) -> NDArray[np.bool_]:
        """Return where the target is not zero."""
        counted: NDArray[np.bool_] = targets != 0
        return counted

    def scores(self, outputs: Array) -> Array:
        """Return the votes for a class less those against it, and less than a vote for ties."""
        code = self.code(outputs.shape[-1]).T.astype(outputs.dtype)
        total = outputs @ code
        votes: Array = np.sign(outputs) @ code + total / (1 + np.abs(total)) / 2
        return votes


ONE_HOT = Coding()


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
