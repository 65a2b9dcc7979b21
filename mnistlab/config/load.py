"""Brings a config together: defaults, then the file, then the command line; and checks it.

What is wrong with it is said in words, with the file and line or the override that it is from.
"""

import copy
import functools
import itertools
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from pydantic import BaseModel, ValidationError

from mnistlab.config.config_files import (
    FUNCTION_NAMES,
    KeyPath,
    Origins,
    dump,
    read_file,
    read_value,
    shorten,
    split_values,
    split_word,
)
from mnistlab.config.schema import Config, NameIn, StrictModel, config_type
from mnistlab.errors import ConfigError, InputError, suggest
from mnistlab.errors import shown as escaped

M = TypeVar("M", bound=StrictModel)


_CALL = re.compile(rf"\s*({'|'.join(FUNCTION_NAMES)})\(")


def parse_overrides(words: Sequence[str]) -> dict[KeyPath, tuple[Any, str]]:
    """Return the values that words like `data.validation=5000` give to keys, and where from.

    Raises ConfigError for a word without `=` and for a comma list or a function such as
    `linspace(0,1,5)`, which are a sweep's axes.
    """
    overrides: dict[KeyPath, tuple[Any, str]] = {}
    for word in words:
        shown = repr(shorten(word))
        key, value = split_word(word)
        if len(split_values(value)) > 1 or _CALL.match(value):
            raise ConfigError(
                f"{shown} gives several values, which is for `mnistlab sweep`; a decimal point is "
                "written '.', a list as one value in brackets"
            )
        path = tuple(key.split("."))
        if path in overrides:
            raise ConfigError(f"{shown}: {key} is given twice")
        overrides[path] = read_value(value, f"override {shown}"), f"override {shown}"
    return overrides


_NAMED = 5  # faults named at once,
_LONGEST = 560  # and letters that they may take; the first is named in any case
_DESCRIBED = 1_000  # of more than that nobody needs to know

_VALID = " (valid: "


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
        given = {tuple(key.split(".")): (value, key) for key, value in overrides.items()}
    else:
        given = parse_overrides(overrides)
    for path, (value, where) in given.items():
        set_key(data, origins, path, value, where)
    if name is not None:
        data["name"] = name
        origins["name",] = "--name" if isinstance(overrides, Sequence) else "name"
    elif data.get("name") is None:
        data["name"] = name_from(source if isinstance(source, Path) else None)
    where = str(source) if isinstance(source, Path) else "config"
    return settle(config_type(), data, origins, where)


def read_config(path: Path) -> tuple[dict[str, Any], Origins]:
    """Return what a config file says, unchecked, and where it says so."""
    data, origins = read_file(path)
    if is_sweep(data):
        where = escaped(path)
        raise ConfigError(f"{where}: is a sweep file; use `mnistlab sweep --config {where}`")
    return data, origins


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


def settle(
    model: type[M], data: Mapping[str, Any], origins: Mapping[KeyPath, str], source: str
) -> M:
    """Return the model that `data` is; raise ConfigError that says where each fault is from.

    `source` stands for a key that is not in `origins`.
    """
    found = validate(model, data)
    if not isinstance(found, model):
        assert isinstance(found, list)  # noqa: S101 - for the types
        faults = dict.fromkeys(f"{fault.where(origins) or source}: {fault}" for fault in found)
        raise ConfigError(_summarize(list(faults)))
    return found


def _summarize(faults: list[str]) -> str:
    """Return several faults as one sentence that is no longer than one can read."""
    # the valid names are listed with the first alone
    named = [*faults[:1], *(fault.partition(_VALID)[0] for fault in faults[1:_NAMED])]
    while len(named) > 1 and sum(map(len, named)) > _LONGEST:
        named.pop()
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


def valid_keys() -> list[str]:
    """Return every key that a config can have, nested ones dotted."""
    return keys_of(config_type())


@functools.cache
def keys_of(model: type[BaseModel], prefix: str = "") -> list[str]:
    """Return every key that a model can have, nested ones dotted."""
    keys: list[str] = []
    for key, field in model.model_fields.items():
        nested = field.annotation
        if isinstance(nested, type) and issubclass(nested, BaseModel):
            keys += keys_of(nested, f"{prefix}{key}.")
        else:
            keys.append(f"{prefix}{key}")
    return keys


def names_for(key: str) -> list[str]:
    """Return the names that a key of a config can have; none for a key that takes other values."""
    field = Config.model_fields.get(key)
    kinds = [one for one in (field.metadata if field else ()) if isinstance(one, NameIn)]
    return [name for one in kinds for name in one.registry]


_SHORT_NAMES = {
    "lr": "learning_rate",
    "bs": "batch_size",
    "wd": "weight_decay",
    "optim": "optimizer",
    "opt": "optimizer",
    "lr_schedule": "schedule",
    "lr_scheduler": "schedule",
    "n_epochs": "epochs",
    "num_epochs": "epochs",
    "random_state": "seed",
}
"""What other programs call a key, too unlike it to be found by its letters."""


def describe_unknown_key(key: str, valid: Iterable[str]) -> str:
    """Return that no such key exists, the nearest one and all that do."""
    valid = list(valid)
    if key in valid:  # a key of the file that has the dots of a nested one
        outer, _, inner = key.rpartition(".")
        return f"unknown key {key!r}; in a file write `{outer}:`, and indented below it `{inner}:`"
    return f"unknown key {key!r}{suggest(_SHORT_NAMES.get(key, key), valid)}"


_WORDS = {
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "finite_number": "must be a finite number",
    "string_type": "must be text",
    "list_type": "must be a list, like [a, b]",
    "dict_type": "must be a mapping of keys",
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


@dataclass(frozen=True)
class ConfigFault:
    """One thing that is wrong: the key's path, what is wrong with it, and both as a sentence.

    A fault of several keys together has the path above them; its problem opens with the key to
    change.
    """

    path: KeyPath
    problem: str
    sentence: str

    def __str__(self) -> str:
        return self.sentence

    def where(self, origins: Mapping[KeyPath, str]) -> str | None:
        """Return where the faulty value is from, or the nearest key above it, if that is known."""
        path = (*self.path, self.problem.split(maxsplit=1)[0])
        above = (origins.get(path[:length]) for length in range(len(path), 0, -1))
        return next((where for where in above if where), None)


def try_config(data: Mapping[str, Any]) -> Config | list[ConfigFault]:
    """Return the config that `data` is, or what is wrong with it: a thousand faults at most."""
    return validate(config_type(), data)


def validate(model: type[M], data: Mapping[str, Any]) -> M | list[ConfigFault]:
    """Return the model that `data` is, or what is wrong with it: a thousand faults at most."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        # of int | float pydantic finds that it is neither, in two faults: one of them is enough
        found = [one for one in error.errors() if (one["type"], *one["loc"][-1:]) not in _OF_INT]
        return [_describe(fault, model) for fault in found[:_DESCRIBED]]


_OF_INT = {("int_type", "int"), ("int_from_float", "int")}


def _describe(fault: Mapping[str, Any], model: type[BaseModel]) -> ConfigFault:
    """Turn one of pydantic's findings into words."""
    keys = [part for part in fault["loc"] if isinstance(part, str)]
    of_float = keys[-1:] == ["float"] and fault["type"] != "extra_forbidden"
    path: KeyPath = tuple(keys[:-1] if of_float else keys)
    key = ".".join(path)
    kind, given = fault["type"], shown(fault["input"])
    if kind == "extra_forbidden":
        problem = describe_unknown_key(key, keys_of(model))
        return ConfigFault(path, problem, problem)
    if kind == "value_error":
        problem = str(fault["ctx"]["error"])
        return ConfigFault(path, problem, f"{key}: {problem}" if key else problem)
    if kind == "missing":
        return ConfigFault(path, "is missing", f"{key} is missing")
    if kind in _WORDS:
        problem = f"{_WORDS[kind].format(**fault.get('ctx', {}))}, not {given}"
        if kind == "string_type" and isinstance(fault["input"], int | float):
            typed = f": '{given}'" if isinstance(fault["input"], int) else ""  # 1e3 was not 1000.0
            problem += f"; quote it{typed}"
        elif kind in _NUMERIC:
            problem += _number_hint(fault["input"])
        return ConfigFault(path, problem, f"{key} {problem}")
    problem = f"{fault['msg']}, not {given}"
    return ConfigFault(path, problem, f"{key}: {problem}")


_NUMERIC = ("int_type", "int_from_float", "float_type", "finite_number")


def _number_hint(given: Any) -> str:
    """Return what to write instead of a value that is no number, "" where that is not known."""
    if isinstance(given, list) and given:
        return "; the values of a sweep are written without brackets"
    share = re.fullmatch(r"([0-9]{1,3}(?:\.[0-9]+)?) ?%", given) if isinstance(given, str) else None
    return f"; write {float(share[1]) / 100:g}" if share else ""


def shown(value: Any) -> str:
    """Return a value as YAML writes it, on one line, cut where it is long."""
    return shorten(" ".join(dump(_cut(value), flow=True).removesuffix("...\n").split()))


def _cut(value: Any) -> Any:
    """Return the beginning of a value, more of which is never shown."""
    if isinstance(value, dict):
        return {key: _cut(value[key]) for key in itertools.islice(value, 60)}
    if isinstance(value, list | str):
        return [_cut(item) for item in value[:60]] if isinstance(value, list) else value[:200]
    return value
