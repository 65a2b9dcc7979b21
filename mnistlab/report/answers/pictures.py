"""The answers' own figures: the gap to the optimum, and the overflow beside its forecast.

E epochs, S steps.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mnistlab.plots import style
from mnistlab.plots.labels import cut, number
from mnistlab.plots.style import Scale
from mnistlab.report._plots_compat import spread

_BODY = 2.95  # inches below the title
_CORNER, _SIZE = (0.9, 0.55), (4.3, 2.25)  # inches
_LINE = 0.19  # inches between the labels beside the panel

_LOOKS: tuple[dict[str, Any], ...] = (
    {"color": style.BLUE, "linestyle": "-", "marker": "o"},
    {"color": style.VERMILION, "linestyle": (0, (4, 1.6)), "marker": "s"},
    {"color": style.INK, "linestyle": (0, (1, 1.4)), "marker": "D"},
)

Curve = tuple[str, Sequence[float], Sequence[float]]
"""A name, epochs or steps, and values above zero."""


@style.house_style
def draw_gaps(curves: Sequence[Curve], title: str) -> Figure:
    """Draw by how much training losses lie above the least possible one, by epoch.

    Up to three curves of (E,) points each; only gaps above zero can be drawn.
    """
    figure = style.new_figure(_BODY, title, "training loss minus the optimum's, after each epoch")
    axes = style.add_axes(figure, _CORNER, _SIZE)
    axes.set_xlabel("epoch")
    axes.set_ylabel("training loss above optimum")
    _draw(axes, curves)
    return figure


@style.house_style
def draw_overflow(
    steps: Sequence[float], losses: Sequence[float], growth: float, ceiling: float, title: str
) -> Figure:
    """Draw each step's batch loss (S,) until it overflows, beside the growth that was forecast.

    `growth` is the factor by which the loss should rise at each step, `ceiling` the largest
    number that the run could hold.
    """
    details = "the loss of each step's batch, and the growth that the largest eigenvalue forecasts"
    figure = style.new_figure(_BODY, title, details)
    axes = style.add_axes(figure, _CORNER, _SIZE)
    axes.set_ylabel("loss of the batch")
    x, y = np.asarray(steps, float), np.asarray(losses, float)
    finite = np.isfinite(y) & (y > 0)
    x, y = x[finite], y[finite]
    with np.errstate(over="ignore"):
        forecast = y[0] * growth ** (x - x[0])
    below = forecast <= ceiling
    curves: list[Curve] = [
        ("measured", x.tolist(), y.tolist()),
        ("forecast", x[below].tolist(), forecast[below].tolist()),
    ]
    _draw(axes, curves, highest=ceiling)
    axes.set_xlabel("step")
    axes.axhline(ceiling, color=style.MUTED, linewidth=1.0)
    axes.annotate(
        f"largest number: {number(ceiling)}",
        (x[0], ceiling),
        (0, -4),
        textcoords="offset points",
        color=style.MUTED,
        fontsize=style.SMALL,
        verticalalignment="top",
    )
    return figure


def _draw(axes: Axes, curves: Sequence[Curve], highest: float | None = None) -> None:
    """Draw curves on a logarithmic axis, each with its name and last value beside the panel."""
    x = np.concatenate([curve[1] for curve in curves])
    y = np.concatenate([curve[2] for curve in curves])
    style.set_epochs(axes, float(x.min()), float(x.max()))
    scale = Scale.of(y if highest is None else np.append(y, highest), log=True)
    style.set_scale(axes, "y", scale)
    for (name, at, values), look in zip(curves, _LOOKS, strict=False):
        axes.plot(at, values, label=name, linewidth=1.6, markersize=3.2, **look)
    _label(axes, curves)


def _label(axes: Axes, curves: Sequence[Curve]) -> None:
    to_panel = axes.transData + axes.transAxes.inverted()
    ends = [to_panel.transform((at[-1], values[-1])) for _, at, values in curves]
    heights = spread(np.array([end[1] for end in ends]), _LINE / _SIZE[1])
    for (name, _, values), end, height, look in zip(curves, ends, heights, _LOOKS, strict=False):
        axes.plot(
            (end[0], 1.02, 1.04),
            (end[1], height, height),
            color=look["color"],
            linewidth=0.5,
            alpha=0.6,
            transform=axes.transAxes,
            clip_on=False,
            scalex=False,
            scaley=False,
            zorder=1,
        )
        axes.text(
            1.05,
            height,
            cut(f"{number(values[-1])}  {name}", 34),
            color=look["color"],
            fontsize=style.SMALL,
            transform=axes.transAxes,
            verticalalignment="center_baseline",
        )
