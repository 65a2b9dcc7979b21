"""The plots of a run, drawn from its folder alone, and what writes those of runs and sweeps.

A new plot is one function registered here.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from mnistlab.core.registry import Registry
from mnistlab.errors import InputError, MnistlabError, UnknownNameError, describe_error, shown
from mnistlab.plots.epoch_curves import learning_curves
from mnistlab.plots.image_plots import confusion_matrix, weight_templates, worst_mistakes
from mnistlab.plots.picture_file import encode, save_picture
from mnistlab.plots.views import RunView, SweepView
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


def plots_of(folder: RunFolder) -> tuple[Registry[Any], RunView | SweepView]:
    """Return the plots that a run or a sweep can have, and what they are drawn from."""
    if not is_sweep(folder.path):
        return PLOTS, RunView(folder)
    from mnistlab.plots.sweep_plots import SWEEP_PLOTS  # noqa: PLC0415 - `train` needs none

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
