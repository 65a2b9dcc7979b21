"""Puts somebody else's folder among the runs: files of any size, and files that say anything."""

import os
from contextlib import chdir
from pathlib import Path
from unittest import mock

from tests.faults.failing import scenarios
from tests.faults.foreign import FORGERIES, SIZES, SIZES_OF_A_SWEEP, TEXTS, ForeignFolder
from tests.faults.test_forged import OF_A_RUN, OF_A_SWEEP, resumed, undisturbed
from tests.fuzz.test_commands import tries
from tests.runs.audited import train_both
from tests.runs.test_paths import FIRST, MANY
from tests.stress.figures import Figure
from tests.stress.tally import Tally


def measure(scale: float, scratch: Path) -> list[Figure]:
    """Return figures of sizes, of forged files and of forged checkpoints, of runs and of sweeps."""
    every = max(1, round(1 / scale))
    figures = []
    for kind, sizes in (("run", SIZES), ("sweep", SIZES_OF_A_SWEEP)):
        folder = ForeignFolder(kind, scratch / kind)
        tally = Tally(f"a command beside a {kind} with a file of 20 GB, of brackets and the like")
        cases = [(name, change) for name, changes in sizes.items() for change in changes]
        for index, (name, change) in enumerate(cases[::every]):
            for problems in folder.try_sizes(name, change, index % 2, 2):
                tally.add(problems)
        slowest = max(one.seconds for one in folder.costs)
        largest = max(one.megabytes for one in folder.costs)
        figures.append(tally.figure(f"slowest {slowest:.2f} s, most memory {largest:.0f} MB"))
        tally = Tally(f"a command beside a {kind} with a forged file")
        texts = [(name, text) for name in FORGERIES[kind] for text in TEXTS]
        for index, (name, text) in enumerate(texts[::every]):
            for problems in folder.try_forgery(name, text, index % 3, 3):
                tally.add(problems)
        figures.append(tally.figure(f"{len(FORGERIES[kind])} files, {len(TEXTS)} texts"))
    made = {scenario.name: scenario for scenario in scenarios(scratch)}
    for command, forgeries in (("train", OF_A_RUN), ("sweep", OF_A_SWEEP)):
        tally = Tally(f"`{command} --resume` from a forged checkpoint")
        cut = made[f"{command} --resume"]
        expected = undisturbed(cut, scratch / command)
        for index, (name, change) in enumerate([*forgeries.items()][::every]):
            _, outcome, problems = resumed(
                cut, command, scratch / f"{command}-{index}", change, expected
            )
            told = [] if outcome.code == 0 else [f"{name}: {outcome.err}"]
            tally.add([*told, *(f"{name}: {one}" for one in problems)])
        figures.append(tally.figure())
    return [*figures, *_other_words(scratch / "words", every)]


def _other_words(scratch: Path, every: int) -> list[Figure]:
    """Return figures of runs and sweeps of which a file says what none of ours says."""
    figures = []
    scratch.mkdir()
    trained = dict(zip((FIRST, MANY), train_both(scratch), strict=True))
    for kind, name in ((FIRST, "run"), (MANY, "sweep")):
        place = scratch / name
        place.mkdir()
        tally = Tally(f"a command on a {name} of which a file says something else")
        with chdir(place), mock.patch.dict(os.environ, COLUMNS="300"):
            for _, told in tries(trained, kind, place, every):
                tally.add([told] if told else [])
        figures.append(tally.figure())
    return figures
