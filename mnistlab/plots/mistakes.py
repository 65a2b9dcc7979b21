"""What a classifier gets wrong: the images it misjudged most, as a person would look at them.

M is the number of mistakes shown, H and W are an image's height and width in pixels.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from mnistlab.plots import page, style, words
from mnistlab.plots.tiling import Tiling

MOST = 40  # mistakes in the figure
_COLUMNS = 8
_LARGEST = 8.0  # inches of height
_LINE = 0.16  # inches
_PAPER, _PEN = 242 / 255, 16 / 255  # the greys of a pixel that is not lit and of one that is


@style.house_style
def worst_mistakes(
    images: NDArray[Any],
    true: NDArray[Any],
    predicted: NDArray[Any],
    margin: NDArray[Any],
    *,
    class_names: Sequence[str],
    title: str,
    details: str = "",
    total_mistakes: int,
    total_images: int,
) -> Figure:
    """Draw the worst mistakes in rows, the worst at the top left, dark on light.

    Args:
        images: (M, H, W) uint8, worst first; at most the first 40 are drawn.
        true: (M,) true classes.
        predicted: (M,) predicted classes.
        margin: (M,) by how much each image's predicted class outscored its true class.
        class_names: the name of each class.
        title: one line; cut if it is too long.
        details: a smaller line below it, if there is more to say.
        total_mistakes: how many images were misjudged, drawn or not.
        total_images: how many were judged.

    Returns:
        The figure; to be written by `page.save`.
    """
    images, true, predicted, margin = (part[:MOST] for part in (images, true, predicted, margin))
    shown = len(images)
    count = f"{total_mistakes:,} of {total_images:,} test images are taken for another class"
    if not shown:
        return page.new_figure(0.1, title, [details, f"{count}: there is no mistake to show."])

    room = style.WIDTH - 2 * style.MARGIN
    labels = _labels(true, predicted, class_names, room / _COLUMNS - 0.05)
    heading = 0.12 + _LINE * len(labels)
    plan = Tiling.plan(images, columns=_COLUMNS, width=room, height=_LARGEST, label=heading)
    width, height = plan.size
    left, bottom = style.MARGIN, 0.2
    which = "all of them" if shown == total_mistakes else f"the worst {shown}"
    subtitle = [
        details,
        f"{count}. Drawn: {which}, the worst first.",
        f"Above each: its true class → the predicted one{_range(margin)}.",
    ]
    figure = page.new_figure(height + bottom, title, subtitle)
    axes = page.canvas(figure)
    greys = plan.join(_PAPER + (_PEN - _PAPER) * (images / np.float32(255)), 1.0)
    page.paint(axes, greys[..., np.newaxis], (left, bottom), (width, height))
    anchors = plan.anchors(shown, (left, bottom))
    for line, texts in enumerate(reversed(labels)):
        axes.add_artist(
            words.Words(texts, np.add(anchors, (0, 0.1 + _LINE * line)), size=style.SMALL)
        )
    return figure


def _labels(
    true: NDArray[Any], predicted: NDArray[Any], class_names: Sequence[str], width: float
) -> list[list[str]]:
    """Return one line for each image, or two where one would be wider than `width` inches."""
    names = [words.plain(name) for name in class_names]
    joined = [f"{names[t]} → {names[p]}" for t, p in zip(true, predicted, strict=True)]
    if max(words.text_width(text, style.SMALL) for text in joined) <= width:
        return [joined]
    upper = [words.fit(names[t], style.SMALL, width) for t in true]
    lower = [words.fit(f"→ {names[p]}", style.SMALL, width) for p in predicted]
    return [upper, lower]


def _range(margin: NDArray[Any]) -> str:
    """Return by how much the wrong classes were ahead, where that is known."""
    if not np.isfinite(margin).all():
        return ""
    widest, narrowest = float(margin.max()), float(margin.min())
    if narrowest < 0.01 or widest >= 1e5:
        told = [words.number(widest), words.number(narrowest)]
    else:  # one number of decimals for both
        decimals = max(0, 2 - int(np.floor(np.log10(narrowest))))
        told = [f"{value:.{min(decimals, 2)}f}" for value in (widest, narrowest)]
    return f", which scored {' to '.join(dict.fromkeys(told))} higher"
