"""Finds out in which form a user's functions take their arguments.

Shapes: B batch, C classes.
"""

from dataclasses import dataclass

import numpy as np

from mnistlab.gradcheck.cross_entropy import is_cross_entropy
from mnistlab.gradcheck.forms import (
    Form,
    Reading,
    gradient_value,
    loss_value,
    random_points,
    value_of,
)
from mnistlab.gradcheck.functions import FaultError, UserFile
from mnistlab.gradcheck.points import judge_form
from mnistlab.gradcheck.suites import Options


@dataclass(frozen=True)
class Fault:
    """How far the functions came in a form, and what stopped them."""

    progress: int
    what: str


def choose(file: UserFile, options: Options, *, batch: bool) -> tuple[Reading | None, Fault]:
    """Return the form in which the functions work, and else how far they came and what failed.

    Some formulas work in several forms but are right in one only; then the form whose gradient
    fits is taken, or the one that gives the softmax cross-entropy.
    """
    works: list[Reading] = []
    farthest = Fault(-1, "")
    for columns in (False, True) if batch else (False,):
        for one_hot in (False, True):
            form = Form(batch, one_hot, columns)
            reading = Reading(file.in_columns() if columns else file, form)
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
    if len(works) == 1:
        return works[0], farthest

    def likeness(reading: Reading) -> tuple[bool, bool]:
        fits = all(found.passed for found in judge_form(reading, options))
        return fits, is_cross_entropy(reading.file, reading.form, options)

    return max(works, key=likeness), farthest


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
        return Fault(0, str(error))
    try:
        gradient_value(file.gradient, a, y)
    except FaultError as error:
        return Fault(1, str(error))
    return Fault(2, "")
