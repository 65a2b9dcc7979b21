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

from mnistlab.errors import RunFolderError
from mnistlab.runs import RunFolder
from mnistlab.runs.find import find_run, run_paths
from mnistlab.runs.guard import shown
from mnistlab.runs.sweep_folder import SweepFolder

_ASIDE = ".deleted."


@dataclass(frozen=True)
class Removal:
    """A run or a sweep that is to be removed, with its size in bytes and its number of runs."""

    folder: RunFolder
    size: int
    runs: int

    def __str__(self) -> str:
        inside = f", a sweep of {self.runs:,} runs" if isinstance(self.folder, SweepFolder) else ""
        return f"{shown(self.folder.name)} ({_megabytes(self.size)}{inside})"


def plan_removal(names: Sequence[str], runs_dir: Path) -> list[Removal]:
    """Return what is to be removed, each once; raise RunFolderError if any of it must not be.

    Refused are a run of a sweep, which goes as a whole, and what a process works on.
    """
    folders = {}
    for name in names:
        folder = find_run(name, runs_dir)
        if "/" in folder.name:
            sweep = folder.name.partition("/")[0]
            raise RunFolderError(
                f"{shown(folder.name)}: belongs to a sweep, which is deleted as a whole: "
                f"mnistlab runs delete {shown(sweep)}"
            )
        if folder.read_status()["status"] == "running":
            raise RunFolderError(f"{shown(folder.name)}: another process is working on it")
        folders[folder.name] = folder
    return [
        Removal(
            folder,
            sum(_sizes(folder.path)),
            len(folder.runs()) if isinstance(folder, SweepFolder) else 1,
        )
        for folder in folders.values()
    ]


def remove(removals: Sequence[Removal], runs_dir: Path) -> Iterator[Removal]:
    """Remove one folder after the other and yield each; clear away what earlier deletes left.

    Raises RunFolderError before anything is removed if a process has begun to work on one, and
    OSError, which names the path, where a folder cannot be removed.
    """
    with contextlib.ExitStack() as locks:
        for removal in removals:
            locks.callback(removal.folder.hold().release)
        for removal in removals:
            aside = removal.folder.path.with_name(f"{_ASIDE}{secrets.token_hex(8)}")
            removal.folder.path.rename(aside)
            _point_latest_to_what_is_left(runs_dir)
            _take_apart(aside)
            yield removal
    clear_leftovers(runs_dir)


def clear_leftovers(runs_dir: Path) -> None:
    """Take apart what a delete that was killed has left hidden in the runs folder."""
    with os.scandir(runs_dir) as entries:
        left = [
            entry.path
            for entry in entries
            if entry.name.startswith(_ASIDE) and entry.is_dir(follow_symlinks=False)
        ]
    for path in left:
        shutil.rmtree(path, ignore_errors=True)


def _take_apart(path: Path) -> None:
    """Remove a hidden folder; another delete may clear it away at the same time."""
    while path.exists():
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(path)


def _point_latest_to_what_is_left(runs_dir: Path) -> None:
    """Let `latest`, if it points to what is gone, point to the newest run, or go too."""
    latest = runs_dir / "latest"
    if not latest.is_symlink() or latest.exists():
        return
    left = max((path.name for path in run_paths(runs_dir)), default=None)
    with contextlib.suppress(OSError):  # `latest` is a help, and found without its link too
        if left is None:
            latest.unlink()
            return
        aside = runs_dir / f".latest.{secrets.token_hex(4)}"
        aside.symlink_to(left)
        aside.replace(latest)


def _sizes(folder: Path) -> Iterator[int]:
    """Yield the size in bytes of each file in a folder and below; links count as themselves."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from _sizes(Path(entry.path))
            else:
                yield entry.stat(follow_symlinks=False).st_size


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB" if size >= 1e5 else f"{size / 1e3:.1f} kB"
