"""Judges a loss and a gradient from a user's own file, in whichever form they are written.

Shapes: B batch, C classes. A function takes `(a, y)`: pre-activations (C,) with one label, or
(B, C) with B labels; a label is a class number or a one-hot vector.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnistlab.core.gradcheck import Check, Problem, check
from mnistlab.core.losses import softmax
from mnistlab.core.mistakes import Anatomy
from mnistlab.core.problems import line_through
from mnistlab.gradcheck.functions import FaultError, UserFile, UserFunction
from mnistlab.gradcheck.probes import note_on_loss, probe_softmax, probe_stability
from mnistlab.gradcheck.suites import Options
from mnistlab.gradcheck.verdict import Probe, Report, Verdict

Floats = NDArray[np.floating]
Labels = NDArray[np.integer]


@dataclass(frozen=True)
class Form:
    """A way in which the functions may take their arguments."""

    batch: bool
    one_hot: bool

    def __str__(self) -> str:
        """Return it in words."""
        rows = "a batch of rows" if self.batch else "one vector"
        return f"{rows}, y as {'one-hot' if self.one_hot else 'class numbers'}"

    def label(self, labels: Labels, C: int) -> Any:
        """Return labels (B,), or the only one, as the functions want them."""
        given: Any = np.eye(C)[labels] if self.one_hot else labels
        return given if self.batch else given[0] if self.one_hot else int(given[0])

    def point(self, A: Floats) -> Floats:
        """Return pre-activations (B, C), or the only row, as the functions want them."""
        return A if self.batch else A[0]


def judge(file: UserFile, options: Options) -> Report:
    """Return the report on a user's file, in every form that its functions take."""
    title = f"{file.path.name}: {file.gradient.name} against {file.loss.name}"
    single, fault = _choose(file, options, batch=False)
    batch, batch_fault = _choose(file, options, batch=True)
    forms = [form for form in (single, batch) if form is not None]
    if not forms:
        # the form they got further with is the one that was meant
        progress, diagnosis = max(fault, batch_fault, key=lambda found: found[0])
        del progress
        return Report(title, [Verdict(title, passed=False, diagnosis=diagnosis)])
    notes = [f"takes {form}" for form in forms]
    if len(forms) == 1:
        other = "a batch of rows" if single is not None else "one vector"
        notes.append(f"does not take {other}, which was not held against it")
    verdicts = _judge_form(file, forms[0], options)
    if single is not None and batch is not None:
        more = _judge_batch(file, single, batch, options)
        verdicts += more
        if not more:
            notes[1:] = ["seems not to be made for a batch of rows, which was not held against it"]
    probes = list(_probe(file, forms[0], options))
    notes += _notes_on_loss(file, forms[0], options)
    return Report(title, verdicts, probes, notes)


def _choose(
    file: UserFile, options: Options, *, batch: bool
) -> tuple[Form | None, tuple[int, str]]:
    """Return the form in which the functions work, and else how far they came and what failed.

    Some formulas work with both kinds of label but are right with one only; then the form
    whose gradient fits is taken.
    """
    works, farthest = [], (-1, "")
    for one_hot in (False, True):
        form = Form(batch, one_hot)
        progress, fault = _try(file, form, options)
        if not fault:
            works.append(form)
        elif progress > farthest[0]:
            farthest = (progress, fault)
    if not works:
        return None, farthest
    fitting = [
        form for form in works if all(found.passed for found in _judge_form(file, form, options))
    ]
    telling = [form for form in works if _is_cross_entropy(file, form, options)]
    return (fitting or telling or works)[0], farthest


def _try(file: UserFile, form: Form, options: Options) -> tuple[int, str]:
    """Call both functions once; return how far they came and what is wrong, if anything."""
    A, labels = _random_points(form, options, np.random.default_rng([options.seed, 3]))
    a, y = form.point(A), form.label(labels, options.classes)
    try:
        _loss_value(file.loss, a, y)
    except FaultError as error:
        return 0, str(error)
    try:
        _gradient_value(file.gradient, a, y)
    except FaultError as error:
        return 1, str(error)
    return 2, ""


def _judge_form(file: UserFile, form: Form, options: Options) -> list[Verdict]:
    """Return the verdicts at random points."""
    generator = np.random.default_rng(options.seed)
    verdicts = []
    for _ in range(options.points):
        A, labels = _random_points(form, options, generator)
        a, y = form.point(A), form.label(labels, options.classes)
        what = f"{file.gradient.name}({'A, y' if form.batch else 'a, y'}) by pre-activations"
        try:
            problem = _problem(file, form, A, labels, what)
            found = check(problem, options.method, generator)
        except FaultError as error:
            verdicts.append(Verdict(what, passed=False, diagnosis=str(error)))
            continue
        diagnosis = "" if found.passed else _explain(file, form, found, A, labels)
        notes = _notes(file, a, y)
        verdicts.append(Verdict.of(found, diagnosis=diagnosis, notes=notes))
    return verdicts


def _random_points(
    form: Form, options: Options, generator: np.random.Generator
) -> tuple[Floats, Labels]:
    C = options.classes
    B = (4 if C != 4 else 3) if form.batch else 1  # B = C would hide a transposed gradient
    return generator.normal(0, options.scale, (B, C)), generator.integers(C, size=B)


def _problem(file: UserFile, form: Form, A: Floats, labels: Labels, what: str) -> Problem:
    a, C = form.point(A), A.shape[1]
    y = form.label(labels, C)
    targets = np.eye(C)[labels]
    _refuse_chance(file.loss, a, y)
    _refuse_chance(file.gradient, a, y)

    def values(points: NDArray[Any]) -> NDArray[Any]:
        return np.array([_quiet_loss(file.loss, point, y) for point in points])

    loss = _loss_value(file.loss, a, y)
    gradient = _gradient_value(file.gradient, a, y)
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
    share = _share(file, form, A, labels)

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
        precision=_precision(file.gradient, a, y),
    )


def _share(file: UserFile, form: Form, A: Floats, labels: Labels) -> float:
    """Return the weight of a sample in a batch's loss: 1/B for a mean, else 1."""
    B = len(A)
    if not form.batch or B == 1:
        return 1.0
    C = A.shape[1]
    whole = _loss_value(file.loss, A, form.label(labels, C))
    try:
        twice = np.concatenate((labels, labels))
        doubled = _loss_value(file.loss, np.concatenate((A, A)), form.label(twice, C))
    except FaultError:
        return 1.0
    return 1 / B if np.isclose(whole, doubled) and not np.isclose(whole, 0) else 1.0


def _loss_value(loss: UserFunction, a: NDArray[Any], y: Any) -> Any:
    """Return the loss as a number, summed where it comes row by row."""
    result = loss(a, y)
    rows = len(a) if a.ndim == 2 else 1
    if result.shape not in {(), (1,), (rows,), (rows, 1)}:
        wanted = f"one number, or {rows} for {rows} rows" if a.ndim == 2 else "one number"
        raise FaultError(
            f"{loss.name} returns an array of shape {result.shape}; a loss is {wanted}"
        )
    return result.sum()


def _quiet_loss(loss: UserFunction, a: NDArray[Any], y: Any) -> Any:
    """Return the loss nearby, NaN where it fails: that is for the differences to see."""
    try:
        value = _loss_value(loss, a, y)
    except FaultError as error:
        if np.iscomplexobj(a):
            raise TypeError from error
        return np.nan
    if np.iscomplexobj(a) and not np.iscomplexobj(value):
        raise TypeError("the function drops imaginary parts")
    return value


def _gradient_value(gradient: UserFunction, a: Floats, y: Any) -> Floats:
    """Return the gradient, which must have the shape of the point."""
    result = gradient(a, y)
    if result.shape != a.shape:
        if a.ndim == 1 and result.size == a.size:
            hint = ": flatten it"
        elif result.shape == a.shape[::-1]:
            hint = ": it is transposed, one row is to be one sample"
        elif result.shape == ():
            hint = ": it is one number, but there is one derivative for each pre-activation"
        else:
            hint = ""
        raise FaultError(
            f"{gradient.name} returns shape {result.shape} for pre-activations of shape {a.shape}; "
            f"a gradient has one entry for each{hint}"
        )
    if np.iscomplexobj(result):
        raise FaultError(f"{gradient.name} returns complex numbers for real ones")
    return np.asarray(result, np.float64)


def _refuse_chance(function: UserFunction, a: Floats, y: Any) -> None:
    first, second = function(a, y), function(a, y)
    if not np.array_equal(first, second, equal_nan=True):
        raise FaultError(
            f"{function.name} gives another result for the same input: it must not draw random "
            "numbers or keep state between calls"
        )


def _precision(gradient: UserFunction, a: Floats, y: Any) -> float:
    """Return the unit of rounding of the numbers that a gradient comes in."""
    dtype = gradient(a, y).dtype
    return float(np.finfo(dtype if dtype.kind == "f" else np.float64).eps)


def _notes(file: UserFile, a: Floats, y: Any) -> list[str]:
    """Return what to know of the numbers that the functions work with."""
    return [
        f"{function.name} computes in {function(a, y).dtype}; the point was handed over in float64"
        for function in (file.loss, file.gradient)
        if function(a, y).dtype.itemsize < 8 and function(a, y).dtype.kind == "f"
    ]


def _reference(A: Floats, labels: Labels) -> tuple[Floats, Floats]:
    """Return the softmax cross-entropy of each row (B,) and its gradient (B, C)."""
    largest = A.max(axis=1, keepdims=True)
    logs = A - largest - np.log(np.exp(A - largest).sum(axis=1, keepdims=True))
    rows = np.arange(len(A))
    return -logs[rows, labels], softmax(A) - np.eye(A.shape[1])[labels]


def _is_cross_entropy(file: UserFile, form: Form, options: Options) -> bool:
    A, labels = _random_points(form, options, np.random.default_rng([options.seed, 3]))
    value = _value(file, form, A, labels)
    losses, _ = _reference(A, labels)
    return bool(np.isclose(value, [losses.sum(), losses.mean()], rtol=1e-9).any())


def _explain(file: UserFile, form: Form, found: Check, A: Floats, labels: Labels) -> str:
    """Say which of the two is at fault where one of them is known to be right."""
    losses, gradients = _reference(A, labels)
    analytic = found.problem.analytic.reshape(A.shape)
    loss_is_right = np.isclose(found.loss, [losses.sum(), losses.mean()], rtol=1e-6).any()
    gradient_is_right = any(
        np.allclose(analytic, gradients * share, rtol=1e-6, atol=1e-9)
        for share in (1.0, 1 / len(A))
    )
    if loss_is_right and not gradient_is_right:
        return (
            f"{file.loss.name} is right (softmax cross-entropy), {file.gradient.name} is not: "
            f"{found.diagnosis}"
        )
    if gradient_is_right and not loss_is_right:
        wanted = losses.sum() if form.batch else losses[0]
        return (
            f"{file.gradient.name} is right (softmax cross-entropy), {file.loss.name} is not: "
            f"it is {found.loss:.8g} where -log softmax(a)_y is {wanted:.8g}"
            f"{_about_loss(found.loss, A, labels, wanted)}"
        )
    return found.diagnosis


def _about_loss(value: float, A: Floats, labels: Labels, wanted: float) -> str:
    p = softmax(A)[np.arange(len(A)), labels]
    known = [
        ("the minus sign is missing", -wanted),
        ("the logarithm is missing", float(p.sum())),
        ("the logarithm is missing", -float(p.sum())),
        ("the logarithm must be the natural one, not to base 2", wanted / np.log(2)),
        ("the logarithm must be the natural one, not to base 10", wanted / np.log(10)),
        ("it is divided by the number of classes", wanted / A.shape[1]),
        ("only the true class' logarithm counts, not those of all", -np.log(softmax(A)).sum()),
    ]
    for meaning, number in known:
        if np.isclose(value, number, rtol=1e-6):
            return f": {meaning}"
    if len(A) == 1 and 1e-12 < (extra := float(np.exp(-value) - p[0])) < 1e-2:
        return f": {extra:.1g} seems to be added inside the logarithm, but not in the gradient"
    return ""


def _judge_batch(file: UserFile, single: Form, batch: Form, options: Options) -> list[Verdict]:
    """Return the verdicts on rows of functions that also take one vector; none if they do not.

    A formula for one vector often runs with rows too and gives something without meaning: then
    neither is its loss that of the rows, nor its gradient that of its loss.
    """
    verdicts = _judge_form(file, batch, options)
    A, labels = _random_points(batch, options, np.random.default_rng([options.seed, 4]))
    rows = [_value(file, single, A[[i]], labels[[i]]) for i in range(len(A))]
    whole = _value(file, batch, A, labels)
    if np.isclose(whole, [np.sum(rows), np.mean(rows)], rtol=1e-6, atol=1e-9).any():
        return verdicts
    if not all(verdict.passed for verdict in verdicts):
        return []
    each = ", ".join(f"{row:.6g}" for row in rows)
    diagnosis = (
        f"it is {whole:.6g} for a batch whose rows have the losses {each}: neither their sum nor "
        "their mean. Does the softmax run over each row by itself (axis=1, keepdims=True)?"
    )
    return [*verdicts, Verdict(f"{file.loss.name} of a batch", passed=False, diagnosis=diagnosis)]


def _value(file: UserFile, form: Form, A: Floats, labels: Labels) -> float:
    """Return the loss of rows (B, C), or of the only one, as a real number."""
    y = form.label(labels, A.shape[1])
    return float(np.real(_loss_value(file.loss, form.point(A), y)))


def _notes_on_loss(file: UserFile, form: Form, options: Options) -> list[str]:
    try:
        note = note_on_loss(
            lambda a, label: _value(file, form, a[None], np.array([label])), options.classes
        )
    except FaultError:  # told already
        return []
    return [note] if note else []


def _probe(file: UserFile, form: Form, options: Options) -> Iterator[Probe]:
    C = options.classes

    def scalar(a: Floats, label: int) -> float:
        return _value(file, form, a[None], np.array([label]))

    def gradient(a: Floats, label: int) -> Floats:
        A, labels = a[None], np.array([label])
        return _gradient_value(file.gradient, form.point(A), form.label(labels, C))

    softmax_probes: Callable[[], Iterator[Probe]] | None = None
    user_softmax = file.softmax
    if user_softmax is not None:

        def outputs(a: Floats) -> Floats:
            result = user_softmax(a[None] if form.batch else a)
            if result.size != a.size:
                raise FaultError(f"softmax returns shape {result.shape} for a vector of {a.size}")
            return np.asarray(result, np.float64).reshape(a.shape)

        softmax_probes = lambda: probe_softmax(outputs, C, options.seed)  # noqa: E731
    for what, probes in (
        ("softmax", softmax_probes),
        ("gradient at ±1000", lambda: probe_stability(scalar, gradient, C)),
    ):
        if probes is None:
            continue
        try:
            yield from probes()
        except FaultError as error:
            yield Probe(what, passed=False, diagnosis=str(error))
