"""Prints what a sweep will take, and what sweep.json says came of it, to stdout."""

import os
import sys
import textwrap
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mnistlab.core.stability import tell_limit
from mnistlab.runs.files import to_json
from mnistlab.runs.folder import SweepFolder
from mnistlab.sweep.estimate import Estimate
from mnistlab.sweep.preparation import Prepared
from mnistlab.sweep.results import shown_value, tell_parameters
from mnistlab.sweep.stacks import Stack
from mnistlab.sweep.telling import SHOWN, Document, sentences

_PIPE_WIDTH = 200
_TEXT_WIDTH = 100


def print_outlook(
    prepared: Prepared, stacks: Sequence[Stack], foretold: Estimate, *, as_json: bool
) -> None:
    """Print trials, stacks and widths, and the time, memory and disk that they will take."""
    sweep = prepared.sweep
    widths = [len(stack.columns) for stack in stacks]
    facts: dict[str, Any] = {
        "method": sweep.method,
        "metric": f"{sweep.metric.name}, {sweep.metric.goal}",
        "parameters": list(sweep.keys),
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
        "warning": prepared.warning(),
    }
    if as_json:
        sys.stdout.write(to_json(facts) + "\n")
        return
    facts["parameters"] = ", ".join(sweep.keys)
    facts["widths"] = ", ".join(
        f"{width} ({count} times)" if count > 1 else f"{width}"
        for width, count in sorted(Counter(widths).items(), reverse=True)
    )
    facts["seconds"] = f"about {facts['seconds']:.3g}"
    if prepared.common_limit is not None:
        facts["learning_rate_limit"] = tell_limit(prepared.common_limit)
    if sweep.halving is not None:
        facts["seconds"] += " at most: halving stops most runs early"
    column = max(map(len, facts))
    for key, value in facts.items():
        if value is not None:
            sys.stdout.write(f"{key.replace('_', ' '):{column}}  {value}\n")


def print_conclusion(folder: SweepFolder, document: Document) -> None:
    """Print the best trials, what is known of the best one, and where everything is."""
    from rich.console import Console  # noqa: PLC0415 - a sweep with --json needs none of it

    piped = not sys.stdout.isatty() and "COLUMNS" not in os.environ
    console = Console(highlight=False, width=_PIPE_WIDTH if piped else None)
    ranked = _ranked(document)
    if ranked:
        console.print(_table(document, ranked, console.width))
        console.print()
    width = min(console.width, _TEXT_WIDTH)
    for sentence in sentences(document):
        console.print(textwrap.fill(sentence, width), markup=False, soft_wrap=True)
    sys.stdout.write("\n".join(_places(folder, document)) + "\n")


def _ranked(document: Document) -> list[Document]:
    """Return the trials that could be chosen, the best first."""
    results = document["results"]
    return [results[number] for number in document["ranking"]]


def _table(document: Document, ranked: Sequence[Document], width: int) -> Any:
    """Return a table of the best trials that fits the width: what tells least gives way."""
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    columns = _columns(document, ranked[:SHOWN])
    for droppable in ("training loss", "validation loss"):
        if _needed(columns) > width and droppable.partition(" ")[0] != _metric_of(document):
            columns.pop(droppable, None)
    keys = list(document["parameters"])
    if _needed(columns) > width:
        told = [tell_parameters(result["parameters"]) for result in ranked[:SHOWN]]
        columns = {"trial": columns["trial"], "parameters": told} | {
            name: cells for name, cells in columns.items() if name not in ("trial", *keys)
        }
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in columns:
        fold = name == "parameters"
        table.add_column(
            Text(name), justify="left" if fold or not name else "right",
            overflow="fold", no_wrap=not fold, min_width=None if fold else _width(name, columns),
        )  # fmt: skip
    for cells in zip(*columns.values(), strict=True):
        table.add_row(*map(Text, cells))
    return table


def _columns(document: Document, ranked: Sequence[Document]) -> dict[str, list[str]]:
    """Return the table's columns by heading."""
    ties, chosen = set(document["indistinguishable"]), document["metric"]["name"]
    columns = {"trial": [str(result["trial"]) for result in ranked]}
    for key in document["parameters"]:
        columns[key] = [shown_value(result["parameters"][key]) for result in ranked]
    if len({result["epochs"] for result in ranked}) > 1 and "epochs" not in columns:
        columns["epochs"] = [str(result["epochs"]) for result in ranked]
    columns["training loss"] = [_loss(result["train"]["loss"]) for result in ranked]
    for name, shown in (("validation.loss", _loss), ("validation.accuracy", _share)):
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


def _width(name: str, columns: Mapping[str, Sequence[str]]) -> int:
    return max(len(name), *(len(cell) for cell in columns[name]))


def _needed(columns: Mapping[str, Sequence[str]]) -> int:
    return sum(_width(name, columns) + 2 for name in columns)


def _loss(loss: float | None) -> str:
    if loss is None:
        return "\N{EN DASH}"
    return f"{loss:.4f}" if loss < 1e4 else f"{loss:.3g}"


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
