"""Reads a list of trials: a CSV file whose header names keys and whose rows are trials."""

import csv
import io
import re
from pathlib import Path
from typing import Any

from mnistlab.config.config_files import read_text, read_value
from mnistlab.errors import ConfigError
from mnistlab.errors import shown as escaped
from mnistlab.sweeps.space import Axis

MAX_BYTES = 512 * 1024  # as many values still fit a sweep file of 1 MB


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
                read[text] = _read_cell(text, f"{path}, line {line}: {key}")
            values.append(read[text])
        axes.append(Axis(key, str(path), values, {"values": values}, lines))
    return axes


def _read_cell(text: str, where: str) -> Any:
    if re.fullmatch(r"[-+]?\d+,\d+", text):
        raise ConfigError(f"{where}: {text}: a decimal point is written '.', not ','")
    return read_value(text, where)


def _rows(path: Path, where: str) -> list[tuple[int, list[str]]]:
    """Return the rows that are not blank, each with its line."""
    try:
        text = read_text(path, MAX_BYTES, "so split the list")
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
