"""Names what is wrong with a gradient: a known mistake that fits, else the shape of its error.

Shapes: a gradient has the shape of its coordinates, (C,), (B, C) or (D, C).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product
from math import log, log10
from typing import SupportsInt

import numpy as np

from mnistlab.core.losses import softmax
from mnistlab.gradcheck.differences import Floats
from mnistlab.gradcheck.mistakes import MISTAKES, Anatomy, Distortion, changed

_FIT = 0.01
"""What a mistake may leave unexplained of the largest error."""

_CLOSE_FIT = 1e-6
"""The same for what fits as well as exactly: where all pre-activations are nearly equal, say, a
temperature comes near to a factor. Of two mistakes together there are so many that some come near
by chance."""

MEAN_OVER_CLASSES = "classes where the loss has a mean"

_TEMPERATURES = (0.1, 0.2, 0.25, 0.5, 2.0, 3.0, 4.0, 5.0, 10.0)
"""Those that are used in courses."""

Candidate = tuple[str, Distortion]
"""What may be wrong, and the gradients that it leads to."""


def diagnose(analytic: Floats, true: Floats, tolerance: Floats, anatomy: Anatomy) -> str:
    """Return one sentence on what is wrong with `analytic`, which ought to be `true`."""
    if not np.isfinite(analytic).all():
        index = tuple(np.argwhere(~np.isfinite(analytic))[0])
        return (
            f"coordinate {place(index)} is {analytic[index]}: look for a division by zero, log(0), "
            "or exp of a large number"
        )
    gap = _Gap(analytic, true, tolerance, anatomy)
    usual = [(mistake.sentence, mistake.distort) for mistake in MISTAKES.values()]
    fitting = [sentence for sentence, distort in usual if gap.fits(distort(true, anatomy))]
    if fitting:  # two can come to the same, such as a factor 2 and a batch of 2
        return "; or ".join(fitting[:2])
    if not analytic.any():
        return "it is zero everywhere"
    rarer = [*_chain_rule(anatomy), *_wrong_classes(anatomy), *_factors(anatomy)]
    exact_first = (
        sentence
        for share in (_CLOSE_FIT, _FIT)
        for sentence, distort in rarer
        if gap.fits(distort(true, anatomy), share)
    )
    return (
        next(exact_first, "")
        or _penalty_factor(gap)
        or _smoothed_labels(gap)
        or _two_mistakes(gap, usual, rarer)
        or _any_factor(gap)
        or _true_class(gap)
        or _few_coordinates(gap)
        or _constant_offset(gap)
        or _low_precision(gap)
        or _nothing_known(gap)
    )


def place(index: Iterable[SupportsInt]) -> str:
    """Return a coordinate as one writes it: 3 or [2, 3]."""
    numbers = [int(i) for i in index]
    return str(numbers[0] if len(numbers) == 1 else numbers)


@dataclass(frozen=True)
class _Gap:
    """A gradient, the right one, by how much right ones may differ, and what they are made of."""

    analytic: Floats
    true: Floats
    tolerance: Floats
    anatomy: Anatomy

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

    def multiple(self, direction: Floats) -> float:
        """Return which multiple of a direction the error is, 0 where it is none."""
        size = float(np.vdot(direction, direction))
        share = float(np.vdot(direction, self.error)) / size if size else 0.0
        return share if self.fits([self.true + share * direction]) else 0.0


def _two_mistakes(gap: _Gap, usual: Sequence[Candidate], rarer: Sequence[Candidate]) -> str:
    """Recognise two mistakes, at least one of them a usual one, whichever was made first."""
    for (one, distort), (other, next_distort) in product(usual, [*usual, *rarer]):
        if one == other:
            continue
        for first, second in ((distort, next_distort), (next_distort, distort)):
            once = first(gap.true, gap.anatomy)
            if gap.fits([b for wrong in once for b in second(wrong, gap.anatomy)], _CLOSE_FIT):
                return f"two mistakes at once: (1) {one}; (2) {other}"
    return ""


def _in_place_of(dA: Floats) -> Distortion:
    """Return the distortion that has other gradients dL/dA of the samples, (B, C)."""
    return lambda true, anatomy: changed(true, anatomy, dA)


def _chain_rule(anatomy: Anatomy) -> list[Candidate]:
    """Return derivatives that stop at the softmax' outputs or at its diagonal."""
    probability = anatomy.per_sample + anatomy.targets  # of a softmax cross-entropy
    hit = anatomy.targets > 0
    is_none = np.any(probability[hit] <= 0) or np.any(probability > 1)
    if 2.0 in anatomy.target_weights[:1] or is_none:
        return []
    known = {
        "it is the derivative by the softmax' outputs, -1/p; go on to the pre-activations with "
        "the chain rule": np.where(hit, -1 / np.where(hit, probability, 1), 0.0),
        "only the true class has a derivative; each other pre-activation moves the softmax' "
        "denominator too, by its probability": np.where(hit, probability - 1, 0.0),
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


def _wrong_classes(anatomy: Anatomy) -> list[Candidate]:
    """Return targets that are subtracted at the wrong class, and samples in another order."""
    rows, (B, C) = anatomy.per_sample, anatomy.targets.shape
    found: list[Candidate] = []
    slopes = (np.ones_like(anatomy.slope), anatomy.slope)
    # the classes beside the true one come first
    shifts = [shift for shift in (1, C - 1, *range(2, C - 1)) if C > 1]
    for shift, weight, slope in product(shifts, anatomy.target_weights, slopes):
        moved = anatomy.targets - np.roll(anatomy.targets, shift, axis=1)
        where = (
            "one beside the true one: count the classes from where the loss does"
            if shift in (1, C - 1)
            else "another one"
        )
        wrong = _in_place_of(rows + weight * moved * slope)
        found.append((f"the target is subtracted at the wrong class, {where}", wrong))
    orders = [*(np.roll(rows, shift, axis=0) for shift in range(1, B)), rows[::-1]]
    sentence = "the samples of the batch are in another order than in the loss"
    return [*found, *((sentence, _in_place_of(order)) for order in orders if B > 1)]


def _factors(anatomy: Anatomy) -> list[Candidate]:
    """Return constant factors whose meaning is known."""
    B, C = anatomy.targets.shape
    base = "one of the two has a logarithm to base {} where the natural one belongs"
    meanings = {factor: base.format(of) for of in (2, 10) for factor in (1 / log(of), log(of))}
    meanings[0.5] = "a factor 2 is missing here, or one too many in the loss"
    if C > 2:
        meanings[1 / C] = f"a mean over the {C} classes where a sum belongs"
        meanings[float(C)] = f"a sum over the {C} {MEAN_OVER_CLASSES}"
    if anatomy.averaged is not None and B > 1:
        meanings[1 / B] = "a division by the batch size too many"
        meanings[float(B)] = "a division by the batch size is missing"

    def times(factor: float) -> Distortion:
        return lambda true, _: [factor * true]

    return [
        (f"every coordinate is {factor:.6g} times what it should be: {meaning}", times(factor))
        for factor, meaning in meanings.items()
    ]


def _any_factor(gap: _Gap) -> str:
    share = gap.multiple(gap.true)
    factor = 1 + share
    if abs(factor) < 1e-7 or abs(share) < 9e-6:
        return ""
    sign = "minus " if factor < 0 else ""
    return (
        f"every coordinate is {sign}{abs(factor):.6g} times what it should be: a constant factor "
        "is wrong here or in the loss"
    )


def _penalty_factor(gap: _Gap) -> str:
    penalty = gap.anatomy.penalty
    if penalty is None or not (share := gap.multiple(penalty)):
        return ""
    return (
        f"the penalty's part is {1 + share:.6g} times what it should be: it must be the derivative "
        "of the penalty in the loss"
    )


def _smoothed_labels(gap: _Gap) -> str:
    """Recognise targets of which a part is spread evenly over the classes."""
    targets, C = gap.anatomy.targets, gap.anatomy.targets.shape[1]
    direction = gap.anatomy.backward(targets - 1 / C) * gap.anatomy.target_weights[0]
    share = gap.multiple(direction)
    if C < 2 or not 1e-6 < share < 1:
        return ""
    return (
        f"the labels are smoothed here and not in the loss: {share:.3g} of each target is spread "
        "over all classes"
    )


def _constant_offset(gap: _Gap) -> str:
    offset = gap.multiple(np.ones_like(gap.true))
    if gap.true.size < 3 or not offset:
        return ""
    return f"the same number, {offset:+.6g}, is added to every coordinate"


def _true_class(gap: _Gap) -> str:
    """Recognise a target that enters with a wrong factor."""
    targets = gap.anatomy.targets
    if gap.error.size != targets.size:
        return ""
    error = gap.error.reshape(targets.shape)
    off = np.abs(error) > gap.tolerance.reshape(error.shape)
    by = float(error[off][0]) if off.any() else 0.0
    is_multiple = np.isclose(by % gap.anatomy.target_weights[0], 0)
    if not is_multiple or not np.array_equal(off, targets > 0):
        return ""
    return (
        f"only the true class is wrong, there by {by:+.6g}: look at how the target enters "
        "(it must be subtracted once)"
    )


def _few_coordinates(gap: _Gap) -> str:
    analytic, true = gap.analytic, gap.true
    off = np.argwhere(np.abs(gap.error) > gap.tolerance)
    if not 0 < len(off) <= max(1, min(3, analytic.size // 4)):
        return ""
    wrong = ", ".join(
        f"{place(index)} (is {analytic[index]:.8g}, should be {true[index]:.8g})"
        for index in map(tuple, off)
    )
    verb = "is" if len(off) == 1 else "are"
    return f"only {len(off)} of {analytic.size:,} coordinates {verb} wrong: {wrong}"


def _low_precision(gap: _Gap) -> str:
    size = float(np.abs(gap.true).max(initial=0))
    off = float(np.abs(gap.error).max(initial=0))
    if not 0 < off <= 1e-3 * size:
        return ""
    return (
        f"it is right to {int(-log10(off / size))} digits only: look for float32, rounded "
        "constants, a small number added against log(0), or a numerical derivative in place of a "
        "formula"
    )


def _nothing_known(gap: _Gap) -> str:
    """Say how far the two point the same way and where they differ most."""
    analytic, true, error = gap.analytic, gap.true, np.abs(gap.error)
    lengths = float(np.linalg.norm(analytic) * np.linalg.norm(true))
    cosine = float(np.vdot(analytic, true)) / lengths if lengths else 0.0
    way = "another" if abs(cosine) <= 0.9 else "roughly the " + ("right", "opposite")[cosine < 0]
    index = np.unravel_index(int(error.argmax()), error.shape)
    return (
        "no known mistake explains it, there may be more than one: it points "
        f"{way} way (cosine {cosine:.3f}) and differs most at coordinate "
        f"{place(index)}, which is {analytic[index]:.6g} and should be {true[index]:.6g}"
    )
