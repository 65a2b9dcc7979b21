"""The folder of cached data, how a file gets there, and who shows how far that is."""

import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import BinaryIO, Protocol


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
