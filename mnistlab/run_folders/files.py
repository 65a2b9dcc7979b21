"""Reads and writes the files of run folders.

A reader sees the old file or the new one, never half of one: a file is written under a temporary
name, synced, and renamed. Two files grow while a run trains, log.txt and metrics.csv: they are
appended to, a line at a time, and `read_csv` leaves out a last line that is not whole yet. What a
status says of the files beside it is their SHA-256 by name, here called checksums.
"""

import contextlib
import csv
import errno
import hashlib
import io
import json
import math
import os
import re
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mnistlab.errors import RunFolderError
from mnistlab.run_folders.safeguards import (
    MEGABYTE,
    MOST_ROWS,
    MOST_VALUES,
    check_in_place,
    is_oversized,
    most_bytes,
    read_capped,
    remove_in_place,
)

Checksum = str | list[str | None] | None
"""A file's SHA-256, None if there is none; a list of what it may be while it is replaced."""

_TEMPORARY = re.compile(r"\..+\.[0-9a-f]{8}")
"""The names that `temporary_name` returns."""

_NO_FILE = (FileNotFoundError, NotADirectoryError, IsADirectoryError)


def temporary_name(path: Path) -> Path:
    """Return a hidden name beside a file, which no other file has."""
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}")


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file so that on any failure `path` is as before; raise OSError that names `path`."""
    temporary = temporary_name(path)
    check_in_place(path)
    try:
        with temporary.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        check_in_place(path)
        temporary.replace(path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        if isinstance(error, OSError):
            error.filename = str(path)
        raise


def write_text(path: Path, content: str) -> None:
    """Write UTF-8 text like `write_bytes`; bytes of file names that are no text stay the same."""
    write_bytes(path, content.encode("utf-8", "surrogateescape"))


def write_json(path: Path, data: Any) -> None:
    """Write a JSON document like `write_bytes`; numbers that are not finite become null."""
    write_text(path, to_json(data) + "\n")


def append_text(path: Path, content: str) -> None:
    """Append UTF-8 text to a file like `append_bytes`."""
    append_bytes(path, content.encode("utf-8", "surrogateescape"))


def append_bytes(path: Path, data: bytes) -> None:
    """Append to a file, the whole of it or, with an OSError that names it, nothing.

    A link is not followed: mnistlab makes none here.
    """
    check_in_place(path)
    with open(path, "ab", buffering=0, opener=_open_no_link) as file:
        check_in_place(path)  # it may have been swapped meanwhile
        before = file.tell()
        try:
            if file.write(data) < len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            with contextlib.suppress(OSError):
                if before:
                    os.truncate(path, before)
                else:
                    path.unlink()
            error.filename = str(path)
            raise


def _open_no_link(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW, 0o666)


def clear_temporary_files(folder: Path) -> None:
    """Remove the temporary files that a killed process has left in a folder."""
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if _TEMPORARY.fullmatch(entry.name) and not entry.is_dir(follow_symlinks=False):
                Path(entry.path).unlink(missing_ok=True)


def sync_folder(path: Path) -> None:
    """Make renames in a folder survive a power cut; raise OSError that names the folder.

    Not every file system offers this for folders; where it does not, nothing is done.
    """
    with _naming(path):
        folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.ENOTSUP):
                raise
        finally:
            os.close(folder)


def sync_file(path: Path) -> None:
    """Make a file survive a power cut, if there is one; raise OSError that names it."""
    with _naming(path), contextlib.suppress(FileNotFoundError), path.open("rb") as file:
        os.fsync(file.fileno())


@contextlib.contextmanager
def _naming(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        error.filename = str(path)
        raise


@contextlib.contextmanager
def restored_on_failure(paths: Sequence[Path]) -> Iterator[None]:
    """Put these files back as they were before the block if it raises, the first of them last.

    In the block they are to be replaced or removed, not written into. If one cannot be put back,
    the first stays as it is then, too. Raises OSError before the block where the disk has no room
    for a second copy. `clear_temporary_files` removes what a killed process leaves of this.
    """
    copies: dict[Path, Path | None] = {}
    try:
        for path in paths:
            copies[path] = _second_name(path)
        try:
            yield
        except BaseException:
            with contextlib.suppress(OSError):  # what went wrong first is what is reported
                _put_back(copies)
            raise
    finally:
        for copy in copies.values():
            with contextlib.suppress(OSError):
                if copy is not None:
                    copy.unlink(missing_ok=True)


def _second_name(path: Path) -> Path | None:
    """Return a hard link to a file, or a copy where there are no links; None for no file."""
    copy = temporary_name(path)
    try:
        os.link(path, copy, follow_symlinks=False)
    except FileNotFoundError:
        return None
    except (OSError, NotImplementedError):
        write_bytes(copy, path.read_bytes())
    return copy


def _put_back(copies: Mapping[Path, Path | None]) -> None:
    first = next(iter(copies))
    for path, copy in reversed([*copies.items()]):
        if path == first:
            with contextlib.suppress(OSError):  # it may have been synced all the same
                sync_folder(path.parent)
        if copy is not None:
            copy.replace(path)
        elif os.path.lexists(path):
            remove_in_place(path)


def to_json(data: Any, indent: int | None = 2) -> str:
    """Return `data` as JSON text with numbers that are not finite as null.

    What is no visible letter, such as a byte of a file name that is no text, is written as JSON's
    own escape.
    """
    text = json.dumps(_finite(data), indent=indent, allow_nan=False, ensure_ascii=False)
    if text.replace("\n", "").isprintable():
        return text
    return "".join(
        letter if letter == "\n" or letter.isprintable() else json.dumps(letter)[1:-1]
        for letter in text
    )


def _finite(data: Any) -> Any:
    if isinstance(data, float) and not math.isfinite(data):
        return None
    if isinstance(data, dict):
        return {key: _finite(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [_finite(value) for value in data]
    return data


_DEEPEST = 50
"""Levels of a JSON document: of ours none has ten, and to go down without end takes a stack."""


def read_json(path: Path) -> dict[str, Any] | None:
    """Return the object that a JSON file holds, None where it holds none or is missing.

    A whole number of more than 64 bits counts as damage, as does a file that is too large or nested
    too deep: mnistlab writes none. Raises OSError where the disk fails: that does not make the file
    another one.
    """
    try:
        content = read_capped(path, b",[{", MOST_VALUES)
        data = json.loads(content, parse_int=_whole_number)
    except (*_NO_FILE, ValueError, RecursionError):
        return None
    return data if isinstance(data, dict) and not _is_nested(data, _DEEPEST) else None


def _is_nested(data: Any, levels: int) -> bool:
    """Return whether lists and objects are nested deeper than so many levels."""
    if not isinstance(data, dict | list):
        return False
    values = data.values() if isinstance(data, dict) else data
    return levels == 0 or any(_is_nested(value, levels - 1) for value in values)


def _whole_number(text: str) -> int:
    number = int(text)
    if not -(2**63) <= number < 2**63:
        raise ValueError("a number of more than 64 bits")
    return number


def to_csv(
    columns: Sequence[str], rows: Iterable[Mapping[str, Any]], *, header: bool = True
) -> str:
    """Return rows as CSV text; missing values are empty cells."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    if header:
        writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def read_csv(path: Path, kinds: Mapping[str, Callable[[str], Any]]) -> dict[str, list[Any]]:
    """Return the columns of a CSV file that `kinds` names, each cell as its function returns it.

    A last line without an end is still being written, or was cut short, and is left out. Raises
    RunFolderError if the file is missing or damaged.
    """
    columns: dict[str, list[Any]] = {name: [] for name in kinds}
    try:
        content = read_capped(path, b"\r\n", MOST_ROWS)
        lines = io.TextIOWrapper(io.BytesIO(content), encoding="utf-8", newline="")
        rows = csv.reader(line for line in lines if line.endswith(("\n", "\r")))
        header = next(rows, [])
        places = [(header.index(name), kinds[name], columns[name]) for name in kinds]
        for row in rows:
            for place, kind, column in places if row else ():
                column.append(kind(row[place]))
    except _NO_FILE:
        raise RunFolderError(f"{path}: is missing") from None
    except (ValueError, IndexError, csv.Error):
        raise RunFolderError(f"{path}: is damaged") from None
    return columns


def sha256_of(path: Path) -> str | None:
    """Return a file's SHA-256, None where there is none, and "oversized" of one that is too large.

    Raises OSError where the disk fails.
    """
    try:
        left, digest = most_bytes(path), hashlib.sha256()
        if is_oversized(path):
            return "oversized"
        with path.open("rb") as file:
            while chunk := file.read(MEGABYTE):
                digest.update(chunk)
                left -= len(chunk)
                if left < 0:  # it grows
                    return "oversized"
        return digest.hexdigest()
    except _NO_FILE:
        return None


def are_checksums(files: object, paths: Iterable[Path]) -> bool:
    """Return whether a value from a status maps names of `paths` to checksums."""
    if not isinstance(files, dict):
        return False
    digests = [one for checksum in files.values() for one in _choices(checksum)]
    return files.keys() <= {path.name for path in paths} and all(
        one is None or (isinstance(one, str) and len(one) == 64) for one in digests
    )


def has_checksum(path: Path, checksum: object) -> bool:
    """Return whether a file has this checksum; raise OSError where the disk fails."""
    return sha256_of(path) in _choices(checksum)


def checksum_while_replaced(path: Path, checksum: Checksum, new: str) -> Checksum:
    """Return the checksum of a file that is being replaced: as it is now, or as it is to be.

    A file that does not have its checksum stays damaged until it is replaced. Raises OSError where
    the disk fails.
    """
    found = sha256_of(path)
    before = [found] if found in _choices(checksum) else _choices(checksum)
    return list(dict.fromkeys([*before, new]))


def _choices(checksum: Any) -> list[str | None]:
    return checksum if isinstance(checksum, list) else [checksum]
