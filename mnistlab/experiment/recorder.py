"""One configuration's run while it is being made, from its folder to its end."""

import hashlib
import json
import math
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

import mnistlab
from mnistlab.config.load import to_yaml
from mnistlab.config.schema import Config
from mnistlab.core.metrics import Evaluation
from mnistlab.core.trainer import EpochRecord, Snapshot
from mnistlab.datasets import FittedStep
from mnistlab.errors import deferred, describe_error
from mnistlab.run_folders import RunFolder, create_run_folder, files
from mnistlab.run_folders.places import cannot_keep, remove_unbegun
from mnistlab.run_folders.provenance import find_intact_runs
from mnistlab.run_folders.safeguards import remove_in_place
from mnistlab.run_folders.weights import (
    predictions_as_bytes,
    save_checkpoint,
    save_features,
    save_weights,
)

CHECKPOINT_SHARE = 0.03
"""The share of the time that checkpoints may take. They hold the rows of all epochs so far: after
100,000 one takes half a second, and so is written every seventeen."""


@dataclass
class CheckpointTimer:
    """Tells when the next checkpoint may be written, by how long the last one took."""

    _saved: float = field(default_factory=time.monotonic)
    _cost: float = 0.0

    def is_due(self, least: float = 0.0) -> bool:
        """Return whether enough time has passed since the last one, `least` seconds or more."""
        passed = time.monotonic() - self._saved
        return passed >= max(least, self._cost / CHECKPOINT_SHARE)

    @contextmanager
    def saving(self) -> Iterator[None]:
        """Measure the block, which writes a checkpoint."""
        began = time.monotonic()
        yield
        self._saved = time.monotonic()
        self._cost = self._saved - began


@dataclass
class RunRecorder:
    """A run, its rows of metrics.csv so far, and what came of it."""

    config: Config
    folder: RunFolder
    status: str = "running"
    error: str | None = None
    rows: list[dict[str, Any]] = field(default_factory=list)
    test: Evaluation | None = None
    seconds: dict[str, float] = field(
        default_factory=lambda: dict.fromkeys(("total", "train", "evaluate"), 0.0)
    )
    meaning: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    """What was odd about its data or its learning rate before it began."""
    stopped: str | None = None
    """Why a sweep ended the run before its last epoch, if it did."""
    not_drawn: str | None = None
    """Why the run has not all of its plots, if it should have."""
    is_ended: bool = False
    """Whether its last status may be on the disk: from then on nothing of it is touched."""
    clock: float = field(default_factory=time.perf_counter)
    """Since when `seconds["total"]` has not been brought up to date (time.perf_counter)."""
    checkpoints: CheckpointTimer = field(default_factory=CheckpointTimer)

    @classmethod
    def open(cls, config: Config, runs_dir: Path, cleanup: ExitStack) -> "RunRecorder":
        """Make a run's folder, locked until the `cleanup`, and write that it is running."""
        with deferred():
            run = cls(config, create_run_folder(runs_dir, config.name or "run"))
            try:
                cleanup.enter_context(run.folder.locked())
                run.begin()
            except OSError as error:
                remove_unbegun(run.folder)
                raise cannot_keep(runs_dir, error) from None
        return run

    def begin(self, started: str | None = None) -> None:
        """Mark the run as running since `started` (else now) and write its config."""
        self.folder.write_status("running", started=started or now())
        files.write_text(self.folder.config, to_yaml(self.config))

    @property
    def summary(self) -> dict[str, Any]:
        """What `train --json` prints and summary.json holds."""
        evaluated = [row for row in self.rows if "train_loss" in row]
        last = evaluated[-1] if evaluated else {}
        test = self.test.metrics if self.test else None
        return {
            "run": self.folder.name,
            "path": str(self.folder.path),
            "status": self.status,
            "epochs": len(self.rows),
            **{
                split: {name: last.get(f"{split}_{name}") for name in ("loss", "accuracy")}
                for split in ("train", "validation")
            },
            "test": {
                "loss": float(test.loss[0]) if test else None,
                "accuracy": float(test.accuracy[0]) if test else None,
            },
            "error": self.error,
            "warnings": self.warnings,
            "seconds": {part: round(value, 6) for part, value in self.seconds.items()},
        }

    def record_origin(
        self, environment: Mapping[str, Any], data_sha256: str, patch: str = ""
    ) -> None:
        """Write down what the run is made with: machine, code and data."""
        key = run_key(self.config, data_sha256)
        content = {"key": key, "data_sha256": data_sha256, **environment}
        files.write_json(self.folder.environment, content)
        if patch:
            files.write_text(self.folder.uncommitted_patch, patch)

    def record_features(self, steps: Sequence[FittedStep], like: Path | None = None) -> None:
        """Write down what the feature steps have learned, if there are any.

        `like` is the file of another run with the same steps, which the two then share.
        """
        if steps and like is not None:
            with suppress(OSError):  # another disk, or one without links
                os.link(like, self.folder.features)
                return
        if steps:
            save_features(self.folder.features, steps)

    def add_epoch(self, record: EpochRecord, position: int) -> dict[str, Any]:
        """Add the row of one epoch and return it.

        Columns of a stack share its seconds evenly. Predictions that come out of weights
        which are no numbers mean nothing, so a diverged epoch has no accuracy.
        """
        width = len(record.columns)
        row: dict[str, Any] = {
            "epoch": record.epoch,
            "learning_rate": float(record.learning_rate[position]),
            "seconds": round((record.train_seconds + record.evaluate_seconds) / width, 6),
        }
        for split, metrics in (("train", record.train), ("validation", record.validation)):
            if metrics is not None and record.evaluated[position]:
                row[f"{split}_loss"] = float(metrics.loss[position])
                accuracy = math.nan if record.diverged[position] else metrics.accuracy[position]
                row[f"{split}_accuracy"] = float(accuracy)
        self.rows.append(row)
        self.seconds["train"] += record.train_seconds / width
        self.seconds["evaluate"] += record.evaluate_seconds / width
        return row

    def save_result(self, parameters: np.ndarray[Any, Any], test: Evaluation | None) -> None:
        """Write the final weights (D+1, C) and the predictions for the test split, if any."""
        self.status, self.test = "completed", test
        save_weights(self.folder.model, parameters)
        if test is not None:
            files.write_bytes(self.folder.predictions, predictions_as_bytes(test.predictions[:, 0]))

    def save_divergence(self, losses: np.ndarray[Any, Any], steps_per_epoch: int) -> None:
        """Write how the batch loss grew in the epoch that overflowed, and say where it did."""
        self.status = "diverged"
        self.error = f"the loss overflowed {self.config.dtype} in epoch {len(self.rows)}"
        if len(losses) and not np.isfinite(losses[-1]):
            self.error += f", step {len(losses)}"
        first_step = (len(self.rows) - 1) * steps_per_epoch + 1
        self.folder.write_divergence(first_step, losses.tolist())

    def save_progress(self, snapshot: Snapshot) -> None:
        """Write what resuming needs, if any epoch of this run is done."""
        self.stop_clock()
        if snapshot.epoch and len(snapshot.columns):
            notes = {"rows": self.rows, "seconds": self.seconds, "origin": origin_of(self.config)}
            with self.checkpoints.saving():
                files.sync_folder(self.folder.path)  # a checkpoint is of no use without its config
                save_checkpoint(self.folder.checkpoint, snapshot, notes)

    def stop_clock(self) -> None:
        """Add the time since the clock was last stopped to the run's total."""
        self.clock, before = time.perf_counter(), self.clock
        self.seconds["total"] += self.clock - before

    def write_summary(self) -> None:
        """Write summary.json as things stand."""
        files.write_json(self.folder.summary, self.summary)

    def close(self) -> None:
        """Mark the run with its final status, which claims only what has been written."""
        checksums = self.folder.compute_checksums()
        self.is_ended = True
        details = {"ended": now(), "error": self.error}
        details |= {key: told for key in ("stopped", "not_drawn") if (told := getattr(self, key))}
        self.folder.write_status(self.status, checksums=checksums, **details)
        if self.status in ("completed", "diverged"):
            remove_in_place(self.folder.checkpoint)

    def fail(self, error: BaseException) -> None:
        """Mark the run as interrupted or failed, and say why."""
        self.status = "interrupted" if isinstance(error, KeyboardInterrupt) else "failed"
        self.error = describe_error(error)

    def abandon(self, error: BaseException) -> None:
        """Close a run that was cut short, whatever it had reached."""
        self.fail(error)
        self.stop_clock()
        with suppress(OSError):  # on a full disk the status still has to be described
            self.write_summary()
        self.close()


def origin_of(config: Config) -> dict[str, Any]:
    """Return what must not change when a run goes on: all of its config but name and epochs."""
    return config.model_dump(exclude={"name", "epochs"})


def check_notes(notes: Any, epoch: int) -> None:
    """Raise ValueError, TypeError or KeyError unless a checkpoint's notes are of a run's epochs.

    There must be a row for each epoch up to this one, and the seconds by kind.
    """
    rows, seconds = notes["rows"], notes["seconds"]
    known = [{"epoch", "learning_rate", "seconds"}]
    for split in ("train", "validation"):
        known.append(known[-1] | {f"{split}_loss", f"{split}_accuracy"})
    if len(rows) != epoch or any(row["epoch"] != at for at, row in enumerate(rows, 1)):
        raise ValueError("it has not the rows of its epochs")
    values = [value for row in rows for value in row.values()] + [*seconds.values()]
    if not all(row.keys() in known for row in rows) or not set(map(type, values)) <= {int, float}:
        raise ValueError("its rows are not those of metrics.csv")
    if seconds.keys() != {"total", "train", "evaluate"} or not all(
        0 <= value < math.inf for value in seconds.values()
    ):
        raise ValueError("its seconds are none")


def run_key(config: Config, data_sha256: str) -> str:
    """Return the SHA-256 of what decides a run's result: config (name aside), data, code."""
    content = {
        "config": config.model_dump(exclude={"name"}),
        "data": data_sha256,
        "code": mnistlab.__version__,
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def find_run_of(config: Config, runs_dir: Path) -> RunFolder | None:
    """Return the newest whole run of a config, None if there is none.

    Its key says so, with the data that it was made on, which need not be today's.
    """
    found = find_intact_runs(
        runs_dir, lambda made: made.get("key") == run_key(config, str(made.get("data_sha256")))
    )
    return next(found, None)


def now() -> str:
    """Return the local time as ISO 8601 to the millisecond."""
    return datetime.now(UTC).astimezone().isoformat(timespec="milliseconds")
