"""The losses of courses: which of them a user's loss is, and which of loss and gradient is wrong.

Shapes: B batch, C classes.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mnistlab.core.losses import LOSSES, softmax
from mnistlab.core.models import MODELS
from mnistlab.gradcheck.differences import Floats

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
