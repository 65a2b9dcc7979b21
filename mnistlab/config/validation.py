"""Says what is wrong with a config: the keys that there are, and each fault in words."""

import functools
import itertools
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from mnistlab.config.config_files import KeyPath, dump
from mnistlab.config.data_schema import StrictModel
from mnistlab.config.schema import Config, NameIn, config_type
from mnistlab.errors import suggest

M = TypeVar("M", bound=StrictModel)

_DESCRIBED = 1_000  # faults; of more than that nobody needs to know


def shorten(text: str) -> str:
    """Return `text` cut for a message: to 60 letters, or to 20 if some of them need an escape."""
    most = 60 if text.isprintable() else 20
    return text if len(text) <= most else f"{text[:most]}…"


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
    registries = (
        [one.registry for one in field.metadata if isinstance(one, NameIn)] if field else []
    )
    return [name for registry in registries for name in registry]


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
