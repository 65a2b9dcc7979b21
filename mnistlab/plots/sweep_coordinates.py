"""A sweep of several parameters at once: a line per trial, across an axis per parameter.

T is the number of trials, P that of axes, the errors' among them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from numpy.typing import NDArray

from mnistlab.plots import style
from mnistlab.plots.labels import (
    PERCENT,
    cut,
    distinct,
    format_error,
    format_values,
    numeric,
    spans_decades_from_zero,
    spell,
)
from mnistlab.plots.sweep_map import error_colormap, error_norm

MOST = 8  # parameters in the figure
_TOP = 0.92  # of the axis of errors: above it lies what diverged
_LINE = 0.055  # of an axis between two tick labels
_EXACT = 8  # values up to which each one is a tick
_SPREAD = 0.5  # of the way to the next value: the width of a bundle through one value
_WIDEST_BUNDLE = 0.14  # of an axis
_LOST = "#D9A98F"  # a pale vermilion for lines


@dataclass(frozen=True)
class _Parameter:
    """Where on its axis each trial lies (T,), from 0 to 1, and the ticks."""

    name: str
    places: NDArray[np.float64]
    ticks: NDArray[np.float64]
    labels: list[str]


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
    """Return each of T trials as a line through its parameters' values to its error on the right.

    `columns` are the T values of each parameter in `names`, of which the first 8 are drawn, and
    `errors` (T,) are NaN where training diverged. The lower its error among the others, the darker
    a line and the further in front; lines through the same value lie side by side in the order of
    their errors. Numbers that span more than a factor of ten have a logarithmic axis; names are
    evenly spaced.
    """
    errors = np.where(np.isfinite(errors), errors, np.nan).astype(float)
    T = len(errors)
    if not T:
        return style.new_figure(0.1, title, details, ["No trial was run."])
    # the colours follow the order and not the errors: these often lie in a few clusters
    order = np.searchsorted(np.sort(errors[np.isfinite(errors)]), errors).astype(float)
    order[np.isnan(errors)] = np.nan
    ranks = np.nan_to_num(order, nan=T - 1) / max(T - 1, 1)
    parameters = [
        _place_values(spell(name), column, ranks)
        for name, column in zip(names[:MOST], columns[:MOST], strict=True)
    ]
    parameters.append(_place_errors(spell(error_name), errors))
    P = len(parameters)
    figure = style.new_layout(3.75 if P <= 4 else 4.1)
    axes = figure.subplots()
    axes.set_axis_off()
    axes.set(xlim=(-0.02 * P, P - 1 + 0.02 * P), ylim=(-0.02, 1.02))
    lines = np.stack(
        (
            np.broadcast_to(np.arange(P), (T, P)),
            np.column_stack([parameter.places for parameter in parameters]),
        ),
        axis=-1,
    )
    _draw_trials(axes, lines, order)
    if best is not None:
        axes.plot(*lines[best].T, color="white", linewidth=4.6, zorder=3)
        axes.plot(
            *lines[best].T, color=style.INK, linewidth=2.4, marker="D", markersize=6, label="best",
            markeredgecolor="white", markeredgewidth=0.8, zorder=5,
        )  # fmt: skip
    axes.vlines(range(P), 0, 1, color=style.MUTED, linewidth=1.0, zorder=4)
    levels = _count_levels([parameter.name for parameter in parameters])
    for at, parameter in enumerate(parameters):
        _label_axis(axes, at, parameter, P, levels)
    notes = ["The darker a line, the lower its error."]
    if best is not None and np.isfinite(errors[best]):
        notes.append(f"Black: the best, {format_error(errors[best], unit)}.")
    if np.isnan(errors).any():
        notes.append("Dashed: diverged.")
    if len(names) > MOST:
        notes.append(f"The first {MOST} of {len(names)} parameters.")
    return style.add_head(figure, title, details, notes)


def _place_values(name: str, values: Sequence[Any], ranks: NDArray[np.float64]) -> _Parameter:
    """Return the axis of a parameter: names evenly spaced, numbers where they lie.

    Trials of one value lie side by side by their `ranks` (T,), from 0 for the best to 1.
    """
    numbers = numeric(values)
    if numbers is None or spans_decades_from_zero(numbers):
        texts = format_values(values)
        labels = list(dict.fromkeys(format_values(distinct(values))))
        ticks = (np.arange(len(labels)) + 0.5) / len(labels)
        ticks = ticks[::-1] if numbers is None else ticks  # names are read from the top
        where = dict(zip(labels, ticks, strict=True))
        places = np.array([where[text] for text in texts])
    else:
        exact = np.unique(numbers)
        pad = 0.03 if len(exact) == len(numbers) else 0.08  # bundles are wider than lines
        scale = style.Scale.of(numbers, pad=(pad, pad), exact=_EXACT)
        places, ticks = scale.place(numbers), scale.place(scale.ticks)
        labels = format_values(exact.tolist()) if len(exact) <= _EXACT else scale.labels()
    once, counts = np.unique(places, return_counts=True)
    gap = float(np.diff(once).min()) if len(once) > 1 else 1.0
    width = min(_SPREAD * gap, _WIDEST_BUNDLE)
    shared = counts[np.searchsorted(once, places)] > 1
    spread = places + np.where(shared, width * (ranks - 0.5), 0)
    return _Parameter(name, np.clip(spread, 0, 1), ticks, labels)


def _place_errors(name: str, errors: NDArray[np.float64]) -> _Parameter:
    """Return the axis on the right, with a place above it for what diverged."""
    finite = np.isfinite(errors)
    if not finite.any():
        return _Parameter(name, np.ones(len(errors)), np.ones(1), ["diverged"])
    scale = style.Scale.of(errors[finite], pad=(0.03, 0.03))
    ticks = scale.place(scale.ticks)
    if finite.all():
        return _Parameter(name, scale.place(errors), ticks, scale.labels())
    places = np.ones(len(errors))
    places[finite] = _TOP * scale.place(errors[finite])
    return _Parameter(name, places, np.append(_TOP * ticks, 1.0), [*scale.labels(), "diverged"])


def _draw_trials(axes: Axes, lines: NDArray[Any], order: NDArray[np.float64]) -> None:
    """Draw the trials (T, P, 2), the best ones last; the more there are, the thinner and paler."""
    count, lost = len(order), np.isnan(order)
    width, alpha = np.interp(np.log10(count), (1.3, 3), (1.5, 0.6)), min(1.0, 6 * count**-0.5)
    # Step by step, so that the dashes of lines which share one coincide.
    steps = np.stack((lines[lost, :-1], lines[lost, 1:]), axis=2).reshape(-1, 2, 2)
    dashed = LineCollection(
        list(steps), colors=_LOST, linewidths=0.8 * width, alpha=min(1.0, alpha + 0.1),
        linestyles=[(0, (4, 2.5))], zorder=1,
    )  # fmt: skip
    front = np.flatnonzero(~lost)[np.argsort(-order[~lost], kind="stable")]
    colors = error_colormap(0.25)(error_norm(order)(order[front]))
    solid = LineCollection(
        list(lines[front]), colors=colors, linewidths=width, alpha=alpha, zorder=2
    )
    for collection in (dashed, solid):
        axes.add_collection(collection, autolim=False)


def _count_levels(names: Sequence[str]) -> int:
    """Return on how many levels the names above the axes have to stand, to be apart."""
    lengths = np.array([len(name) for name in names])
    lengths[1:-1] //= 2  # the first starts at its axis, the last ends a little right of its own
    lengths[-1] -= 6
    P = len(names)
    if P == 1 or (lengths[1:] + lengths[:-1]).max() < 96 / (P - 1):
        return 1
    return 2 if P <= 6 else 3


def _label_axis(axes: Axes, at: int, parameter: _Parameter, P: int, levels: int) -> None:
    """Write the name above an axis, and as many of its ticks as fit, on top of the lines."""
    kept: list[int] = []
    for tick in np.argsort(parameter.ticks)[::-1]:  # from the top, where "diverged" stands
        if not kept or parameter.ticks[kept[-1]] - parameter.ticks[tick] >= _LINE:
            kept.append(int(tick))
    look: dict[str, Any] = {"fontsize": style.SMALL, "annotation_clip": False}
    look["textcoords"] = "offset points"
    axes.plot(
        np.full(len(kept), at), parameter.ticks[kept], marker="_", markersize=5, linestyle="none",
        color=style.MUTED, zorder=4,
    )  # fmt: skip
    for tick in kept:
        axes.annotate(
            cut(parameter.labels[tick], max(8, 64 // P)), (at, parameter.ticks[tick]), (5, 0),
            verticalalignment="center_baseline", path_effects=style.HALO, zorder=6, **look,
        )  # fmt: skip
    offset = (30 if 0 < at == P - 1 else 0, 8 + 13 * ((P - 1 - at) % levels))
    axes.annotate(
        cut(parameter.name, 26), (at, 1), offset,
        horizontalalignment="right" if 0 < at == P - 1 else "left" if at == 0 else "center", **look,
    )  # fmt: skip
