"""Commands in processes of their own that are killed or interrupted, and what must hold then."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from mnistlab.run_folders import RunFolder
from mnistlab.run_folders.folder import SweepFolder, is_sweep
from tests.faults import promises
from tests.faults.command import Outcome, copy, invoke, new_runs

DATA = ("data.dataset=mnist-mini", "data.validation=1000")
KINDS = {
    "sgd": ("train", "epochs=40"),
    "adam, cosine": ("train", "epochs=25", "optimizer=adam", "schedule=cosine",
                     "checkpoint_every=1"),
    "momentum, step": ("train", "epochs=30", "optimizer=momentum", "schedule=step",
                       "step_epochs=9", "checkpoint_every=7"),
    "evaluated beside": ("train", "epochs=100", "momentum=0.9", "optimizer=momentum",
                         "checkpoint_every=9"),
    "early stopping": ("train", "epochs=90", "early_stopping=3", "model=sigmoid",
                       "learning_rate=3.0", "checkpoint_every=3"),
    "with plots": ("train", "epochs=15", "checkpoint_every=4", "--plots"),
    "grid": ("sweep", "learning_rate=linspace(0.001,0.02,5)", "epochs=4,9", "batch_size=50,100"),
    "halving": ("sweep", "learning_rate=linspace(0.001,0.03,12)", "epochs=27", "--method",
                "halving"),
    "seeds": ("sweep", "learning_rate=0.005,0.01", "epochs=12", "optimizer=adam", "--seeds", "3"),
}  # fmt: skip
LONG = {
    "train": ("train", "epochs=100000", "--plots"),
    "sweep": ("sweep", "learning_rate=linspace(0.001,0.02,12)", "epochs=20000"),
}
_BEGIN = """
import signal, sys
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
from mnistlab.__main__ import main
print("up", flush=True)
main()
"""
_AT_ONCE = 3.0
"""Seconds that a process may take to leave: a fraction of one where nothing else runs."""

_PATIENCE = 120


def start(runs: Path, *words: str) -> subprocess.Popen[str]:
    """Start a command on a runs folder and return once it is about to begin."""
    root = str(Path(__file__).parents[2])
    process = subprocess.Popen(
        [sys.executable, "-c", _BEGIN, *words],
        env={**os.environ, "MNISTLAB_RUNS_DIR": str(runs), "PYTHONPATH": root},
        cwd=runs.parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "up\n"
    return process


def finish(runs: Path, *words: str) -> Outcome:
    """Run a command to its end."""
    process = start(runs, *words)
    out, err = process.communicate(timeout=_PATIENCE)
    return Outcome(process.returncode, out, err)


@dataclass
class Victim:
    """A command that is disturbed again and again; undisturbed it takes `seconds`.

    `folder` is its own. `old` holds a finished run that stands in every runs folder.
    """

    name: str
    folder: Path
    words: tuple[str, ...]
    ratios: list[float] = field(default_factory=list)
    unbegun: int = 0

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True)
        config = self.folder / "base.yaml"
        config.write_text("seed: 3\n")
        self.kind, *rest = self.words
        self.options = ["-q"] if "--plots" in rest else ["-q", "--no-plots"]
        rest = [word for word in rest if word != "--plots"]
        self.command = [self.kind, "-c", str(config), *DATA, *rest, *self.options]
        self.old = self.folder / "old"
        words = ("train", "-c", str(config), *DATA, "epochs=1", "--name", "old", "--no-plots")
        if (made := invoke(*words, "--runs-dir", self.old)).code:
            raise AssertionError(made.err)
        (self.old / "latest").unlink()
        self.expected: dict[str, object] = {}
        self.seconds = 0.0

    def learn(self) -> "Victim":
        """Run undisturbed, to know what all must come to and how long it takes."""
        runs = copy(self.old, self.folder / "undisturbed")
        began = time.monotonic()
        made = finish(runs, *self.command)
        self.seconds = time.monotonic() - began
        if made.code:
            raise AssertionError(made.err)
        (path,) = new_runs(runs, self.old)
        self.expected = promises.content(path)
        return self

    def kill(self, share: float | None = None) -> list[str]:
        """Kill the command after this share of its time, go on; return what is wrong.

        Without a share it is killed as soon as there is something to go on with.
        """
        runs = copy(self.old, self.folder / "runs")
        began = time.monotonic()
        process = start(runs, *self.command)
        if share is None:
            while not _is_under_way(runs):
                assert time.monotonic() < began + _PATIENCE
                time.sleep(0.005)
        else:
            time.sleep(max(0.0, share * self.seconds - (time.monotonic() - began)))
        process.kill()
        process.communicate()
        spent = time.monotonic() - began
        problems = self._look(runs)
        began = time.monotonic()
        problems += self._go_on(runs)
        if new_runs(runs, self.old):  # else there was nothing to go on with
            self.ratios.append((spent + time.monotonic() - began) / self.seconds)
        moment = "once it was under way" if share is None else f"after {share:.2f}"
        return [f"{self.name}, killed {moment}: {problem}" for problem in problems]

    def interrupt(self, moment: float, signum: int, again: float | None = None) -> list[str]:
        """Send a signal after so many seconds, and Ctrl-C `again` later; return what is wrong."""
        runs = copy(self.old, self.folder / "runs")
        process = start(runs, *self.command)
        time.sleep(moment)
        below = _below(process.pid)
        process.send_signal(signum)
        if again is not None:
            time.sleep(again)
            process.send_signal(signal.SIGINT)
        sent = time.monotonic()
        _, err = process.communicate(timeout=_PATIENCE)
        took = time.monotonic() - sent
        problems = self._ended(runs, process.returncode, err, signum, again)
        if again is not None and took > _AT_ONCE:
            problems.append(f"left {took:.1f} s after the second signal")
        time.sleep(0 if not _alive(below) else 2)
        problems += [f"a child process is still there: {words}" for words in _alive(below)]
        problems += self._look(runs)
        if again is None:
            problems += promises.litter(runs)
        if self.expected:
            problems += self._go_on(runs)
        told = f"signal {signum} after {moment:.2f} s" + ("" if again is None else " and Ctrl-C")
        return [f"{self.name}, {told}: {problem}" for problem in problems]

    def _ended(
        self, runs: Path, code: int, err: str, signum: int, again: float | None
    ) -> list[str]:
        """Return what is wrong with the exit code and the last words of an interrupted command.

        An interpreter that is on its way out dies of a signal: by then all must be done.
        """
        if code == 0:
            return []
        last = err.splitlines()[-1] if err else ""
        told = last.startswith("mnistlab: interrupted")
        codes = {128 + signum} if again is None else {128 + signum, 130}
        if -code in (signum, signal.SIGINT):
            kind = SweepFolder if self.kind == "sweep" else RunFolder
            ends = [kind(path).read_status()["status"] for path in new_runs(runs, self.old)]
            if told or ends == ["completed"]:
                return []
        problems = [] if code in codes else [f"exit code {code}: {err!r}"]
        return problems if told else [*problems, f"not told as interrupted: {err!r}"]

    def _look(self, runs: Path) -> list[str]:
        problems = promises.altered(self.old, runs) + promises.untrue(runs)
        # a log may have been made and not yet have its first line
        unsaid = "log.txt is half a file (0 bytes)"
        problems += [half for half in promises.half_files(runs) if not half.endswith(unsaid)]
        for path in new_runs(runs, self.old):
            if not any((path / name).exists() for name in ("status.json", "config.yaml")):
                continue  # what says nothing yet is not shown
            shown = invoke("runs", "show", path.name, "--json", "--runs-dir", runs)
            status = json.loads(shown.out)["status"]["status"] if shown.code == 0 else shown.err
            if status not in ("interrupted", "completed"):  # the latter is whole, as was seen
                problems.append(f"is shown as {status}")
            problems += self._early(path)
            listed = invoke("runs", "list", "--json", "--runs-dir", runs)
            if f'"status": "{status}"' not in listed.out or path.name not in listed.out:
                problems.append(f"is not listed as {status}: {listed.out}{listed.err}")
        return problems

    def _early(self, path: Path) -> list[str]:
        """Return which runs of a sweep are complete already, with other bits than they come to."""
        if not self.expected or not is_sweep(path):
            return []
        cut = SweepFolder(path)
        done = [run for run in map(cut.run, cut.runs())
                if run.read_status()["status"] == "completed"]  # fmt: skip
        found = {run.name.rpartition("/")[2]: run.model.read_bytes() for run in done}
        known = {
            key.rpartition("/")[2]: what[1][0]
            for key, what in self.expected.items()
            if isinstance(what, tuple)
        }
        return [
            f"run {key} is complete with other bits"
            for key, weights in found.items()
            if known[key] != weights
        ]

    def _go_on(self, runs: Path) -> list[str]:
        problems = []
        for path in new_runs(runs, self.old):
            first = "config.yaml" if self.kind == "sweep" else "metrics.csv"
            begun = (path / first).exists()
            done = finish(runs, self.kind, "--resume", path.name, *self.options)
            if done.code == 0:
                problems += promises.differing(path, self.expected) + promises.untrue(runs)
                problems += promises.half_files(runs) + promises.litter(runs)
            elif begun:
                problems.append(f"does not go on: {done.err!r}")
            else:
                problems += promises.told_badly(done, [runs, path.name])
                self.unbegun += 1
        return problems + promises.altered(self.old, runs)


def _is_under_way(runs: Path) -> bool:
    """Return whether a run has a checkpoint, or a sweep a run that it has trained."""
    return any(runs.glob("2*/checkpoint.safetensors")) or any(runs.glob("2*/runs/*/model.*"))


def _below(pid: int) -> set[int]:
    """Return the children of a process and theirs, on Linux."""
    found: set[int] = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
        except (OSError, ValueError, IndexError):
            continue
        if parent == pid:
            child = int(stat.parent.name)
            found |= {child} | _below(child)
    return found


def _alive(pids: set[int]) -> list[str]:
    """Return the command lines of those of the processes, and of their sessions, that live."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            state, _, _, session = (entry / "stat").read_text().rpartition(")")[2].split()[:4]
            words = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
        except (OSError, ValueError):
            continue
        if state != "Z" and (int(entry.name) in pids or int(session) in pids):
            found.append(" ".join(words)[:80])
    return found
