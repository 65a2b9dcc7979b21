"""Judges a user's functions in one form, at random points and for every label.

Shapes: B batch, C classes.
"""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnistlab.core.losses import LOSSES, softmax
from mnistlab.core.samples import one_hot
from mnistlab.gradcheck.check import METHODS, Check, Problem, check, is_right_along_a_direction
from mnistlab.gradcheck.forms import (
    Form,
    Reading,
    check_deterministic,
    gradient_value,
    loss_or_nan,
    loss_value,
    precision,
    random_points,
    sample_weight,
    value_of,
)
from mnistlab.gradcheck.functions import CoarseError, FaultError
from mnistlab.gradcheck.mistakes import Anatomy
from mnistlab.gradcheck.problems import line_through
from mnistlab.gradcheck.suites import Options
from mnistlab.gradcheck.user_file import UserFile
from mnistlab.gradcheck.verdicts import Verdict

Floats = NDArray[np.floating]
Labels = NDArray[np.integer]


_COARSEST = 1e-5  # float32 rounds to 1e-7, float16 to 1e-3


def cross_entropy(A: Floats, labels: Labels) -> tuple[Floats, Floats]:
    """Return the softmax cross-entropy of each row (B,) and its gradient (B, C)."""
    loss, targets = LOSSES["softmax_cross_entropy"], one_hot(labels, A.shape[1], np.float64)
    return loss.value(A[:, None], targets)[:, 0], loss.gradient(A[:, None], targets)[:, 0]


def is_cross_entropy(file: UserFile, form: Form, options: Options) -> bool:
    """Whether the loss is the softmax cross-entropy, summed or averaged over a batch."""
    A, labels = random_points(form, options, np.random.default_rng([options.seed, 3]))
    value = value_of(file, form, A, labels)
    rounding = 100 * precision(file.loss, form.point(A), form.label(labels, options.classes))
    losses, _ = cross_entropy(A, labels)
    wanted = [losses.sum(), losses.mean()]
    return bool(np.isclose(value, wanted, rtol=max(1e-9, rounding)).any())


def explain(file: UserFile, found: Check, A: Floats, labels: Labels) -> str:
    """Say which of the two is at fault where one of them is known to be right."""
    losses, gradients = cross_entropy(A, labels)
    analytic = found.problem.analytic.reshape(A.shape)
    loss_is_right = np.isclose(found.loss, [losses.sum(), losses.mean()], rtol=1e-6).any()
    shares = [
        share
        for share in (1.0, 1 / len(A))
        if np.allclose(analytic, gradients * share, rtol=1e-6, atol=1e-9)
    ]
    gradient_is_right = bool(shares)
    if loss_is_right and not gradient_is_right:
        return (
            f"{file.loss.name} is right (softmax cross-entropy), {file.gradient.name} is not: "
            f"{found.diagnosis}"
        )
    if gradient_is_right and not loss_is_right:
        wanted = losses.sum() * shares[0]
        return (
            f"{file.gradient.name} is right (softmax cross-entropy), {file.loss.name} is not: "
            f"it is {found.loss:.8g} where -log softmax(a)_y is {wanted:.8g}"
            f"{_about_loss(found.loss, A, labels, shares[0])}"
        )
    return found.diagnosis


def _about_loss(value: float, A: Floats, labels: Labels, share: float) -> str:
    """Return what is wrong with a loss that has this value; a row counts with `share` in it."""
    p = softmax(A)[np.arange(len(A)), labels]
    wanted, every = -float(np.log(p).sum()) * share, -float(np.log(softmax(A)).sum())
    known = [
        ("the minus sign is missing", -wanted),
        ("the logarithm is missing", float(p.sum()) * share),
        ("the logarithm is missing", -float(p.sum()) * share),
        ("the logarithm must be the natural one, not to base 2", wanted / np.log(2)),
        ("the logarithm must be the natural one, not to base 10", wanted / np.log(10)),
        ("it is divided by the number of classes", wanted / A.shape[1]),
        ("only the true class' logarithm counts, not those of all", every * share),
    ]
    for meaning, number in known:
        if np.isclose(value, number, rtol=1e-6):
            return f": {meaning}"
    extra = float(np.exp(-value) - p[0])
    power = 10.0 ** np.round(np.log10(extra)) if extra > 0 else 0.0
    if len(A) == 1 and extra < 1e-2 and np.isclose(extra, power, rtol=1e-3):
        return f": {extra:.1g} seems to be added inside the logarithm, but not in the gradient"
    return ""


def judge_form(reading: Reading, options: Options) -> list[Verdict]:
    """Return the verdicts at random points, and one more for a label at which it is wrong."""
    generator = np.random.default_rng(options.seed)
    verdicts = []
    tried: set[int] = set()
    for _ in range(options.points):
        A, labels = random_points(reading.form, options, generator)
        verdicts.append(_judge_point(reading, A, labels, options, generator))
        tried.update(labels.tolist())
    if all(verdict.passed for verdict in verdicts):
        verdicts += _judge_other_labels(reading, tried, options)
    return verdicts


def _judge_point(
    reading: Reading, A: Floats, labels: Labels, options: Options, generator: np.random.Generator
) -> Verdict:
    file, form = reading.file, reading.form
    a, y = form.point(A), form.label(labels, options.classes)
    by = "probabilities" if form.probabilities else "pre-activations"
    if file.by_weights:
        by = "weights, as pre-activations"
    what = f"{file.gradient.name}({'A, y' if form.batch else 'a, y'}) by {by}"
    try:
        found = check(_problem(file, form, A, labels, what), options.method, generator)
    except FaultError as error:
        judged = not isinstance(error, CoarseError)
        return Verdict(what, passed=False, diagnosis=str(error), judged=judged)
    notes = _notes(file, a, y)
    if found.differences.slope == 0:
        constant = f"{file.loss.name} is the same wherever it is looked at: it depends on nothing"
        return Verdict(what, passed=False, diagnosis=constant, notes=tuple(notes), check=found)
    if found.passed or found.relative_error > METHODS["central"]:
        diagnosis = "" if found.passed else explain(file, found, A, labels)
        return Verdict.of(found, diagnosis=diagnosis, notes=notes)
    notes.append(
        f"off by {found.relative_error:.1g} of its size, more than rounding explains: is a small "
        "number added against log(0)?"
    )
    return Verdict(what, passed=True, notes=(*notes, *found.notes), check=found)


def _judge_other_labels(reading: Reading, tried: set[int], options: Options) -> list[Verdict]:
    """Return a verdict on the first label that was not tried yet and is wrong.

    Along a random direction each, which is cheap; of many classes the first and the last ones.
    """
    C = options.classes
    generator = np.random.default_rng([options.seed, 6])
    for label in sorted({*range(min(C, 20)), C - 1} - tried):
        A, labels = random_points(reading.form, options, generator)
        labels[0] = label
        try:
            problem = _problem(reading.file, reading.form, A, labels, "")
        except FaultError:
            return [_judge_point(reading, A, labels, options, generator)]
        if not is_right_along_a_direction(problem, generator):
            verdict = _judge_point(reading, A, labels, options, generator)
            if not verdict.passed:
                diagnosis = f"with label {label}, unlike others: {verdict.diagnosis}"
                return [replace(verdict, diagnosis=diagnosis)]
    return []


def _problem(file: UserFile, form: Form, A: Floats, labels: Labels, what: str) -> Problem:
    a, C = form.point(A), A.shape[1]
    y = form.label(labels, C)
    targets = np.eye(C)[labels]
    for function in (file.loss, file.gradient):
        check_deterministic(function, a, y)
        if precision(function, a, y) > _COARSEST:
            raise CoarseError(
                f"{function.name} computes in {function(a, y).dtype}, whose numbers are too coarse "
                "to be compared with differences: compute in float64, or at least in float32"
            )

    def values(points: NDArray[Any]) -> NDArray[Any]:
        return np.array([loss_or_nan(file.loss, point, y) for point in points])

    loss = loss_value(file.loss, a, y)
    gradient = gradient_value(file.gradient, a, y)
    loss_or_nan(file.loss, a + 1.0, y)
    if not np.array_equal(gradient, gradient_value(file.gradient, a, y), equal_nan=True):
        raise FaultError(
            f"{file.gradient.name} depends on where {file.loss.name} was called before it: it must "
            "compute everything from its own arguments"
        )
    if not np.isfinite(loss):
        line = file.loss.line_of_warning(a, y)
        raise FaultError(
            f"{file.loss.name} is {loss.real:g} at an ordinary point{line}; look for log(0), a "
            "division by zero or exp of a large number"
        )
    if not np.isfinite(gradient).all():
        line = file.gradient.line_of_warning(a, y)
        where = tuple(int(i) for i in np.argwhere(~np.isfinite(gradient))[0])
        raise FaultError(
            f"{file.gradient.name} is {gradient[where]:g} in coordinate {list(where)}{line}; look "
            "for a division by zero or exp of a large number"
        )
    # How their batch is reduced shows in the size of the loss.
    share = sample_weight(file, form, A, labels)

    def anatomy(numerical: Floats) -> Anatomy:
        return Anatomy(
            coordinates="pre-activations",
            backward=lambda per_sample: (per_sample * share).reshape(a.shape),
            per_sample=numerical.reshape(A.shape) / share,
            targets=targets,
            target_weights=(1.0, 2.0),
            slope=1 / (2 + np.exp(A) + np.exp(-A)),
            averaged=None if not form.batch else share < 1,
            penalty=None,
        )

    return Problem(
        what=what,
        point=a,
        labels=labels,
        analytic=gradient,
        line=line_through(values, a),
        values=values,
        anatomy=anatomy,
        size=float(np.abs(a).max()),
        precision=precision(file.gradient, a, y),
    )


def _notes(file: UserFile, a: Floats, y: Any) -> list[str]:
    """Return what to know of the numbers that the functions work with."""
    return [
        f"{function.name} computes in {function(a, y).dtype}; the point was handed over in float64"
        for function in (file.loss, file.gradient)
        if function(a, y).dtype.itemsize < 8 and function(a, y).dtype.kind == "f"
    ]
