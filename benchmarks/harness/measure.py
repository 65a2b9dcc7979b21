"""Starts whole processes and times them from outside, as a person with a stopwatch would."""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]


class BenchmarkError(Exception):
    """A contestant failed or did other work than it should have."""


@dataclass(frozen=True)
class Finished:
    """A process that ended well: its wall time, and the text it wrote to standard output.

    `peak_bytes` is the largest memory (ru_maxrss) of any one process, it or a child of its.
    """

    seconds: float
    peak_bytes: int
    output: str


@dataclass(frozen=True)
class Spread:
    """A median with the smallest and the largest value."""

    median: float
    low: float
    high: float


def spread(values: Sequence[float]) -> Spread:
    """Return the median of values with their range."""
    return Spread(statistics.median(values), min(values), max(values))


def ratios(over: Sequence[float], under: Sequence[float]) -> list[float]:
    """Return over/under round by round, so that what slows a whole round cancels out."""
    return [a / b for a, b in zip(over, under, strict=True)]


def run_process(
    command: Sequence[str],
    environment: Mapping[str, str],
    watch: Callable[[int], None] | None = None,
) -> Finished:
    """Run a command in the project's folder to its end and return how it went.

    `watch` is called once with the process' number and returns when the process has ended;
    what it does meanwhile makes the wall time worthless. Raises BenchmarkError with what the
    process said if it fails.
    """
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as messages:
        started = time.perf_counter()
        process = subprocess.Popen(
            command, cwd=ROOT, env=dict(environment), stdout=output, stderr=messages
        )
        if watch is not None:
            watch(process.pid)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)  # Popen need not wait any more
        output.seek(0)
        messages.seek(0)
        if process.returncode:
            said = messages.read()[-2000:]
            raise BenchmarkError(f"{' '.join(command[1:])}: exit code {process.returncode}: {said}")
        unit = 1 if sys.platform == "darwin" else 1024
        return Finished(seconds, usage.ru_maxrss * unit, output.read())
