"""Question 1 (d), second part: how far training is from the exact optimum, and what that means."""

import math
from functools import partial

import numpy as np

from mnistlab.optimum import Optimum
from mnistlab.report.answers.needed import list_in, say, setting, tell_lost, value_of
from mnistlab.report.answers.pairs import Paired, pair_on_validation, settings_apart
from mnistlab.report.answers.pictures import Curve, draw_gaps
from mnistlab.report.collect import ReportRun, ReportSweep
from mnistlab.report.document import Block, Paragraph, Picture, Piece
from mnistlab.report.numbers import number, show_gap
from mnistlab.statistics import wilson_interval

_FAR = 10
"""A weight so many times the largest of the run's own is worth a sentence."""


def distance_to_optimum(linear: ReportRun | None, sweep: ReportSweep | None) -> list[Block]:
    """Return how far the run is from the exact optimum, and what coming nearer is good for."""
    if linear is None:
        return []
    least, gap = linear.optimum, linear.gap
    if least is None or gap is None or not least.objective > 0:
        return [tell_lost(linear, "the distance to the exact least-squares optimum")]
    nearest = None if sweep is None else _nearest(sweep)
    return [
        say(*_tell_gap(linear, least, gap)),
        *_draw(linear, sweep, nearest),
        *_tell_optimum(linear, least),
        *_tell_nearest(nearest, linear),
    ]


def _tell_gap(linear: ReportRun, least: Optimum, gap: float) -> list[Piece]:
    what = "training loss" if least.ridge == 0 else "training loss plus penalty"
    ended = number(linear, "train.loss", "{:.4f}")
    if least.ridge != 0:
        ended = f"{least.objective + gap:.4f}"
    return [
        (
            "Did it train too little, or can the model do no better? For this loss the exact "
            f"optimum is known: the normal equations give the least {what} that any W and b can "
            f"have on these images, {least.objective:.4f}. The run ended at "
        ),
        ended,
        (
            f", which is {show_gap(gap)} or {gap / least.objective:.1%} above. So however long one "
            f"trains, no more than {show_gap(gap)} can be gained; the other "
            f"{least.objective:.4f} are the model's own: a linear function of the pixels cannot "
            "come closer to the one-hot labels."
        ),
    ]


def _tell_optimum(linear: ReportRun, least: Optimum) -> list[Block]:
    """Return what the parameters of the least training loss are worth on the other splits."""
    accuracy = value_of(linear, "validation.accuracy")
    if least.validation_accuracy is None or least.test_accuracy is None or accuracy is None:
        return []
    images = None if linear.dataset is None else len(linear.dataset.validation or ())
    pieces: list[Piece] = [
        (
            "And what would be gained by it? The optimum itself has a validation accuracy of "
            f"{least.validation_accuracy:.2%} and a test accuracy of {least.test_accuracy:.2%}; "
            "this run has "
        ),
        number(linear, "validation.accuracy", "{:.2%}"),
        " and ",
        number(linear, "test.accuracy", "{:.2%}"),
        ". ",
    ]
    if images:
        pieces.append(_weigh(least.validation_accuracy, wilson_interval(accuracy, images)))
    return [Paragraph(pieces), *_tell_weights(linear, least)]


def _weigh(optimum: float, interval: tuple[float, float]) -> str:
    """Return what an optimum's accuracy means beside the 95 % interval of a run's."""
    low, high = interval
    where = "within" if low <= optimum <= high else "above" if optimum > high else "below"
    meaning = {
        "within": "even the least loss there is classifies no better than these images can tell. "
        "What is left is not too little training but too weak a model.",
        "above": "that much was too little training.",
        "below": "coming all the way to the least loss would make the classifier worse.",
    }
    return (
        f"On the validation split the optimum lies {where} the run's 95 % interval, {low:.2%} to "
        f"{high:.2%}: {meaning[where]}"
    )


def _tell_weights(linear: ReportRun, least: Optimum) -> list[Block]:
    """Return where the optimum's losses elsewhere come from, if its weights have run away."""
    if linear.parameters is None or least.largest_weight is None or least.test_loss is None:
        return []
    ours = float(np.abs(linear.parameters[:-1]).max())
    if not least.largest_weight > _FAR * ours:
        return []
    held_out = (
        f"{least.validation_loss:.2f} on the validation split and "
        if least.validation_loss is not None
        else ""
    )
    return [
        say(
            f"The optimum's loss is another matter: {held_out}{least.test_loss:.2f} on the test "
            f"split, against {least.loss:.2f} in training. Its largest weight is "
            f"{least.largest_weight:.3g} in size (in this run {ours:.3g}). Where hardly any "
            "training image lights a pixel, its weight can become that large to fit those few, and "
            "an image of another split that lights it is then far off. Descent that stops early "
            "leaves such weights small."
        )
    ]


def _draw(linear: ReportRun, sweep: ReportSweep | None, nearest: ReportRun | None) -> list[Block]:
    if linear.optimum is None or linear.optimum.ridge != 0:
        return []  # the penalty of each epoch is not known
    curves = _gap_curves(linear, sweep, nearest)
    if not curves:
        return []
    return [
        Picture(
            "answer-gap",
            partial(draw_gaps, curves, "How far from the optimum"),
            ["Training loss minus that of the exact optimum, on a logarithmic axis."],
            "The distance of the training loss to the least possible one, by epoch: "
            + ", ".join(f"{name} ends at {values[-1]:.2g}" for name, _, values in curves),
        )
    ]


def _gap_curves(
    linear: ReportRun, sweep: ReportSweep | None, nearest: ReportRun | None
) -> list[Curve]:
    chosen = [("this setting", linear)]
    if sweep is not None and sweep.best is not None:
        chosen.append(("best combination", sweep.best))
    if nearest is not None:
        chosen.append(("lowest training loss", nearest))
    curves: list[Curve] = []
    for name, run in chosen:
        losses, epochs = (
            (run.curves or {}).get("train_loss", []),
            (run.curves or {}).get("epoch", []),
        )
        least = run.optimum
        if least is None or least.ridge != 0:
            continue
        kept = [
            (at, loss - least.loss)
            for at, loss in zip(epochs, losses, strict=False)
            if math.isfinite(loss) and loss > least.loss
        ]
        if kept:
            curves.append((name, [at for at, _ in kept], [gap for _, gap in kept]))
    return curves


def _nearest(sweep: ReportSweep) -> ReportRun | None:
    """Return the first run of the sweep's trial with the lowest training loss."""
    found: tuple[float, int] | None = None
    for result in list_in(sweep.document, "results"):
        try:
            loss, run = float(result["train"]["loss"]), int(result["runs"][0])
        except (KeyError, TypeError, ValueError, IndexError, OverflowError):
            continue  # it diverged, or the file is damaged
        if math.isfinite(loss):
            found = min(found or (loss, run), (loss, run))
    return None if found is None else sweep.run(found[1])


def _tell_nearest(nearest: ReportRun | None, linear: ReportRun) -> list[Block]:
    """Return what coming nearer to the optimum is good for, by the sweep."""
    if nearest is None or not settings_apart(nearest, linear):
        return []  # the same setting, or not known
    if nearest.gap is None or value_of(nearest, "validation.accuracy") is None:
        return []
    pair = pair_on_validation(nearest, linear)
    return [
        Paragraph(
            [
                "Of the sweep below, the trial with the lowest training loss (",
                *setting(nearest),
                ") comes down to ",
                number(nearest, "train.loss", "{:.4f}"),
                (f", {show_gap(nearest.gap)} above the optimum. Its validation accuracy is "),
                number(nearest, "validation.accuracy", "{:.2%}"),
                ", that of the run above ",
                number(linear, "validation.accuracy", "{:.2%}"),
                ". ",
                *([] if pair is None else _tell_pair(pair)),
            ]
        )
    ]


def _tell_pair(pair: Paired) -> list[Piece]:
    told = pair.tell("that trial", "the run above", "validation")
    if not pair.is_told:
        return [f"{told} They cannot be told apart."]
    nearer = pair.only_first > pair.only_second
    return [
        f"{told} Here, training nearer to the optimum classifies "
        + ("better: that much was too little training." if nearer else "worse.")
    ]
