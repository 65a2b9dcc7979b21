"""Question 1 (a) and (b): the gradients of linear regression, for one image and for many.

In the derivations c is the class and d the pixel whose derivative is taken, i and k run over
all classes and pixels, j over the images of a batch.
"""

from mnistlab.core.losses import SquaredError
from mnistlab.core.objective import Mean, Products, Sum, batch_gradient
from mnistlab.core.samples import FeatureReader
from mnistlab.gradcheck.mistakes import Case
from mnistlab.report.answers.listings import excerpt, whole
from mnistlab.report.answers.needed import say
from mnistlab.report.answers.proofs import introduce, prove
from mnistlab.report.answers.symbols import (
    LOSS,
    MINUS,
    ONES,
    B,
    W,
    X,
    Y,
    Y_hat,
    at,
    b,
    delta,
    gradient,
    output,
    partial,
    total,
    transposed,
    x,
    y,
    y_hat,
)
from mnistlab.report.document import Block, Code, Derivation, Equation, Math, Section
from mnistlab.report.formula import Formula, fence, norm, row, scripts

ERROR = row("2", fence(y_hat, MINUS, y))
"""The gradient by the biases, for one image."""

ERRORS = row("2", fence(Y_hat, MINUS, Y))
"""The same for a batch, an image a column."""


def one_image() -> Section:
    """Return the answer to (a)."""
    blocks: list[Block] = [
        say(
            "For one image, written out entry by entry, the model and its loss are as follows. "
            "The label ",
            Math(y),
            " and the image ",
            Math(x),
            " are given; ",
            Math(W),
            " and ",
            Math(b),
            " are what we differentiate by.",
        ),
        Derivation(
            [
                Equation(
                    row(at(output, "i"), "=", _pixels("i"), "+", at("b", "i")),
                    "the model, row i of Wx + b",
                ),
                Equation(
                    row(LOSS, "=", scripts(norm(y, MINUS, y_hat), "2", "2"), "=", _squares()),
                    "the squared length is the sum of the squared entries",
                ),
            ]
        ),
        say("First the weights. An output depends on the weights of its own row alone:"),
        Derivation(_by_weights()),
        say("The biases go the same way, with 1 in the place of the pixel:"),
        Derivation(_by_biases()),
        say(
            "The lines of ours that implement it. The loss gives ",
            Math(ERROR),
            " (adding the array to itself doubles it in place):",
        ),
        excerpt(SquaredError.gradient, "gradient = outputs", "gradient += gradient"),
        say(
            "One matrix product then makes the outer product with the image, for a whole batch "
            "at once. It serves the biases too, because every row of features ends in a "
            "constant one (in units of the pixels' factor, which is multiplied in later):"
        ),
        excerpt(Products.parameter_gradient, "np.matmul"),
        excerpt(FeatureReader.__init__, "1 / self.factor"),
        *prove(
            Case("linear", "squared_error", "weights"),
            Case("linear", "squared_error", "biases"),
            introduction=introduce(),
        ),
    ]
    return Section("(a) The gradient for one image", blocks, 2)


def batch() -> Section:
    """Return the answer to (b)."""
    blocks: list[Block] = [
        say(
            "The loss of a batch is the sum of its images' losses, and the derivative of a sum "
            "is the sum of the derivatives. So the result of (a) holds for each column, and "
            "the columns are added up. That this sum is again a matrix product is seen from "
            "its entries:"
        ),
        Derivation(_by_weights_of_batch()),
        say(
            "Each column of ",
            Math(B),
            " is a copy of the same ",
            Math(b),
            ", so each image adds its error to the gradient of the bias: row sums, which are "
            "the product with a vector of ones.",
        ),
        Derivation(_by_biases_of_batch()),
        say(
            "This is ",
            Code("reduction: sum"),
            ". Our default, ",
            Code("reduction: mean"),
            ", divides the loss by the number ",
            Math(row("n")),
            " of images in the batch, and with it every gradient. A step with the mean and "
            "learning rate ",
            Math(row("η")),
            " is the very step that the sum takes with ",
            Math(row("η", "/", "n")),
            ". With the mean, a learning rate means much the same whatever the batch size; with "
            "the sum, twice the batch size makes steps about twice as long.",
        ),
        say(
            "The lines of ours that implement it. The two reductions differ in one number, "
            "the weight of an image:"
        ),
        whole(Mean.weight),
        whole(Sum.weight),
        excerpt(batch_gradient, "dA =", "gradient = products"),
        *prove(
            *(
                Case("linear", "squared_error", coordinates, reduction)
                for reduction in ("sum", "mean")
                for coordinates in ("weights", "biases")
            )
        ),
    ]
    return Section("(b) The gradient for a batch", blocks, 2)


def _by_weights() -> list[Equation]:
    entry = at("W", "c", "d")
    return [
        Equation(
            row(
                partial(at(output, "i"), entry),
                "=",
                total("k"),
                partial(at("W", "i", "k"), entry),
                at("x", "k"),
                "=",
                delta("i", "c"),
                at("x", "d"),
            ),
            "of all weights only the one of class c and pixel d changes",
        ),
        Equation(
            row(partial(LOSS, entry), "=", _chain_rule(entry)),
            "chain rule: the square's derivative times that of what is squared",
        ),
        Equation(
            row("=", total("i"), "2", _miss("i"), delta("i", "c"), at("x", "d")),
            "the derivative from above; the minus turns the difference round",
        ),
        Equation(
            row("=", "2", _miss("c"), at("x", "d")),
            "the delta leaves the term i = c alone",
        ),
        Equation(
            row(gradient(W), "=", ERROR, transposed(x), "=", ERROR, "⊗", x),
            "entry (c, d) is a product of entry c of one vector and entry d of another",
        ),
    ]


def _by_biases() -> list[Equation]:
    entry = at("b", "c")
    return [
        Equation(
            row(partial(at(output, "i"), entry), "=", delta("i", "c")),
            "a bias is added to its own output only",
        ),
        Equation(
            row(partial(LOSS, entry), "=", _chain_rule(entry), "=", "2", _miss("c")),
            "chain rule, and again the term i = c is left",
        ),
        Equation(row(gradient(b), "=", ERROR), "all classes together, as a vector"),
    ]


def _by_weights_of_batch() -> list[Equation]:
    entry = at("W", "c", "d")
    errors = scripts(fence(Y_hat, MINUS, Y), below=row("c", "j"))
    return [
        Equation(
            row(LOSS, "=", total(row("j", "=", "1"), "n"), at(LOSS, "j")),
            "the loss of the batch, with the loss of image j under the sum",
        ),
        Equation(
            row(
                partial(LOSS, entry),
                "=",
                total(row("j", "=", "1"), "n"),
                "2",
                fence(at(output, "c", "j"), MINUS, at("y", "c", "j")),
                at("x", "d", "j"),
            ),
            "(a) for each column j",
        ),
        Equation(
            row(
                "=",
                "2",
                total("j"),
                errors,
                scripts(fence(transposed(X)), below=row("j", "d")),
            ),
            "entry (d, j) of X is entry (j, d) of its transpose",
        ),
        Equation(
            row(gradient(W), "=", ERRORS, transposed(X)),
            "a sum over the inner index is a matrix product",
        ),
    ]


def _by_biases_of_batch() -> list[Equation]:
    return [
        Equation(
            row(
                partial(LOSS, at("b", "c")),
                "=",
                total(row("j", "=", "1"), "n"),
                "2",
                fence(at(output, "c", "j"), MINUS, at("y", "c", "j")),
            ),
            "(a) for each column j",
        ),
        Equation(
            row(gradient(b), "=", ERRORS, ONES),
            "ones, n of them: the product adds up each row",
        ),
    ]


def _pixels(i: str) -> Formula:
    return row(total("k"), at("W", i, "k"), at("x", "k"))


def _squares() -> Formula:
    return row(total("i"), scripts(fence(at("y", "i"), MINUS, at(output, "i")), above="2"))


def _chain_rule(entry: Formula) -> Formula:
    inner = fence(MINUS, partial(at(output, "i"), entry))
    return row(total("i"), "2", fence(at("y", "i"), MINUS, at(output, "i")), inner)


def _miss(i: str) -> Formula:
    """Return by how much an output is too large."""
    return fence(at(output, i), MINUS, at("y", i))
