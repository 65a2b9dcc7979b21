"""The usual mistakes in a gradient: each can be made on purpose, and recognised when met.

Shapes: B batch, C classes; the gradient in question has the shape of its coordinates, which
may be pre-activations (B, C), weights (D, C) or biases (C,).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from mnistlab.core import Registry
from mnistlab.core.losses import Loss
from mnistlab.gradcheck.differences import Floats


@dataclass(frozen=True)
class Anatomy:
    """What a gradient is made of, as far as it is known.

    Attributes:
        coordinates: "pre-activations", "weights" or "biases".
        backward: carries per-sample gradients dL/dA (B, C) to these coordinates, reduced over
            the batch and without the penalty.
        per_sample: the right gradient dL/dA of each sample, (B, C).
        targets: one-hot, (B, C).
        target_weights: what each target may stand in dL/dy with: 1 as in y - t, 2 as in 2(y - t).
        slope: the derivative of a sigmoid (or of the model) at the pre-activations, (B, C).
        averaged: whether the loss is a mean over the batch, None where there is no batch.
        penalty: the penalty's part of the gradient, None where there is no penalty.
    """

    coordinates: str
    backward: Callable[[Floats], Floats]
    per_sample: Floats
    targets: Floats
    target_weights: tuple[float, ...]
    slope: Floats
    averaged: bool | None
    penalty: Floats | None


@dataclass(frozen=True)
class Case:
    """A gradient to check: of which model and loss, by what, and over what.

    Attributes:
        coordinates: "pre-activations", "weights" or "biases".
        reduction: how a batch is reduced, None for a single sample.
        weight_decay: the factor of the penalty.
    """

    model: str = "linear"
    loss: str = "softmax_cross_entropy"
    coordinates: str = "pre-activations"
    reduction: str | None = None
    weight_decay: float = 0.0

    def __str__(self) -> str:
        """Return its name, as tables and JSON show it."""
        over = "one sample" if self.reduction is None else f"batch {self.reduction}"
        penalty = f", weight decay {self.weight_decay:g}" if self.weight_decay else ""
        return f"{self.model}, {self.loss} by {self.coordinates}, {over}{penalty}"


Distortion = Callable[[Floats, Anatomy], list[Floats]]


@dataclass(frozen=True)
class Mistake:
    """A way to get a gradient wrong.

    Attributes:
        sentence: what is wrong and what to do about it.
        distort: returns the wrong gradients that the mistake may lead to, given the right one;
            none where it cannot be made.
        shown_by: a case in which it can be seen.
        loss: a faulty loss to take the place of the right one, for a mistake that is made there.
    """

    sentence: str
    distort: Distortion
    shown_by: Case = Case()
    loss: Loss | None = None


def changed(true: Floats, anatomy: Anatomy, *wrong: Floats) -> list[Floats]:
    """Return the gradients that come of wrong per-sample gradients dL/dA."""
    return [true + anatomy.backward(dA - anatomy.per_sample) for dA in wrong]


def _times(factor: float, true: Floats, anatomy: Anatomy) -> list[Floats]:
    """Return a gradient multiplied, and one of which only the data's part is multiplied."""
    penalty = 0.0 if anatomy.penalty is None else anatomy.penalty
    return [factor * true, (true - penalty) * factor + penalty]


def _transposed(true: Floats, _: Anatomy) -> list[Floats]:
    return [true.T.reshape(true.shape)] if true.ndim == 2 and min(true.shape) > 1 else []


def _with_targets(times: int, true: Floats, anatomy: Anatomy) -> list[Floats]:
    """Return the gradients to which the targets are added so often."""
    wrong = (
        anatomy.per_sample + times * weight * anatomy.targets * derivative
        for derivative in (np.ones_like(anatomy.slope), anatomy.slope)
        for weight in anatomy.target_weights
    )
    return changed(true, anatomy, *wrong)


@np.errstate(all="ignore")
def _without_slope(true: Floats, anatomy: Anatomy) -> list[Floats]:
    return changed(true, anatomy, anatomy.per_sample / anatomy.slope)


class _UnshiftedCrossEntropy:
    """Softmax cross-entropy as one first writes it down, which overflows above 709."""

    curvature: float | None = None

    def value(self, outputs: Floats, targets: Floats) -> Floats:
        loss: Floats = np.log(np.exp(outputs).sum(axis=-1)) - (outputs * targets).sum(axis=-1)
        return loss

    def gradient(self, outputs: Floats, targets: Floats) -> Floats:
        exponentials = np.exp(outputs)
        gradient: Floats = exponentials / exponentials.sum(axis=-1, keepdims=True) - targets
        return gradient


MISTAKES: Registry[Mistake] = Registry("mistake")

for _name, _mistake in {
    "sign": Mistake(
        "the sign is wrong: it is the negative of the loss' derivative; turn the sign of one",
        partial(_times, -1),
    ),
    "factor_two": Mistake(
        "it is 2 times what it should be: a factor 2 too many here, or one missing in the loss",
        partial(_times, 2),
    ),
    "batch_division_missing": Mistake(
        "it is summed over the batch although the loss is averaged: the division by the batch "
        "size is missing",
        lambda true, anatomy: (
            _times(len(anatomy.targets), true, anatomy)[1:] if anatomy.averaged is True else []
        ),
        Case(coordinates="weights", reduction="mean"),
    ),
    "averaged_not_summed": Mistake(
        "it is averaged over the batch although the loss is a sum: leave out the division by "
        "the batch size",
        lambda true, anatomy: (
            _times(1 / len(anatomy.targets), true, anatomy)[1:] if anatomy.averaged is False else []
        ),
        Case(coordinates="weights", reduction="sum"),
    ),
    "transposed": Mistake(
        "it is transposed: the right numbers stand in the wrong order; swap rows and columns",
        _transposed,
        Case(coordinates="weights", reduction="mean"),
    ),
    "one_hot_missing": Mistake(
        "the one-hot target is not subtracted from the output of the true class",
        partial(_with_targets, 1),
    ),
    "one_hot_added": Mistake(
        "the one-hot target is added to the output of the true class: subtract it",
        partial(_with_targets, 2),
    ),
    "sigmoid_derivative_missing": Mistake(
        "the derivative of the sigmoid is missing: multiply by y(1 - y) (chain rule)",
        _without_slope,
        Case("sigmoid", "squared_error"),
    ),
    "sigmoid_derivative_twice": Mistake(
        "the derivative of the sigmoid is applied twice: multiply by y(1 - y) only once",
        lambda true, anatomy: changed(true, anatomy, anatomy.per_sample * anatomy.slope),
        Case("sigmoid", "squared_error"),
    ),
    "penalty_missing": Mistake(
        "the penalty is missing: add weight_decay times the weights",
        lambda true, anatomy: [] if anatomy.penalty is None else [true - anatomy.penalty],
        Case(coordinates="weights", reduction="mean", weight_decay=0.1),
    ),
    "bias_missing": Mistake(
        "the bias is missing: its gradient is the sum of dL/da over the batch, not zero",
        lambda true, anatomy: [0 * true] if anatomy.coordinates == "biases" else [],
        Case(coordinates="biases", reduction="mean"),
    ),
    "unshifted_softmax": Mistake(
        "the softmax is not stabilised: exp overflows above 709; subtract the largest "
        "pre-activation first",
        lambda _true, _anatomy: [],
        loss=_UnshiftedCrossEntropy(),
    ),
}.items():
    MISTAKES.add(_name, _mistake)
