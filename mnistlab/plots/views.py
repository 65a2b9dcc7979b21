"""What the plots of a run or a sweep show, read from its folder when a plot first asks for it.

D is the number of features, C that of classes, N that of test images, E that of epochs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnistlab.config.config_files import read_file
from mnistlab.core.metrics import pre_activations
from mnistlab.core.models import MODELS, ONE_HOT, Coding
from mnistlab.core.objective import coding_of
from mnistlab.core.optimizers import OPTIMIZERS, Exact
from mnistlab.datasets import Dataset, describe_steps, load
from mnistlab.plots.style import PERCENT, cut, format_value, numeric, spell
from mnistlab.run_folders import RunFolder
from mnistlab.run_folders.folder import METRICS_COLUMNS, SweepFolder, repeats_of
from mnistlab.run_folders.weights import load_features, load_weights, read_predictions


@lru_cache(maxsize=1)
def _load(dataset: str, preprocess: tuple[str, ...], **split: Any) -> Dataset:
    """Load a dataset once for all runs that follow each other on it, without its training images.

    No plot shows these, and they are most of what the process that draws would hold.
    """
    data = load(dataset, preprocess=preprocess, **split)
    none = np.arange(0)  # a slice would keep the file's content alive
    return data.with_splits({"train": data.train.take(none), "test": data.test})


def _describe(config: dict[str, Any]) -> dict[str, str]:
    """Return what was trained and how in words, by the keys of the config."""
    described = {
        "model": f"{config['model']} model",
        "loss": spell(config["loss"]),
        "optimizer": config["optimizer"],
        "learning_rate": f"learning rate {config['learning_rate']:g}",
        "batch_size": f"batch size {config['batch_size']}",
    }
    if isinstance(dict(OPTIMIZERS).get(config["optimizer"]), Exact):
        described["optimizer"] = "solved exactly"
        del described["learning_rate"], described["batch_size"]
    if config.get("features"):
        described["features"] = f"on {describe_steps(config['features'])}"
    return described


class RunView:
    """A run folder's content, each piece read when a plot first asks for it."""

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder

    @cached_property
    def config(self) -> dict[str, Any]:
        """The resolved config as plain data."""
        return read_file(self.folder.config)[0]

    @cached_property
    def title(self) -> str:
        """The run's name and its data, on one line."""
        data = self.config["data"]
        steps = f", {', '.join(data['preprocess'])}" if data["preprocess"] else ""
        return f"{self.config['name']} on {Path(data['dataset']).name}{steps}"

    @cached_property
    def details(self) -> str:
        """What was trained and how, on one line."""
        return ", ".join(_describe(self.config).values())

    @cached_property
    def summary(self) -> dict[str, Any]:
        """What summary.json holds."""
        return self.folder.read_summary()

    @cached_property
    def dataset(self) -> Dataset:
        """The test images of the run's data, and its classes; no training or validation images."""
        data = self.config["data"]
        return _load(**{**data, "preprocess": tuple(data["preprocess"])})

    @cached_property
    def metrics(self) -> Mapping[str, Any]:
        """What metrics.csv holds, column by column."""
        return self.folder.read_metrics()

    @cached_property
    def divergence(self) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
        """The steps (S,) and the batch losses (S,) of the epoch in which a run overflowed."""
        if not self.folder.divergence.exists():
            return None
        steps, losses = self.folder.read_divergence()
        return np.array(steps, float), np.array(losses, float)

    @cached_property
    def predictions(self) -> NDArray[np.uint8] | None:
        """The predicted class of each test image, (N,), if the run came that far."""
        path = self.folder.predictions
        return read_predictions(path, len(self.dataset.test)) if path.exists() else None

    @cached_property
    def parameters(self) -> NDArray[Any] | None:
        """Weights and, in the last row, biases, (D+1, C), if the run came that far."""
        return load_weights(self.folder.model) if self.folder.model.exists() else None

    @property
    def coding(self) -> Coding:
        """How its model's columns tell classes apart, those of an unknown model one by one."""
        model = self.config["model"]
        return coding_of(MODELS[model]) if model in MODELS else ONE_HOT

    def scores(self, index: NDArray[np.intp]) -> NDArray[Any]:
        """Return how strongly a run with parameters speaks for each class of test images, (n, C).

        Of a model with a column for each class these are the pre-activations.
        """
        images = self.dataset.test.rows[index]
        parameters: NDArray[Any] = np.asarray(self.parameters)
        features = self.dataset.features
        if self.config.get("features"):
            features = replace(features, steps=load_features(self.folder.features))
        A = pre_activations(parameters, images, features)
        return np.asarray(self.coding.scores(A[:, None])[:, 0])


def rank(values: Sequence[Any]) -> tuple[list[Any], NDArray[np.intp]]:
    """Return each of V values once, numbers by size and all else as it comes, and each one's place.

    The places (V,) count from 0.
    """
    once = list({repr(value): value for value in values}.values())
    once = sorted(once) if numeric(once) is not None else once
    where = {repr(value): place for place, value in enumerate(once)}
    return once, np.array([where[repr(value)] for value in values], np.intp)


def place(values: Sequence[Any]) -> tuple[NDArray[np.float64], list[str]]:
    """Return where V values lie on an axis, (V,), and the names at 0, 1, 2, … if there are any.

    Numbers over decades with a zero among them count as names: no axis could tell them apart.
    """
    numbers = numeric(values)
    if numbers is not None:
        above = numbers[numbers > 0]
        if (numbers != 0).all() or not len(above) or above.max() / 10 < above.min():
            return numbers, []
    once, places = rank(values)
    return places.astype(float), [cut(format_value(value), 24) for value in once]


class SweepView:
    """What sweep.json holds of a sweep, and its runs' epochs; T is the number of its trials.

    `results` tells what is known of each trial, `keys` the parameters that were varied,
    `repeats` how often each trial was trained ("3 seeds", "" for once), `best` the number of the
    best one, if there is any, and `limit` the highest learning rate at which theory promises stable
    steps, if it is known.
    """

    def __init__(self, folder: SweepFolder) -> None:
        self.folder = folder
        self.document: dict[str, Any] = folder.read_summary()
        self.results: list[dict[str, Any]] = self.document["results"]
        self.keys = list(self.document["parameters"])
        # whose trials stand beside published figures has chosen none
        self.is_compared = "published" in self.document
        self.repeats = repeats_of(self.document)
        best = self.document["best"]
        self.best = None if best is None else int(best["trial"])
        self.limit: float | None = self.document["learning_rate_limit"]
        self._metric: str = self.document["metric"]["name"]
        self._split, _, self._measure = self._metric.partition(".")
        self.unit = PERCENT if self._measure == "accuracy" else ""

    @cached_property
    def statuses(self) -> list[str]:
        """How each of the T trials ended."""
        return [str(result["status"]) for result in self.results]

    @cached_property
    def diverged(self) -> NDArray[np.bool_]:
        """Which trials diverged, (T,)."""
        return np.array([status == "diverged" for status in self.statuses], bool)

    @cached_property
    def stopped(self) -> NDArray[np.bool_]:
        """Which trials were stopped early for being behind the others, (T,)."""
        return np.array([bool(result.get("stopped")) for result in self.results], bool)

    @cached_property
    def errors(self) -> NDArray[np.float64]:
        """What the trials are compared by, (T,), the less the better; NaN for want of it."""
        values = [result[self._split][self._measure] for result in self.results]
        completed = [status == "completed" for status in self.statuses]
        errors = np.where(completed, np.array(values, float), np.nan)
        return 100 * (1 - errors) if self.unit else errors

    @cached_property
    def half_widths(self) -> NDArray[np.float64]:
        """Half of the 95 % intervals of `errors` over seeds or folds, (T,); NaN for want of it."""
        found = [(result.get("half_width") or {}).get(self._metric) for result in self.results]
        return (100 if self.unit else 1) * np.array(found, float)

    @cached_property
    def error_name(self) -> str:
        """What `errors` are called on an axis."""
        return f"{self._split} {'error rate (%)' if self.unit else self._measure}"

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
        repeats = f", {self.repeats}{' each' if many else ''}" if self.repeats else ""
        trials = f"{len(self.results):,} trial{'s' if many else ''}"
        return f"{self.config['name']}{over}: {trials}{repeats}"

    @cached_property
    def details(self) -> str:
        """What stayed the same in all trials, on one line."""
        described = _describe(self.config) | {"epochs": self._epochs}
        varied = {*self.keys, *(["epochs"] if "stop_after" in self.keys else [])}
        return ", ".join(text for key, text in described.items() if key not in varied)

    @property
    def _epochs(self) -> str:
        """How long the trials were trained that came to an end, in words."""
        planned = int(self.config.get("stop_after") or self.config["epochs"])
        completed = [result for result in self.results if result["status"] == "completed"]
        taken = [result.get("epochs") or planned for result in completed]
        longest = max([planned, *taken])
        words = "1 epoch" if longest == 1 else f"{longest} epochs"
        return f"up to {words}" if self.stopped.any() or {*taken} - {longest} else words

    def values(self, key: str) -> list[Any]:
        """Return the T values of one parameter."""
        return [result["parameters"][key] for result in self.results]

    @cached_property
    def runs(self) -> list[tuple[int, Mapping[str, Any]]]:
        """The trial of each run and what its metrics.csv holds, which is perhaps nothing."""
        empty: dict[str, list[float]] = {column: [] for column in METRICS_COLUMNS}
        numbered = [(trial, run) for trial, one in enumerate(self.results) for run in one["runs"]]
        folders = [(trial, self.folder.run(run)) for trial, run in numbered]
        return [
            (trial, folder.read_metrics() if folder.metrics.exists() else empty)
            for trial, folder in folders
        ]
