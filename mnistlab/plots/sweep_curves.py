"""How all trials of a sweep went: every loss and error rate by epoch, the best in front.

T is the number of trials, E that of epochs, which differs from trial to trial.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from numpy.typing import NDArray

from mnistlab.plots import page, style, words
from mnistlab.plots.axes import Scale, count_x, panel, say, scale_y

_BODY = 3.35  # inches below the title
_LEFT = (0.8, 4.65)  # inches: where the two panels start
_PLOT = (2.5, 2.65)  # inches: width and height of a panel without its labels
_BOTTOM = 0.55  # inches
_PALE, _LOST = "#9a9a9a", "#D9865C"  # drawn thin and see-through
_REACH = 30  # an axis ends at so many times the median of the last values, or parts of it
_CROSSES_UP_TO = 100  # diverged trials; beyond it the crosses at their ends would hide the rest


@dataclass(frozen=True)
class _Curve:
    """One trial in one panel: finite points only, at least one of them."""

    trial: int
    diverged: bool
    x: NDArray[np.float64]
    y: NDArray[np.float64]


@style.house_style
def all_learning_curves(
    epochs: Sequence[NDArray[Any]],
    losses: Sequence[NDArray[Any]],
    errors: Sequence[NDArray[Any]],
    *,
    best: int | None,
    diverged: NDArray[Any],
    loss_name: str,
    title: str,
    details: str = "",
) -> Figure:
    """Draw the validation loss (left) and the validation error rate (right) of each trial.

    An axis holds the best trial's values, and those of completed trials up to 30 times the median
    of their last ones: what leaves it is counted in a line below the title. Values that are not
    finite are left out, so that a diverged trial ends at its last finite value. An axis is
    logarithmic where it spans more than a factor of three: the lowest errors lie close together.

    Args:
        epochs: T arrays (E,) of whole numbers, ascending; E may be 0.
        losses: T arrays (E,), the mean loss per held-out image.
        errors: T arrays (E,) in percent.
        best: the trial drawn in front.
        diverged: (T,) whether training diverged.
        loss_name: as the config names it.
        title: one line; cut if it is too long.
        details: a smaller line below it, if there is more to say.

    Returns:
        The figure; to be written by `page.save`.
    """
    diverged = np.asarray(diverged, dtype=bool)
    both = [_curves(epochs, values, diverged) for values in (losses, errors)]
    scales = [_scale(curves, best) for curves in both]
    notes = [_explain(best, diverged), _count_leaving(both, scales)]
    figure = page.new_figure(_BODY, title, [details, *notes])
    loss = words.fit(loss_name.replace("_", " "), style.BODY, _PLOT[1] - 0.7)
    ends = [float(x) for curve in (*both[0], *both[1]) for x in curve.x[[0, -1]]]
    for left, curves, scale, name, unit, absent in zip(
        _LEFT,
        both,
        scales,
        (f"validation {loss}", "validation error rate (%)"),
        ("", " %"),
        ("no finite loss\nwas measured", "no error rate\nwas measured"),
        strict=True,
    ):
        axes = panel(figure, (left, _BOTTOM), _PLOT)
        if scale is None:
            say(axes, absent)
            continue
        axes.set_xlabel("epoch")
        axes.set_ylabel(name)
        count_x(axes, min(ends), max(ends))
        scale_y(axes, scale)
        _draw(axes, [curve for curve in curves if curve.trial != best], scale)
        _draw_best(axes, [curve for curve in curves if curve.trial == best], unit)
    return figure


def _curves(
    epochs: Sequence[NDArray[Any]], values: Sequence[NDArray[Any]], diverged: NDArray[np.bool_]
) -> list[_Curve]:
    curves = []
    for trial in range(len(epochs)):
        x, y = np.asarray(epochs[trial], dtype=float), np.asarray(values[trial], dtype=float)
        finite = np.isfinite(y)
        if finite.any():
            curves.append(_Curve(trial, bool(diverged[trial]), x[finite], y[finite]))
    return curves


def _scale(curves: Sequence[_Curve], best: int | None) -> Scale | None:
    """Return the vertical scale, None without a value; diverged trials count if no other does."""
    if not curves:
        return None
    completed = [curve for curve in curves if not curve.diverged]
    values = np.concatenate([curve.y for curve in completed or curves])
    if completed:
        middle = float(np.median([curve.y[-1] for curve in completed]))
        near = values[(values <= _REACH * middle) & (values >= middle / _REACH)]
        first = [curve.y for curve in curves if curve.trial == best]
        kept = np.concatenate([near, *first])
        values = kept if middle > 0 and len(kept) else values
    return Scale.of(values, log=bool(values.min() > 0 and values.max() / 3 > values.min()))


def _explain(best: int | None, diverged: NDArray[np.bool_]) -> str:
    """Return what the colours mean, of those that are there."""
    lost = int(diverged.sum())
    completed = len(diverged) - lost
    notes = []
    if completed:
        notes.append(f"{completed:,} completed {'trials' if completed > 1 else 'trial'} in grey")
    if best is not None:
        notes.append("the best in blue")
    if lost:
        notes.append(f"{lost:,} diverged in pale red, up to the last finite value")
    return f"{', '.join(notes)}." if notes else ""


def _count_leaving(both: Sequence[Sequence[_Curve]], scales: Sequence[Scale | None]) -> str:
    """Return how many curves leave a panel, if any does."""
    notes = []
    for side, curves, scale in zip(("left", "right"), both, scales, strict=True):
        if scale is None:
            continue
        out = sum(bool(((c.y < scale.low) | (c.y > scale.high)).any()) for c in curves)
        if out:
            notes.append(f"{out:,} on the {side}")
    return f"Curves that leave a panel: {', '.join(notes)}." if notes else ""


def _draw(axes: Axes, curves: Sequence[_Curve], scale: Scale) -> None:
    """Draw curves thin and see-through, the more so the more there are."""
    alpha = float(np.clip(3 * len(curves) ** -0.5, 0.07, 0.75)) if curves else 1.0
    width = 1.1 if len(curves) <= 100 else 0.8
    for lost, color in ((True, _LOST), (False, _PALE)):
        chosen = [curve for curve in curves if curve.diverged == lost]
        paths = [np.column_stack((curve.x, _tame(curve.y, scale))) for curve in chosen]
        shown = min(1.0, 1.6 * alpha) if lost else alpha
        lines = LineCollection(paths, colors=color, linewidths=width, alpha=shown, zorder=2)
        axes.add_collection(lines, autolim=False)
        single = [curve for curve in chosen if len(curve.x) == 1]
        marked = chosen if lost and len(chosen) <= _CROSSES_UP_TO else single
        axes.plot(
            [curve.x[-1] for curve in marked], [_tame(curve.y[-1], scale) for curve in marked],
            color=color, marker="x" if lost else "o", markersize=4 if lost else 3,
            linestyle="none", scalex=False, scaley=False, zorder=2.5,
        )  # fmt: skip


def _tame(values: Any, scale: Scale) -> Any:
    """Return `values` with those far off the panel brought nearer, where drawing them is safe."""
    if not scale.log:
        span = scale.high - scale.low
        return np.clip(values, scale.low - 1e3 * span, scale.high + 1e3 * span)
    start, end = np.log10([scale.low, scale.high])
    reach = 10 * (end - start)
    return np.clip(values, *10.0 ** np.clip((start - reach, end + reach), -307, 308))


def _draw_best(axes: Axes, curves: Sequence[_Curve], unit: str) -> None:
    """Draw the best trial in front and write its last value beside the panel."""
    for curve in curves:
        marker = "o" if len(curve.x) == 1 else ""
        axes.plot(
            curve.x, curve.y, color="white", linewidth=3.6, clip_on=False, zorder=3, marker=marker
        )
        axes.plot(
            curve.x, curve.y, color=style.BLUE, linewidth=2.0, clip_on=False, zorder=4,
            marker=marker, markersize=4.5, label="best",
        )  # fmt: skip
        to_panel = axes.transData + axes.transAxes.inverted()
        right, height = to_panel.transform((curve.x[-1], curve.y[-1]))
        middle = float(np.clip(height, 0.06, 0.94))
        axes.plot(
            (right, 1.03, 1.05), (height, middle, middle), color=style.BLUE, linewidth=0.7,
            linestyle=(0, (1, 2)), transform=axes.transAxes, clip_on=False, scalex=False,
            scaley=False, zorder=1,
        )  # fmt: skip
        axes.text(
            1.065, middle, f"best\n{words.number(curve.y[-1])}{unit}", color=style.BLUE,
            fontsize=style.SMALL, transform=axes.transAxes, verticalalignment="center",
        )  # fmt: skip
