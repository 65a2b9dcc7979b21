"""Lays out text for a terminal: aligned columns, and numbers in the form that tables show.

Names and values are whatever somebody's folders hold, so `format_fact` escapes what a terminal
would obey.
"""

import functools
import re
import shutil
import sys
import textwrap
import time
import unicodedata
from collections.abc import Container, Iterable, Mapping, Sequence
from typing import Any

from mnistlab.errors import escape

LINE_BREAK = "\n"
MISSING = "\N{EN DASH}"
PIPE_WIDTH = 200
TEXT_WIDTH = 100
NARROWEST = 40  # columns; below that words are cut
_LONGEST_CELL = 40
_LONGEST_HEADING = 10
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d", re.ASCII)


def print_lines(lines: Iterable[str]) -> None:
    """Print lines to stdout; what a terminal would obey is escaped."""
    sys.stdout.write("".join(f"{escape(line, keep=LINE_BREAK)}\n" for line in lines))


def align(rows: Sequence[Sequence[str]], *, left: Container[int] = (0,), gap: int = 2) -> list[str]:
    """Return rows of cells as lines with aligned columns; those in `left` are flush left."""
    columns = []
    for at, column in enumerate(zip(*rows, strict=True)):
        widths = {text: text_width(text) for text in set(column)}
        widest = max(widths.values())
        pad = str.ljust if at in left else str.rjust
        # str.ljust counts characters, of which some take two places and some none
        padded = {text: pad(text, widest + len(text) - width) for text, width in widths.items()}
        columns.append([padded[text] for text in column])
    return [(" " * gap).join(cells).rstrip() for cells in zip(*columns, strict=True)]


def describe_pairs(pairs: Mapping[str, Any]) -> list[str]:
    """Return a line for each key that has a value, or for each value of a list."""
    rows = [
        [key.replace("_", " "), f"{one:.4g}" if isinstance(one, float) else str(one)]
        for key, value in pairs.items()
        for one in (value if isinstance(value, list) else [value])
        if one is not None
    ]
    return align(rows, left=(0, 1))


def fill(sentence: str, indent: str = "", *, hang: str | None = None) -> list[str]:
    """Return a sentence on lines that fit the terminal and are no longer than one can read."""
    width = min(terminal_width(), TEXT_WIDTH)
    hang = indent if hang is None else hang
    return textwrap.wrap(sentence, width, initial_indent=indent, subsequent_indent=hang)


def text_width(text: str) -> int:
    """Return the columns that a text takes on a terminal."""
    if text.isascii() or text == MISSING:
        return len(text)
    wide = sum(unicodedata.east_asian_width(character) in "WF" for character in text)
    return len(text) + wide - sum(unicodedata.combining(character) > 0 for character in text)


def terminal_width() -> int:
    """Return the terminal's width; what is piped may be wide, COLUMNS decides for both."""
    return max(NARROWEST, shutil.get_terminal_size((PIPE_WIDTH, 24)).columns)


def split_heading(key: str) -> tuple[str, str]:
    """Return a column's heading on two lines, of which a short key needs but one."""
    cuts = [at + 1 for at, sign in enumerate(key) if sign in "._ "]
    if len(key) <= _LONGEST_HEADING or not cuts:
        return "", key
    cut = min(cuts, key=lambda at: abs(2 * at - len(key)))
    return key[:cut].strip(), key[cut:].strip()


def format_fact(key: str, value: Any) -> str:
    """Return a run's fact as a table shows it."""
    if isinstance(value, list):
        value = ", ".join(map(str, value)) or "[]"
    return _format_plain(key, value)


@functools.lru_cache(maxsize=None, typed=True)  # ten thousand runs have few different values
def _format_plain(key: str, value: Any) -> str:
    if value is None:
        return MISSING
    if isinstance(value, bool | int):
        return str(value).lower()
    if isinstance(value, float):
        return _format_number(key, value)
    if key in ("started", "ended") and _TIME.match(value):
        return _short_time(value)
    text = escape(value)
    # a run's name is there to be copied
    return text if len(text) <= _LONGEST_CELL or key == "run" else f"{text[: _LONGEST_CELL - 1]}…"


def _format_number(key: str, value: float) -> str:
    if key.endswith("accuracy"):
        return f"{value:.2%}"
    return format_loss(value) if key.endswith("loss") else f"{value:.4g}"


def format_loss(loss: float | None) -> str:
    """Return a loss with four decimals, or three digits where it is huge."""
    if loss is None:
        return MISSING
    return f"{loss:.4f}" if abs(loss) < 1e4 else f"{loss:.3g}"


def _short_time(text: str) -> str:
    """Return month, day, hour and minute, or the date of what is not from this year."""
    return f"{text[5:10]} {text[11:16]}" if text[:4] == time.strftime("%Y") else text[:10]
