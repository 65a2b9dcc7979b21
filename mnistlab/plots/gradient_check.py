"""How well a gradient was checked: the error by step size, and the coordinates furthest off.

S is the number of steps, M that of coordinates shown.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator

from mnistlab.plots import style
from mnistlab.plots.style import Array, cut, format_value

if TYPE_CHECKING:
    from mnistlab.gradcheck.differences import StepStudy

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
