"""How all runs of a sweep went: every loss and error rate by epoch, the best trial's in front.

T is the number of trials, R that of their runs, one for each seed, E that of epochs, which differs
from run to run.
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
from mnistlab.plots.sweep_labels import PERCENT, in_lines, spell, tell_error, with_one_style

_BODY = 3.35  # inches below the title
_LEFT = (0.8, 4.65)  # inches: where the two panels start
_PLOT = (2.5, 2.65)  # inches: width and height of a panel without its labels
_BOTTOM = 0.55  # inches
_PALE, _LOST = "#9a9a9a", "#D9865C"  # drawn thin and see-through
_REACH = 30  # an axis ends at so many times the median of the last values, or parts of it
_THE = {1: "the panel", 2: "a panel"}
_CROSSES_UP_TO = 100  # diverged trials; beyond it the crosses at their ends would hide the rest


@dataclass(frozen=True)
class _Curve:
    """One run in one panel: finite points only, at least one of them."""

    trial: int
    diverged: bool
    x: NDArray[np.float64]
    y: NDArray[np.float64]


@dataclass(frozen=True)
class _Panel:
    """What is drawn side by side: its curves, their axis, and words."""

    side: str
    name: str
    unit: str
    absent: str
    curves: Sequence[_Curve]
    scale: Scale | None

    def shows(self, curve: _Curve) -> bool:
        """Return whether a point of the curve lies inside the panel."""
        if self.scale is None:
            return False
        return bool(((curve.y >= self.scale.low) & (curve.y <= self.scale.high)).any())


@style.house_style
def all_learning_curves(
    epochs: Sequence[NDArray[Any]],
    losses: Sequence[NDArray[Any]] | None,
    errors: Sequence[NDArray[Any]],
    *,
    best: int | None,
    diverged: NDArray[Any],
    loss_name: str | None,
    title: str,
    details: str = "",
    trials: Sequence[int] | None = None,
) -> Figure:
    """Draw the validation loss (left) and the validation error rate (right) of each run.

    An axis holds the best trial's values, and those of completed trials up to 30 times the median
    of their last ones: what leaves it is counted in a line below the title. Values that are not
    finite are left out, so that a diverged trial ends at its last finite value. An axis is
    logarithmic where it spans more than a factor of three: the lowest errors lie close together.

    Args:
        epochs: R arrays (E,) of whole numbers, ascending; E may be 0.
        losses: R arrays (E,), the mean loss per held-out image; None for the error rates alone,
            as different losses have no axis in common.
        errors: R arrays (E,) in percent.
        best: the trial drawn in front, with the mean of its runs' last values.
        diverged: (T,) whether training diverged.
        loss_name: as the config names it; None where there are no losses.
        title: one line; cut if it is too long.
        details: a smaller line below it, if there is more to say.
        trials: the trial of each of the R runs; None: run 0 is trial 0, and so on.

    Returns:
        The figure; to be written by `page.save`.
    """
    diverged = np.asarray(diverged, dtype=bool)
    trials = list(range(len(epochs))) if trials is None else list(trials)
    panels = _panels(epochs, (losses, errors), trials, diverged, best, loss_name or "loss")
    curves = [curve for one in panels for curve in one.curves]
    if len(diverged) and diverged.all() and not curves:
        figure = page.new_figure(1.2, title, [details])
        nothing = "every trial diverged before its first evaluation"
        say(panel(figure, (style.MARGIN, 0.2), (style.WIDTH - 2 * style.MARGIN, 0.9)), nothing)
        return figure
    notes = in_lines([*_explain(best, diverged, panels, trials), _count_leaving(panels)])
    figure = page.new_figure(_BODY, title, [details, *notes])
    ends = [float(x) for curve in curves for x in curve.x[[0, -1]]]
    width = _PLOT[0] if len(panels) > 1 else _LEFT[1] + _PLOT[0] - _LEFT[0]
    for left, one in zip(_LEFT, panels, strict=False):
        axes = panel(figure, (left, _BOTTOM), (width, _PLOT[1]))
        if one.scale is None:
            say(axes, one.absent)
            continue
        axes.set_xlabel("epoch")
        axes.set_ylabel(one.name)
        count_x(axes, min(ends), max(ends))
        scale_y(axes, one.scale)
        _draw(axes, [curve for curve in one.curves if curve.trial != best], one.scale)
        _draw_best(axes, [curve for curve in one.curves if curve.trial == best], one.unit)
    return figure


def _panels(
    epochs: Sequence[NDArray[Any]],
    both: tuple[Sequence[NDArray[Any]] | None, Sequence[NDArray[Any]]],
    trials: Sequence[int],
    diverged: NDArray[np.bool_],
    best: int | None,
    loss_name: str,
) -> list[_Panel]:
    """Return the panel of the losses, if there are any, and that of the error rates."""
    loss = words.fit(spell(loss_name), style.BODY, _PLOT[1] - 0.7)
    sides = (
        ("on the left", f"validation {loss}", "", "no finite loss\nwas measured"),
        ("on the right", "validation error rate (%)", PERCENT, "no error rate\nwas measured"),
    )
    panels = []
    for (side, name, unit, absent), values in zip(sides, both, strict=True):
        if values is not None:
            curves = _curves(epochs, values, trials, diverged)
            place = side if both[0] is not None else ""
            panels.append(_Panel(place, name, unit, absent, curves, _scale(curves, best)))
    return panels


def _curves(
    epochs: Sequence[NDArray[Any]],
    values: Sequence[NDArray[Any]],
    trials: Sequence[int],
    diverged: NDArray[np.bool_],
) -> list[_Curve]:
    curves = []
    for run, trial in enumerate(trials):
        x, y = np.asarray(epochs[run], dtype=float), np.asarray(values[run], dtype=float)
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
    log = bool(values.min() > 0 and values.max() / 3 > values.min())
    return with_one_style(Scale.of(values, log=log))


def _explain(
    best: int | None,
    diverged: NDArray[np.bool_],
    panels: Sequence[_Panel],
    trials: Sequence[int],
) -> list[str]:
    """Return what the colours mean, of those that are there, a sentence each."""
    drawn = {curve.trial for one in panels for curve in one.curves}
    visible = {curve.trial for one in panels for curve in one.curves if one.shows(curve)}
    others = len([trial for trial in drawn if not diverged[trial] and trial != best])
    seen, lost = len([trial for trial in visible if diverged[trial]]), int(diverged.sum())
    notes = []
    if others:
        which = "completed" if best is None else "other completed"
        notes.append(f"{others:,} {which} {'trials' if others > 1 else 'trial'} in grey")
    if best is not None:
        seeds = trials.count(best)
        runs = f" (its {seeds} runs and the mean of their last values)" if seeds > 1 else ""
        notes.append(f"{'the best' if len(diverged) > 1 else 'the only trial'} in blue{runs}")
    told = ", ".join(notes)
    sentences = [f"{told[0].upper()}{told[1:]}."] if told else []
    if seen:
        which = f"{seen:,} diverged" if seen == lost else f"{seen:,} of {lost:,} diverged trials"
        sentences.append(f"{which} in pale red, up to the last finite value.")
    return sentences


def _count_leaving(panels: Sequence[_Panel]) -> str:
    """Return how many curves leave a panel, if any does."""
    notes = []
    for one in panels:
        if one.scale is None:
            continue
        low, high = one.scale.low, one.scale.high
        out = sum(bool(((curve.y < low) | (curve.y > high)).any()) for curve in one.curves)
        if out:
            notes.append(f"{out:,} {one.side}".rstrip())
    return f"Curves that leave {_THE[len(panels)]}: {', '.join(notes)}." if notes else ""


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
    """Draw the best trial's runs in front and write the mean of their last values beside them."""
    if not curves:
        return
    for curve in curves:
        marker = "o" if len(curve.x) == 1 else ""
        axes.plot(
            curve.x, curve.y, color="white", linewidth=3.6, clip_on=False, zorder=3, marker=marker
        )
        axes.plot(
            curve.x, curve.y, color=style.BLUE, linewidth=2.0 if len(curves) == 1 else 1.4,
            clip_on=False, zorder=4, marker=marker, markersize=4.5, label="best",
        )  # fmt: skip
    last = float(np.mean([curve.y[-1] for curve in curves]))
    to_panel = axes.transData + axes.transAxes.inverted()
    right, height = to_panel.transform((max(curve.x[-1] for curve in curves), last))
    middle = float(np.clip(height, 0.08, 0.92))
    inch = 1 / (axes.bbox.width / axes.get_figure(root=True).dpi)  # type: ignore[union-attr]
    side = 1 + inch * np.array([0.075, 0.125, 0.16])
    axes.plot(
        (right, *side[:2]), (height, middle, middle), color=style.BLUE, linewidth=0.7,
        linestyle=(0, (1, 2)), transform=axes.transAxes, clip_on=False, scalex=False,
        scaley=False, zorder=1,
    )  # fmt: skip
    axes.text(
        side[2], middle, f"{'best' if len(curves) == 1 else 'mean'}\n{tell_error(last, unit)}",
        color=style.BLUE, fontsize=style.SMALL, transform=axes.transAxes,
        verticalalignment="center",
    )  # fmt: skip
