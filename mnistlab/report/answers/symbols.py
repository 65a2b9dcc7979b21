"""The signs of the assignment's formulas, as the derivations use them."""

from mnistlab.report.formula import Bold, Formula, Part, fraction, hat, row, scripts

LOSS = "ℒ"  # noqa: RUF001 - a letter of its own in mathematics
MINUS = "−"  # noqa: RUF001 - longer than a hyphen
PRIME = "′"  # noqa: RUF001 - not an apostrophe
SIGMOID = "σ"  # noqa: RUF001 - the sigmoid's usual name
TRANSPOSE = "⊤"  # noqa: RUF001 - not the letter T

A, B, F, M, P, R, S, W, X, Y = (Bold(letter) for letter in "ABFMPRSWXY")
a, b, e, x, y, v = (Bold(letter) for letter in "abexyv")
ONES, IDENTITY = Bold("1"), Bold("I")
Y_hat, y_hat, output = hat(Y), hat(y), hat("y")
OPTIMUM = scripts(P, above="∗")  # noqa: RUF001 - an operator, not the one for products


def partial(of: Part, by: Part) -> Formula:
    """Return the partial derivative of one part by another."""
    return fraction(row("∂", of), row("∂", by))


def gradient(by: Part) -> Formula:
    """Return the gradient of the loss by `by`."""
    return row(scripts("∇", below=by), LOSS)


def transposed(part: Part) -> Formula:
    """Return the transpose of a vector or matrix."""
    return scripts(part, above=TRANSPOSE)


def at(base: Part, *index: Part) -> Formula:
    """Return an entry of a vector or matrix."""
    return scripts(base, below=row(*index))


def total(over: Part, upto: Part | None = None) -> Formula:
    """Return the sign of a sum over an index."""
    return scripts("∑", below=over, above=upto)


def delta(i: Part, j: Part) -> Formula:
    """Return Kronecker's delta: 1 where both are the same, else 0."""
    return at("δ", i, j)
