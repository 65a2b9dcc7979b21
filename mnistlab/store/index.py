"""Reads the facts of all runs in a folder, quickly the second time: from an index in that folder.

The index, `.index.json`, is a copy that can be thrown away. An entry counts only while the run's
folder and files are those it was made from, told by change time, size and inode; what is missing,
old or damaged is read from the folders again. Its first line holds format and checksum, the
second an entry a run. Whether a run is alive is never taken from it.
"""

import contextlib
import gc
import hashlib
import json
import os
import secrets
import stat
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import mnistlab
from mnistlab.errors import RunFolderError, shown
from mnistlab.store.keys import KEY, Facts, are_plain

INDEX = ".index.json"


def _format_of(*sources: Path) -> str:
    """Return what an index is called that these modules' facts are kept in.

    Whoever changes what a fact is so has every entry read anew.
    """
    code = hashlib.sha256()
    for source in sources:
        with contextlib.suppress(OSError):  # an installation without sources changes by version
            code.update(source.read_bytes())
    return f"mnistlab index 2 of {mnistlab.__version__}, {code.hexdigest()[:16]}"


_FORMAT = _format_of(*(Path(__file__).with_name(name) for name in ("facts.py", "keys.py")))
_LARGEST = 512 * 1024 * 1024  # bytes; 10,000 runs take 10 MB
_TICK = 1_000_000_000
"""Nanoseconds in which a file may change twice with one change time, on the coarsest file system.

An entry that is made so soon after a change could miss the next one, so it is not kept.
"""

_FILES = ("", "/config.yaml", "/status.json", "/environment.json")
_OF_KIND: Mapping[str, Sequence[str]] = {
    "run": (*_FILES, "/summary.json", "/metrics.csv", "/plots"),
    "sweep": (*_FILES, "/sweep.json", "/plots", "/checkpoints", "/runs"),
}
"""What the facts of a run are made from, or show that a link was put there.

The folder itself tells of files that come, go or are replaced, the files of changes in place.
"""

_MISSING = [0, 0, 0]

Signature = list[int]
Entry = tuple[Signature, Facts]
Progress = Callable[[int, int], None]
"""Told how many of how many folders have been read."""


def read_all(runs_dir: Path, progress: Progress = lambda _done, _of: None) -> list[Facts]:
    """Return the facts of each run folder and sweep in `runs_dir`, in no order.

    Empty where there is no such folder; raises RunFolderError where it cannot be read.
    """
    names = _folders(runs_dir)
    index = runs_dir / INDEX
    known = _load(index)
    kept: dict[str, Entry] = {}
    unread = []
    for name in names:
        entry = known.get(name)
        if entry is not None and _is_current(f"{runs_dir}/{name}", *entry):
            kept[name] = entry
        else:
            unread.append(name)
    facts = {name: entry[1] for name, entry in kept.items()}
    try:
        for done, name in enumerate(unread):
            progress(done, len(unread))
            _read(runs_dir / name, facts, kept)
    finally:  # whatever ends this early, what has been read need not be read again
        if any(kept[name] is not known.get(name) for name in kept) or len(kept) < len(known):
            _store(index, kept)
    prefix = _prefix(runs_dir)
    for name, found in facts.items():
        found["run"] = prefix + name
        if _may_be_alive(found) and name in kept:
            found["status"] = _live_status(runs_dir / name)
    return list(facts.values())


def _folders(runs_dir: Path) -> list[str]:
    try:
        with os.scandir(runs_dir) as entries:
            return [
                entry.name
                for entry in entries
                if entry.is_dir(follow_symlinks=False) and not entry.name.startswith(".")
            ]
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise RunFolderError(
            f"{shown(runs_dir)}: cannot be read as a runs folder: {reason}"
        ) from None


def _read(path: Path, facts: dict[str, Facts], kept: dict[str, Entry]) -> None:
    """Read a folder's facts if it is a run's, and keep them if the next change will be noticed."""
    from mnistlab.runs import RunFolder  # noqa: PLC0415 - a warm listing reads no folder
    from mnistlab.runs.folder import SweepFolder  # noqa: PLC0415
    from mnistlab.store.facts import read_facts  # noqa: PLC0415

    if not any(os.path.lexists(path / name) for name in ("status.json", "config.yaml")):
        return
    is_sweep = os.path.lexists(path / "plan.json")
    before = time.time_ns()
    signature = _signature(str(path), "sweep" if is_sweep else "run")
    found = read_facts((SweepFolder if is_sweep else RunFolder)(path))
    facts[path.name] = found
    if found["status"] != "running" and max(signature[::3]) < before - _TICK:
        kept[path.name] = signature, found


def _signature(path: str, kind: str) -> Signature:
    """Return the state of each file, one behind the other."""
    return [number for name in _OF_KIND[kind] for number in _state(path + name)]


def _is_current(path: str, signature: Signature, facts: Facts) -> bool:
    """Return whether all is as it was when the facts were read.

    A file that was missing is not looked for: the folder tells whether anything has come.
    """
    for place, name in enumerate(_OF_KIND[facts["kind"]]):
        state = signature[3 * place : 3 * place + 3]
        if (place == 0 or state != _MISSING) and state != _state(path + name):
            return False
    return True


def _state(path: str) -> list[int]:
    """Return a file's change time in nanoseconds, size and inode."""
    try:
        state = os.lstat(path)
    except OSError:
        return _MISSING
    return [state.st_ctime_ns, state.st_size, state.st_ino]


def _prefix(runs_dir: Path) -> str:
    """Return what stands before the runs' names: SWEEP/ for the runs inside a sweep."""
    place = Path(os.path.abspath(runs_dir))  # noqa: PTH100 - links stay as they are
    inside = place.name == "runs" and os.path.lexists(place.parent / "plan.json")
    return f"{place.parent.name}/" if inside else ""


def _may_be_alive(facts: Facts) -> bool:
    """Return whether a run's status says that it is running: what has ended says when."""
    return facts.get("status") in ("running", "interrupted") and "ended" not in facts


def _live_status(path: Path) -> str:
    from mnistlab.runs import RunFolder  # noqa: PLC0415 - few runs need it

    return str(RunFolder(path).read_status()["status"])


def _load(index: Path) -> dict[str, Entry]:
    """Return the entries of an index that is whole and of this version, else none."""
    try:
        content = _content(index)
        header, _, body = content.partition(b"\n")
        if json.loads(header) != _header(body):
            return {}
        with _no_collection():
            shapes, rows = json.loads(body)
            if not all(KEY.fullmatch(key) for shape in shapes for key in shape):
                return {}
            return dict(_entry(shapes, *row) for row in rows)
    except (OSError, ValueError, TypeError, KeyError, IndexError, RecursionError):
        return {}


@contextlib.contextmanager
def _no_collection() -> Iterator[None]:
    """Keep the garbage collector from looking through what is all kept: a third of the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _content(index: Path) -> bytes:
    """Return what an index holds; a link, a pipe or a file that is too large is none."""
    descriptor = os.open(index, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as file:
        state = os.fstat(descriptor)
        if not stat.S_ISREG(state.st_mode) or state.st_size > _LARGEST:
            raise ValueError("no index")
        return file.read()


def _entry(
    shapes: list[list[str]], name: str, shape: int, signature: Signature, values: list[Any]
) -> tuple[str, Entry]:
    """Return a run's name, signature and facts, whatever the index says of it being checked."""
    if not are_plain(values):
        raise ValueError("no facts")
    facts = dict(zip(shapes[shape], values, strict=True))
    if facts["kind"] not in _OF_KIND or type(facts["status"]) is not str:
        raise ValueError("no facts of a run")
    return name, (signature, facts)


def _store(index: Path, entries: Mapping[str, Entry]) -> None:
    """Write the index aside and rename it; where that cannot be, there is none.

    It is not synced: what a power cut leaves of it fails its checksum and is written anew.
    """
    shapes: dict[tuple[str, ...], int] = {}
    rows = [
        (name, shapes.setdefault(tuple(facts), len(shapes)), signature, list(facts.values()))
        for name, (signature, facts) in entries.items()
    ]
    body = json.dumps([list(shapes), rows], separators=(",", ":")).encode()
    aside = index.with_name(f"{INDEX}.{secrets.token_hex(4)}")
    try:
        with aside.open("xb") as file:
            file.write(json.dumps(_header(body)).encode() + b"\n" + body)
        aside.replace(index)
    except OSError:
        with contextlib.suppress(OSError):
            aside.unlink()


def _header(body: bytes) -> dict[str, str]:
    return {"format": _FORMAT, "sha256": hashlib.sha256(body).hexdigest()}
