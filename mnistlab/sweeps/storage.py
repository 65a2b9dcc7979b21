"""Begins the folder of a sweep or opens it again, and finds which of its runs are done."""

import hashlib
import shutil
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import mnistlab
from mnistlab.errors import ConfigError, RunFolderError
from mnistlab.experiment.recorder import now, run_key
from mnistlab.run_folders import RunFolder, create_run_folder
from mnistlab.run_folders.files import (
    has_checksum,
    read_json,
    sync_folder,
    write_bytes,
    write_json,
    write_text,
)
from mnistlab.run_folders.folder import SweepFolder
from mnistlab.run_folders.places import cannot_keep, remove_unbegun
from mnistlab.run_folders.provenance import (
    FINAL,
    check_origin,
    find_intact_runs,
    is_intact,
    plain_folders,
    uncommitted_changes,
)
from mnistlab.sweeps.plan import PreparedSweep, Stack, from_plan, prepare_sweep, to_plan
from mnistlab.sweeps.trials import SweepDefinition

_NOT_COPIED = {"run.lock", "checkpoint.safetensors", "status.json", "summary.json"}


def open_folder(
    prepared: PreparedSweep, runs_dir: Path, resumed: SweepFolder | None, cleanup: ExitStack
) -> SweepFolder:
    """Return the sweep's folder, new or found, which is locked until the `cleanup`."""
    if resumed is None:
        folder = SweepFolder(create_run_folder(runs_dir, str(prepared.sweep.base.name)).path)
        try:
            cleanup.enter_context(folder.locked())
            write_json(folder.plan, {})  # a sweep from here on, though one that has not begun
            folder.write_status("running", started=now())
        except OSError as error:
            remove_unbegun(folder)
            raise cannot_keep(runs_dir, error) from None
        return folder
    cleanup.enter_context(resumed.locked())
    instead = "begin a new sweep, which may take finished runs over with --needed"
    check_origin(resumed, prepared.data.sha256, instead)
    if has_begun(resumed):
        planned_stacks(resumed, with_known_trials(resumed, prepared), set())
    resumed.write_status("running", resumed=now(), error=None)
    return resumed


def has_begun(folder: SweepFolder) -> bool:
    """Return whether it is settled which runs of a sweep train together."""
    return read_json(folder.plan) != {}


def begin(
    folder: SweepFolder,
    prepared: PreparedSweep,
    environment: Mapping[str, Any],
    take_from: Path | None,
) -> None:
    """Write what a sweep is and how it will be trained; one that has its config can be resumed.

    Runs that are finished already in the runs folder `take_from` are copied from there.
    """
    write_json(folder.environment, {"data_sha256": prepared.data.sha256, **environment})
    if patch := uncommitted_changes(environment):
        write_text(folder.uncommitted_patch, patch)
    sync_folder(folder.path)
    write_text(folder.config, prepared.sweep.to_yaml())
    extend(folder, prepared, take_from)


def extend(folder: SweepFolder, prepared: PreparedSweep, take_from: Path | None) -> set[int]:
    """Add the trials to the plan that are not in it yet: at first all, then those of a new batch.

    Returns which of their runs are finished: they are in the folder, or were copied there from the
    runs folder `take_from`.
    """
    plan = {"stacks": [], "taken_over": [], **folder.read_plan()}
    planned = {run for stack in plan["stacks"] for column in stack for run in column}
    planned.update(plan["taken_over"])
    runs = {run: config for run, config in prepared.configs.items() if run not in planned}
    # a process that was killed may have copied some
    found = finished_runs(folder, prepared).intersection(runs)
    if take_from is not None:
        keys = {run_key(config, prepared.data.sha256): run for run, config in runs.items()}
        wanted = {key: run for key, run in keys.items() if run not in found}
        found |= copy_finished(folder, take_from, wanted)
    stacks = prepared.stacks([run for run in runs if run not in found])
    if not has_begun(folder):
        width = max((len(stack.columns) for stack in stacks), default=0)
        facts = {"stack_width": width, "workers": prepared.workers}
        write_json(folder.environment, {**folder.read_environment(), **facts})
    plan["stacks"] += to_plan(stacks)
    plan["taken_over"] = sorted({*plan["taken_over"], *found})
    sweep = prepared.sweep
    if sweep.drawn is not None:
        plan["points"] = [list(trial.point) for trial in sweep.trials]
        plan["runs"] = sweep.wanted * sweep.repeats
    plan.setdefault("config_sha256", _config_hash(folder))
    write_json(folder.plan, plan)
    sync_folder(folder.path)
    return found


def with_known_trials(folder: SweepFolder, prepared: PreparedSweep) -> PreparedSweep:
    """Return a sweep with the trials that its search has asked for so far, as plan.json has them.

    Raises RunFolderError where the plan is not that of this sweep.
    """
    sweep = prepared.sweep
    if sweep.drawn is None or not has_begun(folder):
        return prepared
    try:
        points = [tuple(point) for point in folder.read_plan()["points"]]
        known = sweep.at(points)
    except (KeyError, TypeError, ValueError, IndexError, ConfigError):
        raise _not_the_plan(folder) from None
    return prepare_sweep(known, earlier=replace(prepared, limits={}))


def _not_the_plan(folder: SweepFolder) -> RunFolderError:
    return RunFolderError(f"{folder.plan}: is not the plan of this sweep")


def _config_hash(folder: SweepFolder) -> str:
    return hashlib.sha256(folder.config.read_bytes()).hexdigest()


def planned_stacks(folder: SweepFolder, prepared: PreparedSweep, done: set[int]) -> list[Stack]:
    """Return the stacks of plan.json, and one of runs that were taken over and are not `done`.

    Raises RunFolderError where the plan is not that of this sweep.
    """
    plan = folder.read_plan()
    if plan.get("config_sha256") != _config_hash(folder):
        raise RunFolderError(
            f"{folder.config}: was changed since the sweep began; begin a new one with --config, "
            "which takes finished runs over with --needed"
        )
    try:
        taken_over = [int(run) for run in plan["taken_over"]]
        stacks = from_plan(plan["stacks"], prepared.configs)
        runs = [run for stack in stacks for run in stack.runs] + taken_over
    except (KeyError, TypeError, ValueError, IndexError, AttributeError):
        runs, stacks, taken_over = [], [], []
    if sorted(runs) != sorted(prepared.configs):
        raise _not_the_plan(folder)
    lost = prepared.stacks([run for run in taken_over if run not in done])
    return stacks + [replace(stack, name=f"taken-over-{stack.name}") for stack in lost]


def is_complete(
    folder: SweepFolder, prepared: PreparedSweep, *, retry_failed: bool = False
) -> bool:
    """Return whether a sweep has come to its end with all of its runs, and all files are whole."""
    if folder.read_status()["status"] != "completed":
        return False
    if not folder.checksums() or folder.damaged_files():
        return False
    prepared = with_known_trials(folder, prepared)
    done = finished_runs(folder, prepared, retry_failed=retry_failed)
    return done == set(prepared.configs)


def find_sweep_of(
    sweep: SweepDefinition, runs_dir: Path, *, status: str = "completed"
) -> SweepFolder | None:
    """Return the newest sweep of this version with the same config and this status.

    One that is complete is whole, too: no file was changed since.
    """
    wanted = sweep.to_yaml().encode()
    for folder in plain_folders(runs_dir):
        if not isinstance(folder, SweepFolder):
            continue
        with suppress(OSError):
            same_code = folder.read_environment().get("mnistlab") == mnistlab.__version__
            has_status = folder.read_status()["status"] == status
            is_same = same_code and has_status and folder.config.read_bytes() == wanted
            is_whole = folder.checksums() and not folder.damaged_files()
            if is_same and (is_whole or status != "completed"):
                return folder
    return None


def best_run(folder: SweepFolder) -> list[RunFolder]:
    """Return the run of a sweep that is drawn beside it, the first of its best trial, if any."""
    try:
        return [folder.run(int(folder.read_summary()["best"]["runs"][0]))]
    except (KeyError, TypeError, ValueError, IndexError):  # not one has finished, say
        return []


def finished_runs(
    folder: SweepFolder, prepared: PreparedSweep, *, retry_failed: bool = False
) -> set[int]:
    """Return the numbers of the runs whose folder is whole and made with the same config."""
    ends = FINAL if retry_failed else FINAL | {"failed"}
    sha256 = prepared.data.sha256
    done = set()
    for number in folder.runs():
        run = folder.run(number)
        if number not in prepared.configs or not is_intact(run, ends):
            continue
        config = prepared.configs[number]
        stopped = config.model_copy(update={"stop_after": len(run.read_metrics()["epoch"])})
        keys = (run_key(config, sha256), run_key(stopped, sha256))
        if run.read_environment().get("key") in keys:
            done.add(number)
    return done


def copy_finished(folder: SweepFolder, runs_dir: Path, keys: Mapping[str, int]) -> set[int]:
    """Copy finished runs with these keys into a sweep, as the numbers given; return those."""
    found: set[int] = set()

    def is_wanted(environment: Mapping[str, Any]) -> bool:
        return keys.get(str(environment.get("key")), -1) not in (-1, *found)

    for run in find_intact_runs(runs_dir, is_wanted, of_sweeps=True):
        number = keys.get(str(run.read_environment().get("key")), -1)
        if number >= 0 and _copy(run, folder, number):
            found.add(number)
    return found


def _copy(source: RunFolder, sweep: SweepFolder, number: int) -> bool:
    """Copy a run's files, its status last, so that the copy is never taken for whole too early.

    Returns whether there was a whole run to copy: it may be deleted, or go on, meanwhile.
    """
    target = sweep.run(number)
    shutil.rmtree(target.path, ignore_errors=True)  # a process was killed while it copied
    target.path.mkdir(parents=True)
    try:
        status, known = source.read_status(), source.read_summary()
        for path in source.path.iterdir():
            is_plain = path.is_file() and not path.is_symlink() and not path.name.startswith(".")
            if is_plain and path.name not in _NOT_COPIED:
                write_bytes(target.path / path.name, path.read_bytes())
        claims = dict(status.pop("files", {}))
        claims.pop(target.summary.name, None)
        is_whole = all(has_checksum(target.path / name, claim) for name, claim in claims.items())
    except (FileNotFoundError, NotADirectoryError, RunFolderError):
        is_whole = False
    if not is_whole:
        shutil.rmtree(target.path)
        return False
    write_json(target.summary, {**known, "run": target.name, "path": str(target.path)})
    target.write_log(f"taken over from {source.name}")
    target.write_status(**status, checksums=target.compute_checksums())
    return True
