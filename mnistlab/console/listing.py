"""Prints runs: as a table, as CSV or as JSON, or one run with all that its folder says."""

import csv
import json
import math
import os
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from mnistlab.console.tables import (
    align,
    format_fact,
    print_lines,
    split_heading,
    terminal_width,
    text_width,
)
from mnistlab.errors import RunFolderError, escape
from mnistlab.runs.files import to_json
from mnistlab.runs.folder import RunFolder, SweepFolder
from mnistlab.store.facts import Facts, csv_cell


def print_table(runs: Sequence[Facts], columns: Sequence[str], droppable: Sequence[str]) -> None:
    """Print a row a run; of the columns, the droppable ones give way until the rest fit."""
    cells = {
        key: [*split_heading(key), *(format_fact(key, run.get(key)) for run in runs)]
        for key in columns
    }
    widths = {key: max(map(text_width, set(texts))) + 2 for key, texts in cells.items()}
    for key in droppable:
        if sum(widths.values()) - 2 > terminal_width():
            cells.pop(key, None)
            widths.pop(key, None)
    left = [at for at, key in enumerate(cells) if not _is_numeric(key, runs)]
    lines = align([*zip(*cells.values(), strict=True)], left=left)
    print_lines(lines if lines[0] else lines[1:])


def _is_numeric(key: str, runs: Sequence[Facts]) -> bool:
    kinds = {type(run.get(key)) for run in runs} - {type(None)}
    return bool(kinds) and kinds <= {int, float}


def print_csv(runs: Sequence[Facts], columns: Sequence[str]) -> None:
    """Print a header and a row a run, values as they are but for controls, which are escaped."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([escape(csv_cell(run.get(key))) for key in columns] for run in runs)


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
    """Shows on a terminal how many folders have been read, once that takes over two seconds."""

    def __init__(self) -> None:
        self._due = time.monotonic() + 2
        self._shown = False
        self._wanted = sys.stderr.isatty() and os.environ.get("TERM", "") not in ("dumb", "")

    def __call__(self, done: int, of: int) -> None:
        """Show it, at most five times a second."""
        if self._wanted and time.monotonic() >= self._due:
            self._due = time.monotonic() + 0.2
            self._shown = True
            self._write(f"\rreading run folders: {done:,} of {of:,}")

    def close(self) -> None:
        """Wipe the line."""
        if self._shown:
            self._write("\r\x1b[K")

    @staticmethod
    def _write(text: str) -> None:
        with suppress(OSError):  # the listing matters more than its progress
            sys.stderr.write(text)
            sys.stderr.flush()


def print_run(folder: RunFolder, facts: Mapping[str, Any]) -> None:
    """Print status, config, metrics and files of a run or a sweep, as far as they are known."""
    from mnistlab.config.strict_yaml import dump  # noqa: PLC0415 - a listing reads no YAML

    status, summary = facts["status"], facts["summary"]
    lines = [f"{facts['run']}: {status['status']}"]
    lines += [f"  {status[key]}" for key in ("error",) if status.get(key)]
    if status.get("stopped"):
        lines.append(f"  stopped by {status['stopped']}")
    lines += [f"  {name} is missing or is not what the run left" for name in facts["damaged"]]
    if status.get("started"):
        ended = f", ended {status['ended']}" if status.get("ended") else ""
        lines.append(f"  started {status['started']}{ended}")
    config = facts["config"]
    text = dump(config) if config is not None else "config.yaml is missing or damaged\n"
    lines += ["config:", *(f"  {line}" for line in text.splitlines())]
    if not isinstance(folder, SweepFolder):
        lines += [*_describe_splits(folder, summary or {}), f"run folder: {folder.path}"]
        print_lines(map(escape, [*lines, *(f"plot: {plot}" for plot in facts["plots"])]))
        return
    print_lines([*map(escape, lines), ""])
    if summary is None:
        print_lines(_describe_unfinished(folder))
    elif folder.summary.name not in facts["damaged"]:
        from mnistlab.console.sweeps import print_sweep  # noqa: PLC0415 - a sweep alone needs it

        try:
            print_sweep(folder, summary)
        except (KeyError, TypeError, ValueError, IndexError, AttributeError):
            raise RunFolderError(f"{folder.summary}: is damaged: it is no sweep's") from None


def _describe_unfinished(folder: SweepFolder) -> list[str]:
    done = len(folder.runs())
    try:
        runs = sum(len(column) for stack in folder.read_plan()["stacks"] for column in stack)
    except (RunFolderError, KeyError, TypeError):
        return [f"{done} runs are done; plan.json is missing or damaged"]
    resume = f"mnistlab sweep --resume {folder.name}"
    return [
        f"{done} of {max(runs, done)} runs are done; to go on: {resume}",
        f"sweep folder: {folder.path}",
    ]


def _describe_splits(folder: RunFolder, summary: Mapping[str, Any]) -> list[str]:
    """Return a line a split, of the last epoch that has finite numbers."""
    lines = []
    for split, label in (("train", "training"), ("validation", "validation"), ("test", "test")):
        loss, accuracy = ((summary.get(split) or {}).get(name) for name in ("loss", "accuracy"))
        if loss is not None and accuracy is not None:
            lines.append(f"  {label:10}  loss {loss:.4f}  accuracy {accuracy:.2%}")
    if lines:
        return ["metrics:", *lines]
    try:
        metrics = folder.read_metrics()
    except RunFolderError:
        return ["  no metrics were measured"]
    finite = [
        (epoch, loss)
        for epoch, loss in zip(metrics["epoch"], metrics["train_loss"], strict=True)
        if math.isfinite(loss)
    ]
    if not finite:
        return ["  no metrics were measured"]
    epoch, loss = finite[-1]
    which = "last" if len(finite) == len(metrics["epoch"]) else "last finite"
    return [f"  the {which} training loss was {loss:.4g}, in epoch {epoch:.0f}"]
