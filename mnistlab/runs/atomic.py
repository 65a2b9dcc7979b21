"""Writes files so that a reader sees the old one or the new one, never half of one."""

import contextlib
import errno
import json
import math
import os
import re
import secrets
from pathlib import Path
from typing import Any

_ASIDE = re.compile(r"\..+\.[0-9a-f]{8}")
"""The names that `aside_of` returns."""


def aside_of(path: Path) -> Path:
    """Return a hidden name beside a file for what is not whole yet, or will be needed no more."""
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}")


def write_bytes(path: Path, content: bytes) -> None:
    """Write aside, sync, then rename over `path`; on any failure `path` is as before.

    Raises OSError that names `path`.
    """
    aside = aside_of(path)
    try:
        with aside.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    except BaseException as error:
        if isinstance(error, OSError):
            error.filename = str(path)
        with contextlib.suppress(OSError):
            aside.unlink(missing_ok=True)
        raise


def clear_asides(folder: Path) -> None:
    """Remove what a process that was killed has left aside in a folder."""
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if _ASIDE.fullmatch(entry.name) and not entry.is_dir(follow_symlinks=False):
                Path(entry.path).unlink(missing_ok=True)


def sync_folder(path: Path) -> None:
    """Make the names in a folder last: what was renamed into it is there after a power cut.

    Not every file system offers this for folders; where it does not, nothing is done.
    """
    if os.name != "posix":
        return
    try:
        folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        error.filename = str(path)
        raise
    try:
        os.fsync(folder)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            error.filename = str(path)
            raise
    finally:
        os.close(folder)


def sync_file(path: Path) -> None:
    """Make a file's content last, if there is one; raise OSError that names it."""
    with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
        try:
            os.fsync(file.fileno())
        except OSError as error:
            error.filename = str(path)
            raise


def append_text(path: Path, content: str) -> None:
    """Append UTF-8 text to a file, the whole of it or, with an OSError that names it, nothing."""
    data = content.encode("utf-8", "surrogateescape")
    with path.open("ab", buffering=0) as file:
        before = file.tell()
        try:
            if file.write(data) < len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            error.filename = str(path)
            with contextlib.suppress(OSError):
                if before:
                    os.truncate(path, before)
                else:
                    path.unlink()
            raise


def write_text(path: Path, content: str) -> None:
    """Write UTF-8 text like `write_bytes`; bytes of file names that are none stay as they are."""
    write_bytes(path, content.encode("utf-8", "surrogateescape"))


def write_json(path: Path, data: Any) -> None:
    """Write a JSON document; numbers that are not finite become null."""
    write_text(path, to_json(data) + "\n")


def to_json(data: Any) -> str:
    """Return `data` as JSON with numbers that are not finite as null."""
    text = json.dumps(_finite(data), indent=2, allow_nan=False, ensure_ascii=False)
    # file names need not be UTF-8; what is not becomes JSON's own escape \\udcXX
    return text.encode("utf-8", "backslashreplace").decode()


def _finite(data: Any) -> Any:
    if isinstance(data, float) and not math.isfinite(data):
        return None
    if isinstance(data, dict):
        return {key: _finite(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [_finite(value) for value in data]
    return data
