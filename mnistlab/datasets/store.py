"""Where fetched and derived files live, and how one gets there without ever being half there."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


def data_dir() -> Path:
    """Return the folder of all cached data: MNISTLAB_DATA_DIR, else the platform's cache folder."""
    chosen = os.environ.get("MNISTLAB_DATA_DIR")
    if chosen:
        return Path(chosen).expanduser()
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
