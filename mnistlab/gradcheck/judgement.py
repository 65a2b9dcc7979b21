"""Judges a loss and its gradient in one form, at random points and for every label.

Shapes: B batch, C classes.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnistlab.core.losses import softmax
from mnistlab.gradcheck.check import METHODS, Check, Problem, check, is_right_along_a_direction
from mnistlab.gradcheck.diagnosis import diagnose
from mnistlab.gradcheck.differences import central
from mnistlab.gradcheck.forms import PENALTY, Arguments, Sample, random_sample
from mnistlab.gradcheck.functions import CallError, CoarseError, FaultError
from mnistlab.gradcheck.mistakes import Anatomy
from mnistlab.gradcheck.problems import line_through
from mnistlab.gradcheck.reading import Reading
from mnistlab.gradcheck.references import REFERENCES, Known, about_loss, added_inside
from mnistlab.gradcheck.suites import Options
from mnistlab.gradcheck.verdicts import Verdict

Floats = NDArray[np.floating]

_COARSEST = 1e-5  # float32 rounds to 1e-7, float16 to 1e-3
_AGAINST_ZERO = 1e-7  # the largest number that courses add against log(0)


def judge_form(reading: Reading, options: Options) -> list[Verdict]:
    """Return the verdicts at random points, and one more for a label at which it is wrong."""
    generator = np.random.default_rng(options.seed)
    verdicts: list[Verdict] = []
    tried: set[int] = set()
    for _ in range(options.points):
        sample = random_sample(reading.form, options, generator)
        verdicts += _judge_point(reading, sample, options, generator)
        tried.update(sample.labels.tolist())
    if all(verdict.passed for verdict in verdicts):
        verdicts += _judge_other_labels(reading, tried, options)
    return sorted(verdicts, key=lambda verdict: [one.what for one in verdicts].index(verdict.what))


def fits(reading: Reading, options: Options) -> bool:
    """Whether the gradient is, along a random direction, that of the loss: the quick check."""
    generator = np.random.default_rng([options.seed, 7])
    sample = random_sample(reading.form, options, generator)
    try:
        (coordinates, *_) = reading.coordinates(_arguments(reading, sample))
        problem = _problem(reading, sample, coordinates)
    except FaultError:
        return False
    return is_right_along_a_direction(problem, generator)


def _judge_point(
    reading: Reading, sample: Sample, options: Options, generator: np.random.Generator
) -> list[Verdict]:
    """Return a verdict on the gradient by each kind of coordinates."""
    try:
        found = reading.coordinates(_arguments(reading, sample))
    except FaultError as error:
        what = _title(reading, "W" if reading.form.by_weights else "a")
        judged = not isinstance(error, CallError)
        return [Verdict(what, passed=False, diagnosis=str(error), judged=judged)]
    return [_judge_by(reading, sample, each, options, generator) for each in found]


def _title(reading: Reading, coordinates: str) -> str:
    order = [role.upper() if role == "a" and reading.form.batch else role
             for role in reading.form.order]  # fmt: skip
    penalty = f", reg = {PENALTY:g}" if "reg" in order else ""
    name = f"{reading.offer.gradient_name}({', '.join(order)})"
    return f"{name} by {reading.words(coordinates)}{penalty}"


def _judge_by(
    reading: Reading,
    sample: Sample,
    coordinates: str,
    options: Options,
    generator: np.random.Generator,
) -> Verdict:
    what = _title(reading, coordinates)
    try:
        problem = _problem(reading, sample, coordinates)
        found = check(problem, options.method, generator)
    except FaultError as error:
        judged = not isinstance(error, CoarseError | CallError)
        return Verdict(what, passed=False, diagnosis=str(error), judged=judged)
    notes = _notes(reading, sample, coordinates)
    loss = reading.offer.loss_name
    if found.differences.slope == 0:
        constant = f"{loss} is the same wherever it is looked at: it depends on nothing"
        return Verdict(what, passed=False, diagnosis=constant, notes=tuple(notes), check=found)
    if found.passed or not _is_from_log_of_zero(reading, found, sample, coordinates):
        diagnosis = "" if found.passed else _explain(reading, found, sample, coordinates)
        return Verdict.of(found, diagnosis=diagnosis, notes=notes)
    notes.append(
        f"off by {found.relative_error:.1g} of its size, more than rounding explains: a small "
        "number seems to be added against log(0)"
    )
    return Verdict(what, passed=True, notes=(*notes, *found.notes), check=found)


def _is_from_log_of_zero(reading: Reading, found: Check, sample: Sample, coordinates: str) -> bool:
    """Whether all that is wrong is a tiny number in the loss, which the gradient leaves out."""
    if found.relative_error <= METHODS["central"]:
        return True
    share = reading.share(sample)
    extra = added_inside(reading.value(sample), sample.A, sample.targets(reading.form), share)
    claimed = known_gradient(reading, sample, coordinates)
    is_small = 0 < extra <= _AGAINST_ZERO and "reg" not in reading.form.order
    return is_small and claimed is not None and bool(np.isclose(claimed.factor, share))


def _judge_other_labels(reading: Reading, tried: set[int], options: Options) -> list[Verdict]:
    """Return verdicts on the first label that was not tried yet and is wrong.

    Along a random direction each, which is cheap; of many classes the first and the last ones.
    """
    generator = np.random.default_rng([options.seed, 6])
    C = 2 if reading.form.is_binary else options.classes
    for label in sorted({*range(min(C, 20)), C - 1} - tried):
        sample = random_sample(reading.form, options, generator)
        sample.labels[0] = label
        try:
            (coordinates, *_) = reading.coordinates(_arguments(reading, sample))
            problem = _problem(reading, sample, coordinates)
        except FaultError:
            return _judge_point(reading, sample, options, generator)
        if not is_right_along_a_direction(problem, generator):
            verdicts = _judge_point(reading, sample, options, generator)
            wrong = [verdict for verdict in verdicts if not verdict.passed]
            if wrong:
                told = f"with label {label}, unlike others: {wrong[0].diagnosis}"
                return [replace(wrong[0], diagnosis=told)]
    return []


def _arguments(reading: Reading, sample: Sample) -> Arguments:
    """Return the arguments at which a gradient is judged: with a penalty, if there is one."""
    return reading.form.arguments(sample) | {"reg": PENALTY}


def _problem(reading: Reading, sample: Sample, coordinates: str) -> Problem:
    """Return the gradient by some coordinates as a problem; raise FaultError if there is none."""
    arguments = _arguments(reading, sample)
    point: Floats = arguments[coordinates]
    loss, gradient, unit = _called(reading, arguments, coordinates)
    _refuse_infinite(reading, arguments, loss, gradient)

    def values_with(reg: float) -> Callable[[NDArray[Any]], NDArray[Any]]:
        given = arguments | {"reg": reg}

        def values(points: NDArray[Any]) -> NDArray[Any]:
            is_complex = np.iscomplexobj(points)
            return np.array([
                reading.loss_or_nan(given | {coordinates: each}, is_complex=is_complex)
                for each in points
            ])  # fmt: skip

        return values

    share = reading.share(sample)  # how a batch is reduced shows in the size of the loss

    def anatomy(numerical: Floats) -> Anatomy:
        penalty = None
        if "reg" in reading.form.order and coordinates != "a":
            plain = central(line_through(values_with(0.0), point), point.ravel())
            penalty = numerical - plain.value.reshape(point.shape)
        return _anatomy(reading, sample, coordinates, numerical, penalty, share)

    return Problem(
        what=_title(reading, coordinates),
        point=point,
        labels=sample.labels,
        analytic=np.asarray(gradient, np.float64),
        line=line_through(values_with(PENALTY), point),
        values=values_with(PENALTY),
        anatomy=anatomy,
        size=float(max(np.abs(point).max(), np.abs(sample.A).max())),
        precision=unit,
    )


def _called(
    reading: Reading, arguments: Arguments, coordinates: str
) -> tuple[Any, NDArray[Any], float]:
    """Return loss, gradient and the gradient's unit of rounding.

    Raises FaultError where calls do not repeat themselves, and where numbers are too short.
    """
    loss, gradient = reading.loss(arguments), reading.gradient(arguments, coordinates)
    names = (reading.offer.loss_name, reading.offer.gradient_name)
    again = reading.loss(arguments), reading.gradient(arguments, coordinates)
    for name, first, second in zip(names, (loss, gradient), again, strict=True):
        if not np.array_equal(first, second, equal_nan=True):
            raise FaultError(
                f"{name} gives another result for the same input: it must not draw random "
                "numbers or keep state between calls"
            )
        dtype = np.asarray(first).dtype
        if unit_of(dtype) > _COARSEST:
            raise CoarseError(
                f"{name} computes in {dtype}, whose numbers are too coarse to be compared with "
                "differences: compute in float64, or at least in float32"
            )
    reading.loss_or_nan(arguments | {coordinates: arguments[coordinates] + 1.0}, is_complex=False)
    later = reading.gradient(arguments, coordinates)
    if not np.array_equal(gradient, later, equal_nan=True):
        raise FaultError(
            f"{names[1]} depends on where {names[0]} was called before it: it must compute "
            "everything from its own arguments"
        )
    return loss, gradient, unit_of(gradient.dtype)


def unit_of(dtype: np.dtype[Any]) -> float:
    """Return the unit of rounding of numbers."""
    return float(np.finfo(dtype if dtype.kind == "f" else np.float64).eps)


def _refuse_infinite(
    reading: Reading, arguments: Arguments, loss: Any, gradient: NDArray[Any]
) -> None:
    """Raise FaultError, with the line, for a loss or a gradient that is not finite."""
    offer = reading.offer
    if not np.isfinite(loss):
        line = reading.line_of_warning(offer.loss, arguments)
        raise FaultError(
            f"{offer.loss_name} is {loss.real:g} at an ordinary point{line}; look for log(0), a "
            "division by zero or exp of a large number"
        )
    if not np.isfinite(gradient).all():
        line = reading.line_of_warning(offer.gradients[0], arguments)
        where = tuple(int(i) for i in np.argwhere(~np.isfinite(gradient))[0])
        raise FaultError(
            f"{offer.gradient_name} is {gradient[where]:g} in coordinate {list(where)}{line}; look "
            "for a division by zero or exp of a large number"
        )


def _expected(reading: Reading, name: str, sample: Sample) -> Floats:
    """Return what dL/dA (B, C) of a known loss is, or dL/dp for functions of probabilities."""
    targets = sample.targets(reading.form)
    if reading.form.softmax == "both":
        by_outputs: Floats = -targets / softmax(sample.A)
        return by_outputs
    return REFERENCES[name].gradient(sample.A, targets)


def _anatomy(
    reading: Reading,
    sample: Sample,
    coordinates: str,
    numerical: Floats,
    penalty: Floats | None,
    share: float,
) -> Anatomy:
    form, known = reading.form, reading.known
    weights: tuple[float, ...] = (1.0, 2.0)
    if known is None:
        data = numerical if penalty is None else numerical - penalty
        per_sample = form.forth(coordinates, sample, data) / share
    else:
        per_sample = _expected(reading, known.name, sample) * (known.factor / share)
        weights = (known.reference.target_weight * known.factor / share,)
    return Anatomy(
        coordinates=reading.words(coordinates),
        backward=lambda dA: form.back(coordinates, sample, dA * share),
        per_sample=per_sample,
        targets=sample.targets(form),
        target_weights=weights,
        slope=1 / (2 + np.exp(sample.A) + np.exp(-sample.A)),
        averaged=None if not form.batch else share < 1,
        penalty=penalty,
    )


def known_gradient(reading: Reading, sample: Sample, coordinates: str) -> Known | None:
    """Return the loss of a course of which this is a multiple of the gradient, without penalty."""
    gradient = reading.gradient(reading.form.arguments(sample), coordinates)
    if not np.isfinite(gradient).all():
        return None
    for name in REFERENCES if reading.known is None else [reading.known.name]:
        expected = reading.form.back(coordinates, sample, _expected(reading, name, sample))
        size = float(np.vdot(expected, expected))
        factor = float(np.vdot(expected, gradient)) / size if size else 0.0
        if factor and np.allclose(gradient, factor * expected, rtol=1e-6, atol=1e-9 * abs(factor)):
            return Known(name, factor, is_exact=True)
    return None


def _explain(reading: Reading, found: Check, sample: Sample, coordinates: str) -> str:
    """Say which of the two is at fault, or that both are, where one of them is known."""
    B, C = sample.A.shape
    offer, known, share = reading.offer, reading.known, reading.share(sample)
    loss, gradient = offer.loss_name, offer.gradient_name
    claimed = known_gradient(reading, sample, coordinates)
    shares = [one for one in {share, 1.0, 1 / B} if claimed and claimed.is_usual(one, C)]
    targets = sample.targets(reading.form)
    value = reading.value(sample)
    extra = added_inside(value, sample.A, targets, share)
    loss_is_right = (
        known is not None
        and known.is_usual(share, C)
        and (known.is_exact or 0 < extra <= _AGAINST_ZERO)
    )
    if known is not None and loss_is_right and not shares:
        return f"{loss} is right ({known.name}), {gradient} is not: {found.diagnosis}"
    reference = claimed or known
    if reference is None or loss_is_right:
        return found.diagnosis
    share = shares[0] if shares else share
    about = about_loss(value, sample.A, targets, reference.reference, share)
    if claimed and shares:
        wanted = claimed.factor * float(claimed.reference.value(sample.A, targets).sum())
        formula = "-log softmax(a)_y" if claimed.name == "softmax cross-entropy" else "it"
        return (
            f"{gradient} is right ({claimed.name}), {loss} is not: it is {value:.8g} where "
            f"{formula} is {wanted:.8g}{about}"
        )
    if not about or known is None:
        return found.diagnosis
    right = replace(reading, known=replace(known, factor=share))
    true = reading.form.back(coordinates, sample, _expected(reading, known.name, sample)) * share
    anatomy = _anatomy(right, sample, coordinates, true, None, share)
    told = diagnose(found.problem.analytic, true, found.tolerance, anatomy)
    return f"{loss} is not the {known.name}{about}; and {gradient} is not right: {told}"


def _notes(reading: Reading, sample: Sample, coordinates: str) -> list[str]:
    """Return what to know of the numbers that the functions work with."""
    arguments = _arguments(reading, sample)
    found = {
        reading.offer.loss_name: np.asarray(reading.loss(arguments)).dtype,
        reading.offer.gradient_name: reading.gradient(arguments, coordinates).dtype,
    }
    return [
        f"{name} computes in {dtype}; the point was handed over in float64"
        for name, dtype in found.items()
        if dtype.itemsize < 8 and dtype.kind == "f"
    ]
