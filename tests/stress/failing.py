"""Lets every call on the disk fail in turn: each kind, each error, once and for good."""

from collections import Counter
from pathlib import Path

from tests.faults.failing import scenarios
from tests.faults.fault import faults_of
from tests.stress.figures import Figure
from tests.stress.tally import Tally

_EVERY = {"train": 1, "train --resume": 1}
_EVERY_OTHER = 3
"""Of a command that makes hundreds of calls each fails with two or three of the eight faults
(four errors, once and for good), so that those of neighbouring calls differ."""


def measure(scale: float, scratch: Path) -> list[Figure]:
    """Return a figure a command."""
    figures = []
    for scenario in scenarios(scratch):
        tally = Tally(f"a failing call in `{scenario.name}`")
        counts = scenario.count(scratch)
        every = round(_EVERY.get(scenario.name, _EVERY_OTHER) / scale) | 1
        kinds: Counter[str] = Counter()
        for fault in faults_of(counts, every):
            problems = scenario.attempt(fault, scratch)
            tally.add(problems)
            kinds[fault.kind] += problems is not None
        note = ", ".join(f"{count} {kind}" for kind, count in kinds.items() if count)
        figures.append(tally.figure(note))
    return figures
