"""What the plots see of a run: its folder's files and the test split it names."""

from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnistlab.config.strict_yaml import read_file
from mnistlab.core.metrics import pre_activations
from mnistlab.datasets import Dataset, load
from mnistlab.runs import RunFolder
from mnistlab.runs.weights import load_weights


@lru_cache(maxsize=1)
def _load(dataset: str, validation: int, preprocess: tuple[str, ...]) -> Dataset:
    """Load a dataset once for all runs that follow each other on it."""
    return load(dataset, validation=validation, preprocess=preprocess)


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
        return _load(data["dataset"], data["validation"], tuple(data["preprocess"]))

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
