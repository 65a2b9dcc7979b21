"""Runs and sweeps as a report sees them: each piece is read when it is first asked for.

Shapes: C classes, D features, N test images.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, TypeVar

import numpy as np
from numpy.typing import NDArray

from mnistlab.config.load import set_key, try_config
from mnistlab.config.schema import Config
from mnistlab.datasets import Dataset, describe_steps
from mnistlab.errors import MnistlabError, RunFolderError, escape
from mnistlab.experiment.prepare import data_key, open_data, open_images
from mnistlab.optimum import Optimum, find_optimum, has_optimum, ridge_of
from mnistlab.run_folders import RunFolder
from mnistlab.run_folders.folder import SweepFolder, repeats_of
from mnistlab.run_folders.weights import load_weights, read_predictions
from mnistlab.store.facts import Facts, is_number, is_of_config, read_facts

_Found = TypeVar("_Found")

_ROUNDING = 1e-5  # of a loss that was summed in float32, as a share of it

_MOST_RUNS = 1_000_000  # of a sweep that anybody has made

LONGEST = 300
"""Letters of a text from a run folder: what is longer is no name, and is cut."""

DASH = "\N{EN DASH}"
"""Stands where there is no value."""


def clean(text: str) -> str:
    r"""Return `text` on one line, cut to LONGEST letters.

    Controls, marks of direction and lone surrogates are written out, as `\x1b` or `\u202e`.
    """
    shown = escape(" ".join(text[: 2 * LONGEST].split()))
    return shown if len(shown) <= LONGEST else f"{shown[: LONGEST - 1]}…"


def clean_all(data: Any) -> Any:
    """Return nested lists and mappings with every text in them, keys too, made clean."""
    if isinstance(data, str):
        return clean(data)
    if isinstance(data, dict):
        return {clean(str(key)): clean_all(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [clean_all(value) for value in data]
    return data


def show(key: str, value: Any) -> str:
    """Return a value as reports show what stands under this key; a dash where there is none."""
    if isinstance(value, list):
        return describe_steps(value) or "none"
    if isinstance(value, str | bool):
        return str(value).replace("_", " ")
    if not is_number(value):
        return DASH
    if key.endswith("accuracy"):
        return f"{value:.2%}"
    if key.endswith("loss") and abs(value) < 1e6:
        return f"{value:.4f}"
    shown = str(value) if isinstance(value, int) else f"{value:.4g}"
    return shown.replace("-", "\N{MINUS SIGN}", 1) if value < 0 else shown


def number(run: str, key: str, value: Any) -> dict[str, Any] | None:
    """Return a number as reports know it, with the run and the key that it comes from.

    None for anything that is no finite number.
    """
    if not is_number(value):
        return None
    return {"run": run, "key": key, "value": value, "shown": show(key, value)}


def _or_none(read: Callable[[], _Found]) -> _Found | None:
    """Return what `read` returns, None where it cannot be read or used."""
    with suppress(OSError, MnistlabError):
        return read()
    return None


def as_a(kind: type[_Found], value: Any) -> _Found:
    """Return a value of a file if it is of this kind, else an empty one: no file is trusted."""
    return value if isinstance(value, kind) else kind()


@dataclass(frozen=True)
class FolderRecord:
    """What runs and sweeps have in common; no two in a report have the same `name`.

    `who` says whose it is, where that is told at all. `shared` keeps what was found of data and
    optima for all records of a report, None where it could not be had.
    """

    folder: RunFolder
    shared: dict[object, Any]
    name: str
    who: str = ""
    contradictions: ClassVar[Any]  # its statements that cannot all be true, by kind of folder

    @property
    def title(self) -> str:
        """The name that its config gives it, or the folder's."""
        return clean(str(self.facts.get("name") or self.name))

    @cached_property
    def facts(self) -> Facts:
        """Its row in every table, as `runs list` shows it."""
        return read_facts(self.folder)

    @cached_property
    def altered(self) -> list[str]:
        """The files that are there and not those that its status vouches for."""
        known = self.facts.get("damaged", [])
        with suppress(OSError):
            return [name for name in self.folder.damaged_files() if name not in known]
        return []

    @property
    def status(self) -> str:
        """Its status, with `, damaged` where its numbers are not to be trusted."""
        status = str(self.facts["status"])
        if status == "damaged":
            return status
        is_hurt = self.facts.get("damaged") or self.altered or self.contradictions
        return f"{status}, damaged" if is_hurt else status

    def damage(self) -> list[str]:
        """Return what is wrong with its files, and what looked wrong to it, a few words each."""
        said = "is missing or damaged"
        damaged = self.facts.get("damaged", [])
        missing = [one if " is " in one else f"{one} {said}" for one in damaged]
        altered = [f"{name} is not what the run wrote" for name in self.altered]
        return [*missing, *altered, *self.contradictions, *map(str, self.facts.get("warnings", []))]

    def contradiction(self, claimed: Any, predicted: float | None) -> list[str]:
        """Return whether the test accuracy that its file claims is not that of the predictions."""
        if predicted is None or not is_number(claimed) or abs(claimed - predicted) < 1e-6:
            return []
        words = f"{self.folder.summary.name} claims a test accuracy of {claimed:.2%}"
        return [f"{words}, the predictions give {predicted:.2%}"]


@dataclass(frozen=True)
class RunRecord(FolderRecord):
    """One run; what cannot be read is None, and `remarks` says so."""

    @cached_property
    def contradictions(self) -> list[str]:
        """Statements of its files that cannot all be true."""
        return self.contradiction(self.facts.get("test.accuracy"), self.predicted_accuracy)

    @cached_property
    def remarks(self) -> list[str]:
        """What one should know before one believes its numbers, a few words each."""
        status, error = str(self.facts["status"]), self.facts.get("error")
        words = self.damage()
        if status == "completed":
            words += self._missing_results()
        elif status != "damaged":
            said = {"failed": "it failed", "diverged": "it diverged"}.get(status, f"it is {status}")
            words.append(f"{said}: {error}" if error else said)
        if self.config is None and "config.yaml" not in self.facts.get("damaged", []):
            words.append(f"its config cannot be used: {self.config_problem}")
        return list(dict.fromkeys(words))

    def _missing_results(self) -> list[str]:
        # what the status vouches for was looked at; reading the weights of 1,000 runs takes long
        known = {*self.facts.get("damaged", []), *self.altered, *self.folder.checksums()}
        results = {"metrics.csv": self.curves, "model.safetensors": self.parameters}
        words = [
            f"{name} is missing or damaged"
            for name, found in results.items()
            if name not in known and found is None
        ]
        is_tested = "test.accuracy" in self.facts
        return words if is_tested else [*words, "the test split was not evaluated"]

    @cached_property
    def flat_config(self) -> dict[str, Any]:
        """The config under dotted keys."""
        return {key: value for key, value in self.facts.items() if is_of_config(key)}

    @property
    def setting(self) -> dict[str, Any]:
        """The config but for what does not count as the setting: name and seed."""
        return {key: one for key, one in self.flat_config.items() if key not in ("name", "seed")}

    @cached_property
    def _checked(self) -> tuple[Config | None, str]:
        nested: dict[str, Any] = {}
        for key, value in self.flat_config.items():
            set_key(nested, {}, tuple(key.split(".")), value, "")
        found = try_config(nested)
        return (found, "") if isinstance(found, Config) else (None, "; ".join(map(str, found[:2])))

    @property
    def config(self) -> Config | None:
        """The config as the trainer takes it, None if it cannot be used."""
        return self._checked[0]

    @property
    def config_problem(self) -> str:
        """Why the config cannot be used, "" if it can."""
        return self._checked[1]

    @cached_property
    def curves(self) -> dict[str, list[float]] | None:
        """metrics.csv column by column."""
        return _or_none(self.folder.read_metrics)

    @cached_property
    def divergence(self) -> tuple[list[int], list[float]]:
        """Steps and batch losses of the epoch that overflowed, empty where there was none."""
        return _or_none(self.folder.read_divergence) or ([], [])

    @cached_property
    def parameters(self) -> NDArray[Any] | None:
        """Weights and, in the last row, biases, (D+1, C)."""
        return _or_none(lambda: load_weights(self.folder.model))

    @property
    def weights_sha256(self) -> str | None:
        """The checksum of its weights, None where there are none as it left them."""
        name = self.folder.model.name
        found = None if name in self.altered else self.folder.checksums().get(name)
        return found if isinstance(found, str) else None

    def _once(self, key: object, find: Callable[[], _Found]) -> _Found | None:
        if key not in self.shared:
            self.shared[key] = _or_none(find)
        found: _Found | None = self.shared[key]
        return found

    def data_of(self, config: Config) -> Dataset | None:
        """Return the data of a config, its feature steps aside, if it is still that of the run."""
        dataset = self._once(config.data.model_dump_json(), lambda: open_images(config))
        return dataset if dataset and dataset.sha256 == self.facts.get("data_sha256") else None

    @cached_property
    def dataset(self) -> Dataset | None:
        """The data that the run was trained on, if it is there and has not changed."""
        return None if self.config is None else self.data_of(self.config)

    @cached_property
    def predictions(self) -> NDArray[np.uint8] | None:
        """The predicted classes of the test images, (N,)."""
        if self.dataset is None:
            return None
        images = len(self.dataset.test)
        return _or_none(lambda: read_predictions(self.folder.predictions, images))

    @cached_property
    def predicted_accuracy(self) -> float | None:
        """The share of test images that the predictions have right."""
        if self.dataset is None or self.predictions is None or not len(self.predictions):
            return None
        return float(np.mean(self.predictions == self.dataset.test.labels))

    @cached_property
    def optimum(self) -> Optimum | None:
        """The best that the run's model can do on its data, where that is known."""
        config, dataset = self.config, self.dataset
        if config is None or dataset is None:
            return None
        key = (dataset.sha256, data_key(config), config.model, config.loss, ridge_of(config))
        return self._once(key, lambda: self._find_optimum(config, dataset))

    def _find_optimum(self, config: Config, dataset: Dataset) -> Optimum | None:
        known = config.features and has_optimum(config)
        return find_optimum(config, open_data(config) if known else dataset)

    @cached_property
    def gap(self) -> float | None:
        """By how much the final training loss, penalty included, exceeds the least possible.

        Known of completed runs only. What float32 rounds to below the least counts as zero.
        """
        loss, optimum = self.facts.get("train.loss"), self.optimum
        if self.facts["status"] != "completed" or optimum is None or not is_number(loss):
            return None
        penalty = 0.0
        if optimum.ridge:
            if self.parameters is None:
                return None
            squares = np.square(self.parameters[:-1].astype(np.float64))
            penalty = optimum.ridge / 2 * float(squares.sum())
        gap = loss + penalty - optimum.objective
        if not np.isfinite(gap):
            return None
        return 0.0 if -_ROUNDING * optimum.objective < gap < 0 else gap


@dataclass(frozen=True)
class SweepRecord(FolderRecord):
    """One sweep; nothing that sweep.json says is trusted to have the right form."""

    folder: SweepFolder

    @cached_property
    def document(self) -> dict[str, Any]:
        """What sweep.json holds, empty where it cannot be read."""
        with suppress(RunFolderError):
            return self.folder.read_summary()
        return {}

    @cached_property
    def contradictions(self) -> list[str]:
        """Statements of its files that cannot all be true."""
        if self.best is None or repeats_of(self.document):
            return []
        claimed = as_a(dict, self.document["best"].get("test")).get("accuracy")
        return self.contradiction(claimed, self.best.predicted_accuracy)

    @cached_property
    def best(self) -> RunRecord | None:
        """The best trial's first run, None where it is not there."""
        numbers = as_a(list, as_a(dict, self.document.get("best")).get("runs"))
        first = [str(number) for number in numbers[:1]]
        return next((run for run in self.runs if first == [run.folder.path.name]), None)

    @cached_property
    def runs(self) -> list[RunRecord]:
        """Its runs that are there, in the order of their numbers."""
        numbers = self.folder.runs()
        folders = {f"{self.name}/{number}": self.folder.run(number) for number in numbers}
        return [RunRecord(one, self.shared, name, self.who) for name, one in folders.items()]

    @property
    def results(self) -> list[Any]:
        """What sweep.json says of each trial, in any form."""
        return as_a(list, self.document.get("results"))

    @cached_property
    def ranked_trials(self) -> list[Mapping[str, Any]]:
        """What sweep.json says of each trial that could be chosen, the best first."""
        entries = [as_a(dict, one) for one in self.results]
        trials = [one for one in entries if isinstance(one.get("trial"), int)]
        known = {one["trial"]: one for one in trials if isinstance(one.get("parameters"), dict)}
        ranking = as_a(list, self.document.get("ranking"))
        return [known[trial] for trial in ranking if isinstance(trial, int) and trial in known]

    @cached_property
    def ties(self) -> set[int]:
        """The trials that the sweep could not tell from its best one."""
        found = as_a(list, self.document.get("indistinguishable"))
        return {one for one in found if isinstance(one, int)}

    @cached_property
    def remarks(self) -> list[str]:
        """What one should know before one believes its numbers, a few words each."""
        words, status = self.damage(), self.facts["status"]
        there = self.folder.runs()
        if status in ("interrupted", "running", "failed"):
            words.append(f"it is {status}: {len(there)} runs are begun or done")
        elif status == "completed":
            words += self._missing_runs(there)
        return list(dict.fromkeys(words))

    def _missing_runs(self, there: list[int]) -> list[str]:
        count = self.facts.get("runs")
        if not isinstance(count, int) or count > _MOST_RUNS:
            return []
        lost = sorted(set(range(count)) - set(there))
        named = ", ".join(map(str, lost[:8])) + (", …" if len(lost) > 8 else "")
        words = [f"{len(lost)} of its {count} runs are missing: {named}"] if lost else []
        return words + ([] if self.best is None else [f"best run: {w}" for w in self.best.remarks])
