"""Notices that the files of a dataset are changed, and hashes large ones only where they were.

While somebody trains on them, what is in memory is still what was hashed, but nobody could repeat
the run; and of files that are too large to be read, and so are mapped, not even that is sure.
"""

import contextlib
import hashlib
import json
import mmap
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from mnistlab.datasets.cache import data_dir, replacing
from mnistlab.datasets.idx import Content
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


def sha256_of(path: Path, content: Content, state: State, *, anew: bool = False) -> str:
    """Return the SHA-256 of a file's content, which was in this state before it was opened.

    A mapped file is hashed once: the cache keeps its hash with its time of change, size and inode,
    and it is hashed again where one of these is another, or `anew`. Raises DataError where the
    file has changed since it was opened.
    """
    if not isinstance(content, mmap.mmap):
        return hashlib.sha256(content).hexdigest()
    known, key = _known_hashes(), str(path.resolve())
    found = known.get(key)
    if not anew and state is not None and isinstance(found, list) and found[:-1] == list(state):
        return str(found[-1])
    digest = hashlib.sha256(content).hexdigest()
    if state is not None:
        if state_of(path) != state:
            raise DataError(f"{shown(path)}: has changed since it was opened; try again")
        with contextlib.suppress(OSError):  # it is hashed each time then
            _record().parent.mkdir(parents=True, exist_ok=True)
            with replacing(_record()) as file:
                file.write(json.dumps({**known, key: [*state, digest]}, indent=1).encode())
    return digest


def recorded_sha256(path: Path) -> str | None:
    """Return what the cache says that the hash of a mapped file was, None if it says nothing."""
    found = _known_hashes().get(str(path.resolve()))
    return found[-1] if isinstance(found, list) and found and isinstance(found[-1], str) else None


def _record() -> Path:
    return data_dir() / "hashes.json"


def _known_hashes() -> dict[str, object]:
    with contextlib.suppress(OSError, ValueError, RecursionError):
        found = json.loads(_record().read_bytes())
        if isinstance(found, dict):
            return found
    return {}
