"""Question 1 (e), the control: a sigmoid at the setting at which linear regression overflows."""

import math

import numpy as np

from mnistlab.core.objective import REDUCTIONS
from mnistlab.core.optimizers import OPTIMIZERS
from mnistlab.report.answers.needed import (
    count_test_images,
    say,
    setting,
    tell_absent,
    tell_missing,
    test_result,
)
from mnistlab.report.answers.pairs import settings_apart, tell_settings
from mnistlab.report.collect import ReportRun
from mnistlab.report.document import Block, Piece
from mnistlab.report.numbers import number

BOUND = (8, 27)
"""No entry of the gradient by the pre-activations is larger than 8/27: that is what
2 (y - t) y (1 - y) reaches at y = 2/3 for a target t of 0, and in size at y = 1/3 for one of 1."""


def tell_control(run: ReportRun | None, diverged: ReportRun | None) -> list[Block]:
    """Return what became of the sigmoid at the setting that overflowed, and how far it may go."""
    if run is None:
        return [tell_absent("sigmoid_sgd")]
    apart = None if diverged is None else settings_apart(run, diverged)
    if apart is not None and set(apart) == {"model"}:
        which = (
            "At the very setting that overflowed above, with a sigmoid and nothing else changed ("
        )
    else:
        which = "With a sigmoid and plain gradient descent ("
    rest = {key: pair for key, pair in (apart or {}).items() if key != "model"}
    beside = f"; against the run above, {tell_settings(rest)}" if rest else ""
    return [
        say(
            which,
            *setting(run),
            f"{beside}), the training ends at loss ",
            number(run, "train.loss", "{:.4f}"),
            ": ",
            *test_result(run, count_test_images(run)),
            ".",
            *_tell_furthest(run),
            f" Run {run.name}.",
        ),
        *tell_missing(run, "sigmoid_sgd"),
    ]


def furthest_weight(run: ReportRun) -> float | None:
    """Return how far from its beginning descent can take a weight, None if that is not bounded.

    Each step moves it by at most the learning rate times the bound times the largest feature,
    times the images of a batch where their gradients are added; a penalty only pulls it back as
    long as the learning rate times the decay is at most 1.
    """
    config, dataset = run.checked_config, run.dataset
    if config is None or dataset is None or (config.model, config.loss) != _BOUNDED:
        return None
    is_plain = OPTIMIZERS[config.optimizer].stability(config.momentum or 0.0) == 2
    if not is_plain or config.learning_rate * config.weight_decay > 1:
        return None
    pixels, N = dataset.pixels, len(dataset.train)
    ends = np.stack([np.abs(byte * np.asarray(pixels.scale) + pixels.shift) for byte in (0, 255)])
    weight = REDUCTIONS[config.reduction].weight
    batches = [config.batch_size] * (N // config.batch_size) + [N % config.batch_size]
    epoch = sum(weight(size) * size for size in batches if size)
    steps = epoch * config.epochs
    return float(steps * config.learning_rate * BOUND[0] / BOUND[1] * max(1.0, ends.max()))


_BOUNDED = ("sigmoid", "squared_error")


def _tell_furthest(run: ReportRun) -> list[Piece]:
    furthest = furthest_weight(run)
    if furthest is None:
        return []
    told = f" By the bound, its steps can take no weight further than {math.ceil(furthest):,} from "
    if run.parameters is None:
        return [f"{told}where it began."]
    largest = float(np.abs(run.parameters).max())
    return [f"{told}where it began; the largest is {largest:.3g} at the end."]
