"""Finds out from a run's folder how it can go on to what it would have become undisturbed."""

import math
from dataclasses import dataclass
from typing import Any

import mnistlab
from mnistlab.config.load import to_yaml
from mnistlab.config.schema import Config
from mnistlab.core.schedules import SCHEDULES
from mnistlab.core.trainer import Snapshot
from mnistlab.errors import RunFolderError
from mnistlab.experiment.run import Run, now
from mnistlab.runs import RunFolder
from mnistlab.runs.atomic import write_text
from mnistlab.runs.weights import load_checkpoint


@dataclass(frozen=True)
class Resumption:
    """A run that is to go on: with which config, and from which snapshot (None: from the start)."""

    folder: RunFolder
    config: Config
    snapshot: Snapshot | None

    def open(self) -> Run:
        """Take the run's lock and mark it as running again; raise RunFolderError if it is held."""
        lock = self.folder.hold()
        run = Run(self.config, self.folder, lock)
        run.rows = self._rows()
        known = _summary(self.folder).get("seconds") or {}
        if run.rows:
            run.seconds = {part: float(known.get(part) or 0.0) for part in run.seconds}
        self.folder.write_status("running", resumed=now(), ended=None, error=None)
        write_text(self.folder.config, to_yaml(self.config))
        where = f"epoch {self.snapshot.epoch}" if self.snapshot else "the beginning"
        self.folder.say(f"goes on from {where}")
        return run

    def _rows(self) -> list[dict[str, Any]]:
        """Return the rows of metrics.csv up to the snapshot."""
        if self.snapshot is None:
            return []
        columns = self.folder.read_metrics()
        rows = [
            dict(zip(columns, values, strict=True))
            for values in zip(*columns.values(), strict=True)
        ]
        kept = rows[: self.snapshot.epoch]
        whole = [
            {key: value for key, value in row.items() if not math.isnan(value)}
            | {"epoch": int(row["epoch"])}
            for row in kept
        ]
        if [row["epoch"] for row in whole] != list(range(1, self.snapshot.epoch + 1)):
            raise RunFolderError(
                f"{self.folder.metrics}: has not the {self.snapshot.epoch} epochs of the checkpoint"
            )
        return whole


def plan_resumption(
    folder: RunFolder, known: Config, config: Config, data_sha256: str
) -> Resumption | None:
    """Return how a run with the config `known` goes on with `config`, which may have more epochs.

    None means that it is complete as it is.
    What was completed has no checkpoint any more and is trained again from its beginning, and
    so is what a schedule that counts epochs makes another run; the result is the same as that
    of a run that was never cut short. Raises RunFolderError where it would not be.
    """
    status = folder.read_status()["status"]
    if status == "running":
        raise RunFolderError(f"{folder.name}: another process is working on it")
    if status == "damaged":
        raise RunFolderError(f"{folder.status}: is missing or cannot be read")
    if status == "diverged":
        raise RunFolderError(f"{folder.name}: has diverged; there is nothing to go on to")
    if status == "completed" and config == known:
        return None
    if config.epochs < known.epochs:
        raise RunFolderError(
            f"{folder.name}: is a run of {known.epochs} epochs; epochs=N can only make it longer"
        )
    environment = folder.read_environment()
    ours = {"mnistlab": mnistlab.__version__, "data_sha256": data_sha256}
    for what, value in ours.items():
        if environment.get(what) != value:
            raise RunFolderError(
                f"{folder.name}: was begun with {what} {environment.get(what)}, now it is {value}; "
                f"train it anew with --config {folder.config}"
            )
    snapshot = None
    if status in ("interrupted", "failed") and folder.checkpoint.exists():
        snapshot, _ = load_checkpoint(folder.checkpoint)
        last = config.stop_after or config.epochs
        lengthened = config.epochs != known.epochs and SCHEDULES[config.schedule].counts_epochs
        if lengthened or snapshot.epoch >= last:
            snapshot = None
    return Resumption(folder, config, snapshot)


def _summary(folder: RunFolder) -> dict[str, Any]:
    try:
        return folder.read_summary()
    except RunFolderError:
        return {}
