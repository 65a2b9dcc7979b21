"""Keeps mnistlab inside the runs folder, whatever somebody else's run folder may hold.

mnistlab makes plain files and folders only. A link, a pipe or a device in a run folder could
have anything read, written or waited for, so such a folder is not opened at all.
"""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from mnistlab.errors import RunFolderError, shown

__all__ = ["check_inside", "foreign_entries", "shown"]

_OF_FILES = ("plots", "checkpoints")
_RUNS = "runs"
"""The folders that a run folder may have; what `runs` holds are run folders again."""


def check_inside(folder: Path, runs_dir: Path, *, of_runs: bool = True) -> None:
    """Raise RunFolderError unless `folder` lies in `runs_dir` and is made of plain files.

    With `of_runs`, so must be the runs inside a sweep.
    """
    root, place = Path(os.path.realpath(runs_dir)), Path(os.path.realpath(folder))
    if root not in place.parents:
        raise RunFolderError(
            f"{shown(folder)}: lies outside the runs folder {shown(runs_dir)}; name its own with "
            f"--runs-dir {shown(place.parent)}"
        )
    for entry in foreign_entries(folder, runs=of_runs):
        raise RunFolderError(
            f"{shown(entry)}: is a link, no plain file or closed to you, which mnistlab never "
            "makes; nothing here is opened until it is gone"
        )


def foreign_entries(folder: Path, *, runs: bool = False) -> Iterator[Path]:
    """Yield what in a run folder is neither a plain file nor one of the folders it may have.

    So is a folder that cannot be looked into: what it holds could be anything. Of the runs
    inside a sweep this says only whether they are folders; what is in them, with `runs`.
    """
    try:
        mode = folder.lstat().st_mode
    except OSError:  # nothing is there, so nothing of it is opened
        return
    if not stat.S_ISDIR(mode):
        yield folder
        return
    try:
        yield from _foreign_in(folder, runs)
    except OSError:
        yield folder


def _foreign_in(folder: Path, runs: bool) -> Iterator[Path]:
    with os.scandir(folder) as entries:
        for entry in entries:
            path = Path(entry.path)
            if not entry.is_dir(follow_symlinks=False):
                yield from _unless_file(entry)
            elif entry.name == _RUNS:
                yield from _foreign_runs(path, runs)
            elif entry.name in _OF_FILES:
                with os.scandir(path) as files:
                    for file in files:
                        yield from _unless_file(file)


def _foreign_runs(folder: Path, inside: bool) -> Iterator[Path]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if not entry.is_dir(follow_symlinks=False):
                yield from _unless_file(entry)
            elif inside:
                yield from foreign_entries(Path(entry.path))


def _unless_file(entry: os.DirEntry[str]) -> Iterator[Path]:
    if not entry.is_file(follow_symlinks=False):
        yield Path(entry.path)
