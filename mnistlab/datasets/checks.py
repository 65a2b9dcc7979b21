"""Data that cannot teach anything (blank, unlabelled, one class) is refused before training."""

import numpy as np
from numpy.typing import NDArray

from mnistlab.errors import DataError

CLASSES = 10
_CHUNK = 1000  # images looked at together


def check_images(images: NDArray[np.uint8], label: str) -> None:
    """Raise DataError unless `images` (N, H, W) holds at least one image that is not blank."""
    if images.size == 0:
        raise DataError(f"{label}: empty: its shape is {images.shape}; give at least one image")
    if not any(images[at : at + _CHUNK].any() for at in range(0, len(images), _CHUNK)):
        raise DataError(f"{label}: every image is blank (all pixels 0); is it the right file?")


def check_labels(labels: NDArray[np.integer], label: str) -> None:
    """Raise DataError unless `labels` (N,) are classes 0..9, and of more than one class."""
    if labels.size == 0:
        raise DataError(f"{label}: empty: there is no label in it")
    lowest, highest = int(labels.min()), int(labels.max())
    if lowest < 0 or highest >= CLASSES:
        wrong = lowest if lowest < 0 else highest
        at = int(np.flatnonzero(labels == wrong)[0])
        raise DataError(f"{label}: label {at} is {wrong}; labels must be 0 to {CLASSES - 1}")
    if lowest == highest:
        raise DataError(
            f"{label}: all {len(labels)} labels are {lowest}; there is nothing to tell apart, "
            "give at least two classes"
        )


def check_counts(images: NDArray[np.uint8], labels: NDArray[np.integer], label: str) -> None:
    """Raise DataError unless there are as many labels as images."""
    if len(images) != len(labels):
        raise DataError(
            f"{label}: {len(images):,} images but {len(labels):,} labels; "
            "the two files do not belong together"
        )


def check_same_size(train: NDArray[np.uint8], test: NDArray[np.uint8], label: str) -> None:
    """Raise DataError unless training and test images have the same height and width."""
    if train.shape[1:] != test.shape[1:]:
        ours, theirs = ("x".join(map(str, images.shape[1:])) for images in (train, test))
        raise DataError(
            f"{label}: training images are {ours} pixels but test images {theirs}; "
            "give both the same size"
        )
