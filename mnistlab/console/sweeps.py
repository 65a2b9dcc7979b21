"""Prints what a sweep will take, and what sweep.json says came of it, to stdout."""

import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mnistlab.console.tables import (
    align,
    describe_pairs,
    fill,
    format_loss,
    print_lines,
    terminal_width,
    text_width,
)
from mnistlab.core.objective import format_limit
from mnistlab.runs.files import to_json
from mnistlab.runs.folder import SweepFolder
from mnistlab.sweep.estimate import Estimate
from mnistlab.sweep.plan import PreparedSweep, Stack
from mnistlab.sweep.results import describe_parameters, shown_value
from mnistlab.sweep.sentences import SHOWN, Document, sentences


def print_estimate(
    prepared: PreparedSweep, stacks: Sequence[Stack], foretold: Estimate, *, as_json: bool
) -> None:
    """Print trials, stacks and widths, and the time, memory and disk that they will take."""
    sweep = prepared.sweep
    widths = [len(stack.columns) for stack in stacks]
    facts: dict[str, Any] = {
        "method": sweep.method,
        "metric": f"{sweep.metric.name}, {sweep.metric.goal}",
        "parameters": list(sweep.keys),
        "values": dict(sweep.ranges),
        "trials": len(sweep.trials),
        "runs": len(prepared.configs),
        "columns": sum(widths),
        "stacks": len(stacks),
        "widths": widths,
        "workers": prepared.workers,
        "seconds": round(foretold.seconds, 2),
        "memory_megabytes": round(foretold.memory / 1e6),
        "disk_megabytes": round(foretold.disk / 1e6, 1),
        "learning_rate_limit": prepared.common_limit,
        "warnings": prepared.warnings(),
    }
    if as_json:
        sys.stdout.write(to_json(facts) + "\n")
        return
    facts["parameters"] = ", ".join(sweep.keys)
    facts["values"] = "; ".join(f"{key}: {values}" for key, values in sweep.ranges.items())
    facts["widths"] = ", ".join(
        f"{width} ({count} times)" if count > 1 else f"{width}"
        for width, count in sorted(Counter(widths).items(), reverse=True)
    )
    facts["seconds"] = f"about {facts['seconds']:.3g}"
    if prepared.common_limit is not None:
        facts["learning_rate_limit"] = format_limit(prepared.common_limit)
    if sweep.halving is not None:
        facts["seconds"] += " at most: halving stops most runs early"
    print_lines(
        describe_pairs(
            {
                key: value if value is None or isinstance(value, list) else str(value)
                for key, value in facts.items()
            }
        )
    )


def print_sweep(folder: SweepFolder, document: Document) -> None:
    """Print the best trials, what is known of the best one, and where everything is."""
    ranked = _ranked(document)
    lines = [*_table(document, ranked), ""] if ranked else []
    lines += [line for sentence in sentences(document) for line in fill(sentence)]
    print_lines([*lines, *_places(folder, document)])


def _ranked(document: Document) -> list[Document]:
    """Return the trials that could be chosen, the best first."""
    results = document["results"]
    return [results[number] for number in document["ranking"]]


def _table(document: Document, ranked: Sequence[Document]) -> list[str]:
    """Return a table of the best trials that fits the terminal: what tells least gives way."""
    width, ranked = terminal_width(), ranked[:SHOWN]
    columns = _columns(document, ranked)
    for droppable in ("training loss", "validation loss"):
        if _needed(columns) > width and droppable.partition(" ")[0] != _metric_of(document):
            columns.pop(droppable, None)
    if _needed(columns) <= width:
        return _lines(columns)
    keys = ("trial", *document["parameters"])
    columns = {name: cells for name, cells in columns.items() if name not in keys}
    lines = _lines({"trial": [str(result["trial"]) for result in ranked]} | columns)
    for at, result in enumerate(ranked):  # the parameters on lines of their own
        setting = fill(describe_parameters(result["parameters"]), "    ")
        lines[at + 1] = "\n".join([lines[at + 1], *setting])
    return lines


def _lines(columns: Mapping[str, Sequence[str]]) -> list[str]:
    return align([[*columns], *zip(*columns.values(), strict=True)], left=(len(columns) - 1,))


def _columns(document: Document, ranked: Sequence[Document]) -> dict[str, list[str]]:
    """Return the table's columns by heading."""
    ties, chosen = set(document["indistinguishable"]), document["metric"]["name"]
    columns = {"trial": [str(result["trial"]) for result in ranked]}
    for key in document["parameters"]:
        columns[key] = [shown_value(result["parameters"][key]) for result in ranked]
    if len({result["epochs"] for result in ranked}) > 1 and "epochs" not in columns:
        columns["epochs"] = [str(result["epochs"]) for result in ranked]
    columns["training loss"] = [format_loss(result["train"]["loss"]) for result in ranked]
    for name, shown in (("validation.loss", format_loss), ("validation.accuracy", _share)):
        split, _, part = name.partition(".")
        cells = []
        for result in ranked:
            half = result.get("half_width", {}).get(name) if name == chosen else None
            cell = shown(result[split][part])
            cells.append(cell if half is None else f"{cell} ± {shown(half)}")
        columns[name.replace(".", " ")] = cells
    marks = ["~" if result["trial"] in ties else "" for result in ranked]
    return columns | {"": ["best", *marks[1:]]}


def _metric_of(document: Document) -> str:
    return "validation" if document["metric"]["name"] == "validation.loss" else ""


def _needed(columns: Mapping[str, Sequence[str]]) -> int:
    return max(map(text_width, _lines(columns)))


def _share(share: float) -> str:
    return f"{share:.2%}"


def _places(folder: SweepFolder, document: Document) -> list[str]:
    lines = [f"sweep folder: {folder.path}", f"results: {folder.results}"]
    drawn: list[Path] = sorted(folder.plots.glob("*.png"))
    if document["best"] is not None:
        runs = [folder.run(number) for number in document["best"]["runs"]]
        lines.append(f"best run: {runs[0].path}" + (", and its other seeds" if runs[1:] else ""))
        drawn += sorted(runs[0].plots.glob("*.png"))
    return [*lines, *(f"plot: {plot}" for plot in drawn)]
