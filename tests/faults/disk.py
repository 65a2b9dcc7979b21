"""A small model of a disk that forgets what was not synced, in the worst way it is allowed to.

What a power cut leaves: a file's content is as it was when the file was last synced, or any part
of what was written since. A folder's names are as they were when the folder was last synced, and
of the changes since then any may have happened and any not.
"""

import os
import random
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.harness import Call, bytes_of

Names = dict[str, int | None]


@dataclass
class _File:
    synced: bytes | None
    written: bytes

    def worst(self, choice: random.Random) -> bytes:
        """Return the content after the cut: what is synced, or some of what is not."""
        if self.synced == self.written:
            return self.written
        part = self.written[: choice.choice([0, len(self.written) // 2, len(self.written)])]
        return choice.choice([self.synced or b"", part])


@dataclass
class Disk:
    """A watcher that keeps what is written and in which order.

    `names` are the entries that are sure to be there, by path: the number of a file, None for a
    folder. `pending` are the changes of each folder since it was synced: path, and what stands
    there then (-1: nothing).
    """

    root: Path
    files: dict[int, _File] = field(default_factory=dict)
    names: Names = field(default_factory=dict)
    now: Names = field(default_factory=dict)
    pending: dict[str, list[dict[str, int | None]]] = field(default_factory=dict)
    links: dict[int, str] = field(default_factory=dict)
    moments: list["Moment"] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Take what is there already for synced."""
        self._lock = threading.RLock()
        for place, folders, files in os.walk(self.root):
            for name in [*folders, *files]:
                path = os.path.join(place, name)  # noqa: PTH118 - a text is the key
                if os.path.islink(path):  # noqa: PTH114
                    self.names[path] = self._new_link(os.readlink(path))  # noqa: PTH115
                elif os.path.isdir(path):  # noqa: PTH112
                    self.names[path] = None
                else:
                    content = bytes_of(path)
                    self.names[path] = self._new(_File(content, content))
        self.now = dict(self.names)

    def before(self, call: Call) -> None:
        """Nothing fails here."""

    def after(self, call: Call) -> None:
        """Take note of a call, and of the moment after it."""
        if call.kind == "read":
            return
        with self._lock:
            getattr(self, f"_{call.kind}")(call)
            self.moments.append(self._moment(call))

    def _open(self, call: Call) -> None:
        if not isinstance(self.now.get(call.path), int):
            self._change(call.path, {call.path: self._new(_File(None, b""))})

    def _write(self, call: Call) -> None:
        number = self.now.get(call.path)
        if number is not None:
            self.files[number].written = bytes_of(call.path)

    _close = _write

    def _fsync(self, call: Call) -> None:
        number = self.now.get(call.path)
        if number is None:  # a folder
            for change in self.pending.pop(call.path, []):
                _apply(self.names, change)
            return
        self._write(call)
        self.files[number].synced = self.files[number].written

    def _replace(self, call: Call) -> None:
        self._change(call.path, {call.source: -1, call.path: self.now[call.source]})

    def _mkdir(self, call: Call) -> None:
        self._change(call.path, {call.path: None})

    def _symlink(self, call: Call) -> None:
        self._change(call.path, {call.path: self._new_link(call.source)})

    def _unlink(self, call: Call) -> None:
        self._change(call.path, {call.path: -1})

    _rmdir = _unlink

    def _change(self, path: str, change: dict[str, int | None]) -> None:
        self.pending.setdefault(os.path.dirname(path), []).append(change)  # noqa: PTH120
        _apply(self.now, change)

    def _new(self, file: _File) -> int:
        number = len(self.files)
        self.files[number] = file
        return number

    def _new_link(self, target: str) -> int:
        number = self._new(_File(b"", b""))
        self.links[number] = target
        return number

    def _moment(self, call: Call) -> "Moment":
        files = {number: _File(file.synced, file.written) for number, file in self.files.items()}
        changes = [change for folder in self.pending.values() for change in folder]
        return Moment(call, self.root, files, dict(self.names), changes, self.links)


@dataclass(frozen=True)
class Moment:
    """All that the disk knows at one moment, from which each state after a power cut follows."""

    call: Call
    root: Path
    files: dict[int, _File]
    names: Names
    changes: Sequence[dict[str, int | None]]
    links: dict[int, str]

    def states(self, count: int, choice: random.Random) -> list["State"]:
        """Return different states: nothing unsynced kept, everything, and random parts."""
        shares = [0.0, 1.0, *(choice.random() for _ in range(count - 2))]
        states = [self._state(share, choice) for share in shares]
        return list({hash(state): state for state in states}.values())

    def _state(self, share: float, choice: random.Random) -> "State":
        names = dict(self.names)
        for change in self.changes:
            if choice.random() < share:
                _apply(names, change)
        contents = [
            (
                os.path.relpath(path, self.root),
                None if number is None else self.files[number].worst(choice),
                self.links.get(number) if number is not None else None,
            )
            for path, number in sorted(names.items())
            if _is_reached(path, names, str(self.root))
        ]
        return State(tuple(contents))


@dataclass(frozen=True)
class State:
    """What a disk holds after a power cut: path, bytes (None: a folder), target of a link."""

    contents: tuple[tuple[str, bytes | None, str | None], ...]

    def tree(self) -> dict[str, bytes | str]:
        """Return it as `promises.tree` does."""
        return {name: target or (b"folder" if content is None else content)
                for name, content, target in self.contents}  # fmt: skip

    def write(self, folder: Path) -> Path:
        """Write it into an empty folder and return that."""
        folder.mkdir(parents=True)
        for name, content, target in self.contents:
            path = folder / name
            if target is not None:
                path.symlink_to(target)
            elif content is None:
                path.mkdir()
            else:
                path.write_bytes(content)
        return folder


def _apply(names: Names, change: dict[str, int | None]) -> None:
    for path, number in change.items():
        if number == -1:
            names.pop(path, None)
        else:
            names[path] = number


def _is_reached(path: str, names: Names, root: str) -> bool:
    """Return whether every folder on the way to a path is there."""
    above = os.path.dirname(path)  # noqa: PTH120
    while above != root:
        if above not in names or names[above] is not None:
            return False
        above = os.path.dirname(above)  # noqa: PTH120
    return True
