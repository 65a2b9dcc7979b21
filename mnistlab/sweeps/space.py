"""A sweep's axes: their values as words and lists give them, and points picked from all axes."""

import csv
import io
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mnistlab.config.config_files import (
    FUNCTION_NAMES,
    read_text,
    read_value,
    shorten,
    split_values,
)
from mnistlab.config.load import shown
from mnistlab.errors import ConfigError, suggest
from mnistlab.errors import shown as escaped
from mnistlab.sweeps.sweep_schema import (
    DISTRIBUTIONS,
    FUNCTIONS,
    MOST_LISTED,
    Distribution,
    Values,
)

_SHOWN = 6

Point = tuple[Any, ...]
"""For each group a position among its values, or the number drawn for a distribution."""

_NAME = re.compile(r"\s*([A-Za-z_]\w*)\s*\(", re.ASCII)

_MAX_LIST_BYTES = 512 * 1024  # as many values still fit a sweep file of 1 MB


@dataclass(frozen=True)
class Axis:
    """A config's key, the values it takes, and `entry`: how a sweep file writes them.

    `where` is the file and line, or the word, that gives them; `lines` are those of the rows of a
    list of trials.
    """

    key: str
    where: str
    values: Values
    entry: Mapping[str, Any]
    lines: tuple[int, ...] = ()

    @property
    def count(self) -> int | None:
        """How many values there are; None for a distribution."""
        return None if isinstance(self.values, Distribution) else len(self.values)

    def at(self, part: Any) -> Any:
        """Return the value of the axis at its part of a point."""
        return part if isinstance(self.values, Distribution) else self.values[part]

    def place(self, part: Any) -> str:
        """Return where the value at its part of a point was given."""
        if isinstance(self.values, Distribution):
            return f"{self.where}, {part} drawn"
        if self.lines:
            return f"{self.where}, line {self.lines[part]}: {self.key}"
        return f"{self.where}, value {part + 1:,}"

    def describe(self) -> str:
        """Return the values, or the range that they are drawn from, short however many they are."""
        if isinstance(self.values, Distribution):
            spacing = ", evenly in the logarithm" if self.values.logarithmic else ""
            return f"drawn from {self.values.low:.4g} to {self.values.high:.4g}{spacing}"
        if len(self.values) <= _SHOWN:
            return ", ".join(shown(value) for value in self.values)
        first = ", ".join(shown(value) for value in self.values[: _SHOWN - 2])
        return f"{first}, …, {shown(self.values[-1])} ({len(self.values):,} values)"


def is_call(item: Any) -> bool:
    """Return whether a value is text that calls a function, `name(...)`."""
    found = _NAME.match(item) if isinstance(item, str) else None
    return found is not None and (found[1] in FUNCTION_NAMES or item.rstrip().endswith(")"))


def axis_of_items(key: str, where: str, items: Sequence[Any]) -> Axis:
    """Return the axis of these values, functions as text among them.

    Raises ConfigError that opens with `where`.
    """
    if not items:
        raise ConfigError(f"{where}: has no values")
    if len(items) == 1 and is_call(items[0]):
        return _axis_of_call(key, where, items[0])
    values: list[Any] = []
    for item in items:
        if not is_call(item):
            values.append(item)
            continue
        axis = _axis_of_call(key, where, item)
        if "distribution" in axis.entry or isinstance(axis.values, Distribution):
            raise ConfigError(f"{where}: {item}: is a distribution and must stand alone")
        if len(axis.values) > MOST_LISTED:
            raise ConfigError(f"{where}: {item}: gives more than {MOST_LISTED:,} values")
        values += axis.values
    return Axis(key, where, values, {"values": list(items)})


def axis_of_text(key: str, where: str, text: str) -> Axis | None:
    """Return the axis that a text like `0.1,linspace(1,2,3)` means, or None for a single value."""
    pieces = [piece.strip() for piece in split_values(text)]
    if len(pieces) == 1 and not is_call(pieces[0]):
        return None
    items = []
    for number, piece in enumerate(pieces, 1):
        if not piece:
            raise ConfigError(f"{where}: value {number} is missing")
        items.append(piece if is_call(piece) else read_value(piece, f"{where}, value {number}"))
    return axis_of_items(key, where, items)


def axis_of_distribution(key: str, where: str, name: str, low: Any, high: Any) -> Axis:
    """Return the axis between two ends; raise ConfigError for ends that cannot be."""
    try:
        values = DISTRIBUTIONS[name](low, high)
    except ValueError as error:
        raise ConfigError(f"{where}: {error}") from None
    return Axis(key, where, values, {"distribution": name, "min": low, "max": high})


def _axis_of_call(key: str, where: str, text: str) -> Axis:
    found = _NAME.match(text)
    assert found, "only a call comes here"  # noqa: S101 - for the reader of the types
    name, inner, here = found[1], text[found.end() :].strip(), f"{where}: {shown(text)}"
    function = FUNCTIONS.get(name)
    if function is None:
        raise ConfigError(f"{where}: unknown function {shorten(name)!r}{suggest(name, FUNCTIONS)}")
    if not inner.endswith(")"):
        raise ConfigError(
            f"{here}: the closing bracket is missing; inside {{ }} of a file put it in quotes"
        )
    pieces = split_values(inner[:-1]) if inner[:-1].strip() else []
    arguments = [read_value(piece, here) for piece in pieces]
    if len(arguments) not in function.lengths:
        raise ConfigError(f"{here}: is written {function.usage}")
    entry: dict[str, Any] = {"values": [text]}
    if function.distribution:
        low, high = arguments
        entry = {"distribution": function.distribution, "min": low, "max": high}
    try:
        return Axis(key, where, function.make(*arguments), entry)
    except ValueError as error:
        raise ConfigError(f"{here}: {error}") from None


Group = tuple[Axis, ...]
"""Axes that move together, mostly just one."""


def group_axes(axes: Mapping[str, Axis], zips: Sequence[tuple[str, Sequence[str]]]) -> list[Group]:
    """Return the groups of all axes, in the order of their first keys.

    `zips` are the keys that move together, each with where that was given. Raises ConfigError.
    """
    group_of: dict[str, Group] = {key: (axis,) for key, axis in axes.items()}
    grouped: set[str] = set()
    for where, keys in zips:
        for key in keys:
            if key not in axes:
                raise ConfigError(
                    f"{where}: {key!r} is no axis of this sweep; the axes are {', '.join(axes)}"
                )
            if key in grouped or keys.count(key) > 1:
                raise ConfigError(f"{where}: {key!r} can move together with others only once")
            if axes[key].count is None:
                raise ConfigError(f"{where}: {key!r} is drawn; only listed values move together")
        first, *others = (axes[key] for key in keys)
        for other in others:
            if other.count != first.count:
                raise ConfigError(
                    f"{where}: {first.key} has {first.count:,} values and {other.key} "
                    f"{other.count:,}; what moves together needs equally many"
                )
        grouped.update(keys)
        group_of.update(dict.fromkeys(keys, (first, *others)))
    return list({group[0].key: group for group in map(group_of.__getitem__, axes)}.values())


def count_points(groups: Sequence[Group]) -> int | None:
    """Return how many points there are, without going through them; None if some are drawn."""
    counts = [axes[0].count for axes in groups]
    if any(count is None for count in counts):
        return None
    return math.prod(count or 0 for count in counts)


def draw_points(groups: Sequence[Group], wanted: int, random_seed: int) -> list[Point]:
    """Return `wanted` different points in the order drawn, without going through the space.

    Raises ValueError where a distribution is so narrow that it has not got so many.
    """
    generator = np.random.default_rng(random_seed)
    points: dict[Point, None] = {}
    # the last of 10,000 points is found in 100,000 draws; only a narrow axis needs a limit
    left = 20 * wanted + 1000 if count_points(groups) is None else -1
    while len(points) < wanted:
        if left == 0:
            raise ValueError(f"only {len(points):,} different points were found, not {wanted:,}")
        points[tuple(_draw(axes[0], generator) for axes in groups)] = None
        left -= 1
    return list(points)


def _draw(axis: Axis, generator: np.random.Generator) -> Any:
    if isinstance(axis.values, Distribution):
        return axis.values.draw(generator)
    return int(generator.integers(0, len(axis.values) - 1, endpoint=True))


def read_trial_list(path: Path, where: str) -> list[Axis]:
    """Return the columns of a list of trials as axes, their values typed like YAML.

    Raises ConfigError that names the list and the line; `where` is who names the list.
    """
    rows = _rows(path, where)
    if not rows:
        raise ConfigError(f"{path}: is empty; its first line must name keys")
    (_, keys), *trials = rows
    for number, key in enumerate(keys):
        if key.startswith("#"):
            raise ConfigError(
                f"{path}, line 1: a list of trials begins with the names of its keys, and has no "
                "comments (#)"
            )
        if not key:
            raise ConfigError(f"{path}, line 1: column {number + 1} has no name")
        if key in keys[:number]:
            raise ConfigError(f"{path}, line 1: {key!r} stands here twice")
    if not trials:
        raise ConfigError(f"{path}: has no rows below its header")
    for line, row in trials:
        if len(row) != len(keys):
            has, needs = _count(len(row), "value"), _count(len(keys), "key")
            hint = "; a decimal point is written '.', not ','" if len(row) > len(keys) else ""
            raise ConfigError(f"{path}, line {line}: has {has} for {needs}{hint}")
    lines = tuple(line for line, _ in trials)
    read: dict[str, Any] = {}  # most texts of a list come again and again
    axes = []
    for column, key in enumerate(keys):
        values = []
        for line, row in trials:
            text = row[column]
            if text not in read:
                here = f"{path}, line {line}: {key}"
                if re.fullmatch(r"[-+]?\d+,\d+", text):
                    raise ConfigError(f"{here}: {text}: a decimal point is written '.', not ','")
                read[text] = read_value(text, here)
            values.append(read[text])
        axes.append(Axis(key, str(path), values, {"values": values}, lines))
    return axes


def _rows(path: Path, where: str) -> list[tuple[int, list[str]]]:
    """Return the rows that are not blank, each with its line."""
    try:
        text = read_text(path, _MAX_LIST_BYTES, "so split the list")
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from None
    header = text.partition("\n")[0]  # no key has any of these in its name
    delimiter = next((mark for mark in ",;\t" if mark in header), ",")
    reader = csv.reader(
        io.StringIO(text, newline=""), strict=True, skipinitialspace=True, delimiter=delimiter
    )
    try:
        return [(reader.line_num, [cell.strip() for cell in row]) for row in reader if row]
    except csv.Error as error:
        where = f"{escaped(path)}, line {reader.line_num}"
        raise ConfigError(f"{where}: is not valid CSV: {error}") from None


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
