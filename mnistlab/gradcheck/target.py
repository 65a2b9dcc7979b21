"""Judges a loss and a gradient from a user's own file, in whichever form they are written.

Shapes: B batch, C classes.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnistlab.core.gradcheck import Problem, check
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
from mnistlab.gradcheck.functions import FaultError, UserFile
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
    forms = [form for form in (single, batch) if form is not None]
    if not forms:
        # the form they got further with is the one that was meant
        _, diagnosis = max(fault, batch_fault, key=lambda found: found[0])
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
    telling = [form for form in works if is_cross_entropy(file, form, options)]
    return (fitting or telling or works)[0], farthest


def _try(file: UserFile, form: Form, options: Options) -> tuple[int, str]:
    """Call both functions once; return how far they came and what is wrong, if anything."""
    A, labels = random_points(form, options, np.random.default_rng([options.seed, 3]))
    a, y = form.point(A), form.label(labels, options.classes)
    try:
        loss_value(file.loss, a, y)
    except FaultError as error:
        return 0, str(error)
    try:
        gradient_value(file.gradient, a, y)
    except FaultError as error:
        return 1, str(error)
    return 2, ""


def _judge_form(file: UserFile, form: Form, options: Options) -> list[Verdict]:
    """Return the verdicts at random points."""
    generator = np.random.default_rng(options.seed)
    verdicts = []
    for _ in range(options.points):
        A, labels = random_points(form, options, generator)
        a, y = form.point(A), form.label(labels, options.classes)
        what = f"{file.gradient.name}({'A, y' if form.batch else 'a, y'}) by pre-activations"
        try:
            problem = _problem(file, form, A, labels, what)
            found = check(problem, options.method, generator)
        except FaultError as error:
            verdicts.append(Verdict(what, passed=False, diagnosis=str(error)))
            continue
        diagnosis = "" if found.passed else explain(file, form, found, A, labels)
        notes = _notes(file, a, y)
        verdicts.append(Verdict.of(found, diagnosis=diagnosis, notes=notes))
    return verdicts


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


def _judge_batch(file: UserFile, single: Form, batch: Form, options: Options) -> list[Verdict]:
    """Return the verdicts on rows of functions that also take one vector; none if they do not.

    A formula for one vector often runs with rows too and gives something without meaning: then
    neither is its loss that of the rows, nor its gradient that of its loss.
    """
    verdicts = _judge_form(file, batch, options)
    A, labels = random_points(batch, options, np.random.default_rng([options.seed, 4]))
    rows = [value_of(file, single, A[[i]], labels[[i]]) for i in range(len(A))]
    whole = value_of(file, batch, A, labels)
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


def _notes_on_loss(file: UserFile, form: Form, options: Options) -> list[str]:
    try:
        note = note_on_loss(
            lambda a, label: value_of(file, form, a[None], np.array([label])), options.classes
        )
    except FaultError:  # told already
        return []
    return [note] if note else []


def _probe(file: UserFile, form: Form, options: Options) -> Iterator[Probe]:
    C = options.classes

    def scalar(a: Floats, label: int) -> float:
        return value_of(file, form, a[None], np.array([label]))

    def gradient(a: Floats, label: int) -> Floats:
        A, labels = a[None], np.array([label])
        return gradient_value(file.gradient, form.point(A), form.label(labels, C))

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
