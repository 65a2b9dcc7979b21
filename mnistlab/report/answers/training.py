"""Question 1 (c): how the trainer works, with its own lines and the shapes of its arrays."""

from collections.abc import Sequence

from mnistlab.core.metrics import evaluate, largest_class
from mnistlab.core.objective import Objective, Products, batch_gradient
from mnistlab.core.optimizers import SGD
from mnistlab.core.trainer import Trainer
from mnistlab.report.answers.linear import ERRORS
from mnistlab.report.answers.listings import excerpt
from mnistlab.report.answers.needed import say, tell_lost, tell_missing, value_of
from mnistlab.report.answers.symbols import (
    ONES,
    A,
    B,
    F,
    P,
    W,
    X,
    Y_hat,
    b,
    gradient,
    transposed,
)
from mnistlab.report.collect import ReportRun
from mnistlab.report.document import (
    DASH,
    Block,
    Code,
    Derivation,
    Equation,
    Math,
    Pieces,
    Section,
    Table,
)
from mnistlab.report.formula import fence, row
from mnistlab.report.layouts import matrix
from mnistlab.report.numbers import number


def trainer(linear: ReportRun | None) -> Section:
    """Return the answer to (c); the sizes are those of the run of the assignment's setting."""
    blocks: list[Block] = [*_transposed(), *_shapes(linear), *_step(), *_epoch(linear), *_stack()]
    return Section("(c) The trainer", blocks, 2)


def _transposed() -> list[Block]:
    return [
        say(
            "Our answer to the template is the package ",
            Code("mnistlab"),
            ", whose trainer is ",
            Code("mnistlab/core/trainer.py"),
            ". An image is a row there, not a column, because that is how images lie in "
            "memory; so all dimensions are those of the assignment, transposed. Each image "
            "gets one more feature that is always 1, and the biases become the last row of "
            "the parameters, so that one product does all the work of ",
            Math(row(W, X, "+", B)),
            ":",
        ),
        Derivation(
            [
                Equation(
                    row(
                        transposed(Y_hat),
                        "=",
                        transposed(fence(W, X, "+", B)),
                        "=",
                        transposed(X),
                        transposed(W),
                        "+",
                        transposed(B),
                    ),
                    "transposing a product turns its order round",
                ),
                Equation(
                    row(A, "=", F, P, "=", _FEATURES, _PARAMETERS),
                    "the same with the biases inside the parameters",
                ),
                Equation(
                    row(transposed(F), transposed(fence(ERRORS)), "=", _BOTH_GRADIENTS),
                    "and the gradient of (b): weights first, biases in the last row",
                ),
            ]
        ),
    ]


_FEATURES = matrix([transposed(X), ONES])
_PARAMETERS = matrix([transposed(W)], [transposed(b)])
_BOTH_GRADIENTS = matrix([transposed(fence(gradient(W)))], [transposed(fence(gradient(b)))])


def _shapes(linear: ReportRun | None) -> list[Block]:
    """Return the table of arrays, with the sizes that they have in the run."""
    sizes = None if linear is None else _sizes(linear)
    rows = [
        ("x", "B D+1", "the features of a batch, an image a row"),
        ("parameters", "D+1 K C", "weights and, in the last row, biases"),
        ("A", "B K C", "pre-activations, which a linear model puts out as they are"),
        ("targets", "B 1 C", "one-hot labels, the same for all K"),
        ("dA", "B K C", "the loss' derivative by the pre-activations"),
        ("gradient", "D+1 K C", "the loss' derivative by the parameters"),
    ]
    cells: list[Pieces] = [
        [", ".join(f"{sizes[letter]:,}" for letter in shape.split())] if sizes else [DASH]
        for _, shape, _ in rows
    ]
    table: list[Sequence[Pieces]] = [
        [[Code(name)], [f"({', '.join(shape.split())})"], here, [what]]
        for (name, shape, what), here in zip(rows, cells, strict=True)
    ]
    letters = (
        "In the code, and in this table, B is the number of images in a batch, the n of (b) and "
        "not the matrix of biases; D is the number of features (pixels), K of configurations that "
        "train side by side (1 for a single run) and C of classes."
    )
    return [
        say(letters),
        Table(["array", "shape", "in the run of (d)", "what it holds"], table),
        *_lacking(linear, sizes),
    ]


def _lacking(linear: ReportRun | None, sizes: dict[str, int] | None) -> list[Block]:
    if linear is None:
        return list(tell_missing(linear, "linear"))
    return [] if sizes else [tell_lost(linear, "the sizes of its data")]


def _sizes(run: ReportRun) -> dict[str, int] | None:
    size = value_of(run, "batch_size")
    if size is None or run.dataset is None:
        return None
    train = run.dataset.train
    D = train.images[0].size
    return {"B": int(size), "D+1": D + 1, "K": 1, "C": len(run.dataset.classes), "1": 1}


def _step() -> list[Block]:
    return [
        say(
            "An epoch visits the images in a new random order, batch by batch. This is the whole "
            "of it (the part about ",
            Code("losses"),
            " draws the curve of an overflow, ",
            Code("_before_step"),
            " hears an interruption; neither changes anything):",
        ),
        excerpt(Trainer._take_steps, "for rows in shuffled"),
        say(
            "The images of a batch are gathered as bytes, which costs a quarter of the memory "
            "traffic of numbers in float32, and then become features. Each step makes two matrix "
            "products. The first gives the pre-activations of all images of the batch. (Arrays "
            "are stored with their first axis innermost, so the code computes the transpose of "
            "the product above, a few rows at a time where that is faster.)"
        ),
        excerpt(Products.pre_activations, "for first in range"),
        say(
            "Model and loss know nothing of each other: the loss says how it changes with the "
            "outputs, and the model carries that back to the pre-activations. This is the chain "
            "rule, and the only place where a sigmoid differs from a linear model:"
        ),
        excerpt(Objective.gradient, "outputs, pullback", "return pullback"),
        say("The second product gives the gradient by all parameters:"),
        excerpt(Products.parameter_gradient, "np.multiply", "np.matmul"),
        say(
            "The optimizer turns the gradient into the step that is subtracted, plain gradient "
            "descent by multiplying it with the learning rate:"
        ),
        excerpt(SGD.update, "gradient *=", "return gradient"),
    ]


def _epoch(linear: ReportRun | None) -> list[Block]:
    return [
        say(
            *_count_steps(linear),
            "Where the batch size does not divide the number of images, the last batch is a "
            "smaller one. It is used like the others, and its mean is one over the images that "
            "it really has, because the weight of an image is taken from the batch at hand:",
        ),
        excerpt(batch_gradient, "weight ="),
        say(
            "After the epoch the loss and the share of right answers are measured over the "
            "whole training split and over the validation split, which is held out from the "
            "end of the training file, both with the parameters as they then are. The test "
            "split is evaluated once, after the last epoch. The predicted digit is the class "
            "of the largest output:"
        ),
        excerpt(largest_class, "outputs.argmax"),
        say("With it, loss and right answers are added up over the split, a block at a time:"),
        excerpt(evaluate, "for part, losses", "correct ="),
    ]


def _count_steps(linear: ReportRun | None) -> Pieces:
    sizes = None if linear is None else _sizes(linear)
    if linear is None or sizes is None or linear.dataset is None:
        return []
    images = len(linear.dataset.train)
    steps = -(-images // sizes["B"])
    return [
        f"With {images:,} training images and a batch size of ",
        number(linear, "batch_size", "{:d}"),
        f", an epoch has {steps:,} steps. ",
    ]


def _stack() -> list[Block]:
    return [
        say(
            "For a search over learning rates, K configurations train at once. Their "
            "parameters stand side by side, as the ",
            Math(row("K", "·", "C")),
            " columns of one matrix, so that the same two products serve them all; a wide product "
            "uses the processor far better than K narrow ones. Learning rates have the shape "
            "(K, 1) and multiply each configuration's own columns; one that overflows does so in "
            "its own columns only. A single run is the case ",
            Math(row("K", "=", "1")),
            " of the same code:",
        ),
    ]
