"""Samples stay bytes in memory and become features batch by batch.

Shapes: B batch, D features, C classes, N samples. A row of features ends in a constant,
so that a matrix product with the stacked parameters adds the bias too.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import DTypeLike, NDArray

from mnistlab.core.pixels import PixelMap

Array = NDArray[np.floating]

CHUNK_ROWS = 1000
"""Rows gathered at once: on 2 cores 1,000 beat 5,000 and 100 (the chunk stays in L2 or L3)."""


@dataclass(frozen=True)
class Samples:
    """Images as rows of bytes (N, D) with their labels (N,)."""

    images: NDArray[np.uint8]
    labels: NDArray[np.uint8]

    def __len__(self) -> int:
        """Return N."""
        return len(self.labels)


class FeatureReader:
    """Converts rows of bytes to rows of features in a buffer that it reuses.

    The true features are `factor * read(rows)`. When the pixel map is one factor for all
    pixels it is left to the caller, who applies it to the much smaller (B, K*C) side of
    each product; otherwise it is applied here and `factor` is 1.
    """

    def __init__(self, pixels: PixelMap, D: int, rows: int, dtype: DTypeLike) -> None:
        dtype = np.dtype(dtype)
        one_factor = np.ndim(pixels.scale) == 0 and not np.any(pixels.shift)
        self._scale = None if one_factor else np.asarray(pixels.scale, dtype)
        self._shift = np.asarray(pixels.shift, dtype)
        self.factor = float(pixels.scale) if one_factor else 1.0
        self._x = np.empty((rows, D + 1), dtype)
        self._x[:, D] = 1 / self.factor

    def read(self, rows: NDArray[np.uint8]) -> Array:
        """Return (n, D+1) features of n rows, valid until the next call."""
        x: Array = self._x[: len(rows)]
        features = x[:, :-1]
        np.copyto(features, rows)
        if self._scale is not None:
            features *= self._scale
            features += self._shift
        return x


def one_hot(labels: NDArray[np.integer], C: int, dtype: DTypeLike) -> Array:
    """Return targets (N, 1, C), stored class by class like every array of pre-activations."""
    return np.eye(C, dtype=dtype).take(labels, axis=1).T[:, None, :]


def shuffled(
    images: NDArray[np.uint8], order: NDArray[np.intp], batch: int
) -> Iterator[NDArray[np.uint8]]:
    """Yield images[order] in batches of `batch` rows, each valid until the next.

    Random rows come from all over memory and cost as much time as a matrix product, so a
    second thread gathers the next chunk while the caller works on this one.
    """
    rows = batch * max(1, CHUNK_ROWS // batch)
    buffers = [np.empty((min(rows, len(order)), images.shape[1]), np.uint8) for _ in range(2)]

    def gather(index: int) -> NDArray[np.uint8]:
        chosen = order[index * rows : (index + 1) * rows]
        # mode="clip" writes straight into the buffer; every index is valid anyway
        return np.take(images, chosen, axis=0, out=buffers[index % 2][: len(chosen)], mode="clip")

    chunks = -(-len(order) // rows)
    with ThreadPoolExecutor(1) as thread:
        upcoming = thread.submit(gather, 0)
        for index in range(chunks):
            chunk = upcoming.result()
            if index + 1 < chunks:
                upcoming = thread.submit(gather, index + 1)
            for start in range(0, len(chunk), batch):
                yield chunk[start : start + batch]
