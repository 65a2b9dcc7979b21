"""What a run was made with: versions, machine, code, data; and whether it is as it was left."""

import hashlib
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import threadpoolctl

import mnistlab
from mnistlab.errors import RunFolderError
from mnistlab.run_folders import files
from mnistlab.run_folders.folder import RunFolder, SweepFolder, open_folder
from mnistlab.run_folders.places import foreign_entries, run_paths

_PACKAGES = ("numpy", "matplotlib", "pydantic", "pyyaml", "safetensors", "typer", "rich")


def describe_environment() -> dict[str, Any]:
    """Return versions, platform, linear algebra with its threads, git state and command line."""
    return {
        "mnistlab": mnistlab.__version__,
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in _PACKAGES},
        "platform": platform.platform(),
        "machine": platform.machine(),
        "processors": os.cpu_count(),
        "blas": [
            {
                key: library[key]
                for key in ("internal_api", "version", "num_threads", "architecture")
                if key in library
            }
            for library in _blas()
        ],
        "git": _git_state(),
        "command": sys.argv,
    }


def _blas() -> list[dict[str, Any]]:
    """Return the linear algebra that NumPy multiplies with; SciPy brings one of its own along."""
    found = [one for one in threadpoolctl.threadpool_info() if one["user_api"] == "blas"]
    numpys = [one for one in found if "numpy" in str(one.get("filepath"))]
    return numpys or found


MACHINE = ("python", "packages", "platform", "machine", "processors", "blas", "host")
"""What a run's environment says of another machine that trained it, `host` being its name."""


def describe_machine() -> dict[str, Any]:
    """Return what the environment of a run says of the machine that trained it."""
    known = {**describe_environment(), "host": platform.node()}
    return {key: known[key] for key in MACHINE}


def describe_other_blas(known: Mapping[str, Any], ours: Mapping[str, Any]) -> str | None:
    """Return a warning if two environments differ in linear algebra: so may the last bits."""
    then, now = kernels_of(known), kernels_of(ours)
    if not then or then == now:
        return None
    return (
        f"was begun with the linear algebra {', '.join(then)} and goes on with {', '.join(now)}: "
        "the last bits may come out otherwise"
    )


def kernels_of(environment: Mapping[str, Any]) -> list[str]:
    """Return library, version and kernel of each linear algebra that an environment names."""
    keys = ("internal_api", "version", "architecture")
    return [
        " ".join(str(one.get(key)) for key in keys) if isinstance(one, dict) else str(one)
        for one in environment.get("blas") or ()
    ]


def uncommitted_changes(environment: Mapping[str, Any]) -> str:
    """Return the code's difference from its commit as a patch, empty where there is none."""
    if not (environment["git"] or {}).get("dirty"):
        return ""
    return _git("diff", "HEAD", "--no-color", "--no-ext-diff") or ""


def _git_state() -> dict[str, Any] | None:
    """Return the commit the code comes from and whether it was changed since, if it has one."""
    report = _git("status", "--porcelain=v2", "--branch", "--untracked-files=no")
    if report is None:
        return None
    lines = report.splitlines()
    commit = next((line.split()[2] for line in lines if line.startswith("# branch.oid")), None)
    return {"commit": commit, "dirty": any(not line.startswith("#") for line in lines)}


def _git(*arguments: str) -> str | None:
    checkout = Path(mnistlab.__file__).parents[1]
    if not (checkout / ".git").exists():
        return None
    try:
        result = subprocess.run(  # noqa: S603 - fixed arguments
            ["git", "-C", str(checkout), *arguments],  # noqa: S607 - git is where PATH says
            capture_output=True,
            text=True,
            errors="replace",
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return result.stdout


@cache  # a sweep asks for each of its runs, and reading a package's metadata takes 5 ms
def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


FINAL = frozenset({"completed", "diverged"})
"""The statuses of a run that needs no second try."""


def is_intact(run: RunFolder, statuses: frozenset[str] = FINAL) -> bool:
    """Return whether a run has ended with one of these statuses and each file is as it was left.

    A run that is not intact counts as not done: it can be trained again.
    """
    if any(foreign_entries(run.path)):
        return False
    status = run.read_status()
    if status["status"] not in statuses:
        return False
    needed = [run.config, run.environment, run.metrics, run.summary]
    if status["status"] == "completed":
        needed.append(run.model)
    checksums = run.checksums()
    return all(path.name in checksums for path in needed) and not run.damaged_files()


def check_undamaged(run: RunFolder) -> None:
    """Raise RunFolderError if a file does not have the checksum in the run's status."""
    if damaged := run.damaged_files():
        raise RunFolderError(f"{run.path / damaged[0]}: is not what the run left")


def check_same_data(run: RunFolder, dataset: str, sha256: str) -> None:
    """Raise RunFolderError if a run was made on data with another SHA-256.

    `dataset` is how its config calls the data.
    """
    known = run.read_environment().get("data_sha256")
    if known is not None and known != sha256:
        raise RunFolderError(f"{run.name}: {dataset} has changed since the run was made")


def check_origin(run: RunFolder, sha256: str, instead: str) -> None:
    """Raise RunFolderError, which says what to do instead, for a run of other code or data."""
    known = run.read_environment()
    for what, value in {"mnistlab": mnistlab.__version__, "data_sha256": sha256}.items():
        if known.get(what) != value:
            raise RunFolderError(
                f"{run.name}: was begun with {what} {known.get(what)}, now it is {value}; {instead}"
            )


def find_intact_runs(
    runs_dir: Path, is_wanted: Callable[[Mapping[str, Any]], bool], *, of_sweeps: bool = False
) -> Iterator[RunFolder]:
    """Yield the intact runs of a runs folder whose environment.json is wanted, the newest first.

    With `of_sweeps` those inside its sweeps, too. A folder that holds links or pipes is not
    opened, and one that cannot be read holds no run.
    """
    for folder, foreign in _folders(runs_dir):
        if any(entry.parent != folder.path / "runs" for entry in foreign):
            continue  # what stands among a sweep's runs is no reason to leave out the others
        runs = [] if isinstance(folder, SweepFolder) else [folder]
        if of_sweeps and isinstance(folder, SweepFolder):
            with suppress(OSError):
                runs = [folder.run(number) for number in folder.runs()]
        for run in runs:
            if _is_wanted(run, is_wanted):
                yield run


def plain_folders(runs_dir: Path) -> Iterator[RunFolder]:
    """Yield the runs and sweeps of a runs folder that are made of plain files, the newest first."""
    return (folder for folder, foreign in _folders(runs_dir) if not foreign)


def _folders(runs_dir: Path) -> Iterator[tuple[RunFolder, list[Path]]]:
    """Yield each run and sweep with its foreign entries, the newest first."""
    for path in sorted(run_paths(runs_dir), key=lambda path: path.name, reverse=True):
        yield open_folder(path), list(foreign_entries(path))


def _is_wanted(run: RunFolder, is_wanted: Callable[[Mapping[str, Any]], bool]) -> bool:
    try:
        return (
            not any(foreign_entries(run.path))
            and is_wanted(run.read_environment())
            and is_intact(run)
        )
    except OSError:
        return False


def replace_files(run: RunFolder, contents: Mapping[Path, bytes]) -> None:
    """Write new contents into files of a run that has ended; it is intact at every moment.

    The files need not be there yet. Until all are written the status has two checksums for each,
    as it was and as it is to be. Raises RunFolderError where another process works on the run,
    and OSError.
    """
    with run.locked():
        status, known = run.read_status()["status"], run.checksums()
        new = {path.name: hashlib.sha256(content).hexdigest() for path, content in contents.items()}
        if known:
            either = {
                path.name: files.checksum_while_replaced(path, known.get(path.name), new[path.name])
                for path in contents
            }
            run.write_status(status, checksums={**known, **either})
        for path, content in contents.items():
            files.write_bytes(path, content)
        if known:
            run.write_status(status, checksums={**known, **new})
