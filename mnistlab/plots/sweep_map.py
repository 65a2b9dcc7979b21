"""The error over two of a sweep's parameters, as a map on which the best stands out.

X and Y are the numbers of values across and upwards.
"""

from collections.abc import Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import PatchCollection
from matplotlib.colors import Colormap, ListedColormap, LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray

from mnistlab.plots import style
from mnistlab.plots.labels import (
    PERCENT,
    cut,
    format_error,
    format_ticks,
    format_values,
    number,
    numeric,
    spell,
)

_WIDEST = 6.0  # inches of the map
_LETTER = 0.08  # inches: the width of most letters
_LINE = 0.16  # inches between two tick labels
_HATCH = "#E3A987"
_DARKEST = 0.95  # of the colour map, which is darkest at 1
_SMALLEST_TEXT = 7.0  # points in a cell; below it the colour has to do


def error_norm(errors: NDArray[Any]) -> Normalize:
    """Return the norm from the lowest to the highest error, by their ratio: the best differ little.

    It ends at twice the median error, where an error lies beyond: a few trials that learned
    nothing would leave all others one colour.
    """
    finite = errors[np.isfinite(errors)]
    if not len(finite):
        return Normalize(0, 100)
    low, middle, high = float(finite.min()), float(np.median(finite)), float(finite.max())
    end = min(high, 2 * middle) if middle > 0 else high
    if low == end:  # one colour
        end = low + (0.1 * abs(low) or 1.0)
    # what is smaller a colour bar takes for zero
    return LogNorm(low, end) if low > 0 and end > 1e-280 else Normalize(low, end)


def error_colormap(palest: float = 0.1) -> Colormap:
    """Return blues from dark to the one that is `palest`, a part of the whole range."""
    blues = matplotlib.colormaps["Blues"](np.linspace(_DARKEST, palest, 256))
    return ListedColormap(blues.tolist())


@style.house_style
def error_map(
    x_values: Sequence[Any],
    y_values: Sequence[Any],
    errors: NDArray[Any],
    diverged: NDArray[Any],
    *,
    x_name: str,
    y_name: str,
    best: tuple[int, int] | None,
    title: str,
    details: str = "",
    error_name: str = "validation error rate (%)",
    unit: str = PERCENT,
    stopped: NDArray[Any] | None = None,
) -> Figure:
    """Return a map of the `errors` (Y, X) of each pair of values, the lower the darker.

    Rows of numbers rise from the bottom as on an axis, rows of names are read from the top. Errors
    are NaN where no trial was run; `diverged` cells are hatched, those `stopped` early hollow, both
    (Y, X), and `best` is the row and column to be outlined. `unit` follows an error: " %" or "".
    """
    errors = np.where(np.isfinite(errors), errors, np.nan).astype(float)
    if not errors.size:
        return style.new_figure(0.1, title, details, ["No trial was run."])
    Y, X = errors.shape
    diverged = np.asarray(diverged, dtype=bool)
    errors = np.where(diverged, np.nan, errors)
    stopped = np.zeros((Y, X), bool) if stopped is None else np.asarray(stopped, dtype=bool)
    stopped &= np.isfinite(errors)
    norm, finite = error_norm(errors), np.isfinite(errors)
    place = np.where(finite, np.ma.filled(norm(np.ma.masked_invalid(errors)), 0), np.nan)

    # cells are larger where there are only a few
    cell = np.array(
        [min(_WIDEST / X, max(1.15, min(1.8, 4 / X))), min(5.6 / Y, max(0.55, min(0.85, 1.7 / Y)))]
    )
    columns, rows = ([cut(text, 20) for text in format_values(v)] for v in (x_values, y_values))
    turned = max(map(len, columns)) * _LETTER > cell[0]
    below = _LETTER * max(map(len, columns)) if turned else 0.15
    figure = style.new_layout(max(cell[1] * Y, 1.3) + 0.75 + below)
    part = cell[0] * X / _WIDEST
    ratios = (part, 1 - part) if part < 0.9 else (1,)
    axes = figure.add_subplot(figure.add_gridspec(1, len(ratios), width_ratios=ratios)[0])
    colors = error_colormap()(place)
    colors[~finite] = 1
    axes.imshow(colors, aspect="auto", interpolation="nearest")
    if numeric(y_values) is not None:
        axes.invert_yaxis()
    _draw_lines(axes, X, Y, cell)
    _mark(axes, diverged, facecolor=style.DIVERGED, edgecolor=_HATCH, hatch="////", linewidth=0)
    _mark(axes, stopped, np.minimum(0.08 / cell, 0.2), facecolor="white", linewidth=0)
    _write_errors(axes, errors, diverged, stopped, place, cell)
    if best is not None:
        chosen = np.zeros((Y, X), bool)
        chosen[best] = True
        _mark(axes, chosen, facecolor="none", edgecolor="white", linewidth=4.2, zorder=4)
        _mark(axes, chosen, facecolor="none", edgecolor=style.INK, linewidth=2.2, zorder=5)
    stride = int(np.ceil(_LINE / cell[0])) if turned else 1
    axes.set_xticks(range(X)[::stride], columns[::stride], rotation=90 if turned else 0)
    stride = int(np.ceil(_LINE / cell[1]))
    axes.set_yticks(range(Y)[::stride], rows[::stride])
    axes.tick_params(length=0)
    style.set_name(axes, "x", x_name, 6.0)
    above = cut(spell(y_name), 50)
    axes.set_title(above, fontsize=style.shrink(above, style.BODY, 4.0), loc="left")
    _add_bar(figure, axes, norm, error_name)
    notes = _explain(errors, diverged, stopped, best, norm, unit)
    return style.add_head(figure, title, details, notes)


def _draw_lines(axes: Axes, X: int, Y: int, cell: NDArray[np.float64]) -> None:
    """Draw white lines between the cells, which are so many inches wide and high."""
    white: dict[str, Any] = {"color": "white", "linewidth": min(1.0, 4 * cell.min())}
    axes.hlines(np.arange(1, Y) - 0.5, -0.5, X - 0.5, **white)
    axes.vlines(np.arange(1, X) - 0.5, -0.5, Y - 0.5, **white)
    axes.spines[:].set(visible=True, color=style.FAINT)


def _mark(axes: Axes, chosen: NDArray[np.bool_], rim: Any = (0, 0), **look: Any) -> None:
    """Draw a rectangle over each chosen cell (Y, X), without a rim in parts of a cell."""
    width, height = 1 - 2 * np.asarray(rim, dtype=float)
    cells = [
        Rectangle((column - width / 2, row - height / 2), width, height)
        for row, column in np.argwhere(chosen)
    ]
    if cells:
        marks = PatchCollection(cells, joinstyle="miter", **{"zorder": 1.5} | look)
        axes.add_collection(marks, autolim=False)


def _write_errors(
    axes: Axes,
    errors: NDArray[np.float64],
    diverged: NDArray[np.bool_],
    stopped: NDArray[np.bool_],
    place: NDArray[np.float64],
    cell: NDArray[np.float64],
) -> None:
    """Write the errors into the cells, where these are large enough."""
    finite = np.isfinite(errors)
    texts = np.full(errors.shape, "", dtype=object)
    texts[finite] = [number(error) for error in errors[finite]]
    texts[diverged] = "div."
    longest = max(map(len, texts.flat)) or 1
    size = min(style.BODY, 0.86 * 72 * cell[0] / (0.62 * longest), 0.6 * 72 * cell[1])
    if size < _SMALLEST_TEXT:
        return
    for row, column in np.argwhere(finite | diverged):
        at = (row, column)
        dark = place[at] < 0.32  # there white is easier to read than ink
        color = style.VERMILION if diverged[at] else "white" if dark else style.INK
        text = axes.text(
            column, row, texts[at], color=style.MUTED if stopped[at] else color, fontsize=size,
            horizontalalignment="center", verticalalignment="center_baseline",
        )  # fmt: skip
        text.set_in_layout(False)
        if diverged[at]:
            text.set_path_effects([withStroke(linewidth=3, foreground=style.DIVERGED)])


def _add_bar(figure: Figure, axes: Axes, norm: Normalize, name: str) -> None:
    """Draw the colours beside the map, the lowest error at the bottom."""
    shown = ScalarMappable(norm, error_colormap())
    bar = figure.colorbar(shown, ax=axes, aspect=20, fraction=0.05, pad=0.03, anchor=(0, 1))
    low, high, log = float(norm.vmin or 0), float(norm.vmax or 0), isinstance(norm, LogNorm)
    ticks = style.find_ticks(low, high, log=log)
    bar.set_ticks(ticks.tolist(), labels=format_ticks(ticks, log=log))
    bar.ax.minorticks_off()
    style.set_name(bar.ax, "y", name, 1.9)


def _explain(
    errors: NDArray[np.float64],
    diverged: NDArray[np.bool_],
    stopped: NDArray[np.bool_],
    best: tuple[int, int] | None,
    norm: Normalize,
    unit: str,
) -> list[str]:
    """Return what the colours and the marks mean, of those that are there, a sentence each."""
    finite = np.isfinite(errors)
    notes = ["The darker, the lower the error."] if finite.any() else []
    if best is not None and finite[best]:
        notes.append(f"Outlined: the best, {format_error(errors[best], unit)}.")
    highest = float(norm.vmax or 0)
    if (errors[finite] > highest * (1 + 1e-9)).any():
        notes.append(f"Palest: over {format_error(highest, unit)}.")
    if diverged.any():
        notes.append("Hatched: diverged.")
    if stopped.any():
        notes.append("Hollow: stopped early, the error after fewer epochs.")
    if (~finite & ~diverged).any():
        notes.append("White: not tried.")
    return notes
