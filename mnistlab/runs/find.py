"""Finds the run that somebody names: by its folder, the start of its name, `latest`, or SWEEP/7."""

from pathlib import Path

from mnistlab.errors import RunFolderError, suggest
from mnistlab.runs.folder import RunFolder
from mnistlab.runs.sweep_folder import SweepFolder, is_sweep

_TOLD = 5


def find_run(name: str, runs_dir: Path) -> RunFolder:
    """Return the folder of a run or of a sweep (a `SweepFolder`).

    `name` is a path to a run folder, or, below `runs_dir`, its name, the beginning of it if no
    other run's name begins so, or `latest`; with /7 after a sweep's, its run 7. Raises
    RunFolderError.
    """
    if not name or "\0" in name:
        raise RunFolderError(f"{name!r} is no run's name")
    given = Path(name)
    if _is_run(given) and len(given.parts) > 1:
        return _folder(given)
    sweep, slash, number = name.rpartition("/")
    if slash and number.isascii() and number.isdecimal():
        found = find_sweep(sweep, runs_dir)
        run = found.run(int(number))
        if not _is_run(run.path):
            raise RunFolderError(f"{found.name}: has no run {number} (yet)")
        return run
    return _folder(_find_in(runs_dir, name))


def find_sweep(name: str, runs_dir: Path) -> SweepFolder:
    """Return the folder of a sweep that is named as for `find_run`; raise RunFolderError."""
    folder = find_run(name, runs_dir)
    if not isinstance(folder, SweepFolder):
        raise RunFolderError(f"{folder.name}: is a single run, not a sweep")
    return folder


def _find_in(runs_dir: Path, name: str) -> Path:
    runs = [path for path in _children(runs_dir) if _is_run(path)]
    if name == "latest":
        latest = runs_dir / "latest"
        if _is_run(latest):
            return latest.resolve()
        if runs:
            return max(runs, key=lambda path: path.name)
        raise RunFolderError(f"{runs_dir}: there is no run here yet")
    matches = [path for path in runs if path.name == name] or [
        path for path in runs if path.name.startswith(name)
    ]
    if len(matches) == 1:
        return matches[0]
    if matches:
        told = ", ".join(sorted(path.name for path in matches)[:_TOLD])
        more = ", …" if len(matches) > _TOLD else ""
        raise RunFolderError(f"{name!r} is the beginning of {len(matches)} runs: {told}{more}")
    newest = sorted((path.name for path in runs), reverse=True)[:_TOLD]
    raise RunFolderError(f"{runs_dir}: there is no run {name!r}{suggest(name, newest)}")


def _children(folder: Path) -> list[Path]:
    try:
        return [path for path in folder.iterdir() if not path.is_symlink() and path.is_dir()]
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
