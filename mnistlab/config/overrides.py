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
    overrides: list[Override] = []
    for word in words:
        shown = repr(shorten(word))
        if not word.isprintable():
            raise ConfigError(f"{shown}: an override must be plain text")
        key, equals, value = word.partition("=")
        if not equals or not key.strip():
            hint = (
                f"; a config file is given as --config {word}"
                if word.endswith((".yaml", ".yml"))
                else ""
            )
            raise ConfigError(f"{shown}: an override is written key=value{hint}")
        if has_several_values(value):
            raise ConfigError(
                f"{shown} gives several values, which is for `mnistlab sweep`; a decimal point is "
                "written '.', a list as one value in brackets"
            )
        path = tuple(key.strip().split("."))
        if any(earlier.path == path for earlier in overrides):
            raise ConfigError(f"{shown}: {key.strip()} is given twice")
        overrides.append(Override(path, read_value(value, f"override {shown}"), word))
    return overrides


def shorten(text: str) -> str:
    """Return `text` cut to 60 letters, for messages."""
    return text if len(text) <= 60 else f"{text[:60]}…"


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
