"""Notices that the files of a dataset are changed while somebody trains on them.

What is in memory is then still what was hashed, but nobody could repeat the run; and of files that
are too large to be read, and so are mapped, not even that is sure.
"""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from mnistlab.errors import DataError, shown

State = tuple[int, int, int] | None


def state_of(path: Path) -> State:
    """Return a file's time of change in nanoseconds, size and inode, None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ctime_ns, found.st_size, found.st_ino


class WatchedFiles:
    """Files as they were before they were read; `is_same` reads them again and compares hashes."""

    def __init__(self, states: Mapping[Path, State], is_same: Callable[[], bool]) -> None:
        self._states, self._is_same = dict(states), is_same

    def check(self) -> None:
        """Raise DataError if the content of a file is another one now.

        Files are read again only where one was written, moved or replaced since the last time.
        """
        now = states_of(self._states)
        changed = [path for path, state in now.items() if state != self._states[path]]
        if changed and not self._is_same():
            raise DataError(
                f"{shown(changed[0])}: has changed while it was being trained on, so nobody could "
                "repeat this; put it back as it was to go on"
            )
        self._states = now


def states_of(paths: Iterable[Path]) -> dict[Path, State]:
    """Return the state of each file."""
    return {path: state_of(path) for path in paths}
