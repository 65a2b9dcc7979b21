"""Files that were cut or in which a bit has flipped, and what must be said of them."""

import random
import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np

from mnistlab.core.trainer import Snapshot
from mnistlab.errors import RunFolderError
from mnistlab.run_folders import RunFolder
from mnistlab.run_folders.provenance import is_intact
from mnistlab.run_folders.weights import load_checkpoint
from mnistlab.store.listing import INDEX
from tests.faults import promises
from tests.faults.command import copy, invoke, new_runs
from tests.faults.failing import Scenario

FILES = (
    "status.json", "summary.json", "environment.json", "config.yaml", "metrics.csv",
    "predictions.npy", "model.safetensors",
)  # fmt: skip


def cuts(content: bytes, count: int) -> Iterator[bytes]:
    """Yield the content cut at so many lengths, spread evenly; at all where there are no more."""
    lengths = {round(length) for length in np.linspace(0, len(content) - 1, count)}
    for length in sorted(lengths):
        yield content[:length]


def flips(content: bytes, count: int, choice: random.Random) -> Iterator[bytes]:
    """Yield the content with one bit flipped, so many times; every tenth time with three."""
    for index in range(count):
        damaged = bytearray(content)
        for position in choice.sample(range(8 * len(content)), 3 if index % 10 == 9 else 1):
            damaged[position // 8] ^= 1 << position % 8
        yield bytes(damaged)


def load_wrongly(path: Path, damaged: bytes, original: tuple[Snapshot, object]) -> str | None:
    """Return what is wrong with how a damaged checkpoint loads: refused or as it was is right."""
    path.write_bytes(damaged)
    try:
        found = load_checkpoint(path)
    except RunFolderError as error:
        return None if str(path) in str(error) else f"does not name the file: {error}"
    except Exception as error:
        return f"raises {error!r}"
    return None if is_same(found, original) else "loads as something else"


def is_same(first: tuple[Snapshot, object], second: tuple[Snapshot, object]) -> bool:
    """Return whether two checkpoints are the same to the bit."""
    ours, theirs = vars(first[0]), vars(second[0])
    return first[1] == second[1] and all(_equal(ours[key], theirs[key]) for key in theirs)


def _equal(ours: object, theirs: object) -> bool:
    if isinstance(theirs, dict):
        return (
            isinstance(ours, dict)
            and ours.keys() == theirs.keys()
            and all(_equal(ours[key], value) for key, value in theirs.items())
        )
    if isinstance(theirs, np.ndarray):
        return (
            isinstance(ours, np.ndarray)
            and (ours.dtype, ours.shape) == (theirs.dtype, theirs.shape)
            and ours.tobytes() == theirs.tobytes()
        )
    return ours == theirs


class Finished:
    """A finished run of which one file is damaged at a time; `names` are the files it has."""

    def __init__(self, scenario: Scenario, scratch: Path) -> None:
        self.runs = copy(scenario.old, scratch / "finished")
        (self.path,) = self.runs.glob("*-old-run-*")
        self.names = [name for name in FILES if (self.path / name).exists()]

    def attempt(self, name: str, damaged: bytes) -> list[str]:
        """Return what is wrong with what is said of the run while this file is so."""
        path = self.path / name
        original = path.read_bytes()
        path.write_bytes(damaged)
        try:
            return [f"{name} damaged: {problem}" for problem in self._check(name)]
        finally:
            path.write_bytes(original)

    def _check(self, name: str) -> Iterator[str]:
        run = RunFolder(self.path)
        calls: dict[str, Callable[[], object]] = {
            "is_intact": partial(is_intact, run),
            "damaged_files": run.damaged_files,
            "read_status": run.read_status,
        }
        for what, call in calls.items():
            try:
                found = call()
            except Exception as error:
                yield f"{what} raises {error!r}"
                continue
            if what == "damaged_files" and name != "status.json" and name not in found:
                yield f"damaged_files says {found}"
            if what == "is_intact" and name != "status.json" and found:
                yield "is taken for whole"
        before = promises.tree(self.runs)
        for words in (("runs", "show", self.path.name), ("train", "--resume", self.path.name)):
            outcome = invoke(*words, "--runs-dir", self.runs)
            if outcome.code:
                yield from promises.told_badly(outcome, [name, self.path.name])
        listed = invoke("runs", "list", "--json", "--runs-dir", self.runs)
        (self.runs / INDEX).unlink(missing_ok=True)
        others = [path.name for path in self.runs.iterdir()]
        if listed.code or not all(other in listed.out for other in others):
            yield f"the runs are not listed: {listed.out}{listed.err}"
        if promises.tree(self.runs) != before:
            yield "the run was altered"


class Interrupted:
    """A run that was cut short, of which one file is damaged before it goes on."""

    def __init__(self, scenario: Scenario, scratch: Path) -> None:
        self.scenario, self.place = scenario, scratch / "interrupted"
        place = copy(scenario.place, scratch / "undisturbed")
        (self.cut,) = new_runs(place / "runs", scenario.old)
        self.contents = {path.name: path.read_bytes() for path in self.cut.iterdir()
                         if path.name in (*FILES, "checkpoint.safetensors")}  # fmt: skip
        if (outcome := scenario.command(place)).code:
            raise AssertionError(outcome.err)
        self.expected = promises.content(self.cut)

    def attempt(self, name: str, damaged: bytes) -> list[str]:
        """Return what is wrong with how the run goes on: the same bits or one sentence is right."""
        place = copy(self.scenario.place, self.place)
        path = place / "runs" / self.cut.name
        (path / name).write_bytes(damaged)
        outcome = self.scenario.command(place)
        problems = promises.altered(self.scenario.old, place / "runs")
        if outcome.code:
            problems += promises.told_badly(outcome, [name, self.cut.name])
        else:
            problems += promises.differing(path, self.expected) + promises.untrue(place / "runs")
        shutil.rmtree(place)
        return [f"{name} damaged, then --resume: {problem}" for problem in problems]
