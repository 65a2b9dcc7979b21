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

from mnistlab.plots import style
from mnistlab.plots.epoch_curves import Points, find_points, keep_near, scale_near
from mnistlab.plots.labels import PERCENT, format_error

_PALE, _LOST = "#9a9a9a", "#D9865C"  # drawn thin and see-through
_CROSSES_UP_TO = 100  # diverged trials; beyond it the crosses at their ends would hide the rest


@dataclass(frozen=True)
class _Curve:
    """One run in one panel, with at least one point."""

    trial: int
    diverged: bool
    points: Points

    def inside(self, axes: Axes) -> NDArray[np.bool_]:
        """Return which points lie in the panel."""
        low, high = axes.get_ylim()
        return np.asarray((self.points[:, 1] >= low) & (self.points[:, 1] <= high))


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
    """Return the validation loss (left) and error rate in percent (right) of each of R runs.

    `epochs`, `losses` and `errors` are R arrays (E,); E may be 0. There are no losses where they
    are of different kinds, which have no axis in common. `trials` (R,) tells the trial of each run
    (None: run 0 is trial 0, and so on), `diverged` (T,) which trials diverged: they end at their
    last finite value. The `best` trial is drawn in front, with the mean of its runs' last values.

    An axis holds the values of completed trials up to 30 times the median of their last ones; what
    leaves it is counted in a line below the title.
    """
    diverged = np.asarray(diverged, dtype=bool)
    trials = list(range(len(epochs))) if trials is None else list(trials)

    def collect(values: Sequence[NDArray[Any]]) -> list[_Curve]:
        found = [
            _Curve(trial, bool(diverged[trial]), find_points(epochs[run], values[run]))
            for run, trial in enumerate(trials)
        ]
        return [curve for curve in found if len(curve.points)]

    loss = f"validation {loss_name or 'loss'}"
    sides = [("validation error rate (%)", PERCENT, "no error rate\nwas measured", collect(errors))]
    if losses is not None:
        sides.insert(0, (loss, "", "no finite loss\nwas measured", collect(losses)))
    curves = [curve for *_, some in sides for curve in some]
    if len(diverged) and diverged.all() and not curves:
        figure = style.new_figure(1.2, title, details)
        nothing = "every trial diverged before its first evaluation"
        style.write_state(style.add_axes(figure, (0, 0.2), (style.WIDTH, 0.9)), nothing)
        return figure

    figure = style.new_layout(3.35)
    panels = figure.subplots(1, len(sides), squeeze=False)[0]
    visible: set[int] = set()
    leaving = []
    span = [float(x) for curve in curves for x in curve.points[[0, -1], 0]]
    for axes, (name, unit, absent, some) in zip(panels, sides, strict=True):
        if not some:
            style.write_state(axes, absent)
            continue
        style.set_name(axes, "y", name, 2.6)
        style.set_epochs(axes, min(span), max(span))
        _scale(axes, some, best)
        _draw(axes, [curve for curve in some if curve.trial != best])
        _draw_best(axes, [curve.points for curve in some if curve.trial == best], unit)
        visible |= {curve.trial for curve in some if curve.inside(axes).any()}
        out = sum(not curve.inside(axes).all() for curve in some)
        side = "" if len(panels) == 1 else f" on the {'left' if axes is panels[0] else 'right'}"
        leaving += [f"{out:,}{side}"] if out else []
    notes = _explain(best, diverged, {curve.trial for curve in curves}, visible, trials)
    if leaving:
        which = "a panel" if len(panels) > 1 else "the panel"
        notes.append(f"Curves that leave {which}: {', '.join(leaving)}.")
    return style.add_head(figure, title, details, notes)


def _scale(axes: Axes, curves: Sequence[_Curve], best: int | None) -> None:
    """Fit the vertical axis; diverged trials count if no other does."""
    completed = [curve for curve in curves if not curve.diverged]
    values = np.concatenate([curve.points[:, 1] for curve in completed or curves])
    whole = [curve.points[:, 1] for curve in curves if curve.trial == best]
    last = np.array([curve.points[-1, 1] for curve in completed])
    scale_near(axes, values, last, kept=np.concatenate([np.empty(0), *whole]))


def _explain(
    best: int | None,
    diverged: NDArray[np.bool_],
    drawn: set[int],
    visible: set[int],
    trials: Sequence[int],
) -> list[str]:
    """Return what the colours mean, of those that are there, a sentence each."""
    others = len([trial for trial in drawn if not diverged[trial] and trial != best])
    seen, lost = len([trial for trial in visible if diverged[trial]]), int(diverged.sum())
    parts = []
    if others:
        which = "completed" if best is None else "other completed"
        parts.append(f"{others:,} {which} {'trials' if others > 1 else 'trial'} in grey")
    if best is not None:
        seeds = trials.count(best)
        runs = f" (its {seeds} runs and the mean of their last values)" if seeds > 1 else ""
        parts.append(f"{'the best' if len(diverged) > 1 else 'the only trial'} in blue{runs}")
    described = ", ".join(parts)
    sentences = [f"{described[0].upper()}{described[1:]}."] if described else []
    if seen:
        which = f"{seen:,} diverged" if seen == lost else f"{seen:,} of {lost:,} diverged trials"
        sentences.append(f"{which} in pale red, up to the last finite value.")
    return sentences


def _draw(axes: Axes, curves: Sequence[_Curve]) -> None:
    """Draw curves thin and see-through, the more so the more there are."""
    alpha = float(np.clip(3 * len(curves) ** -0.5, 0.07, 0.75)) if curves else 1.0
    width = 1.1 if len(curves) <= 100 else 0.8
    for lost, color in ((True, _LOST), (False, _PALE)):
        chosen = [curve for curve in curves if curve.diverged == lost]
        near = [keep_near(axes, curve.points) for curve in chosen]
        shown = min(1.0, 1.6 * alpha) if lost else alpha
        lines = LineCollection(near, colors=color, linewidths=width, alpha=shown, zorder=2)
        axes.add_collection(lines, autolim=False)
        all_marked = lost and len(chosen) <= _CROSSES_UP_TO
        ends = [points[-1] for points in near if all_marked or len(points) == 1]
        axes.plot(
            *np.reshape(ends, (-1, 2)).T, color=color, marker="x" if lost else "o",
            markersize=4 if lost else 3, linestyle="none", scalex=False, scaley=False, zorder=2.5,
        )  # fmt: skip


def _draw_best(axes: Axes, runs: Sequence[Points], unit: str) -> None:
    """Draw the best trial's runs in front and write the mean of their last values beside them."""
    if not runs:
        return
    for points in runs:
        marker = "o" if len(points) == 1 else ""
        axes.plot(*points.T, color="white", linewidth=3.6, clip_on=False, zorder=3, marker=marker)
        axes.plot(
            *points.T, color=style.BLUE, linewidth=2.0 if len(runs) == 1 else 1.4, clip_on=False,
            zorder=4, marker=marker, markersize=4.5, label="best",
        )  # fmt: skip
    last = float(np.mean([points[-1, 1] for points in runs]))
    axes.annotate(
        f"{'best' if len(runs) == 1 else 'mean'}\n{format_error(last, unit)}",
        (1, last), (8, 0), xycoords=("axes fraction", "data"), textcoords="offset points",
        color=style.BLUE, fontsize=style.SMALL, verticalalignment="center", annotation_clip=False,
    )  # fmt: skip
