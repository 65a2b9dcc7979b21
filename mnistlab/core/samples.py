"""Samples stay what they are in memory, bytes or floats, and become features batch by batch.

Shapes: B batch, V values of a sample, D features made of them, C classes, N samples. A row of
features ends in a constant, so that a matrix product with the stacked parameters adds the bias too.
"""

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from queue import SimpleQueue
from threading import Thread
from typing import Any, Protocol

import numpy as np
from numpy.typing import DTypeLike, NDArray


@dataclass(frozen=True)
class PixelMap:
    """The map x = value * scale + shift; `scale` and `shift` are scalars or arrays of shape (V,).

    The default brings a byte into [0, 1]; `AS_THEY_ARE` leaves values alone.
    """

    scale: float | NDArray[np.float64] = 1 / 255
    shift: float | NDArray[np.float64] = 0.0


Array = NDArray[np.floating]
Values = NDArray[Any]
"""Bytes (uint8) or floats."""


class FeatureStep(Protocol):
    """What makes features of features, the same of a row whatever other rows are beside it."""

    @property
    def name(self) -> str:
        """What a config calls it."""
        ...

    @property
    def count(self) -> int:
        """D, the number of features that come out."""
        ...

    def __call__(self, x: Array) -> Array:
        """Return features (n, D) in float32 for n rows in float32."""
        ...


@dataclass(frozen=True)
class FeatureMap:
    """What makes the features of a sample's values: the pixel map, then each of the steps."""

    pixels: PixelMap = PixelMap()
    steps: tuple[FeatureStep, ...] = ()

    @property
    def is_one_factor(self) -> bool:
        """Whether the features are the values times one factor."""
        return not self.steps and np.ndim(self.pixels.scale) == 0 and not np.any(self.pixels.shift)


AS_THEY_ARE = FeatureMap(PixelMap(scale=1.0))

LARGE = 1 << 30
"""Bytes from which on values are taken to be mapped, larger than what memory should hold."""

_BLOCK_ROWS = 4096
_WINDOW_BLOCKS = 32
"""Blocks whose rows are mixed: 103 MB of MNIST's, which stay in memory while they are in use."""

_STRETCHES = 50
"""Of these a part of a large set consists: single rows from everywhere took 9 s to read."""

CHUNK_ROWS = 1000
"""Rows gathered at once: on 2 cores 1,000 beat 5,000 and 100 (the chunk stays in L2 or L3)."""


@dataclass(frozen=True, eq=False)
class Samples:
    """Values (N, H, W) or (N, V), bytes or floats, with labels (N,) and the map to features.

    They are only read, and may be memory-mapped. `computed` is what they are after the first
    `done` steps of the map, where that was worked out beforehand, (N, features so far).
    """

    images: Values
    labels: NDArray[np.integer]
    features: FeatureMap = FeatureMap()
    computed: Array | None = None
    done: int = 0

    def __len__(self) -> int:
        """Return N."""
        return len(self.labels)

    @property
    def rows(self) -> Values:
        """The images as rows (N, V), which share their memory."""
        return self.images.reshape(len(self.images), math.prod(self.images.shape[1:]))

    @property
    def feature_count(self) -> int:
        """D."""
        steps = self.features.steps
        return steps[-1].count if steps else self.rows.shape[1]

    @property
    def inputs(self) -> Values:
        """What `reader` reads: what was computed if anything was, else the rows."""
        return self.rows if self.computed is None else self.computed

    @property
    def is_large(self) -> bool:
        """Whether the inputs are too many to be read in any order, or to be copied."""
        return self.inputs.nbytes > LARGE

    def draw_order(self, generator: np.random.Generator) -> NDArray[np.intp]:
        """Return the samples in an order to train on, (N,).

        Of a large set rows from everywhere would be read from disk one by one, so stretches of
        4,096 rows are taken in a random order, and rows are mixed among 32 of these at a time.
        """
        N = len(self)
        if not self.is_large:
            return generator.permutation(N)
        starts = generator.permutation(range(0, N, _BLOCK_ROWS))
        windows = []
        for first in range(0, len(starts), _WINDOW_BLOCKS):
            blocks = starts[first : first + _WINDOW_BLOCKS]
            window = np.add.outer(blocks, np.arange(_BLOCK_ROWS)).ravel()
            window = window[window < N]
            generator.shuffle(window)
            windows.append(window)
        return np.concatenate(windows)

    def reader(self, rows: int, dtype: DTypeLike) -> "FeatureReader":
        """Return what turns up to so many of the `inputs` into features."""
        features = self.features
        if self.computed is not None:
            features = replace(AS_THEY_ARE, steps=features.steps[self.done :])
        return FeatureReader(features, self.feature_count, rows, dtype)

    def subset(self, rows: int) -> "Samples":
        """Return so many of the samples that stand for all, always the same ones.

        They are drawn at random (every n-th would not do: MNIST's file alternates between two
        groups of writers). Of a large set 50 stretches are taken, evenly spread over it.
        """
        N = len(self)
        if not self.is_large:
            return self.take(np.sort(np.random.default_rng(0).choice(N, rows, replace=False)))
        length = min(rows // _STRETCHES, N)
        starts = np.linspace(0, N - length, _STRETCHES).astype(np.intp)
        return self.take(np.add.outer(starts, np.arange(length)).ravel())

    def take(self, part: slice | NDArray[np.intp]) -> "Samples":
        """Return some of the samples."""
        computed = None if self.computed is None else self.computed[part]
        return replace(self, images=self.images[part], labels=self.labels[part], computed=computed)

    def only(self, pixels: NDArray[np.intp]) -> "Samples":
        """Return a copy that has only these of the pixels."""
        return replace(self, images=np.ascontiguousarray(self.rows[:, pixels]))


def lit_pixels(images: Values) -> NDArray[np.intp]:
    """Return which of the D pixels are above zero in at least one of the images (N, D)."""
    return np.flatnonzero(images.max(axis=0, initial=0))


class FeatureReader:
    """Converts rows of values to rows of features in a buffer that it reuses.

    The true features are `factor * read(rows)`. When the map is one factor for all pixels it is
    left to the caller, who applies it to the much smaller (B, K*C) side of each product; otherwise
    it is applied here and `factor` is 1.
    """

    def __init__(self, features: FeatureMap, D: int, rows: int, dtype: DTypeLike) -> None:
        dtype = np.dtype(dtype)
        pixels, one_factor = features.pixels, features.is_one_factor
        self._steps = features.steps
        # steps get float32 whatever the training is done in, as the cache holds nothing else
        kept = np.float32 if self._steps else dtype
        self._scale = None if one_factor else np.asarray(pixels.scale, kept)
        self._shift = np.asarray(pixels.shift, kept)
        self.factor = float(pixels.scale) if one_factor else 1.0
        self._dtype, self._D = dtype, D
        self._x = self.empty(rows)

    def empty(self, rows: int) -> Array:
        """Return room for the features of so many rows, (rows, D+1)."""
        x: Array = np.empty((rows, self._D + 1), self._dtype)
        x[:, self._D] = 1 / self.factor
        return x

    def read(self, rows: Values, x: Array | None = None) -> Array:
        """Return (n, D+1) features of n rows (n, V) in `x`, which `empty` has returned.

        Without it they are valid until the next call.
        """
        x = self._x[: len(rows)] if x is None else x
        features = x[:, :-1]
        mapped = np.empty(rows.shape, np.float32) if self._steps else features
        np.copyto(mapped, rows)
        if self._scale is not None:
            mapped *= self._scale
            mapped += self._shift
        if self._steps:
            for step in self._steps:
                mapped = step(mapped)
            np.copyto(features, mapped)
        return x


def shuffled(
    inputs: Values, order: NDArray[np.intp], batch: int, reader: FeatureReader
) -> Iterator[Array]:
    """Yield the features of inputs[order] in batches of `batch` rows, each valid until the next.

    Random rows come from all over memory, and to make floats of bytes takes a third of a step, so
    a second thread fills one chunk of batches while the caller works on another. Two queues that
    pass two buffers round took 5 % less of a step's time than a future for each chunk.
    """
    rows = min(batch * max(1, CHUNK_ROWS // batch), len(order))
    gathered = np.empty((rows, inputs.shape[1]), inputs.dtype)

    def fill(chosen: NDArray[np.intp], x: Array) -> Array:
        # mode="clip" writes straight into the buffer; every index is valid anyway
        values = np.take(inputs, chosen, axis=0, out=gathered[: len(chosen)], mode="clip")
        with np.errstate(over="ignore", invalid="ignore"):  # the caller's does not hold here
            return reader.read(values, x[: len(chosen)])

    if len(order) <= rows:  # a thread would have nothing to fill ahead
        yield from _cut(fill(order, reader.empty(rows)), batch)
        return
    starts = range(0, len(order), rows)
    free: SimpleQueue[Array | None] = SimpleQueue()
    ready: SimpleQueue[Array | Exception] = SimpleQueue()
    for _ in range(2):
        free.put(reader.empty(rows))

    def fill_all() -> None:
        try:
            for start in starts:
                x = free.get()
                if x is None:
                    return
                ready.put(fill(order[start : start + rows], x))
        except Exception as error:  # the caller is waiting for something
            ready.put(error)

    thread = Thread(target=fill_all, daemon=True)
    thread.start()
    try:
        for _ in starts:
            x = ready.get()
            if isinstance(x, Exception):
                raise x
            yield from _cut(x, batch)
            free.put(x)
    finally:
        free.put(None)
        thread.join()


def _cut(x: Array, batch: int) -> Iterator[Array]:
    """Yield x in batches of `batch` rows."""
    return (x[start : start + batch] for start in range(0, len(x), batch))


def available_cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
