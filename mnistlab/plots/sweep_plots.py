"""The plots of a sweep, drawn from its folder alone: a new one is one function registered here."""

from collections.abc import Callable

from matplotlib.figure import Figure

from mnistlab.core.registry import Registry
from mnistlab.plots.epoch_curves import all_learning_curves
from mnistlab.plots.sweep_one_parameter import error_by_parameter
from mnistlab.plots.sweep_published import published_errors
from mnistlab.plots.sweep_several_parameters import (
    error_map,
    error_maps,
    panel_key,
    parallel_coordinates,
)
from mnistlab.plots.views import SweepView, rank

SWEEP_PLOTS: Registry[Callable[[SweepView], Figure | None]] = Registry("plot of a sweep")
"""Each plot is a function from a sweep to a figure, or None where it would say nothing."""


@SWEEP_PLOTS.register("learning_rate")
def draw_learning_rate(view: SweepView) -> Figure | None:
    """Return the error against the learning rate, where that was varied."""
    if "learning_rate" not in view.keys or view.is_compared:
        return None
    return error_by_parameter(view, "learning_rate")


@SWEEP_PLOTS.register("parameter")
def draw_parameter(view: SweepView) -> Figure | None:
    """Return the error against the only parameter, if that is not the learning rate."""
    if len(view.keys) != 1 or view.keys == ["learning_rate"] or view.is_compared:
        return None
    return error_by_parameter(view, view.keys[0])


@SWEEP_PLOTS.register("heat_map")
def draw_heat_map(view: SweepView) -> Figure | None:
    """Return the error over two parameters, for each value of a third one if there are three.

    Not where they were varied in step.
    """
    if view.is_compared:
        return None
    if _is_plane(view):
        return error_map(view)
    panel = panel_key(view)
    return None if panel is None else error_maps(view, panel)


@SWEEP_PLOTS.register("parallel_coordinates")
def draw_parallel_coordinates(view: SweepView) -> Figure | None:
    """Return a line a trial through all its parameters, where one heat map cannot hold them."""
    if len(view.keys) < 2 or _is_plane(view) or view.is_compared:
        return None
    return parallel_coordinates(view)


@SWEEP_PLOTS.register("all_learning_curves")
def draw_learning_curves(view: SweepView) -> Figure | None:
    """Return the curves of all trials, where there is a validation split."""
    return None if view.is_compared else all_learning_curves(view)


SWEEP_PLOTS.add("published", published_errors)


def _is_plane(view: SweepView) -> bool:
    """Return whether there are two parameters that span a plane, few enough values of each."""
    if len(view.keys) != 2:
        return False
    x, y = (len(rank(view.values(key))[0]) for key in view.keys)
    return max(x, y) < len(view.results) and 2 * len(view.results) > x * y and max(x, y) <= 64
