"""The plots of a run, drawn from its folder alone: a new one is one function registered here."""

from collections.abc import Callable

from matplotlib.figure import Figure

from mnistlab.core.registry import Registry
from mnistlab.plots.epoch_curves import learning_curves
from mnistlab.plots.image_plots import confusion_matrix, weight_templates, worst_mistakes
from mnistlab.plots.picture_file import save_picture
from mnistlab.plots.views import RunView
from mnistlab.run_folders import RunFolder
from mnistlab.run_folders.places import check_inside

PLOTS: Registry[Callable[[RunView], Figure | None]] = Registry("plot")
"""Each plot is a function from a run to a figure, or None where the run has no data for it."""

PLOTS.add("learning_curves", learning_curves)
PLOTS.add("confusion_matrix", confusion_matrix)
PLOTS.add("weights", weight_templates)
PLOTS.add("mistakes", worst_mistakes)


def save_plot(figure: Figure | None, folder: RunFolder, name: str) -> str | None:
    """Write a figure, if there is one, into a plots folder and return its file name."""
    if figure is None:
        return None
    check_inside(folder.path, folder.path.parent, of_runs=False)  # a link may stand there by now
    folder.plots.mkdir(exist_ok=True)
    path = folder.plot(name)
    save_picture(figure, path)
    return path.name
