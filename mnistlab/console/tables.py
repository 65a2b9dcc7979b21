"""Lays out text for a terminal: tables, numbers as they show them, lists of runs and datasets.

Names and values are whatever somebody's folders hold, so `format_fact` escapes what a terminal
would obey.
"""

import csv
import functools
import json
import os
import re
import shutil
import sys
import textwrap
import time
import unicodedata
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from mnistlab.console import results
from mnistlab.errors import escape, paint
from mnistlab.run_folders import RunFolder
from mnistlab.run_folders.files import to_json
from mnistlab.store.facts import METRICS, Facts, csv_cell

if TYPE_CHECKING:
    from mnistlab.datasets.sanity import Finding

MISSING = "\N{EN DASH}"
PIPE_WIDTH = 200
TEXT_WIDTH = 100
NARROWEST = 40  # columns; below that words are cut
_GAP = 2  # columns between those of a table
_LONGEST_CELL = 40
_LONGEST_HEADING = 10
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d", re.ASCII)


STATUS_COLORS = {
    "completed": "green",
    "running": "cyan",
    **dict.fromkeys(("diverged", "interrupted"), "yellow"),
    **dict.fromkeys(("failed", "damaged", "refused"), "red"),
}


def print_lines(lines: Iterable[str], colors: Mapping[str, str] | None = None) -> None:
    """Print lines to stdout; what a terminal would obey is escaped.

    The first of the words in `colors` that stands in a line by itself has its colour there.
    """
    texts = [escape(line, keep="\n") for line in lines]
    if colors and any(paint("", color, results()) for color in colors.values()):
        words = re.compile(rf"(?<!\S)({'|'.join(colors)})(?!\S)")

        def colored(match: re.Match[str]) -> str:
            return paint(match[0], colors[match[0]], results())

        texts = [words.sub(colored, text, count=1) for text in texts]
    results().write("".join(f"{text}\n" for text in texts))


def table(
    headings: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    left: Container[str] | None = None,
    droppable: Iterable[str] = (),
    split: bool = False,
) -> list[str]:
    """Return rows as lines below their headings; columns in `left`, or the first, are flush left.

    Of the columns the droppable ones give way until the rest fit the terminal. With `split`, what
    still does not fit stands below, beside the first column again.
    """
    both = [*zip(*map(_split_heading, headings), strict=True), *rows]
    columns = dict(zip(headings, zip(*both, strict=True), strict=True))
    widths = {heading: _GAP + max(map(text_width, set(columns[heading]))) for heading in headings}
    room = terminal_width() + _GAP
    for heading in droppable:
        if sum(widths.values()) > room:
            widths.pop(heading, None)
    first, *others = widths
    parts = [[first]]
    for heading in others:
        if split and sum(widths[one] for one in (*parts[-1], heading)) > room:
            parts.append([first])
        parts[-1].append(heading)
    left = (first,) if left is None else left
    lines: list[str] = []
    for part in parts:
        cells = [*zip(*(columns[heading] for heading in part), strict=True)]
        aligned = align(cells, left=[at for at, heading in enumerate(part) if heading in left])
        lines += [*([""] if lines else []), *(aligned if aligned[0] else aligned[1:])]
    return lines


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


def print_pairs(pairs: Mapping[str, Any]) -> None:
    """Print a line for each key that has a value, or for each value of a list."""
    rows = [
        [key.replace("_", " "), f"{one:.4g}" if isinstance(one, float) else str(one)]
        for key, value in pairs.items()
        for one in (value if isinstance(value, list) else [value])
        if one is not None
    ]
    print_lines(align(rows, left=(0, 1)))


def fill(sentence: str) -> list[str]:
    """Return a sentence on lines that fit the terminal and are no longer than one can read."""
    return textwrap.wrap(sentence, min(terminal_width(), TEXT_WIDTH))


def text_width(text: str) -> int:
    """Return the columns that a text takes on a terminal."""
    if text.isascii() or text == MISSING:
        return len(text)
    wide = sum(unicodedata.east_asian_width(character) in "WF" for character in text)
    return len(text) + wide - sum(unicodedata.combining(character) > 0 for character in text)


def terminal_width() -> int:
    """Return the terminal's width; what is piped may be wide, COLUMNS decides for both."""
    return max(NARROWEST, shutil.get_terminal_size((PIPE_WIDTH, 24)).columns)


def _split_heading(key: str) -> tuple[str, str]:
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


@functools.lru_cache(maxsize=1 << 16, typed=True)  # ten thousand runs have few different values
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
    if key == "run":  # its name is there to be copied
        return text
    return shorten(text, TEXT_WIDTH if key == "error" else _LONGEST_CELL)


def shorten(text: str, longest: int = _LONGEST_CELL) -> str:
    """Return a text, or the beginning of a longer one."""
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def _format_number(key: str, value: float) -> str:
    if key.endswith("accuracy"):
        return f"{value:.2%}"
    if key.startswith("seconds"):
        return f"{value:.2f}"
    return format_loss(value) if key.endswith("loss") else f"{value:.4g}"


def format_loss(loss: float | None) -> str:
    """Return a loss with four decimals, or three digits where it is huge."""
    if loss is None:
        return MISSING
    return f"{loss:.4f}" if abs(loss) < 1e4 else f"{loss:.3g}"


def _short_time(text: str) -> str:
    """Return month, day, hour and minute, or the date of what is not from this year."""
    return f"{text[5:10]} {text[11:16]}" if text[:4] == time.strftime("%Y") else text[:10]


def print_runs(runs: Sequence[Facts], columns: Sequence[str], droppable: Sequence[str]) -> None:
    """Print a row a run; of the columns, the droppable ones give way until the rest fit."""
    rows = [[_format_cell(key, run.get(key)) for key in columns] for run in runs]
    texts = [key for key in columns if not _is_numeric(run.get(key) for run in runs)]
    print_lines(table(columns, rows, left=texts, droppable=droppable), STATUS_COLORS)


def _format_cell(key: str, value: Any) -> str:
    text = format_fact(key, value)
    # a loss is told by its first word where its name would push other columns off the terminal
    return text.partition("_")[0] if key == "loss" and terminal_width() < TEXT_WIDTH else text


def _is_numeric(values: Iterable[Any]) -> bool:
    kinds = set(map(type, values)) - {type(None)}
    return bool(kinds) and kinds <= {int, float}


def print_csv(runs: Sequence[Facts], columns: Sequence[str]) -> None:
    """Print a header and a row a run, values as they are but for controls, which are escaped."""
    writer = csv.writer(results(), lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([escape(csv_cell(run.get(key))) for key in columns] for run in runs)


def print_json(runs: Sequence[Facts]) -> None:
    """Print a list with an object a run, each on a line: indented it would take four times as long.

    The metrics stand there twice: under their keys, and by split as `train --json` has them. All
    but ASCII is escaped, and so are controls.
    """
    results().write("[" + ",\n ".join(map(_json_object, runs)) + "]\n")


def _json_object(facts: Facts) -> str:
    nested: dict[str, dict[str, Any]] = {}
    for key in (*METRICS, "seconds.total"):
        if key in facts:
            part, _, name = key.partition(".")
            nested.setdefault(part, {})[name] = facts[key]
    try:
        return json.dumps({**facts, **nested}, allow_nan=False)
    except ValueError:  # a number that is not finite, which becomes null
        return json.dumps(json.loads(to_json({**facts, **nested})))


def describe_places(folder: RunFolder) -> list[str]:
    """Return where the run folder and its plots are, one path a line, never wrapped."""
    plots = sorted(folder.plots.glob("*.png"))
    return [f"run folder: {folder.path}", *(f"plot: {plot}" for plot in plots)]


def print_datasets(datasets: Iterable[Mapping[str, Any]]) -> None:
    """Print a row a dataset: its images, whether they are at hand, what it is."""
    headings = ("name", "images", "cached", "description")
    rows = [
        (one["name"], f"{one['images']:,}", "yes" if one["cached"] else "no",
         f"{one['description']} ({one['licence']})")
        for one in datasets
    ]  # fmt: skip
    print_lines(table(headings, rows, left=("name", "cached", "description")))


def print_check(
    splits: Mapping[str, Mapping[str, Any]], classes: Sequence[str], findings: Sequence["Finding"]
) -> None:
    """Print the figures of each split, its images by class, and what is odd about them."""
    labels = {"images": "images", "brightest": "brightest pixel", "mean": "mean pixel"}
    rows = [[label, *(f"{one[key]:,}" for one in splits.values())] for key, label in labels.items()]
    for at, name in enumerate(classes):
        rows.append([f"class {name}", *(f"{one['classes'][at]:,}" for one in splits.values())])
    print_lines(table(["", *splits], rows))
    print_lines([f"{one.name}: {one.message}" for one in findings] or ["nothing odd was found"])


def is_animated() -> bool:
    """Return whether stderr is a terminal that can draw over a line."""
    return sys.stderr.isatty() and os.environ.get("TERM", "") not in ("dumb", "")


@contextmanager
def reading_progress() -> Iterator[Callable[[int, int], None]]:
    """Show on a terminal how many folders have been read, once that takes over two seconds."""
    due, shown = time.monotonic() + 2, False

    def write(text: str) -> None:
        with suppress(OSError):  # the listing matters more than its progress
            sys.stderr.write(text)
            sys.stderr.flush()

    def show(done: int, of: int) -> None:
        nonlocal due, shown
        if animated and time.monotonic() >= due:
            due, shown = time.monotonic() + 0.2, True  # at most five times a second
            write(f"\rreading run folders: {done:,} of {of:,}")

    animated = is_animated()
    try:
        yield show
    finally:
        if shown:
            write("\r\x1b[K")
