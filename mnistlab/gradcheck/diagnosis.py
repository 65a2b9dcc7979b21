"""Names what is wrong with a gradient: a known mistake that fits, else the shape of its error.

Shapes: a gradient has the shape of its coordinates, (C,), (B, C) or (D, C).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from mnistlab.core.losses import softmax
from mnistlab.gradcheck.mistakes import MISTAKES, Anatomy, Distortion

Floats = NDArray[np.floating]

_FIT = 0.01
"""What a mistake may leave unexplained of the largest error."""

_CLOSE_FIT = 1e-6
"""The same for what fits as well as exactly: where all pre-activations are nearly equal, say, a
temperature comes near to a factor. Of two mistakes together there are so many that some come near
by chance."""

MEAN_OVER_CLASSES = "classes where the loss has a mean"
_BASE = "one of the two has a logarithm to base {} where the natural one belongs"

_TEMPERATURES = (0.1, 0.2, 0.25, 0.5, 2.0, 3.0, 4.0, 5.0, 10.0)
"""Those that are used in courses."""

Candidate = tuple[str, Distortion]
"""What may be wrong, and the gradients that it leads to."""


def diagnose(analytic: Floats, true: Floats, tolerance: Floats, anatomy: Anatomy) -> str:
    """Return one sentence on what is wrong with `analytic`, which ought to be `true`."""
    if not np.isfinite(analytic).all():
        return _not_finite(analytic)
    gap = _Gap(analytic, true, tolerance)
    usual = [(mistake.sentence, mistake.distort) for mistake in MISTAKES.values()]
    fitting = [sentence for sentence, distort in usual if gap.fits(distort(true, anatomy))]
    if fitting:  # two can come to the same, such as a factor 2 and a batch of 2
        return "; or ".join(fitting[:2])
    if not analytic.any():
        return "it is zero everywhere"
    rarer = [
        *_chain_rule(anatomy),
        *_wrong_classes(anatomy),
        *_wrong_rows(anatomy),
        *_factors(anatomy),
    ]
    exact_first = (
        sentence
        for share in (_CLOSE_FIT, _FIT)
        for sentence, distort in rarer
        if gap.fits(distort(true, anatomy), share)
    )
    return (
        next(exact_first, "")
        or _penalty_factor(gap, anatomy)
        or _smoothed_labels(gap, anatomy)
        or _two_mistakes(gap, anatomy, usual, rarer)
        or _any_factor(gap)
        or _true_class(gap, anatomy)
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

    def fits(self, wrong: Sequence[Floats], share: float = _FIT) -> bool:
        """Whether a mistake leads to one of these, leaving at most that share of the error."""
        allowed = np.maximum(self.tolerance, share * np.abs(self.error).max())
        return any(
            bool(np.isfinite(each).all() and (np.abs(each - self.analytic) <= allowed).all())
            and bool((np.abs(each - self.true) > self.tolerance).any())
            for each in wrong
        )


def _not_finite(analytic: Floats) -> str:
    index = tuple(int(i) for i in np.argwhere(~np.isfinite(analytic))[0])
    return (
        f"coordinate {place(index)} is {analytic[index]}: look for a division by zero, log(0), or "
        "exp of a large number"
    )


def _two_mistakes(
    gap: _Gap, anatomy: Anatomy, usual: Sequence[Candidate], rarer: Sequence[Candidate]
) -> str:
    """Recognise two mistakes, at least one of them a usual one, whichever was made first."""
    for (one, distort), (other, next_distort) in product(usual, [*usual, *rarer]):
        if one == other:
            continue
        for first, second in ((distort, next_distort), (next_distort, distort)):
            wrong = [both for wrong in first(gap.true, anatomy) for both in second(wrong, anatomy)]
            if gap.fits(wrong, _CLOSE_FIT):
                return f"two mistakes at once: (1) {one}; (2) {other}"
    return ""


def _in_place_of(dA: Floats) -> Distortion:
    """Return the distortion that has other gradients dL/dA of the samples, (B, C)."""
    return lambda true, anatomy: [true + anatomy.backward(dA - anatomy.per_sample)]


def _times(factor: float) -> Distortion:
    return lambda true, _: [factor * true]


def _chain_rule(anatomy: Anatomy) -> list[Candidate]:
    """Return derivatives that stop at the softmax' outputs or at its diagonal."""
    probability = anatomy.per_sample + anatomy.targets  # of a softmax cross-entropy
    hit = anatomy.targets > 0
    if 2.0 in anatomy.target_weights[:1] or np.any(probability[hit] <= 0):
        return []
    if np.any(probability > 1):
        return []
    nothing = np.zeros_like(probability)
    known = {
        "it is the derivative by the softmax' outputs, -1/p; go on to the pre-activations with "
        "the chain rule": np.where(hit, -1 / np.where(hit, probability, 1), nothing),
        "only the true class has a derivative; each other pre-activation moves the softmax' "
        "denominator too, by its probability": np.where(hit, probability - 1, nothing),
        "it is the derivative of the softmax itself, p(1 - p); the logarithm of the loss is "
        "missing": probability * (1 - probability),
        "the sum of exponentials is taken for a constant: its derivative, the probabilities, is "
        "missing": -anatomy.targets,
        "the softmax is applied twice: its outputs are handed to a function that takes "
        "pre-activations": softmax(probability) - anatomy.targets,
    }
    with np.errstate(divide="ignore"):
        logits = np.log(probability)
    for heat in _TEMPERATURES:
        cooled = softmax(logits / heat) - anatomy.targets
        told = f"the pre-activations are divided by a temperature of {heat:g} here, not in the loss"
        known[told] = cooled / heat
        known[f"{told}; the derivative is not divided by it"] = cooled
    return [(sentence, _in_place_of(wrong)) for sentence, wrong in known.items()]


def _wrong_rows(anatomy: Anatomy) -> list[Candidate]:
    """Return the gradients of a batch in another order than its samples."""
    rows, B = anatomy.per_sample, anatomy.batch_size
    orders = [np.roll(rows, shift, axis=0) for shift in range(1, B)] + (
        [rows[::-1]] if B > 2 else []
    )
    sentence = "the samples of the batch are in another order than in the loss"
    return [(sentence, _in_place_of(order)) for order in orders]


def _wrong_classes(anatomy: Anatomy) -> list[Candidate]:
    """Return targets that are subtracted at the wrong class."""
    C = anatomy.targets.shape[1]
    found: list[Candidate] = []
    slopes = (np.ones_like(anatomy.slope), anatomy.slope)
    shifts = (1, C - 1, *range(2, C - 1))
    for shift, weight, slope in product(shifts, anatomy.target_weights, slopes):
        moved = anatomy.targets - np.roll(anatomy.targets, shift, axis=1)
        beside = shift in (1, C - 1)
        where = (
            "one beside the true one: count the classes from where the loss does"
            if beside
            else "another one"
        )
        wrong = anatomy.per_sample + weight * moved * slope
        found.append((f"the target is subtracted at the wrong class, {where}", _in_place_of(wrong)))
    return found if C > 1 else []


def _factors(anatomy: Anatomy) -> list[Candidate]:
    """Return constant factors whose meaning is known."""
    C = anatomy.targets.shape[1]
    meanings = {
        1 / math.log(2): _BASE.format(2),
        math.log(2): _BASE.format(2),
        1 / math.log(10): _BASE.format(10),
        math.log(10): _BASE.format(10),
        0.5: "a factor 2 is missing here, or one too many in the loss",
    }
    if C > 2:
        meanings[1 / C] = f"a mean over the {C} classes where a sum belongs"
        meanings[float(C)] = f"a sum over the {C} {MEAN_OVER_CLASSES}"
    if anatomy.averaged is not None and anatomy.batch_size > 1:
        meanings[1 / anatomy.batch_size] = "a division by the batch size too many"
        meanings[float(anatomy.batch_size)] = "a division by the batch size is missing"
    return [
        (f"every coordinate is {factor:.6g} times what it should be: {meaning}", _times(factor))
        for factor, meaning in meanings.items()
    ]


def _any_factor(gap: _Gap) -> str:
    size = float(np.vdot(gap.true, gap.true))
    factor = float(np.vdot(gap.true, gap.analytic)) / size if size else 0.0
    if abs(factor) < 1e-7 or abs(factor - 1) < 9e-6 or not gap.fits([factor * gap.true]):
        return ""
    sign = "minus " if factor < 0 else ""
    return (
        f"every coordinate is {sign}{abs(factor):.6g} times what it should be: a constant factor "
        "is wrong here or in the loss"
    )


def _penalty_factor(gap: _Gap, anatomy: Anatomy) -> str:
    if anatomy.penalty is None or not anatomy.penalty.any():
        return ""
    factor = 1 + float(np.vdot(gap.error, anatomy.penalty) / np.vdot(*[anatomy.penalty] * 2))
    if not gap.fits([gap.true + (factor - 1) * anatomy.penalty]):
        return ""
    return (
        f"the penalty's part is {factor:.6g} times what it should be: it must be the derivative of "
        "the penalty in the loss"
    )


def _smoothed_labels(gap: _Gap, anatomy: Anatomy) -> str:
    """Recognise targets of which a part is spread evenly over the classes."""
    C = anatomy.targets.shape[1]
    direction = anatomy.backward(anatomy.targets - 1 / C) * anatomy.target_weights[0]
    size = float(np.vdot(direction, direction))
    share = float(np.vdot(direction, gap.error)) / size if size else 0.0
    if C < 2 or not 1e-6 < share < 1 or not gap.fits([gap.true + share * direction]):
        return ""
    return (
        f"the labels are smoothed here and not in the loss: {share:.3g} of each target is spread "
        "over all classes"
    )


def _true_class(gap: _Gap, anatomy: Anatomy) -> str:
    """Recognise a target that enters with a wrong factor."""
    if gap.error.size != anatomy.targets.size:
        return ""
    error = gap.error.reshape(anatomy.targets.shape)
    off = np.abs(error) > gap.tolerance.reshape(error.shape)
    by = float(error[off][0]) if off.any() else 0.0
    is_multiple = np.isclose(by % anatomy.target_weights[0], 0)
    if not is_multiple or not np.array_equal(off, anatomy.targets > 0):
        return ""
    return (
        f"only the true class is wrong, there by {by:+.6g}: look at how the target enters "
        "(it must be subtracted once)"
    )


def _constant_offset(gap: _Gap) -> str:
    offset = float(gap.error.mean())
    if gap.error.size < 3 or not gap.fits([gap.true + offset]):
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
        "no known mistake explains it, there may be more than one: it points "
        f"{_agreement(cosine)} (cosine {cosine:.3f}) and differs most at coordinate "
        f"{place(index)}, which is {analytic[index]:.6g} and should be {true[index]:.6g}"
    )


def _agreement(cosine: float) -> str:
    if cosine > 0.9:
        return "roughly the right way"
    if cosine < -0.9:
        return "roughly the opposite way"
    return "another way"
