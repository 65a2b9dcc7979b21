"""Question 1 (e): the gradients with a sigmoid, and why it cannot overflow as (d) may."""

from mnistlab.core.models import Sigmoid
from mnistlab.core.objective import Objective
from mnistlab.gradcheck.mistakes import Case
from mnistlab.report.answers.control import BOUND, tell_control
from mnistlab.report.answers.limits import Limit
from mnistlab.report.answers.listings import excerpt
from mnistlab.report.answers.needed import (
    AssignmentRuns,
    count_test_images,
    say,
    setting,
    tell_absent,
    tell_missing,
    test_result,
)
from mnistlab.report.answers.overflow import overflow
from mnistlab.report.answers.proofs import prove
from mnistlab.report.answers.symbols import (
    LOSS,
    MINUS,
    ONES,
    PRIME,
    SIGMOID,
    W,
    X,
    Y,
    Y_hat,
    a,
    at,
    b,
    delta,
    gradient,
    output,
    partial,
    transposed,
    x,
    y,
    y_hat,
)
from mnistlab.report.collect import ReportRun
from mnistlab.report.document import (
    Block,
    Derivation,
    Equation,
    Math,
    Section,
)
from mnistlab.report.formula import Formula, fence, fraction, row, scripts

_BOUND = fraction(*map(str, BOUND))
_POWER = scripts("e", above=row(MINUS, "a"))
_BELOW = fence("1", "+", _POWER)
_SLOPE = row(y_hat, "⊙", fence(ONES, MINUS, y_hat))
_SLOPES = row(Y_hat, "⊙", fence(ONES, MINUS, Y_hat))


def sigmoid(runs: AssignmentRuns, limit: Limit | None, diverged_limit: Limit | None) -> Section:
    """Return the answer to (e): the overflow, then the sigmoid's gradients and what it reaches.

    The limits are those of the assignment's own setting and of the overflow's.
    """
    blocks: list[Block] = [
        *overflow(runs, limit, diverged_limit),
        say(
            "Now the model with a sigmoid, whose outputs cannot leave the interval from 0 to 1. "
            "First the derivative of the sigmoid itself:"
        ),
        Derivation(_derivative()),
        say(
            "With pre-activations ",
            Math(row(a, "=", W, x, "+", b)),
            " and outputs ",
            Math(row(y_hat, "=", SIGMOID, fence(a))),
            ", the chain rule has one factor more than in (a). The sigmoid works entry by "
            "entry, so output i depends on pre-activation i alone:",
        ),
        Derivation(_gradients()),
        say(
            "Here ",
            Math(row("⊙")),
            " is the product entry by entry, and ",
            Math(ONES),
            " holds ones. So each error of (a) is multiplied with the slope of the sigmoid at "
            "that output. For a batch, as in (b):",
        ),
        Derivation(
            [
                Equation(
                    row(
                        gradient(W),
                        "=",
                        "2",
                        fence(fence(Y_hat, MINUS, Y), "⊙", _SLOPES, left="[", right="]"),
                        transposed(X),
                    ),
                    "the line above for each column; the columns are added up",
                ),
                Equation(
                    row(
                        gradient(b),
                        "=",
                        "2",
                        fence(fence(Y_hat, MINUS, Y), "⊙", _SLOPES, left="[", right="]"),
                        ONES,
                    ),
                    "the same with 1 in the place of each pixel: row sums",
                ),
            ]
        ),
        say(
            "The lines of ours that implement it: the model returns its outputs together with "
            "the function that multiplies a gradient with the slope, and the objective calls "
            "one after the other. (The exponential is taken of minus the size of a, which is never "
            "positive, so that it cannot overflow either; the slope is written as it stands in the "
            "derivation, because ",
            Math(row(output, fence("1", MINUS, output))),
            " would be 0 where the output rounds to 1.)",
        ),
        excerpt(Sigmoid.forward, "sign =", "return outputs"),
        excerpt(Objective.gradient, "outputs, pullback", "return pullback"),
        *prove(
            *(
                Case("sigmoid", "squared_error", coordinates, reduction)
                for reduction in (None, "sum")
                for coordinates in ("pre-activations", "weights", "biases")
            )
        ),
        *_bounded(runs),
        *_tell_run(runs.sigmoid),
    ]
    return Section("(e) The overflow, and the sigmoid", blocks, 2)


def _derivative() -> list[Equation]:
    sigma = row(SIGMOID, fence("a"))
    return [
        Equation(
            row(
                sigma,
                "=",
                fraction("1", row("1", "+", _POWER)),
                "=",
                scripts(_BELOW, above=row(MINUS, "1")),
            ),
            "the definition, as a power",
        ),
        Equation(
            row(
                scripts(SIGMOID, above=PRIME),
                fence("a"),
                "=",
                MINUS,
                scripts(_BELOW, above=row(MINUS, "2")),
                "·",
                fence(MINUS, _POWER),
                "=",
                fraction(_POWER, scripts(_BELOW, above="2")),
            ),
            "chain rule; the two minus signs cancel",
        ),
        Equation(
            row(
                "=",
                fraction("1", row("1", "+", _POWER)),
                "·",
                fraction(row("1", "+", _POWER, MINUS, "1"), row("1", "+", _POWER)),
            ),
            "split in two factors; add and subtract 1 above",
        ),
        Equation(
            row("=", sigma, fence("1", MINUS, sigma)),
            "the first factor is the sigmoid, the second 1 minus the sigmoid",
        ),
    ]


def _gradients() -> list[Equation]:
    weight = at("W", "c", "d")
    slope = row(at(output, "c"), fence("1", MINUS, at(output, "c")))
    miss = row("2", fence(at(output, "c"), MINUS, at("y", "c")))
    return [
        Equation(
            row(
                partial(at(output, "i"), at("a", "c")),
                "=",
                delta("i", "c"),
                at(output, "c"),
                fence("1", MINUS, at(output, "c")),
            ),
            "the derivative from above, with the output in place of the sigmoid",
        ),
        Equation(
            row(partial(LOSS, at("a", "c")), "=", miss, slope),
            "chain rule: the loss by output c, as in (a), times the slope",
        ),
        Equation(
            row(
                partial(LOSS, weight),
                "=",
                partial(LOSS, at("a", "c")),
                partial(at("a", "c"), weight),
                "=",
                miss,
                slope,
                at("x", "d"),
            ),
            "pre-activation c is linear in its weights: the derivative is the pixel",
        ),
        Equation(
            row(gradient(W), "=", "2", _error_times_slope(), transposed(x)),
            "all entries together: again an outer product",
        ),
        Equation(
            row(gradient(b), "=", "2", fence(y_hat, MINUS, y), "⊙", _SLOPE),
            "the same with 1 in the place of the pixel",
        ),
    ]


def _error_times_slope() -> Formula:
    return fence(fence(y_hat, MINUS, y), "⊙", _SLOPE, left="[", right="]")


def _bounded(runs: AssignmentRuns) -> list[Block]:
    """Return why nothing overflows, whatever the learning rate."""
    return [
        say(
            "Why this cannot overflow. Outputs lie between 0 and 1, so the loss of an image is "
            "at most the number of classes. The gradient is bounded too, whatever the weights:"
        ),
        Derivation(_bound()),
        say(
            "So the weights grow at most in proportion to the number of steps. In linear "
            "regression the gradient grows with the weights themselves, and beyond the limit "
            "that makes them grow exponentially. The price: where an output is close to 0 or 1, "
            "the slope is close to 0, and so is the gradient, even if the output is wrong.",
        ),
        *tell_control(runs.sigmoid_sgd, runs.linear_overflow),
    ]


def _bound() -> list[Equation]:
    size = fence(partial(LOSS, at("a", "c")), left="|", right="|")
    square = scripts(output, above="2")
    weight = at("W", "c", "d")
    return [
        Equation(
            row(size, "=", "2", square, fence("1", MINUS, output)),
            "for a target of 0; for a target of 1 exchange the roles of ŷ and 1 − ŷ",  # noqa: RUF001 - a minus
        ),
        Equation(
            row("4", output, MINUS, "6", square, "=", "0"),
            "where it is largest its derivative is zero: at ŷ = 2/3 (at ŷ = 0 it is smallest)",
        ),
        Equation(
            row(size, "≤", "2", "·", fraction("4", "9"), "·", fraction("1", "3"), "=", _BOUND),
            "ŷ = 2/3 put in",
        ),
        Equation(
            row(
                fence(scripts(weight, above=fence("T")), left="|", right="|"),
                "≤",
                fence(scripts(weight, above=fence("0")), left="|", right="|"),
                "+",
                "T",
                "η",
                _BOUND,
            ),
            "after T steps of gradient descent on a mean, with pixels from 0 to 1",
        ),
    ]


_ADAM = [" Adam rescales small gradients, which helps where the slope is close to 0."]


def _tell_run(run: ReportRun | None) -> list[Block]:
    if run is None:
        return [tell_absent("sigmoid")]
    optimizer = str(run.facts.get("optimizer", "an unknown optimizer"))
    return [
        say(
            f"The run of our config for the sigmoid ({optimizer}, ",
            *setting(run),
            ") reaches ",
            *test_result(run, count_test_images(run)),
            ".",
            *(_ADAM if run.facts.get("optimizer") == "adam" else []),
            f" Run {run.name}.",
        ),
        *tell_missing(run, "sigmoid"),
    ]
