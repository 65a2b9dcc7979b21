"""Makes the folder of a new run, which no other process ever gets."""

import contextlib
import errno
import os
import secrets
import time
from pathlib import Path

from mnistlab.errors import RunFolderError
from mnistlab.runs.files import sync_folder
from mnistlab.runs.folder import RunFolder

_WITHOUT_LINKS = (errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EISDIR)


def default_runs_dir() -> Path:
    """Return MNISTLAB_RUNS_DIR, or `runs` where it is unset."""
    return Path(os.environ.get("MNISTLAB_RUNS_DIR") or "runs")


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
            _point_latest_to(path)
    except (OSError, ValueError) as error:
        if path is not None:
            RunFolder(path).remove()
        raise cannot_keep(runs_dir, error) from None
    return RunFolder(path)


def cannot_keep(runs_dir: Path, error: OSError | ValueError) -> RunFolderError:
    """Return the error of a runs folder in which no run can be kept, with the reason."""
    is_file = False
    with contextlib.suppress(OSError, ValueError):  # a name that no file can have
        is_file = runs_dir.exists() and not runs_dir.is_dir()
    reason = "it is a file" if is_file else getattr(error, "strerror", None) or str(error)
    return RunFolderError(
        f"{runs_dir}: no run can be kept here ({reason}); "
        "free some space or choose another place with --runs-dir or MNISTLAB_RUNS_DIR"
    )


def _make_folder(runs_dir: Path, name: str) -> Path:
    """Make the folder of a new run; the clock may stand still or jump, no name is taken twice."""
    while True:
        stamp = time.strftime("%Y%m%d-%H%M%S")
        path = runs_dir / f"{stamp}-{name}-{secrets.token_hex(2)}"
        with contextlib.suppress(FileExistsError):
            path.mkdir()
            return path


def _point_latest_to(path: Path) -> None:
    """Replace the link `latest`; a file system without links goes without.

    So does one where `latest` is a folder of somebody's. Raises any other OSError.
    """
    aside = path.with_name(f".latest.{secrets.token_hex(4)}")
    try:
        aside.symlink_to(path.name)
        aside.replace(path.with_name("latest"))
    except OSError as error:
        with contextlib.suppress(OSError):
            aside.unlink()
        if error.errno not in _WITHOUT_LINKS:
            raise
