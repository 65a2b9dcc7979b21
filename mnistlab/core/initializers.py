"""Initializers draw the weights that a run starts from; biases always start at zero.

Shapes: D features, C classes; the weights of one configuration are (D, C).
"""

from collections.abc import Mapping
from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from mnistlab.core.registry import Registry

Array = NDArray[np.float64]


class Initializer(Protocol):
    """What the trainer asks of an initializer."""

    options: ClassVar[Mapping[str, float]]
    """The hyperparameters it reads, with their usual values."""

    def weights(self, D: int, C: int, scale: float, generator: np.random.Generator) -> Array:
        """Return weights of shape (D, C) in float64."""
        ...


INITIALIZERS: Registry[Initializer] = Registry("init")


class Zeros:
    """All weights zero: with one layer there is no symmetry to break."""

    options: ClassVar[Mapping[str, float]] = {}

    def weights(self, D: int, C: int, scale: float, generator: np.random.Generator) -> Array:  # noqa: ARG002
        """Return zeros."""
        return np.zeros((D, C))


class Normal:
    """Weights from a normal distribution with mean 0 and standard deviation `init_scale`."""

    options: ClassVar[Mapping[str, float]] = {"init_scale": 0.01}

    def weights(self, D: int, C: int, scale: float, generator: np.random.Generator) -> Array:
        """Return draws from N(0, scale^2)."""
        return generator.normal(0.0, scale, (D, C))


class Uniform:
    """Weights drawn evenly from [-init_scale, init_scale)."""

    options: ClassVar[Mapping[str, float]] = {"init_scale": 0.01}

    def weights(self, D: int, C: int, scale: float, generator: np.random.Generator) -> Array:
        """Return draws from U(-scale, scale)."""
        return generator.uniform(-scale, scale, (D, C))


INITIALIZERS.add("zeros", Zeros())
INITIALIZERS.add("normal", Normal())
INITIALIZERS.add("uniform", Uniform())
