"""Puts somebody else's folder among the runs: files of any size, and files that say anything."""

from pathlib import Path

from tests.faults.failing import scenarios
from tests.faults.foreign import FORGERIES, SIZES, SIZES_OF_A_SWEEP, TEXTS, ForeignFolder
from tests.faults.test_forged import OF_A_RUN, OF_A_SWEEP, resumed, undisturbed
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
    return figures
