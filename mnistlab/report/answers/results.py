"""Question 1 (d): what training came to, how far from the optimum, and the best combination."""

import math
from functools import partial
from typing import Any

import numpy as np

from mnistlab.plots.learning_curves import learning_curves
from mnistlab.report.answers.models import other_models
from mnistlab.report.answers.needed import (
    AssignmentRuns,
    count_test_images,
    list_in,
    say,
    setting,
    tell_lost,
    tell_missing,
    test_result,
    value_of,
)
from mnistlab.report.answers.pictures import Curve, draw_gaps
from mnistlab.report.collect import ReportRun, ReportSweep
from mnistlab.report.document import (
    Block,
    Code,
    Paragraph,
    Picture,
    Piece,
    Section,
)
from mnistlab.report.sections import number


def results(runs: AssignmentRuns) -> Section:
    """Return the answer to (d)."""
    blocks = [
        *_curves(runs.linear),
        *_gap(runs.linear, runs.sweep),
        *_best_combination(runs.sweep, runs.linear),
        *other_models(runs),
    ]
    return Section("(d) Training, and the best combination", blocks, 2)


def _curves(linear: ReportRun | None) -> list[Block]:
    """Return the plot of the assignment's own setting and its test result."""
    if linear is None:
        return list(tell_missing(linear, "linear"))
    blocks: list[Block] = [
        say(
            "The assignment's setting: ",
            *setting(linear),
            ". The plot shows error in both senses: the loss, as the mean over the images of a "
            "split, and the error rate, the share of images that are classified wrongly. The "
            "evaluation error is that on the validation split, which is never trained on.",
        ),
        *tell_missing(linear, "linear"),
    ]
    if linear.curves is not None:
        caption = "Training and evaluation error after each epoch, and the test error at the end"
        blocks.append(
            Picture(
                "answer-learning-curves",
                partial(draw_learning_curves, linear),
                [f"{caption}. Run {linear.name}."],
                "Two panels: loss and error rate by epoch, on the training, validation and test "
                "split",
            )
        )
    said = test_result(linear, count_test_images(linear))
    blocks.append(say("After the final epoch: ", *said, "."))
    return blocks


def draw_learning_curves(run: ReportRun) -> Any:
    """Return the figure of a run's losses and error rates; the run has curves."""
    curves = {name: np.array(values) for name, values in (run.curves or {}).items()}
    return learning_curves(
        curves["epoch"],
        curves["train_loss"],
        curves["validation_loss"],
        curves["train_accuracy"],
        curves["validation_accuracy"],
        loss_name=str(run.facts.get("loss", "loss")),
        title=run.title,
        details=f"learning rate {run.facts.get('learning_rate')}, "
        f"batch size {run.facts.get('batch_size')}",
        test_loss=value_of(run, "test.loss"),
        test_accuracy=value_of(run, "test.accuracy"),
    )


def _gap(linear: ReportRun | None, sweep: ReportSweep | None) -> list[Block]:
    """Return how far training is from the exact optimum, and what that means."""
    if linear is None:
        return []
    least, loss = linear.yardstick, value_of(linear, "train.loss")
    if least is None or loss is None or not least.loss > 0:
        return [tell_lost(linear, "the distance to the exact least-squares optimum")]
    gap = loss - least.loss
    nearest = None if sweep is None else _nearest(sweep)
    blocks: list[Block] = [
        say(
            "Did it train too little, or can the model do no better? For this loss the exact "
            "optimum is known: the normal equations give the least training loss that any W "
            f"and b can have on these images, {least.loss:.4f}. The run ended at ",
            number(linear, "train.loss", "{:.4f}"),
            f", which is {gap:.4f} or {gap / least.loss:.1%} above. So however long one "
            f"trains, no more than {gap:.4f} can be won; the other {least.loss:.4f} are the "
            "model's own: a linear function of the pixels cannot come closer to the one-hot "
            "labels.",
        ),
    ]
    curves = _gap_curves(linear, sweep, nearest)
    if curves:
        blocks.append(
            Picture(
                "answer-gap",
                partial(draw_gaps, curves, "How far from the optimum"),
                ["Training loss minus that of the exact optimum, on a logarithmic axis."],
                "The distance of the training loss to the least possible one, by epoch: "
                + ", ".join(f"{name} ends at {values[-1]:.2g}" for name, _, values in curves),
            )
        )
    return blocks + _tell_nearest(nearest, linear)


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
        gaps, epochs = run.gaps or [], (run.curves or {}).get("epoch", [])
        kept = [
            (at, gap)
            for at, gap in zip(epochs, gaps, strict=False)
            if math.isfinite(gap) and gap > 0
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
        except (KeyError, TypeError, ValueError, IndexError):  # it diverged, or the file is damaged
            continue
        if math.isfinite(loss):
            found = min(found or (loss, run), (loss, run))
    return None if found is None else ReportRun(sweep.folder.run(found[1]), sweep.shelf)


def _tell_nearest(nearest: ReportRun | None, linear: ReportRun) -> list[Block]:
    """Return what coming nearer to the optimum is good for."""
    if nearest is None or not nearest.gaps:
        return []
    ours = value_of(linear, "validation.accuracy")
    theirs = value_of(nearest, "validation.accuracy")
    pieces: list[Piece] = [
        "Of the sweep below, the trial with the lowest training loss (",
        *setting(nearest),
        ") comes down to ",
        number(nearest, "train.loss", "{:.4f}"),
        f", {nearest.gaps[-1]:.4f} above the optimum. Its validation accuracy is ",
        number(nearest, "validation.accuracy", "{:.2%}"),
        ", that of the run above ",
        number(linear, "validation.accuracy", "{:.2%}"),
        ". ",
    ]
    if ours is not None and theirs is not None:
        pieces.append(
            "Training nearer to the optimum does not classify better: what is left is not too "
            "little training but too weak a model."
            if theirs <= ours
            else "Training nearer to the optimum classifies better by "
            f"{100 * (theirs - ours):.2f} percentage points: that much was too little training."
        )
    return [Paragraph(pieces)]


def _best_combination(sweep: ReportSweep | None, linear: ReportRun | None) -> list[Block]:
    if sweep is None:
        return list(tell_missing(sweep, "sweeps/assignment"))
    blocks: list[Block] = list(tell_missing(sweep, "sweeps/assignment"))
    best, document = sweep.best, sweep.document
    if best is None or document is None:
        return [*blocks, tell_lost(sweep, "the best combination")]
    keys = ", ".join(str(key).replace("_", " ") for key in list_in(document, "parameters"))
    blocks.append(
        say(
            f"We tried all combinations of a grid over {keys} (",
            Code("configs/sweeps/assignment.yaml"),
            "), ",
            number(sweep, "runs", "{:d}"),
            " runs. The best is chosen by its accuracy on the validation split, and the test "
            "split is looked at for it alone: choosing by the test split would make its "
            "result too good. The best combination is ",
            *setting(best),
            ", with a validation accuracy of ",
            number(sweep, "validation.accuracy", "{:.2%}"),
            " and a training loss of ",
            number(sweep, "train.loss", "{:.4f}"),
            ". Its test result: ",
            *test_result(sweep, _images_of(document)),
            ".",
        )
    )
    ties = len(list_in(document, "indistinguishable"))
    others = max(len(list_in(document, "results")) - 1, 0)
    verdict = (
        f"Of the other {others} trials, {ties} cannot be told from it on these validation images "
        "(at 95 % for all comparisons together, image by image)"
    )
    meaning = (
        ": the best is one of many good ones rather than a setting that stands out."
        if ties > 1
        else "."
    )
    return [*blocks, say(verdict + meaning, *_tell_losses(sweep, linear))]


def _tell_losses(sweep: ReportSweep, linear: ReportRun | None) -> list[Piece]:
    """Return a remark where the better classifier has the higher training loss."""
    if linear is None:
        return []
    numbers = [
        value_of(run, key)
        for key in ("train.loss", "validation.accuracy")
        for run in (sweep, linear)
    ]
    if None in numbers:
        return []
    best_loss, loss, best_accuracy, accuracy = (number or 0.0 for number in numbers)
    if not (best_loss > loss and best_accuracy > accuracy):
        return []
    return [
        (
            " Its training loss is higher than that of the assignment's setting, and yet its "
            "validation accuracy is better: the squared distance to a one-hot label is not the "
            "number of mistakes, and its least value is not the best classifier."
        )
    ]


def _images_of(document: dict[str, Any]) -> int | None:
    try:
        images = document["best"]["test"]["images"]
    except (KeyError, TypeError):
        return None
    return images if isinstance(images, int) and images > 0 else None
