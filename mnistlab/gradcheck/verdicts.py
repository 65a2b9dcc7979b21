"""The report on checks, and the properties that a softmax and its loss must have.

Shapes: B batch, C classes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Probe:
    """A property that a softmax or a loss must have, and whether it has.

    Attributes:
        diagnosis: what is wrong where it has not.
    """

    what: str
    passed: bool
    diagnosis: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return what `--json` shows."""
        diagnosis = None if self.passed else self.diagnosis
        return {"what": self.what, "passed": self.passed, "diagnosis": diagnosis}


@dataclass(frozen=True)
class Report:
    """Everything that one `gradcheck` found.

    Attributes:
        title: what was checked, in one line.
        notes: what holds for all of it.
    """

    title: str
    verdicts: Sequence[Verdict]
    probes: Sequence[Probe] = ()
    notes: Sequence[str] = ()

    @property
    def passed(self) -> bool:
        """Whether nothing was found wrong."""
        gradients = all(verdict.passed for verdict in self.verdicts)
        return gradients and all(probe.passed for probe in self.probes)

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
            "probes": [probe.to_dict() for probe in self.probes],
            "notes": list(self.notes),
        }


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


def probe_softmax(softmax: Callable[[Floats], Floats], C: int, seed: int) -> list[Probe]:
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
        Probe(
            "softmax sums to one",
            bool((np.abs(total - 1) < 1e-6).all()),
            f"the softmax' outputs sum to {float(total[0]):.6g}: {why}",
        ),
        Probe(
            "softmax lies between 0 and 1",
            low >= 0 and high <= 1 + 1e-6,
            f"the softmax' outputs reach from {low:.6g} to {high:.6g}",
        ),
        Probe(
            "softmax stays the same when all pre-activations are shifted",
            moved < 1e-6,
            f"adding 50 to every pre-activation changes the softmax by {moved:.3g}",
        ),
        Probe(
            "softmax is right at pre-activations of ±1000",
            finite and is_right_far,
            wrong if finite else MISTAKES["unshifted_softmax"].sentence,
        ),
        Probe(
            "softmax is exp(a) over the sum of exp(a)",
            gap < 1e-6,
            f"the softmax differs from its definition by up to {gap:.3g}",
        ),
    ]


def probe_stability(
    loss: Callable[[Floats, int], float],
    gradient: Callable[[Floats, int], Floats],
    C: int,
    *,
    blame_softmax: bool = True,
) -> list[Probe]:
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
    return [Probe("gradient is finite at pre-activations of ±1000", is_finite, why)]


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
