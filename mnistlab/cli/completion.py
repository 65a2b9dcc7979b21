"""What the shell is offered for a word that was begun: runs, configs, keys and their values."""

import os
import re
from pathlib import Path

import typer

_HARMLESS = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*", re.ASCII)
"""The names that mnistlab gives; a folder called `$(…)` is no word to hand to a shell."""


def complete_run(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return the runs and sweeps, the newest first, that a word begins; SWEEP/0 … after a slash."""
    folder = _runs_folder(ctx)
    sweep, slash, number = incomplete.rpartition("/")
    if not slash:
        return _begun(["latest", *_names_in(folder)], incomplete)
    if sweep != "latest" and not _HARMLESS.fullmatch(sweep):
        return []
    numbers = [name for name in _names_in(folder / sweep / "runs") if name.isdecimal()]
    return [f"{sweep}/{name}" for name in sorted(_begun(numbers, number), key=int)]


def complete_sweep(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return the sweeps, the newest first, that a word begins."""
    folder = _runs_folder(ctx)
    sweeps = [name for name in _names_in(folder) if (folder / name / "plan.json").exists()]
    return _begun(["latest", *sweeps], incomplete)


def _runs_folder(ctx: typer.Context) -> Path:
    from mnistlab.run_folders import default_runs_dir

    return Path(ctx.params.get("runs_dir") or default_runs_dir())


def _names_in(folder: Path) -> list[str]:
    """Return the folders that are named as mnistlab names them, the newest first."""
    try:
        with os.scandir(folder) as entries:
            folders = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    except (OSError, ValueError):  # a folder that is not there has none
        return []
    return sorted(filter(_HARMLESS.fullmatch, folders), reverse=True)


def _begun(names: list[str], beginning: str) -> list[str]:
    return [name for name in names if name.startswith(beginning)]


def complete_config(incomplete: str) -> list[str]:
    """Return the shipped configs and the YAML files and folders that a word begins."""
    from mnistlab.config.config_files import shipped_configs

    folder, slash, name = incomplete.rpartition("/")
    here = Path(f"{folder}{slash}" or ".")
    files = [
        f"{folder}{slash}{path.name}{'/' if path.is_dir() else ''}"
        for path in (sorted(here.iterdir()) if here.is_dir() else ())
        if path.name.startswith(name) and (path.is_dir() or path.suffix in (".yaml", ".yml"))
        if not path.name.startswith(".")
    ]
    return [*_begun(list(shipped_configs()), incomplete), *files]


def complete_override(incomplete: str) -> list[str]:
    """Return the keys of a config that a word begins, or after the `=` the names of its values."""
    from mnistlab.config.load import names_for, valid_keys

    key, equals, value = incomplete.partition("=")
    if not equals:
        return [f"{one}=" for one in _begun(valid_keys(), incomplete)]
    return [f"{key}={name}" for name in _begun(_names_of(key) or names_for(key), value)]


def _names_of(key: str) -> list[str]:
    """Return the names that a key of the data takes."""
    from mnistlab.datasets import DATASETS, PREPROCESSING, SPLITS

    names = {
        "data.dataset": [*DATASETS],
        "data.split": [*SPLITS],
        "data.preprocess": [f"[{name}]" for name in PREPROCESSING],
    }
    return names.get(key, [])


def complete_status(incomplete: str) -> list[str]:
    """Return the statuses that a word begins."""
    from mnistlab.store.selection import STATUSES

    return _begun(list(STATUSES), incomplete)
