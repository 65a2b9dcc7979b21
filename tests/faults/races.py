"""Two commands on one folder: the second runs as a whole in the midst of the first."""

import random
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from mnistlab.store.listing import INDEX
from tests.faults import promises
from tests.faults.command import Outcome, copy, invoke, new_runs, small_steps
from tests.faults.failing import Scenario
from tests.faults.harness import Call, Faults, watching

Second = Callable[[Path], Outcome | None]


@dataclass(frozen=True)
class Race:
    """Two commands, by their words, and the folder that both are about."""

    target: str
    first: tuple[str, ...]
    second: tuple[str, ...]

    def __str__(self) -> str:
        return f"`{' '.join(self.first)}` against `{' '.join(self.second)}`"


SWAP = ("put a link in place of the folder",)

QUICK = ("--no-plots", "-q")
OF_A_RUN = (
    ("runs", "plot", "NAME"), ("runs", "verify", "NAME", "-q"), ("runs", "show", "NAME"),
    ("runs", "predict", "NAME", "0"), ("runs", "delete", "NAME", "--yes"), ("runs", "list"),
    ("runs", "export", "--all", "--to", "OUT", "--force"),
    ("train", "--resume", "NAME", "epochs=5", *QUICK),
    ("train", "-c", "CONFIG", *QUICK),
    ("sweep", "-c", "CONFIG", "epochs=2,3", "--needed", *QUICK),
)  # fmt: skip
OF_A_CUT_RUN = (
    ("train", "--resume", "NAME", *QUICK), ("runs", "delete", "NAME", "--yes"), ("runs", "list"),
    ("runs", "show", "NAME"), ("runs", "export", "--all", "--to", "OUT", "--force"),
)  # fmt: skip
OF_A_SWEEP = (
    ("runs", "plot", "NAME"), ("runs", "show", "NAME/0"), ("runs", "show", "NAME/1"),
    ("runs", "delete", "NAME", "--yes"), ("runs", "list", "NAME"), ("runs", "compare", "NAME"),
    ("sweep", "--resume", "NAME", *QUICK),
    ("sweep", "-c", "CONFIG", "learning_rate=0.005,0.01,0.02", "epochs=2,3", "--needed", *QUICK),
)  # fmt: skip
OF_A_CUT_SWEEP = (
    ("sweep", "--resume", "NAME", *QUICK), ("runs", "delete", "NAME", "--yes"),
    ("runs", "show", "NAME"), ("runs", "list", "NAME"),
)  # fmt: skip


class RacingCommands:
    """A runs folder with a run and a sweep, both finished and cut short, and pairs of commands."""

    def __init__(self, made: dict[str, Scenario], scratch: Path) -> None:
        cut_run, cut_sweep = made["train --resume"], made["sweep --resume"]
        self.old, self.scratch = cut_run.old, scratch
        self.whole = copy(cut_run.place, scratch / "whole")
        (run,) = new_runs(cut_run.place / "runs", self.old)
        (sweep,) = new_runs(cut_sweep.place / "runs", self.old)
        copy(sweep, self.whole / "runs" / sweep.name)
        self.config = scratch / "tiny.yaml"
        (finished,) = self.old.glob("*-old-run-*")
        (swept,) = self.old.glob("*-old-sweep-*")
        groups = {
            finished.name: OF_A_RUN,
            run.name: OF_A_CUT_RUN,
            swept.name: OF_A_SWEEP,
            sweep.name: OF_A_CUT_SWEEP,
        }
        self.races = [
            Race(target, first, second)
            for target, words in groups.items()
            for first in words
            for second in (*words, SWAP)
            if {first[1], second[0]} != {"list"}
        ]
        self._calls: dict[tuple[str, tuple[str, ...]], int] = {}

    def attempt(self, race: Race, choice: random.Random) -> list[str]:
        """Return what is wrong after a race, whose second command comes at a random moment."""
        calls = self._count(race)
        at = choice.randint(1, max(1, calls))
        place = copy(self.whole, self.scratch / "place")
        answers: list[Outcome] = []

        class Interleaving(Faults):
            def before(inner, call: Call) -> None:  # noqa: N805 - `self` is that of the method
                del call
                inner.counts["all"] += 1
                if inner.counts["all"] == at:
                    inner.at = -1
                    with small_steps():
                        answers.extend(self._second(race, place))

        with small_steps(), watching(place / "runs", Interleaving()):
            answers.insert(0, self._run(race.first, race.target, place))
        problems = [one for answer in answers for one in _told(answer)]
        problems += self._look(race, place)
        return [f"{race}, at call {at} of {calls}: {one}" for one in problems]

    def _second(self, race: Race, place: Path) -> Iterator[Outcome]:
        if race.second != SWAP:
            yield self._run(race.second, race.target, place)
            return
        folder, elsewhere = place / "runs" / race.target, place / "elsewhere"
        if folder.is_dir() and not folder.is_symlink():
            shutil.copytree(self.whole / "runs" / race.target, elsewhere, symlinks=True)
            folder.rename(place / "moved")
            folder.symlink_to(elsewhere)
            self._elsewhere = promises.tree(elsewhere)

    def _count(self, race: Race) -> int:
        key = race.target, race.first
        if key not in self._calls:
            place, counted = copy(self.whole, self.scratch / "place"), Faults()
            with small_steps(), watching(place / "runs", counted):
                self._run(race.first, race.target, place)
            self._calls[key] = sum(counted.counts.values())
        return self._calls[key]

    def _run(self, words: tuple[str, ...], target: str, place: Path) -> Outcome:
        known = {"OUT": str(place / "out.json"), "CONFIG": str(self.config)}
        given = [known.get(word, word.replace("NAME", target)) for word in words]
        return invoke(*given, "--runs-dir", place / "runs")

    def _look(self, race: Race, place: Path) -> Iterator[str]:
        runs = place / "runs"
        folder = runs / race.target
        if folder.is_symlink():
            if promises.tree(place / "elsewhere") != self._elsewhere:
                yield "what the link leads to was changed"
            folder.unlink()
        others = [path for path in self.whole.joinpath("runs").iterdir() if path.is_dir()]
        for path in others:
            same = promises.tree(path) == (
                promises.tree(runs / path.name) if (runs / path.name).is_dir() else None
            )
            if path.name not in (race.target, "latest") and not path.is_symlink() and not same:
                yield f"{path.name} was changed"
        yield from promises.untrue(runs)
        yield from promises.half_files(runs)
        yield from (one for one in promises.litter(runs) if INDEX not in one)
        listed = invoke("runs", "list", "--json", "--runs-dir", runs)
        if listed.code:
            yield f"the runs are not listed: {listed.err}"


def _told(outcome: Outcome) -> Iterator[str]:
    if outcome.code not in (0, 1, 2):
        yield f"exit code {outcome.code}: {outcome.err}"
    if any(word in outcome.err for word in ("Traceback", "error: unexpected", "[Errno")):
        yield f"not meant for people: {outcome.err}"
    if outcome.code and "mnistlab: error: " not in outcome.err:
        yield f"no sentence: {outcome.err!r}"
