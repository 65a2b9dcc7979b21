"""The error over two of a sweep's parameters, as a map on which the best stands out.

X and Y are the numbers of values across and upwards.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch, Rectangle
from matplotlib.path import Path as Outline
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray

from mnistlab.plots import page, style, words
from mnistlab.plots.axes import numeric
from mnistlab.plots.sweep_colors import DIVERGED, ErrorColors
from mnistlab.plots.sweep_labels import PERCENT, in_lines, spell, tell_error, tell_values

_BAR = 1.1  # inches right of the map, for the colour bar and its labels
_HIGHEST = 5.6  # inches of the map
_WIDEST_LABEL = 1.4  # inches
_LINE = 0.16  # inches between two tick labels
_SMALLEST_TEXT = 7.0  # points in a cell; below it the colour has to do
_HATCH = "#E3A987"


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
    """Draw the error of each pair of values, the lower the darker.

    Rows of numbers rise from the bottom as on an axis, rows of names are read from the top.

    Args:
        x_values: X values of the parameter across, numbers or names, in the order drawn.
        y_values: Y values of the parameter upwards.
        errors: (Y, X), NaN where no trial was run or none has an error.
        diverged: (Y, X) whether training diverged.
        x_name: of the parameter across.
        y_name: of the parameter upwards.
        best: the row and column to be outlined.
        title: one line; cut if it is too long.
        details: a smaller line below it, if there is more to say.
        error_name: what the colours show.
        unit: of the errors: " %" or nothing.
        stopped: (Y, X) whether training was stopped early: hollow cells.

    Returns:
        The figure; to be written by `page.save`.
    """
    errors = np.where(np.isfinite(errors), errors, np.nan).astype(float)
    Y, X = errors.shape
    if not errors.size:
        return page.new_figure(0.1, title, [details, "No trial was run."])
    diverged = np.asarray(diverged, dtype=bool)
    stopped = np.zeros((Y, X), dtype=bool) if stopped is None else np.asarray(stopped, dtype=bool)
    if numeric(y_values) is not None:
        y_values, errors = list(y_values)[::-1], errors[::-1]
        diverged, stopped = diverged[::-1], stopped[::-1]
        best = None if best is None else (Y - 1 - best[0], best[1])
    columns, rows = _labels(x_values), _labels(y_values)
    left = style.MARGIN + _widest(rows) + 0.1
    room = style.WIDTH - style.MARGIN - _BAR - left
    cell = _cell(X, Y, room)
    upright = _widest(columns) > cell[0] - 0.08
    bottom = 0.42 + (_widest(columns) if upright else _LINE)
    corner, size = np.array([left, bottom]), cell * (X, Y)

    kept = np.where(diverged, np.nan, errors)
    stopped = stopped & np.isfinite(kept)
    colors = ErrorColors.of(kept)
    height = max(size[1], 1.7)
    marks = _explain_marks(diverged, stopped, np.isnan(errors) & ~diverged)
    notes = _explain(kept, best, colors, unit)
    figure = page.new_figure(bottom + height + 0.4, title, [details, *in_lines(notes + marks)])
    axes = page.canvas(figure)
    corner[1] += height - size[1]
    _draw_cells(axes, kept, stopped, colors, corner, cell)
    if diverged.any():
        _hatch(axes, diverged, corner, cell)
    _write_errors(axes, kept, diverged, stopped, colors, corner, cell)
    if best is not None:
        _outline(axes, best, Y, corner, cell)
    _label_columns(axes, columns, corner, cell, upright)
    _label_rows(axes, rows, corner, cell)
    _name_sides(axes, x_name, y_name, corner, size, 0.18 + corner[1] - bottom)
    bar = (corner[0] + size[0] + 0.2, corner[1] + size[1] - min(height, 3.0))
    colors.draw_bar(axes, bar, (0.15, min(height, 3.0)), spell(error_name))
    return figure


def _cell(X: int, Y: int, room: float) -> NDArray[np.float64]:
    """Return the width and height of a cell in inches, larger where there are only a few."""
    width = min(room / X, max(1.15, min(1.8, 4 / X)))
    height = min(_HIGHEST / Y, max(0.55, min(0.85, 1.7 / Y)))
    return np.array([width, height])


def _labels(values: Sequence[Any]) -> list[str]:
    return [words.fit(text, style.SMALL, _WIDEST_LABEL) for text in tell_values(values)]


def _widest(texts: Sequence[str]) -> float:
    return max(words.text_width(text, style.SMALL) for text in texts)


def _explain(
    kept: NDArray[Any], best: tuple[int, int] | None, colors: ErrorColors, unit: str
) -> list[str]:
    """Return what the colours mean, a sentence each."""
    notes = ["The darker, the lower the error."] if np.isfinite(kept).any() else []
    if best is not None and np.isfinite(kept[best]):
        notes.append(f"Outlined: the best, {tell_error(kept[best], unit)}.")
    if colors.beyond(kept):
        notes.append(f"Palest: over {tell_error(colors.scale.high, unit)}.")
    return notes


def _explain_marks(
    diverged: NDArray[np.bool_], stopped: NDArray[np.bool_], absent: NDArray[np.bool_]
) -> list[str]:
    """Return what the marks mean, of those that are there."""
    notes = []
    if diverged.any():
        notes.append("Hatched: diverged.")
    if stopped.any():
        notes.append("Hollow: stopped early, the error after fewer epochs.")
    if absent.any():
        notes.append("White: not tried.")
    return notes


def _draw_cells(
    axes: Axes,
    kept: NDArray[np.float64],
    stopped: NDArray[np.bool_],
    colors: ErrorColors,
    corner: NDArray[Any],
    cell: NDArray[Any],
) -> None:
    """Colour the cells, of those that were stopped only a rim."""
    Y, X = kept.shape
    width, height = cell * (X, Y)
    left, bottom = corner
    page.paint(axes, colors(kept), (left, bottom), (width, height))
    rim = min(0.07, 0.2 * cell.min())
    hollow = PathPatch(_area(stopped, corner, cell, rim), facecolor="white", linewidth=0)
    if stopped.any():
        axes.add_patch(hollow)
    white: dict[str, Any] = {"color": "white", "linewidth": min(1.0, 4 * cell.min())}
    axes.hlines(bottom + np.arange(1, Y) * cell[1], left, left + width, **white)
    axes.vlines(left + np.arange(1, X) * cell[0], bottom, bottom + height, **white)
    axes.add_patch(
        Rectangle((left, bottom), width, height, fill=False, edgecolor=style.FAINT, linewidth=0.8)
    )


def _write_errors(
    axes: Axes,
    kept: NDArray[np.float64],
    diverged: NDArray[np.bool_],
    stopped: NDArray[np.bool_],
    colors: ErrorColors,
    corner: NDArray[Any],
    cell: NDArray[Any],
) -> None:
    """Write the errors into the cells, where these are large enough."""
    finite = np.isfinite(kept)
    texts = np.full(kept.shape, "", dtype=object)
    texts[finite] = [words.number(error) for error in kept[finite]]
    texts[diverged] = "div."
    widest = max(words.text_width(text, 1) for text in texts.flat)
    size = min(style.BODY, 0.86 * cell[0] / (widest or 1), 0.6 * 72 * cell[1])
    if size < _SMALLEST_TEXT:
        return
    dark = np.nan_to_num(colors.strength(kept)) > 0.68  # there white is easier to read than ink
    for chosen, color in (
        (finite & ~dark & ~stopped, style.INK),
        (finite & dark & ~stopped, "white"),
        (stopped, style.MUTED),
        (diverged, style.VERMILION),
    ):
        row, column = np.nonzero(chosen)
        centres = np.column_stack((column + 0.5, len(kept) - row - 0.5)) * cell + corner
        written = words.Words(texts[row, column].tolist(), centres, size=size, color=color)
        written.set_zorder(2)
        if chosen is diverged:
            written.set_path_effects([withStroke(linewidth=3, foreground=DIVERGED)])
        axes.add_artist(written)


def _hatch(
    axes: Axes, diverged: NDArray[np.bool_], corner: NDArray[Any], cell: NDArray[Any]
) -> None:
    """Fill the cells with slanted lines, which stay visible in print without colours."""
    area = PathPatch(_area(diverged, corner, cell, 0), facecolor=DIVERGED, linewidth=0)
    axes.add_patch(area)
    height = cell[1] * len(diverged)
    low, high = corner[0] - height, corner[0] + cell[0] * diverged.shape[1]
    begins = np.arange(low, high, 0.075)
    ends = np.column_stack((begins + height, np.full(len(begins), corner[1] + height)))
    lines = np.stack((np.column_stack((begins, np.full(len(begins), corner[1]))), ends), axis=1)
    slants = LineCollection(list(lines), colors=_HATCH, linewidths=0.7, zorder=1)
    axes.add_collection(slants, autolim=False)
    slants.set_clip_path(area)


def _area(
    chosen: NDArray[np.bool_], corner: NDArray[Any], cell: NDArray[Any], rim: float
) -> Outline:
    """Return the outline of all the chosen cells, without a rim of so many inches."""
    row, column = np.nonzero(chosen)
    starts = np.column_stack((column, len(chosen) - 1 - row)) * cell + corner + rim
    square = np.array([[0, 0], [1, 0], [1, 1], [0, 1], [0, 0]]) * (cell - 2 * rim)
    vertices = (starts[:, np.newaxis] + square).reshape(-1, 2)
    codes = [Outline.MOVETO, *[Outline.LINETO] * 3, Outline.CLOSEPOLY] * len(starts)
    return Outline(vertices, codes)


def _outline(
    axes: Axes, best: tuple[int, int], Y: int, corner: NDArray[Any], cell: NDArray[Any]
) -> None:
    """Draw a dark frame around a cell, with a white one outside of it."""
    at = np.array([best[1], Y - 1 - best[0]]) * cell + corner
    for edge, width in (("white", 4.2), (style.INK, 2.2)):
        axes.add_patch(
            Rectangle(
                (at[0], at[1]), cell[0], cell[1], fill=False, edgecolor=edge, linewidth=width,
                joinstyle="miter", zorder=4,
            )
        )  # fmt: skip


def _label_columns(
    axes: Axes, texts: Sequence[str], corner: NDArray[Any], cell: NDArray[Any], upright: bool
) -> None:
    """Write the values below the map, every second or so where cells are narrow."""
    stride = int(np.ceil(_LINE / cell[0])) if upright else 1
    x = corner[0] + (np.arange(len(texts))[::stride] + 0.5) * cell[0]
    anchors = np.column_stack((x, np.full(len(x), corner[1] - (0.08 if upright else 0.14))))
    align, angle = (1.0, 90.0) if upright else (0.5, 0.0)
    axes.add_artist(
        words.Words(texts[::stride], anchors, size=style.SMALL, align=align, angle=angle)
    )


def _label_rows(axes: Axes, texts: Sequence[str], corner: NDArray[Any], cell: NDArray[Any]) -> None:
    """Write the values before the map, every second or so where cells are low."""
    stride = int(np.ceil(_LINE / cell[1]))
    y = corner[1] + (len(texts) - np.arange(len(texts))[::stride] - 0.5) * cell[1]
    anchors = np.column_stack((np.full(len(y), corner[0] - 0.08), y))
    axes.add_artist(words.Words(texts[::stride], anchors, size=style.SMALL, align=1))


def _name_sides(
    axes: Axes, x_name: str, y_name: str, corner: NDArray[Any], size: NDArray[Any], below: float
) -> None:
    """Write the name of what goes across below the map, the other above its row labels."""
    room = style.WIDTH - 2 * style.MARGIN
    across = words.fit(spell(x_name), style.BODY, room)
    half = words.text_width(across, style.BODY) / 2
    middle = max(corner[0] + size[0] / 2, style.MARGIN + half)
    axes.add_artist(words.Words([across], np.array([[middle, below]])))
    above = np.array([[style.MARGIN, corner[1] + size[1] + 0.17]])
    upwards = words.fit(spell(y_name), style.BODY, room)
    axes.add_artist(words.Words([upwards], above, align=0))
