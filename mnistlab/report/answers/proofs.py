"""The numerical check of a derivation: what `gradcheck` finds, computed anew each time."""

from collections.abc import Mapping, Sequence
from functools import cache

import numpy as np

from mnistlab.gradcheck.check import Check
from mnistlab.gradcheck.mistakes import Case
from mnistlab.gradcheck.problems import describe
from mnistlab.gradcheck.suites import Options, check_all
from mnistlab.gradcheck.verdicts import Verdict
from mnistlab.report.answers.needed import say
from mnistlab.report.document import Block, Code, Paragraph, Pieces, Table

METHODS = {"central": "central differences", "complex": "the complex step"}
"""How the check calls its methods, in words."""


@cache
def all_verdicts() -> Mapping[str, Sequence[Verdict]]:
    """Return what `mnistlab gradcheck --all` finds, by the gradient's name."""
    found: dict[str, list[Verdict]] = {}
    for verdict in check_all(Options()):
        found.setdefault(verdict.what, []).append(verdict)
    return found


def introduce() -> Paragraph:
    """Return what a numerical check is, for the first of them."""
    return say(
        "The numerical check. At random points the code's gradient is compared, coordinate by "
        "coordinate, with extrapolated central differences of the loss, and once more with the "
        "complex step, which loses nothing to cancellation. It is passed if no coordinate is off "
        "by more than its tolerance, which follows from the estimated error of the differences and "
        "from rounding. The relative error is the largest error of a coordinate, and the "
        "tolerance the largest that was allowed, both as a part of the largest coordinate; the "
        "error against the complex step is as it is, not relative. ",
        Code("mnistlab gradcheck --all"),
        " prints the same numbers.",
    )


def prove(*cases: Case, introduction: Paragraph | None = None) -> list[Block]:
    """Return the table that holds derived gradients against numerical ones."""
    rows = [_row(describe(case), all_verdicts()[describe(case)]) for case in cases]
    header = [
        *("gradient", "judge", "points", "coordinates"),
        *("relative error", "tolerance", "absolute error, complex step", "verdict"),
    ]
    before = introduction or say("The numerical check, in the same way as in Question 1 (a):")
    return [before, Table(header, rows, numeric=frozenset({2, 3, 4, 5, 6}))]


def _row(what: str, verdicts: Sequence[Verdict]) -> list[Pieces]:
    checks = [verdict.check for verdict in verdicts if verdict.check is not None]
    judges = dict.fromkeys(METHODS[check.method] for check in checks)
    coordinates = sum(check.problem.point.size for check in checks)
    relative = max((check.relative_error for check in checks), default=np.inf)
    allowed = max((_allowed(check) for check in checks), default=np.inf)
    passed = all(verdict.passed for verdict in verdicts)
    return [
        [what.replace("_", " ")],
        [" and ".join(judges)],
        [f"{len(verdicts)}"],
        [f"{coordinates}"],
        [f"{relative:.1e}"],
        [f"{allowed:.1e}"],
        [against_complex_step(checks)],
        ["passed" if passed else "FAILED"],
    ]


def _allowed(check: Check) -> float:
    """Return the largest tolerance of a coordinate, as a part of the largest coordinate."""
    largest = float(np.abs(check.problem.analytic).max())
    return float(check.tolerance.max()) / largest if largest else np.inf


def against_complex_step(checks: Sequence[Check]) -> str:
    """Return the largest error against the complex step, a dash where it cannot be taken."""
    errors = [check.complex_error for check in checks]
    known = [error for error in errors if error is not None]
    return f"{max(known):.1e}" if known and len(known) == len(errors) else "\N{EN DASH}"
