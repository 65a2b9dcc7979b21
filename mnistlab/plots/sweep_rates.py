"""The error of a sweep's trials by their learning rate, and where training diverges.

T is the number of trials.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from mnistlab.plots import page, style, words
from mnistlab.plots.axes import Scale, panel, say, scale_y
from mnistlab.plots.sweep_rate_marks import draw_limit, mark_best, shade_diverged

MOST_GROUPS = 6  # lines in a panel; beyond it only their lower envelope is drawn
_BODY = 3.9  # inches below the title
_CORNER, _HEIGHT = (0.8, 0.6), 3.0  # inches: where the panel starts, and how high it is
_ROW = 0.13  # inches between the marks of two groups' diverged trials
_WIDEST_NAME = 2.4  # inches
_STRETCHES = 24  # points of the lower envelope
_DOTTED_UP_TO = 60  # trials of a group: beyond it, large dots would hide the line

# Vermilion is left out: it stands for what diverged. The greens and yellows of Okabe and Ito are
# darker here, for small text; marks and dashes tell the lines apart without any colour.
_LOOKS: list[dict[str, Any]] = [
    {"color": style.BLUE, "marker": "o", "linestyle": "-"},
    {"color": "#007A5E", "marker": "s", "linestyle": (0, (5, 1.5))},
    {"color": "#9B3F7B", "marker": "^", "linestyle": (0, (1.2, 1.2))},
    {"color": "#7D6B00", "marker": "D", "linestyle": (0, (6, 1.5, 1.2, 1.5))},
    {"color": style.INK, "marker": "v", "linestyle": (0, (3, 1, 1, 1, 1, 1))},
    {"color": "#6B6B6B", "marker": "P", "linestyle": (0, (8, 2))},
]


@dataclass(frozen=True)
class _Group:
    """Trials whose other parameters are equal, in the order of their rates."""

    name: str
    rates: NDArray[np.float64]
    errors: NDArray[np.float64]


@style.house_style
def error_by_rate(
    rates: NDArray[Any],
    errors: NDArray[Any],
    groups: Sequence[str],
    *,
    limit: float | None,
    best: int | None,
    title: str,
    details: str = "",
    error_name: str = "validation error rate (%)",
) -> Figure:
    """Draw the error by the learning rate, one line for each of up to six groups.

    A line joins the lowest error of each rate. Of more groups, all trials are pale dots above one
    line through the lowest. Trials without an error are crosses at the top; the panel is shaded
    where every rate diverged up to the highest. A trial whose rate is not finite is left out.

    Args:
        rates: (T,) learning rates; the axis is logarithmic where all are above zero.
        errors: (T,) in percent; NaN where training diverged.
        groups: T labels of the other parameters' values.
        limit: the highest rate at which theory promises stable steps, if it is known.
        best: the trial to be marked.
        title: one line; cut if it is too long.
        details: a smaller line below it, if there is more to say.
        error_name: what the vertical axis shows.

    Returns:
        The figure; to be written by `page.save`.
    """
    rates = np.asarray(rates, dtype=float)
    errors = np.where(np.isfinite(rates) & np.isfinite(errors), errors, np.nan).astype(float)
    limit = limit if limit is not None and 0 < limit < np.inf else None
    drawn = _split(rates, errors, groups)
    legend = 1 < len(drawn) <= MOST_GROUPS
    width = style.WIDTH - style.MARGIN - _CORNER[0] - (_legend_room(drawn) if legend else 0.0)
    edge, crosses = _edge(rates, errors), bool((np.isfinite(rates) & np.isnan(errors)).any())
    across = _scale_rates(rates, limit, width, edge)
    shown = limit if limit and across and across.low <= limit <= across.high else None

    notes = _explain(len(drawn), crosses and edge is None, None if shown else limit)
    figure = page.new_figure(_BODY, title, [details, notes])
    axes = panel(figure, _CORNER, (width, _HEIGHT))
    if across is None:
        say(axes, "no trial was run")
        return figure
    rows = (len(drawn) if legend else 1) if crosses else 0
    across.apply(axes, "x")
    scale_y(axes, _scale_errors(errors[np.isfinite(errors)], rows))
    axes.set_xlabel("learning rate")
    axes.set_ylabel(words.fit(error_name, style.BODY, _HEIGHT))
    if edge is not None:
        shade_diverged(axes, edge, top=0.2 + _ROW * rows)
    if shown is not None:
        draw_limit(axes, shown)
    if len(drawn) <= MOST_GROUPS:
        _draw_groups(axes, drawn)
    else:
        _draw_envelope(axes, across, rates, errors)
    if legend:
        _draw_legend(axes, drawn, width)
    if best is not None and np.isfinite(errors[best]):
        mark_best(axes, rates[best], errors[best], between=(shown, edge))
    return figure


def _split(
    rates: NDArray[np.float64], errors: NDArray[np.float64], groups: Sequence[str]
) -> list[_Group]:
    members: dict[str, list[int]] = {}
    for trial in np.argsort(rates, kind="stable"):
        if np.isfinite(rates[trial]):
            members.setdefault(groups[trial], []).append(int(trial))
    order = [name for name in dict.fromkeys(groups) if name in members]
    return [_Group(name, rates[members[name]], errors[members[name]]) for name in order]


def _edge(rates: NDArray[np.float64], errors: NDArray[np.float64]) -> float | None:
    """Return the lowest diverged rate above all others, if there is any."""
    rates, completed = rates[np.isfinite(rates)], np.isfinite(errors[np.isfinite(rates)])
    beyond = rates[~completed & (rates > rates[completed].max(initial=-np.inf))]
    return float(beyond.min()) if len(beyond) else None


def _lowest(
    rates: NDArray[np.float64], errors: NDArray[np.float64], places: NDArray[Any]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the rate and the error of the lowest at each place, NaN where all diverged."""
    order = np.lexsort((np.nan_to_num(errors, nan=np.inf), places))
    _, first = np.unique(places[order], return_index=True)
    return rates[order[first]], errors[order[first]]


def _explain(groups: int, crosses: bool, limit: float | None) -> str:
    """Return what the picture does not say by itself."""
    notes = []
    if groups > MOST_GROUPS:
        notes.append("Each dot is a trial; the line joins the lowest errors.")
    if crosses:
        notes.append("A cross at the top is a trial that diverged.")
    if limit is not None:
        notes.append(f"The stability limit {words.number(limit)} lies outside.")
    return " ".join(notes)


def _scale_rates(
    rates: NDArray[np.float64], limit: float | None, width: float, edge: float | None
) -> Scale | None:
    """Return the horizontal scale, None without a rate.

    It reaches the limit where that lies no further outside than what the rates span.
    """
    shown = rates[np.isfinite(rates)]
    if not len(shown):
        return None
    log = bool((shown > 0).all())
    right = 0.25 if edge is None else 0.4  # room for a word beside the last diverged rate
    room = width - 0.25 - right
    pad = (0.25 / room, right / room)
    across = Scale.of(shown, log=log, pad=pad)
    if limit is not None and -1 < across.place(limit) < 2:
        across = Scale.of(np.append(shown, limit), log=log, pad=pad)
    return across


def _scale_errors(errors: NDArray[np.float64], rows: int) -> Scale:
    """Return the vertical scale, with room for the best value below and crosses above."""
    below, above = 0.35, 0.2 + _ROW * rows
    room = _HEIGHT - below - above
    values = errors if len(errors) else np.array([0.0, 100.0])
    return Scale.of(values, pad=(below / room, above / room))


def _draw_groups(axes: Axes, drawn: Sequence[_Group]) -> None:
    for row, (group, look) in enumerate(zip(drawn, _LOOKS, strict=False)):
        size = 4.5 if len(group.rates) <= _DOTTED_UP_TO else 2.0
        axes.plot(
            group.rates, group.errors, color=look["color"], marker=look["marker"],
            markersize=size, markeredgewidth=0, linestyle="none", zorder=3,
        )  # fmt: skip
        line = look | {"marker": ""}
        lowest = _lowest(group.rates, group.errors, group.rates)
        axes.plot(*lowest, **line, linewidth=1.5, label=group.name or "trials", zorder=2)
        color = look["color"] if len(drawn) > 1 else style.VERMILION
        _cross(axes, group.rates[np.isnan(group.errors)], row, color)


def _draw_envelope(
    axes: Axes, across: Scale, rates: NDArray[np.float64], errors: NDArray[np.float64]
) -> None:
    """Draw all trials as pale dots and the lowest of them along the axis as a line."""
    rates, errors = rates[np.isfinite(rates)], errors[np.isfinite(rates)]
    axes.plot(
        rates, errors, color="#8c8c8c", alpha=0.5, marker="o", markersize=3.8,
        markeredgewidth=0, linestyle="none", label="trials",
    )  # fmt: skip
    # Rates drawn at random are hardly ever equal: those of one stretch count as one.
    few = len(np.unique(rates)) <= _STRETCHES
    places = rates if few else np.floor(across.place(rates) * _STRETCHES)
    lowest = _lowest(rates, errors, places)
    axes.plot(*lowest, color=style.BLUE, linewidth=1.8, label="lowest", zorder=3)
    _cross(axes, rates[np.isnan(errors)], 0, style.VERMILION)


def _cross(axes: Axes, rates: NDArray[np.float64], row: int, color: str) -> None:
    """Mark the rates of diverged trials in a row at the top of the panel."""
    axes.plot(
        np.unique(rates), np.full(len(np.unique(rates)), 1 - (0.1 + _ROW * row) / _HEIGHT),
        color=color, marker="x", markersize=5, markeredgewidth=1.3, linestyle="none",
        transform=axes.get_xaxis_transform(), scalex=False, scaley=False, zorder=3,
    )  # fmt: skip


def _legend_room(drawn: Sequence[_Group]) -> float:
    """Return the inches that the legend takes right of the panel."""
    widest = max(words.text_width(words.plain(group.name), style.SMALL) for group in drawn)
    return 0.65 + min(max(widest, 0.9), _WIDEST_NAME)


def _draw_legend(axes: Axes, drawn: Sequence[_Group], width: float) -> None:
    """Write each group's name right of the panel, with its line before and its best below it."""
    beside = axes.get_figure().dpi_scale_trans  # type: ignore[union-attr]
    left, top = _CORNER[0] + width + 0.15, _CORNER[1] + _HEIGHT - 0.1
    for row, (group, look) in enumerate(zip(drawn, _LOOKS, strict=False)):
        y = top - 0.44 * row
        axes.plot(
            (left, left + 0.19, left + 0.38), (y, y, y), **look, linewidth=1.5, markersize=4.5,
            markeredgewidth=0, markevery=[1], transform=beside, clip_on=False, scalex=False,
            scaley=False,
        )  # fmt: skip
        finite = group.errors[np.isfinite(group.errors)]
        lowest = f"lowest {words.number(finite.min())} %" if len(finite) else "all diverged"
        name = words.fit(group.name, style.SMALL, _WIDEST_NAME)
        for down, text, color in ((0.0, name, look["color"]), (0.17, lowest, style.MUTED)):
            axes.text(
                left + 0.48, y - down, text, color=color, fontsize=style.SMALL, transform=beside,
                verticalalignment="center_baseline",
            )  # fmt: skip
