"""Question 1 (e), first half: the overflow at a large learning rate, and why it must come."""

from dataclasses import dataclass
from functools import partial

import numpy as np

from mnistlab.core.curvature import SUBSET_ROWS, largest_eigenvalue, stability_limit
from mnistlab.core.losses import LOSSES
from mnistlab.core.models import MODELS
from mnistlab.core.objective import REDUCTIONS, Objective
from mnistlab.core.optimizers import OPTIMIZERS
from mnistlab.datasets import as_rows
from mnistlab.report.answers.listings import excerpt
from mnistlab.report.answers.needed import say, tell_absent, tell_lost, tell_missing, value_of
from mnistlab.report.answers.pictures import draw_overflow
from mnistlab.report.answers.symbols import (
    IDENTITY,
    MINUS,
    OPTIMUM,
    F,
    M,
    P,
    R,
    Y,
    at,
    transposed,
    v,
)
from mnistlab.report.collect import ReportRun
from mnistlab.report.document import (
    Block,
    Derivation,
    Equation,
    Math,
    Paragraph,
    Picture,
    Piece,
    Section,
)
from mnistlab.report.formula import Formula, Text, fence, fraction, row
from mnistlab.report.sections import number


@dataclass(frozen=True)
class Limit:
    """How large a learning rate a run's data can bear.

    `eigenvalue` is the largest of the mean outer product of [x, 1] over the training split,
    `curvature` the loss' second derivative by an output, `rate` the largest stable learning rate.
    """

    eigenvalue: float
    curvature: float
    rate: float

    def factor(self, rate: float) -> float:
        """Return what a step of gradient descent multiplies the steepest distance by."""
        return 1 - rate * self.curvature * self.eigenvalue


def find_limit(run: ReportRun) -> Limit | None:
    """Return the limit that a run's data and loss set, None where there is none or no data."""
    config, dataset = run.checked_config, run.dataset
    if config is None or dataset is None:
        return None
    objective = Objective(MODELS[config.model], LOSSES[config.loss], REDUCTIONS[config.reduction])
    eigenvalue = largest_eigenvalue(as_rows(dataset.train), dataset.pixels)
    rate = stability_limit(
        eigenvalue,
        objective,
        OPTIMIZERS[config.optimizer],
        momentum=config.momentum or 0.0,
        weight_decay=config.weight_decay,
        batch_size=config.batch_size,
    )
    curvature = objective.loss.curvature
    return None if rate is None or curvature is None else Limit(eigenvalue, curvature, rate)


def overflow(linear: ReportRun | None, diverged: ReportRun | None) -> Section:
    """Return the part of (e) that shows the overflow and says where it comes from."""
    basis = linear or diverged
    limit = None if basis is None else find_limit(basis)
    blocks: list[Block] = [*_show(diverged, limit), *_derive(), *_tell_line()]
    if basis is not None and limit is None:
        blocks.append(tell_lost(basis, "the largest eigenvalue of its data"))
    if limit is not None:
        blocks += _apply(limit, linear, diverged)
    return Section("(e) The overflow, and the limit of the learning rate", blocks, 2)


def _show(diverged: ReportRun | None, limit: Limit | None) -> list[Block]:
    if diverged is None:
        return [tell_absent("linear_overflow")]
    if not any(0 < loss < np.inf for loss in (diverged.divergence or ([], []))[1]):
        return [
            *tell_missing(diverged, "linear_overflow"),
            tell_lost(diverged, "the losses on the way to the overflow (divergence.csv)"),
        ]
    steps, losses = diverged.divergence or ([], [])
    lost = [step for step, loss in zip(steps, losses, strict=True) if not np.isfinite(loss)]
    ending = f"in step {lost[0]:,} it leaves the range of numbers" if lost else "it keeps growing"
    blocks: list[Block] = [
        say(
            "With learning rate ",
            number(diverged, "learning_rate", "{:g}"),
            ", and all else as in (d), the loss grows by about the same factor at each step "
            f"until {ending}. Then nothing is left to train: the weights are infinite or not "
            "numbers.",
        )
    ]
    rate = value_of(diverged, "learning_rate")
    if limit is not None and rate is not None:
        dtype = "float64" if diverged.facts.get("dtype") == "float64" else "float32"
        growth, ceiling = limit.factor(rate) ** 2, float(np.finfo(dtype).max)
        blocks.append(
            Picture(
                "answer-overflow",
                partial(draw_overflow, steps, losses, growth, ceiling, "The overflow"),
                [
                    (
                        "The loss up to the overflow, and the growth that the limit derived below "
                        f"forecasts. Run {diverged.name}."
                    )
                ],
                f"The batch loss by step on a logarithmic axis: from {losses[0]:.2g} it rises by "
                f"about the same factor at every step, as forecast, until {ending}",
            )
        )
    return blocks


def _derive() -> list[Block]:
    """Return why there is a limit, for gradient descent on all images at once."""
    return [
        say(
            "Why? With the arrays of (c), over all N training images, let ",
            Math(row(M, "=", transposed(F), F, "/", "N")),
            " be the mean outer product of an image (with its constant 1), ",
            Math(row(R, "=", transposed(F), transposed(Y), "/", "N")),
            " that of image and label, and ",
            Math(row("c", "=", "2")),
            " the second derivative of the squared error by an output. Let ",
            Math(OPTIMUM),
            " be the optimum. Then a step of gradient descent on the mean loss does this:",
        ),
        Derivation(
            [
                Equation(
                    row(P, "→", P, MINUS, "η", "c", fence(M, P, MINUS, R)),
                    "the gradient of (b), divided by N",
                ),
                Equation(row(M, OPTIMUM, "=", R), "at the optimum the gradient is zero"),
                Equation(
                    row(
                        fence(P, MINUS, OPTIMUM),
                        "→",
                        fence(IDENTITY, MINUS, "η", "c", M),
                        fence(P, MINUS, OPTIMUM),
                    ),
                    "subtract the optimum on both sides and put the line above in",
                ),
                Equation(
                    row(
                        fence(IDENTITY, MINUS, "η", "c", M),
                        v,
                        "=",
                        fence("1", MINUS, "η", "c", "λ"),
                        v,
                    ),
                    "along an eigenvector v of M, with eigenvalue λ, a step is a mere factor",
                ),
                Equation(
                    row(
                        fence("1", MINUS, "η", "c", "λ", left="|", right="|"),
                        ">",
                        "1",
                        Text("  if and only if  "),
                        "η",
                        ">",
                        LIMIT,
                    ),
                    "the distance grows where the factor is below minus one (λ is not negative)",
                ),
                Equation(
                    row("η", "<", fraction("2", row("c", at("λ", "max")))),
                    "stable in all directions: the largest eigenvalue sets the limit",
                ),
            ]
        ),
        say(
            "Beyond it, each step overshoots the optimum along the steepest direction by more "
            "than it was away before, and the next gradient, which is proportional to that "
            "distance, is larger still. The loss grows with the square of the distance, "
            "without end. Batches see their own images instead of all, which makes the true "
            "limit a little lower."
        ),
    ]


LIMIT: Formula = fraction("2", row("c", "λ"))


def _tell_line() -> list[Block]:
    return [
        say("The line of ours that computes it, for this and other optimizers:"),
        excerpt(stability_limit, "return relative_limit"),
    ]


def _apply(limit: Limit, linear: ReportRun | None, diverged: ReportRun | None) -> list[Block]:
    """Return what the limit says of the two runs."""
    pieces: list[Piece] = [
        "Computed from the training images: ",
        Math(row(at("λ", "max"), "=", f"{limit.eigenvalue:.2f}")),
        ", so with ",
        Math(row("c", "=", f"{limit.curvature:g}")),
        " the limit is ",
        Math(
            row(
                "2",
                "/",
                fence(f"{limit.curvature:g}", "·", f"{limit.eigenvalue:.2f}"),
                "=",
                f"{limit.rate:.4f}",
            )
        ),
        f". (The warning before such a training estimates it from {SUBSET_ROWS:,} images.)",
    ]
    for run in (diverged, linear):
        rate = None if run is None else value_of(run, "learning_rate")
        if run is None or rate is None:
            continue
        factor = limit.factor(rate)
        pieces += [
            " A learning rate of ",
            number(run, "learning_rate", "{:g}"),
            f" is {rate / limit.rate:.2g} times the limit: each step multiplies the distance along "
            f"the steepest direction by {factor:.2f}".replace("-", MINUS),
        ]
        pieces.append(
            f", so the loss grows by a factor of about {factor**2:.0f} a step{_measured(run)}."
            if abs(factor) > 1
            else ", so the distance shrinks, and training is stable."
        )
    return [Paragraph(pieces)]


def _measured(run: ReportRun) -> str:
    """Return by how much the loss really grew in the second half of the steps."""
    losses = [loss for loss in (run.divergence or ([], []))[1] if 0 < loss < np.inf]
    half = losses[len(losses) // 2 :]
    if len(half) < 2:
        return ""
    growth = (np.log(half[-1]) - np.log(half[0])) / (len(half) - 1)
    return f" (measured over the second half of the curve: {np.exp(growth):.0f})"
