"""Reads the MNIST files that mnistlab keeps in its cache, so that every rival sees the same bytes.

Shapes: N images of D = 784 pixels. The last 10,000 images of the training file are held out.
"""

import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

PIXELS = 784
HELD_OUT = 10_000


class Split(NamedTuple):
    """Images as float32 rows in [0, 1], (N, D), and their classes as int64, (N,)."""

    images: NDArray[np.float32]
    labels: NDArray[np.int64]


class Mnist(NamedTuple):
    """The three splits: 50,000, 10,000 and 10,000 images."""

    train: Split
    validation: Split
    test: Split


def load_mnist() -> Mnist:
    """Return MNIST from the folder that the variable MNIST_FOLDER names."""
    folder = Path(os.environ["MNIST_FOLDER"])
    images, labels = _read(folder, "train")
    return Mnist(
        train=Split(images[:-HELD_OUT], labels[:-HELD_OUT]),
        validation=Split(images[-HELD_OUT:], labels[-HELD_OUT:]),
        test=_read(folder, "t10k"),
    )


def _read(folder: Path, prefix: str) -> Split:
    pixels = np.fromfile(folder / f"{prefix}-images-idx3-ubyte", np.uint8, offset=16)
    classes = np.fromfile(folder / f"{prefix}-labels-idx1-ubyte", np.uint8, offset=8)
    # one operation that converts and scales: the fastest of six ways, PyTorch's own among them
    images = np.multiply(pixels.reshape(-1, PIXELS), np.float32(1 / 255), dtype=np.float32)
    return Split(images, classes.astype(np.int64))
