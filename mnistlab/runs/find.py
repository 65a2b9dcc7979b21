"""Finds the run that somebody names: by its folder, the start of its name, `latest`, or SWEEP/7."""

import os
from contextlib import suppress
from pathlib import Path

from mnistlab.errors import RunFolderError, suggest
from mnistlab.runs.folder import RunFolder
from mnistlab.runs.guard import check_inside, shown
from mnistlab.runs.sweep_folder import SweepFolder, is_sweep

_TOLD = 5
_LONGEST = 4096  # letters of a name: the longest path that Linux takes
_SHOWN = 100  # letters of it that a message repeats
_MOST_DIGITS = 9


def find_run(name: str, runs_dir: Path, *, opened: bool = True) -> RunFolder:
    """Return the folder of a run or of a sweep (a `SweepFolder`).

    `name` is a path to a run folder in `runs_dir`, or, below `runs_dir`, its name, the beginning
    of it if no other run's name begins so, or `latest`; with /7 after a sweep's, its run 7.
    Raises RunFolderError, for a folder outside `runs_dir` too, and, unless it is not to be
    `opened`, for one with links in it.
    """
    path = _find_path(name, runs_dir)
    if path is None:
        sweep, slash, number = name.rstrip("/").rpartition("/")
        if not (slash and number.isascii() and number.isdecimal()):
            raise _no_run(name, runs_dir)
        path = _find_in_sweep(sweep, number, runs_dir)
    if opened:
        check_inside(path, runs_dir)
    return SweepFolder(path) if is_sweep(path) else RunFolder(path)


def find_sweep(name: str, runs_dir: Path) -> SweepFolder:
    """Return the folder of a sweep that is named as for `find_run`; raise RunFolderError."""
    folder = find_run(name, runs_dir)
    if not isinstance(folder, SweepFolder):
        raise RunFolderError(f"{shown(folder.name)}: is a single run, not a sweep")
    return folder


def run_paths(runs_dir: Path) -> list[Path]:
    """Return the run folders of `runs_dir`, in no order; none where it cannot be read."""
    return [path for path in _children(runs_dir) if _is_run(path)]


def _find_path(name: str, runs_dir: Path) -> Path | None:
    """Return the run or sweep that a path or a name stands for, if there is one."""
    name = name.rstrip("/")
    if not name or "\0" in name or len(name) > _LONGEST:
        raise RunFolderError(f"{_quoted(name)} is no run's name")
    given = Path(name)
    if "/" in name:
        return _place_in(runs_dir, given) if _is_run(given) else None
    return _find_in(runs_dir, name)


def _place_in(runs_dir: Path, given: Path) -> Path:
    """Return where in `runs_dir` a folder lies, links followed.

    Raises RunFolderError unless that is where runs are: `runs_dir` itself or a sweep's `runs`.
    """
    root, place = Path(os.path.realpath(runs_dir)), Path(os.path.realpath(given))
    match place.relative_to(root).parts if root in place.parents else ():
        case (_,) | (_, "runs", _):
            return runs_dir / place.relative_to(root)
    raise RunFolderError(
        f"{shown(given)}: is no run of the runs folder {shown(runs_dir)}; name its own with "
        f"--runs-dir {shown(place.parent)}"
    )


def _find_in_sweep(sweep: str, number: str, runs_dir: Path) -> Path:
    path = _find_path(sweep, runs_dir)
    if path is None:
        raise _no_run(sweep, runs_dir)
    check_inside(path, runs_dir, of_runs=False)
    if not is_sweep(path):
        raise RunFolderError(f"{shown(path.name)}: is a single run, not a sweep")
    run = SweepFolder(path).run(int(number[-_MOST_DIGITS:])).path
    if len(number) > _MOST_DIGITS or not _is_run(run):
        raise RunFolderError(f"{shown(path.name)}: has no run {shown(number)} (yet)")
    return run


def _find_in(runs_dir: Path, name: str) -> Path | None:
    """Return the run with this name, or the only one whose name begins so."""
    if name == "latest":
        return _latest(runs_dir)
    whole = runs_dir / name
    if not name.startswith(".") and _is_run(whole) and not whole.is_symlink():
        return whole  # among ten thousand runs a look at each takes its time
    matches = [path for path in _children(runs_dir, name) if _is_run(path)]
    if len(matches) > 1:
        names = sorted(path.name for path in matches)[:_TOLD]
        told = ", ".join(map(shown, names))
        more = ", …" if len(matches) > _TOLD else ""
        raise RunFolderError(
            f"{_quoted(name)} is the beginning of {len(matches)} runs: {told}{more}"
        )
    return matches[0] if matches else None


def _no_run(name: str, runs_dir: Path) -> RunFolderError:
    newest = sorted((path.name for path in run_paths(runs_dir)), reverse=True)[:_TOLD]
    hint = suggest(name[:_LONGEST], map(shown, newest))
    return RunFolderError(f"{shown(runs_dir)}: there is no run {_quoted(name)}{hint}")


def _quoted(name: str) -> str:
    return repr(name if len(name) <= _SHOWN else f"{name[:_SHOWN]}…")


def _latest(runs_dir: Path) -> Path:
    """Return where the link `latest` points, if that is a run beside it, else the newest run."""
    with suppress(OSError, ValueError):
        target = (runs_dir / "latest").readlink()
        path = runs_dir / target.name
        beside = len(target.parts) == 1 and target.name != ".."
        if beside and not path.is_symlink() and _is_run(path):
            return path
    runs = run_paths(runs_dir)
    if not runs:
        raise RunFolderError(f"{shown(runs_dir)}: there is no run here yet")
    return max(runs, key=lambda path: path.name)


def _children(folder: Path, beginning: str = "") -> list[Path]:
    """Return the folders in a folder whose names begin so; links and .hidden ones are none."""
    try:
        with os.scandir(folder) as entries:
            return [
                Path(entry.path)
                for entry in entries
                if entry.name.startswith(beginning)
                and not entry.name.startswith(".")
                and entry.is_dir(follow_symlinks=False)
            ]
    except (OSError, ValueError):  # there is no such folder, or no such name can be
        return []


def _is_run(path: Path) -> bool:
    folder = RunFolder(path)
    try:
        return folder.status.exists() or folder.config.exists()
    except (OSError, ValueError):  # a name that no file can have
        return False
