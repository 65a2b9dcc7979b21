"""Preprocessing steps: those that move pixels, and those that are one affine map per pixel.

A step that moves pixels turns uint8 images into uint8 images, each on its own, and is cached. A
pixel map is fitted on the training part alone and costs nothing: it is applied as bytes become
features anyway. Steps apply in the order given, so a map cannot stand before a move.

Shapes: N images of H rows (index y) and W columns (index x).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mnistlab.core.registry import Registry
from mnistlab.core.samples import PixelMap
from mnistlab.datasets.deskew import VERSION as DESKEW_VERSION
from mnistlab.datasets.deskew import deskew
from mnistlab.errors import DataError

# No pixel counts as less spread than this twentieth of the full range. On MNIST 67 pixels never
# vary in training and 211 hardly do; divided by their own spread, one odd stroke in the margin of
# a test image would reach 1,600. So nothing leaves [-20, 20], while softmax's test error after
# five epochs was the same 8.5 to 8.7 % with any floor from 1/255 to 0.1.
SPREAD_FLOOR = 0.05

_CHUNK = 1000  # images turned into float64 together


@dataclass(frozen=True)
class MovePixels:
    """A step from images (N, H, W) uint8 to images (N, H, W) uint8, one image at a time.

    `version` is part of the cached copy's name: raise it whenever the output changes.
    """

    summary: str
    move: Callable[[NDArray[np.uint8]], NDArray[np.uint8]]
    version: int


@dataclass(frozen=True)
class MapPixels:
    """A step that fits a PixelMap on the training images (N, H, W), validation left out."""

    summary: str
    fit: Callable[[NDArray[np.uint8]], PixelMap]


def standardize(images: NDArray[np.uint8]) -> PixelMap:
    """Return the map x = (byte/255 - mean) / std, mean and std taken per pixel over `images`.

    std has the floor SPREAD_FLOOR, so pixels that are constant there become 0 and cannot blow up
    elsewhere; the others have mean 0 and standard deviation 1 over `images`.
    """
    total: NDArray[np.float64] = np.zeros(images[0].size)
    squares: NDArray[np.float64] = np.zeros(images[0].size)
    for at in range(0, len(images), _CHUNK):
        rows = images[at : at + _CHUNK].reshape(-1, images[0].size).astype(np.float64)
        total += rows.sum(axis=0)  # whole numbers, so exact in float64 whatever the chunks
        squares += np.einsum("nd,nd->d", rows, rows)
    mean = total / len(images) / 255
    variance = squares / len(images) / 255**2 - mean**2
    spread = np.maximum(np.sqrt(np.maximum(variance, 0)), SPREAD_FLOOR)
    return PixelMap(scale=1 / (255 * spread), shift=-mean / spread)


def transpose(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return images (N, H, W) with rows and columns exchanged, (N, W, H)."""
    return np.ascontiguousarray(images.transpose(0, 2, 1))


def invert(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return images (N, H, W) with dark and bright exchanged: 255 minus each pixel."""
    return 255 - images


PREPROCESSING: Registry[MovePixels | MapPixels] = Registry(
    "preprocessing step", MovePixels, MapPixels
)
PREPROCESSING.add(
    "deskew", MovePixels("set each digit upright and centre it", deskew, DESKEW_VERSION)
)
PREPROCESSING.add("transpose", MovePixels("exchange rows and columns", transpose, 1))
PREPROCESSING.add("invert", MovePixels("exchange dark and bright", invert, 1))
PREPROCESSING.add(
    "standardize", MapPixels("bring each pixel to mean 0 and deviation 1", standardize)
)


def check_steps(names: Sequence[str]) -> tuple[str, ...]:
    """Return `names` if these steps can be applied in this order; else raise an InputError."""
    mapped = None
    for at, name in enumerate(names):
        step = PREPROCESSING[name]
        if name in names[:at]:
            raise DataError(f"preprocess: {name} is named twice; name it once")
        if mapped is not None:
            remedy = f"put {name} before {mapped}" if isinstance(step, MovePixels) else "keep one"
            raise DataError(
                f"preprocess: {name} cannot follow {mapped}, which must be last; {remedy}"
            )
        mapped = name if isinstance(step, MapPixels) else None
    return tuple(names)
