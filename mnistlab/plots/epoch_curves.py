"""How training went, epoch by epoch: of one run, and of several runs together.

E is the number of epochs of a run, S that of steps, V a number of points.
"""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from mnistlab.plots import style
from mnistlab.plots.labels import cut, number, spell

_BODY = 2.95  # inches below the title
_LEFT = (0.8, 4.7)  # inches: where the two panels start
_PLOT = (1.7, 2.25)  # inches: width and height of a panel without its labels
_BOTTOM = 0.55  # inches
_DOTTED_UP_TO = 20  # evaluations: beyond it, dots would hide the line
_REACH = 30  # an axis ends at so many times the median of the last values, or parts of it

_LOOKS: dict[str, dict[str, Any]] = {
    "training": {"color": style.BLUE, "linestyle": "-", "marker": "o", "markersize": 3.2},
    "validation": {
        "color": style.VERMILION, "linestyle": style.DASHED, "marker": "s", "markersize": 3.2,
    },
    "test": {
        "color": style.INK, "linestyle": "none", "marker": "D", "markersize": 4.5, "zorder": 3,
    },
}  # fmt: skip

COLORS = (
    *(style.BLUE, style.VERMILION, "#00805F", "#A8478A", "#A87400", "#3A9BD0", style.INK),
    *("#7C4A2D", "#7F7F7F", "#DB6BA5", "#6B7A1E", "#7D73CF"),
)
"""Of compared runs. Seven are told apart with any colour vision; for more there are the marks."""

_MARKS = ("o", "s", "^", "D", "v", "P", "X", "*", "p", "<", ">", "h")

Points = NDArray[np.float64]
"""(V, 2): epochs or steps, and finite values."""


@style.house_style
def learning_curves(
    epochs: NDArray[Any],
    train_loss: NDArray[Any],
    validation_loss: NDArray[Any],
    train_accuracy: NDArray[Any],
    validation_accuracy: NDArray[Any],
    *,
    loss_name: str,
    title: str,
    details: str = "",
    test_loss: float | None,
    test_accuracy: float | None,
    divergence: tuple[NDArray[Any], NDArray[Any]] | None = None,
) -> Figure:
    """Return the loss (left) and the error rate in percent (right) of a run.

    Losses are means per image and accuracies from 0 to 1, both (E,); those of the test split were
    measured after the last epoch, if at all. Values that are not finite are left out, and a split
    without any has no curve. An axis is logarithmic where it spans more than a factor of ten.

    Of a run that overflowed `divergence` holds its steps (S,) and the loss of each step's batch
    (S,) up to the first that is not finite; they take the left panel.
    """
    figure = style.new_figure(_BODY, title, details)
    left, right = (style.add_axes(figure, (start, _BOTTOM), _PLOT) for start in _LEFT)
    loss = spell(loss_name)
    # A run may have ended before its first epoch did.
    last = float(epochs[-1]) if len(epochs) else 0.0
    span = (float(epochs[0]) if len(epochs) else last, last)
    if divergence is None:
        losses = {
            "training": find_points(epochs, train_loss),
            "validation": find_points(epochs, validation_loss),
            "test": find_points([last], [np.nan if test_loss is None else test_loss]),
        }
        _draw_splits(left, losses, span, f"{loss} per image", "", "no finite loss\nwas measured")
        absent = "no error rate\nwas measured"
    else:
        _draw_overflow(left, find_points(*divergence), np.asarray(divergence[0], float), loss)
        absent = "the loss overflowed before\nan error rate was measured"
    errors = {
        "training": find_points(epochs, _error_rate(train_accuracy)),
        "validation": find_points(epochs, _error_rate(validation_accuracy)),
        "test": find_points(
            [last], [_error_rate(np.nan if test_accuracy is None else test_accuracy)]
        ),
    }
    _draw_splits(right, errors, span, "error rate (%)", " %", absent)
    return figure


def _error_rate(accuracy: Any) -> Any:
    """Return percent; in double precision, where 1 - 0.9 is nearest to 0.1."""
    return 100 * (1 - np.asarray(accuracy, dtype=float))


def find_points(x: Any, y: Any) -> Points:
    """Return (V, 2): those of the points whose `y` is finite."""
    points = np.column_stack((np.asarray(x, dtype=float), np.asarray(y, dtype=float)))
    finite: Points = points[np.isfinite(points).all(axis=1)]
    return finite


def _draw_splits(
    axes: Axes,
    curves: dict[str, Points],
    span: tuple[float, float],
    name: str,
    unit: str,
    absent: str,
) -> None:
    """Draw the splits that have points, with their last values beside the panel, or say none."""
    curves = {split: points for split, points in curves.items() if len(points)}
    if not curves:
        style.write_state(axes, absent)
        return
    style.set_name(axes, "y", name, 2.6)
    style.set_epochs(axes, *span)
    values = np.concatenate([points[:, 1] for points in curves.values()])
    style.set_scale(axes, "y", style.Scale.of(values))
    lines = {}
    for split, points in curves.items():
        look = _LOOKS[split] | ({"marker": ""} if len(points) > _DOTTED_UP_TO else {})
        lines[split] = axes.plot(*points.T, label=split, linewidth=1.6, clip_on=False, **look)[0]
    # from the top as the curves end
    order = sorted(curves, key=lambda split: -curves[split][-1, 1])
    texts = [f"{split} {number(curves[split][-1, 1])}{unit}" for split in order]
    axes.legend(
        [lines[split] for split in order],
        texts,
        fontsize=min(style.shrink(text, style.SMALL, 1.13) for text in texts),
        loc="center left", bbox_to_anchor=(1.05, 0.5), labelcolor="linecolor", handlelength=1.7,
        handletextpad=0.5,
    )  # fmt: skip


def _draw_overflow(axes: Axes, points: Points, steps: NDArray[Any], loss: str) -> None:
    """Draw the loss of each step's batch up to where it left the range of numbers."""
    if not len(points):
        style.write_state(axes, "the loss overflowed\nat the first step")
        return
    style.set_name(axes, "y", f"{loss} of the batch", 2.6)
    overflow = np.setdiff1d(steps, points[:, 0])[:1]
    end = float(overflow[0] if len(overflow) else points[-1, 0])
    style.set_epochs(axes, float(points[0, 0]), end, "step")
    style.set_scale(axes, "y", style.Scale.of(points[:, 1]))
    marker = "o" if len(points) == 1 else ""
    axes.plot(
        *points.T, label="batch", color=style.BLUE, linewidth=1.3, marker=marker, markersize=3.2
    )
    axes.axvline(end, color=style.VERMILION, linestyle=style.DASHED, linewidth=1.2)
    axes.text(
        1.06, 1.0, f"overflow\n{'at' if len(overflow) else 'after'} step {end:.0f}",
        color=style.VERMILION, fontsize=style.SMALL, transform=axes.transAxes,
        verticalalignment="top",
    )  # fmt: skip


def scale_near(
    axes: Axes, values: NDArray[Any], last: NDArray[Any], kept: NDArray[Any] | None = None
) -> None:
    """Fit the vertical axis to the `values` (V,) up to 30 times the median of the `last` ones.

    It is logarithmic where these span more than a factor of three: the lowest lie close together.
    `kept` values are on it in any case.
    """
    middle = float(np.median(last)) if len(last) else 0.0
    if middle > 0:
        near = values[(values / _REACH <= middle) & (values >= middle / _REACH)]
        near = near if kept is None else np.concatenate([near, kept])
        values = near if len(near) else values
    log = bool(values.min() > 0 and values.max() / 3 > values.min())
    style.set_scale(axes, "y", style.Scale.of(values, log=log))


def keep_near(axes: Axes, points: Points) -> Points:
    """Return points (V, 2), those far off the panel brought nearer, where drawing them is safe."""
    low, high = axes.get_ylim()
    if axes.get_yscale() == "log":
        start, end = np.log10([low, high])
        reach = 10 * (end - start)
        ends = 10.0 ** np.clip((start - reach, end + reach), -307, 308)
    else:
        ends = np.clip((low - 10 * (high - low), high + 10 * (high - low)), -1e308, 1e308)
    return np.column_stack((points[:, 0], np.clip(points[:, 1], *ends)))


@dataclass(frozen=True)
class RunCurves:
    """What is drawn of one of several runs; values that are not finite are left out.

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

    def split(self, what: Literal["loss", "error"]) -> tuple[Points, Points]:
        """Return the points of the training and of the validation split."""
        training, validation = (getattr(self, f"{name}_{what}") for name in ("train", "validation"))
        return find_points(self.epochs, training), find_points(self.epochs, validation)

    @property
    def legend(self) -> str:
        """Its label on one line or two, and when it diverged."""
        when = f" in epoch {self.epochs[-1]:.0f}" if len(self.epochs) else ""
        note = f" (diverged{when})" if self.diverged else ""
        return "\n".join(textwrap.wrap(cut(self.label, 180 - len(note)) + note, 95)) or "?"


@style.house_style
def compared_curves(
    runs: Sequence[RunCurves], *, loss_name: str | None, title: str, details: str = ""
) -> Figure:
    """Return the losses (left) and the error rates (right) of all runs, training and validation.

    `runs` are at most as many as there are COLORS. `loss_name` is None where they have different
    losses, which have no axis in common: the error rates are then drawn alone. An axis holds the
    values of completed runs up to 30 times the median of their last ones.
    """
    notes = ["Solid: training; dashed: validation."]
    if not loss_name:
        notes.append("The runs have different losses, which have no axis in common.")
    texts = [run.legend for run in runs]
    columns = 2 if len(runs) > 4 and max(map(len, texts)) <= 42 else 1
    lines = sum(text.count("\n") + 1 for text in texts) / columns
    figure = style.new_layout(3.4 + 0.2 * lines)
    panels = figure.subplots(1, 2 if loss_name else 1, squeeze=False)[0]
    if loss_name:
        name = f"{loss_name} per image"
        _draw_runs(panels[0], runs, "loss", name, "no finite loss\nwas measured")
    _draw_runs(panels[-1], runs, "error", "error rate (%)", "no error rate\nwas measured")
    _add_legend(figure, texts, columns)
    return style.add_head(figure, title, details, notes)


def _draw_runs(
    axes: Axes, runs: Sequence[RunCurves], what: Literal["loss", "error"], name: str, absent: str
) -> None:
    """Draw the runs' curves in one panel, or say `absent` where there is none."""
    splits = [run.split(what) for run in runs]
    drawn = [points for pair in splits for points in pair if len(points)]
    if not drawn:
        style.write_state(axes, absent)
        return
    epochs = np.concatenate([points[:, 0] for points in drawn])
    style.set_name(axes, "y", name, 2.6)
    style.set_epochs(axes, float(epochs.min()), float(epochs.max()))
    completed = [
        pair for run, pair in zip(runs, splits, strict=True) if not run.diverged
        if len(pair[0]) + len(pair[1])
    ]  # fmt: skip
    counted = [points for pair in completed for points in pair] or drawn
    last = [(pair[1] if len(pair[1]) else pair[0])[-1, 1] for pair in completed]
    scale_near(axes, np.concatenate([points[:, 1] for points in counted]), np.array(last))
    width = 1.6 if len(runs) <= 5 else 1.2
    for at, (run, pair) in enumerate(zip(runs, splits, strict=True)):
        for points, line in zip(pair, ("-", style.DASHED), strict=True):
            every = max(1, len(points) // 6)
            near = keep_near(axes, points)
            axes.plot(
                *near.T, color=COLORS[at], linestyle=line, linewidth=width, marker=_MARKS[at],
                markersize=5, markevery=(at % every, every), scalex=False, scaley=False,
            )  # fmt: skip
            _mark_end(axes, points, COLORS[at], diverged=run.diverged)


def _mark_end(axes: Axes, points: Points, color: str, *, diverged: bool) -> None:
    """Point upwards where a curve leaves the panel for good; cross the end of one that diverged."""
    high = axes.get_ylim()[1]
    if len(points) and points[-1, 1] > high:
        inside = np.flatnonzero(points[:, 1] <= high)
        at = points[min(inside.max(initial=-1) + 1, len(points) - 1), 0]
        axes.annotate(
            "↑", (at, 1), xycoords=("data", "axes fraction"), color=color, fontweight="bold",
            horizontalalignment="center", verticalalignment="bottom", annotation_clip=False,
        )  # fmt: skip
    elif diverged:
        axes.plot(*points[-1:].T, color=color, marker="x", markersize=8, scalex=False, scaley=False)


def _add_legend(figure: Figure, texts: Sequence[str], columns: int) -> None:
    """Say below the panels which curve is which run's, a long label on two lines."""
    room = 3.2 if columns == 2 else 6.9
    handles = [
        Line2D([], [], color=color, marker=mark, markersize=5, linewidth=1.6)
        for color, mark in zip(COLORS, _MARKS, strict=True)
    ]
    lines = [line for text in texts for line in text.split("\n")]
    figure.legend(
        handles[: len(texts)], texts, loc="outside lower left", ncols=columns,
        fontsize=min(style.shrink(line, style.SMALL, room) for line in lines),
    )  # fmt: skip
