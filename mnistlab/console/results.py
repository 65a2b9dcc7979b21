"""Prints a finished run to stdout."""

import sys
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any


def print_result(
    summary: Mapping[str, Any], meaning: Sequence[str], *, plots: Sequence[str]
) -> None:
    """Print a finished run: loss and accuracy of each split, what they mean, where it all is."""
    from rich.console import Console  # noqa: PLC0415 - a run with --json needs none of it
    from rich.table import Table  # noqa: PLC0415

    console = Console(highlight=False)
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0))
    table.add_column()
    for heading in ("loss", "accuracy", "error rate"):
        table.add_column(heading, justify="right")
    for split, label in (("train", "training"), ("validation", "validation"), ("test", "test")):
        loss, accuracy = summary[split]["loss"], summary[split]["accuracy"]
        if loss is not None:
            table.add_row(label, _loss(loss), f"{accuracy:.2%}", f"{1 - accuracy:.2%}")
    console.print(table)
    console.print()
    for sentence in meaning:
        console.print(textwrap.fill(sentence, console.width), markup=False, soft_wrap=True)
    seconds = summary["seconds"]
    epochs = "1 epoch" if summary["epochs"] == 1 else f"{summary['epochs']} epochs"
    console.print(
        f"{epochs} in {seconds['total']:.2f} s "
        f"(training {seconds['train']:.2f} s, evaluation {seconds['evaluate']:.2f} s)"
    )
    print_folder(summary["path"], plots)


def _loss(loss: float) -> str:
    return f"{loss:.4f}" if loss < 1e6 else f"{loss:.4g}"


def print_folder(path: str, plots: Sequence[str]) -> None:
    """Print where the run folder and its plots are, one path a line, never wrapped."""
    lines = [f"run folder: {path}", *(f"plot: {path}/plots/{plot}" for plot in plots)]
    sys.stdout.write("\n".join(lines) + "\n")
