"""Steps between pixels and model: each makes features of features, fitted on training rows alone.

The model stays linear, its inputs do not. A step is one small class in `FEATURE_STEPS`; what it
has learned of the training rows, or drawn at random, is a handful of arrays in float32, which a
run keeps. Applied to a row, a step gives the same whatever other rows are beside it.

Shapes: n rows at a time, N training rows, D features before a step and F after it.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from mnistlab.core import Registry
from mnistlab.core.samples import Samples
from mnistlab.errors import DataError
from mnistlab.plugins import REGISTRIES

Array = NDArray[np.floating]
Arrays = dict[str, NDArray[np.float32]]
Options = Mapping[str, int | float]
Shape = tuple[int, ...]

BLOCK = 500
"""Rows worked out together, always the same ones, so that the result is the same."""


@dataclass(frozen=True)
class TrainingRows:
    """The rows of the training split, or of another, as a step finds them."""

    samples: Samples

    @property
    def shape(self) -> Shape:
        """The shape of a row: (H, W) for the pixels of an image, else (D,)."""
        samples = self.samples
        return (samples.feature_count,) if samples.features.steps else samples.images.shape[1:]

    def __len__(self) -> int:
        """Return N."""
        return len(self.samples)

    def blocks(self) -> Iterator[Array]:
        """Yield all rows in order, (n, D) in float32 at a time, each valid until the next."""
        return (self.take(slice(at, at + BLOCK)) for at in range(0, len(self), BLOCK))

    def take(self, part: slice | NDArray[np.intp]) -> Array:
        """Return some rows, (n, D) in float32."""
        inputs = self.samples.inputs[part]
        reader = self.samples.reader(len(inputs), np.float32)
        features: Array = reader.read(inputs)[:, :-1]
        if reader.factor != 1:
            features *= np.float32(reader.factor)
        return features


class StepKind(Protocol):
    """What a config names in `features`; a step of one's own need not inherit from it.

    `options` are its options with their usual values; all are positive, and whole where the usual
    one is. `is_random` says that it draws numbers, so that another seed makes other features,
    `is_kept` that reading its features costs less than working them out. `summary` is for the
    documentation. `version` is part of what names kept features: raise it whenever the output
    changes.
    """

    summary: str
    options: ClassVar[Options] = {}
    is_random: bool = False
    is_kept: bool = True
    version: int = 1

    def count(self, shape: Shape, options: Options) -> int:  # noqa: ARG002
        """Return F for rows of a shape, here D; raise DataError for rows it cannot work on."""
        return math.prod(shape)

    def fit(self, rows: TrainingRows, options: Options, generator: np.random.Generator) -> Arrays:  # noqa: ARG002
        """Return what `apply` needs to know, from the training rows."""
        return {}

    def apply(self, x: Array, arrays: Arrays, options: Options) -> Array:
        """Return features (n, F) in float32 for rows x (n, D) in float32."""
        ...


FEATURE_STEPS: Registry[StepKind] = Registry("feature step")
REGISTRIES.append(FEATURE_STEPS)


@dataclass(frozen=True, eq=False)
class FittedStep:
    """A step with its options and what it has learned; `count` is F."""

    name: str
    options: Options
    arrays: Arrays
    count: int

    def __call__(self, x: Array) -> Array:
        """Return features (n, F) for rows (n, D), both in float32."""
        return FEATURE_STEPS[self.name].apply(x, self.arrays, self.options)


# Chosen on MNIST's validation images with 100 filters on deskewed digits: the error was 1.25 % with
# 0.01 as the ridge, 1.07 % with 0.1 and 0.99 % with 0.5; with a threshold of 0, 0.25 and 0.5 it was
# 1.09, 1.07 and 1.05 %, so nothing depends on that.
_CONTRAST = 0.03  # added to a patch's variance, pixels being in [0, 1]: flat patches stay flat
_RIDGE = 0.3  # added to the eigenvalues, whose mean is about 1, before they are divided by
_THRESHOLD = 0.25  # what a likeness must exceed to count
_LEAST_SPREAD = 0.1  # of a patch to be a filter: nearly half of MNIST's are flat
_DRAWN = 50_000  # patches that are looked at for their covariance
_TOGETHER = 10  # images whose patches are in memory at once: 5 MB of likenesses


class Standardize(StepKind):
    """Brings each feature to mean 0 and standard deviation 1 over the training rows.

    No feature counts as less spread than a hundredth of the root mean square of all spreads: one
    that is constant in training becomes 0, and one that hardly varies cannot blow up elsewhere.
    """

    summary = "bring each feature to mean 0 and deviation 1"
    is_kept = False

    def fit(self, rows: TrainingRows, options: Options, generator: np.random.Generator) -> Arrays:  # noqa: ARG002
        """Return the mean and the spread of each feature, (D,)."""
        mean = _mean(rows)
        squares = np.zeros_like(mean)
        for x in rows.blocks():
            squares += np.square(x - mean).sum(axis=0)
        spread = np.sqrt(squares / len(rows))
        least = 0.01 * np.sqrt(np.mean(np.square(spread)))
        spread = np.maximum(spread, least or 1.0)
        return {"mean": mean.astype(np.float32), "spread": spread.astype(np.float32)}

    def apply(self, x: Array, arrays: Arrays, options: Options) -> Array:  # noqa: ARG002
        """Return (x - mean) / spread."""
        return (x - arrays["mean"]) / arrays["spread"]


class PCA(StepKind):
    """The coordinates along the directions in which the training rows vary most.

    Principal component analysis: Hastie, Tibshirani and Friedman, "The elements of statistical
    learning", section 14.5.1. Of a direction and its opposite the one is taken whose largest
    coordinate is positive.
    """

    summary = "keep the directions in which the images vary most"
    options: ClassVar[Options] = {"components": 40}

    def count(self, shape: Shape, options: Options) -> int:
        """Return the number of components; raise DataError for more than there are features."""
        if options["components"] > math.prod(shape):
            raise DataError(
                f"features: pca cannot take {options['components']} components of "
                f"{math.prod(shape)} features"
            )
        return int(options["components"])

    def fit(self, rows: TrainingRows, options: Options, generator: np.random.Generator) -> Arrays:  # noqa: ARG002
        """Return the mean (D,) and the directions (D, F)."""
        mean = _mean(rows)
        covariance = np.zeros((len(mean), len(mean)))
        for x in rows.blocks():
            centred = x - mean
            covariance += centred.T @ centred
        _, vectors = np.linalg.eigh(covariance / len(rows))
        directions = vectors[:, : -int(options["components"]) - 1 : -1]
        at = np.abs(directions).argmax(axis=0)
        directions = directions * np.sign(directions[at, np.arange(len(at))])
        return {
            "mean": mean.astype(np.float32),
            "directions": np.ascontiguousarray(directions, np.float32),
        }

    def apply(self, x: Array, arrays: Arrays, options: Options) -> Array:  # noqa: ARG002
        """Return (x - mean) times the directions."""
        coordinates: Array = (x - arrays["mean"]) @ arrays["directions"]
        return coordinates


class Polynomial(StepKind):
    """All products of up to `degree` features, the features themselves among them."""

    summary = "add the products of features up to a degree"
    options: ClassVar[Options] = {"degree": 2}
    is_kept = False  # 860 products of 40 features weigh twenty times what they are made of

    def count(self, shape: Shape, options: Options) -> int:
        """Return F = (D + degree)! / (D! degree!) - 1."""
        return math.comb(math.prod(shape) + int(options["degree"]), int(options["degree"])) - 1

    def apply(self, x: Array, arrays: Arrays, options: Options) -> Array:  # noqa: ARG002
        """Return the products by degree, and of one degree in lexical order of their factors."""
        n, D = x.shape
        degree = int(options["degree"])
        products = np.empty((n, self.count((D,), options)), x.dtype)
        products[:, :D] = x
        # where, among the products of the last degree, those begin whose factors are all >= d
        starts, end, at = list(range(D)), D, D
        for _ in range(degree - 1):
            next_starts = []
            for d in range(D):
                next_starts.append(at)
                width = end - starts[d]
                np.multiply(
                    x[:, d : d + 1], products[:, starts[d] : end], out=products[:, at : at + width]
                )
                at += width
            starts, end = next_starts, at
        return products


class _RandomProjections(StepKind):
    """What both steps of random projections have in common."""

    is_random = True

    def count(self, shape: Shape, options: Options) -> int:  # noqa: ARG002
        """Return the number of random features."""
        return int(options["features"])


class RandomFourier(_RandomProjections):
    """Cosines of random projections, whose products approximate a Gaussian kernel.

    sqrt(2/F) cos(w.x + b) with w from N(0, 2 gamma) and b from [0, 2 pi): their scalar products
    approach exp(-gamma ||x - x'||^2) (Rahimi and Recht, "Random features for large-scale kernel
    machines", NeurIPS 2007).
    """

    summary = "cosines of random projections, as a Gaussian kernel has them"
    options: ClassVar[Options] = {"features": 1000, "gamma": 0.01}

    def fit(self, rows: TrainingRows, options: Options, generator: np.random.Generator) -> Arrays:
        """Return the projections (D, F) and the phases (F,)."""
        size = math.prod(rows.shape), int(options["features"])
        projections = generator.standard_normal(size, np.float32) * np.sqrt(2 * options["gamma"])
        phases = generator.uniform(0, 2 * np.pi, size[1])
        return {
            "projections": projections.astype(np.float32),
            "phases": phases.astype(np.float32),
        }

    def apply(self, x: Array, arrays: Arrays, options: Options) -> Array:
        """Return sqrt(2/F) times the cosines."""
        angles: Array = x @ arrays["projections"]
        angles += arrays["phases"]
        np.cos(angles, out=angles)
        angles *= np.float32(np.sqrt(2 / options["features"]))
        return angles


class RandomReLU(_RandomProjections):
    """The positive parts of random projections: a hidden layer that is not trained.

    sqrt(2/F) max(0, w.[x, 1]) with w from N(0, 1): their scalar products approach the arc-cosine
    kernel of degree 1 (Cho and Saul, "Kernel methods for deep learning", NeurIPS 2009).
    """

    summary = "the positive parts of random projections"
    options: ClassVar[Options] = {"features": 1000}

    def fit(self, rows: TrainingRows, options: Options, generator: np.random.Generator) -> Arrays:
        """Return the projections (D, F) and what is added to them (F,)."""
        size = math.prod(rows.shape), int(options["features"])
        return {
            "projections": generator.standard_normal(size, np.float32),
            "added": generator.standard_normal(size[1], np.float32),
        }

    def apply(self, x: Array, arrays: Arrays, options: Options) -> Array:
        """Return sqrt(2/F) times the positive parts."""
        parts: Array = x @ arrays["projections"]
        parts += arrays["added"]
        np.maximum(parts, 0, out=parts)
        parts *= np.float32(np.sqrt(2 / options["features"]))
        return parts


def _mean(rows: TrainingRows) -> NDArray[np.float64]:
    """Return the mean row (D,), summed in float64."""
    total = np.zeros(math.prod(rows.shape))
    for x in rows.blocks():
        total += x.sum(axis=0, dtype=np.float64)
    return total / len(rows)


class Patches(StepKind):
    """What exceeds the threshold of each filter's likeness to the patches of each cell.

    Coates, Lee and Ng, "An analysis of single-layer networks in unsupervised feature learning",
    AISTATS 2011, and Coates and Ng, "The importance of encoding versus training with sparse coding
    and vector quantization", ICML 2011, where filters that are random patches do nearly as well as
    trained ones. A patch is brought to mean 0 and variance 1, whitened, and compared with each
    filter; what exceeds a threshold is summed over each cell of a grid.

    Shapes: n images of H x W pixels, patches of S = size x size pixels at V = (H - size + 1)
    (W - size + 1) places, K filters, a grid of G x G cells.
    """

    summary = "how much the parts of an image look like random patches of others"
    options: ClassVar[Options] = {"size": 6, "filters": 250, "pool": 4}
    is_random = True

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

    def fit(self, rows: TrainingRows, options: Options, generator: np.random.Generator) -> Arrays:
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


FEATURE_STEPS.add("standardize", Standardize())
FEATURE_STEPS.add("pca", PCA())
FEATURE_STEPS.add("polynomial", Polynomial())
FEATURE_STEPS.add("random_fourier", RandomFourier())
FEATURE_STEPS.add("random_relu", RandomReLU())
FEATURE_STEPS.add("patches", Patches())
