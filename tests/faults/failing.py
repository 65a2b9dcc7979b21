"""Commands in each of which one call on the disk is made to fail, and what must hold after."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from unittest import mock

from filelock import BaseFileLock

from mnistlab.plots import drawing as painter
from mnistlab.run_folders import RunFolder, safeguards
from mnistlab.sweeps import plan
from tests.faults import promises
from tests.faults.command import (
    Outcome,
    copy,
    invoke,
    new_runs,
    small_steps,
    sweep,
    train,
    write_config,
)
from tests.faults.fault import Fault
from tests.faults.harness import FREED, KINDS, Call, Faults, watching

LONGER = 5
"""Epochs to which a run of three is made longer."""


@dataclass(frozen=True)
class Scenario:
    """A command on a runs folder, and how to go on once the disk works again.

    `place` is what the disk holds before; in its folder `runs` the runs of `old` are finished.
    `go_on` returns what is wrong with the runs folder after the command is repeated.
    """

    name: str
    place: Path
    old: Path
    command: Callable[[Path], Outcome]
    go_on: Callable[[Path], list[str]]
    in_drawing: bool = False
    empties: bool = False
    """Whether the command takes folders away: what cannot be opened cannot be emptied."""
    makes_a_run: bool = True
    """Whether it trains something, so that a power cut can lose it."""
    harmless: frozenset[str] = frozenset({FREED})
    """Names of files that the command can do without where they cannot be opened or removed."""

    def count(self, scratch: Path) -> dict[str, int]:
        """Return how many calls of each kind the undisturbed command makes."""
        faults = Faults()
        place = copy(self.place, scratch / "place")
        with small_steps(), watching(place, faults):
            outcome = self.command(place)
        if outcome.code:
            raise AssertionError(f"{self.name} fails undisturbed: {outcome.err}")
        # the drawing process opens and writes about as often as this
        counts = {"read": 12, "open": 4, "write": 8, "fsync": 8, "replace": 4, "mkdir": 1}
        return counts if self.in_drawing else {kind: faults.counts[kind] for kind in KINDS}

    def attempt(self, fault: Fault, scratch: Path) -> list[str] | None:
        """Return which promises a fault breaks; None where the command never came to it."""
        place = copy(self.place, scratch / "place")
        faults = Faults(fault.kind, fault.at, fault.number, fault.for_good)
        with small_steps():
            with drawing_with(place, fault) if self.in_drawing else watching(place, faults):
                outcome, locked = self._with_locks(place)
            runs = place / "runs"
            if self.in_drawing and outcome.code == 0:  # never came, or another process stood in
                return _undrawn(runs) + promises.half_files(runs) or None
            if not (self.in_drawing or faults.hits):
                return None
            problems = locked
            if outcome.code or not self._can_do_without(fault.kind, faults.hits):
                problems += promises.told_badly(outcome, [place])
            problems += promises.altered(self.old, runs, "plots" if self.in_drawing else "")
            if fault.kind != "unlink" and not (self.empties and fault.kind == "read"):
                problems += promises.litter(runs)
            problems += promises.untrue(runs) + promises.half_files(runs)
            problems += self.go_on(place)
            where = f"{fault} ({faults.hits[0].removeprefix(str(place))})" if faults.hits else fault
        return [f"{self.name}, {where}: {problem}" for problem in problems]

    def _with_locks(self, place: Path) -> tuple[Outcome, list[str]]:
        """Return what the command came to, and which of the locks that it took it still has."""
        taken: dict[BaseFileLock, tuple[Path, object]] = {}  # not weak: none is let go by chance
        with mock.patch.object(safeguards, "_held", taken):
            outcome = self.command(place)
        locked = [folder for lock, (folder, _) in taken.items() if lock.is_locked]
        for lock in taken:
            lock.release()
        return outcome, [f"{folder.name} is still locked" for folder in locked]

    def _can_do_without(self, kind: str, paths: list[str]) -> bool:
        names = {Path(path).name for path in paths}
        hidden = {name for name in names if name[0] == "." and kind == "unlink"}
        return names - hidden <= self.harmless  # what is hidden is cleared away the next time


@contextmanager
def drawing_with(place: Path, fault: Fault) -> Iterator[None]:
    """Let the fault happen in the processes that draw."""
    begin = f"""
import sys
sys.path.append({str(Path(__file__).parents[2])!r})
from pathlib import Path
from tests.faults.harness import Faults, watching
faults = Faults({fault.kind!r}, {fault.at}, {fault.number}, {fault.for_good})
watch = watching(Path({str(place)!r}), faults)
watch.__enter__()
"""
    with mock.patch.object(painter, "_PROGRAM", begin + painter._PROGRAM):
        yield


def scenarios(folder: Path) -> list[Scenario]:
    """Make the runs folders that the commands begin with, and return the commands."""
    config = write_config(folder)
    old = folder / "old"
    with small_steps():
        expected = _finished(config, old)
        (old / "latest").unlink()
        plain = copy(old, folder / "plain" / "runs").parent
        cut_run = _cut(partial(train, config), old, folder / "cut-run")
        cut_sweep = _cut(partial(sweep, config), old, folder / "cut-sweep")
        longer = _lengthening(config, old, folder)
    made = [
        _making("train", plain, old, partial(train, config), "train", expected[0]),
        _resuming("train --resume", cut_run, old, "train", expected[0]),
        _making("sweep", plain, old, partial(sweep, config), "sweep", expected[1]),
        _resuming("sweep --resume", cut_sweep, old, "sweep", expected[1]),
    ]
    return [
        *made,
        longer,
        _deleting(old, folder / "doomed"),
        _exporting(plain, old),
        _plotting(plain, old),
    ]


def _finished(config: Path, runs: Path) -> tuple[dict[str, object], dict[str, object]]:
    """Train a run and a sweep; return what both came to."""
    found = []
    for command, name in ((train, "old-run"), (sweep, "old-sweep")):
        outcome = command(config, runs, "--name", name)
        if outcome.code:
            raise AssertionError(outcome.err)
        (path,) = runs.glob(f"*-{name}-*")
        found.append(promises.content(path))
    return found[0], found[1]


def _cut(command: Callable[[Path], Outcome], old: Path, place: Path) -> Path:
    """Interrupt a command once it has written a checkpoint anew, and return the place.

    On one core, so that it is always the first stack of a sweep that has trained two epochs.
    """
    runs = copy(old, place / "runs")

    class Impatience(Faults):
        def after(self, call: Call) -> None:
            if call.kind == "replace" and "checkpoint" in call.path:
                self.counts[call.path] += 1
                if self.counts[call.path] == 2:
                    raise KeyboardInterrupt

    with watching(runs, Impatience()), mock.patch.object(plan, "available_cores", return_value=1):
        outcome = command(runs)
    if outcome.code != 130 or len(new_runs(runs, old)) != 1:
        raise AssertionError(f"was not cut short: {outcome}")
    return place


def _making(
    name: str, place: Path, old: Path, make: Callable[[Path], Outcome], kind: str,
    expected: dict[str, object],
) -> Scenario:  # fmt: skip
    def go_on(place: Path) -> list[str]:
        runs = place / "runs"
        problems = []
        for path in new_runs(runs, old):
            problems += _resumed(runs, kind, path, expected)
        known = set(new_runs(runs, old))
        again = make(runs)
        if again.code:
            return [*problems, f"the next run fails: {again.err!r}"]
        (path,) = set(new_runs(runs, old)) - known
        return problems + promises.differing(path, expected) + promises.untrue(runs)

    return Scenario(name, place, old, lambda place: make(place / "runs"), go_on)


def _resuming(
    name: str, place: Path, old: Path, kind: str, expected: dict[str, object]
) -> Scenario:
    (cut,) = new_runs(place / "runs", old)

    def command(place: Path) -> Outcome:
        words = ("--runs-dir", place / "runs", "--no-plots", "-q")
        return invoke(kind, "--resume", cut.name, *words)

    def go_on(place: Path) -> list[str]:
        return _resumed(place / "runs", kind, place / "runs" / cut.name, expected)

    # a run is first asked whether somebody holds its lock, and only then is that taken
    harmless = frozenset({"run.lock", FREED})
    return Scenario(name, place, old, command, go_on, harmless=harmless)


def _lengthening(config: Path, old: Path, folder: Path) -> Scenario:
    """Return how a run that is complete goes on to more epochs."""
    place = copy(old, folder / "complete" / "runs").parent
    runs = place / "runs"
    for target, epochs in ((runs, 3), (folder / "longer", LONGER)):
        if (made := train(config, target, f"epochs={epochs}")).code:
            raise AssertionError(made.err)
    (path,) = new_runs(runs, old)
    expected = promises.content((folder / "longer" / "latest").resolve())
    before = _plain(path)

    def command(place: Path) -> Outcome:
        words = ("--runs-dir", place / "runs", "--no-plots", "-q", f"epochs={LONGER}")
        return invoke("train", "--resume", path.name, *words)

    def go_on(place: Path) -> list[str]:
        runs, run = place / "runs", RunFolder(place / "runs" / path.name)
        problems = []
        if run.read_status()["status"] == "completed" and _plain(run.path) != before:
            return promises.differing(run.path, expected)  # it is all done but for tidying up
        if "epochs: 3\n" not in run.config.read_text():
            rows = len(run.read_metrics()["epoch"]) if run.metrics.exists() else 0
            left = [file.name for file in (run.model, run.predictions) if file.exists()]
            if rows < LONGER and left:
                problems.append(f"has {left} of the run that it was")
        return problems + _resumed(runs, "train", run.path, expected, f"epochs={LONGER}")

    # a power cut may leave either of the two runs, which is no loss
    return Scenario(
        "train --resume, longer", place, old, command, go_on,
        makes_a_run=False, harmless=frozenset({"run.lock", FREED}),
    )  # fmt: skip


def _plain(run: Path) -> dict[str, bytes | str]:
    """Return what a run folder shows, its lock aside."""
    shown = promises.tree(run).items()
    return {name: what for name, what in shown if name != "run.lock" and name[0] != "."}


def _resumed(
    runs: Path, kind: str, path: Path, expected: dict[str, object], *words: str
) -> list[str]:
    outcome = invoke(kind, "--resume", path.name, "--runs-dir", runs, "--no-plots", "-q", *words)
    if kind == "sweep" and not (path / "config.yaml").exists():
        # nothing had begun, and the disk did not let the folder be cleared away
        problems = promises.told_badly(outcome, [path])
        cleared = invoke("runs", "delete", path.name, "--yes", "--runs-dir", runs)
        return [*problems, f"cannot be deleted: {cleared.err!r}"] if cleared.code else problems
    if outcome.code:
        return [f"does not go on: {outcome.err!r}, {sorted(promises.tree(path))}"]
    problems = promises.differing(path, expected) + promises.litter(runs)
    return problems + promises.untrue(runs) + promises.half_files(runs)


def _deleting(old: Path, place: Path) -> Scenario:
    runs = copy(old, place / "runs")
    for path in list(runs.iterdir()):
        copy(path, runs / f"20200101-000000-doomed-{path.name[-4:]}")

    def command(place: Path) -> Outcome:
        doomed = [path.name for path in new_runs(place / "runs", old)]
        return invoke("runs", "delete", *doomed, "--yes", "--runs-dir", place / "runs")

    def go_on(place: Path) -> list[str]:
        runs = place / "runs"
        if new_runs(runs, old) and (outcome := command(place)).code:
            return [f"cannot be deleted again: {outcome.err!r}"]
        left = [path.name for path in new_runs(runs, old)]
        return [*(f"{name} is still there" for name in left), *promises.altered(old, runs)]

    # whether a process works on a run is told by its lock, which is taken in any case
    harmless = frozenset({"status.json", FREED})
    return Scenario(
        "runs delete", place, old, command, go_on,
        empties=True, makes_a_run=False, harmless=harmless,
    )  # fmt: skip


def _exporting(plain: Path, old: Path) -> Scenario:
    def command(place: Path, *words: str) -> Outcome:
        runs, target = place / "runs", place / "export.json"
        return invoke("runs", "export", "--all", "--to", target, "--runs-dir", runs, *words)

    def go_on(place: Path) -> list[str]:
        target = place / "export.json"
        before = target.read_bytes() if target.exists() else None
        if (outcome := command(place, "--force")).code:
            return [f"the next export fails: {outcome.err!r}"]
        wrong = before not in (None, target.read_bytes())
        return ["the file that was left is not the whole export"] if wrong else []

    return Scenario("runs export", plain, old, command, go_on, makes_a_run=False)


def _plotting(plain: Path, old: Path) -> Scenario:
    (run,) = old.glob("*-old-run-*")

    def command(place: Path) -> Outcome:
        return invoke("runs", "plot", run.name, "--runs-dir", place / "runs")

    def go_on(place: Path) -> list[str]:
        outcome = command(place)
        problems = [f"the next plot fails: {outcome.err!r}"] if outcome.code else []
        return problems + _undrawn(place / "runs") + promises.litter(place / "runs")

    return Scenario("runs plot", plain, old, command, go_on, in_drawing=True)


def _undrawn(runs: Path) -> list[str]:
    drawn = len(list(runs.glob("*-old-run-*/plots/*.png")))
    return [] if drawn == 4 else [f"{drawn} plots instead of 4"]
