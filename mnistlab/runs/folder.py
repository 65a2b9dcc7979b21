"""A run is its folder: every file is a named property, and its state is read from its files."""

import contextlib
import os
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mnistlab.errors import RunFolderError
from mnistlab.runs.atomic import (
    append_text,
    clear_asides,
    sync_file,
    sync_folder,
    write_bytes,
    write_json,
    write_text,
)
from mnistlab.runs.claims import is_as_claimed, is_claim
from mnistlab.runs.forms import (
    is_summary,
    predictions_as_bytes,
    read_csv,
    read_json,
    sha256_of,
    to_csv,
)
from mnistlab.runs.lock import is_held, let_go, take_lock

if TYPE_CHECKING:
    import numpy as np
    from filelock import BaseFileLock
    from numpy.typing import NDArray

STATUSES = ("running", "completed", "diverged", "failed", "interrupted")
"""What a run can be; a status that says anything else is damaged."""

METRICS_COLUMNS = (
    "epoch",
    "train_loss",
    "train_accuracy",
    "validation_loss",
    "validation_accuracy",
    "learning_rate",
    "seconds",
)


@dataclass(frozen=True)
class RunFolder:
    """The files of one run."""

    path: Path

    @property
    def name(self) -> str:
        """The folder's name, by which the run is called; SWEEP/7 for a run of a sweep."""
        runs = Path(os.path.abspath(self.path)).parent  # noqa: PTH100 - links stay as they are
        inside = runs.name == "runs" and os.path.lexists(runs.parent / "plan.json")
        return f"{runs.parent.name}/{self.path.name}" if inside else self.path.name

    @property
    def config(self) -> Path:
        """The resolved config; given back to `train` it repeats the run."""
        return self.path / "config.yaml"

    @property
    def status(self) -> Path:
        """What became of the run, with times and the error."""
        return self.path / "status.json"

    @property
    def environment(self) -> Path:
        """Versions, machine, code and data that the run was made with."""
        return self.path / "environment.json"

    @property
    def uncommitted_patch(self) -> Path:
        """The code's difference from its git commit, where there was one."""
        return self.path / "uncommitted.patch"

    @property
    def metrics(self) -> Path:
        """A row an epoch."""
        return self.path / "metrics.csv"

    @property
    def divergence(self) -> Path:
        """The batch loss at each step of the epoch that overflowed, of a run that diverged."""
        return self.path / "divergence.csv"

    @property
    def summary(self) -> Path:
        """What `train --json` prints."""
        return self.path / "summary.json"

    @property
    def predictions(self) -> Path:
        """The predicted class of each test image, (N,) uint8."""
        return self.path / "predictions.npy"

    @property
    def model(self) -> Path:
        """The weights W (D, C) and biases b (C,)."""
        return self.path / "model.safetensors"

    @property
    def checkpoint(self) -> Path:
        """What resuming needs; gone once the run is complete."""
        return self.path / "checkpoint.safetensors"

    @property
    def plots(self) -> Path:
        """The folder of the pictures."""
        return self.path / "plots"

    def plot(self, name: str) -> Path:
        """Return where the picture of this name is."""
        return self.plots / f"{name}.png"

    @property
    def log(self) -> Path:
        """What was said."""
        return self.path / "log.txt"

    @property
    def lock_file(self) -> Path:
        """Held by the process that works on the run."""
        return self.path / "run.lock"

    @property
    def claimed(self) -> tuple[Path, ...]:
        """The files whose content the status of a run that has ended vouches for."""
        return (
            *(self.config, self.environment, self.uncommitted_patch, self.metrics),
            *(self.divergence, self.summary, self.predictions, self.model),
        )

    def hold(self) -> "BaseFileLock":
        """Take the run's lock for this process and return it; it dies with the process.

        What a process that was killed had begun to write is cleared away. Raises RunFolderError
        where another process has it.
        """
        lock = take_lock(self.lock_file, self.name)
        for folder in (self.path, self.plots):
            clear_asides(folder)
        return lock

    def tidy(self) -> None:
        """Clear away what was begun or set aside and is needed no more, if nobody is at work."""
        with contextlib.suppress(OSError, RunFolderError):
            self.let_go(self.hold())

    def let_go(self, lock: "BaseFileLock") -> None:
        """Release the run's lock, which leaves no trace."""
        let_go(lock, self.lock_file)

    def write_status(
        self, status: str, *, files: Mapping[str, Any] | None = None, **details: Any
    ) -> None:
        """Replace status.json, keeping what it already says and `details` does not.

        `files` are the SHA-256 of files by name that it vouches for. What it claims is on the
        disk before it is, and it is itself when this returns.
        """
        known = read_json(self.status) or {}
        known.pop("files", None)
        claims = {"files": files} if files else {}
        if status != "running":
            sync_file(self.log)
        sync_folder(self.path)
        write_json(self.status, {**known, "status": status, **details, **claims})
        sync_folder(self.path)

    def digests(self) -> dict[str, str]:
        """Return the SHA-256 of each claimed file that is there, by its name."""
        found = {path.name: sha256_of(path) for path in self.claimed}
        return {name: digest for name, digest in found.items() if digest is not None}

    def vouched(self) -> dict[str, Any]:
        """Return what the status says of files: their SHA-256 by name; none of an unfinished run's.

        Of one that is just being replaced it is a list: as it was, None if it was not, and as it
        is to be.
        """
        files = (read_json(self.status) or {}).get("files")
        return files if isinstance(files, dict) else {}

    def damaged_files(self) -> list[str]:
        """Return the names of files that are not what the status vouches for, missing ones too.

        Raises OSError where the disk fails.
        """
        files = self.vouched()
        return [
            path.name
            for path in self.claimed
            if path.name in files and not is_as_claimed(path, files[path.name])
        ]

    def read_status(self) -> dict[str, Any]:
        """Return status.json; a `running` run whose lock nobody holds reads as interrupted."""
        status = read_json(self.status)
        known = status is not None and status.get("status") in STATUSES
        if status is None or not known or not is_claim(status.get("files", {}), self.claimed):
            return {"status": "damaged", "error": "status.json is missing or cannot be read"}
        if status.get("status") == "running" and not is_held(self.lock_file):
            status["status"] = "interrupted"
        return status

    def read_environment(self) -> dict[str, Any]:
        """Return environment.json, empty if it is missing or damaged."""
        return read_json(self.environment) or {}

    def read_summary(self) -> dict[str, Any]:
        """Return summary.json; raise RunFolderError if it is missing or damaged."""
        summary = read_json(self.summary)
        if summary is None:
            raise RunFolderError(f"{self.summary}: is missing or cannot be read")
        self._check_summary(summary)
        return summary

    def _check_summary(self, summary: Mapping[str, Any]) -> None:
        if not is_summary(summary):
            raise RunFolderError(f"{self.summary}: is damaged: it does not say what a summary says")

    def write_summary(self, summary: Mapping[str, Any]) -> None:
        """Replace the summary."""
        write_json(self.summary, summary)

    def write_metrics(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Replace metrics.csv; missing values are empty cells."""
        write_text(self.metrics, to_csv(METRICS_COLUMNS, rows))

    def read_metrics(self) -> dict[str, list[float]]:
        """Return metrics.csv column by column; empty cells are NaN.

        Raises RunFolderError if it is missing or damaged.
        """
        rows = read_csv(self.metrics)
        try:
            return {
                column: [float(row[column] or "nan") for row in rows] for column in METRICS_COLUMNS
            }
        except (KeyError, TypeError, ValueError):
            raise RunFolderError(f"{self.metrics}: is damaged") from None

    def write_predictions(self, predictions: "NDArray[np.uint8]") -> None:
        """Replace predictions.npy by the predicted classes (N,)."""
        write_bytes(self.predictions, predictions_as_bytes(predictions))

    def write_divergence(self, first_step: int, losses: Sequence[float]) -> None:
        """Write the batch loss before each step of the epoch in which the run diverged.

        Steps count from the start of training; `first_step` is the epoch's first.
        """
        rows = [{"step": step, "loss": loss} for step, loss in enumerate(losses, first_step)]
        write_text(self.divergence, to_csv(("step", "loss"), rows))

    def read_divergence(self) -> tuple[list[int], list[float]]:
        """Return the steps and the batch losses of divergence.csv.

        Raises RunFolderError if it is missing or damaged.
        """
        rows = read_csv(self.divergence)
        try:
            return [int(row["step"]) for row in rows], [float(row["loss"]) for row in rows]
        except (KeyError, TypeError, ValueError):
            raise RunFolderError(f"{self.divergence}: is damaged") from None

    def say(self, *texts: str) -> None:
        """Append lines to log.txt, all of them or none."""
        at = time.strftime("%H:%M:%S")
        append_text(self.log, "".join(f"{at} {text}\n" for text in texts))

    def remove(self) -> None:
        """Take away a folder in which nothing was done yet; what cannot be removed stays."""
        for path in (self.lock_file, self.status, self.log, *self.claimed):  # listed or not
            with contextlib.suppress(OSError):
                path.unlink()
        shutil.rmtree(self.path, ignore_errors=True)
        with contextlib.suppress(OSError):
            self.path.rmdir()
        latest = self.path.with_name("latest")
        if latest.is_symlink() and not latest.exists():
            latest.unlink(missing_ok=True)
