"""Takes the lock of a run, and tells whether somebody has it without being in anybody's way."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from mnistlab.errors import RunFolderError

if TYPE_CHECKING:
    from filelock import BaseFileLock

_PATIENCE = 0.2
_PAUSE = 0.004
"""Seconds: who looks whether a run is held is in the way for some microseconds."""


def take_lock(path: Path, name: str) -> "BaseFileLock":
    """Return the lock in this file, which this process now has and which dies with it.

    Raises RunFolderError, which tells of the run `name`, where another process has it, and
    OSError where the file cannot be made.
    """
    from filelock import FileLock, Timeout  # noqa: PLC0415 - reading a folder needs no lock

    lock = FileLock(path, timeout=_PATIENCE)
    try:
        lock.acquire(poll_interval=_PAUSE)
    except Timeout:
        raise RunFolderError(f"{name}: another process is working on it") from None
    return lock


def let_go(lock: "BaseFileLock", path: Path) -> None:
    """Remove the file of a lock that this process has, and release it."""
    path.unlink(missing_ok=True)
    lock.release()


if sys.platform == "win32":

    def is_held(path: Path) -> bool:
        """Return whether a process has the lock in this file, which need not be there."""
        from filelock import FileLock, Timeout  # noqa: PLC0415 - as in `take_lock`

        try:
            if path.exists():
                with FileLock(path, blocking=False):
                    return False
        except Timeout:
            return True
        except OSError:  # what cannot be opened is nobody's work in progress
            pass
        return False

else:
    import fcntl

    def is_held(path: Path) -> bool:
        """Return whether a process has the lock in this file, which need not be there.

        No file is made. Any number of processes may ask at once: the lock they ask for is a
        shared one, which only the holder's excludes.
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
