"""Question 1 (e), first half: the overflow at a large learning rate, and why it must come."""

from dataclasses import replace
from functools import partial

import numpy as np

from mnistlab.core.objective import SUBSET_ROWS, format_limit, stability_limit
from mnistlab.report.answers.limits import Limit
from mnistlab.report.answers.listings import excerpt
from mnistlab.report.answers.needed import (
    AssignmentRuns,
    say,
    tell_absent,
    tell_lost,
    tell_missing,
    value_in,
    value_of,
)
from mnistlab.report.answers.pairs import settings_apart, tell_settings
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
)
from mnistlab.report.formula import Formula, Text, fence, fraction, row
from mnistlab.report.numbers import number


def overflow(
    runs: AssignmentRuns, limit: Limit | None, diverged_limit: Limit | None
) -> list[Block]:
    """Return the part of (e) that shows the overflow and says where it comes from.

    `limit` is that of the assignment's own setting, `diverged_limit` that of the overflow's.
    """
    linear, diverged = runs.linear, runs.linear_overflow
    blocks: list[Block] = [
        *_show(diverged, linear, diverged_limit),
        *_derive(),
        *_tell_line(),
    ]
    basis = linear or diverged
    known = limit or diverged_limit
    if basis is not None and known is None:
        blocks.append(tell_lost(basis, "the largest eigenvalue of its data"))
    if known is not None:
        blocks.append(_tell_eigenvalue(known, runs))
        applied = [(diverged, diverged_limit), (linear, limit)]
        blocks += [_apply(run, its) for run, its in applied if run is not None and its is not None]
    return blocks


def _show(diverged: ReportRun | None, linear: ReportRun | None, limit: Limit | None) -> list[Block]:
    if diverged is None:
        return [tell_absent("linear_overflow")]
    if not any(0 < loss < np.inf for loss in (diverged.divergence or ([], []))[1]):
        return [
            *tell_missing(diverged, "linear_overflow"),
            tell_lost(diverged, "the losses on the way to the overflow (divergence.csv)"),
        ]
    steps, losses = diverged.divergence or ([], [])
    lost = [step for step, loss in zip(steps, losses, strict=True) if not np.isfinite(loss)]
    dtype = "float64" if diverged.facts.get("dtype") == "float64" else "float32"
    ceiling = float(np.finfo(dtype).max)
    ending = f"in step {lost[0]:,} it is too large for {dtype}" if lost else "it keeps growing"
    after = (
        ". It is a square, so it overflows first: the outputs and the weights are finite then, and "
        "go on growing by the same factor at each step, the square root of the loss' one, until "
        "they overflow too, after about twice as many steps in all. From there on all is infinite "
        "or, as the difference of two infinities, not a number."
        if lost
        else "."
    )
    blocks: list[Block] = [
        say(
            "With learning rate ",
            number(diverged, "learning_rate", "{:g}"),
            f"{_tell_rest(diverged, linear)}, the loss grows by about the same factor at each "
            f"step until {ending}{after}",
        )
    ]
    rate = value_of(diverged, "learning_rate")
    factor = None if limit is None or rate is None else limit.factor(rate)
    if factor is not None and abs(factor) > 1:
        blocks.append(
            Picture(
                "answer-overflow",
                partial(draw_overflow, steps, losses, factor**2, ceiling, "The overflow"),
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


def _tell_rest(diverged: ReportRun, linear: ReportRun | None) -> str:
    """Return what else sets the run apart from that of (d)."""
    apart = None if linear is None else settings_apart(diverged, linear)
    if apart is None:
        return ""
    rest = {key: pair for key, pair in apart.items() if key != "learning_rate"}
    return f" and, against (d), {tell_settings(rest)}" if rest else ", and all else as in (d)"


def _derive() -> list[Block]:
    """Return why there is a limit, for gradient descent on all images at once."""
    return [
        say(
            "Why? With the arrays of (c), over all N training images, let ",
            Math(row(M, "=", transposed(F), F, "/", "N")),
            " be the mean outer product of an image (with its constant 1), ",
            Math(row(R, "=", transposed(F), transposed(Y), "/", "N")),
            " that of image and label, and ",
            Math(row("κ", "=", "2")),
            " the second derivative of the squared error by an output. Let ",
            Math(OPTIMUM),
            " be an optimum. (With pixels that no image lights, M is singular, and there are many; "
            "any of them will do.) Then a step of gradient descent on the mean loss does this:",
        ),
        Derivation(
            [
                Equation(
                    row(P, "→", P, MINUS, "η", "κ", fence(M, P, MINUS, R)),
                    "the gradient of (b), divided by N",
                ),
                Equation(row(M, OPTIMUM, "=", R), "at an optimum the gradient is zero"),
                Equation(
                    row(
                        fence(P, MINUS, OPTIMUM),
                        "→",
                        fence(IDENTITY, MINUS, "η", "κ", M),
                        fence(P, MINUS, OPTIMUM),
                    ),
                    "subtract the optimum on both sides and put the line above in",
                ),
                Equation(
                    row(
                        fence(IDENTITY, MINUS, "η", "κ", M),
                        v,
                        "=",
                        fence("1", MINUS, "η", "κ", "λ"),
                        v,
                    ),
                    "along an eigenvector v of M, with eigenvalue λ, a step is a mere factor",
                ),
                Equation(
                    row(
                        fence("1", MINUS, "η", "κ", "λ", left="|", right="|"),
                        ">",
                        "1",
                        Text("  if and only if  "),
                        "η",
                        ">",
                        LIMIT,
                    ),
                    "for λ > 0, and λ is never negative: the factor is then below −1",  # noqa: RUF001 - a minus
                ),
                Equation(
                    row("η", "<", fraction("2", row("κ", at("λ", "max")))),
                    "stable in all directions with λ > 0: the largest eigenvalue sets the limit",
                ),
            ]
        ),
        say(
            "Along a direction with ",
            Math(row("λ", "=", "0")),
            " the factor is 1 and nothing moves; but no output depends on it either, so that costs "
            "no loss. Beyond the limit, each step overshoots the optimum along the steepest "
            "direction by more than it was away before, and the next gradient, which is "
            "proportional to that distance, is larger still. The loss grows with the square of "
            "the distance, without end. Batches see their own images instead of all, which "
            "makes the true limit a little lower.",
        ),
    ]


LIMIT: Formula = fraction("2", row("κ", "λ"))


def _tell_line() -> list[Block]:
    return [
        say("The line of ours that computes it, for this and other optimizers:"),
        excerpt(stability_limit, "return relative_limit"),
    ]


def _tell_eigenvalue(limit: Limit, runs: AssignmentRuns) -> Paragraph:
    """Return the limit for plain descent on a mean in numbers, and where a rougher one is told."""
    simple = replace(
        limit, images=1.0, weight_decay=0.0, rate=2 / (limit.curvature * limit.eigenvalue)
    )
    told = value_in(runs.sweep, "learning_rate_limit")
    figures = ""
    if told is not None:
        figures = f", and the mark in the figures of the sweep, {format_limit(told)},"
    return say(
        "Computed from all training images: ",
        Math(row(at("λ", "max"), "≈", f"{limit.eigenvalue:.2f}")),
        ", so with ",
        Math(row("κ", "=", f"{limit.curvature:g}")),
        " the limit is ",
        Math(simple.equation),
        f". (The warning before such a training{figures} is estimated from {SUBSET_ROWS:,} images, "
        "which may put it off by a percent.)",
    )


def _apply(run: ReportRun, limit: Limit) -> Paragraph:
    """Return what the limit says of a run."""
    rate = value_of(run, "learning_rate")
    if rate is None:
        return tell_lost(run, "the learning rate")
    pieces: list[Piece] = [*_tell_own(limit)]
    factor = limit.factor(rate)
    pieces += [
        "A learning rate of ",
        number(run, "learning_rate", "{:g}"),
        f" is {rate / limit.rate:.2g} times the limit",
    ]
    if factor is None:
        beyond = "beyond it" if rate > limit.rate else "within it"
        return say(*pieces, f", {beyond}{_measured(run)}.")
    pieces.append(
        f": each step multiplies the distance along the steepest direction by {_signed(factor)}"
    )
    if abs(factor) > 1:
        return say(
            *pieces,
            f", so the loss grows by a factor of about {factor**2:.2g} a step{_measured(run)}.",
        )
    return say(*pieces, ", so the distance shrinks, and training is stable.")


def _tell_own(limit: Limit) -> list[Piece]:
    """Return a run's own limit where its setting makes it another than that for a mean."""
    if limit.is_plain and limit.images == 1 and limit.weight_decay == 0:
        return []
    why = [
        *(["the sum over a batch of n images"] if limit.images != 1 else []),
        *(["weight decay d"] if limit.weight_decay else []),
        *([] if limit.is_plain else ["an optimizer that remembers earlier steps"]),
    ]
    told: Piece = Math(limit.equation) if limit.is_plain else format_limit(limit.rate)
    return [f"With {' and '.join(why)} the limit is ", told, ". "]


def _signed(factor: float) -> str:
    return f"{factor:.2f}".replace("-", MINUS)


def _measured(run: ReportRun) -> str:
    """Return by how much the loss really grew in the second half of the steps."""
    losses = [loss for loss in (run.divergence or ([], []))[1] if 0 < loss < np.inf]
    half = losses[len(losses) // 2 :]
    if len(half) < 2:
        return ""
    growth = (np.log(half[-1]) - np.log(half[0])) / (len(half) - 1)
    return f" (measured over the second half of the curve: {np.exp(growth):.2g})"
