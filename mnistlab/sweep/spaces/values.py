"""Reads the values of an axis, as they stand in a sweep file or in a word."""

import bisect
import itertools
import re
from collections.abc import Sequence
from typing import Any

from mnistlab.config.load import FUNCTION_NAMES, shown, split_values
from mnistlab.config.strict_yaml import read_value
from mnistlab.errors import ConfigError, UnknownNameError
from mnistlab.sweep.spaces.points import (
    FUNCTIONS,
    MOST_VALUES,
    Points,
    Values,
    count_in_words,
    listed,
)


def read_values(items: Sequence[Any], where: str) -> Values:
    """Return what the items of an axis stand for, functions as text among them.

    Raises ConfigError that opens with `where`.
    """
    if not items:
        raise ConfigError(f"{where}: has no values")
    if not any(is_call(item) for item in items):
        return Values(listed(items), {"values": list(items)})
    pieces = [_call(item, where) if is_call(item) else listed([item]) for item in items]
    if len(pieces) == 1 and isinstance(pieces[0], Values):
        return pieces[0]
    for item, piece in zip(items, pieces, strict=True):
        if isinstance(piece, Values):
            raise ConfigError(f"{where}: {item}: is a distribution and must stand alone")
    points = [piece for piece in pieces if isinstance(piece, Points)]
    return Values(_join(points), {"values": list(items)})


def read_words(text: str, where: str) -> Values | None:
    """Return the axis that a text like `0.1,linspace(1,2,3)` means, or None for a single value."""
    pieces = [piece.strip() for piece in split_values(text)]
    if len(pieces) == 1 and not is_call(pieces[0]):
        return None
    for number, piece in enumerate(pieces, 1):
        if not piece:
            raise ConfigError(f"{where}: value {number} is missing")
    return read_values([p if is_call(p) else read_value(p, where) for p in pieces], where)


_NAME = re.compile(r"\s*([A-Za-z_]\w*)\s*\(", re.ASCII)


def is_call(item: Any) -> bool:
    """Return whether a value is text that calls a function, `name(...)`."""
    found = _NAME.match(item) if isinstance(item, str) else None
    return found is not None and (found[1] in FUNCTION_NAMES or item.rstrip().endswith(")"))


def _call(text: str, where: str) -> Points | Values:
    found = _NAME.match(text)
    assert found, "only a call comes here"  # noqa: S101 - for the reader of the types
    inner = text[found.end() :].strip()
    here = f"{where}: {shown(text)}"
    try:
        function = FUNCTIONS[found[1]]
    except UnknownNameError as error:
        raise ConfigError(f"{where}: {error}") from None
    if not inner.endswith(")"):
        raise ConfigError(
            f"{here}: the closing bracket is missing; inside {{ }} of a file put it in quotes"
        )
    pieces = split_values(inner[:-1]) if inner[:-1].strip() else []
    arguments = [read_value(piece, here) for piece in pieces]
    if len(arguments) not in function.lengths:
        raise ConfigError(f"{here}: is written {function.usage}")
    try:
        made = function.make(*arguments)
    except ValueError as error:
        raise ConfigError(f"{here}: {error}") from None
    if isinstance(made, Points) and made.count > MOST_VALUES:
        raise ConfigError(f"{here}: gives {count_in_words(made.count)} values, which is too many")
    return made


def _join(pieces: Sequence[Points]) -> Points:
    """Return the points of all pieces, one piece after the other."""
    ends = [0, *itertools.accumulate(piece.count for piece in pieces)]

    def at(position: int) -> Any:
        piece = bisect.bisect_right(ends, position) - 1
        return pieces[piece].at(position - ends[piece])

    return Points(ends[-1], at)
