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
from mnistlab.datasets import Dataset
from mnistlab.errors import MnistlabError, RunFolderError
from mnistlab.experiment.prepare import data_key, open_data, open_images
from mnistlab.optimum import Optimum, find_optimum, has_optimum, ridge_of
from mnistlab.report.text import clean
from mnistlab.run_folders import RunFolder
from mnistlab.run_folders.folder import SweepFolder, repeats_of
from mnistlab.run_folders.weights import load_weights, read_predictions
from mnistlab.store.facts import Facts, is_number, is_of_config, read_facts

_Found = TypeVar("_Found")

_ROUNDING = 1e-5  # of a loss that was summed in float32, as a share of it

_MOST_RUNS = 1_000_000  # of a sweep that anybody has made


class SharedData:
    """Keeps what was found and, where nothing was, the error."""

    def __init__(self) -> None:
        self._found: dict[object, Any] = {}

    def dataset(self, config: Config, sha256: object) -> Dataset:
        """Return the data that a run was trained on, its feature steps aside.

        Raises MnistlabError where it cannot be loaded, or is not the data with this SHA-256.
        """
        key = config.data.model_dump_json()
        dataset: Dataset = self._once(key, lambda: open_images(config))
        if dataset.sha256 != sha256:
            raise MnistlabError(f"{config.data.dataset} has changed since the run was made")
        return dataset

    def optimum(self, config: Config, sha256: object) -> Optimum | None:
        """Return the best that the config's model can do, None where no such optimum is known.

        Raises MnistlabError where it cannot be computed.
        """
        dataset = self.dataset(config, sha256)

        def find() -> Optimum | None:
            known = config.features and has_optimum(config)
            return find_optimum(config, open_data(config) if known else dataset)

        key = (sha256, data_key(config), config.model, config.loss, ridge_of(config))
        optimum: Optimum | None = self._once(key, find)
        return optimum

    def _once(self, key: object, find: Callable[[], object]) -> Any:
        if key not in self._found:
            try:
                self._found[key] = find()
            except MnistlabError as error:
                self._found[key] = error
        if isinstance(self._found[key], MnistlabError):
            raise self._found[key]
        return self._found[key]


@dataclass(frozen=True)
class FolderRecord:
    """What runs and sweeps have in common; no two in a report have the same `name`.

    `who` says whose it is, where that is told at all.
    """

    folder: RunFolder
    shared: SharedData
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

    def contradiction(self, claimed: Any, predicted: float | None, source: str) -> list[str]:
        """Return whether a test accuracy that a file claims is not that of the predictions."""
        if predicted is None or not is_number(claimed) or abs(claimed - predicted) < 1e-6:
            return []
        words = f"{source} claims a test accuracy of {claimed:.2%}, the predictions give"
        return [f"{words} {predicted:.2%}"]


@dataclass(frozen=True)
class RunRecord(FolderRecord):
    """One run; what cannot be read is None, and `remarks` says so."""

    @cached_property
    def contradictions(self) -> list[str]:
        """Statements of its files that cannot all be true."""
        return self.contradiction(
            self.facts.get("test.accuracy"), self.predicted_accuracy, "summary.json"
        )

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
    def _checked(self) -> Config | str:
        """The config, or why it cannot be used."""
        nested: dict[str, Any] = {}
        for key, value in self.flat_config.items():
            set_key(nested, {}, tuple(key.split(".")), value, "")
        found = try_config(nested)
        return found if isinstance(found, Config) else "; ".join(map(str, found[:2]))

    @property
    def config(self) -> Config | None:
        """The config as the trainer takes it, None if it cannot be used."""
        return self._checked if isinstance(self._checked, Config) else None

    @property
    def config_problem(self) -> str:
        """Why the config cannot be used, "" if it can."""
        return self._checked if isinstance(self._checked, str) else ""

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

    @cached_property
    def dataset(self) -> Dataset | None:
        """The data that the run was trained on, if it is there and has not changed."""
        config, sha256 = self.config, self.facts.get("data_sha256")
        return None if config is None else _or_none(lambda: self.shared.dataset(config, sha256))

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
        config, sha256 = self.config, self.facts.get("data_sha256")
        return None if config is None else _or_none(lambda: self.shared.optimum(config, sha256))

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


def _or_none(read: Callable[[], _Found]) -> _Found | None:
    """Return what `read` returns, None where it cannot be read or used."""
    with suppress(OSError, MnistlabError):
        return read()
    return None


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
        test = self.document["best"].get("test")
        claimed = test.get("accuracy") if isinstance(test, dict) else None
        return self.contradiction(claimed, self.best.predicted_accuracy, "sweep.json")

    @cached_property
    def best(self) -> RunRecord | None:
        """The best trial's first run, None where it is not there."""
        best = self.document.get("best")
        runs = best.get("runs") if isinstance(best, dict) else None
        if not isinstance(runs, list) or not runs:
            return None
        return next((run for run in self.runs if run.folder.path.name == str(runs[0])), None)

    @cached_property
    def runs(self) -> list[RunRecord]:
        """Its runs that are there, in the order of their numbers."""
        numbers = self.folder.runs()
        folders = {f"{self.name}/{number}": self.folder.run(number) for number in numbers}
        return [RunRecord(one, self.shared, name, self.who) for name, one in folders.items()]

    @cached_property
    def ranked_trials(self) -> list[Mapping[str, Any]]:
        """What sweep.json says of each trial that could be chosen, the best first."""
        ranking, results = self.document.get("ranking"), self.document.get("results")
        if not isinstance(ranking, list) or not isinstance(results, list):
            return []
        entries = [one for one in results if isinstance(one, dict)]
        trials = [one for one in entries if isinstance(one.get("trial"), int)]
        known = {one["trial"]: one for one in trials if isinstance(one.get("parameters"), dict)}
        return [known[trial] for trial in ranking if isinstance(trial, int) and trial in known]

    @cached_property
    def ties(self) -> set[int]:
        """The trials that the sweep could not tell from its best one."""
        found = self.document.get("indistinguishable")
        return {one for one in found if isinstance(one, int)} if isinstance(found, list) else set()

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
        return words + ([] if self.best is None else [f"best run: {w}" for w in self.best.damage()])
