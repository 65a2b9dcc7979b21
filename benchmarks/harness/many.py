"""A runs folder with ten thousand runs in it, and what is asked of it."""

import json
import sys
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from harness.contestants import PEAK, PROCESS, Contestant, Measures
from harness.measure import BenchmarkError, Finished, run_process
from harness.sweep import MNISTLAB_ONE

OPENING = "opening"

RUNS = 10_000
REPORTED = (100, 1000)
"""How many runs the two reports are about."""

TRAINED = (0.01, 0.005, 0.002, 0.001)
"""Learning rates of the runs that are trained; the others are the same files under new names."""


def many_contestants(runs: int = RUNS, reported: Sequence[int] = REPORTED) -> list[Contestant]:
    """Return everyone in the order in which a round runs them."""
    listing = ("-m", "mnistlab", "runs", "list", "--json")
    return [
        Contestant("runs_list", listing, partial(read_list, runs=runs)),
        *(_report(count) for count in reported),
        # it opens what the last report has written
        Contestant(
            "open_page",
            ("benchmarks/rivals/open_page.py", str(reported[-1])),
            read_page,
            package="playwright",
            program="chromium",
        ),
    ]


def make_many(environment: Mapping[str, str], runs: int = RUNS, rest: float = 2.0) -> None:
    """Fill the runs folder: a few are trained, and their files linked under ever new names.

    It rests for so many seconds at the end, as the index keeps nothing that has just changed.
    """
    folder = Path(environment["MNISTLAB_RUNS_DIR"])
    for rate in TRAINED:
        train = [sys.executable, *MNISTLAB_ONE, f"learning_rate={rate!r}"]
        run_process(train, environment)
    trained = sorted(path for path in folder.iterdir() if not path.is_symlink())
    for number in range(runs - len(trained)):
        source = trained[number % len(trained)]
        for path in [source, *source.rglob("*")]:
            place = folder / _name(number) / path.relative_to(source)
            place.mkdir() if path.is_dir() else place.hardlink_to(path)
    time.sleep(rest)


def read_list(finished: Finished, runs: int) -> Measures:
    """Return the seconds of a listing, in which every run has to be, and to be complete."""
    listed = json.loads(finished.output)
    complete = sum(run["status"] == "completed" for run in listed)
    if complete != runs:
        raise BenchmarkError(f"mnistlab runs list: {complete} complete runs, expected {runs}")
    return {PROCESS: finished.seconds, PEAK: float(finished.peak_bytes)}


def read_report(finished: Finished) -> Measures:
    """Return the seconds of a report, which must have written its page."""
    page = json.loads(finished.output).get("html")
    if page is None or not Path(page).is_file():
        raise BenchmarkError(f"mnistlab report: wrote no page: {finished.output[:200]}")
    return {PROCESS: finished.seconds, PEAK: float(finished.peak_bytes)}


def read_page(finished: Finished) -> Measures:
    """Return the seconds until the page could be used; those of the browser's start are apart."""
    return {PROCESS: finished.seconds, OPENING: json.loads(finished.output)["seconds"]}


def _report(count: int) -> Contestant:
    options = ("--format", "html", "--json", "--quiet")
    command = ("-m", "mnistlab", "report", *map(_name, range(count)), *options)
    return Contestant(f"report_of_{count}", command, read_report)


def _name(number: int) -> str:
    return f"run-{number:05}"
