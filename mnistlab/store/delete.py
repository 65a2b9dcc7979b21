"""Removes runs as a whole or not at all: each is renamed out of sight first, and then taken apart.

A delete that is killed so leaves a hidden folder, which the next one clears away, and never half
a run. Nothing outside the runs folder is touched: links are removed, not followed.
"""

import contextlib
import os
import secrets
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mnistlab.errors import RunFolderError, shown
from mnistlab.run_folders import RunFolder
from mnistlab.run_folders.folder import SweepFolder
from mnistlab.run_folders.places import LATEST, find_run, point_latest_to, run_paths
from mnistlab.run_folders.safeguards import format_size, is_locked, locked

_ASIDE = ".deleted."


@dataclass(frozen=True)
class Removal:
    """A run or a sweep that is to be removed, with its size in bytes and its number of runs."""

    folder: RunFolder
    size: int
    runs: int

    def __str__(self) -> str:
        inside = f", a sweep of {self.runs:,} runs" if isinstance(self.folder, SweepFolder) else ""
        return f"{shown(self.folder.name)} ({format_size(self.size)}{inside})"


def plan_removal(names: Sequence[str], runs_dir: Path) -> list[Removal]:
    """Return what is to be removed, each once; raise RunFolderError if any of it must not be.

    Refused are a run of a sweep, which goes as a whole, and what a process works on. What is
    damaged is not: no file in it is opened but a lock that is a plain file.
    """
    folders = {}
    for name in names:
        folder = find_run(name, runs_dir, opened=False)
        if "/" in folder.name:
            sweep = folder.name.partition("/")[0]
            raise RunFolderError(
                f"{shown(folder.name)}: belongs to a sweep, which is deleted as a whole: "
                f"mnistlab runs delete {shown(sweep)}"
            )
        _check(folder, runs_dir)
        folders[folder.name] = folder
    return [_measure(folder) for folder in folders.values()]


def remove(removals: Sequence[Removal], runs_dir: Path) -> Iterator[Removal]:
    """Remove one folder after the other and yield each; clear away what earlier deletes left.

    Raises RunFolderError, before anything is removed if a process works on one, and at its turn
    if one has just begun to; and OSError, which names the path, where a folder cannot be removed.
    """
    for removal in removals:
        _check(removal.folder, runs_dir)
    try:
        for removal in removals:
            aside = removal.folder.path.with_name(f"{_ASIDE}{secrets.token_hex(8)}")
            with _held(removal.folder):
                removal.folder.path.rename(aside)
            _take_apart(aside)
            yield removal
    finally:  # once: it looks at every run that is left
        _point_latest_to_what_is_left(runs_dir)
    for left in runs_dir.glob(f"{_ASIDE}*"):  # by deletes that were killed
        if left.is_dir() and not left.is_symlink():
            shutil.rmtree(left, ignore_errors=True)


def _check(folder: RunFolder, runs_dir: Path) -> None:
    """Raise RunFolderError unless this is a folder in the runs folder that nobody works on."""
    inside = os.path.realpath(folder.path.parent) == os.path.realpath(runs_dir)
    if not inside or folder.path.is_symlink() or not folder.path.is_dir():
        raise RunFolderError(f"{shown(folder.path)}: is no folder in {shown(runs_dir)}")
    if _is_file(folder.lock_file) and is_locked(folder.lock_file):
        raise RunFolderError(f"{shown(folder.name)}: another process is working on it")


def _held(folder: RunFolder) -> contextlib.AbstractContextManager[None]:
    """Return what holds a run's lock; one that is no plain file is nobody's, and not opened."""
    if os.path.lexists(folder.lock_file) and not _is_file(folder.lock_file):
        return contextlib.nullcontext()
    return locked(folder.lock_file, shown(folder.name))


def _is_file(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


def _measure(folder: RunFolder) -> Removal:
    """Return a folder with what it holds; raise RunFolderError where that cannot be looked at."""
    try:
        size = sum(_sizes(folder.path))
    except OSError as error:
        raise RunFolderError(
            f"{shown(error.filename or folder.path)}: {error.strerror}, so {shown(folder.name)} "
            "cannot be removed as a whole"
        ) from None
    if isinstance(folder, SweepFolder) and not (folder.path / "runs").is_symlink():
        return Removal(folder, size, len(folder.runs()))
    return Removal(folder, size, 1)


def _take_apart(path: Path) -> None:
    """Remove a hidden folder; another delete may clear it away at the same time.

    What has become a link in the last moment is removed as one.
    """
    if path.is_symlink():
        path.unlink(missing_ok=True)
    while path.exists():
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(path)


def _point_latest_to_what_is_left(runs_dir: Path) -> None:
    """Let `latest`, if it points to what is gone, point to the newest run, or go too."""
    latest = runs_dir / LATEST
    if not latest.is_symlink() or latest.exists():
        return
    with contextlib.suppress(OSError):  # `latest` is a help, and found without its link too
        if left := run_paths(runs_dir):
            point_latest_to(max(left, key=lambda path: path.name))
        else:
            latest.unlink()


def _sizes(folder: Path) -> Iterator[int]:
    """Yield the size in bytes of each file in a folder and below; links count as themselves."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from _sizes(Path(entry.path))
            else:
                yield entry.stat(follow_symlinks=False).st_size
