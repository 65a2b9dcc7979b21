"""What keeps the files of runs safe, and us from them: locks, and how large files can be.

A lock is a file that a process holds while it works on a run, and that dies with it. Who has the
lock of a folder writes into that folder alone: if somebody puts another one, or a link, in its
place meanwhile, nothing is written there.

A file that is larger than one of its name can be is somebody else's, and is not read: read whole,
one of 20 GB would end every command that lists runs, for all runs.
"""

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from mnistlab.errors import RunFolderError

if TYPE_CHECKING:
    from filelock import BaseFileLock

_PATIENCE, _PAUSE = 0.2, 0.004  # seconds: whoever calls `is_locked` holds it for microseconds

_held: WeakKeyDictionary["BaseFileLock", tuple[Path, tuple[int, int]]] = WeakKeyDictionary()
"""The locks that this process took, each with its folder, and that one's device and inode."""

_DEEPEST = 4  # SWEEP/runs/0/plots

MEGABYTE = 1 << 20
_MOST = {
    "status.json": 4,
    "environment.json": 4,
    "summary.json": 4,
    "metrics.csv": 64,
    "model.safetensors": 256,
    "features.safetensors": 256,
    "predictions.npy": 64,
    "uncommitted.patch": 256,
}
_MOST_OF_KIND = {".json": 32, ".csv": 64, ".yaml": 1}
_MOST_OF_OTHERS = 4096
"""Megabytes that the files of a run or a sweep can have; what is larger is none of ours."""

MOST_VALUES, MOST_ROWS = 2_000_000, 700_000
"""What a JSON and a CSV file can hold: a file of nothing but brackets, or ends of lines, would
otherwise take gigabytes of memory."""


@contextmanager
def locked(path: Path, name: str) -> Iterator[None]:
    """Hold the lock in this file while the block runs, at most until the process ends.

    The file is removed after it. Raises RunFolderError, which names the run `name`, where another
    process has the lock, and OSError where the file cannot be made.
    """
    from filelock import FileLock, Timeout  # noqa: PLC0415 - reading a folder needs no lock

    _check_no_link(path.parent, name)
    is_new = not os.path.lexists(path)
    taken = FileLock(path, timeout=_PATIENCE, thread_local=False)  # of the whole process
    try:
        taken.acquire(poll_interval=_PAUSE)
    except Timeout:
        raise RunFolderError(f"{name}: another process is working on it") from None
    try:
        try:
            _check_no_link(path.parent, name)
        except RunFolderError:
            if is_new:  # it was made behind the link
                path.unlink(missing_ok=True)
            raise
        _held[taken] = path.parent.absolute(), _identity(path.parent)
        try:
            yield
        finally:
            _remove_lock(path)
    finally:
        taken.release()


def _check_no_link(folder: Path, name: str) -> None:
    """Raise RunFolderError if a link stands in place of a run's folder, or of its sweep's."""
    above = folder.absolute().parents
    of_a_sweep = folder.parent.name == "runs" and os.path.lexists(above[1] / "plan.json")
    if any(place.is_symlink() for place in (folder, *(above[:2] if of_a_sweep else ()))):
        raise RunFolderError(f"{name}: a link stands in its place, which mnistlab never makes")


def _remove_lock(path: Path) -> None:
    """Remove the file of a lock; one that stays is nobody's."""
    with suppress(OSError):
        remove_in_place(path)


def _identity(folder: Path) -> tuple[int, int]:
    state = folder.lstat()
    return state.st_dev, state.st_ino


def check_in_place(path: Path) -> None:
    """Raise OSError if a file is to be written into a folder that stands in for one we work on."""
    # on texts: a run of short epochs comes here thousands of times, and paths take twice as long
    held = {
        str(folder): identity for lock, (folder, identity) in [*_held.items()] if lock.is_locked
    }
    folder, is_linked = os.path.dirname(path.absolute()), False  # noqa: PTH120
    for _ in range(_DEEPEST):
        if folder in held:
            state = os.lstat(folder)
            if is_linked or (state.st_dev, state.st_ino) != held[folder]:
                reason = (
                    "another folder stands where this process worked, so nothing is written there"
                )
                raise OSError(errno.ESTALE, reason, str(path))
            return  # what a user names may well lie behind a link
        is_linked = is_linked or os.path.islink(folder)  # noqa: PTH114
        folder = os.path.dirname(folder)  # noqa: PTH120


def remove_in_place(path: Path) -> None:
    """Remove a file, if it is there; raise OSError where another folder stands in for its own."""
    try:
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except FileNotFoundError:
        return
    try:
        check_in_place(path)
        with suppress(FileNotFoundError):
            os.unlink(path.name, dir_fd=folder)
    finally:
        os.close(folder)


@contextmanager
def held_while_open(folder: Path) -> Iterator[None]:
    """Let `is_locked` say of a folder itself that a process has it, while the block runs."""
    number = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(number, fcntl.LOCK_EX)
        yield
    finally:
        os.close(number)


def is_locked(path: Path) -> bool:
    """Return whether a process has the lock in this file, which need not be there.

    No file is made. Any number of processes may ask at once: they ask for a shared lock, which
    only the holder's excludes.
    """
    try:
        number = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
    except OSError:  # what cannot be opened is nobody's work in progress
        return False
    try:
        fcntl.flock(number, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):  # the latter on some network disks
        return True
    except OSError:
        return False
    finally:
        os.close(number)
    return False


def most_bytes(path: Path) -> int:
    """Return how many bytes the file of this name can have; one that has more is not to be read."""
    most = _MOST.get(path.name, _MOST_OF_KIND.get(path.suffix, _MOST_OF_OTHERS))
    return most * MEGABYTE


def is_oversized(path: Path) -> bool:
    """Return whether a file is larger than the one of its name can be; raise OSError."""
    return path.stat().st_size > most_bytes(path)


def describe_damage(path: Path) -> str:
    """Return the name of a damaged file, with its size where that is what is wrong with it."""
    with suppress(OSError):
        if path.is_file() and is_oversized(path):
            return f"{path.name} is {format_size(path.stat().st_size)}"
    return path.name


def format_size(size: int) -> str:
    """Return a number of bytes as one tells it: 12.3 kB, 4.5 MB, 21.5 GB."""
    if size >= 1e9:
        return f"{size / 1e9:.3g} GB"
    return f"{size / 1e6:.1f} MB" if size >= 1e5 else f"{size / 1e3:.1f} kB"


def read_capped(path: Path, signs: bytes, most: int) -> bytes:
    """Return what a file holds; it may grow while it is read. Raises OSError.

    Raises ValueError for more bytes than its name can have, or more than `most` of these signs.
    """
    with path.open("rb") as file:
        content = file.read(most_bytes(path) + 1)
    if len(content) > most_bytes(path) or sum(map(content.count, signs)) > most:
        raise ValueError("larger than that of any run")
    return content
