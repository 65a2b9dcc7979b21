"""The plots of a sweep, drawn from its folder alone: a new one is one function registered here."""

from collections.abc import Callable

from matplotlib.figure import Figure

from mnistlab.core.registry import Registry
from mnistlab.plots.epoch_curves import all_learning_curves
from mnistlab.plots.sweep_one_parameter import error_by_parameter
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
    return error_by_parameter(view, "learning_rate") if "learning_rate" in view.keys else None


@SWEEP_PLOTS.register("parameter")
def draw_parameter(view: SweepView) -> Figure | None:
    """Return the error against the only parameter, if that is not the learning rate."""
    if len(view.keys) != 1 or view.keys == ["learning_rate"]:
        return None
    return error_by_parameter(view, view.keys[0])


@SWEEP_PLOTS.register("heat_map")
def draw_heat_map(view: SweepView) -> Figure | None:
    """Return the error over two parameters, for each value of a third one if there are three.

    Not where they were varied in step.
    """
    if _is_plane(view):
        return error_map(view)
    panel = panel_key(view)
    return None if panel is None else error_maps(view, panel)


@SWEEP_PLOTS.register("parallel_coordinates")
def draw_parallel_coordinates(view: SweepView) -> Figure | None:
    """Return a line a trial through all its parameters, where one heat map cannot hold them."""
    return parallel_coordinates(view) if len(view.keys) > 1 and not _is_plane(view) else None


SWEEP_PLOTS.add("all_learning_curves", all_learning_curves)


def _is_plane(view: SweepView) -> bool:
    """Return whether there are two parameters that span a plane, few enough values of each."""
    if len(view.keys) != 2:
        return False
    x, y = (len(rank(view.values(key))[0]) for key in view.keys)
    return max(x, y) < len(view.results) and 2 * len(view.results) > x * y and max(x, y) <= 64
