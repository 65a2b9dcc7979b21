"""Keeps mnistlab inside the runs folder, whatever somebody else's run folder may hold.

mnistlab makes plain files and folders only. A link, a pipe or a device in a run folder could
have anything read, written or waited for, so such a folder is not opened at all.
"""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from mnistlab.errors import RunFolderError

_INNER = ("plots", "checkpoints", "runs")
"""The folders that a run folder may have; what `runs` holds are run folders again."""


def check_inside(folder: Path, runs_dir: Path) -> None:
    """Raise RunFolderError unless `folder` lies in `runs_dir` and is made of plain files."""
    root, place = Path(os.path.realpath(runs_dir)), Path(os.path.realpath(folder))
    if root not in place.parents:
        raise RunFolderError(
            f"{folder}: lies outside the runs folder {runs_dir}; name its own with "
            f"--runs-dir {place.parent}"
        )
    for entry in foreign_entries(folder):
        raise RunFolderError(
            f"{entry}: is a link or no plain file, which mnistlab never makes; "
            "nothing here is opened until it is gone"
        )


def foreign_entries(folder: Path) -> Iterator[Path]:
    """Yield what in a run folder is neither a plain file nor one of the folders it may have.

    The runs inside a sweep are looked at only so far as they are folders themselves.
    """
    try:
        mode = folder.lstat().st_mode
    except OSError:
        return
    if not stat.S_ISDIR(mode):
        yield folder
        return
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                if entry.name in _INNER:
                    yield from _foreign_inside(Path(entry.path), folders=entry.name == "runs")
            elif not entry.is_file(follow_symlinks=False):
                yield Path(entry.path)


def _foreign_inside(folder: Path, *, folders: bool) -> Iterator[Path]:
    with os.scandir(folder) as entries:
        for entry in entries:
            plain = entry.is_file(follow_symlinks=False)
            if not (plain or (folders and entry.is_dir(follow_symlinks=False))):
                yield Path(entry.path)
