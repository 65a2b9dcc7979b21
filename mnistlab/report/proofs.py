"""The numerical checks of the derivations, computed anew for each report."""

from typing import Any

import numpy as np

from mnistlab.core.losses import LOSSES
from mnistlab.core.losses import softmax as our_softmax
from mnistlab.core.samples import one_hot
from mnistlab.gradcheck.check import Check
from mnistlab.gradcheck.differences import COMPLEX_STEP, FIRST_STEP, LEVELS
from mnistlab.gradcheck.mistakes import Case
from mnistlab.gradcheck.suites import Options, check_case, check_default, probe_ours
from mnistlab.report.text import DASH

CASES = (
    *(Case("linear", "squared_error", by, over)
      for by in ("weights", "biases") for over in (None, "sum", "mean")),
    *(Case("sigmoid", "squared_error", by, over)
      for by in ("weights", "biases") for over in (None, "sum")),
    Case("linear", "softmax_cross_entropy"),
)  # fmt: skip
"""The gradients that the assignment derives; all that there are would take a second more."""

EXAMPLES = ((1000.0, 1001.0, 1002.0), (88.0, 89.0, 90.0), (-1000.0, 0.0, 1000.0))
"""Pre-activations at which the definition of the softmax, computed as written, fails."""


def check_derivations() -> dict[str, dict[str, Any]]:
    """Return what `mnistlab gradcheck --all` finds for CASES, by the name of the gradient.

    Each entry holds `points`, `coordinates`, `passed`, and, shown to two digits, the largest
    `error` and `tolerance` as a part of the largest coordinate.
    """
    found = [list(check_case(case, Options())) for case in CASES]
    return {verdicts[0].what: _summary(verdicts) for verdicts in found}


def _summary(verdicts: list[Any]) -> dict[str, Any]:
    checks: list[Check] = [one.check for one in verdicts if one.check is not None]
    return {
        "points": len(verdicts),
        "coordinates": sum(check.problem.point.size for check in checks),
        "error": _short(max((check.relative_error for check in checks), default=np.inf)),
        "tolerance": _short(max(map(_allowed, checks), default=np.inf)),
        "passed": len(checks) == len(verdicts) and all(one.passed for one in verdicts),
    }


def check_softmax() -> dict[str, Any]:
    """Return what `mnistlab gradcheck` finds at three random points, and the options it had.

    `points` has an entry for each point: the true class, the loss, errors, the verdict and
    every coordinate. `properties` are those that any softmax must have.
    """
    options = Options()
    points = []
    for number, verdict in enumerate(check_default(options), 1):
        check = verdict.check
        passed = "passed" if verdict.passed else f"failed: {verdict.diagnosis}"
        point: dict[str, Any] = {"point": number, "verdict": passed}
        if check is not None:
            analytic, errors = check.problem.analytic, abs(check.problem.analytic - check.numerical)
            point |= {
                "label": int(check.problem.labels[0]),
                "loss": f"{check.loss:.6f}",
                "absolute_error": _short(check.max_abs_error),
                "relative_error": _short(check.relative_error),
                "complex_step": _short(check.complex_error),
                "coordinates": [
                    {
                        "class": int(index[-1]),
                        "at": f"{check.problem.point[index]:.6f}",
                        "analytic": f"{analytic[index]:.9f}",
                        "error": _short(float(errors[index])),
                    }
                    for index in np.ndindex(check.problem.point.shape)
                ],
            }
        points.append(point)
    return {
        "seed": options.seed,
        "scale": options.scale,
        "classes": max((len(one.get("coordinates", ())) for one in points), default=0),
        "first_step": FIRST_STEP,
        "levels": LEVELS,
        "complex_step": f"{COMPLEX_STEP:g}",
        "points": points,
        "properties": [{"what": one.what, "passed": one.passed} for one in probe_ours(options)],
    }


def show_stabilisation() -> list[dict[str, str]]:
    """Return what the formulas as written, and what our functions, make of large numbers.

    The true class is the first one.
    """
    rows = []
    for example in EXAMPLES:
        logits = np.array(example, np.float32)
        with np.errstate(all="ignore"):
            exponentials = np.exp(logits)
            written = exponentials / exponentials.sum()
            written_loss = -np.log(written[0])
        target = one_hot(np.array([0]), len(logits), np.float32)
        loss = LOSSES["softmax_cross_entropy"].value(logits[None, None], target)[0, 0]
        rows.append(
            {
                "logits": ", ".join(f"{value:g}" for value in example),
                "written": ", ".join(f"{value:.4g}" for value in written),
                "ours": ", ".join(f"{value:.4g}" for value in our_softmax(logits)),
                "written_loss": f"{written_loss:.4g}",
                "our_loss": f"{loss:.4g}",
            }
        )
    return rows


def _allowed(check: Check) -> float:
    """Return the largest tolerance of a coordinate, as a part of the largest coordinate."""
    largest = float(np.abs(check.problem.analytic).max())
    return float(check.tolerance.max()) / largest if largest else np.inf


def _short(value: float | None) -> str:
    return DASH if value is None else f"{value:.1e}"
