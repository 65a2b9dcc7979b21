"""The lock of a run: a file that a process holds while it works on it, and that dies with it."""

import fcntl
import os
from pathlib import Path
from typing import TYPE_CHECKING

from mnistlab.errors import RunFolderError

if TYPE_CHECKING:
    from filelock import BaseFileLock

_PATIENCE, _PAUSE = 0.2, 0.004  # seconds: whoever calls `is_locked` holds it for microseconds


def take_lock(path: Path, name: str) -> "BaseFileLock":
    """Return the lock in this file, which this process now has and which dies with it.

    Raises RunFolderError, which names the run `name`, where another process has it, and OSError
    where the file cannot be made.
    """
    from filelock import FileLock, Timeout  # noqa: PLC0415 - reading a folder needs no lock

    taken = FileLock(path, timeout=_PATIENCE)
    try:
        taken.acquire(poll_interval=_PAUSE)
    except Timeout:
        raise RunFolderError(f"{name}: another process is working on it") from None
    return taken


def release_lock(taken: "BaseFileLock", path: Path) -> None:
    """Remove the file of a lock that this process has, and release it."""
    path.unlink(missing_ok=True)
    taken.release()


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
