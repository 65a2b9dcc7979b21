"""Asks a run what it takes pictures and test images for.

n images of H x W pixels, D = H * W features, C classes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnistlab.config.load import load_config
from mnistlab.config.schema import Config
from mnistlab.core.losses import LOSSES, gives_probabilities, softmax
from mnistlab.core.metrics import largest_class, pre_activations
from mnistlab.core.objective import Objective
from mnistlab.datasets import (
    PREPROCESSING,
    Dataset,
    MovePixels,
    Progress,
    with_fitted_steps,
)
from mnistlab.datasets.picture import as_digit, check_file, read_picture
from mnistlab.errors import DataError, InputError, RunFolderError
from mnistlab.experiment.prepare import objective_of, open_images
from mnistlab.run_folders import RunFolder
from mnistlab.run_folders.folder import SweepFolder
from mnistlab.run_folders.provenance import check_same_data
from mnistlab.run_folders.weights import load_features, load_weights


@dataclass(frozen=True)
class Prediction:
    """What a run says of one image.

    `image` is what was asked for, `seen` (H, W) uint8 what the model saw, before its bytes became
    features. `outputs` are C numbers; `label` is the true class, known of test images alone.
    """

    image: str
    predicted: int
    outputs: list[float]
    label: int | None
    seen: NDArray[np.uint8]

    @property
    def right(self) -> bool | None:
        """Whether the prediction is the true class; None where that is not known."""
        return None if self.label is None else self.predicted == self.label


@dataclass(frozen=True)
class Predictions:
    """What a run says of some images; their outputs are probabilities where the loss says so."""

    run: str
    are_probabilities: bool
    classes: tuple[str, ...]
    images: list[Prediction]

    @property
    def outputs(self) -> str:
        """What the number of a class is."""
        return "softmax probability" if self.are_probabilities else "model output"

    def as_json(self) -> dict[str, Any]:
        """Return everything but the pixels, with the names of the classes."""
        return {
            "run": self.run,
            "outputs": self.outputs,
            "classes": self.classes,
            "images": [
                {
                    "image": one.image,
                    "predicted": one.predicted,
                    "class": self.classes[one.predicted],
                    "outputs": one.outputs,
                    "label": one.label,
                    "label_class": None if one.label is None else self.classes[one.label],
                    "right": one.right,
                }
                for one in self.images
            ],
        }


def predict(
    folder: RunFolder, images: Sequence[str], progress: Progress | None = None
) -> Predictions:
    """Return what a run says of `images`: files of pictures, or indices into the test split.

    A picture is brought into the form of the dataset's images and then, as these were, through
    the run's own preprocessing. Raises InputError for a run without weights, weights that do
    not fit the data, data that are no longer those of the run, and an image that is missing,
    broken or blank; FetchError where the data cannot be had.
    """
    _check_has_weights(folder)
    for word in images:
        if not _is_index(word):
            check_file(Path(word))
    config, dataset, parameters = open_model(folder, progress)
    looked = [_look_at(word, dataset) for word in images]
    shown = np.stack([image for image, _ in looked])
    with np.errstate(over="ignore", invalid="ignore"):  # of weights that all but diverged
        A = pre_activations(parameters, shown.reshape(len(shown), -1), dataset.features)
        outputs = objective_of(config).scores(A[:, None, :])
        predicted = largest_class(outputs)[:, 0]
        are_probabilities = gives_probabilities(LOSSES[config.loss])
        if are_probabilities:
            outputs = softmax(outputs)
    rows = zip(images, predicted, outputs[:, 0], looked, strict=True)
    return Predictions(
        run=folder.name,
        are_probabilities=are_probabilities,
        classes=dataset.classes,
        images=[
            Prediction(word, int(c), values.tolist(), label, image)
            for word, c, values, (image, label) in rows
        ],
    )


def open_model(
    folder: RunFolder, progress: Progress | None = None
) -> tuple[Config, Dataset, NDArray[np.floating]]:
    """Return a run's config, its data and its parameters (D+1, C), which fit each other.

    Raises InputError for a run without weights, weights that do not fit the data, and data that
    are no longer those of the run; FetchError where the data cannot be had.
    """
    _check_has_weights(folder)
    config = load_config(folder.config)
    dataset = open_images(config, progress)
    if config.features:
        dataset = with_fitted_steps(dataset, load_features(folder.features))
    parameters = _parameters(folder, dataset, objective_of(config))
    check_same_data(folder, config.data.dataset, dataset.sha256)
    return config, dataset, parameters


def _check_has_weights(folder: RunFolder) -> None:
    name = folder.name
    if isinstance(folder, SweepFolder):
        raise RunFolderError(f"{name}: is a sweep; name one of its runs, {name}/0 for its first")
    status = folder.read_status()["status"]
    if status == "diverged":
        raise RunFolderError(f"{name}: has diverged, so it has no weights to predict with")
    if not folder.model.exists():
        raise RunFolderError(f"{name}: is {status} and has no weights to predict with")
    for path in (folder.model, folder.features):
        if path.name in folder.damaged_files():
            raise RunFolderError(f"{path}: is not what the run wrote; it is damaged")


def _parameters(folder: RunFolder, dataset: Dataset, objective: Objective) -> NDArray[np.floating]:
    """Return weights and biases (D+1, C); raise RunFolderError if they do not fit the data."""
    parameters = load_weights(folder.model)
    columns = objective.coding.columns(len(dataset.classes))
    shape = (dataset.test.feature_count + 1, columns)
    if parameters.shape != shape or not np.issubdtype(parameters.dtype, np.floating):
        raise RunFolderError(
            f"{folder.model}: weights of shape {parameters.shape} in {parameters.dtype} do not fit "
            f"the images of {dataset.name}, which take {shape}"
        )
    if not np.isfinite(parameters).all():
        raise RunFolderError(f"{folder.model}: has weights that are not finite")
    return parameters


def _is_index(word: str) -> bool:
    return word.isascii() and word.isdecimal()


def _look_at(word: str, dataset: Dataset) -> tuple[NDArray[np.uint8], int | None]:
    """Return a test image with its class, or a picture in the form of these, its moves made."""
    if _is_index(word):
        N = len(dataset.test)
        if len(word) > len(str(N)) + 10 or int(word) >= N:
            shortened = word if len(word) < 20 else f"{word[:20]}…"
            raise InputError(
                f"{shortened}: the test split has {N:,} images, 0 to {N - 1}; a file of this name "
                f"is ./{shortened}"
            )
        return dataset.test.images[int(word)], int(dataset.test.labels[int(word)])
    path = Path(word)
    height, width = dataset.test.images.shape[1:]
    levels = read_picture(path)
    try:
        image = as_digit(levels, (height, width))
    except DataError as error:
        raise DataError(f"{path}: {error}") from None
    for name in dataset.preprocess:
        step = PREPROCESSING[name]
        if isinstance(step, MovePixels):
            image = step.move(image[np.newaxis])[0]
    return image, None
