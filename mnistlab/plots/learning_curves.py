"""How a training run went: its loss and its error rate on each split, epoch by epoch."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from mnistlab.plots import page, style, words
from mnistlab.plots.axes import Scale, count_x, panel, say, scale_y, spread

_BODY = 2.95  # inches below the title
_LEFT = (0.8, 4.75)  # inches: where the two panels start
_PLOT = (1.9, 2.25)  # inches: width and height of a panel without its labels
_BOTTOM = 0.55  # inches
_LINE = 0.19  # inches between the labels beside a panel
_DOTTED_UP_TO = 20  # evaluations: beyond it, dots would hide the line

_TRAINING = {"color": style.BLUE, "linestyle": "-", "marker": "o"}
_VALIDATION = {"color": style.VERMILION, "linestyle": (0, (4, 1.6)), "marker": "s"}
_TEST = {"color": style.INK, "linestyle": "none", "marker": "D"}


@dataclass(frozen=True)
class _Curve:
    """One split in one panel: finite points only."""

    name: str
    look: dict[str, Any]
    x: NDArray[np.float64]
    y: NDArray[np.float64]


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
    """Draw the loss (left) and the error rate in percent (right) of a run.

    Values that are not finite are left out: epochs that were not evaluated, losses that
    overflowed. A split without any, such as a validation split of no images, has no curve. An
    axis is logarithmic where its values span more than a factor of ten.

    Args:
        epochs: (E,) whole numbers, ascending; E may be 0.
        train_loss: (E,) mean loss per image.
        validation_loss: (E,) the same on the held-out split.
        train_accuracy: (E,) from 0 to 1.
        validation_accuracy: (E,) from 0 to 1.
        loss_name: as the config names it.
        title: one line; cut if it is too long.
        details: a smaller line below it, if there is more to say.
        test_loss: after the last epoch, if it was measured.
        test_accuracy: after the last epoch, from 0 to 1.
        divergence: for a run that overflowed, its steps (S,) and the loss of each step's batch
            (S,) up to the first that is not finite; they take the left panel.

    Returns:
        The figure; to be written by `page.save`.
    """
    figure = page.new_figure(_BODY, title, [details] if details else [])
    left, right = (panel(figure, (start, _BOTTOM), _PLOT) for start in _LEFT)
    loss = words.fit(loss_name.replace("_", " "), style.BODY, _PLOT[1] - 0.7)
    # A run may have ended before its first epoch did.
    last = float(epochs[-1]) if len(epochs) else 0.0
    span = (float(epochs[0]) if len(epochs) else last, last)
    if divergence is None:
        losses = [
            _curve("training", _TRAINING, epochs, train_loss),
            _curve("validation", _VALIDATION, epochs, validation_loss),
            _curve("test", _TEST, [last], [_or_nan(test_loss)]),
        ]
        none = "no finite loss\nwas measured"
        _draw(left, losses, span, y_label=f"{loss} per image", unit="", if_none=none)
        none = "no error rate\nwas measured"
    else:
        _draw_overflow(left, *divergence, y_label=f"{loss} of the batch")
        none = "the loss overflowed before\nan error rate was measured"
    errors = [
        _curve("training", _TRAINING, epochs, _error_rate(train_accuracy)),
        _curve("validation", _VALIDATION, epochs, _error_rate(validation_accuracy)),
        _curve("test", _TEST, [last], [_error_rate(_or_nan(test_accuracy))]),
    ]
    _draw(right, errors, span, y_label="error rate (%)", unit=" %", if_none=none)
    return figure


def _or_nan(value: float | None) -> float:
    return np.nan if value is None else value


def _error_rate(accuracy: Any) -> Any:
    """Return percent; in double precision, where 1 - 0.9 is nearest to 0.1."""
    return 100 * (1 - np.asarray(accuracy, dtype=float))


def _curve(name: str, look: dict[str, Any], x: Any, y: Any) -> _Curve:
    x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    finite = np.isfinite(y)
    return _Curve(name, look, x[finite], y[finite])


def _draw(
    axes: Axes,
    curves: Sequence[_Curve],
    span: tuple[float, float],
    *,
    y_label: str,
    unit: str,
    if_none: str,
) -> None:
    """Draw the curves that have points, or say `if_none` where none has."""
    curves = [curve for curve in curves if len(curve.x)]
    if not curves:
        say(axes, if_none)
        return
    axes.set_xlabel("epoch")
    axes.set_ylabel(y_label)
    count_x(axes, *span)
    scale_y(axes, Scale.of(np.concatenate([curve.y for curve in curves])))
    for curve in curves:
        dots = len(curve.x) <= _DOTTED_UP_TO
        axes.plot(
            curve.x,
            curve.y,
            label=curve.name,
            linewidth=1.6,
            markersize=4.5 if curve.look is _TEST else 3.2,
            clip_on=False,
            zorder=3 if curve.look is _TEST else 2,
            **(curve.look if dots else curve.look | {"marker": ""}),
        )
    _label_ends(axes, curves, unit)


def _label_ends(axes: Axes, curves: Sequence[_Curve], unit: str) -> None:
    """Write names and last values right of the panel, where they cannot cover a curve."""
    to_panel = axes.transData + axes.transAxes.inverted()
    ends = np.array([to_panel.transform((curve.x[-1], curve.y[-1])) for curve in curves])
    heights = spread(ends[:, 1], _LINE / _PLOT[1])
    for curve, end, height in zip(curves, ends, heights, strict=True):
        axes.plot(
            (end[0], 1.04, 1.06),
            (end[1], height, height),
            color=curve.look["color"],
            linewidth=0.7,
            transform=axes.transAxes,
            clip_on=False,
            scalex=False,
            scaley=False,
            zorder=1,
        )
        axes.text(
            1.08,
            height,
            f"{curve.name} {words.number(curve.y[-1])}{unit}",
            color=curve.look["color"],
            fontsize=style.SMALL,
            transform=axes.transAxes,
            verticalalignment="center_baseline",
        )


def _draw_overflow(axes: Axes, steps: Any, batch_loss: Any, *, y_label: str) -> None:
    """Draw the loss of each step's batch up to where it left the range of numbers."""
    steps, batch_loss = np.asarray(steps, dtype=float), np.asarray(batch_loss, dtype=float)
    finite = np.isfinite(batch_loss)
    if not finite.any():
        say(axes, "the loss overflowed\nat the first step")
        return
    overflow = steps[~finite][:1]
    x, y = steps[finite], batch_loss[finite]
    axes.set_xlabel("step")
    axes.set_ylabel(y_label)
    end = overflow[0] if len(overflow) else x[-1]
    count_x(axes, x[0], end)
    scale_y(axes, Scale.of(y))
    marker = "o" if len(x) == 1 else ""
    axes.plot(x, y, label="batch", color=style.BLUE, linewidth=1.3, marker=marker, markersize=3.2)
    axes.axvline(end, color=style.VERMILION, linestyle=(0, (4, 1.6)), linewidth=1.2)
    when = "at" if len(overflow) else "after"
    axes.text(
        1.06,
        1.0,
        f"overflow\n{when} step {end:.0f}",
        color=style.VERMILION,
        fontsize=style.SMALL,
        transform=axes.transAxes,
        verticalalignment="top",
    )
