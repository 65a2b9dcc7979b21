"""The plots of runs and of sweeps, drawn from their folders alone, and what writes them.

A new plot is one function registered here.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from mnistlab.core import Registry
from mnistlab.errors import InputError, MnistlabError, UnknownNameError, describe_error, shown
from mnistlab.plots.drawing import encode, save_picture
from mnistlab.plots.epoch_curves import all_learning_curves, learning_curves
from mnistlab.plots.image_plots import confusion_matrix, weight_templates, worst_mistakes
from mnistlab.plots.sweep_errors import error_by_parameter, published_errors
from mnistlab.plots.sweep_several_parameters import (
    error_map,
    error_maps,
    panel_key,
    parallel_coordinates,
)
from mnistlab.plots.views import RunView, SweepView, rank
from mnistlab.run_folders import RunFolder
from mnistlab.run_folders.files import write_bytes
from mnistlab.run_folders.folder import SweepFolder, is_sweep
from mnistlab.run_folders.places import check_inside

PLOTS: Registry[Callable[[RunView], Figure | None]] = Registry("plot")
"""Each plot is a function from a run to a figure, or None where the run has no data for it."""

PLOTS.add("learning_curves", learning_curves)
PLOTS.add("confusion_matrix", confusion_matrix)
PLOTS.add("weights", weight_templates)
PLOTS.add("mistakes", worst_mistakes)

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


def plots_of(folder: RunFolder) -> tuple[Registry[Any], RunView | SweepView]:
    """Return the plots that a run or a sweep can have, and what they are drawn from."""
    if not is_sweep(folder.path):
        return PLOTS, RunView(folder)
    return SWEEP_PLOTS, SweepView(SweepFolder(folder.path))


def save_plot(figure: Figure | None, folder: RunFolder, name: str) -> str | None:
    """Write a figure, if there is one, into a plots folder and return its file name."""
    if figure is None:
        return None
    check_inside(folder.path, folder.path.parent, of_runs=False)  # a link may stand there by now
    folder.plots.mkdir(exist_ok=True)
    path = folder.plot(name)
    save_picture(figure, path)
    return path.name


def _draw(name: str, plots: Registry[Any], view: RunView | SweepView) -> Figure | None:
    try:
        figure: Figure | None = plots[name](view)
    except (OSError, MnistlabError):
        raise
    except Exception as error:  # a plugin's plot, or files that no run leaves
        raise MnistlabError(f"{name} could not be drawn: {describe_error(error)}") from None
    return figure


def write_plots(
    folder: RunFolder, kind: str, *, only: str | None = None, to: Path | None = None
) -> list[Path]:
    """Draw the plots of a run or a sweep as `png`, `svg` or `pdf`, and return the files.

    They go into the run's plots folder, into the folder `to`, or all into the PDF `to`, a page
    each; a picture takes one plot, `only` that of this name. Raises UnknownNameError for a name of
    no plot, and InputError where there is nothing to draw or too much for one picture.
    """
    plots, view = plots_of(folder)
    if only is not None and only not in plots:
        raise UnknownNameError("plot", only, plots)
    drawn = {name: _draw(name, plots, view) for name in ([only] if only else plots)}
    figures = {name: figure for name, figure in drawn.items() if figure is not None}
    if not figures:
        raise InputError(f"{shown(folder.name)}: has no data for {only or 'any plot'}")
    if to is None or to.is_dir():
        place = folder.plots if to is None else to
        place.mkdir(exist_ok=True)
        files = {place / f"{name}.{kind}": figure for name, figure in figures.items()}
        for path, figure in files.items():
            save_picture(figure, path)
        return list(files)
    if kind != "pdf" and len(figures) > 1:
        raise InputError(
            f"--to {shown(to)}: holds one plot; choose it with --only {'|'.join(figures)}, or "
            "name a .pdf or a folder"
        )
    drawn_one, *more = figures.values()
    write_bytes(to, encode([drawn_one, *more] if more else drawn_one, kind))
    return [to]
