"""The error over several of a sweep's parameters: maps of two or three, lines through more.

T is the number of trials, X and Y those of values across and upwards, P that of parallel axes.
"""

import math
import textwrap
from collections.abc import Sequence
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


@style.house_style
def error_map(view: SweepView, panel: str | None = None) -> Figure:
    """Return a map of the errors over two parameters of a sweep, the lower the darker.

    With `panel`, a third parameter, maps lie side by side for each of its values. Cells of trials
    that diverged are hatched, those of trials stopped early are hollow, and the best is outlined.
    """
    x, y = [key for key in view.keys if key != panel]
    x, y = (y, x) if panel and y == "learning_rate" else (x, y)
    parts = view.values(panel) if panel else [None] * len(view.errors)
    (part_values, at), (y_values, up), (x_values, along) = (
        rank(values) for values in (parts, view.values(y), view.values(x))
    )
    columns, rows = ([cut(format_value(v), 20) for v in values] for values in (x_values, y_values))
    shape = P, Y, X = len(part_values), len(rows), len(columns)
    known, place_of = np.isfinite(view.errors) & ~view.diverged, (at, up, along)
    errors, diverged = np.full(shape, np.nan), np.zeros(shape, bool)
    stopped, best = np.zeros((2, *shape), bool)
    errors[tuple(axis[known] for axis in place_of)] = view.errors[known]
    diverged[place_of], stopped[place_of] = view.diverged, view.stopped & known
    if view.best is not None:
        best[tuple(axis[view.best] for axis in place_of)] = True

    across = P if P <= 4 else 3
    down = -(-P // across)
    width = min((_WIDEST + 0.4 - 0.25 * across) / across / X, 1.6)
    cell = np.array([width, min(5.6 / Y, 0.75, max(0.6 * width, 0.24))])
    longest = max(style.measure(name, style.SMALL) for name in columns)
    below = longest if longest + 0.1 > 0.9 * cell[0] else 0.15
    figure = style.new_figure(down * (max(cell[1] * Y, 1.3 / down) + 0.45 + below) + 0.5)
    part = across * X * width / _WIDEST
    ratios = [part / across] * across + ([1 - part] if part < 0.85 else [])
    grid = figure.subplots(
        down, len(ratios), width_ratios=ratios, sharex=True, sharey=True, squeeze=False
    )
    panels = grid[:, :across].ravel()[:P].tolist()
    for axes in set(grid.flat) - set(panels):
        axes.set_axis_off()
    norm = _find_norm(errors)
    for one, axes in enumerate(panels):
        mesh = _draw_cells(axes, errors[one], diverged[one], stopped[one], best[one], norm, cell)
        style.name_ticks(axes, columns, 0.9 * cell[0])
        stride = int(np.ceil(0.16 / cell[1]))
        axes.set_yticks(range(Y)[::stride], rows[::stride])
        if panel:
            name = cut(f"{spell(panel)} {format_value(part_values[one])}", 40)
            size = style.shrink(name, style.BODY, _WIDEST / across)
            axes.set_title(name, fontsize=size, loc="left")
    rises = numeric(y_values) is not None
    panels[0].set_ylim((-0.5, Y - 0.5) if rises else (Y - 0.5, -0.5))  # the panels share it
    if panel:
        figure.supxlabel(cut(spell(x), 50), fontsize=style.BODY)
        figure.supylabel(cut(spell(y), 50), fontsize=style.BODY)
    else:
        style.name_axis(panels[0].xaxis, x, 6.0)
        style.name_axis(panels[0].yaxis, y, cell[1] * Y + 0.4)
    _add_bar(figure, panels, mesh, norm, view.error_name)
    untried = bool((np.isnan(errors) & ~diverged).any())
    return style.add_head(figure, view.title, view.details, _explain(view, norm, untried=untried))


def has_map(view: SweepView) -> bool:
    """Return whether there are two parameters that span a plane, few enough values of each."""
    if len(view.keys) != 2:
        return False
    x, y = (len(rank(view.values(key))[0]) for key in view.keys)
    return max(x, y) < len(view.results) and 2 * len(view.results) > x * y and max(x, y) <= 64


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


def _draw_cells(
    axes: Axes,
    errors: Array,
    diverged: Array,
    stopped: Array,
    best: Array,
    norm: Normalize,
    cell: Array,
) -> QuadMesh:
    """Draw a map (Y, X) whose cells have this width and height in inches."""
    mesh = style.color_cells(
        axes, np.ma.masked_invalid(errors), min(1.0, 4 * cell.min()), norm=norm, cmap=_blues(0.1)
    )
    _mark(  # between the white lines
        axes, diverged, 0.007 / cell, facecolor=style.DIVERGED, edgecolor=_HATCH,
        hatch="////", linewidth=0,
    )  # fmt: skip
    _mark(axes, stopped, np.minimum(0.08 / cell, 0.2), facecolor="white", linewidth=0)
    texts = np.where(diverged, "div.", "").astype(object)
    texts[np.isfinite(errors)] = [number(error) for error in errors[np.isfinite(errors)]]
    dark = (np.ma.filled(norm(np.ma.masked_invalid(errors)), 1) < 0.32) & ~stopped
    style.write_cells(axes, texts, dark, cell, smallest=6.0)  # else the colour has to do
    _mark(
        axes, best, facecolor="none", edgecolor=style.INK, linewidth=2.2, zorder=5,
        path_effects=style.HALO,
    )  # fmt: skip
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


def _explain(view: SweepView, norm: Normalize, *, untried: bool) -> list[str]:
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
    if untried:  # a cell has no trial
        ended = {"failed", "interrupted"} & set(view.statuses)
        notes.append(f"White: {' or '.join(['not tried', *sorted(ended)])}.")
    return notes


@style.house_style
def parallel_coordinates(view: SweepView) -> Figure:
    """Return each trial of a sweep as a line through its parameters to its error on the right.

    The first 8 parameters are drawn. The lower its error among the others, the darker a line and
    the further in front; lines through the same value lie side by side in the order of their
    errors. Lines of trials that diverged or failed end above the axis of errors.
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
