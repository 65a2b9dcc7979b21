"""Errors: of a sweep's trials by a parameter or beside published ones, of a gradient by the step.

T is the number of trials, M that of coordinates of a gradient.
"""

import itertools
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator

from mnistlab.core.objective import format_limit
from mnistlab.plots import style
from mnistlab.plots.style import Array, cut, format_error, format_value, numeric, spell
from mnistlab.plots.views import SweepView, place

if TYPE_CHECKING:
    from mnistlab.gradcheck.differences import StepStudy

MOST_GROUPS = 6  # lines in a panel; beyond it all trials are dots of one colour
_DOTTED_UP_TO = 60  # trials of a group: beyond it, large dots would hide the line
_NAMED = 3  # trials beyond the axis
_ROW = 0.045  # of the panel, between the crosses of two groups

# Vermilion is left out: it stands for what diverged. The greens and yellows of Okabe and Ito are
# darker here, for small text; marks and dashes tell the lines apart without any colour.
_LOOKS: list[dict[str, Any]] = [
    {"color": style.BLUE, "marker": "o", "linestyle": "-"},
    {"color": "#007A5E", "marker": "s", "linestyle": (0, (5, 1.5))},
    {"color": "#9B3F7B", "marker": "p", "linestyle": (0, (1.2, 1.2))},
    {"color": "#7D6B00", "marker": "D", "linestyle": (0, (6, 1.5, 1.2, 1.5))},
    {"color": style.INK, "marker": "v", "linestyle": (0, (3, 1, 1, 1, 1, 1))},
    {"color": "#6B6B6B", "marker": "P", "linestyle": (0, (8, 2))},
]
_CLOUD = {"color": "#5a5a5a", "marker": "o", "alpha": 0.65}  # darker where several dots lie


class _Trials:
    """A sweep's trials by one parameter; all arrays are (T,).

    `names` stand at the places 0, 1, 2, …, if there are any. The errors of `known` trials, those
    that came to an end, are NaN where a trial diverged, and `heights` are where they are drawn:
    those `beyond` twice the median at the top. `groups` are the known trials by what other
    parameters they share, `joined` is whether a line through them makes sense.
    """

    def __init__(self, view: SweepView, key: str) -> None:
        finite = np.isfinite(view.errors)
        self.known = finite | view.diverged
        self.lost = self.known & ~finite
        self.errors = np.where(finite, view.errors, np.nan)
        self.stopped, self.half_widths = view.stopped, view.half_widths
        self.best = view.best if view.best is not None and finite[view.best] else None
        self.places, self.names = place(view.values(key))
        errors = self.errors[finite]
        # up to twice the median, as in the map, all others are kept apart; the best is shown
        highest = 2 * np.median(errors) if len(errors) and np.median(errors) > 0 else np.inf
        highest = highest if self.best is None else max(highest, self.errors[self.best])
        self.beyond = self.errors > highest
        kept = errors[errors <= highest]
        top = kept.max() + 0.08 * (np.ptp(kept) or kept.max()) if self.beyond.any() else np.inf
        self.heights = np.where(self.beyond, top, self.errors)
        texts = [""] * len(finite)
        for other in (other for other in view.keys if other != key):
            values = map(format_value, view.values(other))
            texts = [
                f"{text}, {spell(other)} {value}" for text, value in zip(texts, values, strict=True)
            ]
        labels = list(dict.fromkeys(texts[trial] for trial in np.flatnonzero(self.known)))
        self.joined = numeric(view.values(key)) is not None
        if len(labels) > MOST_GROUPS:
            texts, labels = [""] * len(texts), [""]
            # a line through values drawn at random would join what has nothing in common
            places = self.places[self.known]
            self.joined = self.joined and 2 * len(np.unique(places)) <= len(places)
        alike = {label: np.array([text == label for text in texts]) for label in labels}
        self.groups = {label.removeprefix(", "): alike[label] & self.known for label in labels}

    def lowest(self, members: Array) -> tuple[Array, list[float]]:
        """Return the members' places, each once, and the lowest height at each.

        It is NaN where all diverged. Trials that were stopped early do not count.
        """
        whole = members & ~self.stopped
        places = np.unique(self.places[whole])
        heights = [np.fmin.reduce(self.heights[whole & (self.places == x)]) for x in places]
        return places, heights


@style.house_style
def error_by_parameter(view: SweepView, key: str) -> Figure:
    """Return the errors of a sweep's trials by the values of one parameter.

    A line joins the lowest error of each number, for up to six groups of the other parameters'
    values; of more groups all trials are pale dots. Trials that diverged are crosses at the top,
    errors beyond twice the median triangles, and trials that were stopped early are hollow. The
    axis of a learning rate is logarithmic and shows the limit of stable steps.
    """
    trials = _Trials(view, key)
    if not trials.known.any():
        return style.say(view.title, view.details, "no trial was run")
    legend = len(trials.groups) > 1
    merged = not legend and len(view.keys) > 1
    all_lost = bool((trials.lost == trials.known).all())
    rows = len(trials.groups) if trials.lost.any() else 0
    figure = style.new_figure(1.8 if all_lost and not legend else 3.6)
    axes = figure.subplots()
    limit = view.limit or 0.0 if key == "learning_rate" else 0.0
    limit = limit if 0 < limit < np.inf else 0.0  # 0: there is none
    limit_name = f"stability limit {format_value(float(format_limit(limit)))}" if limit else ""
    shown = _scale_across(axes, trials, key, limit)
    if all_lost:
        axes.set(ylim=(0, 1), yticks=[])
        axes.spines["left"].set_visible(False)
    else:
        style.name_axis(axes.yaxis, view.error_name, 2.9)
        _scale_up(axes, trials, rows)
    reached = trials.places[trials.known & ~trials.lost].max(initial=-np.inf)
    beyond = trials.places[trials.lost & (trials.places > reached)]
    shaded = len(beyond) > 0 and not trials.names
    if shaded:
        _shade(axes, beyond.min(), 0.95 - _ROW * rows)
    if shown:
        axes.axvline(limit, color=style.MUTED, linestyle=style.DASHED, linewidth=1.1, zorder=1)
        axes.annotate(
            limit_name, (limit, 1), (0, 4), xycoords=("data", "axes fraction"),
            textcoords="offset points", color=style.MUTED, fontsize=style.SMALL,
            horizontalalignment="right" if style.fraction(axes.xaxis, limit) > 0.5 else "left",
        )  # fmt: skip
    for row, ((name, members), look) in enumerate(zip(trials.groups.items(), _LOOKS, strict=False)):
        _draw_marks(axes, trials, members, _CLOUD if merged else look)
        line = look | {"marker": ""} | ({} if trials.joined else {"linestyle": "none"})
        axes.plot(*trials.lowest(members), **line, linewidth=1.5, label=name or "trials", zorder=2)
        lost = np.unique(trials.places[members & trials.lost])
        axes.plot(
            lost, np.full(len(lost), 0.96 - _ROW * row), marker="x", markersize=5,
            markeredgewidth=1.3, color=look["color"] if legend else style.VERMILION,
            linestyle="none", transform=axes.get_xaxis_transform(), scalex=False, scaley=False,
        )  # fmt: skip
    if legend:
        _add_legend(axes, trials, view.unit)
    if trials.best is not None:
        best, value = trials.best, cut(format_value(view.values(key)[trials.best]), 40)
        told = f"best: {format_error(trials.errors[best], view.unit)} at {value}"
        _mark_best(axes, trials.places[best], trials.errors[best], told)
    notes = _explain(trials, view, merged=merged, shaded=shaded)
    if limit and not shown:
        notes.append(f"The {limit_name} lies outside.")
    return style.add_head(figure, view.title, view.details, notes)


def _scale_across(axes: Axes, trials: _Trials, key: str, limit: float) -> bool:
    """Scale and name the horizontal axis; return whether the limit is on it, 0 for none."""
    style.name_axis(axes.xaxis, key, 4.0)
    if trials.names:
        count = len(trials.names)
        axes.set_xlim(-0.5, count - 0.5)
        style.name_ticks(axes, trials.names, 7 / count)
        return False
    places, is_rate = np.unique(trials.places[trials.known]), key == "learning_rate"
    near = bool(limit and places[0] / 10 < limit < places[-1] * 10)
    log = (True if is_rate else None) if places[0] > 0 else False
    style.fit_axis(axes.xaxis, np.append(places, limit) if near else places, log=log)
    if not is_rate:
        style.tick_exactly(axes.xaxis, places, 0.09)
    return near


def _scale_up(axes: Axes, trials: _Trials, rows: int) -> None:
    """Scale the vertical axis, with room for the best value below and `rows` of crosses above."""
    finite = ~np.isnan(trials.heights)
    heights, widths = trials.heights[finite], np.nan_to_num(trials.half_widths[finite])
    # intervals may be wider than all there is: the axis holds them to half of the lowest error
    reach = heights.min() / 2 if heights.min() > 0 else 0.0
    ends = np.clip(
        (heights - widths, heights + widths), heights.min() - reach, heights.max() + reach
    )
    foot, head = 0.12, 0.05 + _ROW * rows
    room = 1 - foot - head
    style.fit_axis(axes.yaxis, ends, pad=(foot / room, head / room))


def _draw_marks(axes: Axes, trials: _Trials, members: Array, look: dict[str, Any]) -> None:
    """Draw the members' marks: full, hollow where stopped early, a triangle beyond the axis."""
    size = 4.5 if members.sum() <= _DOTTED_UP_TO or not trials.joined else 3.2
    full = look | {"linestyle": "none", "markersize": size, "markeredgewidth": 0, "zorder": 3}
    hollow = {"markerfacecolor": "white", "markeredgewidth": 1, "alpha": 0.6, "zorder": 1.8}
    for far, early in itertools.product((False, True), repeat=2):
        some = members & ~trials.lost & (trials.beyond == far) & (trials.stopped == early)
        mark = full | (hollow if early else {}) | ({"marker": "^", "markersize": 6} if far else {})
        axes.plot(trials.places[some], trials.heights[some], **mark)
    some = members & ~trials.beyond & np.isfinite(trials.half_widths + trials.heights)
    if some.any():
        axes.errorbar(
            trials.places[some], trials.heights[some], yerr=trials.half_widths[some],
            ecolor=look["color"], elinewidth=0.9, capsize=2.2, capthick=0.9, zorder=2.4, alpha=0.7,
            linestyle="none",
        )  # fmt: skip


def _shade(axes: Axes, edge: float, top: float) -> None:
    """Shade from the value `edge` to the right, with a word whose head is at `top` of the panel."""
    axes.axvspan(edge, axes.get_xlim()[1], color=style.DIVERGED, linewidth=0, zorder=0)
    left = float(style.fraction(axes.xaxis, edge))
    axes.text(
        (left + 1) / 2, top, "diverged", color=style.VERMILION, fontsize=style.SMALL,
        rotation=90 if left > 0.88 else 0, transform=axes.transAxes,
        horizontalalignment="center", verticalalignment="top",
    )  # fmt: skip


def _add_legend(axes: Axes, trials: _Trials, unit: str) -> None:
    """Name each group right of the panel, with its lowest error below."""
    handles, texts = [], []
    for (name, members), look in zip(trials.groups.items(), _LOOKS, strict=False):
        whole = trials.errors[members & ~trials.lost & ~trials.stopped]
        described = "all diverged" if trials.lost[members].all() else "stopped early"
        if len(whole):
            described = f"lowest {format_error(float(whole.min()), unit)}"
        handles.append(Line2D([], [], **look, linewidth=1.5, markersize=4.5))
        texts.append("\n".join([*textwrap.wrap(cut(name, 60), 30), described]))
    axes.legend(
        handles, texts, loc="upper left", bbox_to_anchor=(1.02, 1), labelcolor="linecolor",
        labelspacing=0.8, handlelength=2.8,
    )  # fmt: skip


def _mark_best(axes: Axes, x: float, error: float, told: str) -> None:
    """Draw a diamond at the best trial with what is told of it below, towards the panel's left.

    The right is where the stability limit and what diverged are.
    """
    axes.plot(
        [x], [error], marker="D", markersize=7.5, color=style.INK, label="best",
        markeredgecolor="white", markeredgewidth=1.2, linestyle="none", zorder=5,
    )  # fmt: skip
    at_left = style.fraction(axes.xaxis, x) < 0.35
    axes.annotate(
        told, (x, error), (-6 if at_left else 6, -9), textcoords="offset points",
        fontsize=style.SMALL, fontweight="bold", zorder=5, path_effects=style.HALO,
        verticalalignment="top", horizontalalignment="left" if at_left else "right",
    )  # fmt: skip


def _explain(trials: _Trials, view: SweepView, *, merged: bool, shaded: bool) -> list[str]:
    """Return what the marks mean, of those that are there, a sentence each."""
    notes = []
    if merged:
        rest = (
            "; the line joins the lowest errors" if trials.joined else ", darker where several lie"
        )
        notes.append(f"Each dot is a trial{rest}.")
    if (trials.lost == trials.known).all():
        notes.append("Every trial diverged.")
    elif view.repeats:
        bars = " with 95 % intervals" if np.isfinite(trials.half_widths).any() else ""
        notes.append(f"Means over {view.repeats}{bars}.")
    if trials.lost.any() and not shaded:
        notes.append("A cross at the top is a trial that diverged.")
    if trials.beyond.any():
        far = np.flatnonzero(trials.beyond)
        far = far[np.argsort(-trials.errors[far], kind="stable")]
        named = [
            f"trial {at} ({format_error(float(trials.errors[at]), view.unit)})"
            for at in far[:_NAMED]
        ]
        more = f" and {len(far) - _NAMED} more" if len(far) > _NAMED else ""
        notes.append(f"Triangles at the top are beyond the axis: {', '.join(named)}{more}.")
    if (trials.stopped & ~trials.lost).any():
        notes.append("Hollow: stopped early, the error after fewer epochs.")
    return notes


@style.house_style
def published_errors(view: SweepView) -> Figure | None:
    """Return a row a trial: its test error in percent, its 95 % interval, and the published one.

    None for a sweep without published figures.
    """
    given = view.document.get("published")
    if given is None:
        return None
    rows = given["trials"]
    places = np.arange(len(rows))
    ours = np.array([one["error"] for one in rows], float) * 100
    ends = np.array([one["interval"] or (np.nan, np.nan) for one in rows], float) * 100
    theirs = np.array([one["published"] for one in rows], float) * 100
    figure = style.new_figure(0.8 + 0.33 * len(rows))
    axes = figure.subplots()
    axes.errorbar(
        ours, places, xerr=np.abs(ends.T - ours), fmt="o", color=style.BLUE, elinewidth=2,
        label="ours, with its 95 % interval",
    )  # fmt: skip
    axes.plot(theirs, places, "D", color=style.VERMILION, markersize=5, label="published")
    values = np.concatenate([ours, theirs, ends.ravel()])
    if np.isfinite(values).any():
        style.fit_axis(axes.xaxis, values[np.isfinite(values)])
    settings = [[view.values(key)[one["trial"]] for key in view.keys] for one in rows]
    names = [", ".join(format_value(value) for value in one if value != []) for one in settings]
    axes.set(ylim=(len(rows) - 0.5, -0.5))
    axes.set_yticks(places, [cut(name, 60) for name in names])
    axes.grid(axis="y", color=style.PALE, linewidth=0.7)
    axes.set_xlabel("test error rate (%)")
    axes.legend(loc="lower right", frameon=False)
    notes = [f"Published: {given['source']}.", f"{given['images']:,} test images."]
    return style.add_head(figure, view.title, view.details, notes)


_LOWEST = 1e-17  # errors below it, exact zeros among them, are drawn here


@style.house_style
def gradient_error(
    study: "StepStudy",
    names: Sequence[str],
    errors: Array,
    tolerances: Array,
    *,
    title: str,
    details: str,
) -> Figure:
    """Return the V of rounding and truncation (left) and the worst coordinates (right).

    `study` has the errors by step size. `names`, `errors` and `tolerances` (M,) are those of the
    worst coordinates; what is not finite is drawn at the edge.
    """
    referee = "the complex step" if study.exact else "the extrapolation"
    figure = style.new_figure(3.75)
    left, right = figure.subplots(1, 2, width_ratios=(3, 2))
    _draw_steps(left, study)
    _draw_worst(right, names, errors, tolerances)
    notes = [f"Left: coordinate {', '.join(map(str, study.index))}, errors against {referee}."]
    return style.add_head(figure, title, details, notes)


def _draw_steps(axes: Axes, study: "StepStudy") -> None:
    looks = [(style.MUTED, (0, (1, 1.5))), (style.BLUE, "-"), (style.INK, (0, (4, 1.6)))]
    for (name, errors), (color, line) in zip(study.errors.items(), looks, strict=False):
        drawn = np.where(np.isfinite(errors), np.maximum(errors, _LOWEST), np.nan)
        axes.plot(study.steps, drawn, color=color, linestyle=line, linewidth=1.5, label=name)
    step, error = study.chosen
    axes.plot(
        [step], [max(error, _LOWEST)], marker="D", markersize=6, color=style.VERMILION,
        linestyle="none", zorder=4, label="extrapolated",
    )  # fmt: skip
    style.fit_axis(axes.xaxis, np.array([5e-16, 2]), pad=(0, 0))
    axes.invert_xaxis()
    style.fit_axis(axes.yaxis, np.array([3e-18, 3e5]), pad=(0, 0))  # above lies the legend
    axes.set(xlabel="step h (smaller to the right)", ylabel="relative error")
    axes.legend(loc="upper right", ncols=2, columnspacing=1.2)


def _draw_worst(axes: Axes, names: Sequence[str], errors: Array, tolerances: Array) -> None:
    """Draw each coordinate's error as a dot and its tolerance as a bar's end."""
    rows = np.arange(len(names))[::-1]
    shown = np.clip(np.nan_to_num(errors, nan=np.inf), _LOWEST, 1e30)
    allowed = np.clip(np.nan_to_num(tolerances, nan=np.inf), _LOWEST, 1e30)
    style.fit_axis(axes.xaxis, np.append(shown, allowed), log=True, pad=(0.15, 0.1))
    axes.xaxis.set_major_locator(LogLocator(numticks=4))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda tick, _: format_value(tick)))
    low = axes.get_xlim()[0]
    axes.barh(rows, allowed - low, left=low, height=0.62, color=style.PALE, label="tolerance")
    right = shown <= allowed
    for chosen, color, marker, name in (
        (right, style.BLUE, "o", "error"),
        (~right, style.VERMILION, "X", "too large"),
    ):
        if chosen.any():
            axes.plot(
                shown[chosen], rows[chosen], marker=marker, color=color, linestyle="none",
                markersize=5.5, label=name, zorder=3,
            )  # fmt: skip
    axes.set(ylim=(-0.7, len(names) + 1.1), xlabel="absolute error")
    axes.set_yticks(rows, [cut(name, 14) for name in names])
    axes.tick_params(axis="y", length=0)
    axes.set_title("worst coordinates", fontsize=style.BODY, loc="left")
    axes.legend(loc="upper right", ncols=2, handletextpad=0.4, columnspacing=1.0)
