"""The commands that repeat a run or a sweep, or go on with it, wherever mnistlab is installed."""

import shlex
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import mnistlab
from mnistlab.config.load import load_config, parse_overrides
from mnistlab.config.schema import Config
from mnistlab.config.strict_yaml import dump
from mnistlab.errors import MnistlabError
from mnistlab.store.facts import flatten
from mnistlab.sweep.spaces.trials import load_sweep

_MISSING = object()


def train_command(config: Config) -> str | None:
    """Return the command that trains a config again, None where none gives just this config.

    It names the shipped config that is nearest, and what differs from that, the name aside.
    """
    shipped = _shipped_configs()
    wanted = _values(config)
    changes = {name: _changes(values, wanted) for name, values in shipped.items()}
    if not changes:
        return None
    name = min(changes, key=lambda one: len(changes[one]))
    words = [_word(key, _written(value)) for key, value in changes[name].items()]
    if None in words:
        return None
    return " ".join(["mnistlab train --config", f"configs/{name}", *filter(None, words)])


def sweep_command(text: str) -> str | None:
    """Return the command that repeats the sweep of this file, None if none is shipped that says so.

    A sweep's own file holds all that it needs, so the shipped one is known by its words.
    """
    name = _shipped_sweeps().get(text)
    return None if name is None else f"mnistlab sweep --config configs/sweeps/{name}"


def _written(value: Any) -> str:
    """Return a value as YAML writes it; a plain number without the way through YAML."""
    if type(value) is float or type(value) is int:
        return repr(value)
    return dump(value, flow=True).removesuffix("...\n").strip()


def _values(config: Config) -> dict[str, Any]:
    values = dict(flatten(config.model_dump()))
    del values["name"]
    return values


def _changes(shipped: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in wanted.items() if shipped.get(key, _MISSING) != value}


@cache
def _word(key: str, value: str) -> str | None:
    """Return an override as a shell takes it, None where it would be read as something else."""
    word = f"{key}={value}"
    try:
        (override,) = parse_overrides([word])
    except MnistlabError:
        return None
    return shlex.quote(word) if _written(override.value) == value else None


def _configs() -> Path:
    """Return where the shipped configs are: beside the package in a checkout, else inside it."""
    package = Path(mnistlab.__file__).parent
    beside = package.parent / "configs"
    return beside if beside.is_dir() else package / "configs"


@cache
def _shipped_configs() -> dict[str, dict[str, Any]]:
    """Return the values of the shipped configs by their files' names, the assignment's first."""
    names = sorted(path.name for path in _configs().glob("*.yaml"))
    names.sort(key=lambda name: name != "linear.yaml")
    return {name: _values(load_config(_configs() / name)) for name in names}


@cache
def _shipped_sweeps() -> dict[str, str]:
    """Return the names of the shipped sweeps by what the run folder of each would say."""
    paths = sorted((_configs() / "sweeps").glob("*.yaml"))
    return {load_sweep(path).to_yaml(): path.name for path in paths}
