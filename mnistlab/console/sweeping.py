"""Shows a sweep while it runs: the best so far with their curves, what is done, what is left."""

import math
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mnistlab.console.progress import NARROW, ConsoleReporter
from mnistlab.sweep.results import column_of
from mnistlab.sweep.workers import EpochEnded, Event, RunEnded, SweepReporter

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.live import Live

    from mnistlab.sweep.metric import Metric

_SHOWN = 8
_LINES = 10
_SECONDS = 10.0
"""Off a terminal about 10 lines tell of the runs, or one every 10 s where that is more."""
_BARS = "▁▂▃▄▅▆▇█"
_TOLD = 5
_CURVE = 16

Row = Mapping[str, Any]


class ConsoleSweepReporter(ConsoleReporter, SweepReporter):
    """Shows on stderr how a sweep goes; with `quiet` nothing."""

    def __init__(self, *, quiet: bool = False, metric: "Metric") -> None:
        super().__init__(quiet=quiet)
        self._metric = column_of(metric)
        self._sign = 1 if metric.goal == "minimize" else -1
        self._live: Live | None = None
        self._labels: Sequence[str] = ()
        self._epochs: Mapping[int, int] = {}
        self._rows: dict[int, list[Row]] = {}
        self._ended: dict[int, str] = {}
        self._complete: dict[int, Row] = {}
        self._before = 0
        self._began = self._last_said = time.monotonic()
        self._said = -1

    def start(  # type: ignore[override]
        self, labels: Sequence[str], done: Mapping[int, Row], epochs: Mapping[int, int]
    ) -> None:
        """Training begins; on a terminal a table comes up."""
        self._labels, self._epochs, self._before = labels, epochs, len(done)
        self._complete = {run: row for run, row in done.items() if row["status"] == "completed"}
        self._began = self._last_said = time.monotonic()
        if done:
            self.message(f"{len(done)} of {len(labels)} runs are done already")
        if not self._animated:
            return
        from rich.console import Console  # noqa: PLC0415 - only an animation needs it
        from rich.live import Live  # noqa: PLC0415

        console = Console(stderr=True)
        self._live = Live(
            get_renderable=self._render, console=console, transient=True, refresh_per_second=4
        )
        self._live.start()

    def event(self, event: Event) -> None:
        """Take note of an event; what has failed is named at once."""
        if isinstance(event, EpochEnded):
            for run, row in event.rows.items():
                self._rows.setdefault(run, []).append(row)
        elif isinstance(event, RunEnded):
            self._end(event)
        if self._live is None and self._labels and self._is_time():
            self.message(self._line())
            self._last_said, self._said = time.monotonic(), len(self._ended)

    def stop(self) -> None:
        """Take the table away; off a terminal tell how it ended."""
        if self._live is not None:
            self._live.stop()
            self._live = None
        elif self._labels and self._epochs and self._said != len(self._ended):
            self.message(self._line())
        self._labels = ()

    def _end(self, event: RunEnded) -> None:
        number = event.number
        self._ended[number] = event.status
        label = f" ({self._labels[number]})" if self._labels[number] else ""
        if event.status == "completed" and number in self._rows:
            self._complete[number] = self._rows[number][-1]
        elif event.status == "failed":
            self.warn(f"run {number}{label} failed: {event.error}")
        elif event.status == "diverged" and self._count("diverged") <= _TOLD:
            self.message(f"run {number}{label}: {event.error}")

    def _write(self, text: str) -> None:
        if self._live is not None:
            self._live.console.print(text, markup=False, highlight=False, soft_wrap=True)
        else:
            super()._write(text)

    def _is_time(self) -> bool:
        if time.monotonic() - self._last_said > _SECONDS:
            return True
        step = max(1, len(self._epochs) // _LINES)
        return len(self._ended) >= max(self._said, 0) + step

    def _count(self, status: str) -> int:
        return sum(one == status for one in self._ended.values())

    def _ranked(self, rows: Mapping[int, Row]) -> list[int]:
        """Return the runs that have a value, the best first, as they are ranked at the end."""
        known = [run for run, row in rows.items() if math.isfinite(_value(row, self._metric))]
        return sorted(
            known,
            key=lambda run: (
                self._sign * rows[run][self._metric],
                _value(rows[run], "validation_loss"),
                run,
            ),
        )

    def _line(self) -> str:
        text = f"{len(self._ended) + self._before}/{len(self._labels)} runs done"
        for status in ("diverged", "failed"):
            if count := self._count(status):
                text += f", {count} {status}"
        if best := self._ranked(self._complete)[:1]:
            row, label = self._complete[best[0]], self._labels[best[0]]
            text += f"; best so far: {self._shown(row[self._metric])}"
            text += f" ({label})" if label else ""
            # halving ends most runs early: their numbers are not those of the end
            if len({one.get("epoch") for one in self._complete.values()}) > 1:
                text += f" after epoch {row.get('epoch')}"
        left = self._left()
        return text if left is None else f"{text}; about {left} left"

    def _shown(self, value: float) -> str:
        name = self._metric.replace("_", " ")
        return f"{name} {value:.2%}" if name.endswith("accuracy") else f"{name} {value:.4f}"

    def _left(self) -> str | None:
        """Return the time left, None where it cannot be told yet or all is done."""
        whole = sum(self._epochs.values())
        passed = sum(
            self._epochs.get(run, 0) if run in self._ended else rows[-1]["epoch"]
            for run, rows in self._rows.items()
        )
        elapsed = time.monotonic() - self._began
        seconds = elapsed * (whole - passed) / passed if passed else 0.0
        if seconds < 1 or elapsed < 1:
            return None
        return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"

    def _render(self) -> "RenderableType":
        """Return the table of the best runs, as they stand, above a line of what is done."""
        from rich.console import Group  # noqa: PLC0415
        from rich.table import Table  # noqa: PLC0415
        from rich.text import Text  # noqa: PLC0415

        wide = self._live is not None and self._live.console.width >= NARROW
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), expand=True)
        for heading, width in (("run", 5), ("best as they stand", None), ("epoch", 5),
                               ("loss", 6), ("accuracy", 8)):  # fmt: skip
            justify: Any = "left" if width is None else "right"
            table.add_column(heading, justify=justify, no_wrap=True, min_width=width,
                             ratio=1 if width is None else None)  # fmt: skip
        if wide:
            table.add_column("loss by epoch", no_wrap=True, min_width=_CURVE)
        for run, rows in self._leaders():
            last = rows[-1]
            cells: list[str | Text] = [
                str(run),
                Text(self._labels[run] if self._labels else ""),
                f"{last['epoch']}",
                f"{last['validation_loss']:.4f}",
                f"{last['validation_accuracy']:.2%}",
            ]
            losses = [row["validation_loss"] for row in rows if "validation_loss" in row]
            table.add_row(*cells, *([Text(sparkline(losses))] if wide else []))
        return Group(table, Text(self._line()))

    def _leaders(self) -> list[tuple[int, list[Row]]]:
        """Return the best runs with their rows; of runs that are one column so far, the first."""
        # a copy: the main thread adds to it while the display's own draws
        rows = {run: list(kept) for run, kept in list(self._rows.items())}
        failed = [run for run, status in list(self._ended.items()) if status == "failed"]
        last = {run: kept[-1] for run, kept in rows.items() if run not in failed}
        leaders: dict[int, int] = {}
        for run in self._ranked(last):
            leaders.setdefault(id(last[run]), run)
        return [(run, rows[run]) for run in list(leaders.values())[:_SHOWN]]


def _value(row: Row, name: str) -> float:
    value = row.get(name)
    return math.nan if value is None else float(value)


def sparkline(values: Sequence[float], width: int = _CURVE) -> str:
    """Return values as a row of bars, from the lowest to the highest; at most `width` of them."""
    finite = [value for value in values if math.isfinite(value)]
    if not finite:
        return ""
    count = min(width, len(finite))
    chosen = [finite[round(i * (len(finite) - 1) / max(1, count - 1))] for i in range(count)]
    low, high = min(chosen), max(chosen)
    scale = (len(_BARS) - 1) / (high - low) if high > low else 0
    return "".join(_BARS[round((value - low) * scale)] for value in chosen)
