"""Stands between mnistlab and the disk: every call on a folder is told to a watcher first."""

import builtins
import errno
import io
import os
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from mnistlab.run_folders.safeguards import _remove_lock

ERRNOS = (errno.ENOSPC, errno.EIO, errno.EROFS, errno.EACCES)
FREED = "run.lock, which is free already"
"""What stands for the path of a call that removes a lock."""

KINDS = ("read", "open", "write", "fsync", "replace", "mkdir", "unlink", "symlink")
"""`read` is an open for reading (of a folder too), `open` one for writing."""


@dataclass(frozen=True)
class Call:
    """One call: of `replace` and `symlink`, `path` is where the new entry comes to stand."""

    kind: str
    path: str
    source: str = ""


class Watcher(Protocol):
    """Hears of each call on the watched folder; `before` may raise an OSError in its stead."""

    def before(self, call: Call) -> None: ...

    def after(self, call: Call) -> None: ...


@dataclass
class Faults:
    """Lets the `at`-th call of a kind fail, or with `for_good` that one and all that follow.

    With `at` 0 nothing fails: a dry run that counts.
    """

    kind: str = ""
    at: int = 0
    number: int = errno.EIO
    for_good: bool = False
    counts: Counter[str] = field(default_factory=Counter)
    hits: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._lock = threading.Lock()  # the workers of a sweep write at the same time

    def before(self, call: Call) -> None:
        """Count a call, and raise OSError if it is to fail."""
        with self._lock:
            self.counts[call.kind] += 1
            count = self.counts[call.kind]
            failing = call.kind == self.kind and self.at > 0
            if not failing or count < self.at or (count > self.at and not self.for_good):
                return
            self.hits.append(FREED if _is_lock_let_go() else call.path)
        raise OSError(self.number, os.strerror(self.number), call.path)

    def after(self, call: Call) -> None:
        """Do nothing: what has happened has happened."""


def _is_lock_let_go() -> bool:
    """Return whether a call is part of removing a lock, which is free even where its file stays."""
    frame = sys._getframe()
    while frame := frame.f_back:
        if frame.f_code is _remove_lock.__code__:
            return True
    return False


class _File:
    """A file whose writes are told; one that is to fail leaves half of its bytes behind."""

    def __init__(self, file: Any, path: str, watcher: Watcher) -> None:
        self._file, self._path, self._watcher = file, path, watcher

    def write(self, content: Any) -> int:
        call = Call("write", self._path)
        try:
            self._watcher.before(call)
        except OSError:
            self._file.write(content[: len(content) // 2])
            raise
        written: int = self._file.write(content)
        self._watcher.after(call)
        return written

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        call = Call("write", self._path)
        self._watcher.before(call)
        self._file.flush()
        self._watcher.after(call)

    def close(self) -> None:
        self._file.close()
        self._watcher.after(Call("close", self._path))

    def __enter__(self) -> "_File":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[Any]:
        return iter(self._file)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


_NAMES = "open", "fsync", "replace", "rename", "mkdir", "unlink", "remove", "symlink", "rmdir"
_REAL = {name: getattr(os, name) for name in _NAMES}
_OPEN = io.open


def bytes_of(path: str) -> bytes:
    """Return what a file holds, without telling the watcher."""
    with _OPEN(path, "rb") as file:
        content: bytes = file.read()
    return content


@contextmanager
def watching(folder: Path, watcher: Watcher) -> Iterator[None]:
    """Tell the watcher of all calls of this process on what lies in `folder`, or is it."""
    between = _Between(os.path.abspath(folder), watcher)  # noqa: PTH100 - no link is followed
    io.open = builtins.open = between.open_file  # type: ignore[assignment]
    os.open, os.fsync = between.open, between.fsync
    os.replace = os.rename = between.replace  # type: ignore[assignment]
    os.mkdir, os.symlink = between.mkdir, between.symlink
    os.unlink = os.remove = between.unlink
    os.rmdir = between.rmdir
    try:
        yield
    finally:
        io.open = builtins.open = _OPEN
        for name, function in _REAL.items():
            setattr(os, name, function)


class _Between:
    """Stands in for the functions of `os` and `io` that change or open files."""

    def __init__(self, root: str, watcher: Watcher) -> None:
        self._root, self._watcher = root, watcher
        self._paths: dict[int, str] = {}

    def open_file(self, file: Any, mode: str = "r", *rest: Any, **options: Any) -> Any:
        if isinstance(file, int):
            return _OPEN(file, mode, *rest, **options)
        path = self._place(file)
        writes = bool(set(mode) & set("wax+"))
        with self._told("open" if writes else "read", path):
            opened = _OPEN(file, mode, *rest, **options)
        self._paths[opened.fileno()] = path
        return _File(opened, path, self._watcher) if self._is_watched(path) else opened

    def open(self, file: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        path = self._place(file, dir_fd)
        writes = flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        with self._told("open" if writes else "read", path):
            number: int = _REAL["open"](file, flags, mode, dir_fd=dir_fd)
        self._paths[number] = path
        return number

    def fsync(self, number: Any) -> None:
        number = number if isinstance(number, int) else number.fileno()
        with self._told("fsync", self._paths.get(number, "")):
            _REAL["fsync"](number)

    def replace(self, source: Any, target: Any, **options: Any) -> None:
        with self._told("replace", self._place(target), self._place(source)):
            _REAL["replace"](source, target, **options)

    def mkdir(self, path: Any, mode: int = 0o777, *, dir_fd: int | None = None) -> None:
        with self._told("mkdir", self._place(path, dir_fd)):
            _REAL["mkdir"](path, mode, dir_fd=dir_fd)

    def unlink(self, path: Any, *, dir_fd: int | None = None) -> None:
        with self._told("unlink", self._place(path, dir_fd)):
            _REAL["unlink"](path, dir_fd=dir_fd)

    def rmdir(self, path: Any, *, dir_fd: int | None = None) -> None:
        with self._told("rmdir", self._place(path, dir_fd)):
            _REAL["rmdir"](path, dir_fd=dir_fd)

    def symlink(self, source: Any, target: Any, *rest: Any, **options: Any) -> None:
        with self._told("symlink", self._place(target), os.fspath(source)):
            _REAL["symlink"](source, target, *rest, **options)

    @contextmanager
    def _told(self, kind: str, path: str, source: str = "") -> Iterator[None]:
        call = Call(kind, path, source)
        if not self._is_watched(path):
            yield
            return
        there = os.path.lexists(path)
        # on any disk: what is not there cannot be read, what is there cannot be made
        if not (kind == "read" and not there) and not (kind == "mkdir" and there):
            self._watcher.before(call)
        yield
        self._watcher.after(call)

    def _place(self, path: Any, dir_fd: int | None = None) -> str:
        base = self._paths.get(dir_fd, "") if dir_fd is not None else ""
        return os.path.abspath(os.path.join(base, os.fsdecode(path)))  # noqa: PTH100, PTH118

    def _is_watched(self, path: str) -> bool:
        return path == self._root or path.startswith(self._root + os.sep)
