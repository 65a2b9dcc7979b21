"""Runs folders in which one folder is somebody else's, and what every command must do there."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mnistlab.store.listing import INDEX
from tests.faults.command import Outcome, copy, invoke, sweep, train, write_config

SECONDS = 2.0
MEGABYTES = 300
"""What a foreign folder may cost a command: time of the processor, and memory in use at once."""

BAD = "20990101-000000-foreign-0000"
SWEEP = "20990101-000000-foreign-0001"
ROOT = Path(__file__).parents[2]

Change = Callable[[Path], object]


def sparse(size: int) -> Change:
    """Return what lets a file claim to have so many bytes; on the disk they take no room."""

    def grow(path: Path) -> None:
        with path.open("ab") as file:
            file.truncate(size)

    return grow


def repeated(head: bytes, body: bytes, size: int, tail: bytes = b"") -> Change:
    """Return what fills a file with so many bytes of one text."""
    block = body * (1_000_000 // len(body))

    def fill(path: Path) -> None:
        with path.open("wb") as file:
            file.write(head)
            for _ in range(size // len(block)):
                file.write(block)
            file.write(tail)

    return fill


TWENTY_GB, SIX_GB = sparse(20 << 30), sparse(6 << 30)
ROWS = repeated(
    b"epoch,train_loss,train_accuracy,validation_loss,validation_accuracy,learning_rate,seconds\n",
    b"1,0.5012345678901234,0.9,0.5012345678901234,0.9,0.01,0.123456\n",
    270_000_000,
)
BLANK = repeated(b"epoch,train_loss\n", b"\n", 60 << 20)
SHORT = repeated(b"step,loss\n", b"1,2\n", 60 << 20)
LONG_TEXT = repeated(b'{"packages": {"a": "', b"x", 200_000_000, b'"}}')
BRACKETS = repeated(b'{"a": [', b"[],", 3_900_000, b"[]]}")
MORE_BRACKETS = repeated(b'{"a": [', b"[],", 30_000_000, b"[]]}")
DEEP = repeated(b'{"a": ', b"[", 3_000_000)

SIZES: dict[str, tuple[Change, ...]] = {
    "status.json": (TWENTY_GB, BRACKETS, DEEP),
    "environment.json": (TWENTY_GB, LONG_TEXT, BRACKETS, DEEP),
    "summary.json": (TWENTY_GB, BRACKETS, DEEP),
    "metrics.csv": (TWENTY_GB, ROWS, BLANK),
    "config.yaml": (TWENTY_GB, repeated(b"a: ", b"[", 1_000_000)),
    "predictions.npy": (TWENTY_GB,),
    "model.safetensors": (TWENTY_GB, SIX_GB),
    "uncommitted.patch": (TWENTY_GB,),
    "divergence.csv": (TWENTY_GB, SHORT),
    "checkpoint.safetensors": (TWENTY_GB,),
    "log.txt": (TWENTY_GB,),
}
SIZES_OF_A_SWEEP: dict[str, tuple[Change, ...]] = {
    "status.json": (TWENTY_GB,),
    "sweep.json": (TWENTY_GB, MORE_BRACKETS, DEEP),
    "plan.json": (TWENTY_GB, MORE_BRACKETS, DEEP),
    "results.csv": (TWENTY_GB, SHORT),
    "config.yaml": (TWENTY_GB, repeated(b"a: ", b"[", 1_000_000)),
}

ESCAPE = "\x1b[31m\x1b]0;mine\x07"
TEXTS = (
    b"", b"{}", b"[]", b"null", b"0", b'""', b"\0" * 64, b"\xff\xfe\x00", b"{",
    json.dumps({ESCAPE: {ESCAPE: ESCAPE}}).encode(),
    b'{"\\ud800": {"\\udfff": "\\ud800"}}',
    b'{"packages": {"\\u001b[31m": "1", "\\ud800": "2", "a\\nb": "3"}, "key": "\\ud800"}',
    b'{"blas": 3, "git": [1], "packages": null, "data_sha256": {"a": 1}}',
    b'{"status": "completed", "error": "\\u001b[2J\\ud800", "files": {}}',
    b'{"status": "completed", "files": {"config.yaml": 1}}', b'{"status": ["completed"]}',
    b'{"epochs": 1e999, "train": {"loss": NaN}, "seconds": {"total": -1}}',
    b'{"epochs": "2", "train": 1}', b'{"warnings": ["\\u001b[31m", "\\ud800"]}',
    b'{"results": [{"trial": "x"}], "best": 3, "ranking": [1]}',
    b'{"stacks": [[["\\u001b"]]], "taken_over": {"a": 1}}',
    b"name: \"\\e[31m\"\nmodel: linear\n", b"a: &a [*a]\n", b"- 1\n- 2\n",
    b"!!python/object:a.b {}",
    b"epoch,train_loss\n1\n", b"epoch\n1e999\n", b'epoch,"\x1b[31m"\n1,2\n', b'"', b",\n,\n",
    b"\x93NUMPY\x01\x00", (1 << 40).to_bytes(8, "little") + b"{}",
)  # fmt: skip
FORGERIES = {
    "run": [name for name in SIZES if name != "log.txt"],
    "sweep": [*SIZES_OF_A_SWEEP, "environment.json"],
}
"""Which files are replaced by each of the texts, in a run and in a sweep."""


def commands(name: str) -> list[tuple[str, ...]]:
    """Return the commands that are tried on the folder with this name, without the runs folder."""
    return [
        ("runs", "list"), ("runs", "list", "--json"), ("runs", "list", "--csv"),
        ("runs", "show", name), ("runs", "show", name, "--json"),
        ("runs", "export", "--all", "--to", "out.csv", "--force"),
        ("runs", "export", "--all", "--to", "out.json", "--force"),
        ("runs", "export", name, "--epochs", "--to", "out.csv", "--force"),
        ("runs", "compare", name, "good"), ("runs", "compare", name, "good", "--json"),
        ("runs", "diff", name, "good"), ("runs", "diff", "good", name, "--json"),
        ("runs", "predict", name, "0"), ("runs", "verify", name),
        ("runs", "resume", name, "--no-plots"), ("runs", "delete", name, "--dry-run"),
    ]  # fmt: skip


@dataclass
class Measured:
    """What a command came to, and how many seconds of the processor and megabytes it took."""

    outcome: Outcome
    seconds: float
    megabytes: float


_PROGRAM = """
import atexit
from mnistlab.__main__ import main

def tell():  # ru_maxrss would count what the parent had in memory when it made this process
    with open("/proc/self/status") as lines, open("memory.txt", "w") as answer:
        answer.write(next(line.split()[1] for line in lines if line.startswith("VmHWM")))

atexit.register(tell)
main()
"""


def measure(place: Path, words: Sequence[str]) -> Measured:
    """Run a command as a process of its own on the runs of a place."""
    out, err = place / "out.txt", place / "err.txt"
    place.joinpath("memory.txt").write_text("1000000000")
    with out.open("wb") as stdout, err.open("wb") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, *words],
            cwd=place,
            env={**os.environ, "MNISTLAB_RUNS_DIR": str(place / "runs"), "PYTHONPATH": str(ROOT)},
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
        )
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    texts = (path.read_text(errors="replace") for path in (out, err))
    return Measured(
        Outcome(process.returncode, *texts),
        usage.ru_utime + usage.ru_stime,
        int(place.joinpath("memory.txt").read_text()) / 1024,
    )


@dataclass
class ForeignFolder:
    """A runs folder with a good run, a good sweep, and one folder of which a file is changed.

    `kind` says whether that is a run's or a sweep's. `usual` has what each command takes while
    nothing is wrong with it.
    """

    kind: str
    place: Path
    usual: dict[tuple[str, ...], Measured] = field(default_factory=dict)
    costs: list[Measured] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.place.mkdir(parents=True)
        config = write_config(self.place)
        self.runs = self.place / "runs"
        for make, name in ((train, "good"), (sweep, "goods")):
            made = make(config, self.runs, "--name", name)
            assert made.code == 0, made.err
            (path,) = self.runs.glob(f"*-{name}-*")
            path.rename(self.runs / name)
        (self.runs / "latest").unlink()
        self.name = BAD if self.kind == "run" else SWEEP
        self.whole = copy(self.runs / ("good" if self.kind == "run" else "goods"), self.place / "b")
        self.folder = self.runs / self.name

    def try_sizes(
        self, name: str, change: Change, first: int = 0, every: int = 1
    ) -> Iterator[list[str]]:
        """Yield what is wrong with one in `every` command, from the first, with such a file."""
        for words in commands(self.name)[first::every]:
            if words not in self.usual:
                self._restore()
                self.usual[words] = measure(self.place, words)
            self._change(name, change)
            found = measure(self.place, words)
            self.costs.append(found)
            usual = self.usual[words]
            problems = self._told(found.outcome, words, name)
            if found.seconds - usual.seconds > SECONDS:
                problems.append(f"took {found.seconds:.1f} s, else {usual.seconds:.1f}")
            if found.megabytes - usual.megabytes > MEGABYTES:
                problems.append(f"took {found.megabytes:.0f} MB, else {usual.megabytes:.0f}")
            yield [f"{' '.join(words)}, {name} of a {self.kind}: {one}" for one in problems]
        self._restore()

    def try_forgery(
        self, name: str, content: bytes, first: int = 0, every: int = 1
    ) -> Iterator[list[str]]:
        """Yield what is wrong with one in `every` command, from the first, with such a file."""
        for words in commands(self.name)[first::every]:
            self._change(name, lambda path: path.write_bytes(content))
            given = [str(self.place / word) if word.startswith("out.") else word for word in words]
            outcome = invoke(*given, "--runs-dir", self.runs)
            problems = self._told(outcome, words, name)
            yield [f"{' '.join(words)}, {name} is {content[:60]!r}: {one}" for one in problems]
        self._restore()

    def _restore(self) -> None:
        copy(self.whole, self.folder)
        (self.runs / INDEX).unlink(missing_ok=True)

    def _change(self, name: str, change: Change) -> None:
        self._restore()
        change(self.folder / name)

    def _told(self, outcome: Outcome, words: Sequence[str], name: str) -> list[str]:
        problems = []
        if outcome.code not in (0, 1, 2):
            problems.append(f"exit code {outcome.code}: {outcome.err[-300:]}")
        if any(word in outcome.err for word in ("Traceback", "error: unexpected", "[Errno")):
            problems.append(f"not meant for people: {outcome.err[-300:]}")
        both = outcome.out + outcome.err
        if not both.replace("\n", "").replace("\t", "").isprintable():
            problems.append(f"what a terminal obeys: {both[:300]!r}")
        if words[:2] == ("runs", "list"):
            if outcome.code != 0 or any(one not in outcome.out for one in ("good", "goods")):
                problems.append(f"the others are not listed: {outcome.err[-300:]}")
            size = (self.folder / name).stat().st_size
            if size == 20 << 30 and name in TOLD and f"{name} is 21.5 GB" not in outcome.out:
                problems.append(f"does not say how large it is: {outcome.out[-300:]}")
        if words[-1] == "--json" and outcome.code == 0:
            try:
                json.loads(outcome.out)
            except ValueError as error:
                problems.append(f"no JSON: {error}")
        return problems


TOLD = (
    "status.json", "environment.json", "summary.json", "metrics.csv", "config.yaml", "sweep.json",
)  # fmt: skip
"""The files that a listing reads, so that it says how large they are."""
