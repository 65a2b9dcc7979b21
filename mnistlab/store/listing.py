"""Lists the runs in a folder, quickly the second time, and deletes some of them.

Listing leaves an index in that folder, an SQLite file that can be deleted at any time. An entry
counts only while the run's folder and files are those it was made from, told by change time, size
and inode; what is missing, old or damaged is read from the folders again. Whether a run is alive is
never taken from it.

A run is deleted as a whole or not at all: it is renamed out of sight first, and then taken apart. A
delete that is killed so leaves a hidden folder, which the next one clears away. Nothing outside the
runs folder is touched: links are removed, not followed.
"""

import contextlib
import hashlib
import json
import os
import shutil
import sqlite3
import stat
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mnistlab
from mnistlab.errors import RunFolderError, shown
from mnistlab.run_folders.folder import RunFolder, SweepFolder
from mnistlab.run_folders.places import (
    child_names,
    find_run,
    point_latest_to_what_is_left,
)
from mnistlab.run_folders.safeguards import format_size, is_locked, locked
from mnistlab.store import facts as facts_of
from mnistlab.store.facts import KEY, Facts, are_plain

INDEX = ".index.sqlite"

_TABLE = "CREATE TABLE runs (name BLOB PRIMARY KEY, entry TEXT, checksum INTEGER)"
_ASIDE = ".deleted."
_NO_RUNS = {"latest", "report"}
"""What mnistlab itself puts beside the runs."""

_LARGEST = 512 * 1024 * 1024  # bytes; 10,000 runs take 10 MB
_TICK = 1_000_000_000
"""Nanoseconds in which a file may change twice with one change time, on the coarsest file system.

An entry that is made so soon after a change could miss the next one, so it is not kept.
"""

_FILES = ("", "/config.yaml", "/status.json", "/environment.json")
_FILES_OF_KIND: Mapping[str, Sequence[str]] = {
    "run": (*_FILES, "/summary.json", "/metrics.csv", "/plots"),
    "sweep": (*_FILES, "/sweep.json", "/plots", "/checkpoints", "/runs"),
}
"""What the facts of a run are made from, or show that a link was put there.

The folder itself tells of files that come, go or are replaced, the files of changes in place.
"""

_MISSING = [0, 0, 0]

Signature = list[list[int]]
"""The state of each of the files of a kind; one that was missing is not looked for again."""

Entry = tuple[Signature, Facts]
Progress = Callable[[int, int], None]
"""Called with how many of how many folders have been read."""


def format_of(source: Path) -> int:
    """Return the number of an index format: it changes with the code that reads facts."""
    code = hashlib.sha256(mnistlab.__version__.encode())
    with contextlib.suppress(OSError):  # an installation without sources changes by version
        code.update(source.read_bytes())
    return int.from_bytes(code.digest()[:3])


_FORMAT = format_of(Path(facts_of.__file__))


def read_all(runs_dir: Path, progress: Progress = lambda _done, _of: None) -> list[Facts]:
    """Return the facts of each run folder and sweep in `runs_dir`, in no order.

    Empty where there is no such folder; raises RunFolderError where it cannot be read.
    """
    names = _folder_names(runs_dir)
    prefix = RunFolder(runs_dir / "0").name.removesuffix("0")  # SWEEP/ of runs inside one
    index = runs_dir / INDEX
    known = _load(index)
    kept: dict[str, Entry] = {
        name: known[name]
        for name in names
        if name in known and _is_current(f"{runs_dir}/{name}", *known[name])
    }
    facts = {name: found for name, (_, found) in kept.items()}
    new: dict[str, Entry] = {}
    unread = [name for name in names if name not in kept]
    try:
        for done, name in enumerate(unread):
            progress(done, len(unread))
            _read(runs_dir / name, facts, new)
    finally:  # whatever ends this early, what has been read need not be read again
        changed = bool(new) or len(kept) < len(known)
        place = Path(os.path.abspath(runs_dir))  # noqa: PTH100 - a link shows there as one
        if prefix and (place.is_symlink() or place.parent.is_symlink()):
            changed = False  # a link stands in place of the sweep by now
        # what could not be read may take what is written, and stay as damaged as it is
        if changed and not (known and _store(index, "rw", new, known.keys() - kept.keys())):
            with contextlib.suppress(OSError):  # where none can be written, there is none
                index.unlink(missing_ok=True)
                _store(index, "rwc", kept | new)
    for name, found in facts.items():
        found["run"] = prefix + name
        if name in kept and found["status"] in ("running", "interrupted") and "ended" not in found:
            found["status"] = RunFolder(runs_dir / name).read_status()["status"]
    return list(facts.values())


def _folder_names(runs_dir: Path) -> list[str]:
    try:
        return child_names(runs_dir)
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise RunFolderError(
            f"{shown(runs_dir)}: cannot be read as a runs folder: {reason}"
        ) from None


def other_entries(runs_dir: Path, runs: Iterable[Facts]) -> list[str]:
    """Return the names of folders and links among runs that are none of them, sorted."""
    known = {str(facts["run"]).rpartition("/")[2] for facts in runs}
    try:
        with os.scandir(runs_dir) as entries:
            names = [
                entry.name
                for entry in entries
                if (entry.is_symlink() or entry.is_dir()) and not entry.name.startswith(".")
            ]
    except OSError:
        return []
    return sorted(set(names) - known - _NO_RUNS)


def _read(path: Path, facts: dict[str, Facts], new: dict[str, Entry]) -> None:
    """Read a folder's facts if it is a run's, and keep them if the next change will be noticed."""
    if not any(
        os.path.lexists(path / name) for name in ("status.json", "config.yaml", "plan.json")
    ):
        return
    is_sweep = os.path.lexists(path / "plan.json")
    before = time.time_ns()
    signature = [_state(f"{path}{name}") for name in _FILES_OF_KIND["sweep" if is_sweep else "run"]]
    kind = SweepFolder if is_sweep else RunFolder
    found = facts_of.read_facts(kind(path))
    facts[path.name] = found
    changed = max(time_of_change for time_of_change, _, _ in signature)
    if found["status"] != "running" and changed < before - _TICK:
        new[path.name] = signature, found


def _is_current(path: str, signature: Signature, facts: Facts) -> bool:
    """Return whether all is as it was when the facts were read.

    A file that was missing is not looked for: the folder tells whether anything has come.
    """
    for name, state in zip(_FILES_OF_KIND[facts["kind"]], signature, strict=True):
        if (state != _MISSING or not name) and state != _state(path + name):
            return False
    return True


def _state(path: str) -> list[int]:
    """Return a file's change time in nanoseconds, size and inode."""
    try:
        state = os.lstat(path)
    except OSError:
        return _MISSING
    return [state.st_ctime_ns, state.st_size, state.st_ino]


@contextlib.contextmanager
def _database(index: Path, mode: str) -> Iterator[sqlite3.Connection]:
    """Open an index; raise sqlite3.Error for what is no plain file of our format.

    Somebody else may have made the file, so it may hold nothing but our table. It is not synced:
    entries have checksums, and an index that a power cut has damaged is made anew.
    """
    with contextlib.suppress(FileNotFoundError):
        state = index.lstat()
        if not stat.S_ISREG(state.st_mode) or state.st_size > _LARGEST:
            raise sqlite3.DatabaseError("no index")
    database = sqlite3.connect(f"{index.absolute().as_uri()}?mode={mode}", uri=True, timeout=1)
    try:
        database.execute("PRAGMA trusted_schema = OFF")
        database.execute("PRAGMA journal_mode = MEMORY")
        database.execute("PRAGMA synchronous = OFF")
        if mode == "rwc":
            database.execute(f"PRAGMA user_version = {_FORMAT}")
            database.execute(_TABLE)
        schema = database.execute("SELECT sql FROM sqlite_schema WHERE sql NOT NULL").fetchall()
        version = database.execute("PRAGMA user_version").fetchone()
        if schema != [(_TABLE,)] or version != (_FORMAT,):
            raise sqlite3.DatabaseError("another format")
        yield database
        database.commit()
    finally:
        database.close()


def _load(index: Path) -> dict[str, Entry]:
    """Return the entries of an index that is whole and of this format, else none."""
    try:
        with _database(index, "ro") as database:
            rows = database.execute("SELECT name, entry, checksum FROM runs").fetchall()
        if any(_checksum(name, entry) != checksum for name, entry, checksum in rows):
            return {}
        entries = json.loads(f"[{','.join(entry for _, entry, _ in rows)}]")
        shapes = {tuple(facts) for _, facts in entries}
        if not all(KEY.fullmatch(key) for shape in shapes for key in shape):
            return {}
        return {
            os.fsdecode(name): _entry(*entry)
            for (name, _, _), entry in zip(rows, entries, strict=True)
        }
    except (sqlite3.Error, OSError, ValueError, TypeError, KeyError, RecursionError):
        return {}


def _entry(signature: Any, facts: Any) -> Entry:
    """Return an entry, whatever the index says of a run being checked."""
    if not isinstance(facts, dict) or not are_plain(list(facts.values())):
        raise ValueError("no facts")
    if facts["kind"] not in _FILES_OF_KIND or type(facts["status"]) is not str:
        raise ValueError("no facts of a run")
    if not isinstance(signature, list) or len(signature) != len(_FILES_OF_KIND[facts["kind"]]):
        raise ValueError("no signature")
    return signature, facts


def _checksum(name: bytes, entry: str) -> int:
    return zlib.crc32(name + b"\0" + entry.encode())


def _store(index: Path, mode: str, new: Mapping[str, Entry], gone: Iterable[str] = ()) -> bool:
    """Change an index; return whether that could be done."""
    texts = [(os.fsencode(name), json.dumps(entry)) for name, entry in new.items()]
    rows = [(name, text, _checksum(name, text)) for name, text in texts]
    try:
        with _database(index, mode) as database:
            old = [(os.fsencode(name),) for name in gone]
            database.executemany("DELETE FROM runs WHERE name = ?", old)
            database.executemany("INSERT OR REPLACE INTO runs VALUES (?, ?, ?)", rows)
    except (sqlite3.Error, OSError):
        return False
    return True


# Deleting


@dataclass(frozen=True)
class Removal:
    """A run or a sweep that is to be removed, with its size in bytes and its number of runs."""

    folder: RunFolder
    size: int
    runs: int

    def __str__(self) -> str:
        inside = f", a sweep of {self.runs:,} runs" if isinstance(self.folder, SweepFolder) else ""
        return f"{shown(self.folder.name)} ({format_size(self.size)}{inside})"


def plan_removal(names: Sequence[str], runs_dir: Path) -> list[Removal]:
    """Return what is to be removed, each once; raise RunFolderError if any of it must not be.

    Refused are a run of a sweep, which goes as a whole, and what a process works on. What is
    damaged is not: no file in it is opened but a lock that is a plain file.
    """
    folders = {}
    for name in names:
        folder = find_run(name, runs_dir, opened=False)
        if "/" in folder.name:
            sweep = folder.name.partition("/")[0]
            raise RunFolderError(
                f"{shown(folder.name)}: belongs to a sweep, which is deleted as a whole: "
                f"mnistlab runs delete {shown(sweep)}"
            )
        _check(folder, runs_dir)
        folders[folder.name] = folder
    return [_measure(folder) for folder in folders.values()]


def remove(removals: Sequence[Removal], runs_dir: Path) -> Iterator[Removal]:
    """Remove one folder after the other and yield each; clear away what earlier deletes left.

    Raises RunFolderError, before anything is removed if a process works on one, and at its turn
    if one has just begun to; and OSError, which names the path, where a folder cannot be removed.
    """
    for removal in removals:
        _check(removal.folder, runs_dir)
    try:
        for removal in removals:
            aside = removal.folder.path.with_name(f"{_ASIDE}{os.urandom(8).hex()}")
            with _held(removal.folder):
                removal.folder.path.rename(aside)
            _take_apart(aside)
            yield removal
    finally:  # once: it looks at every run that is left
        point_latest_to_what_is_left(runs_dir)
    for left in runs_dir.glob(f"{_ASIDE}*"):  # by deletes that were killed
        if left.is_dir() and not left.is_symlink():
            shutil.rmtree(left, ignore_errors=True)


def _check(folder: RunFolder, runs_dir: Path) -> None:
    """Raise RunFolderError unless this is a folder in the runs folder that nobody works on."""
    inside = os.path.realpath(folder.path.parent) == os.path.realpath(runs_dir)
    if not inside or folder.path.is_symlink() or not folder.path.is_dir():
        raise RunFolderError(f"{shown(folder.path)}: is no folder in {shown(runs_dir)}")
    if _is_file(folder.lock_file) and is_locked(folder.lock_file):
        raise RunFolderError(f"{shown(folder.name)}: another process is working on it")


def _held(folder: RunFolder) -> contextlib.AbstractContextManager[None]:
    """Return what holds a run's lock; one that is no plain file is nobody's, and not opened."""
    if os.path.lexists(folder.lock_file) and not _is_file(folder.lock_file):
        return contextlib.nullcontext()
    return locked(folder.lock_file, shown(folder.name))


def _is_file(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


def _measure(folder: RunFolder) -> Removal:
    """Return a folder with what it holds; raise RunFolderError where that cannot be looked at."""
    try:
        size = sum(_sizes(folder.path))
    except OSError as error:
        raise RunFolderError(
            f"{shown(error.filename or folder.path)}: {error.strerror}, so {shown(folder.name)} "
            "cannot be removed as a whole"
        ) from None
    if isinstance(folder, SweepFolder) and not (folder.path / "runs").is_symlink():
        return Removal(folder, size, len(folder.runs()))
    return Removal(folder, size, 1)


def _take_apart(path: Path) -> None:
    """Remove a hidden folder; another delete may clear it away at the same time.

    What has become a link in the last moment is removed as one.
    """
    if path.is_symlink():
        path.unlink(missing_ok=True)
    while path.exists():
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(path)


def _sizes(folder: Path) -> Iterator[int]:
    """Yield the size in bytes of each file in a folder and below; links count as themselves."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from _sizes(Path(entry.path))
            else:
                yield entry.stat(follow_symlinks=False).st_size
