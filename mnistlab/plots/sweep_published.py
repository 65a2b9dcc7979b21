"""Draws the test errors of a sweep's trials beside those that were published.

T is the number of trials.
"""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from mnistlab.plots import style
from mnistlab.plots.style import cut, format_value
from mnistlab.plots.views import SweepView


@style.house_style
def published_errors(view: SweepView) -> Figure | None:
    """Return a row a trial: its test error in percent, its 95 % interval, and the published one.

    None for a sweep without published figures.
    """
    given = view.document.get("published")
    if given is None:
        return None
    rows = given["trials"]
    T = len(rows)
    ours = np.array([one["error"] for one in rows], float) * 100
    ends = np.array([one["interval"] or (np.nan, np.nan) for one in rows], float) * 100
    theirs = np.array([one["published"] for one in rows], float) * 100
    figure = style.new_layout(0.8 + 0.33 * T)
    axes = figure.subplots()
    places = np.arange(T)
    known = np.isfinite(ours)
    axes.hlines(places[known], ends[known, 0], ends[known, 1], color=style.BLUE, linewidth=2)
    axes.plot(ours, places, "o", color=style.BLUE, label="ours, with its 95 % interval")
    axes.plot(theirs, places, "D", color=style.VERMILION, markersize=5, label="published")
    values = np.concatenate([ours, theirs, ends.ravel()])
    if np.isfinite(values).any():
        style.fit_axis(axes.xaxis, values[np.isfinite(values)])
    axes.set_ylim(T - 0.5, -0.5)
    axes.yaxis.set_minor_locator(NullLocator())
    axes.set_yticks(places, [_describe(view, one["trial"]) for one in rows])
    axes.grid(axis="y", color=style.PALE, linewidth=0.7)
    axes.set_xlabel("test error rate (%)")
    axes.legend(loc="lower right", frameon=False)
    notes = [f"Published: {given['source']}.", f"{given['images']:,} test images."]
    return style.add_head(figure, view.title, view.details, notes)


def _describe(view: SweepView, trial: int) -> str:
    """Return what is special about a trial, the empty lists left out."""
    values = [view.results[trial]["parameters"][key] for key in view.keys]
    return cut(", ".join(format_value(value) for value in values if value != []), 60)
