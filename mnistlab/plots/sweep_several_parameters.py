"""The error over several of a sweep's parameters: a map of two, a line per trial through more.

T is the number of trials, X and Y those of values across and upwards, P that of parallel axes.
"""

import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PatchCollection, QuadMesh
from matplotlib.colors import Colormap, ListedColormap, LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from mnistlab.plots import style
from mnistlab.plots.style import Array, cut, format_error, format_value, number, numeric, spell
from mnistlab.plots.views import SweepView, place, rank

MOST = 8  # parameters as parallel axes
_WIDEST = 6.0  # inches of the map
_MOST_PANELS, _MOST_SIDE = 6, 12  # maps side by side, and their rows and columns
_HATCH, _LOST = "#E3A987", "#D9A98F"  # pale vermilions, of a cell and of lines
_ABOVE = 1.07  # of the axis of errors: where what diverged lies


def _blues(palest: float) -> Colormap:
    """Return blues from dark to the one that is `palest`, a part of the whole range."""
    return ListedColormap(matplotlib.colormaps["Blues"](np.linspace(0.95, palest, 256)).tolist())


def _find_norm(errors: Array) -> Normalize:
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


@dataclass(frozen=True)
class _Cells:
    """The trials of a map: Y rows and X columns with their names, all arrays are (Y, X).

    `errors` are NaN where no trial is known, `stopped` is told of known trials alone.
    """

    columns: list[str]
    rows: list[str]
    errors: Array
    diverged: Array
    stopped: Array
    best: Array
    rises: bool

    @property
    def untried(self) -> bool:
        """Whether a cell has no trial."""
        return bool((np.isnan(self.errors) & ~self.diverged).any())


def _collect(view: SweepView, x: str, y: str, chosen: Array) -> _Cells:
    """Return the `chosen` trials (T,) by two parameters."""
    (x_values, across), (y_values, upwards) = (rank(view.values(key)) for key in (x, y))
    columns, rows = ([cut(format_value(v), 20) for v in values] for values in (x_values, y_values))
    shape = len(y_values), len(x_values)
    errors, best = np.full(shape, np.nan), np.zeros(shape, bool)
    diverged, stopped = np.zeros((2, *shape), bool)
    known = np.isfinite(view.errors) & ~view.diverged & chosen
    errors[upwards[known], across[known]] = view.errors[known]
    diverged[upwards[chosen], across[chosen]] = view.diverged[chosen]
    stopped[upwards[chosen], across[chosen]] = (view.stopped & known)[chosen]
    if view.best is not None and chosen[view.best]:
        best[upwards[view.best], across[view.best]] = True
    rises = numeric(y_values) is not None
    return _Cells(columns, rows, errors, diverged, stopped, best, rises)


@style.house_style
def error_map(view: SweepView) -> Figure:
    """Return a map of the errors over the two parameters of a sweep, the lower the darker.

    Rows of numbers rise from the bottom as on an axis, rows of names are read from the top. Cells
    of trials that diverged are hatched, those of trials that were stopped early are hollow, and the
    best is outlined.
    """
    x, y = view.keys
    cells = _collect(view, x, y, np.ones(len(view.errors), bool))
    Y, X = cells.errors.shape
    cell = np.array([min(_WIDEST / X, 1.6), min(5.6 / Y, 0.75)])
    longest = max(style.measure(name, style.SMALL) for name in cells.columns)
    below = longest if longest + 0.1 > cell[0] else 0.15
    figure = style.new_figure(max(cell[1] * Y, 1.3) + 0.75 + below)
    part = cell[0] * X / _WIDEST
    ratios = (part, 1 - part) if part < 0.9 else (1,)
    axes = figure.add_subplot(figure.add_gridspec(1, len(ratios), width_ratios=ratios)[0])
    norm = _find_norm(cells.errors)
    mesh = _draw_cells(axes, cells, norm, cell)
    style.name_axis(axes.xaxis, x, 6.0)
    above = cut(spell(y), 50)
    axes.set_title(above, fontsize=style.shrink(above, style.BODY, 4.0), loc="left")
    _add_bar(figure, [axes], mesh, norm, view.error_name)
    return style.add_head(figure, view.title, view.details, _explain(view, norm, [cells]))


def panel_key(view: SweepView) -> str | None:
    """Return by which of three parameters maps of the others lie side by side, None by none."""
    if len(view.keys) != 3:
        return None
    counts = {key: len(rank(view.values(key))[0]) for key in view.keys}
    few = [key for key, count in counts.items() if 1 < count <= _MOST_PANELS]
    panel = "epochs" if "epochs" in few else min(few, key=lambda key: counts[key], default=None)
    if panel is None:
        return None
    sides = [count for key, count in counts.items() if key != panel]
    cells = math.prod(counts.values())
    is_plane = min(sides) > 1 and max(sides) <= _MOST_SIDE and 2 * len(view.results) > cells
    return panel if is_plane else None


@style.house_style
def error_maps(view: SweepView, panel: str) -> Figure:
    """Return maps of the errors over two of three parameters, side by side for each of the third's.

    Their colours are of one scale; all else is as in `error_map`.
    """
    others = [key for key in view.keys if key != panel]
    x, y = sorted(others, key=lambda key: key != "learning_rate")
    values, places = rank(view.values(panel))
    maps = [_collect(view, x, y, places == at) for at in range(len(values))]
    Y, X = maps[0].errors.shape
    across = len(maps) if len(maps) <= 4 else 3
    down = -(-len(maps) // across)
    cell = np.array([(_WIDEST + 0.4 - 0.25 * across) / across / X, 0])
    cell[1] = min(max(0.6 * cell[0], 0.24), 0.6)
    longest = max(style.measure(name, style.SMALL) for name in maps[0].columns)
    below = longest if longest + 0.1 > cell[0] else 0.15
    figure = style.new_figure(down * (cell[1] * Y + 0.45 + below) + 0.55)
    panels = figure.subplots(down, across, sharex=True, sharey=True, squeeze=False).ravel()
    norm = _find_norm(np.stack([one.errors for one in maps]))
    for axes, cells, value in zip(panels, maps, values, strict=False):
        mesh = _draw_cells(axes, cells, norm, cell)
        name = cut(f"{spell(panel)} {format_value(value)}", 40)
        size = style.shrink(name, style.BODY, _WIDEST / across)
        axes.set_title(name, fontsize=size, loc="left")
    for axes in panels[len(maps) :]:
        axes.set_axis_off()
    if maps[0].rises:  # the panels share one axis, which each of them has turned
        panels[0].set_ylim(-0.5, Y - 0.5)
    figure.supxlabel(cut(spell(x), 50), fontsize=style.BODY)
    figure.supylabel(cut(spell(y), 50), fontsize=style.BODY)
    _add_bar(figure, panels.tolist(), mesh, norm, view.error_name)
    return style.add_head(figure, view.title, view.details, _explain(view, norm, maps))


def _draw_cells(axes: Axes, cells: _Cells, norm: Normalize, cell: Array) -> QuadMesh:
    """Draw a map whose cells have this width and height in inches."""
    errors = cells.errors
    mesh = style.color_cells(
        axes, np.ma.masked_invalid(errors), min(1.0, 4 * cell.min()), norm=norm, cmap=_blues(0.1)
    )
    if cells.rises:
        axes.invert_yaxis()
    _mark(  # between the white lines
        axes, cells.diverged, 0.007 / cell, facecolor=style.DIVERGED, edgecolor=_HATCH,
        hatch="////", linewidth=0,
    )  # fmt: skip
    _mark(axes, cells.stopped, np.minimum(0.08 / cell, 0.2), facecolor="white", linewidth=0)
    texts = np.where(cells.diverged, "div.", "").astype(object)
    texts[np.isfinite(errors)] = [number(error) for error in errors[np.isfinite(errors)]]
    dark = (np.ma.filled(norm(np.ma.masked_invalid(errors)), 1) < 0.32) & ~cells.stopped
    style.write_cells(axes, texts, dark, cell, smallest=6.0)  # else the colour has to do
    _mark(
        axes, cells.best, facecolor="none", edgecolor=style.INK, linewidth=2.2, zorder=5,
        path_effects=style.HALO,
    )  # fmt: skip
    style.name_ticks(axes, cells.columns, cell[0])
    stride = int(np.ceil(0.16 / cell[1]))
    axes.set_yticks(range(len(cells.rows))[::stride], cells.rows[::stride])
    return mesh


def _mark(axes: Axes, chosen: Array, rim: Any = (0, 0), **look: Any) -> None:
    """Draw a rectangle over each chosen cell (Y, X), without a rim in parts of a cell."""
    width, height = 1 - 2 * np.asarray(rim, dtype=float)
    cells = [
        Rectangle((column - width / 2, row - height / 2), width, height)
        for row, column in np.argwhere(chosen)
    ]
    if cells:
        marks = PatchCollection(cells, joinstyle="miter", **{"zorder": 1.5} | look)
        axes.add_collection(marks, autolim=False)


def _add_bar(figure: Figure, axes: list[Axes], mesh: QuadMesh, norm: Normalize, name: str) -> None:
    """Draw the colours beside the maps, the lowest error at the bottom."""
    log, ends = isinstance(norm, LogNorm), np.array([norm.vmin or 0.0, norm.vmax or 0.0])
    start, end = np.log10(ends) if log else ends
    ticks, labels = style.find_ticks(float(start), float(end), log=log)
    look: dict[str, Any] = {"aspect": 20, "fraction": 0.05, "pad": 0.03, "anchor": (0, 1)}
    bar = figure.colorbar(mesh, ax=axes, ticks=ticks, format=labels, **look)
    bar.ax.minorticks_off()
    style.name_axis(bar.ax.yaxis, name, 1.9)


def _explain(view: SweepView, norm: Normalize, maps: Sequence[_Cells]) -> list[str]:
    """Return what the colours and the marks of maps mean, of those that are there."""
    known = np.isfinite(view.errors) & ~view.diverged
    notes = ["The darker, the lower the error."] if known.any() else []
    if view.best is not None and known[view.best]:
        notes.append(f"Outlined: the best, {format_error(view.errors[view.best], view.unit)}.")
    if (view.errors[known] > (norm.vmax or 0) * (1 + 1e-9)).any():
        highest = format_error(float(view.errors[known].max()), view.unit)
        notes.append(
            f"Palest: over {format_error(norm.vmax or 0, view.unit)}, {highest} at the highest."
        )
    if view.diverged.any():
        notes.append("Hatched: diverged.")
    if (view.stopped & known).any():
        notes.append("Hollow: stopped early, the error after fewer epochs.")
    if any(one.untried for one in maps):
        ended = {"failed", "interrupted"} & set(view.statuses)
        notes.append(f"White: {' or '.join(['not tried', *sorted(ended)])}.")
    return notes


@style.house_style
def parallel_coordinates(view: SweepView) -> Figure:
    """Return each trial of a sweep as a line through its parameters to its error on the right.

    The first 8 parameters are drawn. The lower its error among the others, the darker a line and
    the further in front; lines through the same value lie side by side in the order of their
    errors. Numbers that span more than a factor of ten have a logarithmic axis; names are evenly
    spaced. Lines of trials that diverged or failed end above the axis of errors.
    """
    errors, T = view.errors, len(view.errors)
    finite = np.isfinite(errors)
    # the colours follow the order and not the errors: these often lie in a few clusters
    order = np.where(finite, np.searchsorted(np.sort(errors[finite]), errors), T - 1)
    ranks = order / max(T - 1, 1)
    P = min(len(view.keys), MOST) + 1
    figure = style.new_figure(4.1)
    axes = figure.subplots()
    axes.set_axis_off()
    axes.set(xlim=(0, max(P - 1, 1)), ylim=(0, 1))
    heights = np.full((T, P), _ABOVE)
    for at, key in enumerate(view.keys[:MOST]):
        scale = _add_scale(axes, at, key, P)
        heights[:, at] = _place_values(scale, view.values(key), ranks, max(8, 72 // P))
    scale = _add_scale(axes, P - 1, view.error_name, P)
    if finite.any():
        style.fit_axis(scale.yaxis, errors[finite], pad=(0.03, 0.03), grid=False)
        heights[finite, -1] = style.fraction(scale.yaxis, errors[finite])
    else:
        scale.set_yticks([])
    lines = np.stack((np.broadcast_to(np.arange(P), (T, P)), heights), axis=-1)

    # the more there are, the thinner and paler
    width, alpha = np.interp(np.log10(T), (1.3, 3), (1.5, 0.6)), min(1.0, 6 * T**-0.5)
    thin: dict[str, Any] = {"linewidths": width, "alpha": alpha, "clip_on": False}
    # step by step, so that the dashes of lines which share one coincide
    steps = np.stack((lines[~finite, :-1], lines[~finite, 1:]), axis=2).reshape(-1, 2, 2)
    lost = LineCollection(list(steps), colors=_LOST, linestyles="dashed", **thin)
    front = np.flatnonzero(finite)[np.argsort(-order[finite], kind="stable")]
    solid = LineCollection(list(lines[front]), colors=_blues(0.25)(ranks[front]), zorder=2, **thin)
    axes.add_collection(lost, autolim=False)
    axes.add_collection(solid, autolim=False)
    notes = ["The darker a line, the lower its error."]
    if view.best is not None:
        axes.plot(
            *lines[view.best].T, color=style.INK, linewidth=2.4, marker="D", markersize=6,
            markeredgecolor="white", markeredgewidth=0.8, zorder=3, label="best", clip_on=False,
            path_effects=style.HALO,
        )  # fmt: skip
        if finite[view.best]:
            notes.append(f"Black: the best, {format_error(errors[view.best], view.unit)}.")
    if not finite.all():
        statuses = " or ".join(sorted({view.statuses[trial] for trial in np.flatnonzero(~finite)}))
        notes.append(f"Dashed: {statuses}.")
        axes.annotate(
            statuses, (P - 1, _ABOVE), (5, 0), textcoords="offset points", fontsize=style.SMALL,
            verticalalignment="center_baseline", annotation_clip=False,
        )  # fmt: skip
    if len(view.keys) > MOST:
        notes.append(f"The first {MOST} of {len(view.keys)} parameters.")
    return style.add_head(figure, view.title, view.details, notes)


def _add_scale(axes: Axes, at: int, name: str, P: int) -> Axes:
    """Return axes whose vertical one stands at number `at` of P, with its name above."""
    scale = axes.twinx()
    scale.spines[["left", "bottom"]].set_visible(False)
    scale.spines["right"].set(visible=True, position=("axes", at / max(P - 1, 1)))
    scale.tick_params(direction="inout", pad=2)
    words = cut(spell(name).replace(".", ". "), 50)
    lines = textwrap.wrap(words, max(11, 100 // P)) or [""]
    axes.annotate(
        "\n".join(lines).replace(". ", "."), (at, _ABOVE), (0, 8), textcoords="offset points",
        horizontalalignment="center", verticalalignment="bottom", annotation_clip=False,
        fontsize=min(style.shrink(line, style.SMALL, 6.8 / P) for line in lines),
    )  # fmt: skip
    return scale


def _place_values(scale: Axes, values: Sequence[Any], ranks: Array, most: int) -> Array:
    """Scale the axis of a parameter's T values and return where the trials lie on it, from 0 to 1.

    Names, which have `most` letters, are evenly spaced from the top. Trials of one value lie side
    by side by their `ranks` (T,), from 0 for the best to 1.
    """
    numbers, names = place(values)
    exact, counts = np.unique(numbers, return_counts=True)
    if names:
        stride = -(-len(names) // 16)
        texts = [cut(text, most) for text in names[::stride]]
        scale.set_yticks(range(len(names))[::stride], texts)
        ends = (-0.5, len(names) - 0.5)
        scale.set_ylim(ends if numeric(values) is not None else ends[::-1])
    else:
        pad = 0.03 if len(exact) == len(numbers) else 0.08  # bundles are wider than lines
        style.fit_axis(scale.yaxis, numbers, pad=(pad, pad), grid=False)
        style.tick_exactly(scale.yaxis, numbers, 0.055)
    gap = np.abs(np.diff(style.fraction(scale.yaxis, exact), append=2)).min()
    for label in scale.get_yticklabels():
        label.set_path_effects(style.HALO)
    shared = counts[np.searchsorted(exact, numbers)] > 1
    width = np.where(shared, min(gap / 2, 0.14), 0)  # of a bundle
    return np.clip(style.fraction(scale.yaxis, numbers) + width * (ranks - 0.5), 0, 1)
