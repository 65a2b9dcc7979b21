"""Lets plugins fail late, changes data while one trains, and kills the process that draws."""

import random
from pathlib import Path

from mnistlab.datasets.data_files import NAMES
from tests.faults.late import CHANGES, LATE, ChangingData, DyingPainter, FailingPlugin
from tests.stress.figures import Figure
from tests.stress.tally import Tally

_CALLS = 10
_DATA, _PAINTERS = 48, 24


def measure(scale: float, scratch: Path) -> list[Figure]:
    """Return a figure of plugins, one of data and one of drawing, each for `train` and `sweep`."""
    choice = random.Random(20191120)  # noqa: S311 - moments, no secrets
    figures = []
    plugin, data = FailingPlugin(scratch / "plugin"), ChangingData(scratch / "changing")
    painter = DyingPainter(scratch / "painter")
    for command in ("train", "sweep"):
        tally = Tally(f"a plugin that fails late in `{command}`")
        for late in LATE:
            for _ in range(max(1, round(_CALLS * scale))):
                tally.add(plugin.attempt(command, late, choice.randint(2, 14)))
        figures.append(tally.figure(f"{len(LATE)} ways"))
        tally = Tally(f"data that change in the midst of `{command}`")
        for index in range(max(4, round(_DATA / 2 * scale))):
            name, change = NAMES[index // 4 % 4], CHANGES[index % 4]
            tally.add(data.attempt(command, name, change, choice))
        figures.append(tally.figure(f"{len(CHANGES)} ways, 4 files"))
        tally = Tally(f"the process that draws killed in the midst of `{command}`")
        for _ in range(max(2, round(_PAINTERS / 2 * scale))):
            tally.add(painter.attempt(command, choice))
        figures.append(tally.figure())
    return figures
