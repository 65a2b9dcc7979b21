"""How training went, epoch by epoch: of one run, of several runs together, of all of a sweep's.

V is a number of points.
"""

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from mnistlab.plots import style
from mnistlab.plots.style import PERCENT, Array, cut, format_error, number, spell
from mnistlab.plots.views import RunView, SweepView

_DOTTED_UP_TO = 20  # evaluations: beyond it, dots would hide the line
_REACH = 30  # an axis ends at so many times the median of the last values, or parts of it
_PALE, _LOST = "#9a9a9a", "#D9865C"  # of a sweep's runs, drawn thin and see-through
_CROSSES_UP_TO = 100  # diverged runs; beyond it the crosses at their ends would hide the rest

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

Points = Array
"""(V, 2): epochs or steps, and finite values."""

Metric = Literal["loss", "accuracy"]
_ABSENT = {"loss": "no finite loss\nwas measured", "accuracy": "no error rate\nwas measured"}
_UNITS = {"loss": "", "accuracy": PERCENT}


def _find_points(x: Any, y: Any, metric: Metric = "loss") -> Points:
    """Return the points whose `y` is finite, at most 1e300; an accuracy becomes an error rate.

    That is in percent, and computed in double precision, where 1 - 0.9 is nearest to 0.1.
    """
    x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    points = np.column_stack((x, 100 * (1 - y) if metric == "accuracy" else y))
    return np.asarray(np.clip(points[np.isfinite(y)], -1e300, 1e300))


def _find_curves(metrics: Mapping[str, Any], metric: Metric) -> tuple[Points, Points]:
    """Return the curves of the training and of the validation split, either without any points."""
    training, validation = (
        _find_points(metrics["epoch"], metrics[f"{split}_{metric}"], metric)
        for split in ("train", "validation")
    )
    return training, validation


def _start_panel(
    axes: Axes, name: str, curves: Sequence[Points], absent: str, steps: str = "epoch"
) -> bool:
    """Scale a panel across for its curves, or say in words that there is none.

    Returns whether there is any.
    """
    across = np.concatenate([np.empty(0), *(points[:, 0] for points in curves)])
    if not len(across):
        style.write_state(axes, absent)
        return False
    style.name_axis(axes.yaxis, name, 2.6)
    low, high = float(across.min()), float(across.max())
    pad = 0.04 * (high - low) or 0.5
    axes.set(xlim=(low - pad, high + pad), xlabel=steps)
    most = 8 - max(2, len(f"{high:.0f}"))  # the more digits, the fewer numbers have room
    locator = MaxNLocator(nbins=max(most, 2), steps=[1, 2, 5, 10], integer=True, min_n_ticks=1)
    axes.set_xticks([tick for tick in locator.tick_values(low, high) if low <= tick <= high])
    return True


@style.house_style
def learning_curves(view: RunView) -> Figure:
    """Return the loss (left) and the error rate in percent (right) of a run.

    Losses are means per image; those of the test split were measured after the last epoch, if at
    all. Of a run that overflowed, the loss of each step's batch takes the left panel.
    """
    figure = style.new_page(2.95, view.title, view.details)
    left, right = (style.add_axes(figure, (start, 0.55), (1.7, 2.25)) for start in (0.8, 4.7))
    loss, absent = spell(view.config["loss"]), _ABSENT["accuracy"]
    if view.divergence is None:
        _draw_splits(left, view, "loss", f"{loss} per image", _ABSENT["loss"])
    else:
        _draw_overflow(left, *view.divergence, f"{loss} of the batch")
        absent = "the loss overflowed before\nan error rate was measured"
    _draw_splits(right, view, "accuracy", "error rate (%)", absent)
    return figure


def _draw_splits(axes: Axes, view: RunView, metric: Metric, name: str, absent: str) -> None:
    """Draw the splits that have points, with their last values beside the panel."""
    training, validation = _find_curves(view.metrics, metric)
    epochs = view.metrics["epoch"]
    last = float(epochs[-1]) if len(epochs) else 0.0  # a run may end before its first epoch does
    test = _find_points([last], [view.summary["test"][metric]], metric)
    splits = {"training": training, "validation": validation, "test": test}
    curves = {split: points for split, points in splits.items() if len(points)}
    if not _start_panel(axes, name, list(curves.values()), absent):
        return
    style.fit_axis(axes.yaxis, np.concatenate([points[:, 1] for points in curves.values()]))
    # from the top as the curves end
    order = sorted(curves, key=lambda split: -curves[split][-1, 1])
    texts = [f"{split} {number(curves[split][-1, 1])}{_UNITS[metric]}" for split in order]
    lines = {}
    for split, points in curves.items():
        look = _LOOKS[split] | ({"marker": ""} if len(points) > _DOTTED_UP_TO else {})
        lines[split] = axes.plot(*points.T, label=split, linewidth=1.6, clip_on=False, **look)[0]
    axes.legend(
        [lines[split] for split in order], texts, loc="center left", bbox_to_anchor=(1.05, 0.5),
        labelcolor="linecolor", handlelength=1.7, handletextpad=0.5,
        fontsize=min(style.shrink(text, style.SMALL, 1.13) for text in texts),
    )  # fmt: skip


def _draw_overflow(axes: Axes, steps: Array, losses: Array, name: str) -> None:
    """Draw the loss of each step's batch up to where it left the range of numbers."""
    points, absent = _find_points(steps, losses), "the loss overflowed\nat the first step"
    overflow = steps[~np.isfinite(losses)][:1]
    after = np.column_stack((overflow, overflow)) if len(points) else points
    if not _start_panel(axes, name, [points, after], absent, "step"):
        return
    end = float(np.append(points[-1:, 0], overflow)[-1])
    style.fit_axis(axes.yaxis, points[:, 1])
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


def _fit_near(
    axes: Axes, curves: Sequence[Points], last: Sequence[float], whole: Sequence[Points] = ()
) -> None:
    """Fit the vertical axis to the values of `curves` up to 30 times the median of the `last` ones.

    It is logarithmic where these span more than a factor of three: the lowest lie close together.
    The `whole` of some curves is on it in any case.
    """
    values = np.concatenate([points[:, 1] for points in curves])
    middle = float(np.median(last)) if len(last) else 0.0
    if middle > 0:
        near = values[(values / _REACH <= middle) & (values >= middle / _REACH)]
        near = np.concatenate([near, *(points[:, 1] for points in whole)])
        values = near if len(near) else values
    log = bool(values.min() > 0 and values.max() / 3 > values.min())
    style.fit_axis(axes.yaxis, values, log=log)


@dataclass(frozen=True)
class RunCurves:
    """What is drawn of one of several runs: the columns of its metrics.csv, perhaps empty.

    `label` tells it from the others. Where it `diverged`, its last epoch overflowed.
    """

    label: str
    metrics: Mapping[str, Any]
    diverged: bool = False

    @property
    def legend(self) -> str:
        """Its label on one line or two, and when it diverged."""
        epochs = self.metrics["epoch"]
        when = f" in epoch {epochs[-1]:.0f}" if len(epochs) else ""
        note = f" (diverged{when})" if self.diverged else ""
        return "\n".join(textwrap.wrap(cut(self.label, 180 - len(note)) + note, 95)) or "?"


@style.house_style
def compared_curves(
    runs: Sequence[RunCurves], *, loss_name: str | None, title: str, details: str = ""
) -> Figure:
    """Return the losses (left) and the error rates (right) of all runs, training and validation.

    `runs` are at most as many as there are COLORS. `loss_name` is None where they have different
    losses, which have no axis in common: the error rates are then drawn alone.
    """
    notes = ["Solid: training; dashed: validation."]
    if not loss_name:
        notes.append("The runs have different losses, which have no axis in common.")
    texts = [run.legend for run in runs]
    columns = 2 if max(map(len, texts)) <= 42 else 1
    lines = "\n".join(texts).split("\n")
    figure = style.new_figure(3.5 + 0.2 * len(lines) / columns)
    panels = figure.subplots(1, 2 if loss_name else 1, squeeze=False)[0]
    if loss_name:
        _draw_runs(panels[0], runs, "loss", f"{loss_name} per image")
    _draw_runs(panels[-1], runs, "accuracy", "error rate (%)")
    handles = [
        Line2D([], [], color=color, marker=mark, markersize=5, linewidth=1.6)
        for color, mark in zip(COLORS, _MARKS, strict=True)
    ]
    figure.legend(
        handles[: len(texts)], texts, loc="outside lower left", ncols=columns, borderaxespad=1.0,
        fontsize=min(style.shrink(line, style.SMALL, 6.5 / columns) for line in lines),
    )  # fmt: skip
    return style.add_head(figure, title, details, notes)


def _draw_runs(axes: Axes, runs: Sequence[RunCurves], metric: Metric, name: str) -> None:
    """Draw the runs' curves in one panel; an arrow points to where one leaves it for good."""
    pairs = [_find_curves(run.metrics, metric) for run in runs]
    drawn = [points for pair in pairs for points in pair if len(points)]
    if not _start_panel(axes, name, drawn, _ABSENT[metric]):
        return
    kept = [pair for run, pair in zip(runs, pairs, strict=True) if not run.diverged]
    completed = [points for pair in kept for points in pair if len(points)]
    _fit_near(axes, completed or drawn, [points[-1, 1] for points in completed])
    high = axes.get_ylim()[1]
    for at, (pair, color, mark) in enumerate(zip(pairs, COLORS, _MARKS, strict=False)):
        for points, line in zip(pair, ("-", style.DASHED), strict=True):
            every = max(1, len(points) // 6)
            axes.plot(
                *points.T, color=color, linestyle=line, linewidth=1.6 if len(runs) <= 5 else 1.2,
                marker=mark, markersize=5, markevery=(at % every, every), scalex=False,
                scaley=False,
            )  # fmt: skip
            if len(points) and points[-1, 1] > high:
                inside = np.flatnonzero(points[:, 1] <= high).max(initial=-1)
                leaves = points[min(inside + 1, len(points) - 1), 0]
                axes.annotate(
                    "↑", (leaves, 1), color=color, xycoords=("data", "axes fraction"),
                    horizontalalignment="center", fontweight="bold", annotation_clip=False,
                )  # fmt: skip


@style.house_style
def all_learning_curves(view: SweepView) -> Figure:
    """Return the validation loss (left) and error rate in percent (right) of each run of a sweep.

    There is no loss where several were tried, which have no axis in common. The best trial is drawn
    in front, with the mean of its runs' last values. What leaves an axis, which is that of the
    completed trials, is counted in a line below the title.
    """
    names: dict[Metric, str] = {"loss": f"validation {view.loss}"} if view.loss else {}
    names["accuracy"] = "validation error rate (%)"
    curves = {
        metric: [(trial, _find_curves(metrics, metric)[1]) for trial, metrics in view.runs]
        for metric in names
    }
    if (
        view.runs
        and view.diverged.all()
        and not any(len(c) for cs in curves.values() for _, c in cs)
    ):
        nothing = "every trial diverged before its first evaluation"
        return style.say(view.title, view.details, nothing)
    figure = style.new_figure(3.35)
    panels = figure.subplots(1, len(names), squeeze=False)[0]
    leaving, seen = 0, np.zeros(len(view.diverged), bool)
    for axes, (metric, name) in zip(panels, names.items(), strict=True):
        drawn = [(trial, points) for trial, points in curves[metric] if len(points)]
        if not _start_panel(axes, name, [points for _, points in drawn], _ABSENT[metric]):
            continue
        _draw_trials(axes, view, drawn, metric)
        low, high = axes.get_ylim()
        for trial, points in drawn:
            inside = (points[:, 1] >= low) & (points[:, 1] <= high)
            seen[trial] |= inside.any()
            leaving += not inside.all()
    notes = []
    if view.best is not None:
        runs = [trial for trial, _ in view.runs].count(view.best)
        each = f", its {runs} runs and the mean of their last values" if runs > 1 else ""
        notes.append(f"Blue: the best trial{each}.")
        seen[view.best] = False
    if others := (seen & ~view.diverged).sum():
        notes.append(f"Grey: {others:,} {'completed' if view.best is None else 'other completed'}.")
    if lost := (seen & view.diverged).sum():
        of = "" if lost == view.diverged.sum() else f"of {view.diverged.sum():,} "
        notes.append(f"Pale red: {lost:,} {of}diverged, up to the last finite value.")
    if leaving:
        notes.append(f"Curves that leave {'a' if len(panels) > 1 else 'the'} panel: {leaving:,}.")
    return style.add_head(figure, view.title, view.details, notes)


def _draw_trials(
    axes: Axes, view: SweepView, curves: Sequence[tuple[int, Points]], metric: Metric
) -> None:
    """Draw the trials' curves, the more the paler, and the best one's in front with its value."""
    lost = [points for trial, points in curves if view.diverged[trial]]
    best = [points for trial, points in curves if trial == view.best]
    others = [points for trial, points in curves if not view.diverged[trial] and trial != view.best]
    completed = others + best
    _fit_near(axes, completed or lost, [points[-1, 1] for points in completed], best)
    alpha = float(np.clip(3 * len(curves) ** -0.5, 0.07, 0.75))
    width = 1.1 if len(curves) <= _CROSSES_UP_TO else 0.8
    for some, color, mark in ((lost, _LOST, "x"), (others, _PALE, "o")):
        shown = min(1.0, 1.6 * alpha) if some is lost else alpha
        lines = LineCollection(some, colors=color, linewidths=width, alpha=shown, zorder=2)
        axes.add_collection(lines, autolim=False)
        crossed = some is lost and len(some) <= _CROSSES_UP_TO
        ends = [points[-1] for points in some if crossed or len(points) == 1]
        axes.plot(
            *np.reshape(ends, (-1, 2)).T, color=color, marker=mark, markersize=3.5,
            linestyle="none", scalex=False, scaley=False, zorder=2.5,
        )  # fmt: skip
    for points in best:
        axes.plot(
            *points.T, color=style.BLUE, linewidth=2.0 if len(best) == 1 else 1.4, clip_on=False,
            zorder=4, marker="o" if len(points) == 1 else "", markersize=4.5, label="best",
            path_effects=style.HALO,
        )  # fmt: skip
    if best:
        last = float(np.mean([points[-1, 1] for points in best]))
        axes.annotate(
            f"{'best' if len(best) == 1 else 'mean'}\n{format_error(last, _UNITS[metric])}",
            (1, last), (8, 0), xycoords=("axes fraction", "data"), textcoords="offset points",
            color=style.BLUE, fontsize=style.SMALL, verticalalignment="center",
            annotation_clip=False,
        )  # fmt: skip
