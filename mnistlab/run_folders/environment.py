"""Records what a run was made with: versions, machine, linear algebra, code, data."""

import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import threadpoolctl

import mnistlab

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
