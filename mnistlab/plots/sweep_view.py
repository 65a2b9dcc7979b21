"""What the plots see of a sweep: sweep.json and the epochs of its runs."""

import math
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnistlab.config.strict_yaml import read_file
from mnistlab.runs.sweep_folder import SweepFolder


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
    def best(self) -> int | None:
        """The best trial."""
        best = self.document["best"]
        return None if best is None else int(best["trial"])

    @cached_property
    def diverged(self) -> NDArray[np.bool_]:
        """Which trials diverged, (T,)."""
        return np.array([result["status"] == "diverged" for result in self.results], bool)

    @cached_property
    def errors(self) -> NDArray[np.float64]:
        """What the trials are compared by, (T,), the less the better; NaN for want of it."""
        split, _, name = self.document["metric"]["name"].partition(".")
        values = np.array([_or_nan(result[split][name]) for result in self.results], float)
        values[[result["status"] != "completed" for result in self.results]] = np.nan
        return 100 * (1 - values) if name == "accuracy" else values

    @cached_property
    def error_name(self) -> str:
        """What `errors` are called on an axis."""
        split, _, name = self.document["metric"]["name"].partition(".")
        return f"{split} error rate (%)" if name == "accuracy" else f"{split} {name}"

    @cached_property
    def config(self) -> dict[str, Any]:
        """The config of the best run, of the first one where there is no best."""
        runs = self.folder.runs()
        chosen = self.results[self.best]["runs"][0] if self.best is not None else runs[0]
        return read_file(self.folder.run(chosen).config)[0]

    @cached_property
    def title(self) -> str:
        """What was swept over which data, on one line."""
        data = Path(self.config["data"]["dataset"]).name
        return f"{self.config['name']} on {data}: {self._count}"

    @property
    def _count(self) -> str:
        seeds = self.document["seeds"]
        trials = f"{len(self.results):,} trials" if len(self.results) != 1 else "1 trial"
        return trials if seeds == 1 else f"{trials}, {seeds} seeds each"

    @cached_property
    def details(self) -> str:
        """What stayed the same in all trials, on one line."""
        config = self.config
        fixed = [f"{config['model']} model", config["loss"].replace("_", " "), config["optimizer"]]
        for key, words in (("learning_rate", "learning rate"), ("batch_size", "batch size")):
            if key not in self.keys:
                fixed.append(f"{words} {config[key]:g}")
        if "epochs" not in self.keys:
            fixed.append(f"{config['epochs']} epochs")
        return ", ".join(fixed)

    def values(self, key: str) -> list[Any]:
        """Return the T values of one parameter."""
        return [result["parameters"][key] for result in self.results]

    def epochs(self, trial: int) -> dict[str, NDArray[np.float64]]:
        """Return metrics.csv of a trial's first run, column by column; empty if there is none."""
        run = self.folder.run(self.results[trial]["runs"][0])
        if not run.metrics.exists():
            return dict.fromkeys(("epoch", "validation_loss", "validation_accuracy"), np.empty(0))
        return {name: np.array(column) for name, column in run.read_metrics().items()}


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else value
