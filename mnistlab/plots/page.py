"""A figure as a sheet of paper on which everything is placed by hand, in inches.

A layout engine would draw each figure twice.
"""

import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from mnistlab.plots import style, words
from mnistlab.runs.files import write_bytes


def new_figure(body: float, title: str, subtitle: Sequence[str] = ()) -> Figure:
    """Return a figure `style.WIDTH` inches wide: a title, small lines below it, and room to draw.

    The room is the lowest `body` inches. A text that is too long for the width is cut, an
    empty line left out.
    """
    subtitle = [line for line in subtitle if line]
    # In whole pixels, for images that are drawn pixel on pixel.
    height = math.ceil(body * style.DPI) / style.DPI + 0.5 + 0.2 * len(subtitle)
    figure = Figure(figsize=(style.WIDTH, height))
    left, room = style.MARGIN / style.WIDTH, style.WIDTH - 2 * style.MARGIN
    # Widths are measured on the regular face; the bold one runs up to 15 % wider.
    head = words.fit(title, style.TITLE, room / 1.15)
    figure.text(left, 1 - 0.32 / height, head, fontsize=style.TITLE, fontweight="bold")
    for row, line in enumerate(subtitle):
        y = 1 - (0.56 + 0.2 * row) / height
        figure.text(
            left, y, words.fit(line, style.SMALL, room), fontsize=style.SMALL, color=style.MUTED
        )
    return figure


def canvas(figure: Figure) -> Axes:
    """Return bare axes over the whole figure whose coordinates are inches from the bottom left."""
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    width, height = figure.get_size_inches()
    axes.set(xlim=(0, width), ylim=(0, height), autoscale_on=False)
    return axes


def paint(
    axes: Axes, colors: NDArray[Any], corner: tuple[float, float], size: tuple[float, float]
) -> None:
    """Paint an image of RGB colours from 0 to 1, (H, W, 3), with hard edges between its pixels.

    It fills `size`, width and height in inches, from its bottom left `corner` on a `canvas`.
    """
    # matplotlib works at the figure's resolution in the dtype it gets, and adds a missing alpha
    # in float64: that took 70 MB for a page-wide image, this takes half.
    opaque = np.ones((*colors.shape[:2], 4), dtype=np.float32)
    opaque[..., :3] = colors
    (left, bottom), (width, height) = corner, size
    extent = (left, left + width, bottom, bottom + height)
    axes.imshow(opaque, extent=extent, aspect="auto", interpolation="nearest")


def save(figure: Figure, path: Path | IO[bytes]) -> None:
    """Write `figure` as a PNG of 150 dots per inch; the same figure gives the same bytes.

    Raises:
        OSError: `path` cannot be written.
    """
    with matplotlib.rc_context(style.SETTINGS):
        figure.savefig(
            path,
            format="png",
            dpi=style.DPI,
            metadata={"Software": None},
            # Level 6 took 1.5 times as long for files a tenth smaller.
            pil_kwargs={"compress_level": 1},
        )


def save_whole(figure: Figure, path: Path) -> None:
    """Write `figure` like `save`, so that `path` is never half a picture."""
    picture = io.BytesIO()
    save(figure, picture)
    write_bytes(path, picture.getvalue())
