"""The answers to the assignment, in its order, from its runs and from the code itself."""

from mnistlab.report.answers import (
    linear,
    results,
    sigmoid,
    softmax,
    softmax_code,
    training,
)
from mnistlab.report.answers.limits import find_limits
from mnistlab.report.answers.needed import AssignmentRuns, say
from mnistlab.report.document import Section

__all__ = ["AssignmentRuns", "answer_sections"]


def answer_sections(runs: AssignmentRuns) -> list[Section]:
    """Return the answers; what a run lacks is said in the answer that needs it."""
    limit, diverged_limit = find_limits(runs.linear, runs.linear_overflow)
    return [
        Section(
            "Question 1: Linear regression by gradient descent",
            [
                say(
                    "Images of handwritten digits are classified by a linear function of their "
                    "pixels, whose ten outputs are to come close to the one-hot label. Each "
                    "derivation below is followed by the lines of our code that implement it "
                    "and by a numerical check that they do."
                )
            ],
        ),
        linear.one_image(),
        linear.batch(),
        training.trainer(runs.linear),
        results.results(runs, limit),
        sigmoid.sigmoid(runs, limit, diverged_limit),
        Section(
            "Question 2: Softmax",
            [
                say(
                    "The softmax turns the pre-activations of a linear model into "
                    "probabilities, and the cross-entropy asks for a large one at the true "
                    "class."
                )
            ],
        ),
        softmax.derivation(),
        softmax_code.implementation(runs.softmax),
        softmax_code.analytical(),
        softmax_code.points(),
    ]
