"""Prints gradient checks: numbers side by side, or a line for each gradient."""

import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby

import numpy as np

from mnistlab.gradcheck.check import Check, Verdict
from mnistlab.gradcheck.diagnosis import place
from mnistlab.gradcheck.grading import Grade
from mnistlab.gradcheck.verdicts import RIGHT, UNJUDGED, WRONG, Report

SHOWN = 12  # coordinates of a gradient that are printed
WIDTH = 100  # columns of running text


def points(verdicts: Sequence[Verdict]) -> Iterator[str]:
    """Yield the lines of gradients shown coordinate by coordinate."""
    several = len({verdict.what for verdict in verdicts}) > 1
    for what, group in groupby(verdicts, key=lambda verdict: verdict.what):
        found = list(group)
        if several:
            yield ""
            yield what
        for number, verdict in enumerate(found, start=1):
            yield ""
            yield from _point(verdict, number, len(found))


def table(checks: Iterator[Check], answers: Mapping[str, str]) -> Iterator[str]:
    """Yield a line for each gradient, the worst of its points, as soon as they are known.

    `answers` names what a gradient is the answer to, by its name.
    """
    yield f"{'gradient':<62} {'points':>6} {'relative error':>14} {'complex step':>12}  verdict"
    for what, group in groupby(checks, key=lambda check: check.what):
        found = list(group)
        relative = max(check.relative_error for check in found)
        known = [check.complex_error for check in found if check.complex_error is not None]
        against = f"{max(known):.1e}" if len(known) == len(found) else "-"
        answer = f"  {answers[what]}" if what in answers else ""
        passed = all(check.passed for check in found)
        yield (
            f"{what:<62} {len(found):>6} {relative:>14.1e} {against:>12}  "
            f"{'passed' if passed else 'FAILED'}{answer}"
        )
        told = [check.diagnosis for check in found if not check.passed]
        told += [f"note: {note}" for check in found for note in check.notes]
        for sentence in dict.fromkeys(told):
            yield from _indented(sentence)


def summary(report: Report) -> Iterator[str]:
    """Yield the properties and the verdict on everything."""
    if report.probes or report.notes:
        yield ""
    for probe in report.probes:
        yield f"{'passed' if probe.passed else 'FAILED'}  {probe.what}"
    if report.probes:
        yield ""
    for note in report.notes:
        yield from textwrap.wrap(f"note: {note}", WIDTH, subsequent_indent="  ")
    right = sum(verdict.passed for verdict in report.verdicts)
    total = len(report.verdicts)
    gradients = "gradient" if total == 1 else "gradients"
    if report.passed:
        yield f"passed: {right} of {total} {gradients} right"
        return
    if report.verdict == UNJUDGED:
        yield UNJUDGED
    else:
        broken = sum(not probe.passed for probe in report.probes)
        also = f", and {broken} of {len(report.probes)} properties missing" if broken else ""
        yield f"FAILED: {total - right} of {total} {gradients} wrong{also}"
    for sentence in report.faults:
        yield from _indented(sentence)


def grades(found: Iterable[Grade], *, quiet: bool) -> Iterator[str]:
    """Yield a line for each file as soon as it is judged, and the numbers of verdicts.

    Its form and diagnosis are below it; if `quiet`, the diagnosis alone is beside it.
    """
    counts = dict.fromkeys((RIGHT, WRONG, UNJUDGED), 0)
    for one in found:
        counts[one.verdict] += 1
        if quiet:
            yield f"{one.who}: {one.verdict}{f': {one.diagnosis}' if one.diagnosis else ''}"
            continue
        error = "" if one.worst_error is None else f"  worst error {one.worst_error:.1e}"
        yield f"{one.verdict:<16}  {one.who}{f'  {one.functions}' if one.functions else ''}{error}"
        for sentence in filter(None, (one.form, one.diagnosis)):
            yield from textwrap.wrap(
                sentence, WIDTH, initial_indent=" " * 18, subsequent_indent=" " * 18
            )
    if not quiet:
        yield ", ".join(f"{number} {verdict}" for verdict, number in counts.items())


def _point(verdict: Verdict, number: int, total: int) -> Iterator[str]:
    if not isinstance(verdict, Check):
        word = "FAILED" if verdict.judged else "not judged"
        yield f"point {number} of {total}: {word}" if total > 1 else word
        yield from _indented(verdict.diagnosis)
        return
    labels = verdict.problem.labels.tolist()
    many = "labels" if len(labels) > 1 else "label"
    told = ", ".join(map(str, labels))
    yield f"point {number} of {total}: {many} {told}, loss {verdict.loss:.8g}"
    yield from _coordinates(verdict)
    yield (
        f"  {'passed' if verdict.passed else 'FAILED'}: largest error {verdict.max_abs_error:.1e} "
        f"at {place(verdict.worst_index)}, relative {verdict.relative_error:.1e} "
        f"(noise floor {verdict.noise_floor:.0e})"
        + ("" if verdict.complex_error is None
           else f", against the complex step {verdict.complex_error:.1e}")
    )  # fmt: skip
    if not verdict.passed:
        yield from _indented(verdict.diagnosis)
    for note in verdict.notes:
        yield from _indented(f"note: {note}")


def _coordinates(check: Check) -> Iterator[str]:
    """Yield analytic and numerical gradient side by side, the worst first if there are many."""
    problem = check.problem
    with np.errstate(all="ignore"):
        errors = np.abs(problem.analytic - check.numerical).ravel()
    order = np.arange(errors.size)
    if errors.size > SHOWN:
        worst = np.argsort(-np.nan_to_num(errors, nan=np.inf), kind="stable")[:SHOWN]
        order = np.sort(worst)
        yield f"  the {SHOWN} worst of {errors.size:,} coordinates:"
    method = "complex step" if check.method == "complex" else "differences"
    yield f"  {'':>8} {'point':>16} {'analytic':>20} {method:>20} {'error':>9}"
    for flat in order:
        index = tuple(int(i) for i in np.unravel_index(flat, problem.point.shape))
        yield (
            f"  {place(index):>8} {problem.point[index]:>16.9g} {problem.analytic[index]:>20.12g} "
            f"{check.numerical[index]:>20.12g} {errors[flat]:>9.1e}"
        )


def _indented(sentence: str) -> list[str]:
    """Return a sentence on indented lines."""
    return textwrap.wrap(sentence, WIDTH, initial_indent="  ", subsequent_indent="  ")
