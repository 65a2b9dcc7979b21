"""Brings a config together: defaults, then the file, then the command line; and checks it.

An override is a word `key=value` on the command line, typed like YAML.
"""

import copy
import functools
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from mnistlab.config.config_files import MAX_KEY, KeyPath, dump, read_file, read_value
from mnistlab.config.data_schema import StrictModel
from mnistlab.config.schema import Config, config_type
from mnistlab.config.validation import shorten, valid_keys, validate
from mnistlab.errors import ConfigError, InputError
from mnistlab.errors import shown as escaped


@dataclass(frozen=True)
class Override:
    """One `key=value`: the key's path, its value, and the word as it was typed."""

    path: KeyPath
    value: Any
    text: str


FUNCTION_NAMES = (
    "range",
    "linspace",
    "logspace",
    "choice",
    "uniform",
    "log_uniform",
    "int_uniform",
)
"""What `mnistlab sweep` reads as `name(...)` and every other command refers to it."""

_CALL = re.compile(rf"\s*({'|'.join(FUNCTION_NAMES)})\(")


def parse_overrides(words: Sequence[str]) -> list[Override]:
    """Return the overrides that words like `learning_rate=0.05` or `data.validation=5000` name.

    Raises ConfigError for a word without `=` and for a comma list or a function such as
    `linspace(0,1,5)`, which are a sweep's axes.
    """
    overrides: list[Override] = []
    for word in words:
        shown = repr(shorten(word))
        key, value = split_word(word)
        if has_several_values(value) or _CALL.match(value):
            raise ConfigError(
                f"{shown} gives several values, which is for `mnistlab sweep`; a decimal point is "
                "written '.', a list as one value in brackets"
            )
        path = tuple(key.split("."))
        if any(earlier.path == path for earlier in overrides):
            raise ConfigError(f"{shown}: {key} is given twice")
        overrides.append(Override(path, read_value(value, f"override {shown}"), word))
    return overrides


def split_word(word: str) -> tuple[str, str]:
    """Return the key and the value's text of a word `key=value`; raise ConfigError without one."""
    shown = repr(shorten(word))
    if not word.isprintable():
        raise ConfigError(f"{shown}: an override must be plain text")
    key, equals, value = word.partition("=")
    if not equals or not key.strip():
        is_config = word.endswith((".yaml", ".yml"))
        hint = f"; a config file is given as --config {word}" if is_config else ""
        raise ConfigError(f"{shown}: an override is written key=value{hint}")
    if len(key) > MAX_KEY:
        raise ConfigError(f"{shown}: a key has {MAX_KEY} letters at most")
    return key.strip(), value


def has_several_values(value: str) -> bool:
    """Return whether a comma stands outside all brackets and quotes."""
    return len(split_values(value)) > 1


def split_values(value: str) -> list[str]:
    """Return the pieces of a text between the commas outside all brackets and quotes."""
    pieces, depth, quote = [""], 0, ""
    for character in value:
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif character in "[{(":
            depth += 1
        elif character in "]})":
            depth -= 1
        elif character == "," and depth == 0:
            pieces.append("")
            continue
        pieces[-1] += character
    return pieces


_NAMED = 5  # faults named at once,
_LONGEST = 560  # and letters that they may take; the first is named in any case
_DESCRIBED = 1_000  # of more than that nobody needs to know

_VALID = " (valid: "

M = TypeVar("M", bound=StrictModel)

Origins = dict[KeyPath, str]
"""Where each key's value is from: a file and line, or a word on the command line."""


def load_config(
    source: Path | Mapping[str, Any] | None,
    overrides: Sequence[str] | Mapping[str, Any] = (),
    *,
    name: str | None = None,
) -> Config:
    """Return the checked config of a file, a mapping, or the defaults, with overrides applied.

    Overrides are words of a command line, or values by their dotted keys. `name` wins over the
    config's own; without either the file's name is taken. Raises ConfigError that names file and
    line, or the override, and what to do.
    """
    if isinstance(source, Path):
        data, origins = read_config(source)
    else:
        data, origins = copy.deepcopy(dict(source or {})), {}
    if isinstance(overrides, Mapping):
        for key, value in overrides.items():
            set_key(data, origins, tuple(key.split(".")), value, key)
    else:
        for override in parse_overrides(overrides):
            where = f"override {shorten(override.text)!r}"
            set_key(data, origins, override.path, override.value, where)
    if name is not None:
        data["name"] = name
        origins["name",] = "--name" if isinstance(overrides, Sequence) else "name"
    elif data.get("name") is None:
        data["name"] = name_from(source if isinstance(source, Path) else None)
    return settle(data, origins, str(source) if isinstance(source, Path) else "config")


def read_config(path: Path) -> tuple[dict[str, Any], Origins]:
    """Return what a config file says, unchecked, and where it says so."""
    data, lines = read_file(path)
    if is_sweep(data):
        where = escaped(path)
        raise ConfigError(f"{where}: is a sweep file; use `mnistlab sweep --config {where}`")
    return data, {key: f"{escaped(path)}, line {line}" for key, line in lines.items()}


def is_sweep(data: Mapping[str, Any]) -> bool:
    """Return whether a file's keys are those of a sweep rather than those of a config."""
    return any(key in data for key in ("parameters", "base", "method"))


def set_key(data: dict[str, Any], origins: Origins, path: KeyPath, value: Any, where: str) -> None:
    """Put a key's value into `data`, and into `origins` where it is from.

    A mapping for a key with keys of its own sets those that it names, and leaves the others.
    """
    *parents, last = path
    inner = data
    for parent in parents:
        inner = inner.setdefault(parent, {})
        if not isinstance(inner, dict):
            raise ConfigError(f"{where}: {parent!r} has no keys below it")
    has_keys = ".".join(path) not in valid_keys()
    if has_keys and isinstance(value, dict) and isinstance(inner.get(last), dict):
        for key, item in value.items():
            set_key(data, origins, (*path, key), item, where)
        return
    inner[last] = value
    for length in range(1, len(path)):
        origins.setdefault(path[:length], where)
    origins[path] = where


def settle(data: Mapping[str, Any], origins: Mapping[KeyPath, str], source: str) -> Config:
    """Return the config that `data` is; raise ConfigError that says where each fault is from.

    `source` stands for a key that is not in `origins`.
    """
    return settle_as(config_type(), data, origins, source)


def settle_as(
    model: type[M], data: Mapping[str, Any], origins: Mapping[KeyPath, str], source: str
) -> M:
    """Return the model that `data` is; raise ConfigError that says where each fault is from."""
    found = validate(model, data)
    if not isinstance(found, model):
        assert isinstance(found, list)  # noqa: S101 - for the types
        faults = dict.fromkeys(f"{fault.where(origins) or source}: {fault}" for fault in found)
        raise ConfigError(_summarize(list(faults)))
    return found


def _summarize(faults: list[str]) -> str:
    """Return several faults as one sentence that is no longer than one can read."""
    named = faults[:1]
    for fault in faults[1:_NAMED]:
        problem, _, valid = fault.partition(_VALID)
        room = _LONGEST - sum(map(len, named))
        # the same names are listed once, and long lists of them only where there is room
        text = problem if (valid and valid in faults[0]) or len(fault) > room else fault
        if len(text) > room:
            break
        named.append(text)
    left = len(faults) - len(named)
    many = "many" if len(faults) >= _DESCRIBED else f"{left:,}"
    return "; ".join([*named, *([f"and {many} more"] if left else [])])


def value_of(config: Config, key: KeyPath) -> Any:
    """Return the value that a config has for a key, nested ones included."""
    return functools.reduce(getattr, key, config)


def to_yaml(config: Config) -> str:
    """Return the config as YAML that `load_config` reads back to an equal config."""
    return dump(config.model_dump(exclude_none=True))


def name_from(path: Path | None) -> str:
    """Return the name of a run whose config gives none: its file's, without what names lack."""
    stem = path.stem if path else "run"
    return re.sub(r"[^A-Za-z0-9._-]+", "-", stem).strip("-._")[:64] or "run"


def plain(value: Any) -> Any:
    """Return a value as YAML would have it: NumPy's, pandas' and iterators' as Python's.

    Raises InputError for a value that no config can have.
    """
    if isinstance(value, np.dtype) or (isinstance(value, type) and issubclass(value, np.generic)):
        return np.dtype(value).name
    if isinstance(value, Mapping):
        return {key: plain(one) for key, one in value.items()}
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if not isinstance(value, type) and hasattr(value, "tolist"):  # also a pandas.Series
        return value.tolist()
    if isinstance(value, list | tuple | range | Iterator):
        return [plain(one) for one in value]
    if value is None or isinstance(value, str | bool | int | float):
        return value
    raise InputError(f"{value!r} is no value of a config")
