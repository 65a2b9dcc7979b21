"""Makes the folder of a new run, and finds the run that a user names.

mnistlab makes plain files and folders only. A link, a pipe or a device in a run folder could
have anything read, written or waited for, so such a folder is not opened at all.
"""

import errno
import os
import re
import secrets
import stat
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from mnistlab.errors import RunFolderError, shown, suggest
from mnistlab.run_folders.files import sync_folder
from mnistlab.run_folders.folder import RunFolder, SweepFolder, open_folder

_WITHOUT_LINKS = (errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EISDIR)


LATEST = "latest"
"""The name of the link to the newest run."""


def default_runs_dir() -> Path:
    """Return MNISTLAB_RUNS_DIR, or `runs` where it is unset."""
    return Path(os.path.expanduser(os.environ.get("MNISTLAB_RUNS_DIR") or "runs"))


def create_run_folder(runs_dir: Path, name: str, *, latest: bool = True) -> RunFolder:
    """Create `runs_dir/YYYYmmdd-HHMMSS-NAME-XXXX/` for this process alone.

    With `latest`, `runs_dir/latest` then points to it. Raises RunFolderError where no folder can
    be made.
    """
    path: Path | None = None
    try:
        runs_dir.mkdir(parents=True, exist_ok=True)
        path = _make_folder(runs_dir, name)
        sync_folder(runs_dir)
        if latest:
            point_latest_to(path)
    except (OSError, ValueError) as error:
        if path is not None:
            remove_unbegun(RunFolder(path))
        raise cannot_keep(runs_dir, error) from None
    return RunFolder(path)


def cannot_keep(runs_dir: Path, error: OSError | ValueError) -> RunFolderError:
    """Return the error of a runs folder in which no run can be kept, with the reason."""
    is_file = False
    with suppress(OSError, ValueError):  # a name that no file can have
        is_file = runs_dir.exists() and not runs_dir.is_dir()
    reason = "it is a file" if is_file else getattr(error, "strerror", None) or str(error)
    is_full = getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT)
    free = "free some space or " if is_full else ""
    return RunFolderError(
        f"{runs_dir}: no run can be kept here ({reason}); {free}"
        "choose another place with --runs-dir or MNISTLAB_RUNS_DIR"
    )


def _make_folder(runs_dir: Path, name: str) -> Path:
    """Make the folder of a new run; the clock may stand still or jump, no name is taken twice."""
    while True:
        stamp = time.strftime("%Y%m%d-%H%M%S")
        path = runs_dir / f"{stamp}-{name}-{secrets.token_hex(2)}"
        with suppress(FileExistsError):
            path.mkdir()
            return path


def point_latest_to(path: Path) -> None:
    """Let the link `latest` beside a run point to it; a file system without links goes without.

    So does one where `latest` is no link but somebody's own. Raises any other OSError.
    """
    latest = path.with_name(LATEST)
    if os.path.lexists(latest) and not latest.is_symlink():
        return
    aside = path.with_name(f".latest.{secrets.token_hex(4)}")
    try:
        aside.symlink_to(path.name)
        aside.replace(latest)
    except OSError as error:
        with suppress(OSError):
            aside.unlink()
        if error.errno not in _WITHOUT_LINKS:
            raise


def point_latest_to_what_is_left(runs_dir: Path) -> None:
    """Let `latest`, if it points to what is gone, point to the newest run, or go too."""
    latest = runs_dir / LATEST
    if latest.is_symlink() and not latest.exists():
        with suppress(OSError):  # `latest` is a help, and found without its link too
            if left := run_paths(runs_dir):
                point_latest_to(max(left, key=_time_of))
            else:
                latest.unlink()


def remove_unbegun(run: RunFolder) -> None:
    """Remove the folder of a run in which nothing was done yet; what cannot be removed stays."""
    run.remove()
    point_latest_to_what_is_left(run.path.parent)


_OURS = re.compile(r"\d{8}-\d{6}-.+-[0-9a-f]{4}", re.ASCII)
"""The names that `create_run_folder` gives."""

_LISTED = 5
_LONGEST = 4096  # letters of a name: the longest path that Linux takes
_MOST_DIGITS = 9


def find_run(name: str, runs_dir: Path, *, opened: bool = True) -> RunFolder:
    """Return the folder of a run or of a sweep (a `SweepFolder`).

    `name` is a path to a run folder in `runs_dir`, or, below `runs_dir`, its name, the beginning
    of it if no other run's name begins so, or `latest`; with /7 after a sweep's, its run 7.
    Raises RunFolderError, for a folder outside `runs_dir` too, and, unless it is not to be
    `opened`, for one with links in it.
    """
    path = _find_path(name, runs_dir)
    if path is None and not opened:
        path = _find_unbegun(name, runs_dir)
    if path is None:
        sweep, slash, number = name.rstrip("/").rpartition("/")
        if not (slash and number.isascii() and number.isdecimal()):
            raise _no_run(name, runs_dir)
        path = _find_in_sweep(sweep, number, runs_dir)
    if opened:
        check_inside(path, runs_dir)
    return open_folder(path)


def find_sweep(name: str, runs_dir: Path) -> SweepFolder:
    """Return the folder of a sweep that is named as for `find_run`; raise RunFolderError."""
    return _as_sweep(find_run(name, runs_dir))


def _as_sweep(folder: RunFolder) -> SweepFolder:
    if not isinstance(folder, SweepFolder):
        raise RunFolderError(f"{shown(folder.name)}: is a single run, not a sweep")
    return folder


def run_paths(runs_dir: Path) -> list[Path]:
    """Return the run folders of `runs_dir`, in no order; none where it cannot be read."""
    return [path for path in _children(runs_dir) if is_run(path)]


def _find_path(name: str, runs_dir: Path) -> Path | None:
    """Return the run or sweep that a path or a name stands for, if there is one."""
    name = name.rstrip("/")
    if not name or "\0" in name or len(name) > _LONGEST:
        raise RunFolderError(f"'{shown(name)}' is no run's name")
    given = Path(name)
    if "/" in name:
        return _place_in(runs_dir, given) if is_run(given) else None
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
    folder = _as_sweep(open_folder(path))
    run = folder.run(int(number[-_MOST_DIGITS:])).path
    if len(number) > _MOST_DIGITS or not is_run(run):
        there = folder.runs()
        has = f"it has {there[0]} to {there[-1]}" if there else "it has none yet"
        raise RunFolderError(f"{shown(path.name)}: has no run {shown(number)}; {has}")
    return run


def _find_in(runs_dir: Path, name: str) -> Path | None:
    """Return the run with this name, or the only one whose name begins so."""
    if name == LATEST:
        return _latest(runs_dir)
    whole = runs_dir / name
    if not name.startswith(".") and is_run(whole) and not whole.is_symlink():
        return whole  # among ten thousand runs a look at each takes its time
    matches = [path for path in _children(runs_dir, name) if is_run(path)]
    if len(matches) > 1:
        names = sorted(path.name for path in matches)[:_LISTED]
        listed = ", ".join(map(shown, names))
        more = ", …" if len(matches) > _LISTED else ""
        raise RunFolderError(
            f"'{shown(name)}' is the beginning of {len(matches)} runs: {listed}{more}"
        )
    return matches[0] if matches else None


def _find_unbegun(name: str, runs_dir: Path) -> Path | None:
    """Return the folder with this name that a process left which was killed before its first file.

    It is named as runs are, and is empty but for what only helps to write.
    """
    path = runs_dir / name
    if not _OURS.fullmatch(name) or path not in _children(runs_dir, name):
        return None
    others = {entry.name for entry in path.iterdir()} - {RunFolder(path).lock_file.name}
    return None if any(not one.startswith(".") for one in others) else path


def _no_run(name: str, runs_dir: Path) -> RunFolderError:
    newest = sorted((path.name for path in run_paths(runs_dir)), reverse=True)[:_LISTED]
    hint = suggest(name[:_LONGEST], map(shown, newest))
    return RunFolderError(f"{shown(runs_dir)}: there is no run '{shown(name)}'{hint}")


def _latest(runs_dir: Path) -> Path:
    """Return where the link `latest` points, if that is a run beside it, else the newest run."""
    with suppress(OSError, ValueError):
        target = (runs_dir / LATEST).readlink()
        path = runs_dir / target.name
        beside = len(target.parts) == 1 and target.name != ".."
        if beside and not path.is_symlink() and is_run(path):
            return path
    runs = run_paths(runs_dir)
    if not runs:
        raise RunFolderError(f"{shown(runs_dir)}: there is no run here yet")
    return max(runs, key=_time_of)


def _time_of(path: Path) -> tuple[str, int]:
    """Return when a run began: by its name to the second, then by its first file.

    A name that a user has given says nothing of it.
    """
    stamp, began = path.name[:15] if _OURS.fullmatch(path.name) else "", 0
    with suppress(OSError):
        began = (path / "config.yaml").lstat().st_mtime_ns
    return stamp or time.strftime("%Y%m%d-%H%M%S", time.localtime(began / 1e9)), began


def child_names(folder: Path, beginning: str = "") -> list[str]:
    """Return the names of a folder's folders that begin so; links and .hidden ones are none.

    Nor is one named `latest`: it is what a copy has made of the link, and a run twice. Raises
    OSError, or ValueError for a name that no folder can have.
    """
    with os.scandir(folder) as entries:
        return [
            entry.name
            for entry in entries
            if entry.name.startswith(beginning)
            and not entry.name.startswith(".")
            and entry.name != LATEST
            and entry.is_dir(follow_symlinks=False)
        ]


def _children(folder: Path, beginning: str = "") -> list[Path]:
    """Return the folders of `child_names`, none where the folder cannot be read."""
    with suppress(OSError, ValueError):
        return [folder / name for name in child_names(folder, beginning)]
    return []


def is_run(path: Path) -> bool:
    """Return whether a folder is that of a run or a sweep, by the files in it."""
    folder = RunFolder(path)
    try:
        return any(path.exists() for path in (folder.status, folder.config, SweepFolder(path).plan))
    except (OSError, ValueError):  # a name that no file can have
        return False


def check_outside_runs(place: Path, what: str) -> None:
    """Raise RunFolderError if a folder is a run's or lies in one: only the run writes there."""
    if any(is_run(folder) for folder in (place, *place.absolute().parents)):
        raise RunFolderError(f"{shown(place)}: no {what} can be written into a run folder")


def is_inside(folder: Path, runs_dir: Path) -> bool:
    """Return whether a folder lies in a runs folder, links followed."""
    return Path(os.path.realpath(runs_dir)) in Path(os.path.realpath(folder)).parents


def check_inside(folder: Path, runs_dir: Path, *, of_runs: bool = True) -> None:
    """Raise RunFolderError unless `folder` lies in `runs_dir` and is made of plain files.

    With `of_runs`, so must be the runs inside a sweep.
    """
    if not is_inside(folder, runs_dir):
        raise RunFolderError(
            f"{shown(folder)}: lies outside the runs folder {shown(runs_dir)}; name its own with "
            f"--runs-dir {shown(Path(os.path.realpath(folder)).parent)}"
        )
    for entry in foreign_entries(folder, runs=of_runs):
        raise RunFolderError(
            f"{shown(entry)}: is a link, no plain file or closed to you, which mnistlab never "
            "makes; nothing here is opened until it is gone"
        )


def foreign_entries(folder: Path, *, runs: bool = False) -> Iterator[Path]:
    """Yield what in a run folder is neither a plain file nor one of the folders it may have.

    So is a folder that cannot be looked into: what it holds could be anything. Of the runs
    inside a sweep this says only whether they are folders; what is in them, with `runs`.
    """
    try:
        mode = folder.lstat().st_mode
    except OSError:  # nothing is there, so nothing of it is opened
        return
    if not stat.S_ISDIR(mode):
        yield folder
        return
    try:
        yield from _foreign_in(folder, runs)
    except OSError:
        yield folder


def _foreign_in(folder: Path, runs: bool) -> Iterator[Path]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if not entry.is_dir(follow_symlinks=False):
                if not entry.is_file(follow_symlinks=False):
                    yield Path(entry.path)
            elif entry.name in ("plots", "checkpoints", "runs"):
                yield from _foreign_below(Path(entry.path), runs)


def _foreign_below(folder: Path, runs: bool) -> Iterator[Path]:
    """Yield the foreign entries of a folder in a run's; `runs` alone holds folders: runs again."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if folder.name == "runs" and entry.is_dir(follow_symlinks=False):
                if runs:
                    yield from foreign_entries(Path(entry.path))
            elif not entry.is_file(follow_symlinks=False):
                yield Path(entry.path)
