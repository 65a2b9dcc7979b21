"""The trials in a panel of errors by a parameter: marks, lines through the lowest, a legend.

T is the number of trials, M that of those in a group.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from mnistlab.plots import style, words
from mnistlab.plots.sweep_labels import spell, tell_error
from mnistlab.plots.sweep_rate_marks import size_of

MOST_GROUPS = 6  # lines in a panel; beyond it all trials are dots of one colour
CORNER = (0.8, 0.6)  # inches: where the panel starts
ROW = 0.13  # inches between the marks of two groups' diverged trials
_WIDEST_NAME = 2.4  # inches
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


@dataclass(frozen=True)
class Trials:
    """Where the trials lie; all arrays are (T,).

    `heights` are the errors as drawn, `highest` is the error up to which they are drawn as they
    are; `best` is never beyond it.
    """

    places: NDArray[np.float64]
    errors: NDArray[np.float64]
    half_widths: NDArray[np.float64]
    stopped: NDArray[np.bool_]
    heights: NDArray[np.float64]
    highest: float

    @classmethod
    def of(
        cls,
        places: NDArray[np.float64],
        errors: NDArray[Any],
        half_widths: NDArray[Any] | None,
        stopped: NDArray[Any] | None,
        best: int | None,
    ) -> Self:
        """Return the trials, the errors NaN where they are not finite or lie nowhere."""
        absent = np.full(len(places), np.nan)
        errors = np.where(np.isfinite(places) & np.isfinite(errors), errors, np.nan).astype(float)
        return cls(
            places,
            errors,
            absent if half_widths is None else np.asarray(half_widths, dtype=float),
            np.isnan(places) if stopped is None else np.asarray(stopped, dtype=bool),
            errors,
            _highest(errors, best),
        )

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

    def ends(self) -> NDArray[np.float64]:
        """Return what the vertical axis should hold: errors and intervals up to `highest`."""
        kept = self.errors[self.completed & ~self.beyond]
        widths = np.nan_to_num(self.half_widths[self.completed & ~self.beyond])
        floor = kept.min() / 2 if kept.min() > 0 else -np.inf
        with np.errstate(over="ignore"):
            above = np.clip(kept + widths, None, max(self.highest, kept.max()))
            below = np.clip(kept - widths, floor, None)
        ends: NDArray[np.float64] = np.concatenate((kept, below, above))
        return ends[np.isfinite(ends)]

    def lifted(self, height: float) -> Self:
        """Return the trials, those beyond the highest at `height`."""
        return replace(self, heights=np.where(self.beyond, height, self.errors))


@dataclass(frozen=True)
class Group:
    """Trials whose other parameters are equal, (M,), in the order of their values."""

    name: str
    members: NDArray[np.int_]


def draw_groups(axes: Axes, trials: Trials, groups: Sequence[Group], *, joined: bool) -> None:
    """Draw each group's trials, and a line through its lowest where lines make sense."""
    for row, (group, look) in enumerate(zip(groups, _LOOKS, strict=False)):
        color, members = look["color"], group.members
        size = 4.5 if len(members) <= _DOTTED_UP_TO else 2.0
        _dot(axes, trials, members, {"color": color, "marker": look["marker"], "markersize": size})
        line = look | ({"marker": ""} if joined else {"linestyle": "", "markersize": size})
        whole = members[~trials.stopped[members]]
        lowest = _lowest(trials.places[whole], trials.heights[whole])
        axes.plot(*lowest, **line, linewidth=1.5, label=group.name or "trials", zorder=2)
        lost = members[trials.lost[members]]
        _cross(axes, trials.places[lost], row, color if len(groups) > 1 else style.VERMILION)


def draw_cloud(axes: Axes, trials: Trials, *, joined: bool) -> None:
    """Draw all trials as dots, and a line through the lowest of each value if they are joined."""
    everyone = np.arange(len(trials.places))
    look = {"color": _CLOUD, "marker": "o", "markersize": 4.2, "alpha": 0.5, "label": "trials"}
    _dot(axes, trials, everyone, look)
    whole = np.isfinite(trials.places) & ~trials.stopped
    if joined:
        lowest = _lowest(trials.places[whole], trials.heights[whole])
        axes.plot(*lowest, color=style.BLUE, linewidth=1.8, label="lowest", zorder=3)
    _cross(axes, trials.places[trials.lost], 0, style.VERMILION)


def draw_legend(axes: Axes, trials: Trials, groups: Sequence[Group], unit: str) -> None:
    """Write each group's name right of the panel, with its line before and its best below it."""
    beside = axes.get_figure().dpi_scale_trans  # type: ignore[union-attr]
    width, height = size_of(axes)
    left, top = CORNER[0] + width + 0.15, CORNER[1] + height - 0.1
    for row, (group, look) in enumerate(zip(groups, _LOOKS, strict=False)):
        y = top - 0.44 * row
        axes.plot(
            (left, left + 0.19, left + 0.38), (y, y, y), **look, linewidth=1.5, markersize=4.5,
            markeredgewidth=0, markevery=[1], transform=beside, clip_on=False, scalex=False,
            scaley=False,
        )  # fmt: skip
        name = words.fit(spell(group.name), style.SMALL, _WIDEST_NAME)
        lowest = _tell_lowest(trials, group, unit)
        for down, text, color in ((0.0, name, look["color"]), (0.17, lowest, style.MUTED)):
            axes.text(
                left + 0.48, y - down, text, color=color, fontsize=style.SMALL, transform=beside,
                verticalalignment="center_baseline",
            )  # fmt: skip


def legend_room(groups: Sequence[Group], unit: str) -> float:
    """Return the inches that the legend takes right of the panel."""
    names = [words.plain(spell(group.name)) for group in groups]
    widest = max(words.text_width(name, style.SMALL) for name in names)
    return 0.65 + min(max(widest, 1.1 if unit else 1.0), _WIDEST_NAME)


def _highest(errors: NDArray[np.float64], best: int | None) -> float:
    """Return up to which error all others keep apart: twice the median, as in the map."""
    finite = errors[np.isfinite(errors)]
    middle = float(np.median(finite)) if len(finite) else 0.0
    if not middle > 0:
        return np.inf
    best_error = -np.inf if best is None or np.isnan(errors[best]) else float(errors[best])
    return max(2 * middle, best_error)


def _lowest(
    places: NDArray[np.float64], heights: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return each place once and the lowest height there, NaN where all diverged."""
    order = np.lexsort((np.nan_to_num(heights, nan=np.inf), places))
    _, first = np.unique(places[order], return_index=True)
    return places[order[first]], heights[order[first]]


def _dot(axes: Axes, trials: Trials, members: NDArray[np.int_], look: dict[str, Any]) -> None:
    """Draw the members' marks: full, hollow where stopped early, a triangle beyond the axis."""
    here: dict[str, Any] = {"linestyle": "none", "zorder": 3} | look
    beyond, stopped = trials.beyond[members], trials.stopped[members]
    full = members[~beyond & ~stopped]
    axes.plot(trials.places[full], trials.heights[full], markeredgewidth=0, **here)
    others: dict[str, Any] = here | {"label": None}
    hollow: dict[str, Any] = {"markerfacecolor": "white", "alpha": 0.6, "zorder": 1.8}
    early = members[~beyond & stopped]
    axes.plot(trials.places[early], trials.heights[early], **others | hollow)
    triangle: dict[str, Any] = others | {"marker": "^", "markersize": 6}
    high = members[beyond & ~stopped]
    axes.plot(trials.places[high], trials.heights[high], **triangle)
    high = members[beyond & stopped]
    axes.plot(trials.places[high], trials.heights[high], **triangle | hollow)
    _draw_intervals(axes, trials, members[~beyond], look["color"])


def _draw_intervals(axes: Axes, trials: Trials, members: NDArray[np.int_], color: str) -> None:
    """Draw the errors' intervals, cut off where they leave the panel."""
    chosen = members[np.isfinite(trials.half_widths[members]) & trials.completed[members]]
    if not len(chosen):
        return
    low, high = axes.get_ylim()
    heights, widths = trials.heights[chosen], trials.half_widths[chosen]
    down, up = np.minimum(widths, heights - low), np.minimum(widths, high - heights)
    axes.errorbar(
        trials.places[chosen], heights, yerr=np.maximum((down, up), 0), linestyle="none",
        ecolor=color, elinewidth=0.9, capsize=2.2, capthick=0.9, zorder=2.4, alpha=0.7,
    )  # fmt: skip


def _cross(axes: Axes, places: NDArray[np.float64], row: int, color: str) -> None:
    """Mark the values of diverged trials in a row at the top of the panel."""
    _, height = size_of(axes)
    axes.plot(
        np.unique(places), np.full(len(np.unique(places)), 1 - (0.1 + ROW * row) / height),
        color=color, marker="x", markersize=5, markeredgewidth=1.3, linestyle="none",
        transform=axes.get_xaxis_transform(), scalex=False, scaley=False, zorder=3,
    )  # fmt: skip


def _tell_lowest(trials: Trials, group: Group, unit: str) -> str:
    """Return the lowest error of what was trained to the end, in words."""
    errors = trials.errors[group.members]
    whole = errors[np.isfinite(errors) & ~trials.stopped[group.members]]
    if len(whole):
        return f"lowest {tell_error(float(whole.min()), unit)}"
    return "all diverged" if np.isnan(errors).all() else "stopped early"
