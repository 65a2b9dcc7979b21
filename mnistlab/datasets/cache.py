"""Where files of datasets are kept, how one gets there, and whether one has changed since.

While somebody trains on files, what is in memory is still what was hashed, but nobody could repeat
the run with changed ones; and of files that are too large to be read, and so are mapped, not even
that is sure.
"""

import hashlib
import json
import mmap
import os
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Protocol

from mnistlab.errors import DataError, shown

Content = bytes | mmap.mmap
"""What a file holds, read or mapped."""
State = tuple[int, int, int] | None
"""A file's time of change in nanoseconds, size and inode, None where there is none."""


class Progress(Protocol):
    """What the datasets room needs of whoever shows progress."""

    def message(self, text: str) -> None:
        """Show one line of text."""

    def bar(self, label: str, total: int | None) -> AbstractContextManager[Callable[[int], None]]:
        """Return a context that shows a bar of `total` bytes (None when nobody knows how many).

        Entering it yields `advance`, which is called with the number of bytes that just came.
        """


class Silent:
    """The Progress of a caller who wants none."""

    def message(self, text: str) -> None:
        """Say nothing."""

    @contextmanager
    def bar(self, label: str, total: int | None) -> Iterator[Callable[[int], None]]:  # noqa: ARG002 - the Protocol's names
        """Show nothing."""
        yield lambda _count: None


def data_dir() -> Path:
    """Return the folder of all cached data: MNISTLAB_DATA_DIR, else the platform's cache folder."""
    chosen = os.environ.get("MNISTLAB_DATA_DIR")
    if chosen:
        return Path(os.path.expanduser(chosen))
    import platformdirs  # noqa: PLC0415 - not needed when the variable is set

    return Path(platformdirs.user_cache_dir("mnistlab"))


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Yield a file to write; when the block ends well its content stands at `path`, all at once.

    The bytes are written aside in the same folder, synced to disk, then renamed. Whatever ends
    the block early (Ctrl-C too) leaves `path` as it was and nothing beside it.
    """
    aside = path.with_name(f".{path.name}-{secrets.token_hex(4)}")
    try:
        with aside.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise


def state_of(path: Path) -> State:
    """Return the state that a file is in."""
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
        with suppress(OSError):  # it is hashed each time then
            _record().parent.mkdir(parents=True, exist_ok=True)
            with replacing(_record()) as file:
                file.write(
                    json.dumps({**_known_hashes(), key: [*state, digest]}, indent=1).encode()
                )
    return digest


def recorded_sha256(path: Path) -> str | None:
    """Return what the cache says that the hash of a mapped file was, None if it says nothing."""
    found = _known_hashes().get(str(path.resolve()))
    return found[-1] if isinstance(found, list) and found and isinstance(found[-1], str) else None


def _record() -> Path:
    return data_dir() / "hashes.json"


def _known_hashes() -> dict[str, object]:
    with suppress(OSError, ValueError, RecursionError):
        found = json.loads(_record().read_bytes())
        if isinstance(found, dict):
            return found
    return {}
