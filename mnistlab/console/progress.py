"""Shows progress: animated on a terminal, plain lines elsewhere, always on stderr."""

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from mnistlab.console.tables import is_animated
from mnistlab.errors import escape, paint
from mnistlab.experiment.training import Reporter, describe_epoch

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

    from mnistlab.datasets import Progress

NARROW = 110  # columns: below it an epoch's line is shortened

PLAIN_EPOCHS = 20
PLAIN_SECONDS = 10.0
"""Off a terminal about 20 lines tell of the epochs, or one every 10 s where that is more."""


class ConsoleReporter(Reporter):
    """Shows on stderr what goes on; with `quiet` nothing."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet
        self._animated = not quiet and is_animated()
        self._bar: RichProgress | None = None
        self._task: TaskID | None = None
        self._narrow = False
        self._last_line = 0.0
        self._untold: str | None = None

    def message(self, text: str) -> None:
        """Show one line of text; what a terminal would obey, in a name say, is escaped."""
        if not self._quiet:
            self._write(escape(text, keep="\n"))

    def warn(self, text: str) -> None:
        """Show a warning."""
        if not self._quiet:
            told = escape(text, keep="\n")
            self._write(f"{paint('warning:', 'yellow', sys.stderr)} {told}")

    @contextmanager
    def bar(self, label: str, total: int | None) -> Iterator[Callable[[int], None]]:
        """Show a bar of `total` bytes; off a terminal a line when it is done."""
        if not self._animated:
            yield lambda _count: None
            self.message(label if total is None else f"{label} ({total / 1e6:.1f} MB)")
            return
        from rich import progress as rich  # noqa: PLC0415 - only an animation needs it

        columns = ("{task.description}", rich.BarColumn(), rich.DownloadColumn())
        with _animation(*columns, rich.TransferSpeedColumn()) as shown:
            task = shown.add_task(label, total=total)
            yield lambda count: shown.advance(task, count)

    def start(self, epochs: int) -> None:
        """Open the bar of epochs."""
        if not self._animated:
            return
        from rich import progress as rich  # noqa: PLC0415 - only an animation needs it

        bar, left = rich.BarColumn(24), rich.TimeRemainingColumn(compact=True)
        self._bar = _animation(bar, "{task.description}", left)
        self._narrow = self._bar.console.width < NARROW
        bar.bar_width = 8 if self._narrow else 24
        self._task = self._bar.add_task("epoch 1", total=epochs)
        self._bar.start()

    def epoch(self, row: Mapping[str, Any], epochs: int) -> None:
        """Move the bar on; off a terminal print a line for every epoch or every n-th."""
        text = describe_epoch(row, epochs, short=self._narrow)
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=row["epoch"], description=text)
        elif self._is_due(row["epoch"], epochs):
            self._last_line, self._untold = time.monotonic(), None
            self.message(text)
        else:
            self._untold = text

    def stop(self) -> None:
        """Take the bar away; without one, tell the last epoch if it was not told yet."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = self._task = None
        elif self._untold is not None:
            self.message(self._untold)
            self._untold = None

    def _is_due(self, epoch: int, epochs: int) -> bool:
        return (
            epoch in (1, epochs)
            or epoch % max(1, epochs // PLAIN_EPOCHS) == 0
            or time.monotonic() - self._last_line > PLAIN_SECONDS
        )

    def _write(self, text: str) -> None:
        with suppress(OSError):  # a run is worth more than the words about it
            if self._bar is not None:
                self._bar.console.print(text, markup=False, highlight=False, soft_wrap=True)
            else:
                sys.stderr.write(f"{text}\n")
                sys.stderr.flush()


def fetch_progress(quiet: bool) -> "Progress":
    """Return what shows the progress of a download."""
    return ConsoleReporter(quiet=quiet)


def _animation(*columns: Any) -> "RichProgress":
    from rich.console import Console  # noqa: PLC0415 - only an animation needs it
    from rich.progress import Progress  # noqa: PLC0415

    return Progress(*columns, console=Console(stderr=True), transient=True)
