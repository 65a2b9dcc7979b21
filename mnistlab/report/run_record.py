"""One run as a report sees it: each piece is read from its folder when it is first asked for.

Shapes: C classes, D features, N test images.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, TypeVar

import numpy as np
from numpy.typing import NDArray

from mnistlab.config.load import set_key
from mnistlab.config.schema import Config
from mnistlab.config.validation import try_config
from mnistlab.datasets import Dataset
from mnistlab.errors import MnistlabError
from mnistlab.optimum import Optimum
from mnistlab.report.shared_data import SharedData
from mnistlab.report.text import clean
from mnistlab.run_folders import RunFolder
from mnistlab.run_folders.weights import load_weights, read_predictions
from mnistlab.store.facts import Facts, is_number, is_of_config, read_facts

_Found = TypeVar("_Found")

_ROUNDING = 1e-5  # of a loss that was summed in float32, as a share of it


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
