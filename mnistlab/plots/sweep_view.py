"""What the plots see of a sweep: sweep.json and the epochs of its runs."""

import math
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnistlab.config.strict_yaml import read_file
from mnistlab.plots.sweep_labels import PERCENT, spell
from mnistlab.runs.folder import SweepFolder


class SweepView:
    """A sweep folder's content, each piece read when a plot first asks for it; T is its trials."""

    def __init__(self, folder: SweepFolder) -> None:
        self.folder = folder

    @cached_property
    def document(self) -> dict[str, Any]:
        """What sweep.json holds."""
        return self.folder.read_summary()

    @cached_property
    def results(self) -> list[dict[str, Any]]:
        """What is known of each trial, T of them."""
        results: list[dict[str, Any]] = self.document["results"]
        return results

    @cached_property
    def keys(self) -> list[str]:
        """The parameters that were varied."""
        return list(self.document["parameters"])

    @cached_property
    def seeds(self) -> int:
        """How many runs each trial has."""
        return int(self.document["seeds"])

    @cached_property
    def best(self) -> int | None:
        """The best trial."""
        best = self.document["best"]
        return None if best is None else int(best["trial"])

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

    @property
    def _metric(self) -> str:
        name: str = self.document["metric"]["name"]
        return name

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
        return f"{self.config['name']}{over}: {self._count}"

    @property
    def _count(self) -> str:
        trials = f"{len(self.results):,} trials" if len(self.results) != 1 else "1 trial"
        if self.seeds == 1:
            return trials
        return f"{trials}, {self.seeds} seeds{' each' if len(self.results) > 1 else ''}"

    @cached_property
    def details(self) -> str:
        """What stayed the same in all trials, on one line."""
        config = self.config
        told = {
            "model": f"{config['model']} model",
            "loss": spell(config["loss"]),
            "optimizer": config["optimizer"],
            "learning_rate": f"learning rate {config['learning_rate']:g}",
            "batch_size": f"batch size {config['batch_size']}",
            "epochs": self._epochs,
        }
        varied = {*self.keys, *(["epochs"] if "stop_after" in self.keys else [])}
        return ", ".join(text for key, text in told.items() if key not in varied)

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
