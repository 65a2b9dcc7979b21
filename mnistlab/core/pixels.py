"""How bytes become features: one affine map per pixel, applied batch by batch."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class PixelMap:
    """The map x = byte * scale + shift; `scale` and `shift` are scalars or arrays of shape (D,).

    The default brings a byte into [0, 1].
    """

    scale: float | NDArray[np.float64] = 1 / 255
    shift: float | NDArray[np.float64] = 0.0
