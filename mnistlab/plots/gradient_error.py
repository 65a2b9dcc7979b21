"""How well a gradient was checked: the error by step size, and the coordinates furthest off.

S is the number of steps, M that of coordinates shown.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator
from numpy.typing import NDArray

from mnistlab.plots import page, style, words

MOST = 10  # coordinates in the figure
_BODY = 3.75  # inches
_LEFT, _RIGHT = (0.85, 3.3), (5.6, 2.0)  # inches: where a panel starts, its width
_BOTTOM, _HEIGHT = 0.65, 2.75  # inches
_LOWEST = 1e-17  # errors below it, exact zeros among them, are drawn here


@dataclass(frozen=True)
class StepStudy:
    """Errors of one derivative for S steps, relative to the gradient's largest coordinate.

    Attributes:
        index: the coordinate.
        steps: (S,).
        forward: (S,) errors of (f(x+h) - f(x)) / h.
        central: (S,) errors of (f(x+h) - f(x-h)) / 2h.
        complex: (S,) errors of Im f(x+ih) / h, None where the function takes no complex numbers.
        chosen: the step and the error of the extrapolation that the check used.
        exact: whether the reference is the complex step; else it is the extrapolation.
    """

    index: tuple[int, ...]
    steps: NDArray[np.floating]
    forward: NDArray[np.floating]
    central: NDArray[np.floating]
    complex: NDArray[np.floating] | None
    chosen: tuple[float, float]
    exact: bool


@style.house_style
def gradient_error(
    study: StepStudy,
    names: Sequence[str],
    errors: NDArray[Any],
    tolerances: NDArray[Any],
    *,
    title: str,
    details: str = "",
) -> Figure:
    """Draw the V of rounding and truncation (left) and the worst coordinates (right).

    Args:
        study: the errors by step size.
        names: of M coordinates, the worst first; at most the first 10 are drawn.
        errors: (M,) their absolute errors; what is not finite is drawn at the edge.
        tolerances: (M,) by how much they may be off.
        title: one line; cut if it is too long.
        details: a smaller line below it, if there is more to say.

    Returns:
        The figure; to be written by `page.save`.
    """
    referee = "the complex step" if study.exact else "the extrapolation"
    coordinate = ", ".join(str(i) for i in study.index)
    figure = page.new_figure(
        _BODY, title, [details, f"Left: coordinate {coordinate}, errors against {referee}."]
    )
    left, right = (_panel(figure, *place) for place in (_LEFT, _RIGHT))
    _draw_steps(left, study)
    _draw_worst(right, list(names)[:MOST], errors[:MOST], tolerances[:MOST])
    return figure


def _panel(figure: Figure, start: float, width: float) -> Axes:
    across, up = figure.get_size_inches()
    return figure.add_axes((start / across, _BOTTOM / up, width / across, _HEIGHT / up))


def _draw_steps(axes: Axes, study: StepStudy) -> None:
    curves = [
        ("one-sided", study.forward, style.MUTED, (0, (1, 1.5))),
        ("central", study.central, style.BLUE, "-"),
    ]
    if study.complex is not None:
        curves.append(("complex step", study.complex, style.INK, (0, (4, 1.6))))
    for name, errors, color, line in curves:
        drawn = np.where(np.isfinite(errors), np.maximum(errors, _LOWEST), np.nan)
        axes.plot(study.steps, drawn, color=color, linestyle=line, linewidth=1.5, label=name)
    step, error = study.chosen
    axes.plot(
        [step], [max(error, _LOWEST)], marker="D", markersize=6, color=style.VERMILION,
        linestyle="none", zorder=4, label="extrapolated",
    )  # fmt: skip
    axes.set(xscale="log", yscale="log", xlim=(2, 5e-16), ylim=(3e-18, 3e5))
    axes.set_xlabel("step h (smaller to the right)")
    axes.set_ylabel("relative error")
    for axis, powers in ((axes.xaxis, range(0, -16, -3)), (axes.yaxis, range(0, -17, -3))):
        axis.set_major_locator(FixedLocator([10.0**power for power in powers]))
        axis.set_major_formatter(FixedFormatter([words.short(10.0**power) for power in powers]))
        axis.set_minor_locator(NullLocator())
    axes.grid(axis="y", color=style.PALE, linewidth=0.7)
    axes.legend(
        loc="upper right", fontsize=style.SMALL, frameon=False, ncols=2, borderaxespad=0.0,
        columnspacing=1.2,
    )  # fmt: skip


def _draw_worst(
    axes: Axes, names: Sequence[str], errors: NDArray[Any], tolerances: NDArray[Any]
) -> None:
    """Draw each coordinate's error as a dot and its tolerance as a bar's end."""
    rows = np.arange(len(names))[::-1]
    shown = np.clip(np.nan_to_num(errors, nan=np.inf), _LOWEST, 1e30)
    allowed = np.clip(np.nan_to_num(tolerances, nan=np.inf), _LOWEST, 1e30)
    low = 10.0 ** np.floor(np.log10(min(shown.min(), allowed.min())) - 0.5)
    high = 10.0 ** np.ceil(np.log10(max(shown.max(), allowed.max())) + 0.5)
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
    axes.set(xscale="log", xlim=(low, high), ylim=(-0.7, len(names) + 1.1))
    stride = max(1, int(np.ceil(np.log10(high / low) / 4)))
    powers = range(int(np.log10(low)), int(np.log10(high)) + 1, stride)
    axes.xaxis.set_major_locator(FixedLocator([10.0**power for power in powers]))
    axes.xaxis.set_major_formatter(FixedFormatter([words.short(10.0**p) for p in powers]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_locator(FixedLocator(rows.tolist()))
    labels = [words.fit(name, style.SMALL, 0.9) for name in names]
    axes.yaxis.set_major_formatter(FixedFormatter(labels))
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel("absolute error")
    axes.set_title("worst coordinates", fontsize=style.BODY, loc="left")
    axes.legend(
        loc="upper right", fontsize=style.SMALL, frameon=False, ncols=2, borderaxespad=0.0,
        handletextpad=0.4, columnspacing=1.0,
    )  # fmt: skip
