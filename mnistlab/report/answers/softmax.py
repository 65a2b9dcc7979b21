"""Question 2 (a): the gradient of softmax and cross-entropy by the pre-activations.

In the derivations y is the true class, c the class whose derivative is taken, and i and j run
over all classes.
"""

from mnistlab.core.losses import SoftmaxCrossEntropy
from mnistlab.gradcheck.mistakes import Case
from mnistlab.report.answers.listings import excerpt
from mnistlab.report.answers.needed import (
    say,
)
from mnistlab.report.answers.proofs import prove
from mnistlab.report.answers.symbols import (
    LOSS,
    MINUS,
    S,
    a,
    at,
    delta,
    e,
    gradient,
    partial,
    total,
)
from mnistlab.report.document import (
    Block,
    Derivation,
    Equation,
    Math,
    Section,
)
from mnistlab.report.formula import Formula, Text, fence, fraction, row, scripts
from mnistlab.report.layouts import apply, cases


def derivation() -> Section:
    """Return the answer to (a)."""
    blocks: list[Block] = [
        say(
            "Let ",
            Math(row("Z")),
            " be the sum of all exponentials. First the softmax by itself, with the quotient rule; "
            "whether the numerator depends on ",
            Math(at("a", "c")),
            " makes two cases:",
        ),
        Derivation(_softmax_steps()),
        say(
            "Then the loss, which looks at the output of the true class ",
            Math(row("y")),
            " only:",
        ),
        Derivation(_loss_steps()),
        say(
            "The same without the quotient rule: with the logarithm taken first, the loss is a "
            "difference of two simple terms, and each is differentiated by itself."
        ),
        Derivation(_logarithm_steps()),
        say(
            "So the gradient is the difference of two distributions, what the model says and "
            "what is true. Its entries sum to 0, and none is larger than 1 in size."
        ),
        say("The line of ours that implements it, for a batch of one-hot targets:"),
        excerpt(SoftmaxCrossEntropy.gradient, "return"),
        *prove(Case(), Case(coordinates="weights"), Case(coordinates="biases")),
    ]
    return Section("(a) The gradient by the pre-activations", blocks, 2)


def power(index: str) -> Formula:
    """Return the exponential of a pre-activation."""
    return scripts("e", above=at("a", index))


def _softmax_steps() -> list[Equation]:
    s_i, s_c, by = at("S", "i"), at("S", "c"), at("a", "c")
    square = scripts("Z", above="2")
    return [
        Equation(
            row(
                s_i,
                "=",
                fraction(power("i"), "Z"),
                ",",
                Text("  "),
                "Z",
                "=",
                total("j"),
                power("j"),
            ),
            "the definition",
        ),
        Equation(
            row(partial("Z", by), "=", power("c")),
            "only the term j = c depends on it",
        ),
        Equation(
            row(
                partial(s_c, by),
                "=",
                fraction(row(power("c"), "Z", MINUS, power("c"), power("c")), square),
                "=",
                s_c,
                fence("1", MINUS, s_c),
            ),
            "i = c: the quotient rule; numerator and denominator depend on it",
        ),
        Equation(
            row(
                partial(s_i, by),
                "=",
                fraction(row("0", "·", "Z", MINUS, power("i"), power("c")), square),
                "=",
                MINUS,
                s_i,
                s_c,
            ),
            "i ≠ c: only the denominator depends on it",
        ),
        Equation(
            row(partial(s_i, by), "=", s_i, fence(delta("i", "c"), MINUS, s_c)),
            "both cases in one line",
        ),
    ]


def _loss_steps() -> list[Equation]:
    s_y, s_c, by = at("S", "y"), at("S", "c"), at("a", "c")
    return [
        Equation(
            row(
                partial(LOSS, by),
                "=",
                MINUS,
                partial(row(apply("log", s_y)), by),
                "=",
                MINUS,
                fraction("1", s_y),
                partial(s_y, by),
            ),
            "chain rule with the derivative of the logarithm",
        ),
        Equation(
            row("=", MINUS, fraction("1", s_y), s_y, fence(delta("y", "c"), MINUS, s_c)),
            "the derivative from above with i = y",
        ),
        Equation(
            row(
                "=",
                s_c,
                MINUS,
                delta("y", "c"),
                "=",
                cases(
                    (row(s_y, MINUS, "1"), row(Text("if "), "c", "=", "y")),
                    (s_c, row(Text("if "), "c", "≠", "y")),
                ),
            ),
            "the true class' probability cancels",
        ),
        Equation(
            row(gradient(a), "=", S, fence(a), MINUS, at(e, "y")),
            "all classes as a vector, with the one-hot vector of the label",
        ),
    ]


def _logarithm_steps() -> list[Equation]:
    by = at("a", "c")
    return [
        Equation(
            row(
                LOSS,
                "=",
                MINUS,
                apply("log", fraction(power("y"), row(total("j"), power("j")))),
                "=",
                apply("log", row(total("j"), power("j"))),
                MINUS,
                at("a", "y"),
            ),
            "the logarithm of a quotient; logarithm and exponential cancel",
        ),
        Equation(
            row(
                partial(LOSS, by),
                "=",
                fraction(power("c"), row(total("j"), power("j"))),
                MINUS,
                delta("y", "c"),
                "=",
                at("S", "c"),
                MINUS,
                delta("y", "c"),
            ),
            "chain rule for the logarithm; the second term counts only if c = y",
        ),
    ]
