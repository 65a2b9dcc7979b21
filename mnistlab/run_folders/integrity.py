"""Tells whether a run has all that its status claims, finds such runs, and replaces their files."""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from mnistlab.errors import RunFolderError
from mnistlab.run_folders import files
from mnistlab.run_folders.folder import RunFolder, SweepFolder, open_folder
from mnistlab.run_folders.places import foreign_entries, run_paths

FINAL = frozenset({"completed", "diverged"})
"""The statuses of a run that needs no second try."""


def is_intact(run: RunFolder, statuses: frozenset[str] = FINAL) -> bool:
    """Return whether a run has ended with one of these statuses and each file is as it was left.

    A run that is not intact counts as not done: it can be trained again.
    """
    if any(foreign_entries(run.path)):
        return False
    status = run.read_status()
    if status["status"] not in statuses:
        return False
    needed = [run.config, run.environment, run.metrics, run.summary]
    if status["status"] == "completed":
        needed.append(run.model)
    checksums = run.checksums()
    return all(path.name in checksums for path in needed) and not run.damaged_files()


def check_undamaged(run: RunFolder) -> None:
    """Raise RunFolderError if a file does not have the checksum in the run's status."""
    if damaged := run.damaged_files():
        raise RunFolderError(f"{run.path / damaged[0]}: is not what the run left")


def check_same_data(run: RunFolder, dataset: str, sha256: str) -> None:
    """Raise RunFolderError if a run was made on data with another SHA-256.

    `dataset` is how its config calls the data.
    """
    known = run.read_environment().get("data_sha256")
    if known is not None and known != sha256:
        raise RunFolderError(f"{run.name}: {dataset} has changed since the run was made")


def find_intact_runs(
    runs_dir: Path, is_wanted: Callable[[Mapping[str, Any]], bool], *, of_sweeps: bool = False
) -> Iterator[RunFolder]:
    """Yield the intact runs of a runs folder whose environment.json is wanted, the newest first.

    With `of_sweeps` those inside its sweeps, too. A folder that holds links or pipes is not
    opened, and one that cannot be read holds no run.
    """
    for folder, foreign in _folders(runs_dir):
        if any(entry.parent != folder.path / "runs" for entry in foreign):
            continue  # what stands among a sweep's runs is no reason to leave out the others
        runs = [] if isinstance(folder, SweepFolder) else [folder]
        if of_sweeps and isinstance(folder, SweepFolder):
            with suppress(OSError):
                runs = [folder.run(number) for number in folder.runs()]
        for run in runs:
            if _is_wanted(run, is_wanted):
                yield run


def plain_folders(runs_dir: Path) -> Iterator[RunFolder]:
    """Yield the runs and sweeps of a runs folder that are made of plain files, the newest first."""
    return (folder for folder, foreign in _folders(runs_dir) if not foreign)


def _folders(runs_dir: Path) -> Iterator[tuple[RunFolder, list[Path]]]:
    """Yield each run and sweep with its foreign entries, the newest first."""
    for path in sorted(run_paths(runs_dir), key=lambda path: path.name, reverse=True):
        yield open_folder(path), list(foreign_entries(path))


def _is_wanted(run: RunFolder, is_wanted: Callable[[Mapping[str, Any]], bool]) -> bool:
    try:
        return (
            not any(foreign_entries(run.path))
            and is_wanted(run.read_environment())
            and is_intact(run)
        )
    except OSError:
        return False


def replace_files(run: RunFolder, contents: Mapping[Path, bytes]) -> None:
    """Write new contents into files of a run that has ended; it is intact at every moment.

    The files need not be there yet. Until all are written the status has two checksums for each,
    as it was and as it is to be. Raises RunFolderError where another process works on the run,
    and OSError.
    """
    lock = run.lock()
    try:
        status, known = run.read_status()["status"], run.checksums()
        new = {path.name: hashlib.sha256(content).hexdigest() for path, content in contents.items()}
        if known:
            either = {
                path.name: files.checksum_while_replaced(path, known.get(path.name), new[path.name])
                for path in contents
            }
            run.write_status(status, checksums={**known, **either})
        for path, content in contents.items():
            files.write_bytes(path, content)
        if known:
            run.write_status(status, checksums={**known, **new})
    finally:
        run.unlock(lock)
