"""Writes files so that a reader sees the old one or the new one, never half of one."""

import contextlib
import json
import math
import os
import secrets
from pathlib import Path
from typing import Any


def write_bytes(path: Path, content: bytes) -> None:
    """Write aside, sync, then rename over `path`; on any failure `path` is as before.

    Raises OSError that names `path`.
    """
    aside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
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
