"""What a linear classifier looks for: the weights of each class, seen as an image.

H and W are an image's height and width in pixels, C is the number of classes.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from mnistlab.plots import page, style, words
from mnistlab.plots.tiling import Tiling

_LARGEST = 7.0  # inches of height
_BAR = 0.65  # inches right of the templates, for the colour bar and its labels


@style.house_style
def weight_templates(
    weights: NDArray[Any], *, class_names: Sequence[str], title: str, details: str = ""
) -> Figure:
    """Draw the weights of all classes on one scale whose pale middle is zero.

    The scale ends at the 99.5th percentile of the weights' sizes: a few pixels at the border that
    are hardly ever lit can carry weights large enough to leave the rest pale. The colour bar's
    ends are pointed where weights lie beyond. Weights that are not finite stay blank.

    Args:
        weights: (H, W, C), the weight from each pixel to each class.
        class_names: C names.
        title: one line; cut if it is too long.
        details: a smaller line below it, if there is more to say.

    Returns:
        The figure; to be written by `page.save`.
    """
    templates = np.moveaxis(np.asarray(weights, dtype=float), -1, 0)
    classes = len(templates)
    columns = min(classes, max(5, int(np.ceil(np.sqrt(1.6 * classes)))))
    room = style.WIDTH - 2 * style.MARGIN - _BAR
    plan = Tiling.plan(templates, columns=columns, width=room, height=_LARGEST, label=0.25)
    width, height = plan.size
    corner = (style.MARGIN, 0.2)

    limit = _limit(templates)
    figure = page.new_figure(
        height + corner[1] + 0.05,
        title,
        [
            details,
            "A lit pixel speaks for the class where its weight is positive (red), else against it.",
            *_explain_ends(templates, limit),
        ],
    )
    axes = page.canvas(figure)
    image = axes.imshow(
        plan.join(np.where(np.isfinite(templates), templates, np.nan), np.nan),
        cmap="RdBu_r",
        vmin=-limit,
        vmax=limit,
        extent=(corner[0], corner[0] + width, corner[1], corner[1] + height),
        aspect="auto",
        interpolation="nearest",
    )
    anchors = plan.anchors(classes, corner)
    pitch = (plan.tile[1] + plan.gap[1]) * plan.scale
    names = [words.fit(name, style.BODY, pitch - 0.04) for name in class_names]
    axes.add_artist(words.Words(names, np.add(anchors, (0, 0.12))))

    figure_width, figure_height = figure.get_size_inches()
    bar_height = min(height - 0.3, 3.0)
    bar = figure.add_axes(
        (
            (corner[0] + width + 0.1) / figure_width,
            (corner[1] + (height - 0.25 - bar_height) / 2) / figure_height,
            0.13 / figure_width,
            bar_height / figure_height,
        )
    )
    figure.colorbar(image, cax=bar, extend=_beyond(templates, limit))
    return figure


def _limit(templates: NDArray[Any]) -> float:
    """Return where the scale ends: the 99.5th percentile of the sizes, 1 if all are zero."""
    sizes = np.abs(templates[np.isfinite(templates)])
    if not sizes.any():
        return 1.0
    return float(np.percentile(sizes, 99.5)) or float(sizes.max())


def _explain_ends(templates: NDArray[Any], limit: float) -> list[str]:
    """Return a line on the weights that lie beyond the scale, if there are any."""
    if _beyond(templates, limit) == "neither":
        return []
    largest = words.number(float(np.abs(templates[np.isfinite(templates)]).max(initial=0)))
    return [f"The scale ends where 99.5 % of the weights lie within; the largest is {largest}."]


def _beyond(templates: NDArray[Any], limit: float) -> str:
    """Return which ends of the colour bar are pointed."""
    below, above = bool((templates < -limit).any()), bool((templates > limit).any())
    return {(False, False): "neither", (True, False): "min", (False, True): "max"}.get(
        (below, above), "both"
    )
