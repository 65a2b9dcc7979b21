"""Shows a sweep: on stderr while it runs, on stdout what it will take and what came of it."""

import math
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mnistlab.console.progress import NARROW, PLAIN_SECONDS, ConsoleReporter
from mnistlab.console.tables import (
    describe_places,
    fill,
    format_fact,
    print_lines,
    print_pairs,
    table,
)
from mnistlab.core.objective import format_limit
from mnistlab.datasets import describe_steps
from mnistlab.errors import RunFolderError
from mnistlab.run_folders.folder import SweepFolder, repeats_of
from mnistlab.sweeps.plan import Estimate, PreparedSweep, Stack
from mnistlab.sweeps.trial_results import SHOWN, Document, column_of, sentences, shown_value
from mnistlab.sweeps.workers import EpochEnded, Event, RunEnded, SweepReporter

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.live import Live

    from mnistlab.sweeps.sweep_schema import Metric

_SHOWN = 8
_LINES = 10
"""Off a terminal about 10 lines tell of the runs, or one every 10 s where that is more."""
_BARS = "▁▂▃▄▅▆▇█"
_TOLD = 5
_CURVE = 16
_METRICS = {
    "train.loss": "training loss",
    "validation.loss": "validation loss",
    "validation.accuracy": "validation accuracy",
}

Row = Mapping[str, Any]


class ConsoleSweepReporter(ConsoleReporter, SweepReporter):
    """Shows on stderr how a sweep goes; with `quiet` nothing."""

    def __init__(self, metric: "Metric", *, quiet: bool = False) -> None:
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
        self._live = Live(console=console, get_renderable=self._render, transient=True)
        self._live.start()

    def extend(self, labels: Mapping[int, str]) -> None:
        """Take note of what more runs are called."""
        self._labels = [labels.get(run, known) for run, known in enumerate(self._labels)]

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
        step = max(1, len(self._epochs) // _LINES)
        return (
            len(self._ended) >= max(self._said, 0) + step
            or time.monotonic() - self._last_said > PLAIN_SECONDS
        )

    def _count(self, status: str) -> int:
        return sum(one == status for one in self._ended.values())

    def _ranked(self, rows: Mapping[int, Row]) -> list[int]:
        """Return the runs that have a value, the best first, as they are ranked at the end."""
        ranks = {}
        for run, row in rows.items():
            value, loss = (row.get(key) for key in (self._metric, "validation_loss"))
            if value is not None and math.isfinite(value):
                ranks[run] = (self._sign * value, math.nan if loss is None else loss, run)
        return sorted(ranks, key=ranks.__getitem__)

    def _line(self) -> str:
        text = f"{len(self._ended) + self._before}/{len(self._labels)} runs done"
        for status in ("diverged", "failed"):
            if count := self._count(status):
                text += f", {count} {status}"
        if best := self._ranked(self._complete)[:1]:
            row, label = self._complete[best[0]], self._labels[best[0]]
            value = format_fact(self._metric, row[self._metric])
            text += f"; best so far: {self._metric.replace('_', ' ')} {value}"
            text += f" ({label})" if label else ""
            # halving ends most runs early: their numbers are not those of the end
            if len({one.get("epoch") for one in self._complete.values()}) > 1:
                text += f" after epoch {row.get('epoch')}"
        left = self._left()
        return text if left is None else f"{text}; about {left} left"

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

        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), expand=True)
        table.add_column("run", justify="right", min_width=5)
        table.add_column("best as they stand", no_wrap=True, ratio=1)
        for heading, width in (("epoch", 5), ("loss", 6), ("accuracy", 8)):
            table.add_column(heading, justify="right", no_wrap=True, min_width=width)
        wide = self._live is not None and self._live.console.width >= NARROW
        if wide:
            table.add_column("loss by epoch", no_wrap=True, min_width=_CURVE)
        for run, rows in self._leaders():
            last = rows[-1]
            losses = [row["validation_loss"] for row in rows if "validation_loss" in row]
            label = Text(self._labels[run] if self._labels else "")
            numbers = (format_fact(key, last[f"validation_{key}"]) for key in ("loss", "accuracy"))
            curve = [sparkline(losses)] if wide else []
            table.add_row(str(run), label, str(last["epoch"]), *numbers, *curve)
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


def sparkline(values: Sequence[float]) -> str:
    """Return values as a row of bars, from the lowest to the highest; at most _CURVE of them."""
    finite = [value for value in values if math.isfinite(value)]
    if not finite:
        return ""
    count = min(_CURVE, len(finite))
    chosen = [finite[round(i * (len(finite) - 1) / max(1, count - 1))] for i in range(count)]
    low, high = min(chosen), max(chosen)
    scale = (len(_BARS) - 1) / (high - low) if high > low else 0
    return "".join(_BARS[round((value - low) * scale)] for value in chosen)


def estimate_facts(
    prepared: PreparedSweep, stacks: Sequence[Stack], estimate: Estimate
) -> dict[str, Any]:
    """Return trials, stacks and widths, and the time, memory and disk that they will take."""
    sweep = prepared.sweep
    widths = [len(stack.columns) for stack in stacks]
    return {
        "method": sweep.settings.method,
        "metric": f"{sweep.metric.name}, {sweep.metric.goal}",
        "parameters": list(sweep.keys),
        "values": {key: axis.describe() for key, axis in sweep.draft.axes.items()},
        "trials": len(sweep.trials),
        "runs": len(prepared.configs),
        "columns": sum(widths),
        "stacks": len(stacks),
        "widths": widths,
        "workers": prepared.workers,
        "seconds": round(estimate.seconds, 2),
        "memory_megabytes": round(estimate.memory / 1e6),
        "disk_megabytes": round(estimate.disk / 1e6, 1),
        "learning_rate_limit": prepared.common_limit,
        "warnings": prepared.warnings(),
    }


def print_estimate(facts: Mapping[str, Any]) -> None:
    """Print what `estimate_facts` returns."""
    widths = sorted(Counter(facts["widths"]).items(), reverse=True)
    halving = " at most: halving stops most runs early" if facts["method"] == "halving" else ""
    limit = facts["learning_rate_limit"]
    text = {
        "parameters": ", ".join(facts["parameters"]),
        "values": [f"{key}: {values}" for key, values in facts["values"].items()],
        "widths": ", ".join(f"{w} ({count} times)" if count > 1 else f"{w}" for w, count in widths),
        "seconds": f"about {facts['seconds']:.3g}{halving}",
        "learning_rate_limit": None if limit is None else format_limit(limit),
    }
    print_pairs({**facts, **text})


def print_sweep(folder: SweepFolder, document: Document) -> None:
    """Print the best trials, what is known of the best one, and where everything is.

    Raises RunFolderError where the document is not that of a sweep.
    """
    try:
        print_lines(_describe_sweep(folder, document))
    except (KeyError, TypeError, ValueError, IndexError, AttributeError):
        raise RunFolderError(f"{folder.summary}: is damaged: it is no sweep's") from None


def _describe_sweep(folder: SweepFolder, document: Document) -> list[str]:
    results = document["results"]
    ranked = [results[number] for number in document["ranking"]]
    lines = [*_best_trials(document, ranked[:SHOWN]), ""] if ranked else []
    if "published" in document:
        lines += [*_beside_the_literature(document), ""]
    lines += [line for sentence in sentences(document) for line in fill(sentence)]
    lines += [f"sweep folder: {folder.path}", f"results: {folder.results}"]
    plots = describe_places(folder)[1:]
    if document["best"] is not None:
        best, *others = map(folder.run, document["best"]["runs"])
        _, _, repeated = repeats_of(document).partition(" ")
        lines.append(f"best run: {best.path}" + (f", and its other {repeated}" if others else ""))
        plots += describe_places(best)[1:]
    return [*lines, *plots]


def _cell(key: str, value: Any) -> str:
    """Return a parameter's value for a table, short where it is a list of feature steps."""
    return describe_steps(value) or "none" if key == "features" else shown_value(value)


def _beside_the_literature(document: Document) -> list[str]:
    """Return a table of the trials' test errors and the published ones."""
    keys, results = document["parameters"], document["results"]
    rows = []
    for one in document["published"]["trials"]:
        parameters = results[one["trial"]]["parameters"]
        theirs, ours, interval = one["published"], one["error"], one["interval"]
        rows.append(
            [
                *(_cell(key, parameters[key]) for key in keys),
                "" if theirs is None else f"{theirs:.1%}",
                "" if ours is None else f"{ours:.2%}",
                "" if interval is None else f"{interval[0]:.2%} to {interval[1]:.2%}",
            ]
        )
    return table([*keys, "published", "test error", "95 % interval"], rows, left=tuple(keys))


def _best_trials(document: Document, ranked: Sequence[Document]) -> list[str]:
    """Return a table of the best trials; the numbers that did not choose give way first."""
    chosen, keys = document["metric"]["name"], document["parameters"]
    epochs = "epochs" not in keys and len({result["epochs"] for result in ranked}) > 1
    rows = []
    for at, result in enumerate(ranked):
        row = [str(result["trial"]), *(_cell(key, result["parameters"][key]) for key in keys)]
        row += [str(result["epochs"])] if epochs else []
        for name in _METRICS:
            split, _, part = name.partition(".")
            half = result.get("half_width", {}).get(name) if name == chosen else None
            interval = "" if half is None else f" ± {format_fact(name, half)}"
            row.append(format_fact(name, result[split][part]) + interval)
        tie = "~" if result["trial"] in document["indistinguishable"] else ""
        rows.append([*row, "best" if at == 0 else tie])
    headings = ["trial", *keys, *(["epochs"] if epochs else []), *_METRICS.values(), ""]
    droppable = [_METRICS[name] for name in ("train.loss", "validation.loss") if name != chosen]
    return table(headings, rows, left=("",), droppable=droppable, split=True)
