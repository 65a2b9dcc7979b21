"""The error of a sweep's trials by their learning rate, or by another parameter.

T is the number of trials.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from mnistlab.plots import page, style, words
from mnistlab.plots.axes import Scale, panel, say, scale_y
from mnistlab.plots.sweep_labels import (
    PERCENT,
    in_lines,
    spell,
    tell_error,
    tell_value,
    with_one_style,
)
from mnistlab.plots.sweep_rate_axis import Axis, diverged_from, rate_axis
from mnistlab.plots.sweep_rate_lines import (
    CORNER,
    MOST_GROUPS,
    ROW,
    Group,
    Trials,
    draw_cloud,
    draw_groups,
    draw_legend,
    legend_room,
)
from mnistlab.plots.sweep_rate_marks import draw_limit, mark_best, name_limit, shade_diverged

_HEIGHT = 3.0  # inches of the panel
_LOW = 1.2  # inches, where it has nothing but crosses


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
    """Draw the error by the learning rate or another parameter, one line for up to six groups.

    A line joins the lowest error of each number, never those of names. Of more groups, all trials
    are pale dots, above one line through the lowest where their values repeat. Trials without an
    error are crosses at the top; the panel is shaded where all diverged up to the highest. Errors
    beyond twice the median are triangles at the top. A trial whose value is not finite is left out.

    Args:
        values: T learning rates, or values of another parameter.
        errors: (T,), NaN where training diverged.
        groups: T labels of the other parameters' values.
        limit: the highest rate at which theory promises stable steps, if it is known.
        best: the trial to be marked.
        title: one line; cut if it is too long.
        details: a smaller line below it, if there is more to say.
        error_name: what the vertical axis shows.
        unit: of the errors: " %" or nothing.
        x_name: of the parameter.
        log: whether its axis is logarithmic where all values are above zero; None: where they
            span more than a factor of ten.
        half_widths: (T,) half of the 95 % intervals around the errors; NaN where there is none.
        seeds: how many runs the errors are the means of.
        stopped: (T,) which trials were stopped early: hollow marks, which no line joins.

    Returns:
        The figure; to be written by `page.save`.
    """
    limit = limit if limit is not None and 0 < limit < np.inf else None
    axis = Axis.of(values, log=log)
    trials = Trials.of(axis.places, errors, half_widths, stopped, best)
    drawn = _split(axis, groups)
    legend = 1 < len(drawn) <= MOST_GROUPS
    width = style.WIDTH - style.MARGIN - CORNER[0] - (legend_room(drawn, unit) if legend else 0.0)
    height = _HEIGHT if trials.completed.any() or legend or not drawn else _LOW
    edge = diverged_from(axis, trials.errors)
    across = rate_axis(axis, limit, width, edge)
    shown = limit if limit and across and across.low <= limit <= across.high else None

    cloud = len(drawn) > MOST_GROUPS
    notes = [
        *(_explain_dots(trials, axis) if cloud else ()),
        *_explain(trials, seeds, unit, edge),
        f"The {name_limit(limit)} lies outside." if limit and not shown else "",
    ]
    figure = page.new_figure(height + 0.9, title, [details, *in_lines(notes)])
    axes = panel(figure, CORNER, (width, height))
    if across is None:
        say(axes, "no trial was run")
        return figure
    across.apply(axes, "x")
    axes.set_xlabel(words.fit(spell(x_name), style.BODY, width))
    rows = (len(drawn) if legend else 1) if trials.lost.any() else 0
    trials = _scale_up(axes, trials, height, rows, error_name)
    if edge is not None:
        shade_diverged(axes, edge, top=0.2 + ROW * (rows + trials.beyond.any()))
    if shown is not None:
        draw_limit(axes, shown)
    if cloud:
        draw_cloud(axes, trials, joined=axis.joined and _repeat(trials))
    else:
        draw_groups(axes, trials, drawn, joined=axis.joined)
    if legend:
        draw_legend(axes, trials, drawn, unit)
    if best is not None and trials.completed[best]:
        place = (float(trials.places[best]), float(trials.errors[best]))
        mark_best(axes, place, tell_value(values[best]), unit=unit, between=(shown, edge))
    return figure


def _split(axis: Axis, groups: Sequence[str]) -> list[Group]:
    """Return the trials of each label in the order of their values; the labels as they come."""
    members: dict[str, list[int]] = {}
    for trial in np.argsort(axis.places, kind="stable"):
        if np.isfinite(axis.places[trial]):
            members.setdefault(groups[trial], []).append(int(trial))
    order = [name for name in dict.fromkeys(groups) if name in members]
    return [Group(name, np.array(members[name])) for name in order]


def _repeat(trials: Trials) -> bool:
    """Return whether most values were tried with more than one of the other parameters."""
    places = trials.places[np.isfinite(trials.places)]
    return 2 * len(np.unique(places)) <= len(places)


def _explain_dots(trials: Trials, axis: Axis) -> list[str]:
    if axis.joined and _repeat(trials):
        return ["Each dot is a trial; the line joins the lowest errors."]
    return ["Each dot is a trial, darker where several lie."]


def _explain(trials: Trials, seeds: int, unit: str, edge: float | None) -> list[str]:
    """Return what the picture does not say by itself, a sentence each."""
    notes = []
    if trials.lost.any() and not trials.completed.any():
        notes.append("Every trial diverged.")
    elif seeds > 1:
        bars = " with 95 % intervals" if np.isfinite(trials.half_widths).any() else ""
        notes.append(f"Means over {seeds} seeds{bars}.")
    if trials.lost.any() and edge is None:
        notes.append("A cross at the top is a trial that diverged.")
    if trials.beyond.any():
        errors = trials.errors[trials.beyond]
        far = f"{'up to ' if len(errors) > 1 else ''}{tell_error(float(errors.max()), unit)}"
        notes.append(f"A triangle at the top is a trial beyond the axis, {far}.")
    if (trials.stopped & trials.completed).any():
        notes.append("Hollow: stopped early, the error after fewer epochs.")
    return notes


def _scale_up(axes: Axes, trials: Trials, height: float, rows: int, name: str) -> Trials:
    """Give the panel its vertical scale, and return the trials with what is beyond it at its top.

    There is room for the best value below and for `rows` of crosses above.
    """
    if not trials.completed.any():
        axes.set(ylim=(0, 1), yticks=[])
        axes.spines["left"].set_visible(False)
        return trials
    beyond = int(trials.beyond.any())
    below, above = 0.35, 0.2 + ROW * (rows + beyond)
    room = height - below - above
    scale = with_one_style(Scale.of(trials.ends(), pad=(below / room, above / room)))
    scale_y(axes, scale)
    axes.set_ylabel(words.fit(spell(name), style.BODY, height))
    part = 1 - (0.1 + ROW * rows) / height
    return trials.lifted(_value_at(scale, part))


def _value_at(scale: Scale, part: float) -> float:
    """Return the value at a part of the axis, the inverse of `Scale.place`."""
    if not scale.log:
        return scale.low + part * (scale.high - scale.low)
    start, end = np.log10([scale.low, scale.high])
    return float(10 ** (start + part * (end - start)))
