"""The report on checks, as lines, as JSON and as a folder; and what must hold of a softmax.

Shapes: B batch, C classes.
"""

import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from mnistlab.core import losses
from mnistlab.gradcheck.check import Check, Verdict
from mnistlab.gradcheck.diagnosis import place
from mnistlab.gradcheck.differences import Floats, study_steps, unit_of
from mnistlab.gradcheck.mistakes import MISTAKES

RIGHT, WRONG, UNJUDGED = "right", "wrong", "cannot be judged"
"""The verdicts on a file."""

SHOWN = 12  # coordinates of a gradient that are printed
WIDTH = 100  # columns of running text


@dataclass(frozen=True)
class Report:
    """Everything that one `gradcheck` found.

    Attributes:
        title: what was checked, in one line.
        probes: properties of a softmax and its loss.
        notes: what holds for all of it.
    """

    title: str
    verdicts: Sequence[Verdict]
    probes: Sequence[Verdict] = ()
    notes: Sequence[str] = ()

    @property
    def passed(self) -> bool:
        """Whether nothing was found wrong."""
        return all(one.passed for one in (*self.verdicts, *self.probes))

    @property
    def verdict(self) -> str:
        """Return RIGHT, WRONG, or UNJUDGED where nothing is wrong that could be judged."""
        if self.passed:
            return RIGHT
        failed = [one for one in self.verdicts if not one.passed]
        return UNJUDGED if failed and not any(one.judged for one in failed) else WRONG

    @property
    def faults(self) -> list[str]:
        """Return what is wrong, a sentence each, none twice."""
        told: dict[str, str] = {}
        for one in self.verdicts:
            if not one.passed:
                told.setdefault(one.what, one.diagnosis)
        gradients = list(told.values())
        if len(set(gradients)) > 1:
            gradients = [f"by {what.rpartition(' by ')[2]}: {why}" for what, why in told.items()]
        properties = [one.diagnosis for one in self.probes if not one.passed]
        return list(dict.fromkeys([*gradients, *properties]))

    def to_dict(self) -> dict[str, Any]:
        """Return what `--json` prints."""
        return {
            "passed": self.passed,
            "verdict": self.verdict,
            "title": self.title,
            "checks": [verdict.to_dict() for verdict in self.verdicts],
            "probes": [
                {"what": one.what, "passed": one.passed, "diagnosis": one.diagnosis or None}
                for one in self.probes
            ],
            "notes": list(self.notes),
        }


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


def save(report: Report, table: str, runs_dir: Path) -> Path:
    """Write a folder with gradcheck.json, table.txt, a plot and where it all came from.

    It has no status.json, so that nothing takes it for a run. Raises RunFolderError where no folder
    can be made.
    """
    # a file of a stranger is judged in a process of its own, which needs none of these
    from mnistlab.plots import gradient_error, save_picture  # noqa: PLC0415
    from mnistlab.run_folders import create_run_folder  # noqa: PLC0415
    from mnistlab.run_folders.files import write_json, write_text  # noqa: PLC0415
    from mnistlab.run_folders.provenance import describe_environment  # noqa: PLC0415

    folder = create_run_folder(runs_dir, "gradcheck", latest=False)
    write_json(folder.environment, describe_environment())
    write_json(folder.path / "gradcheck.json", report.to_dict())
    write_text(folder.path / "table.txt", table)
    checks = [verdict for verdict in report.verdicts if isinstance(verdict, Check)]
    check = min(checks, key=lambda check: check.passed, default=None)  # the first failure, if any
    if check is not None:
        errors = np.abs(check.problem.analytic - check.numerical).ravel()
        tolerance, shape = check.tolerance.ravel(), check.numerical.shape
        worst = np.argsort(-np.nan_to_num(errors - tolerance, nan=np.inf), kind="stable")[:10]
        figure = gradient_error(
            study_steps(check.problem.line, check.differences, shape),
            [place(np.unravel_index(flat, shape)) for flat in worst],
            errors[worst],
            tolerance[worst],
            title=f"Gradient check: {'passed' if check.passed else 'failed'}",
            details=check.what.replace("_", " "),
        )
        folder.plots.mkdir(exist_ok=True)
        save_picture(figure, folder.plot("gradcheck"))
    return folder.path


LARGE, MODERATE = 1000.0, 300.0
"""exp overflows at the first and not at the second."""


def probe_softmax(softmax: Callable[[Floats], Floats], C: int, seed: int) -> list[Verdict]:
    """Return what can be said of a softmax of rows, (B, C) to (B, C)."""
    a = np.random.default_rng([seed, 2]).normal(0, 2, (2, C))
    with np.errstate(all="ignore"):
        outputs, shifted, true = softmax(a.copy()), softmax(a + 50), losses.softmax(a)
        extremes = _extremes(C, LARGE)
        far, true_far = softmax(extremes.copy()), losses.softmax(extremes)
    total, low, high = outputs.sum(axis=1), float(outputs.min()), float(outputs.max())
    moved, gap = (float(np.abs(one - outputs).max()) for one in (shifted, true))
    transposed = abs(float(outputs.sum(axis=0)[0]) - 1) < 1e-6
    why = "it runs along the wrong axis" if transposed else "divide by the sum of all exponentials"
    finite = bool(np.isfinite(far).all())
    wrong = "the softmax is finite at pre-activations of ±1000, but not right"
    # numbers as large as these are themselves rounded, in float32 to 6e-5
    is_right_far = np.allclose(far, true_far, atol=max(1e-6, 2 * LARGE * unit_of(far)))
    return [
        _property(
            "softmax sums to one",
            bool((np.abs(total - 1) < 1e-6).all()),
            f"the softmax' outputs sum to {float(total[0]):.6g}: {why}",
        ),
        _property(
            "softmax lies between 0 and 1",
            low >= 0 and high <= 1 + 1e-6,
            f"the softmax' outputs reach from {low:.6g} to {high:.6g}",
        ),
        _property(
            "softmax stays the same when all pre-activations are shifted",
            moved < 1e-6,
            f"adding 50 to every pre-activation changes the softmax by {moved:.3g}",
        ),
        _property(
            "softmax is right at pre-activations of ±1000",
            finite and is_right_far,
            wrong if finite else MISTAKES["unshifted_softmax"].sentence,
        ),
        _property(
            "softmax is exp(a) over the sum of exp(a)",
            gap < 1e-6,
            f"the softmax differs from its definition by up to {gap:.3g}",
        ),
    ]


def _property(what: str, holds: bool, otherwise: str) -> Verdict:
    return Verdict(what, "" if holds else otherwise)


def probe_stability(
    loss: Callable[[Floats, int], float],
    gradient: Callable[[Floats, int], Floats],
    C: int,
    *,
    blame_softmax: bool = True,
) -> list[Verdict]:
    """Return whether the gradient stays finite at ±1000.

    A loss that is huge at ±300 already may well overflow at ±1000: that is no fault of its
    implementation, and nothing is asked of it. Nor is the loss itself asked to be finite there:
    -log(softmax) is not, with the best of softmaxes; see `note_on_loss`. `blame_softmax` says
    whether what is not finite is the softmax' fault, as far as is known.
    """
    moderate, large = (
        [(a, label) for a in _extremes(C, size) for label in (0, C - 1)]
        for size in (MODERATE, LARGE)
    )
    with np.errstate(all="ignore"):
        known = max(abs(loss(*point)) for point in moderate)
        if not (known < 1e9 and all(np.isfinite(gradient(*point)).all() for point in moderate)):
            return []
        is_finite = all(np.isfinite(gradient(*point)).all() for point in large)
    why = (
        MISTAKES["unshifted_softmax"].sentence
        if blame_softmax
        else "the gradient is not finite at pre-activations of ±1000, where a probability "
        "rounds to 0: look for a division by it"
    )
    return [_property("gradient is finite at pre-activations of ±1000", is_finite, why)]


def note_on_loss(loss: Callable[[Floats, int], float], C: int) -> str:
    """Return what to know of a loss that is not finite at ±1000, nothing for one that is."""
    with np.errstate(all="ignore"):
        value = loss(_extremes(C, LARGE)[0], C - 1)
        if np.isfinite(value) or not abs(loss(_extremes(C, MODERATE)[0], C - 1)) < 1e9:
            return ""
    return (
        f"the loss is {value:g} at pre-activations of ±1000, where the true class' probability "
        "rounds to 0; log(sum(exp(a - max))) - (a_y - max) stays finite"
    )


def _extremes(C: int, size: float) -> Floats:
    """Return rows (5, C): from one end to the other, and back; near either end; and around 0.

    Together in one batch they show a shift by a number that all rows share.
    """
    slope = np.linspace(size, -size, C)
    near = np.linspace(0.0, 2.0, C)
    return np.stack([slope, slope[::-1], near - size, near + size, near])
