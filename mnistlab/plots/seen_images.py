"""Images as a model saw them, enlarged, each with what it was taken for.

M is the number of images, H and W are an image's height and width in pixels.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from mnistlab.plots import page, style, words
from mnistlab.plots.tiling import Tiling

_COLUMNS = 6
_LINE = 0.16  # inches
_LARGEST = 40.0  # inches of height
_PAPER, _PEN = 242 / 255, 16 / 255  # as in the plot of the mistakes


@style.house_style
def seen_images(
    images: NDArray[Any], headings: Sequence[Sequence[str]], *, title: str, details: str = ""
) -> Figure:
    """Draw all images side by side, six in a row, dark on light.

    Args:
        images: (M, H, W) uint8, M at least 1.
        headings: the lines above each image, as many for each.
        title: one line; cut if it is too long.
        details: a smaller line below it, if there is more to say.

    Returns:
        The figure; to be written by `picture.save_picture`.
    """
    room = style.WIDTH - 2 * style.MARGIN
    lines = len(headings[0])
    columns = max(4, min(_COLUMNS, len(images)))
    label = 0.12 + _LINE * lines
    plan = Tiling.plan(images, columns=columns, width=room, height=_LARGEST, label=label)
    width, height = plan.size
    corner = style.MARGIN, 0.2
    figure = page.new_figure(height + corner[1], title, [details])
    axes = page.canvas(figure)
    greys = plan.join(_PAPER + (_PEN - _PAPER) * (images / np.float32(255)), 1.0)
    page.paint(axes, greys[..., np.newaxis], corner, (width, height))
    anchors = plan.anchors(len(images), corner)
    for line in range(lines):
        texts = [
            words.fit(heading[line], style.SMALL, room / columns - 0.1) for heading in headings
        ]
        above = 0.1 + _LINE * (lines - 1 - line)
        axes.add_artist(words.Words(texts, np.add(anchors, (0, above)), size=style.SMALL))
    return figure
