"""Reads a sweep file, or a plain config to sweep over, into the draft of a sweep."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mnistlab.config.load import is_sweep, read_config, shown
from mnistlab.config.strict_yaml import MAX_BYTES, MAX_SWEEP_BYTES, Lines, read_file
from mnistlab.errors import ConfigError, UnknownNameError, suggest
from mnistlab.sweep.spaces.draft import Draft, check_key, read_group
from mnistlab.sweep.spaces.points import DISTRIBUTIONS, Values, distribution
from mnistlab.sweep.spaces.settings import (
    mapping,
    method_named,
    read_halving,
    read_metric,
    whole_number,
)
from mnistlab.sweep.spaces.space import Axis
from mnistlab.sweep.spaces.values import is_call, read_values

KEYS = (
    "base",
    "method",
    "metric",
    "parameters",
    "zip",
    "trials",
    "seeds",
    "max_trials",
    "random_seed",
    "halving",
)
"""What a sweep file can say."""

_PARAMETER_KEYS = ("value", "values", "min", "max", "distribution")


def is_sweep_file(path: Path) -> bool:
    """Return whether a YAML file is a sweep rather than a config; raise ConfigError if neither."""
    return is_sweep(read_file(path, MAX_SWEEP_BYTES)[0])


def check_own_file(path: Path) -> None:
    """Raise ConfigError unless a sweep's config in its folder holds all that it needs itself."""
    data, _ = read_file(path, MAX_SWEEP_BYTES)
    for key in ("base", "trials"):
        if isinstance(data.get(key), str):
            raise ConfigError(
                f"{path}: {key!r} names another file, which no sweep's own config does; begin a "
                "new sweep with --config"
            )


def read_draft(path: Path) -> Draft:
    """Return what a sweep file or a plain config says; raise ConfigError naming file and line."""
    data, lines = read_file(path, MAX_SWEEP_BYTES)
    if not is_sweep(data):
        if path.stat().st_size > MAX_BYTES:
            raise ConfigError(f"{path}: larger than {MAX_BYTES // 1024} KB, so it is no config")
        origins = {key: f"{path}, line {line}" for key, line in lines.items()}
        return Draft(str(path), data, origins)
    for key in data:
        if key not in KEYS:
            raise ConfigError(
                f"{path}, line {lines[key,]}: unknown key {key!r} of a sweep{suggest(key, KEYS)}"
            )
    draft = _base(data, lines, path)
    draft.settings = _settings(data, lines, path)
    _parameters(draft, data.get("parameters", {}), lines, path)
    if "zip" in data:
        where = _at(path, lines, "zip")
        if not isinstance(data["zip"], list):
            raise ConfigError(f"{where}: must be a list of groups, like [[learning_rate, epochs]]")
        draft.zips = [(where, read_group(group, where)) for group in data["zip"]]
    if "trials" in data:
        _trials(draft, data["trials"], _at(path, lines, "trials"), path)
    return draft


def _at(path: Path, lines: Lines, *keys: str) -> str:
    return f"{path}, line {lines[keys]}: {'.'.join(keys)}"


def _base(data: Mapping[str, Any], lines: Lines, path: Path) -> Draft:
    base = data.get("base", {})
    if isinstance(base, dict):
        inline = {
            keys[1:]: f"{path}, line {line}" for keys, line in lines.items() if keys[0] == "base"
        }
        inline.pop((), None)
        return Draft(str(path), dict(base), inline)
    where = _at(path, lines, "base")
    if not isinstance(base, str) or not base:
        raise ConfigError(f"{where}: must be a config file or a mapping of keys, not {shown(base)}")
    try:
        inherited, origins = read_config(path.parent / base)
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from None
    return Draft(str(path), inherited, origins)


def _settings(data: Mapping[str, Any], lines: Lines, path: Path) -> dict[str, Any]:
    settings: dict[str, Any] = {}
    if "method" in data:
        settings["method"] = method_named(data["method"], _at(path, lines, "method"))
    if "metric" in data:
        settings["metric"] = read_metric(data["metric"], _at(path, lines, "metric"))
    if "halving" in data:
        settings["halving"] = read_halving(data["halving"], _at(path, lines, "halving"))
    for key, least in (("seeds", 1), ("max_trials", 1), ("random_seed", 0)):
        if key in data:
            settings[key] = whole_number(data[key], _at(path, lines, key), least)
    return settings


def _parameters(draft: Draft, parameters: Any, lines: Lines, path: Path) -> None:
    if not isinstance(parameters, dict):
        where = _at(path, lines, "parameters")
        raise ConfigError(f"{where}: must be a mapping of keys to values, not {shown(parameters)}")
    for key, given in parameters.items():
        where = _at(path, lines, "parameters", key)
        check_key(key, where)
        kind = given if isinstance(given, dict) else _short(given)
        values = _read_parameter(kind, where)
        if isinstance(values, Values):
            draft.vary(Axis(key, where, values))
        else:
            draft.fix(key, kind["value"], f"{path}, line {lines['parameters', key]}")


def _short(given: Any) -> dict[str, Any]:
    """Return the long form of a list, of a function or of a single value."""
    if is_call(given):
        return {"values": [given]}
    return {"values" if isinstance(given, list) else "value": given}


def _read_parameter(given: Mapping[str, Any], where: str) -> Values | None:
    """Return the values that `{values: ...}` and the like mean; None for a single, fixed one."""
    mapping(given, _PARAMETER_KEYS, where)
    name = given.get("distribution", _default_distribution(given))
    if not isinstance(name, str):
        raise ConfigError(f"{where}: needs a value, values, or min and max")
    needed = {"constant": ("value",), "categorical": ("values",)}.get(name, ("min", "max"))
    if needed == ("min", "max") and name not in DISTRIBUTIONS:
        names = ["constant", "categorical", *DISTRIBUTIONS]
        raise ConfigError(f"{where}: {UnknownNameError('distribution', shown(name), names)}")
    wrong = [key for key in given if key not in (*needed, "distribution")]
    if wrong or not all(key in given for key in needed):
        other = f", not {' and '.join(wrong)}" if wrong else ""
        raise ConfigError(f"{where}: {name} needs {' and '.join(needed)}{other}")
    if name == "constant":
        return None
    if name == "categorical":
        if not isinstance(given["values"], list):
            raise ConfigError(f"{where}: values must be a list, not {shown(given['values'])}")
        return read_values(given["values"], where)
    try:
        return distribution(name, given["min"], given["max"])
    except ValueError as error:
        raise ConfigError(f"{where}: {error}") from None


def _default_distribution(given: Mapping[str, Any]) -> str | None:
    """Return the distribution that is meant where none is named."""
    if "value" in given:
        return "constant"
    if "values" in given:
        return "categorical"
    if "min" in given or "max" in given:
        whole = all(type(given.get(end)) is int for end in ("min", "max"))
        return "int_uniform" if whole else "uniform"
    return None


def _trials(draft: Draft, given: Any, where: str, path: Path) -> None:
    if not isinstance(given, str) or not given:
        raise ConfigError(f"{where}: must be a CSV file, not {shown(given)}")
    axes = set(draft.axes)
    draft.list_trials(path.parent / given, where)
    for key in draft.zips[-1][1]:
        if key in axes:
            raise ConfigError(f"{where}: {key!r} stands in {given} and in parameters too")
