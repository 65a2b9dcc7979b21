"""Brings a config together: defaults, then the file, then the command line; and checks it."""

import functools
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pydantic import BaseModel, ValidationError

from mnistlab.config.overrides import parse_overrides, shorten
from mnistlab.config.schema import Config
from mnistlab.config.strict_yaml import KeyPath, dump, read_file
from mnistlab.errors import ConfigError, InputError, suggest

_TOLD = 5  # faults named at once


def load_config(
    path: Path | None,
    overrides: Sequence[str] = (),
    *,
    name: str | None = None,
    checks: Mapping[KeyPath, Callable[[Any], object]] = MappingProxyType({}),
) -> Config:
    """Return the checked config of a file (or of the defaults) with overrides applied.

    `name` wins over the config's own; without either the file's name is taken. `checks` look at
    the values of keys that this room knows nothing of, and raise InputError for a wrong one.
    Raises ConfigError that names file and line, or the override, and what to do.
    """
    data: dict[str, Any] = {}
    origins: dict[KeyPath, str] = {}
    if path is not None:
        data, lines = read_file(path)
        origins = {key: f"{path}, line {line}" for key, line in lines.items()}
    for override in parse_overrides(overrides):
        _set(data, override.path, override.value, override.text)
        for length in range(1, len(override.path) + 1):
            origins.setdefault(override.path[:length], f"override {shorten(override.text)!r}")
        origins[override.path] = f"override {shorten(override.text)!r}"
    if name is not None:
        data["name"] = name
        origins["name",] = "--name"
    elif data.get("name") is None:
        data["name"] = _name_from(path)
    try:
        config = Config.model_validate(data)
    except ValidationError as error:
        messages = [_describe(fault, origins, path) for fault in error.errors()]
        told = list(dict.fromkeys(messages))
        more = [f"and {len(told) - _TOLD:,} more"] if len(told) > _TOLD else []
        raise ConfigError("\n".join([*told[:_TOLD], *more])) from None
    for key, check in checks.items():
        try:
            check(functools.reduce(getattr, key, config))
        except InputError as error:
            where = origins.get(key, str(path) if path else "config")
            raise ConfigError(f"{where}: {'.'.join(key)}: {error}") from None
    return config


def to_yaml(config: Config) -> str:
    """Return the config as YAML that `load_config` reads back to an equal config."""
    return dump(config.model_dump(exclude_none=True))


def valid_keys() -> list[str]:
    """Return every key that a config can have, nested ones dotted."""
    return list(_keys(Config))


def _keys(model: type[BaseModel], prefix: str = "") -> list[str]:
    keys = []
    for key, field in model.model_fields.items():
        nested = field.annotation
        if isinstance(nested, type) and issubclass(nested, BaseModel):
            keys += _keys(nested, f"{prefix}{key}.")
        else:
            keys.append(f"{prefix}{key}")
    return keys


def _set(data: dict[str, Any], path: KeyPath, value: Any, text: str) -> None:
    *parents, last = path
    for parent in parents:
        data = data.setdefault(parent, {})
        if not isinstance(data, dict):
            raise ConfigError(f"override {text!r}: {parent!r} has no keys below it")
    data[last] = value


def _name_from(path: Path | None) -> str:
    stem = path.stem if path else "run"
    return re.sub(r"[^A-Za-z0-9._-]+", "-", stem).strip("-._")[:64] or "run"


_WORDS = {
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "finite_number": "must be a finite number",
    "string_type": "must be text",
    "list_type": "must be a list, like [deskew]",
    "model_type": "must be a mapping of keys",
    "greater_than": "must be greater than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "string_pattern_mismatch": "must be letters, digits, '.', '_' or '-', 64 at most, "
    "the first a letter or digit",
    "string_too_short": "must not be empty",
    "literal_error": "must be {expected}",
}


def _describe(fault: Mapping[str, Any], origins: Mapping[KeyPath, str], path: Path | None) -> str:
    """Turn one of pydantic's findings into "file, line n: key must be ..., not ..."."""
    location: KeyPath = tuple(str(part) for part in fault["loc"] if isinstance(part, str))
    key = ".".join(location)
    where = origins.get(location) or (str(path) if path else "config")
    kind, given = fault["type"], _shown(fault["input"])
    if kind == "extra_forbidden":
        return f"{where}: unknown key {key!r}{suggest(key, valid_keys())}"
    if kind == "value_error":
        message = str(fault["ctx"]["error"])
        if not key:  # a finding about several keys opens with the one to change
            where = origins.get((message.split(maxsplit=1)[0],), where)
        return f"{where}: {key}: {message}" if key else f"{where}: {message}"
    if kind in _WORDS:
        return f"{where}: {key} {_WORDS[kind].format(**fault.get('ctx', {}))}, not {given}"
    return f"{where}: {key}: {fault['msg']}, not {given}"


def _shown(value: Any) -> str:
    """Return a value as YAML writes it, on one line, cut where it is long."""
    return shorten(" ".join(dump(value, flow=True).removesuffix("...\n").split()))
