"""Many small images on one page, aligned with the page's own pixels."""

import math
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from mnistlab.plots.style import DPI


@dataclass(frozen=True)
class Tiling:
    """Small images of one size in rows, joined to ONE image because each artist costs time.

    A tile's pixel is a whole number of the figure's pixels wide wherever there is room for it, so
    that no row of a tile looks thicker than another.

    Attributes:
        tile: height and width of a tile in pixels.
        rows, columns: of tiles.
        gap: free pixels above each tile (room for a label) and left of each but the first.
        scale: inches per pixel.
    """

    tile: tuple[int, int]
    rows: int
    columns: int
    gap: tuple[int, int]
    scale: float

    @classmethod
    def plan(
        cls, tiles: NDArray[Any], *, columns: int, width: float, height: float, label: float
    ) -> Self:
        """Place `tiles`, (M, H, W) with M at least 1, in at most `width` and `height` inches.

        `label` inches are kept free above each tile.
        """
        count, *tile = tiles.shape
        rows, gaps = -(-count // columns), columns - 1
        scale = min(
            (width - 0.05 * gaps) / (columns * tile[1]),
            width / (columns * tile[1] + gaps),
            (height / rows - label) / tile[0],
            0.1,
        )
        if scale * DPI >= 1:
            scale = int(scale * DPI) / DPI
        # What the whole pixels leave over goes between the tiles, up to a point.
        spare = min((width - columns * tile[1] * scale) / max(gaps, 1), 0.3)
        above, left = math.ceil(label / scale), int(spare / scale + 1e-6)
        return cls((tile[0], tile[1]), rows, columns, (above, left), scale)

    @property
    def size(self) -> tuple[float, float]:
        """Width and height of everything in inches."""
        pitch = np.add(self.tile, self.gap)
        width = self.columns * pitch[1] - self.gap[1]
        return float(width * self.scale), float(self.rows * pitch[0] * self.scale)

    def join(self, tiles: NDArray[Any], fill: float) -> NDArray[Any]:
        """Return the one image that holds `tiles`, with `fill` between them."""
        (height, width), (above, left) = self.tile, self.gap
        shape = (self.rows, above + height, self.columns, left + width)
        joined = np.full(shape, fill, dtype=tiles.dtype)
        for index, tile in enumerate(tiles):
            row, column = divmod(index, self.columns)
            joined[row, above:, column, left:] = tile
        flat = joined.reshape(self.rows * shape[1], self.columns * shape[3])
        return flat[:, left:]

    def anchors(self, count: int, corner: tuple[float, float]) -> NDArray[Any]:
        """Return (count, 2): the middle of each tile's upper edge in inches.

        `corner` is the bottom left of everything.
        """
        row, column = np.divmod(np.arange(count), self.columns)
        (height, width), (above, left) = self.tile, self.gap
        x = column * (left + width) + width / 2
        y = (self.rows - row) * (above + height) - above
        return np.column_stack((x, y)) * self.scale + corner
