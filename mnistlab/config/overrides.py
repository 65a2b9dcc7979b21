"""Overrides are `key=value` words on the command line, typed like YAML."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mnistlab.config.strict_yaml import KeyPath, read_value
from mnistlab.errors import ConfigError


@dataclass(frozen=True)
class Override:
    """One `key=value`: the key's path, its value, and the word as it was typed."""

    path: KeyPath
    value: Any
    text: str


def parse_overrides(words: Sequence[str]) -> list[Override]:
    """Return the overrides that words like `learning_rate=0.05` or `data.validation=5000` name.

    Raises ConfigError for a word without `=` and for a comma list, which is a sweep's axis.
    """
    overrides = []
    for word in words:
        key, equals, value = word.partition("=")
        if not equals or not key.strip():
            raise ConfigError(f"{word!r}: an override is written key=value")
        if has_several_values(value):
            raise ConfigError(
                f"{word!r} gives several values: `mnistlab sweep` trains them all; "
                f"one list as a value is written {key}=[{value}]"
            )
        path = tuple(key.strip().split("."))
        overrides.append(Override(path, read_value(value, f"override {word!r}"), word))
    return overrides


def has_several_values(value: str) -> bool:
    """Return whether a comma stands outside all brackets and quotes."""
    depth, quote = 0, ""
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
            return True
    return False
