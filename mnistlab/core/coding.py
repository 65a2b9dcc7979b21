"""How classes are told apart by the columns of a model: one for each class, or one for each pair.

Shapes: B batch, K configurations, C classes, P columns, N samples. Where nothing else is said, C is
P: a column for each class, whose target is 1 for samples of that class and 0 for others.
"""

import math
from typing import Protocol

import numpy as np
from numpy.typing import DTypeLike, NDArray

Array = NDArray[np.floating]


class Coding(Protocol):
    """What the trainer asks of a way to tell classes apart."""

    def columns(self, C: int) -> int:
        """Return P for so many classes."""
        ...

    def code(self, P: int) -> NDArray[np.float64]:
        """Return what each column is trained towards for each class, (C, P)."""
        ...

    def counted(self, targets: Array) -> NDArray[np.bool_] | None:
        """Return which columns say anything of a sample, like `targets`; None for all."""
        ...

    def scores(self, outputs: Array) -> Array:
        """Return how strongly the outputs (B, K, P) speak for each class, (B, K, C)."""
        ...


class OneHot:
    """A column for each class."""

    def columns(self, C: int) -> int:
        """Return C."""
        return C

    def code(self, P: int) -> NDArray[np.float64]:
        """Return the identity."""
        return np.eye(P)

    def counted(self, targets: Array) -> None:  # noqa: ARG002 - each column counts for each sample
        """Return None."""
        return

    def scores(self, outputs: Array) -> Array:
        """Return the outputs."""
        return outputs


class OneAgainstOne:
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


ONE_HOT = OneHot()


def targets_of(coding: Coding, labels: NDArray[np.integer], P: int, dtype: DTypeLike) -> Array:
    """Return targets (N, 1, P), stored column by column like every array of pre-activations."""
    code = coding.code(P).astype(dtype)
    return code.T.take(labels, axis=1).T[:, None, :]
