"""The plots of a run, drawn from its folder alone: a new one is one function registered here."""

from collections.abc import Callable
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from mnistlab.config.strict_yaml import read_file
from mnistlab.core.metrics import pre_activations
from mnistlab.core.registry import Registry
from mnistlab.datasets import Dataset, load
from mnistlab.plots.epoch_curves import learning_curves
from mnistlab.plots.image_plots import MOST, confusion_matrix, weight_templates, worst_mistakes
from mnistlab.plots.picture_file import save_picture
from mnistlab.runs import RunFolder
from mnistlab.runs.weights import load_weights


@lru_cache(maxsize=1)
def _load(dataset: str, preprocess: tuple[str, ...], **split: Any) -> Dataset:
    """Load a dataset once for all runs that follow each other on it."""
    return load(dataset, preprocess=preprocess, **split)


class RunView:
    """A run folder's content, each piece read when a plot first asks for it."""

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder

    @cached_property
    def config(self) -> dict[str, Any]:
        """The resolved config as plain data."""
        return read_file(self.folder.config)[0]

    @cached_property
    def title(self) -> str:
        """The run's name and its data, on one line."""
        data = self.config["data"]
        steps = f", {', '.join(data['preprocess'])}" if data["preprocess"] else ""
        return f"{self.config['name']} on {Path(data['dataset']).name}{steps}"

    @cached_property
    def details(self) -> str:
        """What was trained and how, on one line."""
        config = self.config
        return (
            f"{config['model']} model, {config['loss'].replace('_', ' ')}, "
            f"{config['optimizer']}, learning rate {config['learning_rate']:g}, "
            f"batch size {config['batch_size']}"
        )

    @cached_property
    def summary(self) -> dict[str, Any]:
        """What summary.json holds."""
        return self.folder.read_summary()

    @cached_property
    def dataset(self) -> Dataset:
        """The data that the run was trained on."""
        data = self.config["data"]
        return _load(**{**data, "preprocess": tuple(data["preprocess"])})

    @cached_property
    def predictions(self) -> NDArray[np.uint8]:
        """The predicted class of each test image, (N,)."""
        predictions: NDArray[np.uint8] = np.load(self.folder.predictions, allow_pickle=False)
        return predictions

    @cached_property
    def parameters(self) -> NDArray[Any]:
        """Weights and, in the last row, biases, (D+1, C)."""
        return load_weights(self.folder.model)

    def pre_activations(self, index: NDArray[np.intp]) -> NDArray[Any]:
        """Return A (n, C) of chosen test images."""
        images = self.dataset.test.rows[index]
        return pre_activations(self.parameters, images, self.dataset.pixels)


def load_data_of(folder: RunFolder) -> None:
    """Load the data of a run ahead of its plots."""
    _ = RunView(folder).dataset


PLOTS: Registry[Callable[[RunView], Figure | None]] = Registry("plot")
"""Each plot is a function from a run to a figure, or None where the run has no data for it."""


def draw(view: RunView, name: str) -> str | None:
    """Draw one plot into the run's plots folder; return its file name, None without data."""
    return save_plot(PLOTS[name](view), view.folder, name)


def save_plot(figure: Figure | None, folder: RunFolder, name: str) -> str | None:
    """Write a figure, if there is one, into a plots folder and return its file name."""
    if figure is None:
        return None
    folder.plots.mkdir(exist_ok=True)
    path = folder.plot(name)
    save_picture(figure, path)
    return path.name


@PLOTS.register("learning_curves")
def draw_learning_curves(view: RunView) -> Figure | None:
    """Return loss and error rate by epoch, or the loss by step of a run that diverged."""
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
    """Return how often each class of the test split was taken for which."""
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
    """Return each class' weights as an image."""
    if not view.folder.model.exists():
        return None
    height, width = view.dataset.test.images.shape[1:]
    weights = view.parameters[:-1].reshape(height, width, -1)
    return weight_templates(
        weights, class_names=view.dataset.classes, title=view.title, details=view.details
    )


@PLOTS.register("mistakes")
def draw_mistakes(view: RunView) -> Figure | None:
    """Return the test images that the run was most sure of and wrong about."""
    if not view.folder.predictions.exists() or not view.folder.model.exists():
        return None
    test = view.dataset.test
    wrong = np.flatnonzero(view.predictions != test.labels)
    outputs, rows = view.pre_activations(wrong), np.arange(len(wrong))
    margin = outputs[rows, view.predictions[wrong]] - outputs[rows, test.labels[wrong]]
    worst = np.argsort(-margin, kind="stable")[:MOST]
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
