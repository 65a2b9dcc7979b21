"""What is known of one checked gradient or property, in the words of tables and JSON."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnistlab.core.gradcheck import Check

Floats = NDArray[np.floating]


@dataclass(frozen=True)
class Verdict:
    """The outcome for one gradient; without a `check` the function could not even be judged."""

    what: str
    passed: bool
    diagnosis: str = ""
    notes: tuple[str, ...] = ()
    check: Check | None = None

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

    def to_dict(self) -> dict[str, Any]:
        """Return what `--json` prints."""
        return {
            "passed": self.passed,
            "title": self.title,
            "checks": [verdict.to_dict() for verdict in self.verdicts],
            "probes": [probe.to_dict() for probe in self.probes],
            "notes": list(self.notes),
        }
