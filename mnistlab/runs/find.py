"""Finds the run that somebody names: by its folder, the start of its name, `latest`, or SWEEP/7."""

import os
from contextlib import suppress
from pathlib import Path

from mnistlab.errors import RunFolderError, suggest
from mnistlab.runs.folder import RunFolder
from mnistlab.runs.guard import check_inside
from mnistlab.runs.sweep_folder import SweepFolder, is_sweep

_TOLD = 5


def find_run(name: str, runs_dir: Path) -> RunFolder:
    """Return the folder of a run or of a sweep (a `SweepFolder`).

    `name` is a path to a run folder in `runs_dir`, or, below `runs_dir`, its name, the beginning
    of it if no other run's name begins so, or `latest`; with /7 after a sweep's, its run 7.
    Raises RunFolderError, for a folder outside `runs_dir` or with links in it too.
    """
    if not name or "\0" in name:
        raise RunFolderError(f"{name!r} is no run's name")
    given = Path(name)
    if len(given.parts) > 1 and _is_run(given):
        check_inside(given, runs_dir)
        place = Path(os.path.realpath(given)).relative_to(os.path.realpath(runs_dir))
        return _folder(runs_dir / place)
    sweep, slash, number = name.rpartition("/")
    if slash and number.isascii() and number.isdecimal():
        found = find_sweep(sweep, runs_dir)
        run = found.run(int(number))
        if not _is_run(run.path):
            raise RunFolderError(f"{found.name}: has no run {int(number)} (yet)")
        check_inside(run.path, runs_dir)
        return run
    path = _find_in(runs_dir, name)
    check_inside(path, runs_dir)
    return _folder(path)


def find_sweep(name: str, runs_dir: Path) -> SweepFolder:
    """Return the folder of a sweep that is named as for `find_run`; raise RunFolderError."""
    folder = find_run(name, runs_dir)
    if not isinstance(folder, SweepFolder):
        raise RunFolderError(f"{folder.name}: is a single run, not a sweep")
    return folder


def run_paths(runs_dir: Path) -> list[Path]:
    """Return the run folders of `runs_dir`, in no order; none where it cannot be read."""
    return [path for path in _children(runs_dir) if _is_run(path)]


def _find_in(runs_dir: Path, name: str) -> Path:
    if name == "latest":
        return _latest(runs_dir)
    begin_so = [path for path in _children(runs_dir) if path.name.startswith(name)]
    runs = [path for path in begin_so if _is_run(path)]
    matches = [path for path in runs if path.name == name] or runs
    if len(matches) == 1:
        return matches[0]
    if matches:
        told = ", ".join(sorted(path.name for path in matches)[:_TOLD])
        more = ", …" if len(matches) > _TOLD else ""
        raise RunFolderError(f"{name!r} is the beginning of {len(matches)} runs: {told}{more}")
    newest = sorted((path.name for path in run_paths(runs_dir)), reverse=True)[:_TOLD]
    raise RunFolderError(f"{runs_dir}: there is no run {name!r}{suggest(name, newest)}")


def _latest(runs_dir: Path) -> Path:
    """Return where the link `latest` points, if that is a run beside it, else the newest run."""
    with suppress(OSError):
        target = runs_dir / (runs_dir / "latest").readlink()
        if target.parent == runs_dir and _is_run(target):
            return target
    runs = run_paths(runs_dir)
    if not runs:
        raise RunFolderError(f"{runs_dir}: there is no run here yet")
    return max(runs, key=lambda path: path.name)


def _children(folder: Path) -> list[Path]:
    """Return the folders in a folder; links and what begins with a dot are none."""
    try:
        with os.scandir(folder) as entries:
            return [
                Path(entry.path)
                for entry in entries
                if entry.is_dir(follow_symlinks=False) and not entry.name.startswith(".")
            ]
    except OSError:
        return []


def _is_run(path: Path) -> bool:
    folder = RunFolder(path)
    try:
        return folder.status.exists() or folder.config.exists()
    except (OSError, ValueError):  # a name that no file can have
        return False


def _folder(path: Path) -> RunFolder:
    return SweepFolder(path) if is_sweep(path) else RunFolder(path)
