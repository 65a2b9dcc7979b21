"""A run is its folder: every file is a named attribute, and its state is read from its files.

A sweep is a run folder whose runs lie in `runs/0`, `runs/1`, … inside it.
"""

import contextlib
import os
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from mnistlab.errors import RunFolderError
from mnistlab.run_folders import files
from mnistlab.run_folders.safeguards import is_locked, locked

if TYPE_CHECKING:
    from mnistlab.datasets import FittedStep

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


def _number_or_nan(cell: str) -> float:
    return float(cell or "nan")


def _read_document(path: Path) -> dict[str, Any]:
    document = files.read_json(path)
    if document is None:
        raise RunFolderError(f"{path}: is missing or cannot be read")
    return document


class _File:
    """An attribute of a run folder: the path of the file with this name in it."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __get__(self, folder: "RunFolder", owner: type) -> Path:
        return folder.path / self.name


@dataclass(frozen=True)
class RunFolder:
    """The files of one run."""

    path: Path

    config: ClassVar = _File("config.yaml")  # given back to `train` it repeats the run
    status: ClassVar = _File("status.json")  # what became of the run, with times and the error
    environment: ClassVar = _File("environment.json")  # versions, machine, code and data
    uncommitted_patch: ClassVar = _File("uncommitted.patch")  # the code's difference from git
    metrics: ClassVar = _File("metrics.csv")  # a row an epoch
    divergence: ClassVar = _File("divergence.csv")  # the batch losses up to the overflow
    summary: ClassVar = _File("summary.json")  # what `train --json` prints
    predictions: ClassVar = _File("predictions.npy")  # the class of each test image, (N,) uint8
    model: ClassVar = _File("model.safetensors")  # the weights W (D, C) and biases b (C,)
    features: ClassVar = _File("features.safetensors")  # what its feature steps have learned
    checkpoint: ClassVar = _File("checkpoint.safetensors")  # what resuming needs
    plots: ClassVar = _File("plots")  # the folder of the plots
    log: ClassVar = _File("log.txt")  # epochs, warnings, and what the numbers mean
    lock_file: ClassVar = _File("run.lock")  # held by the process that works on the run

    @property
    def name(self) -> str:
        """The folder's name, by which the run is called; SWEEP/7 for a run of a sweep."""
        runs = Path(os.path.abspath(self.path)).parent  # noqa: PTH100 - links stay as they are
        inside = runs.name == "runs" and os.path.lexists(runs.parent / "plan.json")
        return f"{runs.parent.name}/{self.path.name}" if inside else self.path.name

    @property
    def checked_files(self) -> tuple[Path, ...]:
        """The files whose checksums the status of a run that has ended holds."""
        return (
            *(self.config, self.environment, self.uncommitted_patch, self.metrics),
            *(self.divergence, self.summary, self.predictions, self.model),
            self.features,
        )

    def plot(self, name: str) -> Path:
        """Return where the plot of this name is."""
        return self.plots / f"{name}.png"

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the run's lock while the block runs, at most until the process ends.

        Temporary files, a killed process' or our own, are removed. Raises RunFolderError where
        another process has the lock.
        """
        with locked(self.lock_file, self.name):
            self._clear()
            try:
                yield
            finally:
                self._clear()

    def _clear(self) -> None:
        for folder in (self.path, self.plots, self.path / "checkpoints"):
            files.clear_temporary_files(folder)

    def tidy(self) -> None:
        """Remove temporary files, unless a process works on the run."""
        with contextlib.suppress(OSError, RunFolderError), self.locked():
            pass

    def write_status(
        self, status: str, *, checksums: Mapping[str, Any] | None = None, **details: Any
    ) -> None:
        """Replace status.json, keeping what it says beside `details`.

        `checksums` are those of other files by name. Those files are synced before the status is
        written, and it is synced when this returns.
        """
        known = files.read_json(self.status) or {}
        known.pop("files", None)
        claims = {"files": checksums} if checksums else {}
        if status != "running":
            for appended in (self.log, self.metrics):
                files.sync_file(appended)
        files.sync_folder(self.path)
        files.write_json(self.status, {**known, "status": status, **details, **claims})
        files.sync_folder(self.path)

    def compute_checksums(self) -> dict[str, str]:
        """Return the SHA-256 of each of the checked files that is there, by its name."""
        found = {path.name: files.sha256_of(path) for path in self.checked_files}
        return {name: digest for name, digest in found.items() if digest is not None}

    def checksums(self) -> dict[str, Any]:
        """Return the checksums in the status, by file name; empty for an unfinished run.

        Of a file that is being replaced it is a list: as it was (None if it was not), and as it
        is to be.
        """
        found = (files.read_json(self.status) or {}).get("files")
        return found if isinstance(found, dict) else {}

    def damaged_files(self) -> list[str]:
        """Return the names of files that do not have their checksum, missing ones too.

        Raises OSError where the disk fails.
        """
        known = self.checksums()
        return [
            path.name
            for path in self.checked_files
            if path.name in known and not files.has_checksum(path, known[path.name])
        ]

    def read_status(self) -> dict[str, Any]:
        """Return status.json; a `running` run whose lock nobody holds reads as interrupted."""
        status = files.read_json(self.status)
        if (
            status is None
            or status.get("status") not in STATUSES
            or not files.are_checksums(status.get("files", {}), self.checked_files)
        ):
            return {"status": "damaged", "error": "status.json is missing or cannot be read"}
        if status.get("status") == "running" and not is_locked(self.lock_file):
            status["status"] = "interrupted"
        return status

    def read_environment(self) -> dict[str, Any]:
        """Return environment.json, empty if it is missing or damaged."""
        return files.read_json(self.environment) or {}

    def read_summary(self) -> dict[str, Any]:
        """Return summary.json; raise RunFolderError if it is missing or damaged."""
        summary = _read_document(self.summary)
        if not self._is_summary(summary):
            raise RunFolderError(f"{self.summary}: is damaged: it does not say what a summary says")
        return summary

    def _is_summary(self, summary: Mapping[str, Any]) -> bool:
        """Return whether the values are of the kinds that `train --json` prints."""
        parts = [summary.get(part, {}) for part in ("train", "validation", "test", "seconds")]
        if not all(isinstance(part, dict) for part in parts):
            return False
        values = [value for part in parts for value in part.values()]
        shares = [part.get("accuracy") for part in parts]
        return (
            isinstance(summary.get("epochs", 0), int)
            and all(value is None or type(value) in (int, float) for value in values)
            and all(share is None or 0 <= share <= 1 for share in shares)
        )

    def read_features(self) -> "tuple[FittedStep, ...] | None":
        """Return what the run's feature steps have learned, None of a run that keeps none.

        Raises RunFolderError if the file is damaged.
        """
        if not self.features.exists():
            return None
        from mnistlab.run_folders.weights import load_features  # noqa: PLC0415 - no list of runs needs it

        return load_features(self.features)

    def write_metrics(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Replace metrics.csv; missing values are empty cells."""
        files.write_text(self.metrics, files.to_csv(METRICS_COLUMNS, rows))

    def add_metrics(self, row: Mapping[str, Any]) -> None:
        """Append an epoch's row to metrics.csv, or make the file; `write_status` syncs it."""
        if self.metrics.exists():
            files.append_text(self.metrics, files.to_csv(METRICS_COLUMNS, [row], header=False))
        else:
            self.write_metrics([row])

    def read_metrics(self) -> dict[str, list[float]]:
        """Return metrics.csv column by column; empty cells are NaN.

        Raises RunFolderError if it is missing or damaged.
        """
        return files.read_csv(self.metrics, dict.fromkeys(METRICS_COLUMNS, _number_or_nan))

    def write_divergence(self, first_step: int, losses: Sequence[float]) -> None:
        """Write the batch loss before each step of the epoch in which the run diverged.

        Steps count from the start of training; `first_step` is the epoch's first.
        """
        rows = [{"step": step, "loss": loss} for step, loss in enumerate(losses, first_step)]
        files.write_text(self.divergence, files.to_csv(("step", "loss"), rows))

    def read_divergence(self) -> tuple[list[int], list[float]]:
        """Return the steps and the batch losses of divergence.csv.

        Raises RunFolderError if it is missing or damaged.
        """
        columns = files.read_csv(self.divergence, {"step": int, "loss": float})
        return columns["step"], columns["loss"]

    def write_log(self, *texts: str) -> None:
        """Append lines to log.txt, all of them or none."""
        at = time.strftime("%H:%M:%S")
        files.append_text(self.log, "".join(f"{at} {text}\n" for text in texts))

    def remove(self) -> None:
        """Remove a folder in which nothing was done yet; what cannot be removed stays."""
        for path in (self.lock_file, self.status, self.log, *self.checked_files):  # listed or not
            with contextlib.suppress(OSError):
                path.unlink()
        shutil.rmtree(self.path, ignore_errors=True)
        with contextlib.suppress(OSError):
            self.path.rmdir()


@dataclass(frozen=True)
class SweepFolder(RunFolder):
    """The files of one sweep; `config` is the sweep file that repeats it."""

    plan: ClassVar = _File("plan.json")  # which runs train together: what resuming keeps to
    summary: ClassVar = _File("sweep.json")  # what `sweep --json` prints
    results: ClassVar = _File("results.csv")  # a row a run: its parameters and metrics
    study: ClassVar = _File("optuna.log")  # a search's trials, for optuna-dashboard to read
    checkpoints: ClassVar = _File("checkpoints")  # a file a stack; removed at the end

    @property
    def checked_files(self) -> tuple[Path, ...]:
        """The files whose checksums the status of a sweep that has ended holds."""
        return (
            *(self.config, self.environment, self.uncommitted_patch),
            *(self.plan, self.results, self.summary),
        )

    def checkpoint_of(self, stack: str) -> Path:
        """Return where the checkpoint of this stack is."""
        return self.checkpoints / f"{stack}.safetensors"

    def run(self, number: int) -> RunFolder:
        """Return the folder of one run, whether it is there yet or not."""
        return RunFolder(self.path / "runs" / str(number))

    def runs(self) -> list[int]:
        """Return the numbers of the runs that have a folder."""
        folder = self.path / "runs"
        names = (path.name for path in folder.iterdir()) if folder.is_dir() else ()
        return sorted(int(name) for name in names if name.isascii() and name.isdecimal())

    def sync_runs(self) -> None:
        """Make the folders of the runs so far survive a power cut; raise OSError."""
        folder = self.path / "runs"
        if folder.is_dir():
            files.sync_folder(folder)
        files.sync_folder(self.path)

    def _is_summary(self, summary: Mapping[str, Any]) -> bool:  # noqa: ARG002
        """Return True: what sweep.json says is checked where it is shown."""
        return True

    def read_plan(self) -> dict[str, Any]:
        """Return plan.json; raise RunFolderError if it is missing or damaged."""
        return _read_document(self.plan)


def repeats_of(document: Mapping[str, Any]) -> str:
    """Return how often a sweep trained each trial, as in "5 folds" or "3 seeds"; "" for once.

    `document` is what sweep.json holds.
    """
    for what in ("folds", "seeds"):
        count = document.get(what)
        if isinstance(count, int) and count > 1:
            return f"{count} {what}"
    return ""


def open_folder(path: Path) -> RunFolder:
    """Return the folder at `path` as a `SweepFolder` if it is one of a sweep, else as a run's."""
    return SweepFolder(path) if is_sweep(path) else RunFolder(path)


def is_sweep(path: Path) -> bool:
    """Return whether a run folder is that of a sweep."""
    return SweepFolder(path).plan.exists()
