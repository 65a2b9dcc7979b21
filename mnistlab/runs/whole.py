"""Tells whether a run that says it is over has all that this claims, and finds those that have."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from mnistlab.errors import RunFolderError
from mnistlab.runs.find import run_paths
from mnistlab.runs.folder import RunFolder
from mnistlab.runs.guard import foreign_entries
from mnistlab.runs.sweep_folder import SweepFolder, is_sweep

ENDS = frozenset({"completed", "diverged"})
"""What a run can come to that needs no second try."""


def is_whole(run: RunFolder, ends: frozenset[str] = ENDS) -> bool:
    """Return whether a run has ended in one of these ways and each file is as it was left.

    Whatever is missing or damaged makes it no run at all: it can be trained again.
    """
    if any(foreign_entries(run.path)):
        return False
    status = run.read_status()
    if status["status"] not in ends:
        return False
    needed = [run.config, run.environment, run.metrics, run.summary]
    if status["status"] == "completed":
        needed.append(run.model)
    files = run.vouched()
    return all(path.name in files for path in needed) and not run.damaged_files()


def check_undamaged(run: RunFolder) -> None:
    """Raise RunFolderError if a file is not what the run's status vouches for."""
    if damaged := run.damaged_files():
        raise RunFolderError(f"{run.path / damaged[0]}: is not what the run left")


def whole_runs(
    runs_dir: Path, is_wanted: Callable[[Mapping[str, Any]], bool], *, of_sweeps: bool = False
) -> Iterator[RunFolder]:
    """Yield the whole runs of a runs folder whose environment.json is wanted, the newest first.

    With `of_sweeps` those inside its sweeps, too. Nothing of a folder is opened that has in it
    what mnistlab never makes, and one that cannot be read holds no run.
    """
    for folder, foreign in _folders(runs_dir):
        if any(entry.parent != folder.path / "runs" for entry in foreign):
            continue  # what stands among a sweep's runs is no reason to leave out the others
        if not isinstance(folder, SweepFolder):
            runs = [folder]
        else:
            runs = [folder.run(number) for number in _runs_of(folder)] if of_sweeps else []
        for run in runs:
            if _is_wanted(run, is_wanted):
                yield run


def plain_folders(runs_dir: Path) -> Iterator[RunFolder]:
    """Yield the runs and sweeps of a runs folder that are made of plain files, the newest first."""
    return (folder for folder, foreign in _folders(runs_dir) if not foreign)


def _folders(runs_dir: Path) -> Iterator[tuple[RunFolder, list[Path]]]:
    """Yield each run and sweep with what mnistlab never makes in it, the newest first."""
    for path in sorted(run_paths(runs_dir), key=lambda path: path.name, reverse=True):
        foreign = list(foreign_entries(path))
        yield (SweepFolder(path) if is_sweep(path) else RunFolder(path)), foreign


def _runs_of(sweep: SweepFolder) -> list[int]:
    try:
        return sweep.runs()
    except OSError:
        return []


def _is_wanted(run: RunFolder, is_wanted: Callable[[Mapping[str, Any]], bool]) -> bool:
    try:
        return (
            not any(foreign_entries(run.path))
            and is_wanted(run.read_environment())
            and is_whole(run)
        )
    except OSError:
        return False
