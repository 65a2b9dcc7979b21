"""What is written onto errors by a parameter: where trials diverge, the limit, the best."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patheffects import withStroke

from mnistlab.core.stability import format_limit
from mnistlab.plots import style, words
from mnistlab.plots.sweep_colors import DIVERGED
from mnistlab.plots.sweep_labels import tell_error, tell_value


def size_of(axes: Axes) -> tuple[float, float]:
    """Return the width and the height of a panel in inches."""
    dpi = axes.get_figure(root=True).dpi  # type: ignore[union-attr]
    return axes.bbox.width / dpi, axes.bbox.height / dpi


def shade_diverged(axes: Axes, edge: float, *, top: float) -> None:
    """Shade from the value `edge` to the right, with a word `top` inches below the panel's top."""
    _, right = axes.get_xlim()
    axes.axvspan(edge, right, color=DIVERGED, linewidth=0, zorder=0)
    width, height = size_of(axes)
    left = _place(axes, edge)[0]
    upright = width - left < words.text_width("diverged", style.SMALL) + 0.1
    axes.text(
        (left + width) / 2 / width, 1 - top / height, "diverged", color=style.VERMILION,
        fontsize=style.SMALL, rotation=90 if upright else 0, transform=axes.transAxes,
        horizontalalignment="center", verticalalignment="top",
    )  # fmt: skip


def name_limit(limit: float) -> str:
    """Return the stability limit in words, as the console tells it."""
    return f"stability limit {tell_value(float(format_limit(limit)))}"


def draw_limit(axes: Axes, limit: float) -> None:
    """Draw the stability limit as a dashed line, with its name above the panel."""
    axes.axvline(limit, color=style.MUTED, linestyle=(0, (4, 2)), linewidth=1.1, zorder=1)
    width, height = size_of(axes)
    text = name_limit(limit)
    half = words.text_width(text, style.SMALL) / 2
    middle = np.clip(_place(axes, limit)[0], half, width - half)
    axes.text(
        middle / width, 1 + 0.07 / height, text, color=style.MUTED, fontsize=style.SMALL,
        transform=axes.transAxes, horizontalalignment="center",
    )  # fmt: skip


def mark_best(
    axes: Axes,
    place: tuple[float, float],
    value: str,
    *,
    unit: str,
    between: tuple[float | None, float | None],
) -> None:
    """Draw a diamond with its error below, clear of the lines `between` where there is room.

    Args:
        axes: the panel.
        place: where the best lies across, and its error.
        value: of the parameter, in words.
        unit: of the error: " %" or nothing.
        between: where there are lines across the panel.
    """
    across, error = place
    axes.plot(
        [across], [error], marker="D", markersize=7.5, color=style.INK, markeredgecolor="white",
        markeredgewidth=1.2, linestyle="none", label="best", zorder=5,
    )  # fmt: skip
    width, height = size_of(axes)
    x, y = _place(axes, across, error)
    # The bold face is wider.
    text = words.fit(
        f"best: {tell_error(error, unit)} at {value}", style.SMALL, (width - 0.1) / 1.15
    )
    half = 1.15 * words.text_width(text, style.SMALL) / 2 + 0.05
    lines = [_place(axes, line)[0] for line in between if line is not None]
    low = max([0.0, *(line for line in lines if line <= x)])
    high = min([width, *(line for line in lines if line > x)])
    if high - low < 2 * half:
        low, high = 0.0, width
    axes.text(
        np.clip(x, low + half, high - half) / width, (y - 0.11) / height, text,
        color=style.INK, fontsize=style.SMALL, fontweight="bold", transform=axes.transAxes,
        horizontalalignment="center", verticalalignment="top", zorder=5,
        path_effects=[withStroke(linewidth=3, foreground="white")],
    )  # fmt: skip


def _place(axes: Axes, x: float, y: float | None = None) -> tuple[float, float]:
    """Return where a point lies, in inches from the panel's bottom left."""
    point = (x, axes.get_ylim()[0] if y is None else y)
    part = axes.transAxes.inverted().transform(axes.transData.transform(point))
    width, height = size_of(axes)
    return float(part[0]) * width, float(part[1]) * height
