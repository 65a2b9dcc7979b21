"""Overrides are `key=value` words on the command line, typed like YAML."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mnistlab.config.strict_yaml import MAX_KEY, KeyPath, read_value
from mnistlab.errors import ConfigError


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


def shorten(text: str) -> str:
    """Return `text` cut to 60 letters, for messages."""
    return text if len(text) <= 60 else f"{text[:60]}…"


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
