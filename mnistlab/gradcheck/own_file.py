"""Judges a loss and a gradient from a user's own file, in whichever form they are written.

Shapes: B batch, C classes.
"""

import contextlib
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mnistlab.gradcheck.forms import (
    Form,
    Reading,
    gradient_value,
    loss_value,
    random_points,
    value_of,
)
from mnistlab.gradcheck.functions import CallError, FaultError, UserFunction
from mnistlab.gradcheck.judgement import is_cross_entropy, judge_form
from mnistlab.gradcheck.suites import Options
from mnistlab.gradcheck.user_file import UserFile, read_user_file
from mnistlab.gradcheck.verdicts import (
    Probe,
    Report,
    Verdict,
    note_on_loss,
    probe_softmax,
    probe_stability,
)


@dataclass(frozen=True)
class Fault:
    """How far the functions came in a form, what stopped them, and whether a call did."""

    progress: int
    what: str
    is_call: bool = False


def choose(file: UserFile, options: Options, *, batch: bool) -> tuple[Reading | None, Fault]:
    """Return the form in which the functions work, and else how far they came and what failed.

    Some formulas work in several forms but are right in one only; then the form whose gradient
    fits is taken, or the one that gives the softmax cross-entropy.
    """
    works: list[Reading] = []
    farthest = Fault(-1, "")
    ways = itertools.product((False, True), (False, True) if batch else (False,), (False, True))
    for label_first, columns, one_hot in ways:
        if label_first and (works or file.by_weights):
            break  # (a, y) is what most functions take
        form = Form(batch, one_hot, columns, label_first)
        given = file.in_form(columns=columns, label_first=label_first)
        reading = _by_probabilities(Reading(given, form), options)
        fault = _try(reading, options)
        if not fault.what:
            works.append(reading)
        elif fault.progress > farthest.progress and label_first <= file.names_label_first:
            farthest = fault
    by_number = [reading for reading in works if not (batch or reading.form.one_hot)]
    if by_number and _multiplies_by_label(by_number[0], options):
        works.remove(by_number[0])
    if not works:
        return None, farthest
    if len(works) == 1:
        return works[0], farthest

    def likeness(reading: Reading) -> tuple[bool, bool]:
        fits = all(found.passed for found in judge_form(reading, options))
        return fits, is_cross_entropy(reading.file, reading.form, options)

    return max(works, key=likeness), farthest


def _by_probabilities(reading: Reading, options: Options) -> Reading:
    """Return the form with probabilities for pre-activations, if the loss is one of these."""
    other = replace(reading, form=replace(reading.form, probabilities=True))
    try:
        is_meant = not is_cross_entropy(reading.file, reading.form, options) and is_cross_entropy(
            other.file, other.form, options
        )
    except FaultError:
        return reading
    return other if is_meant else reading


def _multiplies_by_label(reading: Reading, options: Options) -> bool:
    """Whether the loss is proportional to the class number: it takes it for a one-hot vector."""
    C = options.classes
    A = np.random.default_rng([options.seed, 5]).normal(0, options.scale, (1, C))
    values = [value_of(reading.file, reading.form, A, np.array([y])) for y in range(min(C, 3))]
    multiples = values[-1] * np.arange(len(values)) / (len(values) - 1)
    return bool(np.allclose(values, multiples, rtol=1e-9) and values[-1] != 0)


def _try(reading: Reading, options: Options) -> Fault:
    """Call both functions once; return how far they came and what is wrong, if anything."""
    file, form = reading.file, reading.form
    A, labels = random_points(form, options, np.random.default_rng([options.seed, 3]))
    a, y = form.point(A), form.label(labels, options.classes)
    try:
        loss_value(file.loss, a, y)
    except FaultError as error:
        return Fault(0, str(error), isinstance(error, CallError))
    try:
        gradient_value(file.gradient, a, y)
    except FaultError as error:
        return Fault(1, str(error), isinstance(error, CallError))
    return Fault(2, "")


Floats = NDArray[np.floating]


def judge(path: Path, loss: str | None, gradient: str | None, options: Options) -> Report:
    """Return the report on a user's file, whose functions the names say, or their own names.

    Raises InputError where the file cannot be run or its functions cannot be told.
    """
    reports = [_judge(file, options) for file in read_user_file(path, loss, gradient)]
    if len(reports) == 1:
        return reports[0]
    titles = [report.title.removeprefix(f"{path.name}: ") for report in reports]
    return Report(
        f"{path.name}: {'; '.join(titles)}",
        [verdict for report in reports for verdict in report.verdicts],
        [probe for report in reports for probe in report.probes],
        list(dict.fromkeys(note for report in reports for note in report.notes)),
    )


def _judge(file: UserFile, options: Options) -> Report:
    """Return the report on a loss and its gradient, in every form that they take."""
    title = f"{file.path.name}: {file.gradient.name} against {file.loss.name}"
    single, fault = choose(file, options, batch=False)
    batch, batch_fault = choose(file, options, batch=True)
    taken = [reading for reading in (single, batch) if reading is not None]
    if not taken:
        farthest = max(fault.progress, batch_fault.progress)
        judged = any(not one.is_call for one in (fault, batch_fault) if one.progress == farthest)
        why = _either(fault, batch_fault)
        return Report(title, [Verdict(title, passed=False, diagnosis=why, judged=judged)])
    first = taken[0]
    verdicts = judge_form(first, options)
    notes = [f"takes {reading.form}" for reading in taken]
    if file.by_weights:
        notes = [f"takes weights and features: {first.form}"]
        verdicts += _judge_penalty(file, first, options)
    elif single is None:
        notes.append(f"does not take one vector ({fault.what}), which was not held against it")
    elif batch is None:
        refused = _judge_refused_batch(file, single, batch_fault, options)
        verdicts += refused
        if not refused:
            reason = f"does not take a batch ({batch_fault.what})"
            notes.append(f"{reason}, which was not held against it")
    else:
        more = _judge_batch(single, batch, options)
        verdicts += more
        if not more:
            notes[1:] = ["seems not to be made for a batch of rows, which was not held against it"]
    probes = [] if first.form.probabilities else list(_probe(first, options))
    notes += _notes_on_loss(first, options)
    return Report(title, verdicts, probes, notes)


def _either(single: Fault, batch: Fault) -> str:
    """Return the fault of the form that they got further with: the one that was meant."""
    if single.progress == batch.progress and single.what != batch.what:
        return f"for one vector: {single.what}; for a batch of rows: {batch.what}"
    return max(single, batch, key=lambda fault: fault.progress).what


def _judge_penalty(file: UserFile, reading: Reading, options: Options) -> list[Verdict]:
    """Return the verdicts with a penalty on the weights, if the functions take one."""
    if not file.penalties:
        return []
    penalised = file.in_form(columns=reading.form.columns, penalty=0.1)
    found = judge_form(replace(reading, file=penalised), options)
    return [replace(one, what=f"{one.what}, {file.gradient.parameters[3]} = 0.1") for one in found]


def _judge_batch(single: Reading, batch: Reading, options: Options) -> list[Verdict]:
    """Return the verdicts on rows of functions that also take one vector; none if they do not.

    A formula for one vector often runs with rows too and gives something without meaning: then
    neither is its loss that of the rows, nor its gradient that of its loss.
    """
    verdicts = judge_form(batch, options)
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


def _judge_refused_batch(
    original: UserFile, single: Reading, fault: Fault, options: Options
) -> list[Verdict]:
    """Return a verdict where the loss took a batch well and the gradient did not."""
    if fault.progress < 1:
        return []
    for columns, one_hot in itertools.product((False, True), repeat=2):
        label_first = single.form.label_first
        file = original.in_form(columns=columns, label_first=label_first)
        batch = Reading(file, replace(single.form, batch=True, one_hot=one_hot, columns=columns))
        with contextlib.suppress(FaultError):
            if _fits_its_rows(single, batch, options)[0]:
                what = f"{file.gradient.name} of a batch"
                return [Verdict(what, passed=False, diagnosis=fault.what)]
    return []


def _fits_its_rows(
    single: Reading, batch: Reading, options: Options
) -> tuple[bool, float, list[float]]:
    """Return whether a batch's loss is the sum or the mean of its rows', and all of them."""
    A, labels = random_points(batch.form, options, np.random.default_rng([options.seed, 4]))
    rows = [value_of(single.file, single.form, A[[i]], labels[[i]]) for i in range(len(A))]
    whole = value_of(batch.file, batch.form, A, labels)
    sums = [np.sum(rows), np.mean(rows)]
    return bool(np.isclose(whole, sums, rtol=1e-6, atol=1e-9).any()), whole, rows


def _notes_on_loss(reading: Reading, options: Options) -> list[str]:
    """Return what to know of the loss, which is not held against it."""
    file, form, C = reading.file, reading.form, options.classes
    notes = []
    try:
        if form.probabilities:
            note = (
                f"{file.loss.name} takes probabilities, the softmax of pre-activations, and "
                f"{file.gradient.name} is the derivative by these; that by the pre-activations is "
                "softmax(a) - y"
            )
            return [note]
        if not is_cross_entropy(file, form, options):
            notes.append(f"{file.loss.name} is not the softmax cross-entropy")
        notes.append(
            note_on_loss(lambda a, label: value_of(file, form, a[None], np.array([label])), C)
        )
    except FaultError:  # told already
        return []
    return [note for note in notes if note]


def _probe(reading: Reading, options: Options) -> Iterator[Probe]:
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
