"""The feature step `patches`: how much each part of an image looks like small random patches.

Coates, Lee and Ng, "An analysis of single-layer networks in unsupervised feature learning",
AISTATS 2011, and Coates and Ng, "The importance of encoding versus training with sparse coding and
vector quantization", ICML 2011, where filters that are random patches do nearly as well as trained
ones. A patch is brought to mean 0 and variance 1, whitened, and compared with each filter; what
exceeds a threshold is summed over each cell of a grid.

Shapes: n images of H x W pixels, patches of S = size x size pixels at V = (H - size + 1)
(W - size + 1) places, K filters, a grid of G x G cells.
"""

import math
from typing import ClassVar

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from mnistlab.datasets.feature_steps import FEATURE_STEPS, Array, Arrays, Options, Rows, Shape
from mnistlab.errors import DataError

# Chosen on MNIST's validation images with 100 filters on deskewed digits: the error was 1.25 % with
# 0.01 as the ridge, 1.07 % with 0.1 and 0.99 % with 0.5; with a threshold of 0, 0.25 and 0.5 it was
# 1.09, 1.07 and 1.05 %, so nothing depends on that.
_CONTRAST = 0.03  # added to a patch's variance, pixels being in [0, 1]: flat patches stay flat
_RIDGE = 0.3  # added to the eigenvalues, whose mean is about 1, before they are divided by
_THRESHOLD = 0.25  # what a likeness must exceed to count
_LEAST_SPREAD = 0.1  # of a patch to be a filter: nearly half of MNIST's are flat
_DRAWN = 50_000  # patches that are looked at for their covariance
_TOGETHER = 10  # images whose patches are in memory at once: 5 MB of likenesses


class Patches:
    """What exceeds the threshold of each filter's likeness to the patches of each cell."""

    summary = "how much the parts of an image look like random patches of others"
    options: ClassVar[Options] = {"size": 6, "filters": 250, "pool": 4}
    is_random = True
    is_kept = True
    version = 1

    def count(self, shape: Shape, options: Options) -> int:
        """Return K G^2; raise DataError for rows that are no images, or too small ones."""
        size, grid = int(options["size"]), int(options["pool"])
        if len(shape) != 2:
            raise DataError("features: patches are cut from images, so they must be the first step")
        if size < 2 or min(shape) - size + 1 < grid:
            raise DataError(
                f"features: patches of size {size} and a pool of {grid} do not fit images of "
                f"{shape[0]}x{shape[1]} pixels"
            )
        return int(options["filters"]) * grid * grid

    def fit(self, rows: Rows, options: Options, generator: np.random.Generator) -> Arrays:
        """Return whitening and filters in one matrix (S, K), its offset (K,), and H and W."""
        height, width = rows.shape
        size, K = int(options["size"]), int(options["filters"])
        image = np.sort(generator.integers(0, len(rows), _DRAWN))
        y = generator.integers(0, height - size + 1, _DRAWN)
        x = generator.integers(0, width - size + 1, _DRAWN)
        cut = np.empty((_DRAWN, size * size), np.float32)
        for start in range(0, _DRAWN, 1000):
            part = slice(start, start + 1000)
            images = rows.take(image[part]).reshape(-1, height, width)
            windows = sliding_window_view(images, (size, size), (1, 2))
            cut[part] = windows[np.arange(len(images)), y[part], x[part]].reshape(len(images), -1)
        cut = cut[cut.std(axis=1) > _LEAST_SPREAD]
        if len(cut) < K:
            raise DataError(f"features: the images have too few patches for {K} filters")
        seen = _normalise(cut).astype(np.float64)
        mean = seen.mean(axis=0)
        values, vectors = np.linalg.eigh(np.cov(seen.T))
        whitening = (vectors / np.sqrt(values + _RIDGE)) @ vectors.T
        filters = (seen[generator.permutation(len(seen))[:K]] - mean) @ whitening
        filters /= np.linalg.norm(filters, axis=1, keepdims=True)
        matrix = whitening @ filters.T
        return {
            "filters": matrix.astype(np.float32),
            "offset": (-mean @ matrix - _THRESHOLD).astype(np.float32),
            "shape": np.array([height, width], np.float32),
        }

    def apply(self, x: Array, arrays: Arrays, options: Options) -> Array:
        """Return the sums of each cell, (n, G^2 K), cell by cell from the top left."""
        grid, K = int(options["pool"]), int(options["filters"])
        images = x.reshape(-1, *arrays["shape"].astype(int))
        sums = np.empty((len(images), grid * grid * K), np.float32)
        for start in range(0, len(images), _TOGETHER):
            part = slice(start, start + _TOGETHER)
            sums[part] = _pooled(images[part], arrays, int(options["size"]), grid)
        return sums


def _pooled(images: Array, arrays: Arrays, size: int, grid: int) -> Array:
    windows = sliding_window_view(images, (size, size), (1, 2))
    n, rows, columns = windows.shape[:3]
    patches = _normalise(np.ascontiguousarray(windows).reshape(-1, size * size))
    likeness = patches @ arrays["filters"]
    likeness += arrays["offset"]
    np.maximum(likeness, 0, out=likeness)
    sums = likeness.reshape(n, rows, columns, -1)
    for axis, length in ((1, rows), (2, columns)):
        edges = [math.floor(cell * length / grid + 0.5) for cell in range(grid)]
        sums = np.add.reduceat(sums, edges, axis=axis)
    pooled: Array = sums.reshape(n, -1)
    return pooled


def _normalise(patches: Array) -> Array:
    """Return patches (n, S) with mean 0 and variance 1, or less where they are nearly flat."""
    centred: Array = patches - patches.mean(axis=1, keepdims=True)
    variance = np.einsum("ns,ns->n", centred, centred) / centred.shape[1]
    centred /= np.sqrt(variance + np.float32(_CONTRAST))[:, None]
    return centred


FEATURE_STEPS.add("patches", Patches())
