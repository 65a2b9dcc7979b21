"""Chooses the runs that a report shows one by one, on paper as on the page."""

from collections.abc import Sequence
from dataclasses import dataclass

from mnistlab.report.collect import ReportRun, ReportSweep
from mnistlab.store.facts import is_number

FEATURED = 12
"""So many runs are shown one by one; a table holds them all."""


@dataclass(frozen=True)
class Featured:
    """The runs that are shown one by one, and of how many they are the best."""

    runs: Sequence[ReportRun]
    completed: int


def choose_featured(
    runs: Sequence[ReportRun], sweeps: Sequence[ReportSweep], *, unfinished: bool = False
) -> Featured:
    """Return all completed runs, each sweep's best among them, or the best by validation accuracy.

    With `unfinished` the others count too, and come after those that are completed; a run without
    validation images comes after those that have them.
    """
    best = [sweep.best for sweep in sweeps]
    given = {run.place: run for run in (*runs, *filter(None, best))}
    chosen = [run for run in given.values() if unfinished or _is_completed(run)]
    if len(chosen) <= FEATURED:
        return Featured(chosen, len(chosen))
    ranked = sorted(chosen, key=_rank, reverse=True)
    return Featured(ranked[:FEATURED], len(chosen))


def _is_completed(run: ReportRun) -> bool:
    return bool(run.facts["status"] == "completed")


def _rank(run: ReportRun) -> tuple[bool, float]:
    accuracy = run.facts.get("validation.accuracy")
    return _is_completed(run), accuracy if is_number(accuracy) else -1.0
