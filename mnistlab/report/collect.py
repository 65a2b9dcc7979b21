"""Reads what a report needs of each run folder; whatever is missing or damaged is named.

Shapes: C classes, D features, N test images.
"""

import shlex
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnistlab.config.load import load_config
from mnistlab.config.schema import Config
from mnistlab.config.strict_yaml import read_file
from mnistlab.datasets import Dataset, load
from mnistlab.errors import FetchError, InputError, MnistlabError, RunFolderError
from mnistlab.runs import RunFolder
from mnistlab.runs.sweep_folder import SweepFolder
from mnistlab.runs.weights import load_weights
from mnistlab.store.differences import read_predictions
from mnistlab.store.facts import Facts, read_facts
from mnistlab.yardstick import Yardstick, find_yardstick

Curves = dict[str, list[float]]


class DataShelf:
    """Datasets and yardsticks, each loaded once for all the runs that need it."""

    def __init__(self) -> None:
        self._datasets: dict[tuple[str, int, tuple[str, ...]], Dataset | str] = {}

    def dataset(self, config: Config) -> Dataset:
        """Return the data that a config names; raise MnistlabError if it cannot be had."""
        data = config.data
        key = (data.dataset, data.validation, tuple(data.preprocess))
        if key not in self._datasets:
            try:
                self._datasets[key] = load(key[0], validation=key[1], preprocess=key[2])
            except (InputError, FetchError) as error:
                self._datasets[key] = str(error)
        found = self._datasets[key]
        if isinstance(found, str):
            raise MnistlabError(found)
        return found

    def yardstick(self, config: Config, sha256: str) -> Yardstick | None:
        """Return the best that the config's model can do, None if there is no such thing."""
        dataset = self.dataset(config)
        if dataset.sha256 != sha256:
            raise MnistlabError(f"{config.data.dataset} has changed since the run was made")
        return find_yardstick(config, dataset)


@dataclass(frozen=True)
class ReportRun:
    """One run as a report sees it; each piece is read when it is first asked for.

    What cannot be read is None, and `missing` says so.
    """

    folder: RunFolder
    shelf: DataShelf

    @property
    def name(self) -> str:
        """The run's name, SWEEP/7 for one of a sweep."""
        return self.folder.name

    @cached_property
    def facts(self) -> Facts:
        """The run's row in every table."""
        return read_facts(self.folder)

    @property
    def title(self) -> str:
        """The config's name, or the folder's."""
        return str(self.facts.get("name") or self.name)

    @cached_property
    def missing(self) -> list[str]:
        """What the folder lacks of what its status promises, a few words each."""
        status = str(self.facts["status"])
        words = [f"{name} is missing or damaged" for name in self.facts.get("damaged", [])]
        named, changed = set(self.facts.get("damaged", [])), list[str]()
        with suppress(OSError):
            changed = [name for name in self.folder.damaged_files() if name not in named]
        words += [f"{name} is not what the run left" for name in changed]
        if status == "interrupted":
            words.append("it was interrupted, and has no result yet")
        elif status == "running":
            words.append("it is still running")
        elif status == "failed":
            words.append(f"it failed: {self.facts.get('error', 'no reason is given')}")
        elif status == "diverged":
            words.append(f"it diverged: {self.facts.get('error', 'the loss overflowed')}")
        elif status == "completed":
            if self.curves is None and "metrics.csv" not in changed:
                words.append("metrics.csv is missing or damaged")
            if self.parameters is None and "model.safetensors" not in changed:
                words.append("model.safetensors is missing or damaged")
            if "test.accuracy" not in self.facts:
                words.append("the test split was not evaluated")
        return words

    @cached_property
    def config(self) -> dict[str, Any] | None:
        """The config as plain data."""
        with suppress(InputError):
            return read_file(self.folder.config)[0]
        return None

    @cached_property
    def checked_config(self) -> Config | None:
        """The config as the trainer takes it."""
        with suppress(InputError):
            return load_config(self.folder.config)
        return None

    @cached_property
    def curves(self) -> Curves | None:
        """metrics.csv column by column."""
        with suppress(OSError, RunFolderError):
            return self.folder.read_metrics()
        return None

    @cached_property
    def divergence(self) -> tuple[list[int], list[float]] | None:
        """Steps and batch losses of the epoch that overflowed."""
        with suppress(OSError, RunFolderError):
            return self.folder.read_divergence()
        return None

    @cached_property
    def parameters(self) -> NDArray[Any] | None:
        """Weights and, in the last row, biases, (D+1, C)."""
        with suppress(RunFolderError):
            return load_weights(self.folder.model)
        return None

    @cached_property
    def dataset(self) -> Dataset | None:
        """The data that the run was made on, if it is there and has not changed."""
        if self.checked_config is None:
            return None
        with suppress(MnistlabError):
            dataset = self.shelf.dataset(self.checked_config)
            return dataset if dataset.sha256 == self.facts.get("data_sha256") else None
        return None

    @cached_property
    def predictions(self) -> NDArray[np.uint8] | None:
        """The predicted classes of the test images, (N,)."""
        if self.dataset is None:
            return None
        with suppress(RunFolderError):
            return read_predictions(self.folder.predictions, len(self.dataset.test))
        return None

    @cached_property
    def confusion(self) -> NDArray[np.intp] | None:
        """How often each class was taken for which, (C, C), true classes in rows."""
        if self.dataset is None or self.predictions is None:
            return None
        C = len(self.dataset.classes)
        if self.predictions.max(initial=0) >= C:
            return None
        counts = np.zeros((C, C), np.intp)
        np.add.at(counts, (self.dataset.test.labels, self.predictions), 1)
        return counts

    @cached_property
    def yardstick(self) -> Yardstick | None:
        """The best that the run's model can do on its data, None if that is not known."""
        if self.checked_config is None:
            return None
        with suppress(MnistlabError):
            sha256 = str(self.facts.get("data_sha256"))
            return self.shelf.yardstick(self.checked_config, sha256)
        return None

    @cached_property
    def gaps(self) -> list[float] | None:
        """By how much each epoch's training loss lies above the least possible one.

        With a penalty a run that has not settled may lie below, so there only the end counts.
        """
        if self.yardstick is None or self.curves is None:
            return None
        return [loss - self.yardstick.loss for loss in self.curves["train_loss"]]

    @property
    def command(self) -> str:
        """The command that repeats the run to the byte."""
        return f"mnistlab train --config {shlex.quote(str(self.folder.config))}"


@dataclass(frozen=True)
class ReportSweep:
    """One sweep as a report sees it."""

    folder: SweepFolder
    shelf: DataShelf

    @property
    def name(self) -> str:
        """The sweep's name."""
        return self.folder.name

    @cached_property
    def facts(self) -> Facts:
        """The sweep's row in every table."""
        return read_facts(self.folder)

    @property
    def title(self) -> str:
        """The name that it was given, or the folder's."""
        return str(self.facts.get("name") or self.name)

    @cached_property
    def document(self) -> dict[str, Any] | None:
        """What sweep.json holds."""
        with suppress(RunFolderError):
            return self.folder.read_summary()
        return None

    @cached_property
    def best(self) -> ReportRun | None:
        """The best trial's first run."""
        best = (self.document or {}).get("best")
        runs = best.get("runs") if isinstance(best, dict) else None
        if not isinstance(runs, list) or not runs or not isinstance(runs[0], int):
            return None
        return ReportRun(self.folder.run(runs[0]), self.shelf)

    @cached_property
    def missing(self) -> list[str]:
        """What the folder lacks, a few words each."""
        words = [f"{name} is missing or damaged" for name in self.facts.get("damaged", [])]
        if self.facts["status"] in ("interrupted", "running", "failed"):
            words.append(f"it is {self.facts['status']}: {len(self.folder.runs())} runs are done")
        return words

    @property
    def command(self) -> str:
        """The command that repeats the sweep."""
        return f"mnistlab sweep --config {shlex.quote(str(self.folder.config))}"


def collect(folders: Sequence[RunFolder]) -> tuple[list[ReportRun], list[ReportSweep]]:
    """Return the runs and the sweeps of a report, each folder once, in their order."""
    shelf = DataShelf()
    runs: dict[Path, ReportRun] = {}
    sweeps: dict[Path, ReportSweep] = {}
    for folder in folders:
        place = folder.path.resolve()
        if isinstance(folder, SweepFolder):
            sweeps.setdefault(place, ReportSweep(folder, shelf))
        else:
            runs.setdefault(place, ReportRun(folder, shelf))
    return list(runs.values()), list(sweeps.values())
