"""Judges a loss and a gradient from a user's own file, in whichever form they are written.

Shapes: B batch, C classes.
"""

import contextlib
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnistlab.core.gradcheck import METHODS, Problem, check, is_right_along_a_direction
from mnistlab.core.mistakes import Anatomy
from mnistlab.core.problems import line_through
from mnistlab.gradcheck.cross_entropy import explain, is_cross_entropy
from mnistlab.gradcheck.forms import (
    Form,
    gradient_value,
    loss_value,
    precision,
    quiet_loss,
    random_points,
    refuse_chance,
    share_of,
    value_of,
)
from mnistlab.gradcheck.functions import FaultError, UserFile, UserFunction
from mnistlab.gradcheck.probes import note_on_loss, probe_softmax, probe_stability
from mnistlab.gradcheck.suites import Options
from mnistlab.gradcheck.verdict import Probe, Report, Verdict

Floats = NDArray[np.floating]
Labels = NDArray[np.integer]


def judge(file: UserFile, options: Options) -> Report:
    """Return the report on a user's file, in every form that its functions take."""
    title = f"{file.path.name}: {file.gradient.name} against {file.loss.name}"
    single, fault = _choose(file, options, batch=False)
    batch, batch_fault = _choose(file, options, batch=True)
    taken = [reading for reading in (single, batch) if reading is not None]
    if not taken:
        return Report(title, [Verdict(title, passed=False, diagnosis=_either(fault, batch_fault))])
    first = taken[0]
    verdicts = _judge_form(first, options)
    notes = [f"takes {reading.form}" for reading in taken]
    if single is None:
        notes.append(f"does not take one vector ({fault.what}), which was not held against it")
    elif batch is None:
        verdicts += _judge_refused_batch(single, batch_fault, options)
        notes.append(f"does not take a batch ({batch_fault.what}), which was not held against it")
    else:
        more = _judge_batch(single, batch, options)
        verdicts += more
        if not more:
            notes[1:] = ["seems not to be made for a batch of rows, which was not held against it"]
    if len(verdicts) > options.points and batch is None:
        notes.pop()  # it was
    probes = list(_probe(first, options))
    notes += _notes_on_loss(first, options)
    return Report(title, verdicts, probes, notes)


@dataclass(frozen=True)
class _Reading:
    """A file and the form in which its functions are called."""

    file: UserFile
    form: Form


@dataclass(frozen=True)
class _Fault:
    """How far the functions came in a form, and what stopped them."""

    progress: int
    what: str


def _either(single: _Fault, batch: _Fault) -> str:
    """Return the fault of the form that they got further with: the one that was meant."""
    if single.progress == batch.progress and single.what != batch.what:
        return f"for one vector: {single.what}; for a batch of rows: {batch.what}"
    return max(single, batch, key=lambda fault: fault.progress).what


def _choose(file: UserFile, options: Options, *, batch: bool) -> tuple[_Reading | None, _Fault]:
    """Return the form in which the functions work, and else how far they came and what failed.

    Some formulas work in several forms but are right in one only; then the form whose gradient
    fits is taken, or the one that gives the softmax cross-entropy.
    """
    works: list[_Reading] = []
    farthest = _Fault(-1, "")
    for columns in (False, True) if batch else (False,):
        for one_hot in (False, True):
            form = Form(batch, one_hot, columns)
            reading = _Reading(file.in_columns() if columns else file, form)
            fault = _try(reading, options)
            if not fault.what:
                works.append(reading)
            elif fault.progress > farthest.progress:
                farthest = fault
    by_number = [reading for reading in works if not (batch or reading.form.one_hot)]
    if by_number and _multiplies_by_label(by_number[0], options):
        works.remove(by_number[0])
    if not works:
        return None, farthest
    fitting = (
        reading
        for reading in works
        if all(found.passed for found in _judge_form(reading, options))
        and is_cross_entropy(reading.file, reading.form, options)
    )
    right = (
        reading for reading in works if all(found.passed for found in _judge_form(reading, options))
    )
    telling = (
        reading for reading in works if is_cross_entropy(reading.file, reading.form, options)
    )
    return next(itertools.chain(fitting, right, telling, works)), farthest


def _multiplies_by_label(reading: _Reading, options: Options) -> bool:
    """Whether the loss is proportional to the class number: it takes it for a one-hot vector."""
    C = options.classes
    A = np.random.default_rng([options.seed, 5]).normal(0, options.scale, (1, C))
    values = [value_of(reading.file, reading.form, A, np.array([y])) for y in range(min(C, 3))]
    multiples = values[-1] * np.arange(len(values)) / (len(values) - 1)
    return bool(np.allclose(values, multiples, rtol=1e-9) and values[-1] != 0)


def _try(reading: _Reading, options: Options) -> _Fault:
    """Call both functions once; return how far they came and what is wrong, if anything."""
    file, form = reading.file, reading.form
    A, labels = random_points(form, options, np.random.default_rng([options.seed, 3]))
    a, y = form.point(A), form.label(labels, options.classes)
    try:
        loss_value(file.loss, a, y)
    except FaultError as error:
        return _Fault(0, str(error))
    try:
        gradient_value(file.gradient, a, y)
    except FaultError as error:
        return _Fault(1, str(error))
    return _Fault(2, "")


def _judge_form(reading: _Reading, options: Options) -> list[Verdict]:
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
    reading: _Reading, A: Floats, labels: Labels, options: Options, generator: np.random.Generator
) -> Verdict:
    file, form = reading.file, reading.form
    a, y = form.point(A), form.label(labels, options.classes)
    what = f"{file.gradient.name}({'A, y' if form.batch else 'a, y'}) by pre-activations"
    try:
        found = check(_problem(file, form, A, labels, what), options.method, generator)
    except FaultError as error:
        return Verdict(what, passed=False, diagnosis=str(error))
    notes = _notes(file, a, y)
    if found.differences.slope == 0:
        constant = f"{file.loss.name} is the same wherever it is looked at: it depends on nothing"
        return Verdict(what, passed=False, diagnosis=constant, notes=tuple(notes), check=found)
    if found.passed or found.relative_error > METHODS["central"]:
        diagnosis = "" if found.passed else explain(file, form, found, A, labels)
        return Verdict.of(found, diagnosis=diagnosis, notes=notes)
    notes.append(
        f"off by {found.relative_error:.1g} of its size, more than rounding explains: is a small "
        "number added against log(0)?"
    )
    return Verdict(what, passed=True, notes=(*notes, *found.notes), check=found)


def _judge_other_labels(reading: _Reading, tried: set[int], options: Options) -> list[Verdict]:
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
    refuse_chance(file.loss, a, y)
    refuse_chance(file.gradient, a, y)

    def values(points: NDArray[Any]) -> NDArray[Any]:
        return np.array([quiet_loss(file.loss, point, y) for point in points])

    loss = loss_value(file.loss, a, y)
    gradient = gradient_value(file.gradient, a, y)
    quiet_loss(file.loss, a + 1.0, y)
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
    share = share_of(file, form, A, labels)

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


def _judge_batch(single: _Reading, batch: _Reading, options: Options) -> list[Verdict]:
    """Return the verdicts on rows of functions that also take one vector; none if they do not.

    A formula for one vector often runs with rows too and gives something without meaning: then
    neither is its loss that of the rows, nor its gradient that of its loss.
    """
    verdicts = _judge_form(batch, options)
    fits, whole, rows = _fits_its_rows(single, batch, options)
    if fits:
        return verdicts
    if not all(verdict.passed for verdict in verdicts):
        return []
    each = ", ".join(f"{row:.6g}" for row in rows)
    diagnosis = (
        f"it is {whole:.6g} for a batch whose rows have the losses {each}: neither their sum nor "
        "their mean. Does the softmax run over each row by itself (axis=1, keepdims=True)?"
    )
    what = f"{batch.file.loss.name} of a batch"
    return [*verdicts, Verdict(what, passed=False, diagnosis=diagnosis)]


def _judge_refused_batch(single: _Reading, fault: _Fault, options: Options) -> list[Verdict]:
    """Return a verdict where the loss took a batch well and the gradient did not."""
    if fault.progress < 1:
        return []
    for columns, one_hot in itertools.product((False, True), repeat=2):
        file = single.file.in_columns() if columns else single.file
        batch = _Reading(file, Form(batch=True, one_hot=one_hot, columns=columns))
        with contextlib.suppress(FaultError):
            if _fits_its_rows(single, batch, options)[0]:
                what = f"{file.gradient.name} of a batch"
                return [Verdict(what, passed=False, diagnosis=fault.what)]
    return []


def _fits_its_rows(
    single: _Reading, batch: _Reading, options: Options
) -> tuple[bool, float, list[float]]:
    """Return whether a batch's loss is the sum or the mean of its rows', and all of them."""
    A, labels = random_points(batch.form, options, np.random.default_rng([options.seed, 4]))
    rows = [value_of(single.file, single.form, A[[i]], labels[[i]]) for i in range(len(A))]
    whole = value_of(batch.file, batch.form, A, labels)
    sums = [np.sum(rows), np.mean(rows)]
    return bool(np.isclose(whole, sums, rtol=1e-6, atol=1e-9).any()), whole, rows


def _notes_on_loss(reading: _Reading, options: Options) -> list[str]:
    """Return what to know of the loss, which is not held against it."""
    file, form, C = reading.file, reading.form, options.classes
    notes = []
    try:
        if not is_cross_entropy(file, form, options):
            notes.append(f"{file.loss.name} is not the softmax cross-entropy")
        notes.append(
            note_on_loss(lambda a, label: value_of(file, form, a[None], np.array([label])), C)
        )
    except FaultError:  # told already
        return []
    return [note for note in notes if note]


def _probe(reading: _Reading, options: Options) -> Iterator[Probe]:
    """Yield the properties of the file's softmax, and of its gradient far out."""
    file, form, C = reading.file, reading.form, options.classes

    def scalar(a: Floats, label: int) -> float:
        return value_of(file, form, a[None], np.array([label]))

    def gradient(a: Floats, label: int) -> Floats:
        A, labels = a[None], np.array([label])
        return gradient_value(file.gradient, form.point(A), form.label(labels, C))

    stable = True
    user_softmax = file.softmax
    if user_softmax is not None:
        try:
            for probe in probe_softmax(_softmax_of(user_softmax, form), C, options.seed):
                stable = stable and probe.passed
                yield probe
        except FaultError as error:
            stable = False
            yield Probe("softmax", passed=False, diagnosis=str(error))
    try:
        yield from probe_stability(
            scalar, gradient, C, blame_softmax=not stable or user_softmax is None
        )
    except FaultError as error:
        yield Probe("gradient at ±1000", passed=False, diagnosis=str(error))


def _softmax_of(softmax: UserFunction, form: Form) -> Callable[[Floats], Floats]:
    """Return a user's softmax as one of rows (B, C), one by one where it takes no more."""

    def outputs(A: Floats) -> Floats:
        if form.batch:
            result = softmax(A)
        else:
            try:
                result = np.stack([softmax(a) for a in A])
            except FaultError:
                result = softmax(A)  # one that wants rows, called with one at a time
        if result.size != A.size:
            raise FaultError(f"softmax returns shape {result.shape} for {A.shape}")
        return np.asarray(result, np.float64).reshape(A.shape)

    return outputs
