"""Opens the run folders that somebody names for a report: of the runs folder, or by their paths.

A report only reads, so unlike every other command it takes folders from anywhere: those that an
instructor was sent, for instance. What is in them is looked at as in any: no link is followed.
"""

import os
from collections.abc import Sequence
from pathlib import Path

from mnistlab.errors import RunFolderError, shown
from mnistlab.runs import RunFolder
from mnistlab.runs.places import find_run, run_paths

_REPORT = "report.json"  # what a report's own folder holds: no run, and in many a runs folder


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


def _open(path: Path) -> list[RunFolder]:
    """Return the run that a folder is, or those that lie in it."""
    if path.is_symlink() and path.name == "latest":
        return [find_run("latest", path.parent)]
    if (path / _REPORT).is_file():
        return []
    inside = run_paths(path)
    if inside and not RunFolder(path).status.exists():
        return [find_run(one.name, path) for one in sorted(inside)]
    return [_open_run(path)]


def _open_run(path: Path) -> RunFolder:
    if not (RunFolder(path).status.exists() or RunFolder(path).config.exists()):
        raise RunFolderError(f"{shown(path)}: is no run, and no folder of runs")
    return find_run(path.name, path.parent)
