"""Completes the names of runs in a shell: quickly, silently, and only with harmless letters."""

import os
import re
from pathlib import Path

import typer

_HARMLESS = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*", re.ASCII)
"""The names that mnistlab gives; a folder called `$(…)` is no word to hand to a shell."""


def complete_run(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return the runs and sweeps, the newest first, that a word begins; SWEEP/0 … after a slash."""
    folder = _runs_dir(ctx)
    sweep, slash, number = incomplete.rpartition("/")
    if not slash:
        return _begun(["latest", *_runs(folder)], incomplete)
    if sweep != "latest" and not _HARMLESS.fullmatch(sweep):
        return []
    numbers = [name for name in _folders(folder / sweep / "runs") if name.isdecimal()]
    return [f"{sweep}/{name}" for name in sorted(_begun(numbers, number), key=int)]


def complete_sweep(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return the sweeps, the newest first, that a word begins."""
    folder = _runs_dir(ctx)
    sweeps = [name for name in _runs(folder) if (folder / name / "plan.json").exists()]
    return _begun(["latest", *sweeps], incomplete)


def _runs_dir(ctx: typer.Context) -> Path:
    from mnistlab.runs import default_runs_dir

    given = ctx.params.get("runs_dir")
    return Path(given) if given else default_runs_dir()


def _runs(folder: Path) -> list[str]:
    return sorted(_folders(folder), reverse=True)


def _folders(folder: Path) -> list[str]:
    """Return the folders in a folder that are named as mnistlab names them; none of a lost one."""
    try:
        with os.scandir(folder) as entries:
            return [
                entry.name
                for entry in entries
                if _HARMLESS.fullmatch(entry.name) and entry.is_dir(follow_symlinks=False)
            ]
    except (OSError, ValueError):
        return []


def _begun(names: list[str], beginning: str) -> list[str]:
    return [name for name in names if name.startswith(beginning)]
