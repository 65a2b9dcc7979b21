"""The registry of a sweep's plots: each is one function from a sweep to a figure, or None."""

from collections.abc import Callable
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from mnistlab.core.registry import Registry
from mnistlab.plots.sweep_coordinates import parallel_coordinates
from mnistlab.plots.sweep_curves import all_learning_curves
from mnistlab.plots.sweep_labels import distinct, spell, tell_value
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
        ", ".join(f"{spell(key)} {tell_value(result['parameters'][key])}" for key in others)
        for result in view.results
    ]
    limit = view.document["learning_rate_limit"]
    return _draw_against(view, "learning_rate", groups, limit=limit, log=True)


@SWEEP_PLOTS.register("parameter")
def draw_parameter(view: SweepView) -> Figure | None:
    """Draw the error against the only parameter, if that is not the learning rate."""
    if len(view.keys) != 1 or view.keys == ["learning_rate"]:
        return None
    return _draw_against(view, view.keys[0], [""] * len(view.results), limit=None, log=None)


@SWEEP_PLOTS.register("heat_map")
def draw_heat_map(view: SweepView) -> Figure | None:
    """Draw the error over two parameters, where two were varied and not in step."""
    if not _is_plane(view):
        return None
    x_values, y_values = (distinct(view.values(key)) for key in view.keys)
    errors = np.full((len(y_values), len(x_values)), np.nan)
    diverged, stopped = np.zeros(errors.shape, bool), np.zeros(errors.shape, bool)
    place = {}
    for trial, (x, y) in enumerate(zip(*map(view.values, view.keys), strict=True)):
        place[trial] = (y_values.index(y), x_values.index(x))
        errors[place[trial]] = view.errors[trial]
        diverged[place[trial]] = view.diverged[trial]
        stopped[place[trial]] = view.stopped[trial]
    return error_map(
        x_values,
        y_values,
        errors,
        diverged,
        x_name=view.keys[0],
        y_name=view.keys[1],
        best=None if view.best is None else place[view.best],
        stopped=stopped,
        **_words(view),
    )


@SWEEP_PLOTS.register("parallel_coordinates")
def draw_parallel_coordinates(view: SweepView) -> Figure | None:
    """Draw a line a trial through all its parameters, where a heat map cannot hold them."""
    if len(view.keys) < 2 or _is_plane(view):
        return None
    columns = [view.values(key) for key in view.keys]
    return parallel_coordinates(view.keys, columns, view.errors, best=view.best, **_words(view))


@SWEEP_PLOTS.register("all_learning_curves")
def draw_all_learning_curves(view: SweepView) -> Figure | None:
    """Draw every run's validation loss and error rate by epoch, the best trial's in front."""
    runs = [(trial, run) for trial, one in enumerate(view.results) for run in one["runs"]]
    metrics = [view.epochs(run) for _, run in runs]
    return all_learning_curves(
        [one["epoch"] for one in metrics],
        [one["validation_loss"] for one in metrics] if view.loss else None,
        [100 * (1 - one["validation_accuracy"]) for one in metrics],
        best=view.best,
        diverged=view.diverged,
        loss_name=view.loss,
        title=view.title,
        details=view.details,
        trials=[trial for trial, _ in runs],
    )


def _draw_against(
    view: SweepView, key: str, groups: list[str], *, limit: float | None, log: bool | None
) -> Figure:
    """Draw the error against the values of `key`, without trials that came to no end."""
    tried = np.isfinite(view.errors) | view.diverged
    values = [
        value if known else np.nan for value, known in zip(view.values(key), tried, strict=True)
    ]
    return error_by_rate(
        values,
        view.errors,
        groups,
        limit=limit,
        best=view.best,
        x_name=key,
        log=log,
        half_widths=view.half_widths,
        seeds=view.seeds,
        stopped=view.stopped,
        **_words(view),
    )


def _words(view: SweepView) -> dict[str, Any]:
    return {
        "title": view.title,
        "details": view.details,
        "error_name": view.error_name,
        "unit": view.unit,
    }


def _is_plane(view: SweepView) -> bool:
    """Return whether there are two parameters that span a plane, few enough values of each."""
    if len(view.keys) != 2:
        return False
    x, y = (len(distinct(view.values(key))) for key in view.keys)
    return max(x, y) < len(view.results) and 2 * len(view.results) > x * y and max(x, y) <= 64
