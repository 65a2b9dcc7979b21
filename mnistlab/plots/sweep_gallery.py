"""The registry of a sweep's plots: each is one function from a sweep to a figure, or None."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from mnistlab.core.registry import Registry
from mnistlab.plots.sweep_coordinates import parallel_coordinates
from mnistlab.plots.sweep_curves import all_learning_curves
from mnistlab.plots.sweep_map import error_map
from mnistlab.plots.sweep_rates import error_by_rate
from mnistlab.plots.sweep_view import SweepView

SWEEP_PLOTS: Registry[Callable[[SweepView], Figure | None]] = Registry("plot of a sweep")


@SWEEP_PLOTS.register("learning_rate")
def draw_learning_rate(view: SweepView) -> Figure | None:
    """Draw the error against the learning rate, where that was varied."""
    if "learning_rate" not in view.keys:
        return None
    others = [key for key in view.keys if key != "learning_rate"]
    groups = [
        ", ".join(f"{key.replace('_', ' ')} {_shown(result['parameters'][key])}" for key in others)
        for result in view.results
    ]
    return error_by_rate(
        np.array(view.values("learning_rate"), float),
        view.errors,
        groups,
        limit=view.document["learning_rate_limit"],
        best=view.best,
        title=view.title,
        details=view.details,
        error_name=view.error_name,
    )


@SWEEP_PLOTS.register("heat_map")
def draw_heat_map(view: SweepView) -> Figure | None:
    """Draw the error over two parameters, where two were varied and not in step."""
    if not _is_plane(view):
        return None
    x_name, y_name = view.keys
    x_values, y_values = (_ordered(view.values(key)) for key in view.keys)
    errors = np.full((len(y_values), len(x_values)), np.nan)
    diverged = np.zeros(errors.shape, bool)
    place = {}
    for trial, (x, y) in enumerate(zip(view.values(x_name), view.values(y_name), strict=True)):
        place[trial] = (y_values.index(y), x_values.index(x))
        errors[place[trial]] = view.errors[trial]
        diverged[place[trial]] = view.diverged[trial]
    return error_map(
        x_values,
        y_values,
        errors,
        diverged,
        x_name=x_name,
        y_name=y_name,
        best=None if view.best is None else place[view.best],
        title=view.title,
        details=view.details,
        error_name=view.error_name,
    )


@SWEEP_PLOTS.register("parallel_coordinates")
def draw_parallel_coordinates(view: SweepView) -> Figure | None:
    """Draw a line a trial through all its parameters, where a heat map cannot hold them."""
    if len(view.keys) < 2 or _is_plane(view):
        return None
    return parallel_coordinates(
        view.keys,
        [view.values(key) for key in view.keys],
        view.errors,
        best=view.best,
        title=view.title,
        details=view.details,
        error_name=view.error_name,
    )


@SWEEP_PLOTS.register("all_learning_curves")
def draw_all_learning_curves(view: SweepView) -> Figure | None:
    """Draw every trial's validation loss and error rate by epoch, the best in front."""
    metrics = [view.epochs(trial) for trial in range(len(view.results))]
    return all_learning_curves(
        [one["epoch"] for one in metrics],
        [one["validation_loss"] for one in metrics],
        [100 * (1 - one["validation_accuracy"]) for one in metrics],
        best=view.best,
        diverged=view.diverged,
        loss_name=view.config["loss"],
        title=view.title,
        details=view.details,
    )


def _is_plane(view: SweepView) -> bool:
    """Return whether there are two parameters that span a plane, few enough values of each."""
    if len(view.keys) != 2:
        return False
    x, y = (len(_ordered(view.values(key))) for key in view.keys)
    return max(x, y) < len(view.results) and 2 * len(view.results) > x * y and max(x, y) <= 64


def _ordered(values: Sequence[Any]) -> list[Any]:
    """Return each value once, numbers by size and all else as it comes."""
    once = list({repr(value): value for value in values}.values())
    if all(isinstance(value, int | float) and math.isfinite(value) for value in once):
        return sorted(once)
    return once


def _shown(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
