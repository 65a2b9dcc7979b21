"""Lets each command on a folder be overtaken by each other, or by somebody who swaps the folder."""

import random
from pathlib import Path

from tests.faults.failing import scenarios
from tests.faults.races import SWAP, RacingCommands
from tests.stress.figures import Figure
from tests.stress.tally import Tally

_INTERLEAVINGS = 200


def measure(scale: float, scratch: Path) -> list[Figure]:
    """Return a figure of pairs of commands, and one of folders that become links on the way."""
    made = {scenario.name: scenario for scenario in scenarios(scratch)}
    racing = RacingCommands(made, scratch)
    choice = random.Random(20191120)  # noqa: S311 - moments, no secrets
    figures = []
    for what, races in (
        ("a command in the midst of another on the same folder",
         [race for race in racing.races if race.second != SWAP]),
        ("a folder that becomes a link in the midst of a command",
         [race for race in racing.races if race.second == SWAP]),
    ):  # fmt: skip
        tally = Tally(what)
        count = round((_INTERLEAVINGS if "another" in what else _INTERLEAVINGS / 2) * scale)
        choice.shuffle(races)
        for index in range(max(4, count)):
            tally.add(racing.attempt(races[index % len(races)], choice))
        figures.append(tally.figure(f"{len(races)} pairs"))
    return figures
