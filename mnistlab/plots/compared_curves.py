"""How several runs went, in one picture: loss and error rate by epoch, each run with its letter.

E is the number of epochs of a run, which differs from run to run.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray

from mnistlab.plots import page, style, words
from mnistlab.plots.axes import Scale, count_x, panel, say, scale_y, spread
from mnistlab.plots.compared_legend import COLORS, DASHED, SOLID, Legend, letter
from mnistlab.plots.sweep_labels import spell, with_one_style

_LEFT = (0.8, 4.75)  # inches: where the two panels start
_PLOT = (2.8, 2.75)  # inches: width and height of a panel without its labels
_BOTTOM = 0.55  # inches below a panel, for its axis
_LETTER = 0.145  # inches between the letters at the ends of curves
_REACH = 30  # an axis ends at so many times the median of the last values, or parts of it


@dataclass(frozen=True)
class RunCurves:
    """What is drawn of one run; values that are not finite are left out.

    `label` tells it from the others, `epochs` are (E,) whole numbers, ascending, the losses (E,)
    means per image and the errors (E,) percent. Where it `diverged`, its last epoch overflowed.
    """

    label: str
    epochs: NDArray[Any]
    train_loss: NDArray[Any]
    validation_loss: NDArray[Any]
    train_error: NDArray[Any]
    validation_error: NDArray[Any]
    diverged: bool = False


@dataclass(frozen=True)
class _Curves:
    """One run in one panel: (V, 2) finite points of each split, V perhaps 0."""

    letter: str
    color: str
    diverged: bool
    train: NDArray[np.float64]
    validation: NDArray[np.float64]

    @property
    def last(self) -> NDArray[np.float64]:
        """The curve whose end stands for the run: the validation split's where there is one."""
        return self.validation if len(self.validation) else self.train


@style.house_style
def compared_curves(
    runs: Sequence[RunCurves], *, loss_name: str | None, title: str, details: str = ""
) -> Figure:
    """Draw the losses (left) and the error rates (right) of all runs, training and validation.

    An axis holds the values of completed runs up to 30 times the median of their last ones, and
    is logarithmic where these span more than a factor of three: the lowest lie close together.

    Args:
        runs: at most as many as there are COLORS.
        loss_name: as the configs name it; None where the runs have different ones, which have
            no axis in common: the error rates are then drawn alone.
        title: one line; cut if it is too long.
        details: a smaller line below it, if there is more to say.

    Returns:
        The figure; to be written by `page.save` or `picture.save_picture`.
    """
    note = "" if loss_name else "The runs have different losses, which have no axis in common."
    legend = Legend.of([(run.label, _note(run)) for run in runs])
    figure = page.new_figure(legend.height + _BOTTOM + _PLOT[1] + 0.1, title, [details, note])
    sides: list[tuple[str, list[_Curves], str]] = []
    if loss_name:
        name = words.fit(spell(loss_name), style.BODY, _PLOT[1] - 0.9)
        losses = _collect(runs, "loss")
        sides.append((f"{name} per image", losses, "no finite loss\nwas measured"))
    errors = _collect(runs, "error")
    sides.append(("error rate (%)", errors, "no error rate\nwas measured"))
    width = _PLOT[0] if loss_name else _LEFT[1] + _PLOT[0] - _LEFT[0]
    for left, (name, curves, absent) in zip(_LEFT, sides, strict=False):
        axes = panel(figure, (left, legend.height + _BOTTOM), (width, _PLOT[1]))
        _draw(axes, curves, name, absent)
    legend.draw(figure)
    return figure


def _collect(runs: Sequence[RunCurves], what: Literal["loss", "error"]) -> list[_Curves]:
    return [
        _Curves(
            letter(at),
            COLORS[at],
            run.diverged,
            _points(run.epochs, getattr(run, f"train_{what}")),
            _points(run.epochs, getattr(run, f"validation_{what}")),
        )
        for at, run in enumerate(runs)
    ]


def _points(x: Any, y: Any) -> NDArray[np.float64]:
    points = np.column_stack((np.asarray(x, dtype=float), np.asarray(y, dtype=float)))
    finite: NDArray[np.float64] = points[np.isfinite(points).all(axis=1)]
    return finite


def _draw(axes: Axes, runs: Sequence[_Curves], name: str, absent: str) -> None:
    """Draw the runs' curves in one panel, or say `absent` where there is none."""
    runs = [run for run in runs if len(run.last)]
    if not runs:
        say(axes, absent)
        return
    axes.set_xlabel("epoch")
    axes.set_ylabel(name)
    epochs = np.concatenate([points[:, 0] for run in runs for points in (run.train, run.last)])
    count_x(axes, float(epochs.min()), float(epochs.max()))
    scale = _scale(runs)
    scale_y(axes, scale)
    width = 1.6 if len(runs) <= 5 else 1.2
    for run in runs:
        for points, line in ((run.train, SOLID), (run.validation, DASHED)):
            axes.plot(
                points[:, 0],
                _tame(points[:, 1], scale),
                color=run.color,
                linestyle=line,
                linewidth=width,
                marker="o" if len(points) == 1 else "",
                markersize=3.5,
                scalex=False,
                scaley=False,
                zorder=2,
            )
    _mark_ends(axes, runs, scale)


def _scale(runs: Sequence[_Curves]) -> Scale:
    """Return the vertical scale; runs that diverged count only if no other has a value."""
    completed = [run for run in runs if not run.diverged]
    counted = completed or runs
    values = np.concatenate([points[:, 1] for run in counted for points in (run.train, run.last)])
    if completed:
        middle = float(np.median([run.last[-1, 1] for run in completed]))
        near = values[(values <= _REACH * middle) & (values >= middle / _REACH)]
        values = near if middle > 0 and len(near) else values
    log = bool(values.min() > 0 and values.max() / 3 > values.min())
    return with_one_style(Scale.of(values, log=log))


def _tame(values: Any, scale: Scale) -> Any:
    """Return `values` with those far off the panel brought nearer, where drawing them is safe."""
    heights = np.clip(_heights(values, scale), -10, 10)
    if not scale.log:
        return scale.low + heights * (scale.high - scale.low)
    start, end = np.log10([scale.low, scale.high])
    return 10.0 ** np.clip(start + heights * (end - start), -307, 308)


def _heights(values: Any, scale: Scale) -> NDArray[np.float64]:
    """Return where values lie in the panel, 0 at its foot and 1 at its top."""
    with np.errstate(over="ignore"):
        heights = np.clip(scale.place(values), -1e9, 1e9)
    return np.where(np.isnan(heights), -1.0, heights)  # below zero on a logarithmic axis


def _mark_ends(axes: Axes, runs: Sequence[_Curves], scale: Scale) -> None:
    """Write each run's letter where its curve ends or leaves the panel, none over another.

    What goes on to the last epoch has its letter beside the panel, where more find room.
    """
    low, high = axes.get_xlim()
    ends = np.array([_end(run.last, scale) for run in runs])
    at, heights = (ends[:, 0] - low) / (high - low), ends[:, 1].copy()
    for x in np.unique(at):
        together = at == x
        heights[together] = spread(heights[together], _LETTER / _PLOT[1])
    inch = axes.figure.dpi / axes.bbox.width
    beside = np.where(at == at.max(), 1 + 0.17 * inch, at + 0.11 * inch)
    for run, start, target in zip(
        runs, np.column_stack((at, ends[:, 1])), np.column_stack((beside, heights)), strict=True
    ):
        left = bool(run.last[-1, 1] > scale.high)
        if not left and (abs(target[1] - start[1]) > 0.01 or target[0] > 1):
            tip = target - (0.06 * inch, 0)
            _add(axes, np.array([start, tip]), color=run.color, linewidth=0.6, zorder=1)
        if not left and run.diverged:
            _add(axes, start[np.newaxis], color=run.color, marker="x", markersize=5, zorder=3)
        axes.text(
            target[0],
            target[1],
            f"{run.letter}↑" if left else run.letter,
            color=run.color,
            fontsize=style.SMALL,
            fontweight="bold",
            transform=axes.transAxes,
            path_effects=[withStroke(linewidth=2.2, foreground="white")],
            horizontalalignment="center",
            verticalalignment="center_baseline",
            zorder=4,
        )


def _add(axes: Axes, points: NDArray[np.float64], **look: Any) -> None:
    """Draw through points (V, 2) that are parts of the panel's width and height."""
    axes.plot(
        *points.T, transform=axes.transAxes, clip_on=False, scalex=False, scaley=False, **look
    )


def _end(points: NDArray[np.float64], scale: Scale) -> tuple[float, float]:
    """Return where a curve ends: its epoch and the height in the panel from 0 to 1.

    A curve that ends outside of the panel ends here where it leaves it for good.
    """
    heights = _heights(points[:, 1], scale)
    inside = np.flatnonzero((heights >= 0) & (heights <= 1))
    edge = float(np.clip(heights[-1], 0, 1))
    if len(inside) == 0 or inside[-1] == len(points) - 1:
        at = len(points) - 1 if len(inside) else 0
        return float(points[at, 0]), edge
    before = inside[-1]
    part = (edge - heights[before]) / (heights[before + 1] - heights[before])
    return float(points[before, 0] + part * (points[before + 1, 0] - points[before, 0])), edge


def _note(run: RunCurves) -> str:
    if not run.diverged:
        return ""
    return f"(diverged in epoch {run.epochs[-1]:.0f})" if len(run.epochs) else "(diverged)"
