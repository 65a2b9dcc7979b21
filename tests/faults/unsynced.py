"""Commands whose power is cut after each call on the disk, and what must hold then."""

import random
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mnistlab.run_folders import RunFolder
from mnistlab.run_folders.folder import is_sweep
from tests.faults import promises
from tests.faults.command import invoke, new_runs, small_steps
from tests.faults.disk import Disk, Moment
from tests.faults.failing import Scenario
from tests.faults.harness import watching


@dataclass
class Cuts:
    """An undisturbed command's moments; `expected` is what each new run comes to."""

    scenario: Scenario
    scratch: Path

    def __post_init__(self) -> None:
        self.place = shutil.copytree(self.scenario.place, self.scratch / "whole", symlinks=True)
        disk = Disk(self.place)
        with small_steps(), watching(self.place, disk):
            outcome = self.scenario.command(self.place)
        if outcome.code:
            raise AssertionError(outcome.err)
        self.moments: Sequence[Moment] = disk.moments
        (path,) = new_runs(self.place / "runs", self.scenario.old)
        self.name, self.kind = path.name, "sweep" if is_sweep(path) else "train"
        self.expected = promises.content(path)

    def try_moment(self, index: int, count: int, choice: random.Random) -> Iterator[list[str]]:
        """Yield what is wrong in each of some states after the power is cut at a moment."""
        moment = self.moments[index]
        for state in moment.states(count, choice):
            folder = self.scratch / "cut"
            shutil.rmtree(folder, ignore_errors=True)
            problems = self._check(state.write(folder) / "runs")
            where = f"{moment.call.kind} {moment.call.path.removeprefix(str(self.place))}"
            what = f"{self.scenario.name}, power cut after call {index}, {where}"
            yield [f"{what}: {problem}" for problem in problems]

    def try_end(self) -> list[str]:
        """Return what of the run a power cut after the command's end can lose."""
        lost: set[str] = set()
        before = promises.tree(self.place)
        for state in self.moments[-1].states(12, random.Random(0)):  # noqa: S311 - no secret
            after = state.tree()
            lost |= {name for name, what in before.items() if after.get(name) != what}
        inside = sorted(name for name in lost if self.name in Path(name).parts)
        return [f"{self.scenario.name} is over, yet {name} can be lost" for name in inside]

    def _check(self, runs: Path) -> list[str]:
        problems = promises.altered(self.scenario.old, runs) + promises.untrue(runs)
        for path in new_runs(runs, self.scenario.old):
            problems += self._go_on(runs, path)
        return problems

    def _go_on(self, runs: Path, path: Path) -> list[str]:
        begun = RunFolder(path).checkpoint.exists() or (path / "checkpoints").exists()
        with small_steps():
            words = ("--runs-dir", runs, "--no-plots", "-q")
            outcome = invoke(self.kind, "--resume", path.name, *words)
        if outcome.code == 0:
            return promises.differing(path, self.expected) + promises.untrue(runs)
        refused = promises.told_badly(outcome)
        if begun:
            refused.append(f"what has a checkpoint is refused: {outcome.err!r}")
        return refused
