"""The registry of plots: each is one function from a run to a figure, or None without data."""

from collections.abc import Callable

import numpy as np
from matplotlib.figure import Figure

from mnistlab.core.registry import Registry
from mnistlab.plots.confusion_matrix import confusion_matrix
from mnistlab.plots.learning_curves import learning_curves
from mnistlab.plots.mistakes import worst_mistakes
from mnistlab.plots.page import save_whole
from mnistlab.plots.view import RunView
from mnistlab.plots.weights import weight_templates
from mnistlab.runs import RunFolder

PLOTS: Registry[Callable[[RunView], Figure | None]] = Registry("plot")

WORST = 40
"""Mistakes shown, the most confident first."""


def draw(view: RunView, name: str) -> str | None:
    """Draw one plot into the run's plots folder; return its file name, None without data."""
    return keep_plot(PLOTS[name](view), view.folder, name)


def keep_plot(figure: Figure | None, folder: RunFolder, name: str) -> str | None:
    """Write a figure, if there is one, into a plots folder and return its file name."""
    if figure is None:
        return None
    folder.plots.mkdir(exist_ok=True)
    path = folder.plot(name)
    save_whole(figure, path)
    return path.name


@PLOTS.register("learning_curves")
def draw_learning_curves(view: RunView) -> Figure | None:
    """Draw loss and error rate by epoch, or the loss by step of a run that diverged."""
    metrics, test = view.folder.read_metrics(), view.summary["test"]
    divergence = None
    if view.folder.divergence.exists():
        steps, losses = view.folder.read_divergence()
        divergence = (np.array(steps), np.array(losses))
    return learning_curves(
        np.array(metrics["epoch"]),
        np.array(metrics["train_loss"]),
        np.array(metrics["validation_loss"]),
        np.array(metrics["train_accuracy"]),
        np.array(metrics["validation_accuracy"]),
        loss_name=view.config["loss"],
        title=view.title,
        details=view.details,
        test_loss=test["loss"],
        test_accuracy=test["accuracy"],
        divergence=divergence,
    )


@PLOTS.register("confusion_matrix")
def draw_confusion_matrix(view: RunView) -> Figure | None:
    """Draw how often each class of the test split was taken for which."""
    if not view.folder.predictions.exists():
        return None
    C = len(view.dataset.classes)
    counts = np.zeros((C, C), np.intp)
    np.add.at(counts, (view.dataset.test.labels, view.predictions), 1)
    return confusion_matrix(
        counts, class_names=view.dataset.classes, title=view.title, details=view.details
    )


@PLOTS.register("weights")
def draw_weights(view: RunView) -> Figure | None:
    """Draw each class' weights as an image."""
    if not view.folder.model.exists():
        return None
    height, width = view.dataset.test.images.shape[1:]
    weights = view.parameters[:-1].reshape(height, width, -1)
    return weight_templates(
        weights, class_names=view.dataset.classes, title=view.title, details=view.details
    )


@PLOTS.register("mistakes")
def draw_mistakes(view: RunView) -> Figure | None:
    """Draw the test images that the run was most sure of and wrong about."""
    if not view.folder.predictions.exists() or not view.folder.model.exists():
        return None
    test = view.dataset.test
    wrong = np.flatnonzero(view.predictions != test.labels)
    outputs, rows = view.pre_activations(wrong), np.arange(len(wrong))
    margin = outputs[rows, view.predictions[wrong]] - outputs[rows, test.labels[wrong]]
    worst = np.argsort(-margin, kind="stable")[:WORST]
    chosen = wrong[worst]
    return worst_mistakes(
        test.images[chosen],
        test.labels[chosen],
        view.predictions[chosen],
        margin[worst],
        class_names=view.dataset.classes,
        title=view.title,
        details=view.details,
        total_mistakes=len(wrong),
        total_images=len(test),
    )
