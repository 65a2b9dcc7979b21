"""The feature steps on vectors: standardised, projected, multiplied, or drawn at random.

Shapes: n rows at a time, N training rows, D features before a step and F after it.
"""

import math
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from mnistlab.datasets.feature_steps import FEATURE_STEPS, Array, Arrays, Options, Rows, Shape
from mnistlab.errors import DataError


class Standardize:
    """Brings each feature to mean 0 and standard deviation 1 over the training rows.

    No feature counts as less spread than a hundredth of the root mean square of all spreads: one
    that is constant in training becomes 0, and one that hardly varies cannot blow up elsewhere.
    """

    summary = "bring each feature to mean 0 and deviation 1"
    options: ClassVar[Options] = {}
    is_random = False
    is_kept = False
    version = 1
    _floor = 0.01

    def count(self, shape: Shape, options: Options) -> int:  # noqa: ARG002
        """Return D."""
        return math.prod(shape)

    def fit(self, rows: Rows, options: Options, generator: np.random.Generator) -> Arrays:  # noqa: ARG002
        """Return the mean and the spread of each feature, (D,)."""
        mean = _mean(rows)
        squares = np.zeros_like(mean)
        for x in rows.blocks():
            squares += np.square(x - mean).sum(axis=0)
        spread = np.sqrt(squares / len(rows))
        least = self._floor * np.sqrt(np.mean(np.square(spread)))
        spread = np.maximum(spread, least or 1.0)
        return {"mean": mean.astype(np.float32), "spread": spread.astype(np.float32)}

    def apply(self, x: Array, arrays: Arrays, options: Options) -> Array:  # noqa: ARG002
        """Return (x - mean) / spread."""
        return (x - arrays["mean"]) / arrays["spread"]


class PCA:
    """The coordinates along the directions in which the training rows vary most.

    Principal component analysis: Hastie, Tibshirani and Friedman, "The elements of statistical
    learning", section 14.5.1. Of a direction and its opposite the one is taken whose largest
    coordinate is positive.
    """

    summary = "keep the directions in which the images vary most"
    options: ClassVar[Options] = {"components": 40}
    is_random = False
    is_kept = True
    version = 1

    def count(self, shape: Shape, options: Options) -> int:
        """Return the number of components; raise DataError for more than there are features."""
        if options["components"] > math.prod(shape):
            raise DataError(
                f"features: pca cannot take {options['components']} components of "
                f"{math.prod(shape)} features"
            )
        return int(options["components"])

    def fit(self, rows: Rows, options: Options, generator: np.random.Generator) -> Arrays:  # noqa: ARG002
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


class Polynomial:
    """All products of up to `degree` features, the features themselves among them."""

    summary = "add the products of features up to a degree"
    options: ClassVar[Options] = {"degree": 2}
    is_random = False
    is_kept = False  # 860 products of 40 features weigh twenty times what they are made of
    version = 1

    def count(self, shape: Shape, options: Options) -> int:
        """Return F = (D + degree)! / (D! degree!) - 1."""
        return math.comb(math.prod(shape) + int(options["degree"]), int(options["degree"])) - 1

    def fit(self, rows: Rows, options: Options, generator: np.random.Generator) -> Arrays:  # noqa: ARG002
        """Return nothing: there is nothing to learn."""
        return {}

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


class RandomFourier:
    """Cosines of random projections, whose products approximate a Gaussian kernel.

    sqrt(2/F) cos(w.x + b) with w from N(0, 2 gamma) and b from [0, 2 pi): their scalar products
    approach exp(-gamma ||x - x'||^2) (Rahimi and Recht, "Random features for large-scale kernel
    machines", NeurIPS 2007).
    """

    summary = "cosines of random projections, as a Gaussian kernel has them"
    options: ClassVar[Options] = {"features": 1000, "gamma": 0.01}
    is_random = True
    is_kept = True
    version = 1

    def count(self, shape: Shape, options: Options) -> int:  # noqa: ARG002
        """Return the number of random features."""
        return int(options["features"])

    def fit(self, rows: Rows, options: Options, generator: np.random.Generator) -> Arrays:
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


class RandomReLU:
    """The positive parts of random projections: a hidden layer that is not trained.

    sqrt(2/F) max(0, w.[x, 1]) with w from N(0, 1): their scalar products approach the arc-cosine
    kernel of degree 1 (Cho and Saul, "Kernel methods for deep learning", NeurIPS 2009).
    """

    summary = "the positive parts of random projections"
    options: ClassVar[Options] = {"features": 1000}
    is_random = True
    is_kept = True
    version = 1

    def count(self, shape: Shape, options: Options) -> int:  # noqa: ARG002
        """Return the number of random features."""
        return int(options["features"])

    def fit(self, rows: Rows, options: Options, generator: np.random.Generator) -> Arrays:
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


def _mean(rows: Rows) -> NDArray[np.float64]:
    """Return the mean row (D,), summed in float64."""
    total = np.zeros(math.prod(rows.shape))
    for x in rows.blocks():
        total += x.sum(axis=0, dtype=np.float64)
    return total / len(rows)


FEATURE_STEPS.add("standardize", Standardize())
FEATURE_STEPS.add("pca", PCA())
FEATURE_STEPS.add("polynomial", Polynomial())
FEATURE_STEPS.add("random_fourier", RandomFourier())
FEATURE_STEPS.add("random_relu", RandomReLU())
