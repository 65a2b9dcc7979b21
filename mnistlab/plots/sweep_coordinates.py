"""A sweep of several parameters at once: a line per trial, across an axis per parameter.

T is the number of trials.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray

from mnistlab.plots import page, style, words
from mnistlab.plots.axes import Scale, numeric
from mnistlab.plots.sweep_colors import ErrorColors
from mnistlab.plots.sweep_labels import (
    PERCENT,
    distinct,
    in_lines,
    in_order,
    spans_decades_from_zero,
    spell,
    tell_error,
    tell_values,
    with_one_style,
)

MOST = 8  # parameters in the figure
_LEFT, _RIGHT = 0.55, 7.05  # inches: the first and the last axis
_BOTTOM, _HEIGHT = 0.3, 3.1  # inches of an axis
_DIVERGED = 0.25  # inches above the axis of errors
_LINE = 0.17  # inches between two tick labels
_EXACT = 8  # values up to which each one is a tick
_SPREAD = 0.5  # of the way to the next value: the width of a bundle through one value
_WIDEST_BUNDLE = 0.14  # of an axis
_LOST = "#D9A98F"  # a pale vermilion for lines


@dataclass(frozen=True)
class _Axis:
    """A parameter: where on its axis each trial lies, from 0 to 1, and the ticks."""

    name: str
    places: NDArray[np.float64]
    ticks: NDArray[np.float64]
    labels: list[str]

    @classmethod
    def of(cls, name: str, values: Sequence[Any]) -> Self:
        """Return the axis of a parameter: names evenly spaced, numbers where they lie."""
        numbers = numeric(values)
        if numbers is None or spans_decades_from_zero(numbers):
            texts = tell_values(values)
            names = list(dict.fromkeys(tell_values(distinct(values))))
            ticks = (np.arange(len(names)) + 0.5) / len(names)
            ticks = ticks[::-1] if numbers is None else ticks  # names are read from the top
            where = dict(zip(names, ticks, strict=True))
            return cls(name, np.array([where[text] for text in texts]), ticks, names)
        exact = np.unique(numbers)
        pad = 0.03 if len(exact) == len(numbers) else 0.08  # bundles are wider than lines
        scale = with_one_style(Scale.of(numbers, pad=(pad, pad)))
        if len(exact) <= _EXACT:
            labels = tell_values(exact.tolist())
            return cls(name, scale.place(numbers), scale.place(exact), labels)
        return cls(name, scale.place(numbers), scale.place(scale.ticks), scale.labels)

    def spread(self, order: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the places, the trials of each value side by side as `order` (T,) has them.

        `order` is from 0 for the best, whose line is the lowest as on the axis of errors, to 1.
        """
        values, counts = np.unique(self.places, return_counts=True)
        if len(values) == len(self.places):
            return self.places
        gap = float(np.diff(values).min()) if len(values) > 1 else 1.0
        width = min(_SPREAD * gap, _WIDEST_BUNDLE)
        shared = counts[np.searchsorted(values, self.places)] > 1
        spread: NDArray[np.float64] = self.places + np.where(shared, width * (order - 0.5), 0)
        return np.clip(spread, 0, 1)


@style.house_style
def parallel_coordinates(
    names: Sequence[str],
    columns: Sequence[Sequence[Any]],
    errors: NDArray[Any],
    *,
    best: int | None,
    title: str,
    details: str = "",
    error_name: str = "validation error rate (%)",
    unit: str = PERCENT,
) -> Figure:
    """Draw each trial as a line through its parameters' values to its error on the right.

    The lower its error among the others, the darker a line and the further in front; lines
    through the same value lie side by side in the order of their errors. Numbers that span more
    than a factor of ten have a logarithmic axis; names are evenly spaced in the order they come.

    Args:
        names: of the parameters; at most the first 8 are drawn.
        columns: for each parameter, T values.
        errors: (T,), NaN where training diverged.
        best: the trial drawn thick in front.
        title: one line; cut if it is too long.
        details: a smaller line below it, if there is more to say.
        error_name: of the last axis.
        unit: of the errors: " %" or nothing.

    Returns:
        The figure; to be written by `page.save`.
    """
    errors = np.where(np.isfinite(errors), errors, np.nan).astype(float)
    if not len(errors):
        return page.new_figure(0.1, title, [details, "No trial was run."])
    chosen = [
        _Axis.of(spell(name), column)
        for name, column in zip(names[:MOST], columns[:MOST], strict=True)
    ]
    order = in_order(errors)
    last = _error_axis(spell(error_name), errors)
    notes = in_lines(_explain(errors, best, len(names), unit))
    x = np.linspace(_LEFT, _RIGHT, len(chosen) + 1) if chosen else np.array([_RIGHT])
    gap = float(x[1] - x[0]) if chosen else style.WIDTH
    heads, anchors = _place_names([axis.name for axis in (*chosen, last)], x, gap)
    figure = page.new_figure(anchors[:, 1].max() + 0.15, title, [details, *notes])
    axes = page.canvas(figure)
    ranks = np.nan_to_num(order, nan=len(errors) - 1) / max(len(errors) - 1, 1)
    places = [*(axis.spread(ranks) for axis in chosen), last.places]
    y = _BOTTOM + _HEIGHT * np.column_stack(places)
    lines = np.stack((np.broadcast_to(x, y.shape), y), axis=-1)
    _draw_trials(axes, lines, order)
    if best is not None:
        _draw_best(axes, lines[best])
    axes.vlines(x, _BOTTOM, _BOTTOM + _HEIGHT, color=style.MUTED, linewidth=1.0, zorder=4)
    for axis, place in zip(chosen, x, strict=False):
        _label_ticks(axes, axis, place, gap - 0.2)
    _label_ticks(axes, last, _RIGHT, style.WIDTH - _RIGHT - 0.15)
    axes.add_artist(words.Words(heads, anchors, size=style.SMALL))
    return figure


def _explain(
    errors: NDArray[np.float64], best: int | None, parameters: int, unit: str
) -> list[str]:
    """Return what the lines mean, of those that are there, a sentence each."""
    notes = ["The darker a line, the lower its error."]
    if best is not None and np.isfinite(errors[best]):
        notes.append(f"Black: the best, {tell_error(errors[best], unit)}.")
    if np.isnan(errors).any():
        notes.append("Dashed: diverged.")
    if parameters > MOST:
        notes.append(f"The first {MOST} of {parameters} parameters.")
    return notes


def _error_axis(name: str, errors: NDArray[np.float64]) -> _Axis:
    """Return the axis on the right, with a place above it for what diverged."""
    finite = errors[np.isfinite(errors)]
    if not len(finite):
        return _Axis(name, np.ones(len(errors)), np.ones(1), ["diverged"])
    lost = len(finite) < len(errors)
    scale = with_one_style(Scale.of(finite, pad=(0.03, 0.03)))
    reach = 1 - _DIVERGED / _HEIGHT if lost else 1.0
    places = np.where(np.isfinite(errors), reach * scale.place(errors), 1.0)
    ticks, labels = reach * scale.place(scale.ticks), list(scale.labels)
    if not lost:
        return _Axis(name, places, ticks, labels)
    return _Axis(name, places, np.append(ticks, 1.0), [*labels, "diverged"])


def _draw_trials(axes: Axes, lines: NDArray[Any], order: NDArray[np.float64]) -> None:
    """Draw the trials, the best ones last; the more there are, the thinner and paler.

    The colours follow the `order` (T,) and not the errors: these often lie in a few clusters.
    """
    colors, count = ErrorColors.of(order, palest=0.25), len(order)
    width, alpha = np.interp(np.log10(count), (1.3, 3), (1.5, 0.6)), min(1.0, 6 * count**-0.5)
    lost = np.isnan(order)
    # Step by step, so that the dashes of lines which share one coincide.
    steps = np.stack((lines[lost, :-1], lines[lost, 1:]), axis=2).reshape(-1, 2, 2)
    dashed = LineCollection(
        list(steps), colors=_LOST, linewidths=0.8 * width, alpha=min(1.0, alpha + 0.1),
        linestyles=[(0, (4, 2.5))], zorder=1,
    )  # fmt: skip
    front = np.flatnonzero(~lost)[np.argsort(-order[~lost], kind="stable")]
    solid = LineCollection(
        list(lines[front]), colors=colors(order[front]), linewidths=width, alpha=alpha, zorder=2
    )
    for collection in (dashed, solid):
        axes.add_collection(collection, autolim=False)


def _draw_best(axes: Axes, line: NDArray[Any]) -> None:
    """Draw a thick dark line with a white edge and a mark on each axis."""
    axes.plot(*line.T, color="white", linewidth=4.6, zorder=3)
    axes.plot(
        *line.T, color=style.INK, linewidth=2.4, marker="D", markersize=6, label="best",
        markeredgecolor="white", markeredgewidth=0.8, zorder=5,
    )  # fmt: skip


def _label_ticks(axes: Axes, axis: _Axis, x: float, room: float) -> None:
    """Write as many of an axis' ticks as fit, right of it and legible on top of the lines."""
    heights = _BOTTOM + _HEIGHT * axis.ticks
    kept: list[int] = []
    for tick in np.argsort(heights)[::-1]:  # from the top, where "diverged" stands
        if not kept or heights[kept[-1]] - heights[tick] >= _LINE:
            kept.append(int(tick))
    axes.hlines(heights[kept], x - 0.03, x + 0.03, color=style.MUTED, linewidth=0.8, zorder=4)
    texts = [words.fit(axis.labels[tick], style.SMALL, room) for tick in kept]
    anchors = np.column_stack((np.full(len(kept), x + 0.08), heights[kept]))
    written = words.Words(texts, anchors, size=style.SMALL, align=0)
    written.set_path_effects([withStroke(linewidth=4, foreground="white")])
    written.set_zorder(6)
    axes.add_artist(written)


def _place_names(names: Sequence[str], x: NDArray[Any], gap: float) -> tuple[list[str], Any]:
    """Return the names, cut, and their anchors: every second one higher where they would touch."""
    rooms = [min((2 * gap + 0.2) / 1.5, 2.4)] * (len(names) - 1) + [min(2 * gap + 0.05, 2.4)]
    texts = [words.fit(name, style.SMALL, room) for name, room in zip(names, rooms, strict=True)]
    halves = np.array([words.text_width(text, style.SMALL) / 2 for text in texts])
    low, high = style.MARGIN + halves, style.WIDTH - style.MARGIN / 2 - halves
    centres = np.clip(x, low, np.maximum(low, high))
    touching = (np.diff(centres) < halves[:-1] + halves[1:] + 0.12).any()
    lifts = np.arange(len(x))[::-1] % 2 if touching else np.zeros(len(x))
    return texts, np.column_stack((centres, _BOTTOM + _HEIGHT + 0.2 + 0.2 * lifts))
