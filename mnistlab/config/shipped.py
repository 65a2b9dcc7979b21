"""Finds the configs that come with mnistlab by their names, wherever it is installed."""

from pathlib import Path

import mnistlab
from mnistlab.errors import ConfigError, shown, suggest

_SUFFIXES = ("", ".yaml", ".yml")


def shipped_configs() -> dict[str, Path]:
    """Return the path of every shipped config by its name, `linear` or `sweeps/assignment`."""
    package = Path(mnistlab.__file__).parent
    # beside the package in a checkout, inside it where it is installed
    place = next(
        (one for one in (package.parent / "configs", package / "configs") if one.is_dir()), package
    )
    return configs_in(place)


def configs_in(folder: Path) -> dict[str, Path]:
    """Return the configs in a folder and its subfolder `sweeps` by their names."""
    files = sorted(folder.glob("*.yaml")) + sorted(folder.glob("sweeps/*.yaml"))
    return {file.relative_to(folder).with_suffix("").as_posix(): file for file in files}


def find_config(path: Path) -> Path:
    """Return `path` if there is such a file, else the shipped config that it names.

    `linear` and `configs/linear.yaml` name the same one; the folder `sweeps` may be left out where
    no other config has the name. Raises ConfigError for a bare name that stands for neither.
    """
    if path.is_file() or path.suffix not in _SUFFIXES:
        return path
    known = shipped_configs()
    name = path.with_suffix("").as_posix().removeprefix("configs/")
    found = known.get(name, known.get(f"sweeps/{name}"))
    if found is not None:
        return found
    if path.suffix or "/" in str(path):
        return path  # whoever reads it says that it is not there
    short = {one.removeprefix("sweeps/"): None for one in known}
    raise ConfigError(
        f"{shown(path)}: there is no such file, and no shipped config of this name"
        f"{suggest(name, short)}"
    )


def describe_config(file: Path) -> str:
    """Return the first sentence of the comment that a config begins with, "" without one."""
    lines = []
    for line in file.read_text("utf-8").splitlines():
        if not line.startswith("#"):
            break
        lines.append(line.lstrip("# "))
    sentence, stop, _ = " ".join(lines).partition(". ")
    return f"{sentence}." if stop else sentence
