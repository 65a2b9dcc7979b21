"""The error of a sweep's trials by their learning rate, or by another parameter.

T is the number of trials, M that of those in a group.
"""

import math
from collections.abc import Sequence
from numbers import Real
from typing import Any

import numpy as np
from matplotlib.axes import Axes
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
)
from mnistlab.plots.sweep_rate_marks import (
    ROW,
    Group,
    Trials,
    add_legend,
    draw_cloud,
    draw_crosses,
    draw_groups,
    draw_limit,
    mark_best,
    name_limit,
    shade_diverged,
)

MOST_GROUPS = 6  # lines in a panel; beyond it all trials are dots of one colour
_EXACT = 8  # values up to which each one may be a tick
_HEIGHT = 3.0  # inches of the panel


@style.house_style
def error_by_rate(
    values: Sequence[Any] | NDArray[Any],
    errors: NDArray[Any],
    groups: Sequence[str],
    *,
    limit: float | None,
    best: int | None,
    title: str,
    details: str = "",
    error_name: str = "validation error rate (%)",
    unit: str = PERCENT,
    x_name: str = "learning rate",
    log: bool | None = True,
    half_widths: NDArray[Any] | None = None,
    seeds: int = 1,
    stopped: NDArray[Any] | None = None,
) -> Figure:
    """Return the `errors` (T,) by the learning rate, or by the `values` (T,) of another parameter.

    A line joins the lowest error of each number, never those of names, for up to six `groups` (T,)
    of the other parameters' values. Of more groups, all trials are pale dots, above one line
    through the lowest where their values repeat. Trials without an error are crosses at the top;
    the panel is shaded where all diverged up to the highest. Errors beyond twice the median are
    triangles at the top, and trials `stopped` (T,) early are hollow. A trial whose value is not
    finite is left out.

    `limit` is the highest rate at which theory promises stable steps, `half_widths` (T,) are half
    of the 95 % intervals around means over so many `seeds`, and `unit` follows an error. The axis
    is logarithmic if `log` and all values are above zero; None: where they span over a decade.
    """
    limit = limit if limit is not None and 0 < limit < np.inf else None
    trials = _place(values, errors, half_widths, stopped, best)
    here = np.isfinite(trials.places)
    if not here.any():
        figure = style.new_figure(_HEIGHT, title, details)
        style.write_state(
            style.add_axes(figure, (0, 0), (style.WIDTH, _HEIGHT)), "no trial was run"
        )
        return figure
    drawn = _split(trials, groups)
    cloud, legend = len(drawn) > MOST_GROUPS, 1 < len(drawn) <= MOST_GROUPS
    height = _HEIGHT if trials.completed.any() or legend else 1.2
    figure = style.new_layout(height + 0.6)
    axes = figure.subplots()
    style.set_name(axes, "x", x_name, 4.0)
    edge = trials.edge()
    shown = _scale_across(axes, trials, limit, log, edge)
    rows = (len(drawn) if legend else 1) if trials.lost.any() else 0
    heights = _scale_up(axes, trials, height, rows)
    if trials.completed.any():
        style.set_name(axes, "y", error_name, 2.9)
    if edge is not None:
        top = 1 - (0.1 + ROW * (rows + trials.beyond.any())) / height
        shade_diverged(axes, edge, top)
    if shown is not None:
        draw_limit(axes, shown)
    if cloud:
        draw_cloud(axes, trials, heights)
    else:
        draw_groups(axes, trials, heights, drawn)
    draw_crosses(axes, trials, drawn if legend else [("", np.arange(len(here)))], height)
    if legend:
        add_legend(axes, trials, drawn, unit)
    if best is not None and trials.completed[best]:
        place = (float(trials.places[best]), float(trials.errors[best]))
        value = cut(format_values([values[best]])[0], 40)
        mark_best(axes, place, f"best: {format_error(place[1], unit)} at {value}", (shown, edge))
    notes = [*_explain(trials, seeds, unit, cloud=cloud, edge=edge)]
    if limit is not None and shown is None:
        notes.append(f"The {name_limit(limit)} lies outside.")
    return style.add_head(figure, title, details, notes)


def _place(
    values: Sequence[Any] | NDArray[Any],
    errors: NDArray[Any],
    half_widths: NDArray[Any] | None,
    stopped: NDArray[Any] | None,
    best: int | None,
) -> Trials:
    """Return where T trials lie; numbers over decades with a zero among them count as names."""
    present = [value for value in values if not _is_absent(value)]
    numbers, names = numeric(present), []
    if numbers is not None and not spans_decades_from_zero(numbers):
        places = np.array([math.nan if _is_absent(value) else value for value in values], float)
    else:
        once = distinct(present)
        where = {repr(value): float(place) for place, value in enumerate(once)}
        places = np.array([where.get(repr(value), math.nan) for value in values], float)
        names = format_values(once)
    errors = np.where(np.isfinite(places) & np.isfinite(errors), errors, np.nan).astype(float)
    finite = errors[np.isfinite(errors)]
    middle = float(np.median(finite)) if len(finite) else 0.0
    # up to twice the median, as in the map, all others are kept apart
    own = -np.inf if best is None or np.isnan(errors[best]) else float(errors[best])
    return Trials(
        places,
        names,
        numbers is not None,
        errors,
        np.full(len(places), np.nan) if half_widths is None else np.asarray(half_widths, float),
        np.zeros(len(places), bool) if stopped is None else np.asarray(stopped, dtype=bool),
        max(2 * middle, own) if middle > 0 else np.inf,
    )


def _is_absent(value: Any) -> bool:
    is_number = isinstance(value, Real) and not isinstance(value, bool)
    return is_number and not math.isfinite(value)


def _split(trials: Trials, groups: Sequence[str]) -> list[Group]:
    """Return the trials of each label in the order of their values; the labels as they come."""
    members: dict[str, list[int]] = {}
    for trial in np.argsort(trials.places, kind="stable"):
        if np.isfinite(trials.places[trial]):
            members.setdefault(groups[trial], []).append(int(trial))
    order = [name for name in dict.fromkeys(groups) if name in members]
    return [(name, np.array(members[name])) for name in order]


def _scale_across(
    axes: Axes, trials: Trials, limit: float | None, log: bool | None, edge: float | None
) -> float | None:
    """Scale the horizontal axis, and return the limit if it is on it.

    The axis reaches the limit where that lies no further outside than what the values span.
    """
    count = len(trials.names)
    if count:
        # Labels of a letter or two say nothing: of very many names, every few have one.
        stride = math.ceil(count / 22)
        most = max(4, 84 // min(count, 22))
        axes.set_xticks(range(count)[::stride], [cut(n, most) for n in trials.names[::stride]])
        axes.set_xlim(-0.5, count - 0.5)
        return None
    shown = trials.places[np.isfinite(trials.places)]
    log = log if (shown > 0).all() else False
    pad = (0.04, 0.04 if edge is None else 0.07)  # room for a word beside the last diverged rate
    scale = style.Scale.of(shown, log=log, pad=pad)
    if limit is not None and -1 < scale.place(limit) < 2:
        scale = style.Scale.of(np.append(shown, limit), log=log, pad=pad)
    style.set_scale(axes, "x", scale)
    once = np.unique(shown)
    apart = (np.diff(scale.place(once)) > 0.09).all()
    if log is not True and len(once) <= _EXACT and apart:
        axes.set_xticks(once, format_values(once.tolist()))
    return limit if limit is not None and scale.low <= limit <= scale.high else None


def _scale_up(axes: Axes, trials: Trials, height: float, rows: int) -> NDArray[np.float64]:
    """Scale the vertical axis, and return the errors (T,) as drawn, those beyond it at its top.

    There is room for the best value below and for `rows` of crosses above.
    """
    if not trials.completed.any():
        axes.set(ylim=(0, 1), yticks=[])
        axes.spines["left"].set_visible(False)
        return trials.errors
    kept = trials.completed & ~trials.beyond
    errors, widths = trials.errors[kept], np.nan_to_num(trials.half_widths[kept])
    lowest = errors.min() / 2 if errors.min() > 0 else -np.inf
    with np.errstate(over="ignore"):
        above = np.clip(errors + widths, None, max(trials.highest, errors.max()))
        below = np.clip(errors - widths, lowest, None)
    ends = np.concatenate((errors, below, above))
    foot, head = 0.35, 0.2 + ROW * (rows + trials.beyond.any())
    room = height - foot - head
    scale = style.Scale.of(ends[np.isfinite(ends)], pad=(foot / room, head / room))
    style.set_scale(axes, "y", scale)
    part = 1 - (0.1 + ROW * rows) / height
    point = axes.transLimits.inverted().transform((0.5, part))
    top = axes.transScale.inverted().transform(point)[1]
    return np.where(trials.beyond, top, trials.errors)


def _explain(
    trials: Trials, seeds: int, unit: str, *, cloud: bool, edge: float | None
) -> list[str]:
    """Return what the picture does not say by itself, a sentence each."""
    notes = []
    if cloud:
        lines = trials.joined and trials.repeat()
        rest = "; the line joins the lowest errors" if lines else ", darker where several lie"
        notes.append(f"Each dot is a trial{rest}.")
    if trials.lost.any() and not trials.completed.any():
        notes.append("Every trial diverged.")
    elif seeds > 1:
        bars = " with 95 % intervals" if np.isfinite(trials.half_widths).any() else ""
        notes.append(f"Means over {seeds} seeds{bars}.")
    if trials.lost.any() and edge is None:
        notes.append("A cross at the top is a trial that diverged.")
    if trials.beyond.any():
        errors = trials.errors[trials.beyond]
        far = f"{'up to ' if len(errors) > 1 else ''}{format_error(float(errors.max()), unit)}"
        notes.append(f"A triangle at the top is a trial beyond the axis, {far}.")
    if (trials.stopped & trials.completed).any():
        notes.append("Hollow: stopped early, the error after fewer epochs.")
    return notes
