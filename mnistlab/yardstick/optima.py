"""Finds the yardstick of a config, and keeps it by data, objective and penalty."""

import hashlib
import json
import math
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import mnistlab
from mnistlab.config.schema import Config
from mnistlab.core.exact import least_squares, measure_moments
from mnistlab.core.losses import LOSSES
from mnistlab.core.metrics import evaluate
from mnistlab.core.models import MODELS
from mnistlab.core.objective import REDUCTIONS, Objective
from mnistlab.core.trainer import join_parameters
from mnistlab.datasets import Dataset, Split, as_rows
from mnistlab.datasets.store import data_dir
from mnistlab.runs.atomic import write_json
from mnistlab.yardstick.softmax import softmax_optimum

_FORMAT = 2
"""Counts up with the fields of a yardstick: what an older one kept is found anew."""


@dataclass(frozen=True)
class Yardstick:
    """The least that the training split allows, and what the parameters that reach it are worth.

    `loss` is the mean training loss at the optimum of the whole objective, `objective` adds the
    penalty to it; both are over a sample. `steepest` is the largest coordinate of the gradient
    there, None for a solution in closed form. `validation_...` and `test_...` are the optimum's
    mean loss and accuracy on the other splits, None without a validation split; `largest_weight`
    is the size of its largest weight, biases aside.
    """

    loss: float
    objective: float
    ridge: float
    steepest: float | None = None
    validation_loss: float | None = None
    validation_accuracy: float | None = None
    test_loss: float | None = None
    test_accuracy: float | None = None
    largest_weight: float | None = None


_NEEDED = ("loss", "objective", "ridge", "test_loss", "test_accuracy", "largest_weight")


def ridge_of(config: Config) -> float:
    """Return the penalty's factor in units of the mean loss: a summed batch weakens it."""
    per_step = REDUCTIONS[config.reduction].weight(config.batch_size) * config.batch_size
    return config.weight_decay / per_step


def has_yardstick(config: Config) -> bool:
    """Return whether the config's objective has an optimum that can be known."""
    if config.model != "linear":
        return False
    # without a penalty the least cross-entropy may lie at infinity
    return config.loss in _FINDERS and (config.weight_decay > 0 or config.loss == "squared_error")


def known_yardstick(config: Config, data_sha256: str) -> Yardstick | None:
    """Return the yardstick that was found before, None if there is none."""
    if not has_yardstick(config):
        return None
    with suppress(OSError, ValueError, RecursionError):
        return _checked(json.loads(_place(config, data_sha256).read_bytes()))
    return None


def _checked(content: Any) -> Yardstick | None:
    """Return what a file of the cache says, None unless it is what is written there."""
    names = [one.name for one in fields(Yardstick)]
    if not isinstance(content, dict) or sorted(content) != sorted(names):
        return None
    for name, value in content.items():
        known = isinstance(value, float) and math.isfinite(value)
        if not known and (value is not None or name in _NEEDED):
            return None
    return Yardstick(**content)


def find_yardstick(
    config: Config, dataset: Dataset, at_step: Callable[[], None] = lambda: None
) -> Yardstick | None:
    """Return the yardstick of a config on its data, None where the objective has none.

    What is found is kept in the data folder. Raises MnistlabError where it cannot be found.
    """
    known = known_yardstick(config, dataset.sha256)
    if known is not None or not has_yardstick(config):
        return known
    found = _FINDERS[config.loss](config, dataset, at_step)
    place = _place(config, dataset.sha256)
    with suppress(OSError):  # a cache only
        place.parent.mkdir(parents=True, exist_ok=True)
        write_json(place, asdict(found))
    return found


def _by_normal_equations(
    config: Config,
    dataset: Dataset,
    at_step: Callable[[], None],  # noqa: ARG001 - done in half a second
) -> Yardstick:
    rows, ridge = as_rows(dataset.train), ridge_of(config)
    found = least_squares(measure_moments(rows, dataset.pixels, len(dataset.classes)), ridge)
    elsewhere = _worth(found.parameters, config, dataset)
    return Yardstick(found.loss, found.objective, ridge, **elsewhere)


def _by_descent(config: Config, dataset: Dataset, at_step: Callable[[], None]) -> Yardstick:
    rows, ridge = as_rows(dataset.train), ridge_of(config)
    parameters, objective, steepest = softmax_optimum(
        rows, dataset.pixels, len(dataset.classes), ridge, at_step
    )
    penalty = ridge / 2 * float(np.square(parameters[:-1]).sum())
    elsewhere = _worth(parameters, config, dataset)
    return Yardstick(objective - penalty, objective, ridge, steepest, **elsewhere)


def _worth(
    parameters: NDArray[np.float64], config: Config, dataset: Dataset
) -> dict[str, float | None]:
    """Return what parameters (D+1, C) come to on validation and test split, by field."""
    objective = Objective(MODELS[config.model], LOSSES[config.loss], REDUCTIONS[config.reduction])
    stack = join_parameters([parameters])

    def measure(split: Split) -> tuple[float, float]:
        metrics = evaluate(stack, objective, as_rows(split), dataset.pixels).metrics
        return float(metrics.loss[0]), float(metrics.accuracy[0])

    held_out = (None, None) if dataset.validation is None else measure(dataset.validation)
    test = measure(dataset.test)
    return {
        "validation_loss": held_out[0],
        "validation_accuracy": held_out[1],
        "test_loss": test[0],
        "test_accuracy": test[1],
        "largest_weight": float(np.abs(parameters[:-1]).max()),
    }


_FINDERS = {"squared_error": _by_normal_equations, "softmax_cross_entropy": _by_descent}


def _place(config: Config, data_sha256: str) -> Path:
    """Return where the yardstick is kept: by all that decides it, and the version of the code."""
    decides = {
        "data": data_sha256,
        "validation": config.data.validation,
        "preprocess": config.data.preprocess,
        "loss": config.loss,
        "ridge": ridge_of(config),
        "code": mnistlab.__version__,
        "format": _FORMAT,
    }
    name = hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()
    return data_dir() / "optima" / f"{name[:32]}.json"
