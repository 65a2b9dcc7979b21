"""A run is its folder: every file is a named property, and its state is read from its files."""

import contextlib
import csv
import io
import json
import os
import secrets
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mnistlab.errors import RunFolderError
from mnistlab.runs.atomic import write_bytes, write_json, write_text

if TYPE_CHECKING:
    import numpy as np
    from filelock import BaseFileLock
    from numpy.typing import NDArray

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
        if self.path.name.isdecimal() and self.path.parent.name == "runs":
            return f"{self.path.parent.parent.name}/{self.path.name}"
        return self.path.name

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

    def hold(self) -> "BaseFileLock":
        """Take the run's lock for this process and return it; it dies with the process."""
        from filelock import FileLock, Timeout  # noqa: PLC0415 - reading a folder needs no lock

        lock = FileLock(self.lock_file, blocking=False)
        try:
            lock.acquire()
        except Timeout:
            raise RunFolderError(f"{self.name}: another process is working on it") from None
        return lock

    def write_status(self, status: str, **details: Any) -> None:
        """Replace status.json, keeping what it already says and `details` does not."""
        known = self._read_json(self.status) or {}
        write_json(self.status, {**known, "status": status, **details})

    def read_status(self) -> dict[str, Any]:
        """Return status.json; a `running` run whose lock nobody holds reads as interrupted."""
        status = self._read_json(self.status)
        if status is None or not isinstance(status.get("status"), str):
            return {"status": "damaged", "error": "status.json is missing or cannot be read"}
        if status.get("status") == "running" and not self._is_held():
            status["status"] = "interrupted"
        return status

    def read_environment(self) -> dict[str, Any]:
        """Return environment.json, empty if it is missing or damaged."""
        return self._read_json(self.environment) or {}

    def read_summary(self) -> dict[str, Any]:
        """Return summary.json; raise RunFolderError if it is missing or damaged."""
        summary = self._read_json(self.summary)
        if summary is None:
            raise RunFolderError(f"{self.summary}: is missing or cannot be read")
        return summary

    def write_summary(self, summary: Mapping[str, Any]) -> None:
        """Replace the summary."""
        write_json(self.summary, summary)

    def write_metrics(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Replace metrics.csv; missing values are empty cells."""
        write_text(self.metrics, to_csv(METRICS_COLUMNS, rows))

    def read_metrics(self) -> dict[str, list[float]]:
        """Return metrics.csv column by column; empty cells are NaN."""
        with self.metrics.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        return {column: [float(row[column] or "nan") for row in rows] for column in METRICS_COLUMNS}

    def write_predictions(self, predictions: "NDArray[np.uint8]") -> None:
        """Replace predictions.npy by the predicted classes (N,)."""
        import numpy as np  # noqa: PLC0415 - a folder is read without it

        buffer = io.BytesIO()
        np.save(buffer, predictions, allow_pickle=False)
        write_bytes(self.predictions, buffer.getvalue())

    def write_divergence(self, first_step: int, losses: Sequence[float]) -> None:
        """Write the batch loss before each step of the epoch in which the run diverged.

        Steps count from the start of training; `first_step` is the epoch's first.
        """
        rows = [{"step": step, "loss": loss} for step, loss in enumerate(losses, first_step)]
        write_text(self.divergence, to_csv(("step", "loss"), rows))

    def read_divergence(self) -> tuple[list[int], list[float]]:
        """Return the steps and the batch losses of divergence.csv."""
        with self.divergence.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        return [int(row["step"]) for row in rows], [float(row["loss"]) for row in rows]

    def say(self, *texts: str) -> None:
        """Append lines to log.txt."""
        at = time.strftime("%H:%M:%S")
        with self.log.open("a", encoding="utf-8", errors="surrogateescape") as file:
            file.writelines(f"{at} {text}\n" for text in texts)

    def remove(self) -> None:
        """Take away a folder in which nothing was done yet; what cannot be removed stays."""
        shutil.rmtree(self.path, ignore_errors=True)
        latest = self.path.with_name("latest")
        if latest.is_symlink() and not latest.exists():
            latest.unlink(missing_ok=True)

    def _is_held(self) -> bool:
        from filelock import FileLock, Timeout  # noqa: PLC0415 - as in `hold`

        try:
            with FileLock(self.lock_file, blocking=False):
                return False
        except Timeout:
            return True
        except OSError:  # a folder that cannot be written to is nobody's work in progress
            return False

    @staticmethod
    def _read_json(path: Path) -> dict[str, Any] | None:
        try:
            data = json.loads(path.read_bytes())
        except (OSError, ValueError):
            return None
        return data if isinstance(data, dict) else None


def default_runs_dir() -> Path:
    """Return MNISTLAB_RUNS_DIR, or `runs` where it is unset."""
    return Path(os.environ.get("MNISTLAB_RUNS_DIR") or "runs")


def create_run_folder(runs_dir: Path, name: str, *, latest: bool = True) -> RunFolder:
    """Create `runs_dir/YYYYmmdd-HHMMSS-NAME-XXXX/` for this process alone.

    With `latest`, `runs_dir/latest` then points to it. Raises RunFolderError where no folder can
    be made.
    """
    try:
        runs_dir.mkdir(parents=True, exist_ok=True)
        while True:
            stamp = time.strftime("%Y%m%d-%H%M%S")
            path = runs_dir / f"{stamp}-{name}-{secrets.token_hex(2)}"
            with contextlib.suppress(FileExistsError):
                path.mkdir()
                break
    except OSError as error:
        is_file = runs_dir.exists() and not runs_dir.is_dir()
        reason = "it is a file" if is_file else error.strerror or str(error)
        raise RunFolderError(
            f"{runs_dir}: no run folder can be made here ({reason}); "
            "choose another place with --runs-dir or MNISTLAB_RUNS_DIR"
        ) from None
    if latest:
        _point_latest_to(path)
    return RunFolder(path)


def _point_latest_to(path: Path) -> None:
    """Replace the link `latest`; a file system without links goes without."""
    aside = path.with_name(f".latest.{secrets.token_hex(4)}")
    with contextlib.suppress(OSError):
        aside.symlink_to(path.name)
        try:
            aside.replace(path.with_name("latest"))
        except OSError:  # `latest` is a folder of somebody's
            aside.unlink()


def to_csv(columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> str:
    """Return rows as CSV text with a header; missing values are empty cells."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
