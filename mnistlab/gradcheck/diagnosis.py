"""Names what is wrong with a gradient: a known mistake that fits, else the shape of its error.

Shapes: a gradient has the shape of its coordinates, (C,), (B, C) or (D, C).
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mnistlab.gradcheck.mistakes import MISTAKES, Anatomy

Floats = NDArray[np.floating]

_FIT = 0.01
"""What a mistake may leave unexplained of the largest error."""

_BASE = "one of the two has a logarithm to base {} where the natural one belongs"
_KNOWN_FACTORS = {
    1 / math.log(2): _BASE.format(2),
    math.log(2): _BASE.format(2),
    1 / math.log(10): _BASE.format(10),
    math.log(10): _BASE.format(10),
    0.5: "a factor 2 is missing here, or one too many in the loss",
}


def diagnose(analytic: Floats, true: Floats, tolerance: Floats, anatomy: Anatomy) -> str:
    """Return one sentence on what is wrong with `analytic`, which ought to be `true`."""
    if not np.isfinite(analytic).all():
        return _not_finite(analytic)
    gap = _Gap(analytic, true, tolerance)
    fitting = [
        mistake.sentence
        for mistake in MISTAKES.values()
        if any(gap.is_explained_by(wrong) for wrong in mistake.distort(true, anatomy))
    ]
    if fitting:  # two can come to the same, such as a factor 2 and a batch of 2
        return "; or ".join(fitting[:2])
    if not analytic.any():
        return "it is zero everywhere"
    return (
        _chain_rule(gap, anatomy)
        or _wrong_class(gap, anatomy)
        or _constant_factor(gap, anatomy)
        or _few_coordinates(gap)
        or _constant_offset(gap)
        or _low_precision(gap)
        or _nothing_known(gap)
    )


def place(index: tuple[int, ...]) -> str:
    """Return a coordinate as one writes it: 3 or [2, 3]."""
    return str(index[0]) if len(index) == 1 else str([int(i) for i in index])


@dataclass(frozen=True)
class _Gap:
    """A gradient, the right one, and by how much right ones may differ."""

    analytic: Floats
    true: Floats
    tolerance: Floats

    @property
    def error(self) -> Floats:
        """Return what is to be explained."""
        return self.analytic - self.true

    def is_explained_by(self, wrong: Floats) -> bool:
        """Whether a mistake that leads to `wrong` leaves next to nothing of the error."""
        left = np.abs(wrong - self.analytic)
        allowed = np.maximum(self.tolerance, _FIT * np.abs(self.error).max())
        changes_nothing = (np.abs(wrong - self.true) <= self.tolerance).all()
        return bool(np.isfinite(wrong).all() and (left <= allowed).all() and not changes_nothing)


def _not_finite(analytic: Floats) -> str:
    index = tuple(int(i) for i in np.argwhere(~np.isfinite(analytic))[0])
    return (
        f"coordinate {place(index)} is {analytic[index]}: look for a division by zero, log(0), or "
        "exp of a large number"
    )


def _chain_rule(gap: _Gap, anatomy: Anatomy) -> str:
    """Recognise derivatives that stop at the softmax' outputs or at its diagonal."""
    if anatomy.coordinates != "pre-activations" or 2.0 in anatomy.target_weights[:1]:
        return ""
    probability = anatomy.per_sample + anatomy.targets  # of a softmax cross-entropy
    hit = anatomy.targets > 0
    if np.any(probability[hit] <= 0) or np.any(probability > 1):
        return ""
    nothing = np.zeros_like(anatomy.per_sample)
    by_outputs = np.where(hit, -1 / np.where(hit, probability, 1), nothing)
    diagonal = np.where(hit, probability - 1, nothing)
    known = {
        "it is the derivative by the softmax' outputs, -1/p; go on to the pre-activations with "
        "the chain rule": by_outputs,
        "only the true class has a derivative; each other pre-activation moves the softmax' "
        "denominator too, by its probability": diagonal,
        "it is the derivative of the softmax itself, p(1 - p); the logarithm of the loss is "
        "missing": probability * (1 - probability),
    }
    for sentence, wrong in known.items():
        if gap.is_explained_by(anatomy.backward(wrong)):
            return sentence
    return ""


def _constant_factor(gap: _Gap, anatomy: Anatomy) -> str:
    true = gap.true
    size = float(np.vdot(true, true))
    if size == 0:
        return ""
    factor = float(np.vdot(true, gap.analytic)) / size
    if abs(factor) < 1e-7 or abs(factor - 1) < 9e-6 or not gap.is_explained_by(factor * true):
        return ""
    magnitude, sign = abs(factor), "minus " if factor < 0 else ""
    meanings = dict(_KNOWN_FACTORS)
    C = anatomy.targets.shape[1]
    if C > 2:
        meanings[1 / C] = f"a mean over the {C} classes where a sum belongs"
        meanings[float(C)] = f"a sum over the {C} classes where the loss has a mean"
    if anatomy.averaged is not None and anatomy.batch_size > 1:
        meanings[1 / anatomy.batch_size] = "a division by the batch size too many"
        meanings[float(anatomy.batch_size)] = "a division by the batch size is missing"
    for known, meaning in meanings.items():
        if abs(magnitude / known - 1) < 1e-5:
            return f"every coordinate is {sign}{magnitude:.6g} times what it should be: {meaning}"
    return (
        f"every coordinate is {sign}{magnitude:.6g} times what it should be: a constant factor "
        "is wrong here or in the loss"
    )


def _wrong_class(gap: _Gap, anatomy: Anatomy) -> str:
    """Recognise a target subtracted at the wrong class, too often, or not enough."""
    if anatomy.coordinates != "pre-activations":
        return ""
    C = anatomy.targets.shape[1]
    for shift in range(1, C):
        moved = np.roll(anatomy.targets, shift, axis=1)
        if any(
            gap.is_explained_by(gap.true + anatomy.backward(weight * (anatomy.targets - moved)))
            for weight in anatomy.target_weights
        ):
            beside = shift in (1, C - 1)
            where = "one beside the true one: count the classes from 0" if beside else "another one"
            return f"the target is subtracted at the wrong class, {where}"
    off = (np.abs(gap.error) > gap.tolerance).reshape(anatomy.targets.shape)
    if np.array_equal(off, anatomy.targets > 0):
        index = tuple(int(i) for i in np.argwhere(off)[0])
        by = gap.error.reshape(off.shape)[index]
        if not np.isclose(by % anatomy.target_weights[0], 0):
            return ""  # no multiple of a target
        return (
            f"only the true class is wrong, there by {by:+.6g}: look at how the target enters "
            "(it must be subtracted once)"
        )
    return ""


def _constant_offset(gap: _Gap) -> str:
    offset = float(gap.error.mean())
    if gap.error.size < 3 or not gap.is_explained_by(gap.true + offset):
        return ""
    return f"the same number, {offset:+.6g}, is added to every coordinate"


def _few_coordinates(gap: _Gap) -> str:
    analytic, true = gap.analytic, gap.true
    off = np.argwhere(np.abs(gap.error) > gap.tolerance)
    if not 0 < len(off) <= max(1, min(3, analytic.size // 4)):
        return ""
    wrong = [
        f"{place(index)} (is {analytic[index]:.8g}, should be {true[index]:.8g})"
        for index in (tuple(int(i) for i in row) for row in off)
    ]
    verb = "is" if len(wrong) == 1 else "are"
    return f"only {len(wrong)} of {analytic.size:,} coordinates {verb} wrong: {', '.join(wrong)}"


def _low_precision(gap: _Gap) -> str:
    size = float(np.abs(gap.true).max(initial=0))
    off = float(np.abs(gap.error).max(initial=0))
    if not 0 < off <= 1e-3 * size:
        return ""
    digits = int(-math.log10(off / size))
    return (
        f"it is right to {digits} digits only: look for float32, rounded constants, a small "
        "number added against log(0), or a numerical derivative in place of a formula"
    )


def _nothing_known(gap: _Gap) -> str:
    """Say how far the two point the same way and where they differ most."""
    analytic, true, error = gap.analytic, gap.true, np.abs(gap.error)
    lengths = float(np.linalg.norm(analytic) * np.linalg.norm(true))
    cosine = float(np.vdot(analytic, true)) / lengths if lengths else 0.0
    index = tuple(int(i) for i in np.unravel_index(int(error.argmax()), error.shape))
    return (
        f"no known mistake explains it: it points {_agreement(cosine)} (cosine {cosine:.3f}) and "
        f"differs most at coordinate {place(index)}, which is {analytic[index]:.6g} and should "
        f"be {true[index]:.6g}"
    )


def _agreement(cosine: float) -> str:
    if cosine > 0.9:
        return "roughly the right way"
    if cosine < -0.9:
        return "roughly the opposite way"
    return "another way"
