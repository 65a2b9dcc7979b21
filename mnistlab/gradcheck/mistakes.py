"""The usual mistakes in gradients and losses, and the usual losses by which those are recognised.

A mistake in a gradient can be made on purpose, too.

Shapes: B batch, C classes; the gradient in question has the shape of its coordinates, which
may be pre-activations (B, C), weights (D, C) or biases (C,).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from mnistlab.core import Registry
from mnistlab.core.losses import LOSSES, Loss, softmax
from mnistlab.core.models import MODELS
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


_LIKE = 1e-3
"""How near to a multiple of a known loss values must be; a number that is added against log(0), or
float16, moves them by less."""


@dataclass(frozen=True)
class Reference:
    """A loss of pre-activations and targets, both (B, C).

    Attributes:
        value: each sample's loss (B,).
        gradient: dL/dA (B, C).
        is_squared: whether it is a squared error, of which courses take the half too, or the mean
            over the classes.
    """

    value: Callable[[Floats, Floats], Floats]
    gradient: Callable[[Floats, Floats], Floats]
    is_squared: bool = False


def _of(model: str, loss: str) -> Reference:
    """Return one of ours, whose arrays are (B, K, C) with K = 1."""

    def value(A: Floats, targets: Floats) -> Floats:
        outputs, _ = MODELS[model].forward(A[:, None])
        return LOSSES[loss].value(outputs, targets[:, None])[:, 0]

    def gradient(A: Floats, targets: Floats) -> Floats:
        outputs, pullback = MODELS[model].forward(A[:, None])
        return pullback(LOSSES[loss].gradient(outputs, targets[:, None]))[:, 0]

    return Reference(value, gradient, loss == "squared_error")


CROSS_ENTROPY, OF_SIGMOID = "softmax cross-entropy", "cross-entropy of a sigmoid"

REFERENCES: Mapping[str, Reference] = {
    CROSS_ENTROPY: _of("linear", "softmax_cross_entropy"),
    "squared error": _of("linear", "squared_error"),
    "squared error of a sigmoid": _of("sigmoid", "squared_error"),
    OF_SIGMOID: Reference(
        lambda A, targets: (np.logaddexp(0, A) - targets * A).sum(axis=1),
        lambda A, targets: MODELS["sigmoid"].forward(A[:, None])[0][:, 0] - targets,
    ),
}


@dataclass(frozen=True)
class Known:
    """A loss that is `factor` times a known one, summed over the batch.

    Attributes:
        is_exact: whether it is so but for rounding.
    """

    name: str
    factor: float
    is_exact: bool

    @property
    def reference(self) -> Reference:
        """Return the known loss."""
        return REFERENCES[self.name]

    def is_usual(self, share: float, C: int) -> bool:
        """Whether a course would write the factor; a sample counts `share` in a batch."""
        usual = [1.0, 0.5, 1 / C, 0.5 / C] if self.reference.is_squared else [1.0]
        return bool(np.isclose(self.factor / share, usual, rtol=_LIKE).any())


def recognise(
    values: Sequence[float], points: Sequence[tuple[Floats, Floats]], rounding: float
) -> Known | None:
    """Return the loss that has these values at these pre-activations and targets, up to a factor.

    `rounding` is the relative error of the values.
    """
    found = np.array(values)
    if not np.isfinite(found).all() or not found.any():
        return None
    for name, reference in REFERENCES.items():
        expected = np.array([reference.value(A, targets).sum() for A, targets in points])
        if not expected.any():
            continue
        factor = float(found @ expected / (expected @ expected))
        error = np.abs(found - factor * expected) / np.abs(found).max()
        if factor and error.max() < _LIKE:
            return Known(name, factor, bool(error.max() < max(1e-9, 100 * rounding)))
    return None


_UNSHIFTED = (
    "the maximum is subtracted where the exponentials are summed, but not from the true class' "
    "pre-activation: subtract it there too, or add it back"
)


def about_loss(value: float, A: Floats, targets: Floats, reference: Reference, share: float) -> str:
    """Return what is wrong with a loss that has this value, or nothing; a row counts `share`."""
    C = A.shape[1]
    wanted = float(reference.value(A, targets).sum()) * share
    if _is_near(value, wanted):
        return ""
    known = [
        ("the minus sign is missing", -wanted),
        ("the logarithm must be the natural one, not to base 2", wanted / np.log(2)),
        ("the logarithm must be the natural one, not to base 10", wanted / np.log(10)),
        ("it is divided by the number of classes", wanted / C),
        ("it is 2 times what it should be", 2 * wanted),
        ("it is half of what it should be", wanted / 2),
    ]
    extra = 0.0
    if reference is REFERENCES[CROSS_ENTROPY]:
        p = softmax(A)
        hit = float((p * targets).sum()) * share
        known += [
            ("the logarithm is missing", hit),
            ("the logarithm is missing", -hit),
            ("only the true class' logarithm counts, not those of all", -np.log(p).sum() * share),
            (_UNSHIFTED, wanted - float(A.max(axis=1).sum()) * share),
        ]
        extra = added_inside(value, A, targets, share)
    if extra:
        told = f"{extra:.1g} seems to be added inside the logarithm, but not in the gradient"
        known.append((told, value))
    return next((f": {meaning}" for meaning, number in known if _is_near(value, number)), "")


def added_inside(value: float, A: Floats, targets: Floats, share: float) -> float:
    """Return the power of ten that a softmax cross-entropy adds to its probabilities, or 0."""
    p = (softmax(A) * targets).sum(axis=1)
    if not p.all():
        return 0.0  # labels of a single output, or far out
    wanted = -float(np.log(p).sum()) * share
    for extra in 10.0 ** -np.arange(2, 16):
        moved = -float(np.log(p + extra).sum()) * share
        if abs(value - moved) < 1e-2 * abs(wanted - moved):
            return float(extra)
    return 0.0


def _is_near(value: float, number: float) -> bool:
    return bool(np.isclose(value, number, rtol=1e-6))
