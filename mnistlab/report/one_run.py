"""One run as a report sees it, read from its folder piece by piece.

Shapes: C classes, D features, N test images.
"""

import shlex
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnistlab.config.load import load_config, try_config
from mnistlab.config.schema import Config
from mnistlab.datasets import Dataset
from mnistlab.errors import InputError, MnistlabError, RunFolderError
from mnistlab.optimum import Optimum
from mnistlab.report.lacks import contradictions, lacks_of_run
from mnistlab.report.one_folder import ReportFolder
from mnistlab.report.repeat import train_command
from mnistlab.runs.weights import load_weights, read_predictions
from mnistlab.store.facts import is_number, is_of_config

Curves = dict[str, list[float]]

_ROUNDING = 1e-5  # of a loss that was summed in float32, as a share of it


@dataclass(frozen=True)
class ReportRun(ReportFolder):
    """One run as a report sees it."""

    @property
    def place(self) -> Path:
        """Where its folder really is, which no other run shares."""
        return self.folder.path.resolve()

    def holder(self, _key: str) -> "ReportRun":
        """Return itself: whatever fact is shown of a run is its own."""
        return self

    @property
    def twin(self) -> str:
        """The run before it that has the same config, data and code; "" if none has."""
        first = self.shelf.first_runs.get(self.facts.get("key"), self.name)
        return "" if first == self.name else first

    @cached_property
    def contradictions(self) -> list[str]:
        """What in the folder does not agree, a few words each."""
        return contradictions(self, self.facts.get("test.accuracy"), self.folder.summary.name)

    @cached_property
    def missing(self) -> list[str]:
        """What one should know of the run before one believes its numbers, a few words each."""
        return lacks_of_run(self)

    @cached_property
    def config(self) -> dict[str, Any] | None:
        """The config as plain data."""
        if self.folder.config.name in self.facts.get("damaged", []):
            return None
        nested: dict[str, Any] = {}
        for key, value in self.facts.items():
            if is_of_config(key):
                *parents, last = key.split(".")
                inner = nested
                for parent in parents:
                    inner = inner.setdefault(parent, {})
                inner[last] = value
        return nested or None

    @cached_property
    def checked_config(self) -> Config | None:
        """The config as the trainer takes it."""
        found = None if self.config is None else try_config(self.config)
        return found if isinstance(found, Config) else None

    @cached_property
    def config_problem(self) -> str:
        """Why the config cannot be used, "" if it can."""
        if self.checked_config is not None:
            return ""
        try:
            load_config(self.folder.config)
        except InputError as error:
            return str(error).removeprefix(f"{self.folder.config}: ")
        return "it says something else than when it was read"

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
            return self.shelf.dataset(self.checked_config, self.facts.get("data_sha256"))
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
    def predicted_accuracy(self) -> float | None:
        """The share of test images that the predictions have right."""
        if self.dataset is None or self.predictions is None or not len(self.predictions):
            return None
        return float(np.mean(self.predictions == self.dataset.test.labels))

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
    def optimum(self) -> Optimum | None:
        """The best that the run's model can do on its data, None if that is not known."""
        if self.checked_config is None:
            return None
        with suppress(MnistlabError):
            sha256 = str(self.facts.get("data_sha256"))
            return self.shelf.optimum(self.checked_config, sha256)
        return None

    @cached_property
    def penalty(self) -> float | None:
        """What the weights at the end add to the mean loss: ridge / 2 times their square sum."""
        ridge = None if self.optimum is None else self.optimum.ridge
        if not ridge:
            return ridge
        if self.parameters is None:
            return None
        return ridge / 2 * float(np.square(self.parameters[:-1].astype(np.float64)).sum())

    @cached_property
    def gap(self) -> float | None:
        """By how much the loss at the end, with its penalty, lies above the least there is.

        Known of completed runs alone. What only the rounding of a loss in float32 puts below the
        least is zero.
        """
        loss, penalty = self.facts.get("train.loss"), self.penalty
        if self.facts["status"] != "completed" or self.optimum is None:
            return None
        if penalty is None or not is_number(loss) or not np.isfinite(penalty):
            return None
        gap = loss + penalty - self.optimum.objective
        return 0.0 if -_ROUNDING * self.optimum.objective < gap < 0 else gap

    @cached_property
    def gaps(self) -> list[float] | None:
        """By how much each epoch's training loss lies above the least possible one.

        Not known with a penalty, which the weights of each epoch decide, and these are not kept.
        """
        if self.optimum is None or self.curves is None or self.optimum.ridge:
            return None
        return [loss - self.optimum.loss for loss in self.curves["train_loss"]]

    @cached_property
    def command(self) -> str:
        """The command that repeats the run, "" where its config cannot be read."""
        if self.checked_config is None:
            return ""
        near = train_command(self.checked_config)
        return near or f"mnistlab train --config {shlex.quote(str(self.folder.config))}"

    @property
    def resume_command(self) -> str:
        """The command that goes on with a run that was cut short, "" for any other."""
        if self.facts["status"] != "interrupted" or self.checked_config is None:
            return ""
        return f"mnistlab train --resume {shlex.quote(str(self.folder.path))}"
