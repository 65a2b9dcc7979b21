"""Starts 64 processes at one instant of a clock that stands still, twenty times."""

from pathlib import Path

from tests.faults.crowd import crowd
from tests.stress.figures import Figure
from tests.stress.tally import Tally

_PROCESSES, _ROUNDS = 64, 20


def measure(scale: float, scratch: Path) -> list[Figure]:
    """Return a figure of folders: those that are missing, shared or not whole are bad."""
    rounds = max(2, round(_ROUNDS * scale))
    tally = Tally(f"{_PROCESSES} processes at one instant, {rounds} times: folders")
    for index in range(rounds):
        problems = crowd(_PROCESSES, scratch / f"crowd-{index}" / "runs", few=bool(index % 2))
        tally.add(problems)
        tally.tries += _PROCESSES - 1
    return [tally.figure("every other time with 66 names to choose from")]
