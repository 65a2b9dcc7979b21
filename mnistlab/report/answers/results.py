"""Question 1 (d): what training the assignment's own setting came to, and what else was tried."""

from functools import partial
from typing import Any

import numpy as np

from mnistlab.core.objective import format_limit
from mnistlab.plots.epoch_curves import learning_curves
from mnistlab.report.answers.combination import best_combination
from mnistlab.report.answers.limits import Limit, limit_at
from mnistlab.report.answers.models import other_models
from mnistlab.report.answers.needed import (
    AssignmentRuns,
    count_test_images,
    say,
    setting,
    tell_missing,
    test_result,
    value_of,
)
from mnistlab.report.answers.optimum import distance_to_optimum
from mnistlab.report.collect import ReportRun
from mnistlab.report.document import Block, Math, Picture, Piece, Section
from mnistlab.report.numbers import number


def results(runs: AssignmentRuns, limit: Limit | None) -> Section:
    """Return the answer to (d); `limit` is that of the run of the assignment's own setting."""
    blocks = [
        *_curves(runs.linear),
        *_tell_mean(runs.linear, limit),
        *distance_to_optimum(runs.linear, runs.sweep),
        *best_combination(runs.sweep, runs.linear),
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


def _tell_mean(linear: ReportRun | None, limit: Limit | None) -> list[Block]:
    """Return why the run minimises the mean over a batch, if the sum would overflow."""
    rate = None if linear is None else value_of(linear, "learning_rate")
    config = None if linear is None else linear.checked_config
    if linear is None or limit is None or rate is None or config is None:
        return []
    summed = limit_at(linear, limit.eigenvalue, "sum")
    if config.reduction != "mean" or summed is None or not limit.rate > rate > summed.rate:
        return []
    pieces: list[Piece] = [
        (
            "It was trained on the mean over a batch, not on the sum that (b) of the assignment "
            "writes. The sum makes each step as many times longer as a batch has images, and at "
            "learning rate "
        ),
        number(linear, "learning_rate", "{:g}"),
        " it would overflow: with these images its limit is ",
        *([Math(summed.equation)] if summed.is_plain else [format_limit(summed.rate)]),
        " (the reasoning is in (e)).",
    ]
    return [say(*pieces)]
