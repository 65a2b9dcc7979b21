"""Opens the runs that a command is given: by name in the runs folder, by path wherever they are.

A path may lead to a run, to a folder of runs, or to a folder of such folders, as a class hands
them in. Folders outside the runs folder are only read; no link but `latest` is followed.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from mnistlab.errors import RunFolderError, shown
from mnistlab.run_folders import RunFolder
from mnistlab.run_folders.folder import SweepFolder, open_folder
from mnistlab.run_folders.places import (
    LATEST,
    find_run,
    foreign_entries,
    is_run,
    run_paths,
)
from mnistlab.store.facts import REFUSED, Facts, read_facts

RECORD = "report.json"
"""What a report's own folder holds: that is no run, and lies in many a runs folder."""

_DEEPEST = 3  # class/student/runs/RUN
_MOST_FOLDERS = 5000


@dataclass(frozen=True)
class Given:
    """A run or a sweep that was given, or a place where one was expected.

    Attributes:
        path: the folder.
        folder: the run or sweep in it, None where it is refused.
        refused: why it is not opened, "" where it is.
        place: the folder by which it is told whose it is.
        who: what tells its place from those of the others, "" where all lie in one folder.
    """

    path: Path
    folder: RunFolder | None = None
    refused: str = ""
    place: Path = field(default=Path(), repr=False)
    who: str = ""

    @property
    def name(self) -> str:
        """The name of the run, or of the folder that is refused."""
        return self.path.name if self.folder is None else self.folder.name

    @property
    def reason(self) -> str:
        """Why it is refused, without its own path."""
        return self.refused.removeprefix(f"{shown(self.path)}: ")

    @property
    def label(self) -> str:
        """The name of the run with whose it is; a folder that stands for itself is named once."""
        is_named = not self.who or Path(self.who).name == self.name
        return self.who or self.name if is_named else f"{self.who}/{self.name}"


def open_given(names: Sequence[str], runs_dir: Path) -> list[Given]:
    """Return the runs and sweeps that are named, each once, in their order.

    A name is one of `runs_dir`, as `find_run` takes it, or a path. A path that cannot be opened
    is refused, and the others are opened; files among several paths are passed over. Raises
    RunFolderError for a name of no run, and for a single path that cannot be opened.
    """
    found: dict[Path, Given] = {}
    for name in names:
        is_file = os.path.isfile(name) and not os.path.islink(name)  # noqa: PTH113, PTH114 - never raise
        if is_file and "/" in name and len(names) > 1:  # which class/*/* gives too
            continue
        for one in _open(name, runs_dir):
            key = one.path if one.folder is None else Path(os.path.realpath(one.path))
            found.setdefault(key, one)
    given = list(found.values())
    if not given:
        raise RunFolderError(f"{shown(names[0])}: there is no run here")
    if all(one.refused for one in given) and len(names) == 1:
        raise RunFolderError(given[0].refused)
    people = tell_apart([one.place for one in given])
    return [replace(one, who=who) for one, who in zip(given, people, strict=True)]


def of_folders(folders: Iterable[RunFolder]) -> list[Given]:
    """Return folders that are known as if they were given, without whose they are."""
    return [Given(folder.path, folder) for folder in folders]


def open_all(runs_dir: Path) -> list[Given]:
    """Return every run of a runs folder, those of sweeps included, the oldest first.

    A folder with links in it is left out: nothing in it is opened.
    """
    paths = [path for path in sorted(run_paths(runs_dir)) if not any(foreign_entries(path))]
    return single_runs(of_folders(map(open_folder, paths)))


def single_runs(given: Iterable[Given]) -> list[Given]:
    """Return each run once, a sweep standing for the runs inside it."""
    runs: dict[Path, Given] = {}
    for one in given:
        inside = [one.folder]
        if isinstance(one.folder, SweepFolder):
            inside = list(map(one.folder.run, one.folder.runs()))
        for folder in inside:
            path = one.path if folder is None else folder.path
            runs.setdefault(path, replace(one, path=path, folder=folder))
    return list(runs.values())


def facts_of(given: Iterable[Given], *, tolerant: bool = True) -> list[Facts]:
    """Return the facts of each, with whose it is, or why it is refused.

    Raises OSError where the disk fails, unless `tolerant`.
    """
    rows: list[Facts] = []
    for one in given:
        facts: Facts = {"run": one.name, "status": REFUSED, "error": one.reason}
        if one.folder is not None:
            facts = read_facts(one.folder, tolerant=tolerant)
        rows.append({**facts, "who": one.who} if one.who else facts)
    return rows


def describe_refused(given: Sequence[Given]) -> str:
    """Return how many folders are refused and why, "" where none is."""
    refused = [one for one in given if one.refused]
    if not refused:
        return ""
    are = "is" if len(refused) == 1 else "are"
    reasons = "; ".join(one.refused for one in refused)
    return f"{len(refused)} of {len(given)} folders {are} refused: {reasons}"


def tell_apart(places: Sequence[Path]) -> list[str]:
    """Return of each folder the part of its path that not all have in common.

    A folder named `runs`, where runs are by default, tells nothing about who made them.
    """
    absolute = [Path(os.path.abspath(place)) for place in places]  # noqa: PTH100 - links stay as they are
    paths = [place.parent if place.name == "runs" else place for place in absolute]
    common = os.path.commonpath(paths)
    return ["" if path == Path(common) else str(path.relative_to(common)) for path in paths]


def _open(name: str, runs_dir: Path) -> list[Given]:
    """Return what a name or a path stands for."""
    is_path = "/" in name or name in (os.curdir, os.pardir)
    path = Path(os.path.normpath(name))
    if is_path and "\0" not in name and os.path.lexists(name):
        return _search(path)
    try:
        return [_given(find_run(name, runs_dir))]
    except RunFolderError:
        if is_path or not os.path.isdir(path):  # noqa: PTH112 - never raises
            raise
        return _search(path)


def _given(folder: RunFolder) -> Given:
    absolute = Path(os.path.abspath(folder.path))  # noqa: PTH100 - links stay as they are
    place = absolute.parents[2 if "/" in folder.name else 0]  # SWEEP/runs/7 lies beside SWEEP
    return Given(folder.path, folder, place=place)


def _search(path: Path) -> list[Given]:
    """Return the runs at a path, and for each folder in it without a run that it is refused."""
    counted = iter(range(_MOST_FOLDERS))
    found = list(_runs_at(path, _DEEPEST, counted))
    if found or (path / RECORD).is_file():
        return found
    return [_refuse(path, "there is no run in it", place=path.parent)]


def _runs_at(path: Path, depth: int, counted: Iterator[int]) -> Iterator[Given]:
    """Yield the runs in a folder, or below it as deep as `depth`, and what is refused there."""
    if next(counted, None) is None:
        raise RunFolderError(
            f"{shown(path)}: there are too many folders to look for runs in; name a folder of runs"
        )
    if path.is_symlink() and path.name == LATEST:
        yield _open_in(path.parent, LATEST)
        return
    if path.is_symlink() or not path.is_dir():
        why = "is a link, which mnistlab does not follow" if path.is_symlink() else "is no folder"
        yield _refuse(path, why, place=path.parent)
        return
    if (path / RECORD).is_file() and not RunFolder(path).status.exists():
        return
    below = [] if RunFolder(path).status.exists() else list(_below(path, depth, counted))
    if is_run(path) and not any(one.folder for one in below):
        yield _open_in(path.parent, path.name)
        return
    yield from below


def _below(path: Path, depth: int, counted: Iterator[int]) -> Iterator[Given]:
    """Yield what `_runs_at` finds in the folders of a folder; files are passed over."""
    if depth == 0:
        return
    try:
        with os.scandir(path) as entries:
            inside = sorted(
                Path(entry.path)
                for entry in entries
                if not entry.name.startswith(".") and entry.name != LATEST
                if not entry.is_file(follow_symlinks=False)
            )
    except OSError as error:
        yield _refuse(path, f"cannot be read: {error.strerror}", place=path)
        return
    is_class = depth == _DEEPEST
    for entry in inside:
        found = list(_runs_at(entry, depth - 1, counted))
        if not found and is_class and not (entry / RECORD).is_file():
            found = [_refuse(entry, "there is no run in it", place=entry)]
        yield from found


def _open_in(runs_dir: Path, name: str) -> Given:
    """Return the run with this name in a folder of runs, refused where it cannot be opened."""
    for entry in foreign_entries(runs_dir / name, runs=True) if name != LATEST else ():
        why = f"{entry.name} is a link, no plain file, or closed to you"
        return _refuse(runs_dir / name, why, place=runs_dir)
    try:
        return _given(find_run(name, runs_dir))
    except RunFolderError as error:
        return Given(runs_dir / name, refused=str(error), place=runs_dir)


def _refuse(path: Path, why: str, *, place: Path) -> Given:
    return Given(path, refused=f"{shown(path)}: {why}", place=place)
