"""What stands in a panel of errors by a parameter: the trials' marks and lines, and a legend.

T is the number of trials, M that of those in a group.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from mnistlab.core.objective import format_limit
from mnistlab.plots import style
from mnistlab.plots.labels import cut, format_error, format_values, spell

ROW = 0.13  # inches between the marks of two groups' diverged trials
_DOTTED_UP_TO = 60  # trials of a group: beyond it, large dots would hide the line
_CLOUD = "#5a5a5a"  # see-through, so that dots on top of each other are darker

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

Group = tuple[str, NDArray[np.int_]]
"""What the other parameters are, and the trials (M,) that share it in the order of their values."""


@dataclass(frozen=True)
class Trials:
    """Where the trials lie, all arrays (T,); `highest` is the error up to which they are drawn.

    `places` are NaN for a trial that is left out. `names` stand at 0, 1, 2, …, if there are any;
    `joined` is whether a line from one value to the next makes sense.
    """

    places: NDArray[np.float64]
    names: Sequence[str]
    joined: bool
    errors: NDArray[np.float64]
    half_widths: NDArray[np.float64]
    stopped: NDArray[np.bool_]
    highest: float

    @property
    def completed(self) -> NDArray[np.bool_]:
        """Which trials have an error."""
        return np.isfinite(self.errors)

    @property
    def lost(self) -> NDArray[np.bool_]:
        """Which trials diverged."""
        return np.isfinite(self.places) & np.isnan(self.errors)

    @property
    def beyond(self) -> NDArray[np.bool_]:
        """Which errors are too high to be drawn."""
        return np.nan_to_num(self.errors, nan=-np.inf) > self.highest

    def edge(self) -> float | None:
        """Return the lowest value that diverged above all others, if there is any."""
        here = np.isfinite(self.places)
        places, completed = self.places[here], self.completed[here]
        beyond = places[~completed & (places > places[completed].max(initial=-np.inf))]
        return float(beyond.min()) if len(beyond) and not self.names else None

    def repeat(self) -> bool:
        """Return whether most values were tried with more than one of the other parameters."""
        places = self.places[np.isfinite(self.places)]
        return 2 * len(np.unique(places)) <= len(places)


def draw_groups(
    axes: Axes, trials: Trials, heights: NDArray[np.float64], groups: Sequence[Group]
) -> None:
    """Draw each group's trials, and a line through its lowest where lines make sense."""
    for (name, members), look in zip(groups, _LOOKS, strict=False):
        size = 4.5 if len(members) <= _DOTTED_UP_TO else 2.0
        dots = {"color": look["color"], "marker": look["marker"], "markersize": size}
        _draw_marks(axes, trials, heights, members, dots)
        line = look | ({"marker": ""} if trials.joined else {"linestyle": "", "markersize": size})
        whole = members[~trials.stopped[members]]
        lowest = _find_lowest(trials.places[whole], heights[whole])
        axes.plot(*lowest, **line, linewidth=1.5, label=name or "trials", zorder=2)


def draw_cloud(axes: Axes, trials: Trials, heights: NDArray[np.float64]) -> None:
    """Draw all trials as dots, and a line through the lowest of each value where values repeat."""
    look = {"color": _CLOUD, "marker": "o", "markersize": 4.2, "alpha": 0.5, "label": "trials"}
    _draw_marks(axes, trials, heights, np.arange(len(heights)), look)
    whole = np.isfinite(trials.places) & ~trials.stopped
    if trials.joined and trials.repeat():
        lowest = _find_lowest(trials.places[whole], heights[whole])
        axes.plot(*lowest, color=style.BLUE, linewidth=1.8, label="lowest", zorder=3)


def _find_lowest(
    places: NDArray[np.float64], heights: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return each place once and the lowest height there, NaN where all diverged."""
    order = np.lexsort((np.nan_to_num(heights, nan=np.inf), places))
    _, first = np.unique(places[order], return_index=True)
    return places[order[first]], heights[order[first]]


def _draw_marks(
    axes: Axes,
    trials: Trials,
    heights: NDArray[np.float64],
    members: NDArray[np.int_],
    look: dict[str, Any],
) -> None:
    """Draw the members' marks: full, hollow where stopped early, a triangle beyond the axis."""
    beyond, stopped = trials.beyond[members], trials.stopped[members]
    hollow = {"markerfacecolor": "white", "alpha": 0.6, "zorder": 1.8, "label": None}
    triangle = {"marker": "^", "markersize": 6, "label": None}
    for chosen, more in (
        (~beyond & ~stopped, {"markeredgewidth": 0}),
        (~beyond & stopped, hollow),
        (beyond & ~stopped, triangle),
        (beyond & stopped, triangle | hollow),
    ):
        some = members[chosen]
        options: dict[str, Any] = {"linestyle": "none", "zorder": 3} | look | more
        axes.plot(trials.places[some], heights[some], **options)
    some = members[~beyond & np.isfinite(trials.half_widths[members] + heights[members])]
    if len(some):
        low, high = axes.get_ylim()
        widths = trials.half_widths[some]
        down, up = np.minimum(widths, heights[some] - low), np.minimum(widths, high - heights[some])
        axes.errorbar(
            trials.places[some], heights[some], yerr=np.maximum((down, up), 0), linestyle="none",
            ecolor=look["color"], elinewidth=0.9, capsize=2.2, capthick=0.9, zorder=2.4, alpha=0.7,
        )  # fmt: skip


def draw_crosses(axes: Axes, trials: Trials, groups: Sequence[Group], height: float) -> None:
    """Mark the values of diverged trials at the top of the panel, a row for each group."""
    for row, ((_, members), look) in enumerate(zip(groups, _LOOKS, strict=False)):
        places = np.unique(trials.places[members[trials.lost[members]]])
        color = look["color"] if len(groups) > 1 else style.VERMILION
        axes.plot(
            places, np.full(len(places), 1 - (0.1 + ROW * row) / height), color=color,
            marker="x", markersize=5, markeredgewidth=1.3, linestyle="none", zorder=3,
            transform=axes.get_xaxis_transform(), scalex=False, scaley=False,
        )  # fmt: skip


def add_legend(axes: Axes, trials: Trials, groups: Sequence[Group], unit: str) -> None:
    """Name each group right of the panel, with its lowest error below."""
    handles, texts = [], []
    for (name, members), look in zip(groups, _LOOKS, strict=False):
        errors = trials.errors[members]
        whole = errors[np.isfinite(errors) & ~trials.stopped[members]]
        if len(whole):
            described = f"lowest {format_error(float(whole.min()), unit)}"
        else:
            described = "all diverged" if np.isnan(errors).all() else "stopped early"
        handles.append(Line2D([], [], **look, linewidth=1.5, markersize=4.5))
        texts.append(f"{cut(spell(name), 32)}\n{described}")
    axes.legend(
        handles, texts, loc="upper left", bbox_to_anchor=(1.02, 1), labelcolor="linecolor",
        labelspacing=0.8, handlelength=2.8,
    )  # fmt: skip


def shade_diverged(axes: Axes, edge: float, top: float) -> None:
    """Shade from the value `edge` to the right, with a word whose head is at `top` of the panel."""
    axes.axvspan(edge, axes.get_xlim()[1], color=style.DIVERGED, linewidth=0, zorder=0)
    left = _across(axes, edge)
    axes.text(
        (left + 1) / 2, top, "diverged", color=style.VERMILION, fontsize=style.SMALL,
        rotation=90 if left > 0.88 else 0, transform=axes.transAxes,
        horizontalalignment="center", verticalalignment="top",
    )  # fmt: skip


def name_limit(limit: float) -> str:
    """Return the stability limit in words, as the console tells it."""
    return f"stability limit {format_values([float(format_limit(limit))])[0]}"


def mark_best(
    axes: Axes, place: tuple[float, float], text: str, lines: Sequence[float | None]
) -> None:
    """Draw a diamond with `text` below it, on the side where no line of the panel is near."""
    axes.plot(
        *np.reshape(place, (2, 1)), marker="D", markersize=7.5, color=style.INK, label="best",
        markeredgecolor="white", markeredgewidth=1.2, linestyle="none", zorder=5,
    )  # fmt: skip
    at, *others = (_across(axes, line) for line in (place[0], *lines) if line is not None)
    half = 0.007 * len(text)  # of the panel, by the width of most letters
    near_right = [line for line in (*others, 1.0) if at < line < at + half]
    near_left = [line for line in (*others, 0.0) if at - half < line <= at]
    align: Literal["left", "center", "right"] = "center"
    if near_right or near_left:
        align = "right" if near_right and at > 2 * half else "left"
    axes.annotate(
        text, place, ({"left": -4, "center": 0, "right": 4}[align], -9),
        textcoords="offset points", fontsize=style.SMALL, fontweight="bold", zorder=5,
        horizontalalignment=align, verticalalignment="top", path_effects=style.HALO,
    )  # fmt: skip


def draw_limit(axes: Axes, limit: float) -> None:
    """Draw the stability limit as a dashed line, with its name above the panel."""
    axes.axvline(limit, color=style.MUTED, linestyle=style.DASHED, linewidth=1.1, zorder=1)
    axes.annotate(
        name_limit(limit), (limit, 1), (0, 4), xycoords=("data", "axes fraction"),
        textcoords="offset points", color=style.MUTED, fontsize=style.SMALL,
        horizontalalignment="right" if _across(axes, limit) > 0.5 else "left",
    )  # fmt: skip


def _across(axes: Axes, value: float) -> float:
    """Return where a value lies in the panel, from 0 at its left to 1 at its right."""
    point = axes.transScale.transform((value, axes.get_ylim()[1]))
    return float(axes.transLimits.transform(point)[0])
