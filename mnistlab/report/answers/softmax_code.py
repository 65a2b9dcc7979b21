"""Question 2 (b) to (d): the softmax in code, why it does not overflow, and three random points."""

from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from mnistlab.core.losses import LOSSES, SoftmaxCrossEntropy
from mnistlab.core.losses import softmax as our_softmax
from mnistlab.core.samples import one_hot
from mnistlab.gradcheck.check import Check
from mnistlab.gradcheck.diagnosis import place
from mnistlab.gradcheck.suites import Options, check_default, probe_ours
from mnistlab.gradcheck.verdicts import Verdict
from mnistlab.report.answers.listings import whole
from mnistlab.report.answers.needed import (
    count_test_images,
    say,
    setting,
    tell_absent,
    tell_missing,
    test_result,
)
from mnistlab.report.answers.proofs import METHODS, against_complex_step
from mnistlab.report.answers.softmax import power
from mnistlab.report.answers.symbols import (
    LOSS,
    MINUS,
    at,
    total,
)
from mnistlab.report.collect import ReportRun
from mnistlab.report.document import (
    Block,
    Code,
    Derivation,
    Equation,
    Math,
    Pieces,
    Section,
    Table,
)
from mnistlab.report.formula import Formula, fence, fraction, row, scripts
from mnistlab.report.layouts import apply

EXAMPLES = ((1000.0, 1001.0, 1002.0), (88.0, 89.0, 90.0), (-1000.0, 0.0, 1000.0))
"""Pre-activations at which the definition, computed as it is written, fails in some way."""

Floats = NDArray[np.floating]


def implementation(run: ReportRun | None) -> Section:
    """Return the answer to (b)."""
    blocks: list[Block] = [
        say(
            "The exponential of a large number overflows. But the softmax stays the same when "
            "one number ",
            Math(row("m")),
            " is subtracted from all pre-activations:",
        ),
        Derivation(_shift_steps()),
        say(
            "With ",
            Math(row("m")),
            " the largest pre-activation, no exponent is above 0, so no exponential is "
            "above 1, and one of them is exactly 1, so that the sum is not 0 and its logarithm "
            "is finite. The loss is not computed as the logarithm of the softmax, which could "
            "be the logarithm of 0, but by the last line. Our softmax:",
        ),
        whole(our_softmax),
        say("And our loss, for a batch of one-hot targets:"),
        whole(SoftmaxCrossEntropy.value),
        say(
            "The difference it makes, computed for this report in NumPy: the formulas of the "
            "question as they are written, and our two functions above."
        ),
        Table(
            ["pre-activations", "type", "softmax as written", "ours", "loss as written", "ours"],
            stabilisation_rows(),
            "As written, an overflow gives inf, and inf/inf is not a number (nan). The loss is "
            "for the first class being true.",
        ),
        *_tell_run(run),
    ]
    return Section("(b) Softmax and loss in code", blocks, 2)


def analytical() -> Section:
    """Return the answer to (c)."""
    blocks: list[Block] = [
        say(
            "The gradient of (a) for a batch: a row is an image, and each row is the "
            "difference of the softmax and the one-hot target. It inherits the stabilisation "
            "of the softmax."
        ),
        whole(SoftmaxCrossEntropy.gradient),
    ]
    return Section("(c) The analytical gradient in code", blocks, 2)


def points() -> Section:
    """Return the answer to (d): what `mnistlab gradcheck` reports."""
    options, verdicts = Options(), default_verdicts()
    checks = [verdict.check for verdict in verdicts if verdict.check is not None]
    judges = " and ".join(dict.fromkeys(METHODS[check.method] for check in checks))
    blocks: list[Block] = [
        say(
            f"Points and labels are drawn at random (seed {options.seed}); the pre-activations "
            f"have a normal distribution with standard deviation {options.scale:g}. The "
            f"numerical gradient is found by {judges} of the loss, with the step size chosen "
            "for each coordinate and the leading errors removed by extrapolation. This "
            "is what ",
            Code("mnistlab gradcheck"),
            " reports:",
        ),
        Table(
            [
                "point",
                "true class",
                "loss",
                "largest absolute error",
                "relative error",
                "absolute error, complex step",
                "verdict",
            ],
            [_summary_row(number, verdict) for number, verdict in enumerate(verdicts, 1)],
            "The three points",
            frozenset({0, 1, 2, 3, 4, 5}),
        ),
        *(_point_table(number, check) for number, check in enumerate(checks, 1)),
        say("Properties that any softmax must have are checked along with it:"),
        Table(
            ["property", "verdict"],
            [
                [[probe.what], ["passed" if probe.passed else f"FAILED: {probe.diagnosis}"]]
                for probe in probe_ours(options)
            ],
        ),
    ]
    return Section("(d) Analytical against numerical gradient", blocks, 2)


@cache
def default_verdicts() -> Sequence[Verdict]:
    """Return what `mnistlab gradcheck` finds without options."""
    return list(check_default(Options()))


def stabilisation_rows() -> list[Sequence[Pieces]]:
    """Return the examples with what the plain formulas and our functions make of them."""
    rows: list[Sequence[Pieces]] = []
    for example in EXAMPLES:
        for dtype in (np.float32, np.float64):
            logits: Floats = np.array(example, dtype)
            with np.errstate(all="ignore"):
                exponentials = np.exp(logits)
                plain = exponentials / exponentials.sum()
                plain_loss = -np.log(plain[0])
            target = one_hot(np.array([0]), len(logits), dtype)
            loss = LOSSES["softmax_cross_entropy"].value(logits[None, None], target)[0, 0]
            rows.append(
                [
                    [", ".join(f"{value:g}" for value in example).replace("-", MINUS)],
                    [np.dtype(dtype).name],
                    [_vector(plain)],
                    [_vector(our_softmax(logits))],
                    [_short(plain_loss)],
                    [_short(loss)],
                ]
            )
    return rows


def _vector(values: Floats) -> str:
    return ", ".join(_short(value) for value in values)


def _short(value: float) -> str:
    return f"{value:.5g}" if np.isfinite(value) else str(value)


def _summary_row(number: int, verdict: Verdict) -> list[Pieces]:
    check = verdict.check
    if check is None:
        return [[f"{number}"], *[["\N{EN DASH}"]] * 5, [f"FAILED: {verdict.diagnosis}"]]
    return [
        [f"{number}"],
        [", ".join(map(str, check.problem.labels.tolist()))],
        [f"{check.loss:.8g}"],
        [f"{check.max_abs_error:.1e}"],
        [f"{check.relative_error:.1e}"],
        [against_complex_step([check])],
        ["passed" if verdict.passed else f"FAILED: {verdict.diagnosis}"],
    ]


def _point_table(number: int, check: Check) -> Table:
    """Return a point coordinate by coordinate, in the digits that the command prints."""
    problem = check.problem
    errors = np.abs(problem.analytic - check.numerical)
    rows: list[Sequence[Pieces]] = [
        [
            [place(index)],
            [f"{problem.point[index]:.9g}".replace("-", MINUS)],
            [f"{problem.analytic[index]:.12g}".replace("-", MINUS)],
            [f"{check.numerical[index]:.12g}".replace("-", MINUS)],
            [f"{errors[index]:.1e}"],
        ]
        for index in np.ndindex(problem.point.shape)
    ]
    header = ["class", "pre-activation", "analytical", "numerical", "error"]
    labels = ", ".join(map(str, problem.labels.tolist()))
    caption = f"Point {number}: the gradient by each pre-activation; the true class is {labels}"
    return Table(header, rows, caption, frozenset(range(5)))


def _shift_steps() -> list[Equation]:
    def shifted(index: str) -> Formula:
        return scripts("e", above=row(at("a", index), MINUS, "m"))

    factor = scripts("e", above=row(MINUS, "m"))
    return [
        Equation(
            row(
                at("S", "c"),
                "=",
                fraction(power("c"), row(total("j"), power("j"))),
                "=",
                fraction(row(factor, power("c")), row(factor, total("j"), power("j"))),
                "=",
                fraction(shifted("c"), row(total("j"), shifted("j"))),
            ),
            "the same factor above and below; exponents add up",
        ),
        Equation(
            row("m", "=", scripts("max", below="j"), at("a", "j")),
            "the choice that keeps every exponent at or below 0",
        ),
        Equation(
            row(
                LOSS,
                "=",
                MINUS,
                apply("log", at("S", "y")),
                "=",
                apply("log", row(total("j"), shifted("j"))),
                MINUS,
                fence(at("a", "y"), MINUS, "m"),
            ),
            "the logarithm of the quotient, taken before anything is rounded to 0",
        ),
    ]


def _tell_run(run: ReportRun | None) -> list[Block]:
    if run is None:
        return [tell_absent("softmax")]
    return [
        say(
            f"Trained with it ({run.facts.get('optimizer', 'an unknown optimizer')}, ",
            *setting(run),
            "), softmax regression reaches ",
            *test_result(run, count_test_images(run)),
            f". Run {run.name}.",
        ),
        *tell_missing(run, "softmax"),
    ]
