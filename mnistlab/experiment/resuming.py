"""Finds out from a run's folder how it can go on to what it would have become undisturbed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import mnistlab
from mnistlab.config.load import to_yaml
from mnistlab.config.schema import Config
from mnistlab.core.schedules import SCHEDULES
from mnistlab.core.trainer import Snapshot
from mnistlab.errors import RunFolderError
from mnistlab.experiment.run import Run, now, origin_of
from mnistlab.runs import RunFolder
from mnistlab.runs.atomic import write_text
from mnistlab.runs.weights import load_checkpoint


@dataclass(frozen=True)
class Resumption:
    """A run that is to go on: with which config, and from which snapshot (None: from the start).

    `notes` are what the checkpoint says of the run beside the snapshot; `warning` tells of a
    checkpoint that is of no use.
    """

    folder: RunFolder
    config: Config
    snapshot: Snapshot | None = None
    notes: Mapping[str, Any] = field(default_factory=dict)
    warning: str | None = None

    def open(self) -> Run:
        """Take the run's lock and mark it as running again; raise RunFolderError if it is held."""
        run = Run(self.config, self.folder, self.folder.hold())
        if self.snapshot is not None:
            run.rows, run.seconds = list(self.notes["rows"]), dict(self.notes["seconds"])
        self.folder.write_status("running", resumed=now(), ended=None, error=None)
        write_text(self.folder.config, to_yaml(self.config))
        self.folder.write_metrics(run.rows)
        where = f"epoch {self.snapshot.epoch}" if self.snapshot else "the beginning"
        self.folder.say(f"goes on from {where}")
        return run


def check_resumable(folder: RunFolder) -> None:
    """Raise RunFolderError for a run that cannot go on, whatever its config says.

    That is one which is being worked on, has diverged, or is not what it was left as.
    """
    status = folder.read_status()["status"]
    if status == "running":
        raise RunFolderError(f"{folder.name}: another process is working on it")
    if status == "damaged":
        raise RunFolderError(f"{folder.status}: is missing or cannot be read")
    if status == "diverged":
        raise RunFolderError(f"{folder.name}: has diverged; there is nothing to go on to")
    damaged = folder.damaged_files()
    if folder.config.name in damaged:
        raise RunFolderError(
            f"{folder.config}: is not what the run was begun with; put it back, or train what it "
            f"says now with --config {folder.config}"
        )
    if status == "completed" and damaged:
        raise RunFolderError(
            f"{folder.path / damaged[0]}: is not what the run left; train it anew with "
            f"--config {folder.config}"
        )


def plan_resumption(
    folder: RunFolder, known: Config, config: Config, data_sha256: str
) -> Resumption | None:
    """Return how a run with the config `known` goes on with `config`, which may have more epochs.

    None means that it is complete as it is.
    What was completed has no checkpoint any more and is trained again from its beginning, and
    so is what a schedule that counts epochs makes another run, or whose checkpoint is damaged;
    the result is the same as that of a run that was never cut short. Raises RunFolderError where
    it would not be.
    """
    check_resumable(folder)
    status = folder.read_status()["status"]
    if status == "completed" and config == known:
        return None
    if config.epochs < known.epochs:
        raise RunFolderError(
            f"{folder.name}: is a run of {known.epochs} epochs; epochs=N can only make it longer"
        )
    environment = folder.read_environment()
    if not environment:
        told = f"{folder.environment}: is missing or damaged; the run starts from its beginning"
        return Resumption(folder, config, warning=told)
    ours = {"mnistlab": mnistlab.__version__, "data_sha256": data_sha256}
    for what, value in ours.items():
        if environment.get(what) != value:
            raise RunFolderError(
                f"{folder.name}: was begun with {what} {environment.get(what)}, now it is {value}; "
                f"train it anew with --config {folder.config}"
            )
    if status == "completed" or not folder.checkpoint.exists():
        return Resumption(folder, config)
    return _from_checkpoint(folder, known, config)


def _from_checkpoint(folder: RunFolder, known: Config, config: Config) -> Resumption:
    try:
        snapshot, notes = load_checkpoint(folder.checkpoint)
        origin = notes["origin"]
        if len(notes["rows"]) != snapshot.epoch or "total" not in notes["seconds"]:
            raise RunFolderError(f"{folder.checkpoint}: has not the rows of its epochs")
    except (RunFolderError, KeyError, TypeError) as error:
        told = error if isinstance(error, RunFolderError) else f"{folder.checkpoint}: is incomplete"
        return Resumption(folder, config, warning=f"{told}; the run starts from its beginning")
    if origin != origin_of(known):
        raise RunFolderError(
            f"{folder.config}: is not what the run was begun with; put it back, or train what it "
            f"says now with --config {folder.config}"
        )
    last = config.stop_after or config.epochs
    lengthened = config.epochs != known.epochs and SCHEDULES[config.schedule].counts_epochs
    if lengthened or snapshot.epoch >= last:
        return Resumption(folder, config)
    return Resumption(folder, config, snapshot, notes)
