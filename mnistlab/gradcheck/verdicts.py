"""The outcome of checks: verdicts on gradients, properties of a softmax, and the report on both.

Shapes: B batch, C classes.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnistlab.core import losses
from mnistlab.gradcheck.check import Check
from mnistlab.gradcheck.differences import unit_of
from mnistlab.gradcheck.mistakes import MISTAKES

Floats = NDArray[np.floating]

RIGHT, WRONG, UNJUDGED = "right", "wrong", "cannot be judged"
"""The verdicts on a file."""


@dataclass(frozen=True)
class Verdict:
    """The outcome for one gradient; without a `check` nothing was compared.

    Attributes:
        judged: whether the functions could be called at all; if not, the gradient is not wrong.
    """

    what: str
    passed: bool
    diagnosis: str = ""
    notes: tuple[str, ...] = ()
    check: Check | None = None
    judged: bool = True

    @classmethod
    def of(cls, check: Check, *, diagnosis: str = "", notes: Sequence[str] = ()) -> "Verdict":
        """Return the verdict of a check, whose diagnosis a better one may replace."""
        return cls(
            what=check.problem.what,
            passed=check.passed,
            diagnosis=diagnosis or check.diagnosis,
            notes=(*notes, *check.notes),
            check=check,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return what `--json` shows."""
        check = self.check
        known: dict[str, Any] = dict.fromkeys(
            (
                "point", "label", "loss", "method", "max_abs_error", "relative_error",
                "noise_floor", "direction_error", "complex_step_error", "worst_index",
                "analytic", "numerical", "tolerance",
            )
        )  # fmt: skip
        if check is not None:
            labels = check.problem.labels.tolist()
            known = {
                "point": check.problem.point.tolist(),
                "label": labels[0] if len(labels) == 1 else labels,
                "loss": check.loss,
                "method": check.method,
                "max_abs_error": check.max_abs_error,
                "relative_error": check.relative_error,
                "noise_floor": check.noise_floor,
                "direction_error": check.direction_error,
                "complex_step_error": check.complex_error,
                "worst_index": list(check.worst_index),
                "analytic": check.problem.analytic.tolist(),
                "numerical": check.numerical.tolist(),
                "tolerance": check.tolerance.tolist(),
            }
        return {
            "what": self.what,
            **known,
            "passed": self.passed,
            "judged": self.judged,
            "diagnosis": self.diagnosis or None,
            "notes": list(self.notes),
        }


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
    notes: Sequence[str] = field(default=())

    @property
    def passed(self) -> bool:
        """Whether nothing was found wrong."""
        gradients = all(verdict.passed for verdict in self.verdicts)
        return gradients and all(probe.passed for probe in self.probes)

    @property
    def is_judged(self) -> bool:
        """Whether any gradient could be judged."""
        return any(one.judged for one in self.verdicts)

    @property
    def verdict(self) -> str:
        """Return RIGHT, WRONG, or UNJUDGED where nothing is wrong that could be judged."""
        if self.passed:
            return RIGHT
        is_unjudged = any(not one.judged for one in self.verdicts)
        wrong = [one for one in self.verdicts if one.judged and not one.passed]
        return UNJUDGED if is_unjudged and not wrong else WRONG

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


LARGE, MODERATE = 1000.0, 300.0
"""exp overflows at the first and not at the second."""


def probe_softmax(softmax: Callable[[Floats], Floats], C: int, seed: int) -> Iterator[Probe]:
    """Yield what can be said of a softmax of rows, (B, C) to (B, C)."""
    generator = np.random.default_rng([seed, 2])
    a = generator.normal(0, 2, (2, C))
    with np.errstate(all="ignore"):
        outputs, shifted, true = softmax(a.copy()), softmax(a + 50), losses.softmax(a)
        extremes = _extremes(C, LARGE)
        far, true_far = softmax(extremes.copy()), losses.softmax(extremes)
    total = float(np.sum(outputs, axis=1)[0])
    transposed = abs(float(np.sum(outputs, axis=0)[0]) - 1) < 1e-6
    why = "it runs along the wrong axis" if transposed else "divide by the sum of all exponentials"
    yield Probe(
        "softmax sums to one",
        bool((np.abs(np.sum(outputs, axis=1) - 1) < 1e-6).all()),
        f"the softmax' outputs sum to {total:.6g}: {why}",
    )
    low, high = float(np.min(outputs)), float(np.max(outputs))
    yield Probe(
        "softmax lies between 0 and 1",
        low >= 0 and high <= 1 + 1e-6,
        f"the softmax' outputs reach from {low:.6g} to {high:.6g}",
    )
    gap = float(np.max(np.abs(shifted - outputs)))
    yield Probe(
        "softmax stays the same when all pre-activations are shifted",
        gap < 1e-6,
        f"adding 50 to every pre-activation changes the softmax by {gap:.3g}",
    )
    finite = bool(np.isfinite(far).all())
    wrong = "the softmax is finite at pre-activations of ±1000, but not right"
    yield Probe(
        "softmax is right at pre-activations of ±1000",
        # numbers as large as these are themselves rounded, in float32 to 6e-5
        finite and np.allclose(far, true_far, atol=max(1e-6, 2 * LARGE * unit_of(far))),
        wrong if finite else MISTAKES["unshifted_softmax"].sentence,
    )
    gap = float(np.max(np.abs(outputs - true)))
    yield Probe(
        "softmax is exp(a) over the sum of exp(a)",
        gap < 1e-6,
        f"the softmax differs from its definition by up to {gap:.3g}",
    )


def probe_stability(
    loss: Callable[[Floats, int], float],
    gradient: Callable[[Floats, int], Floats],
    C: int,
    *,
    blame_softmax: bool = True,
) -> Iterator[Probe]:
    """Yield whether the gradient stays finite at ±1000.

    A loss that is huge at ±300 already may well overflow at ±1000: that is no fault of its
    implementation, and nothing is asked of it. Nor is the loss itself asked to be finite there:
    -log(softmax) is not, with the best of softmaxes; see `note_on_loss`. `blame_softmax` says
    whether what is not finite is the softmax' fault, as far as is known.
    """
    moderate, large = (_extremes(C, size) for size in (MODERATE, LARGE))
    labels = (0, C - 1)
    with np.errstate(all="ignore"):
        known = max(abs(loss(a, label)) for a in moderate for label in labels)
        gradients = np.array([gradient(a, label) for a in moderate for label in labels])
        if not known < 1e9 or not np.isfinite(gradients).all():
            return
        gradients = np.array([gradient(a, label) for a in large for label in labels])
    yield Probe(
        "gradient is finite at pre-activations of ±1000",
        bool(np.isfinite(gradients).all()),
        MISTAKES["unshifted_softmax"].sentence
        if blame_softmax
        else "the gradient is not finite at pre-activations of ±1000, where a probability "
        "rounds to 0: look for a division by it",
    )


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
