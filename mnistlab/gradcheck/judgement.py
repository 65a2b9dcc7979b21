"""Judges a loss and its gradient in one form, at random points and for every label.

Shapes: B batch, C classes.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnistlab.core.losses import softmax
from mnistlab.gradcheck.check import (
    METHODS,
    ROUNDING,
    Check,
    Options,
    Problem,
    Verdict,
    along_random_direction,
    check,
    line_through,
)
from mnistlab.gradcheck.diagnosis import diagnose
from mnistlab.gradcheck.differences import Floats, central, unit_of
from mnistlab.gradcheck.forms import (
    PENALTY,
    Arguments,
    Form,
    Reading,
    Sample,
    random_sample,
    sample_at,
)
from mnistlab.gradcheck.mistakes import REFERENCES, Anatomy, Known, about_loss, added_inside
from mnistlab.gradcheck.user_file import CallError, FaultError

_COARSEST = 1e-5  # float32 rounds to 1e-7, float16 to 1e-3
_AGAINST_ZERO = 1e-7  # the largest number that courses add against log(0)


@dataclass(frozen=True)
class Spot:
    """A gradient in one form, at one sample, by some coordinates: "a", "W" or "b"."""

    reading: Reading
    sample: Sample
    coordinates: str

    @cached_property
    def arguments(self) -> Arguments:
        """Return what the functions are called with, a penalty included."""
        return self.reading.form.arguments(self.sample) | {"reg": PENALTY}

    @cached_property
    def share(self) -> float:
        """Return what one sample counts in the loss."""
        return self.reading.share(self.sample)

    @cached_property
    def is_nearly_right(self) -> bool:
        """Whether the loss adds a tiny number to its probabilities, against log(0)."""
        value, targets = self.reading.value(self.sample), self.reading.form.targets(self.sample)
        return 0 < added_inside(value, self.sample.A, targets, self.share) <= _AGAINST_ZERO

    @cached_property
    def claimed(self) -> Known | None:
        """Return the loss of a course of which this is a multiple of the gradient."""
        form, known = self.reading.form, self.reading.known
        gradient = self.reading.gradient(form.arguments(self.sample), self.coordinates)
        if not np.isfinite(gradient).all():
            return None
        for name in REFERENCES if known is None else [known.name]:
            expected = form.back(self.coordinates, self.sample, self.by_sample(name))
            size = float(np.vdot(expected, expected))
            factor = float(np.vdot(expected, gradient)) / size if size else 0.0
            error = np.abs(gradient - factor * expected)
            if factor and (error <= 1e-6 * np.abs(factor * expected) + 1e-9 * abs(factor)).all():
                return Known(name, factor, is_exact=True)
        return None

    def by_sample(self, name: str) -> Floats:
        """Return dL/dA (B, C) of a loss of courses, or dL/dp for functions of probabilities."""
        targets = self.reading.form.targets(self.sample)
        if self.reading.form.softmax == "both":
            by_outputs: Floats = -targets / softmax(self.sample.A)
            return by_outputs
        return REFERENCES[name].gradient(self.sample.A, targets)

    def __str__(self) -> str:
        """Return its name."""
        form, penalty = self.reading.form, f", reg = {PENALTY:g}"
        order = ", ".join(form.order).replace("a", "A" if form.batch else "a")
        return (
            f"{self.reading.offer.gradient_name}({order}) by "
            f"{form.words(self.coordinates)}{penalty if 'reg' in form.order else ''}"
        )


def spots(reading: Reading, sample: Sample) -> list[Spot]:
    """Return the gradients by all coordinates by which there is one, at a sample."""
    arguments = reading.form.arguments(sample)
    return [Spot(reading, sample, each) for each in reading.coordinates(arguments)]


def judge_form(reading: Reading, options: Options) -> list[Verdict]:
    """Return the verdicts at random points, and one more for where it is wrong unlike there."""
    generator = np.random.default_rng(options.seed)
    samples: list[Sample] = []
    verdicts: list[Verdict] = []
    for _ in range(options.points):
        samples.append(random_sample(reading.form, options, generator))
        verdicts += _judge_sample(reading, samples[-1], options, generator)
    if all(verdict.passed for verdict in verdicts):
        verdicts += _judge_elsewhere(reading, samples, options)
    names = [one.what for one in verdicts]
    return sorted(verdicts, key=lambda verdict: names.index(verdict.what))


def fits(spot: Spot, generator: np.random.Generator) -> bool:
    """Whether the gradient is, along a random direction, that of the loss: the quick check."""
    with suppress(FaultError):
        error, tolerance = along_random_direction(_problem(spot), generator)
        return error <= tolerance
    return False


def _judge_sample(
    reading: Reading, sample: Sample, options: Options, generator: np.random.Generator
) -> list[Verdict]:
    what = reading.offer.gradient_name
    try:
        found: list[Verdict] = []
        for spot in spots(reading, sample):
            what = str(spot)
            found.append(_weighed(spot, check(_problem(spot), options.method, generator)))
    except FaultError as error:
        return [Verdict(what, str(error), judged=error.judged)]
    return found


def _weighed(spot: Spot, found: Check) -> Check:
    """Return a check with what is known of the functions; log(0) may be guarded by a number."""
    offer = spot.reading.offer
    notes = [
        f"{name} computes in {dtype}; the point was handed over in float64"
        for name, dtype in (
            (offer.loss.name, np.asarray(spot.reading.loss(spot.arguments)).dtype),
            (offer.gradient_name, spot.reading.gradient(spot.arguments, spot.coordinates).dtype),
        )
        if dtype.itemsize < 8 and dtype.kind == "f"
    ]
    diagnosis = found.diagnosis
    if found.differences.slope == 0:
        diagnosis = f"{offer.loss.name} is the same wherever it is looked at: it depends on nothing"
    elif not found.passed:
        is_claimed = spot.claimed is not None and np.isclose(spot.claimed.factor, spot.share)
        is_close = found.relative_error <= METHODS["central"]
        if is_close or (spot.is_nearly_right and is_claimed):
            diagnosis = ""
            notes.append(
                f"off by {found.relative_error:.1g} of its size, more than rounding explains: a "
                "small number seems to be added against log(0)"
            )
        else:
            diagnosis = _explain(spot, found)
    return replace(found, diagnosis=diagnosis, notes=(*notes, *found.notes))


def special_points(C: int) -> Iterator[tuple[str, Floats, int]]:
    """Yield points (C,) that random ones never are, each with its name and a label.

    Gradients with a case of their own for one of them are wrong nowhere else.
    """
    steps = np.linspace(0.0, 1.0, C) if C > 1 else np.array([0.4])
    tie = steps.copy()
    tie[: C // 2 + 1] = tie[0]
    signs = np.where(np.arange(C) % 2, -1.0, 1.0)
    scales = signs * np.geomspace(1e-3, 1e2, C) if C > 1 else np.array([8.0])
    yield "where pre-activations are equal", tie, 0
    yield "where all pre-activations are zero", np.zeros(C), C - 1
    yield "where the true class has the largest pre-activation", 2 * steps, C - 1
    yield "where pre-activations are 30 and -30", 30 * signs, 0
    yield "where pre-activations are 30 and -30", 30 * signs, min(1, C - 1)
    yield "where pre-activations are from 0.001 to 100 in size", scales, C // 2


def _elsewhere(
    form: Form, tried: set[int], options: Options, generator: np.random.Generator
) -> Iterator[tuple[str, Sample, bool]]:
    """Yield samples with labels that were not tried, and special ones, each with its name.

    Of many classes only the first and the last labels are tried.
    """
    C = 1 if form.is_binary else options.classes
    labels = range(max(2, C))
    for label in sorted({*labels[:20], labels[-1]} - tried):
        sample = random_sample(form, options, generator)
        sample.labels[0] = label
        yield f"with label {label}, unlike others", sample, False
    for where, a, label in special_points(C):
        yield f"{where}, unlike elsewhere", sample_at(form, a, 1 - label if C == 1 else label), True


def _judge_elsewhere(
    reading: Reading, samples: Sequence[Sample], options: Options
) -> list[Verdict]:
    """Return a verdict on the first other sample at which the gradient is wrong.

    Along a random direction each, which is cheap. At a special point a loss may be of no use: one
    with a small number against log(0) is flat where it should be steep. So a gradient that is known
    to be that of a loss of courses need only stay that.
    """
    generator = np.random.default_rng([options.seed, 6])
    tried = {label for sample in samples for label in sample.labels.tolist()}
    usual = spots(reading, samples[0])[0].claimed
    for where, sample, is_special in _elsewhere(reading.form, tried, options, generator):
        with suppress(FaultError):  # which is told below
            spot = spots(reading, sample)[0]
            if fits(spot, generator) or (is_special and _is_still(spot, usual)):
                continue
        for one in _judge_sample(reading, sample, options, generator):
            # where the loss is not finite or too rough, nothing can be said
            is_decided = isinstance(one, Check) and not one.is_undecided
            if not one.passed and (is_decided or not is_special):
                return [replace(one, diagnosis=f"{where}: {one.diagnosis}")]
    return []


def _is_still(spot: Spot, usual: Known | None) -> bool:
    """Whether the gradient is the multiple of the same known loss that it is elsewhere."""
    now = spot.claimed
    if usual is None or now is None or usual.name != now.name:
        return False
    return bool(np.isclose(usual.factor, now.factor))


def _problem(spot: Spot) -> Problem:
    """Return a gradient as a problem; raise FaultError if there is none to be judged."""
    reading, sample, coordinates = spot.reading, spot.sample, spot.coordinates
    point: Floats = spot.arguments[coordinates]
    gradient = _called(spot)

    def values_with(reg: float) -> Callable[[NDArray[Any]], NDArray[Any]]:
        given = spot.arguments | {"reg": reg}

        def values(points: NDArray[Any]) -> NDArray[Any]:
            is_complex = np.iscomplexobj(points)
            return np.array([
                reading.loss_or_nan(given | {coordinates: each}, is_complex=is_complex)
                for each in points
            ])  # fmt: skip

        return values

    def anatomy(numerical: Floats) -> Anatomy:
        if "reg" not in reading.form.order:
            return _anatomy(spot, numerical, reading.known)
        data = central(line_through(values_with(0.0), point), point.ravel()).value
        data = data.reshape(point.shape)
        return replace(_anatomy(spot, data, reading.known), penalty=numerical - data)

    return Problem(
        what=str(spot),
        point=point,
        labels=sample.labels,
        analytic=np.asarray(gradient, np.float64),
        line=line_through(values_with(PENALTY), point),
        values=values_with(PENALTY),
        anatomy=anatomy,
        size=float(max(np.abs(point).max(), np.abs(sample.A).max())),
        rounding=ROUNDING * unit_of(gradient),
    )


def _called(spot: Spot) -> NDArray[Any]:
    """Return the gradient.

    Raises FaultError where calls do not repeat themselves, where a number is not finite, and
    where numbers are too short to be judged.
    """
    reading, arguments, by = spot.reading, spot.arguments, spot.coordinates
    offer = reading.offer
    loss, gradient = np.asarray(reading.loss(arguments)), reading.gradient(arguments, by)
    again = np.asarray(reading.loss(arguments)), reading.gradient(arguments, by)
    functions = (
        (offer.loss, offer.loss.name, loss, again[0]),
        (offer.gradients[0], offer.gradient_name, gradient, again[1]),
    )
    for _, name, first, second in functions:
        if not np.array_equal(first, second, equal_nan=True):
            raise FaultError(
                f"{name} gives another result for the same input: it must not draw random "
                "numbers or keep state between calls"
            )
        if unit_of(first) > _COARSEST:
            raise CallError(
                f"{name} computes in {first.dtype}, whose numbers are too coarse to be compared "
                "with differences: compute in float64, or at least in float32"
            )
    reading.loss_or_nan(arguments | {by: arguments[by] + 1.0}, is_complex=False)
    if not np.array_equal(gradient, reading.gradient(arguments, by), equal_nan=True):
        raise FaultError(
            f"{offer.gradient_name} depends on where {offer.loss.name} was called before it: it "
            "must compute everything from its own arguments"
        )
    for function, name, result, _ in functions:
        if not np.isfinite(result).all():
            index = tuple(map(int, np.argwhere(~np.isfinite(result))[0]))
            line = function.line_of_warning(*reading.ordered(function, arguments))
            at = f"in coordinate {list(index)}" if index else "at an ordinary point"
            raise FaultError(
                f"{name} is {result[index].real:g} {at}{line}; look for log(0), a division by zero "
                "or exp of a large number"
            )
    return gradient


def _anatomy(spot: Spot, data: Floats, known: Known | None) -> Anatomy:
    """Return what the part `data` of a gradient is made of, without a penalty."""
    form, sample, share = spot.reading.form, spot.sample, spot.share
    weights: tuple[float, ...] = (1.0, 2.0)
    if known is None:
        per_sample = form.forth(spot.coordinates, sample, data) / share
    else:
        factor = known.factor / share
        weights = (2 * factor if known.reference.is_squared else factor,)  # as in 2(y - t)
        per_sample = spot.by_sample(known.name) * factor
    return Anatomy(
        coordinates=form.words(spot.coordinates),
        backward=lambda dA: form.back(spot.coordinates, sample, dA * share),
        per_sample=per_sample,
        targets=form.targets(sample),
        target_weights=weights,
        slope=1 / (2 + np.exp(sample.A) + np.exp(-sample.A)),
        averaged=None if not form.batch else share < 1,
        penalty=None,
    )


def _explain(spot: Spot, found: Check) -> str:
    """Say which of the two is at fault, or that both are, where one of them is known."""
    A, share, claimed, known = spot.sample.A, spot.share, spot.claimed, spot.reading.known
    (B, C), targets = A.shape, spot.reading.form.targets(spot.sample)
    loss, gradient = spot.reading.offer.loss.name, spot.reading.offer.gradient_name
    shares = [one for one in (share, 1.0, 1 / B) if claimed and claimed.is_usual(one, C)]
    if known and known.is_usual(share, C) and (known.is_exact or spot.is_nearly_right):
        right = f"{loss} is right ({known.name}), {gradient} is not: "
        return found.diagnosis if shares else right + found.diagnosis
    meant = claimed or known
    if meant is None:
        return found.diagnosis
    share = shares[0] if shares else share
    value = spot.reading.value(spot.sample)
    about = about_loss(value, A, targets, meant.reference, share)
    if claimed and shares:
        wanted = claimed.factor * float(claimed.reference.value(A, targets).sum())
        return (
            f"{gradient} is right ({claimed.name}), {loss} is not: it is {value:.8g} and should "
            f"be {wanted:.8g}{about}"
        )
    if not about or known is None:
        return found.diagnosis
    true = spot.reading.form.back(spot.coordinates, spot.sample, spot.by_sample(known.name)) * share
    anatomy = _anatomy(spot, true, replace(known, factor=share))
    told = diagnose(found.problem.analytic, true, found.tolerance, anatomy)
    return f"{loss} is not the {known.name}{about}; and {gradient} is not right: {told}"
