"""Cuts the power after every call on the disk; what was not synced is lost in the worst way."""

import random
from pathlib import Path

from tests.faults.failing import scenarios
from tests.faults.unsynced import Cuts
from tests.stress.figures import Figure
from tests.stress.tally import Tally

_STATES = 6


def measure(scale: float, scratch: Path) -> list[Figure]:
    """Return two figures a command: on its way, and once it has ended."""
    figures = []
    choice = random.Random(20191120)  # noqa: S311 - samples, no secrets
    for index, scenario in enumerate(scenarios(scratch)):
        if scenario.in_drawing or not scenario.makes_a_run:
            continue
        cuts = Cuts(scenario, scratch / f"cuts-{index}")
        tally = Tally(f"power cut during `{scenario.name}`")
        moments = range(0, len(cuts.moments), max(1, round(1 / scale)))
        for moment in moments:
            for problems in cuts.try_moment(moment, _STATES, choice):
                tally.add(problems)
        figures.append(tally.figure(f"{len(moments)} moments"))
        tally = Tally(f"power cut after `{scenario.name}`")
        tally.add(cuts.try_end())
        figures.append(tally.figure())
    return figures
