"""Shows progress and results: animated on a terminal, plain lines elsewhere, data to stdout."""

import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from mnistlab.experiment.reporter import Reporter, describe_epoch

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

    from mnistlab.datasets import Progress

PLAIN_EPOCHS = 20
PLAIN_SECONDS = 10.0
"""Off a terminal about 20 lines tell of the epochs, or one every 10 s where that is more."""


class ConsoleReporter(Reporter):
    """Tells on stderr what goes on; with `quiet` only warnings."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet
        self._animated = (
            not quiet and sys.stderr.isatty() and os.environ.get("TERM", "") not in ("dumb", "")
        )
        self._bar: RichProgress | None = None
        self._task: TaskID | None = None
        self._last_line = 0.0

    def message(self, text: str) -> None:
        """Show one line of text."""
        if not self._quiet:
            self._write(text)

    def warn(self, text: str) -> None:
        """Show a warning, quiet or not."""
        self._write(f"warning: {text}")

    @contextmanager
    def bar(self, label: str, total: int | None) -> Iterator[Callable[[int], None]]:
        """Show a bar of `total` bytes; off a terminal a line when it is done."""
        if not self._animated:
            yield lambda _count: None
            self.message(label if total is None else f"{label} ({total / 1e6:.1f} MB)")
            return
        from rich.progress import (  # noqa: PLC0415 - only an animation needs it
            BarColumn,
            DownloadColumn,
            Progress,
            TextColumn,
            TransferSpeedColumn,
        )

        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
        )
        with Progress(*columns, console=_stderr(), transient=True) as progress:
            task = progress.add_task(label, total=total)
            yield lambda count: progress.advance(task, count)

    def start(self, epochs: int) -> None:
        """Open the bar of epochs."""
        if not self._animated:
            return
        from rich.progress import (  # noqa: PLC0415 - only an animation needs it
            BarColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
        )

        columns = (BarColumn(24), TextColumn("{task.description}"), TimeRemainingColumn())
        self._bar = Progress(*columns, console=_stderr(), transient=True)
        self._task = self._bar.add_task("epoch 1", total=epochs)
        self._bar.start()

    def epoch(self, row: Mapping[str, Any], epochs: int) -> None:
        """Move the bar on; off a terminal print a line for every epoch or every n-th."""
        text = describe_epoch(row, epochs)
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=row["epoch"], description=text)
        elif self._is_due(row["epoch"], epochs):
            self._last_line = time.monotonic()
            self.message(text)

    def stop(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = self._task = None

    def _is_due(self, epoch: int, epochs: int) -> bool:
        return (
            epoch in (1, epochs)
            or epoch % max(1, epochs // PLAIN_EPOCHS) == 0
            or time.monotonic() - self._last_line > PLAIN_SECONDS
        )

    def _write(self, text: str) -> None:
        if self._bar is not None:
            self._bar.console.print(text, markup=False, highlight=False, soft_wrap=True)
        else:
            sys.stderr.write(f"{text}\n")
            sys.stderr.flush()


def fetch_progress(quiet: bool) -> "Progress":
    """Return what shows the progress of a download."""
    return ConsoleReporter(quiet=quiet)


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
            table.add_row(label, f"{loss:.4f}", f"{accuracy:.2%}", f"{1 - accuracy:.2%}")
    console.print(table)
    console.print()
    for sentence in meaning:
        console.print(sentence, markup=False)
    seconds = summary["seconds"]
    console.print(
        f"{summary['epochs']} epochs in {seconds['total']:.2f} s "
        f"(training {seconds['train']:.2f} s, evaluation {seconds['evaluate']:.2f} s)"
    )
    print_folder(summary["path"], plots)


def print_folder(path: str, plots: Sequence[str]) -> None:
    """Print where the run folder and its plots are, one path a line, never wrapped."""
    lines = [f"run folder: {path}", *(f"plot: {path}/plots/{plot}" for plot in plots)]
    sys.stdout.write("\n".join(lines) + "\n")


def _stderr() -> Any:
    from rich.console import Console  # noqa: PLC0415 - only an animation needs it

    return Console(stderr=True)
