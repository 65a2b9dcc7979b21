"""The plots of a sweep, drawn from its folder alone: a new one is one function registered here."""

import math
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from mnistlab.config.strict_yaml import read_file
from mnistlab.core.registry import Registry
from mnistlab.plots.labels import PERCENT, distinct, format_values, spell
from mnistlab.plots.sweep_coordinates import parallel_coordinates
from mnistlab.plots.sweep_curves import all_learning_curves
from mnistlab.plots.sweep_map import error_map
from mnistlab.plots.sweep_rates import error_by_rate
from mnistlab.runs.folder import SweepFolder


class SweepView:
    """What sweep.json holds of a sweep, and its runs' epochs; T is the number of its trials.

    `results` tells what is known of each trial, `keys` the parameters that were varied, `seeds` how
    many runs a trial has and `best` the number of the best one, if there is any.
    """

    def __init__(self, folder: SweepFolder) -> None:
        self.folder = folder
        self.document: dict[str, Any] = folder.read_summary()
        self.results: list[dict[str, Any]] = self.document["results"]
        self.keys = list(self.document["parameters"])
        self.seeds = int(self.document["seeds"])
        best = self.document["best"]
        self.best = None if best is None else int(best["trial"])
        self._metric: str = self.document["metric"]["name"]

    @cached_property
    def diverged(self) -> NDArray[np.bool_]:
        """Which trials diverged, (T,)."""
        return np.array([result["status"] == "diverged" for result in self.results], bool)

    @cached_property
    def stopped(self) -> NDArray[np.bool_]:
        """Which trials were stopped early for being behind the others, (T,)."""
        return np.array([bool(result.get("stopped")) for result in self.results], bool)

    @cached_property
    def errors(self) -> NDArray[np.float64]:
        """What the trials are compared by, (T,), the less the better; NaN for want of it."""
        split, _, name = self._metric.partition(".")
        values = np.array([_or_nan(result[split][name]) for result in self.results], float)
        values[[result["status"] != "completed" for result in self.results]] = np.nan
        return 100 * (1 - values) if name == "accuracy" else values

    @cached_property
    def half_widths(self) -> NDArray[np.float64] | None:
        """Half of the 95 % intervals of `errors` over the seeds, (T,), or None without any."""
        found = [(result.get("half_width") or {}).get(self._metric) for result in self.results]
        if not any(found):
            return None
        return (100 if self.unit else 1) * np.array([_or_nan(value) for value in found], float)

    @cached_property
    def unit(self) -> str:
        """What follows an error in words: a loss has no unit."""
        return PERCENT if self._metric.endswith(".accuracy") else ""

    @cached_property
    def error_name(self) -> str:
        """What `errors` are called on an axis."""
        split, _, name = self._metric.partition(".")
        return f"{split} error rate (%)" if name == "accuracy" else f"{split} {name}"

    @cached_property
    def config(self) -> dict[str, Any]:
        """The config of the best run, of the first one where there is no best."""
        runs = self.folder.runs()
        chosen = self.results[self.best]["runs"][0] if self.best is not None else runs[0]
        return read_file(self.folder.run(chosen).config)[0]

    @cached_property
    def loss(self) -> str | None:
        """The loss as the config names it, None where several were tried: they have no one axis."""
        if "loss" in self.keys and len(set(self.values("loss"))) > 1:
            return None
        loss: str = self.config["loss"]
        return loss

    @cached_property
    def title(self) -> str:
        """What was swept over which data, on one line."""
        data = Path(self.config["data"]["dataset"]).name
        over = "" if "data.dataset" in self.keys else f" on {data}"
        many = len(self.results) != 1
        seeds = f", {self.seeds} seeds{' each' if many else ''}" if self.seeds > 1 else ""
        trials = f"{len(self.results):,} trial{'s' if many else ''}"
        return f"{self.config['name']}{over}: {trials}{seeds}"

    @cached_property
    def details(self) -> str:
        """What stayed the same in all trials, on one line."""
        config = self.config
        described = {
            "model": f"{config['model']} model",
            "loss": spell(config["loss"]),
            "optimizer": config["optimizer"],
            "learning_rate": f"learning rate {config['learning_rate']:g}",
            "batch_size": f"batch size {config['batch_size']}",
            "epochs": self._epochs,
        }
        varied = {*self.keys, *(["epochs"] if "stop_after" in self.keys else [])}
        return ", ".join(text for key, text in described.items() if key not in varied)

    @property
    def _epochs(self) -> str:
        """How long the trials were trained that came to an end, in words."""
        planned = int(self.config.get("stop_after") or self.config["epochs"])
        taken = [
            result.get("epochs") or planned
            for result in self.results
            if result["status"] == "completed"
        ]
        longest = max([planned, *taken])
        words = "1 epoch" if longest == 1 else f"{longest} epochs"
        return f"up to {words}" if self.stopped.any() or {*taken} - {longest} else words

    def values(self, key: str) -> list[Any]:
        """Return the T values of one parameter."""
        return [result["parameters"][key] for result in self.results]

    def epochs(self, run: int) -> dict[str, NDArray[np.float64]]:
        """Return metrics.csv of a run, column by column; empty if there is none."""
        folder = self.folder.run(run)
        if not folder.metrics.exists():
            return dict.fromkeys(("epoch", "validation_loss", "validation_accuracy"), np.empty(0))
        return {name: np.array(column) for name, column in folder.read_metrics().items()}


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else value


SWEEP_PLOTS: Registry[Callable[[SweepView], Figure | None]] = Registry("plot of a sweep")
"""Each plot is a function from a sweep to a figure, or None where it would say nothing."""


@SWEEP_PLOTS.register("learning_rate")
def draw_learning_rate(view: SweepView) -> Figure | None:
    """Return the error against the learning rate, where that was varied."""
    if "learning_rate" not in view.keys:
        return None
    others = [key for key in view.keys if key != "learning_rate"]
    groups = [
        ", ".join(f"{spell(key)} {format_values([result['parameters'][key]])[0]}" for key in others)
        for result in view.results
    ]
    limit = view.document["learning_rate_limit"]
    return _draw_against(view, "learning_rate", groups, limit=limit, log=True)


@SWEEP_PLOTS.register("parameter")
def draw_parameter(view: SweepView) -> Figure | None:
    """Return the error against the only parameter, if that is not the learning rate."""
    if len(view.keys) != 1 or view.keys == ["learning_rate"]:
        return None
    return _draw_against(view, view.keys[0], [""] * len(view.results), limit=None, log=None)


@SWEEP_PLOTS.register("heat_map")
def draw_heat_map(view: SweepView) -> Figure | None:
    """Return the error over two parameters, where two were varied and not in step."""
    if not _is_plane(view):
        return None
    x_values, y_values = (distinct(view.values(key)) for key in view.keys)
    errors = np.full((len(y_values), len(x_values)), np.nan)
    diverged, stopped = np.zeros(errors.shape, bool), np.zeros(errors.shape, bool)
    place = {}
    for trial, (x, y) in enumerate(zip(*map(view.values, view.keys), strict=True)):
        place[trial] = (y_values.index(y), x_values.index(x))
        errors[place[trial]] = view.errors[trial]
        diverged[place[trial]] = view.diverged[trial]
        stopped[place[trial]] = view.stopped[trial]
    return error_map(
        x_values,
        y_values,
        errors,
        diverged,
        x_name=view.keys[0],
        y_name=view.keys[1],
        best=None if view.best is None else place[view.best],
        stopped=stopped,
        **_words(view),
    )


@SWEEP_PLOTS.register("parallel_coordinates")
def draw_parallel_coordinates(view: SweepView) -> Figure | None:
    """Return a line a trial through all its parameters, where a heat map cannot hold them."""
    if len(view.keys) < 2 or _is_plane(view):
        return None
    columns = [view.values(key) for key in view.keys]
    return parallel_coordinates(view.keys, columns, view.errors, best=view.best, **_words(view))


@SWEEP_PLOTS.register("all_learning_curves")
def draw_all_learning_curves(view: SweepView) -> Figure | None:
    """Return every run's validation loss and error rate by epoch, the best trial's in front."""
    runs = [(trial, run) for trial, one in enumerate(view.results) for run in one["runs"]]
    metrics = [view.epochs(run) for _, run in runs]
    return all_learning_curves(
        [one["epoch"] for one in metrics],
        [one["validation_loss"] for one in metrics] if view.loss else None,
        [100 * (1 - one["validation_accuracy"]) for one in metrics],
        best=view.best,
        diverged=view.diverged,
        loss_name=view.loss,
        title=view.title,
        details=view.details,
        trials=[trial for trial, _ in runs],
    )


def _draw_against(
    view: SweepView, key: str, groups: list[str], *, limit: float | None, log: bool | None
) -> Figure:
    """Return the error against the values of `key`, without trials that came to no end."""
    tried = np.isfinite(view.errors) | view.diverged
    values = [
        value if known else np.nan for value, known in zip(view.values(key), tried, strict=True)
    ]
    return error_by_rate(
        values,
        view.errors,
        groups,
        limit=limit,
        best=view.best,
        x_name=key,
        log=log,
        half_widths=view.half_widths,
        seeds=view.seeds,
        stopped=view.stopped,
        **_words(view),
    )


def _words(view: SweepView) -> dict[str, Any]:
    """Return the head of a figure and what it calls its errors."""
    return {
        "title": view.title,
        "details": view.details,
        "error_name": view.error_name,
        "unit": view.unit,
    }


def _is_plane(view: SweepView) -> bool:
    """Return whether there are two parameters that span a plane, few enough values of each."""
    if len(view.keys) != 2:
        return False
    x, y = (len(distinct(view.values(key))) for key in view.keys)
    return max(x, y) < len(view.results) and 2 * len(view.results) > x * y and max(x, y) <= 64
