"""Prints runs as a table, as CSV or as JSON to stdout, ten thousand of them in a tenth of a second.

Names and values are whatever somebody's folders hold, so nothing that could steer a terminal is
written as it is.
"""

import csv
import json
import os
import re
import shutil
import sys
import time
import unicodedata
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from mnistlab.errors import harmless
from mnistlab.runs.files import to_json
from mnistlab.store.facts import Facts, csv_cell

_PIPE_WIDTH = 200
_LONGEST_CELL = 40
_LONGEST_HEADING = 10
_MISSING = "\N{EN DASH}"
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d", re.ASCII)


def print_table(
    runs: Sequence[Facts], columns: Sequence[str], least_telling: Sequence[str]
) -> None:
    """Print a row a run; of the columns, the least telling give way until the rest fit."""
    table = {key: _Column(key, runs) for key in columns}
    for key in least_telling:
        if sum(column.width + 2 for column in table.values()) - 2 > _terminal_width():
            table.pop(key, None)
    lines = map("  ".join, zip(*(column.lines() for column in table.values()), strict=True))
    text = [line.rstrip() for line in lines]
    sys.stdout.write("\n".join(text if text[0] else text[1:]) + "\n")


def print_csv(runs: Sequence[Facts], columns: Sequence[str]) -> None:
    """Print a header and a row a run, values as they are but for controls, which are escaped."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([harmless(csv_cell(run.get(key))) for key in columns] for run in runs)


def print_json(runs: Sequence[Facts]) -> None:
    """Print a list with an object a run, each on a line: indented it would take four times as long.

    All but ASCII is escaped, and so are controls.
    """
    sys.stdout.write("[" + ",\n ".join(map(_json_object, runs)) + "]\n")


def _json_object(facts: Facts) -> str:
    try:
        return json.dumps(facts, allow_nan=False)
    except ValueError:  # a number that is not finite, which becomes null
        return json.dumps(json.loads(to_json(facts)))


class ReadingProgress:
    """Says on a terminal how many folders have been read, once that takes more than two seconds."""

    def __init__(self) -> None:
        self._due = time.monotonic() + 2
        self._told = False
        self._wanted = sys.stderr.isatty() and os.environ.get("TERM", "") not in ("dumb", "")

    def __call__(self, done: int, of: int) -> None:
        """Tell it, at most five times a second."""
        if self._wanted and time.monotonic() >= self._due:
            self._due = time.monotonic() + 0.2
            self._told = True
            self._write(f"\rreading run folders: {done:,} of {of:,}")

    def close(self) -> None:
        """Wipe the line."""
        if self._told:
            self._write("\r\x1b[K")

    @staticmethod
    def _write(text: str) -> None:
        with suppress(OSError):  # the listing is worth more than the words about it
            sys.stderr.write(text)
            sys.stderr.flush()


class _Column:
    """A column's texts and their width; equal values are shown and measured once."""

    def __init__(self, key: str, runs: Sequence[Facts]) -> None:
        values = [run.get(key) for run in runs]
        kinds = set(map(type, values)) - {type(None)}
        if len(kinds) == 1 and list not in kinds:
            shown = {value: _shown(key, value) for value in set(values)}
            self._texts = [shown[value] for value in values]
        else:  # 1, 1.0 and true are equal, but not to be shown so
            self._texts = [_shown(key, value) for value in values]
        self._heading = _heading(key)
        self._align = str.rjust if kinds and kinds <= {int, float} else str.ljust
        self._widths = {text: _width(text) for text in {*self._heading, *self._texts}}
        self.width = max(self._widths.values())

    def lines(self) -> list[str]:
        """Return the two lines of the heading and a line a run, all of the same width."""
        padded = {
            # what aligns counts characters, of which some take two places and some none
            text: self._align(text, self.width + len(text) - width)
            for text, width in self._widths.items()
        }
        return [padded[text] for text in (*self._heading, *self._texts)]


def _heading(key: str) -> tuple[str, str]:
    """Return a column's heading in two lines, of which a short key needs but one."""
    cut = max(key.rfind("."), key.rfind("_")) + 1
    return (key[:cut], key[cut:]) if len(key) > _LONGEST_HEADING and cut else ("", key)


def _shown(key: str, value: Any) -> str:
    """Return a fact as a table shows it."""
    if value is None:
        return _MISSING
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return _number_format(key)(value)
    text = value if isinstance(value, str) else ", ".join(map(str, value)) or "[]"
    if key in ("started", "ended") and _TIME.match(text):
        return _short_time(text)
    text = harmless(text)
    # a run's name is there to be copied
    return text if len(text) <= _LONGEST_CELL or key == "run" else f"{text[: _LONGEST_CELL - 1]}…"


def _number_format(key: str) -> Callable[[float], str]:
    if key.endswith("accuracy"):
        return "{:.2%}".format
    return _loss if key.endswith("loss") else "{:.4g}".format


def _loss(loss: float) -> str:
    return f"{loss:.4f}" if loss < 1e4 else f"{loss:.3g}"


def _short_time(text: str) -> str:
    """Return month, day, hour and minute, or the date of what is not from this year."""
    return f"{text[5:10]} {text[11:16]}" if text[:4] == time.strftime("%Y") else text[:10]


def _width(text: str) -> int:
    """Return the columns that a text takes on a terminal."""
    if text.isascii() or text == _MISSING:
        return len(text)
    wide = sum(unicodedata.east_asian_width(character) in "WF" for character in text)
    return len(text) + wide - sum(unicodedata.combining(character) > 0 for character in text)


def _terminal_width() -> int:
    """Return the terminal's width; what is piped may be wide, COLUMNS decides for both."""
    return shutil.get_terminal_size((_PIPE_WIDTH, 24)).columns
