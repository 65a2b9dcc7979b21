"""Finds out from a run's folder how it can go on to what it would have become undisturbed."""

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from mnistlab.config.load import to_yaml
from mnistlab.config.schema import Config
from mnistlab.core.schedules import SCHEDULES
from mnistlab.core.trainer import Snapshot
from mnistlab.errors import RunFolderError
from mnistlab.experiment.prepare import Plan
from mnistlab.experiment.recorder import RunRecorder, check_notes, now, origin_of, run_key
from mnistlab.run_folders import RunFolder
from mnistlab.run_folders.files import restored_on_failure, sha256_of, sync_folder, write_text
from mnistlab.run_folders.provenance import check_origin
from mnistlab.run_folders.safeguards import remove_in_place
from mnistlab.run_folders.weights import load_checkpoint


@dataclass(frozen=True)
class Resumption:
    """A run that is to go on: with which config, and from which snapshot (None: from the start).

    `notes` are what the checkpoint says of the run beside the snapshot; `warning` tells of a
    checkpoint that is of no use. `seen` is the SHA-256 of the status that all this follows from.
    """

    folder: RunFolder
    config: Config
    seen: str | None
    snapshot: Snapshot | None = None
    notes: Mapping[str, Any] = field(default_factory=dict)
    warning: str | None = None

    def open(
        self,
        cleanup: ExitStack,
        environment: Mapping[str, Any],
        data_sha256: str,
        patch: str = "",
    ) -> RunRecorder:
        """Lock the run until the `cleanup` and mark it running, on this machine, code and data.

        The status goes first, so that nothing is vouched for any more, then the results, so that
        they are never seen beside another config. Where the disk fails all is put back, the status
        last. Raises that OSError, or RunFolderError where another process works on the run, or has
        done so since.
        """
        folder = self.folder
        cleanup.enter_context(folder.locked())
        run = RunRecorder(self.config, folder)
        if self.snapshot is not None:
            run.rows, run.seconds = list(self.notes["rows"]), dict(self.notes["seconds"])
        where = f"epoch {self.snapshot.epoch}" if self.snapshot else "the beginning"
        gone = self._of_the_run_as_it_was()
        if sha256_of(folder.status) != self.seen:
            raise RunFolderError(
                f"{folder.name}: another process has worked on it meanwhile; see how it is "
                f"with mnistlab runs show {folder.name}"
            )
        with restored_on_failure([folder.status, *gone, folder.config, folder.environment]):
            folder.write_status("running", resumed=now(), ended=None, error=None)
            for path in gone:
                remove_in_place(path)
            sync_folder(folder.path)
            write_text(folder.config, to_yaml(self.config))
            run.record_origin(environment, data_sha256, patch)
            folder.write_metrics(run.rows)
            folder.write_log(f"goes on from {where}")
        return run

    def _of_the_run_as_it_was(self) -> list[Path]:
        """Return the files that are not those of the run that goes on, there or not."""
        folder = self.folder
        files = [folder.summary, folder.model, folder.predictions, folder.divergence]
        files += [folder.metrics, folder.uncommitted_patch, *folder.plots.glob("*.png")]
        return files if self.snapshot else [*files, folder.checkpoint]


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
    if not folder.config.exists():
        raise RunFolderError(
            f"{folder.config}: is missing, so there is nothing to go on with; to clear the run "
            f"away: mnistlab runs delete {folder.name}"
        )
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
    folder: RunFolder, known: Config, config: Config, plan: Plan
) -> Resumption | None:
    """Return how a run with the config `known` goes on with `config`, which may have more epochs.

    `plan` is that of `config`. None means that the run is complete as it is. What was completed has
    no checkpoint any more and is trained again from its beginning, and so is what a schedule that
    counts epochs makes another run, or whose checkpoint is of no use; the result is the same as
    that of a run that was never cut short. Raises RunFolderError where it would not be.
    """
    check_resumable(folder)
    seen = sha256_of(folder.status)
    status = folder.read_status()["status"]
    if status == "completed" and config == known:
        return None
    if config.epochs < known.epochs:
        raise RunFolderError(
            f"{folder.name}: is a run of {known.epochs} epochs; epochs=N can only make it longer"
        )
    anew = Resumption(folder, config, seen)
    environment = folder.read_environment()
    if not environment:
        return _told(anew, f"{folder.environment}: is missing or damaged")
    check_origin(folder, plan.dataset.sha256, f"train it anew with --config {folder.config}")
    if status == "completed" or not folder.checkpoint.exists():
        return anew
    return _from_checkpoint(anew, known, plan)


def _from_checkpoint(anew: Resumption, known: Config, plan: Plan) -> Resumption:
    """Return how a run goes on from its checkpoint, or `anew` where that is of no use."""
    folder, config, origin = anew.folder, anew.config, origin_of(known)
    lengthened = config.epochs != known.epochs and SCHEDULES[config.schedule].counts_epochs
    is_config_vouched = folder.read_environment().get("key") == run_key(known, plan.dataset.sha256)

    def check(snapshot: Snapshot, notes: Any) -> None:
        check_notes(notes, snapshot.epoch)
        if notes["origin"] != origin and is_config_vouched:
            raise ValueError("it is that of another config")
        if notes["origin"] == origin and not lengthened:
            plan.trainer().restore(snapshot)

    try:
        snapshot, notes = load_checkpoint(folder.checkpoint, check)
    except RunFolderError as error:
        return _told(anew, str(error))
    if notes["origin"] != origin:
        raise RunFolderError(
            f"{folder.config}: is not what the run was begun with; put it back, or train what it "
            f"says now with --config {folder.config}"
        )
    return anew if lengthened else replace(anew, snapshot=snapshot, notes=notes)


def _told(anew: Resumption, reason: str) -> Resumption:
    return replace(anew, warning=f"{reason}; the run starts from its beginning")
