"""Which classes are taken for which: a matrix in which the mistakes stand out, not the successes.

C is the number of classes.
"""

from collections.abc import Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from mnistlab.plots import page, style, words

_RECALL = 0.7  # inches right of the matrix
_LARGEST_NAME = 1.3  # inches


@style.house_style
def confusion_matrix(
    counts: NDArray[Any], *, class_names: Sequence[str], title: str, details: str = ""
) -> Figure:
    """Draw how many images of each class were given each class.

    Off the diagonal a cell's colour is its share of its row; the diagonal, which would outshine
    them, is grey. Beside each row stands its recall: the share of its images that are right.

    Args:
        counts: (C, C) whole numbers; row: true class, column: predicted class.
        class_names: C names.
        title: one line; cut if it is too long.
        details: a smaller line below it, if there is more to say.

    Returns:
        The figure; to be written by `page.save`.
    """
    classes = len(counts)
    names = [words.fit(name, style.SMALL, _LARGEST_NAME) for name in class_names]
    widest = max(words.text_width(name, style.SMALL) for name in names)
    left = style.MARGIN + 0.25 + widest + 0.1
    cell = min((style.WIDTH - style.MARGIN - _RECALL - left) / classes, 0.75)
    # Names that are wider than their column are turned.
    upright = widest > cell - 0.06
    bottom = 0.45 + (widest if upright else 0.15)

    side = cell * classes
    figure = page.new_figure(bottom + side + 0.25, title, [details, *_explain(counts)])
    axes = page.canvas(figure)
    corner = np.array([left, bottom])
    _draw_cells(axes, counts, corner, cell)

    middles = (np.arange(classes) + 0.5) * cell
    rows = np.column_stack((np.full(classes, left), bottom + side - middles))
    columns = np.column_stack((left + middles, np.full(classes, bottom)))
    size = min(style.SMALL, 72 * cell)
    axes.add_artist(words.Words(names, np.add(rows, (-0.08, 0)), size=size, align=1))
    if upright:
        turned = words.Words(names, np.add(columns, (0, -0.08)), size=size, align=1, angle=90)
        axes.add_artist(turned)
    else:
        axes.add_artist(words.Words(names, np.add(columns, (0, -0.14)), size=size))
    ends = np.add(rows, (side + 0.62, 0))
    axes.add_artist(words.Words(_recall_texts(counts), ends, size=size, align=1))
    _name_sides(axes, corner, side)
    return figure


def _explain(counts: NDArray[Any]) -> list[str]:
    total, right = int(counts.sum()), int(np.trace(counts))
    share = f", {100 * right / total:.2f} % of them right" if total else ""
    worst = 100 * _error_shares(counts).max()
    return [
        f"{total:,} test images{share} (grey). Colour: the part of a row that is taken for",
        f"another class, from none (white) to {words.number(worst)} % (darkest).",
    ]


def _error_shares(counts: NDArray[Any]) -> NDArray[np.float64]:
    """Return (C, C): each cell's part of its row, with zeros on the diagonal."""
    images = counts.sum(axis=1, keepdims=True)
    shares: NDArray[np.float64] = counts / np.maximum(images, 1)
    np.fill_diagonal(shares, 0)
    return shares


def _recall_texts(counts: NDArray[Any]) -> list[str]:
    images = counts.sum(axis=1)
    right = np.diagonal(counts)
    return [
        f"{100 * hits / of:.1f} %" if of else "\N{EN DASH}"
        for hits, of in zip(right, images, strict=True)
    ]


def _draw_cells(axes: Axes, counts: NDArray[Any], corner: NDArray[Any], cell: float) -> None:
    """Colour the cells and write the counts that are not zero into them."""
    classes = len(counts)
    shares = _error_shares(counts)
    strength = shares / (shares.max() or 1)
    colors = matplotlib.colormaps["Oranges"](0.85 * strength)[..., :3]
    colors[counts == 0] = 1
    colors[np.eye(classes, dtype=bool)] = matplotlib.colors.to_rgb(style.PALE)
    left, bottom = corner
    side = cell * classes
    page.paint(axes, colors, (left, bottom), (side, side))
    lines = np.arange(1, classes) * cell
    white: dict[str, Any] = {"color": "white", "linewidth": min(1.0, 3 * cell)}
    axes.hlines(bottom + lines, left, left + side, **white)
    axes.vlines(left + lines, bottom, bottom + side, **white)
    frame = Rectangle((left, bottom), side, side, fill=False, edgecolor=style.FAINT, linewidth=0.8)
    axes.add_patch(frame)

    texts = np.array([f"{count}" for count in counts.flat]).reshape(counts.shape)
    widest = words.text_width("0" * max(len(text) for text in texts.flat), 1)
    size = min(style.BODY, 0.86 * cell / widest, 0.6 * 72 * cell)
    dark = strength > 0.8  # there white is easier to read than ink
    for chosen, color in ((~dark, style.INK), (dark, "white")):
        row, column = np.nonzero(chosen & (counts > 0))
        centres = np.column_stack((column + 0.5, classes - row - 0.5)) * cell + corner
        axes.add_artist(words.Words(texts[row, column].tolist(), centres, size=size, color=color))


def _name_sides(axes: Axes, corner: NDArray[Any], side: float) -> None:
    left, bottom = corner
    middle = np.array([[left + side / 2, bottom + side / 2]])
    below = np.array([[middle[0, 0], 0.18]])
    before = np.array([[style.MARGIN + 0.05, middle[0, 1]]])
    over = np.array([[left + side + 0.62, bottom + side + 0.15]])
    axes.add_artist(words.Words(["predicted class"], below))
    axes.add_artist(words.Words(["true class"], before, angle=90))
    axes.add_artist(words.Words(["recall"], over, align=1))
