"""The plots of runs and of sweeps, drawn from their folders alone, and what writes them.

A new plot is one function registered here. `main` is a process of its own that draws: importing
Matplotlib takes as long as half a training run, and only a second process can do it meanwhile.
"""

import json
import multiprocessing
import os
import sys
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any, TextIO

from matplotlib.figure import Figure

from mnistlab.core import Registry
from mnistlab.errors import InputError, MnistlabError, UnknownNameError, describe_error, shown
from mnistlab.plots.drawing import encode, save_picture
from mnistlab.plots.epoch_curves import all_learning_curves, learning_curves
from mnistlab.plots.error_plots import error_by_parameter, published_errors
from mnistlab.plots.image_plots import confusion_matrix, weight_templates, worst_mistakes
from mnistlab.plots.sweep_several_parameters import (
    error_map,
    has_map,
    panel_key,
    parallel_coordinates,
)
from mnistlab.plots.views import RunView, SweepView
from mnistlab.plugins import load_plugins
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
    is_varied = "learning_rate" in view.keys and not view.is_compared
    return error_by_parameter(view, "learning_rate") if is_varied else None


@SWEEP_PLOTS.register("parameter")
def draw_parameter(view: SweepView) -> Figure | None:
    """Return the error against the only parameter, if that is not the learning rate."""
    is_alone = len(view.keys) == 1 and view.keys != ["learning_rate"]
    return error_by_parameter(view, view.keys[0]) if is_alone and not view.is_compared else None


@SWEEP_PLOTS.register("heat_map")
def draw_heat_map(view: SweepView) -> Figure | None:
    """Return the error over two parameters, for each value of a third one if there are three.

    Not where they were varied in step.
    """
    panel = panel_key(view)
    is_plane = has_map(view) or panel is not None
    return error_map(view, panel) if is_plane and not view.is_compared else None


@SWEEP_PLOTS.register("parallel_coordinates")
def draw_parallel_coordinates(view: SweepView) -> Figure | None:
    """Return a line a trial through all its parameters, where one heat map cannot hold them."""
    is_many = len(view.keys) > 1 and not has_map(view)
    return parallel_coordinates(view) if is_many and not view.is_compared else None


@SWEEP_PLOTS.register("all_learning_curves")
def draw_learning_curves(view: SweepView) -> Figure | None:
    """Return the curves of all trials, where there is a validation split."""
    return None if view.is_compared else all_learning_curves(view)


SWEEP_PLOTS.add("published", published_errors)


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


def main() -> None:
    """Load the plugins named on the command line; answer requests from stdin until its end."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what a plugin prints is no answer
    load_plugins([Path(word) for word in sys.argv[1:]])
    try:
        serve(sys.stdin, answers)
    except (OSError, MnistlabError) as error:  # the last line is what the run tells of it
        sys.exit(describe_error(error))


def serve(requests: Iterable[str], answers: TextIO) -> None:
    """Do what each line of `requests` asks for, a JSON array.

    ["load", RUN] loads the data of a run folder ahead of time; ["draw", RUN] draws the plots of a
    run or a sweep and is answered by a line, the names of what was drawn.
    """
    for line in requests:
        what, folder = json.loads(line)
        if what == "load":
            _ = RunView(RunFolder(Path(folder))).dataset
        else:
            answers.write(f"{json.dumps(draw_all(RunFolder(Path(folder))))}\n")
            answers.flush()


def draw_all(folder: RunFolder) -> list[str]:
    """Draw every plot that the run or the sweep has data for, and return their names.

    Two processes draw, each the next one that is left (that took 0.2 s less). If the second was
    killed, say, all are drawn here.
    """
    check_inside(folder.path, folder.path.parent, of_runs=False)
    plots, view = plots_of(folder)
    names = list(plots)

    def draw(chosen: Iterable[str]) -> None:
        for name in chosen:
            save_plot(_draw(name, plots, view), view.folder, name)

    if sys.platform != "linux":  # elsewhere a fork after such imports is not safe
        draw(names)
    else:
        left, given = os.pipe()  # holds the places of the names that nobody has taken
        os.write(given, bytes(range(len(names))))
        os.close(given)
        take = partial(os.read, left, 1)
        draw_what_is_left = partial(draw, (names[place] for (place,) in iter(take, b"")))
        helper = multiprocessing.get_context("fork").Process(target=_try, args=[draw_what_is_left])
        helper.start()
        draw_what_is_left()
        helper.join()
        os.close(left)
        if helper.exitcode != 0:
            draw(names)
    return [name for name in names if folder.plot(name).exists()]


def _try(draw: Callable[[], None]) -> None:
    """Draw in the second process; what fails is told when it fails in the first one too."""
    try:
        draw()
    except (Exception, SystemExit):  # the plot of a plugin may call exit()
        sys.exit(1)
