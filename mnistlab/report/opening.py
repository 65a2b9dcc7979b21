"""Opens the run folders that a report is about: of the runs folder, or by their paths.

A report only reads, so unlike every other command it takes folders from anywhere: those that an
instructor was sent, for instance. What is in them is looked at as in any: no link is followed.
"""

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from mnistlab.errors import RunFolderError, shown
from mnistlab.report.run_record import RunRecord
from mnistlab.report.shared_data import SharedData
from mnistlab.report.sweep_record import SweepRecord
from mnistlab.report.text import clean
from mnistlab.run_folders import RunFolder
from mnistlab.run_folders.folder import SweepFolder
from mnistlab.run_folders.places import find_run, run_paths

RECORD = "report.json"
"""What a report's own folder holds: that is no run, and lies in many a runs folder."""

_DEEPEST = 20  # parents that are looked at to tell two folders apart


def open_given(names: Sequence[str], runs_dir: Path) -> list[RunFolder]:
    """Return the folders of the runs and sweeps that are named, in their order.

    A name with a slash that is a path to a run folder is opened where it is; that of a folder of
    runs stands for all of these. Any other name is one of `runs_dir`, as `find_run` takes it.
    Raises RunFolderError for what is no run, or has links in it.
    """
    found: list[RunFolder] = []
    for name in names:
        path = Path(os.path.abspath(name)) if "/" in name and "\0" not in name else None  # noqa: PTH100 - a link stays one
        found += [find_run(name, runs_dir)] if path is None or not path.is_dir() else _open(path)
    if names and not found:
        raise RunFolderError(f"{shown(names[0])}: there is no run here")
    return found


def read_records(folders: Sequence[RunFolder]) -> tuple[list[RunRecord], list[SweepRecord]]:
    """Return the runs and the sweeps of a report, each folder once, in their order.

    Folders of the same name in different places are told apart by where they lie.
    """
    shared = SharedData()
    unique: dict[Path, RunFolder] = {}
    for folder in folders:
        unique.setdefault(folder.path.resolve(), folder)
    labels = _labels({place: folder.name for place, folder in unique.items()})
    runs, sweeps = list[RunRecord](), list[SweepRecord]()
    for place, folder in unique.items():
        if isinstance(folder, SweepFolder):
            sweeps.append(SweepRecord(folder, shared, labels[place]))
        else:
            runs.append(RunRecord(folder, shared, labels[place]))
    return runs, sweeps


def _labels(names: dict[Path, str]) -> dict[Path, str]:
    """Return a name for each folder that no other has: its own, or that with its parents'."""
    labels: dict[Path, str] = {}
    left = {place: clean(name) for place, name in names.items()}
    for depth in range(2, _DEEPEST):
        counts = Counter(left.values())
        labels |= {place: name for place, name in left.items() if counts[name] == 1}
        left = {
            place: clean("/".join(place.parts[-depth:]))
            for place, name in left.items()
            if counts[name] > 1
        }
    return labels | {place: f"{name} ({at})" for at, (place, name) in enumerate(left.items(), 1)}


def _open(path: Path) -> list[RunFolder]:
    """Return the run that a folder is, or those that lie in it."""
    if path.is_symlink() and path.name == "latest":
        return [find_run("latest", path.parent)]
    if (path / RECORD).is_file():
        return []
    inside = run_paths(path)
    if inside and not RunFolder(path).status.exists():
        return [find_run(one.name, path) for one in sorted(inside)]
    if not (RunFolder(path).status.exists() or RunFolder(path).config.exists()):
        raise RunFolderError(f"{shown(path)}: is no run, and no folder of runs")
    return [find_run(path.name, path.parent)]
