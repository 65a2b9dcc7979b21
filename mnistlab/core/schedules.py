"""Schedules say by what factor the learning rate is multiplied in each epoch.

Shapes: epochs, hyperparameters and the factor are (K,), one entry a configuration.
"""

from collections.abc import Mapping
from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from mnistlab.core import Registry

Array = NDArray[np.float64]


class Schedule(Protocol):
    """What the trainer asks of a schedule."""

    options: ClassVar[Mapping[str, float]]
    """The hyperparameters it reads, with their usual values."""

    counts_epochs: ClassVar[bool]
    """Whether the factor depends on how many epochs a run has: if not, a shorter run is the
    beginning of a longer one."""

    def factor(self, epoch: int, epochs: Array, hyper: Mapping[str, Array]) -> Array:
        """Return the factor for `epoch` (the first is 0) of a run of `epochs`."""
        ...


SCHEDULES: Registry[Schedule] = Registry("schedule")


class Constant:
    """The same rate all along."""

    options: ClassVar[Mapping[str, float]] = {}
    counts_epochs: ClassVar[bool] = False

    def factor(self, epoch: int, epochs: Array, hyper: Mapping[str, Array]) -> Array:  # noqa: ARG002
        """Return 1."""
        return np.ones(len(epochs))


class Cosine:
    """Half a cosine wave from 1 down to almost 0 (Loshchilov and Hutter, ICLR 2017)."""

    options: ClassVar[Mapping[str, float]] = {}
    counts_epochs: ClassVar[bool] = True

    def factor(self, epoch: int, epochs: Array, hyper: Mapping[str, Array]) -> Array:  # noqa: ARG002
        """Return (1 + cos(pi * epoch / epochs)) / 2."""
        factor: Array = (1 + np.cos(np.pi * epoch / epochs)) / 2
        return factor


class StepDecay:
    """A drop by `step_factor` every `step_epochs` epochs."""

    options: ClassVar[Mapping[str, float]] = {"step_epochs": 10, "step_factor": 0.1}
    counts_epochs: ClassVar[bool] = False

    def factor(self, epoch: int, epochs: Array, hyper: Mapping[str, Array]) -> Array:  # noqa: ARG002
        """Return step_factor ** floor(epoch / step_epochs)."""
        factor: Array = hyper["step_factor"] ** (epoch // hyper["step_epochs"])
        return factor


SCHEDULES.add("constant", Constant())
SCHEDULES.add("cosine", Cosine())
SCHEDULES.add("step", StepDecay())
