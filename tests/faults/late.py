"""What goes wrong late: plugins that fail, data that change, the process that draws dies."""

import os
import random
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from mnistlab import plugins
from mnistlab.core.losses import LOSSES
from mnistlab.datasets import load
from mnistlab.datasets.data_files import NAMES, write_idx
from mnistlab.run_folders.folder import open_folder
from tests.faults import promises
from tests.faults.command import copy, sweep, train, write_config
from tests.faults.processes import _below, finish, start

_HEAD = """
from mnistlab.core.losses import LOSSES
calls = [0]
class Mine:
    curvature = 1.0
    def value(self, outputs, targets):
        return ((outputs - targets) ** 2).sum(axis=-1)
    def gradient(self, outputs, targets):
        calls[0] += 1
        if calls[0] > COUNT:
            LATE
        return 2 * (outputs - targets)
LOSSES.add("late", Mine())
"""
LATE = {
    "an error": "raise RuntimeError('not today')",
    "an error of the disk": "open('/nowhere/at/all')",
    "too little memory": "raise MemoryError",
    "another shape": "return outputs[:3]",
    "another kind": "return None",
    "a text": "return 'gradient'",
    "a missing key": "return {}['x']",
    "a wrong number of values": "return outputs.ravel()",
}
"""What a plugin does in place of returning a gradient."""


def write_plugin(folder: Path, late: str, at: int) -> Path:
    """Write a plugin whose loss does something else after so many calls of its gradient."""
    path = folder / "mine.py"
    path.write_text(_HEAD.replace("COUNT", str(at)).replace("LATE", late))
    return path


class FailingPlugin:
    """Trains a run or a sweep whose loss, from a plugin, fails after some calls."""

    def __init__(self, scratch: Path) -> None:
        self.scratch = scratch
        scratch.mkdir(parents=True)
        self.config = write_config(scratch)

    def attempt(self, command: str, late: str, at: int) -> list[str]:
        """Return what is wrong with how the command tells of it."""
        path, runs = write_plugin(self.scratch, LATE[late], at), self.scratch / "runs"
        shutil.rmtree(runs, ignore_errors=True)
        known = dict(LOSSES)
        plugins._loaded.clear()
        try:
            make = train if command == "train" else sweep
            outcome = make(self.config, runs, "loss=late", "--plugin", path)
        finally:
            LOSSES.clear()
            LOSSES.update(known)
            plugins._loaded.clear()
        problems = promises.told_badly(outcome)
        if "fault of mnistlab" in outcome.err:
            problems.append(f"is called a fault of mnistlab: {outcome.err}")
        if command == "train" and "memory" not in late and str(path) not in outcome.err:
            problems.append(f"does not name the plugin: {outcome.err}")
        problems += promises.untrue(runs) + promises.half_files(runs) + promises.litter(runs)
        return [f"{command}, {late} at call {at}: {one}" for one in problems]


def truncate(path: Path, choice: random.Random) -> None:
    """Cut a file short in place."""
    os.truncate(path, choice.randrange(path.stat().st_size))


def overwrite(path: Path, choice: random.Random) -> None:
    """Change some bytes of a file in place."""
    with path.open("r+b") as file:
        file.seek(choice.randrange(16, path.stat().st_size - 300))
        file.write(choice.randbytes(300))


def replace(path: Path, choice: random.Random) -> None:
    """Put another file in place of one."""
    other = path.with_name("other")
    other.write_bytes(path.read_bytes())
    overwrite(other, choice)
    other.replace(path)


def remove(path: Path, choice: random.Random) -> None:
    """Remove a file."""
    del choice
    path.unlink()


CHANGES: tuple[Callable[[Path, random.Random], None], ...] = (truncate, overwrite, replace, remove)


class ChangingData:
    """Trains on a folder of IDX files, one of which is changed at some moment."""

    def __init__(self, scratch: Path) -> None:
        self.scratch = scratch
        scratch.mkdir(parents=True)
        mini = load("mnist-mini", validation=0)
        arrays = mini.train.images, mini.train.labels, mini.test.images, mini.test.labels
        (scratch / "whole").mkdir()
        for name, array in zip(NAMES, arrays, strict=True):
            write_idx(scratch / "whole" / name, np.ascontiguousarray(array))
        (scratch / "base.yaml").write_text(
            f"data: {{dataset: {scratch / 'data'}, validation: 1000}}\nepochs: 12\n"
        )
        self.words = ("-c", str(scratch / "base.yaml"), "--no-plots", "-q")

    def attempt(self, command: str, name: str, change: Callable[[Path, random.Random], None],
                choice: random.Random) -> list[str] | None:  # fmt: skip
        """Return what is wrong after a change at a random moment; None if it had not begun."""
        data = copy(self.scratch / "whole", self.scratch / "data")
        runs = self.scratch / "runs"
        shutil.rmtree(runs, ignore_errors=True)
        rates = ["learning_rate=0.005,0.01"] if command == "sweep" else []
        process = start(runs, command, *self.words, *rates)
        began = time.monotonic()
        while not any(runs.glob("2*/environment.json")) and time.monotonic() < began + 30:
            time.sleep(0.01)
        time.sleep(choice.uniform(0.0, 1.0))
        is_over = process.poll() is not None
        change(data / name, choice)
        _, err = process.communicate(timeout=120)
        what = f"{command}, {name} {change.__name__}d"
        if is_over:
            return None
        (path,) = (path for path in runs.iterdir() if not path.is_symlink())
        status = open_folder(path).read_status()
        problems = promises.untrue(runs)
        if process.returncode < 0:
            problems.append(f"ended by signal {-process.returncode}: {err!r}")
        elif status["status"] == "completed":  # it came after the last look
            problems += [] if process.returncode == 0 else [f"completed, yet {err!r}"]
        elif status["status"] != "failed" or name not in str(status["error"]):
            problems.append(f"is {status['status']}: {status.get('error')}, {err!r}")
        return [f"{what}: {one}" for one in problems]


class DyingPainter:
    """Trains with plots while the process that draws is killed at some moment."""

    def __init__(self, scratch: Path) -> None:
        self.scratch = scratch
        scratch.mkdir(parents=True)
        self.words = ("-c", str(write_config(scratch)))

    def attempt(self, command: str, choice: random.Random) -> list[str]:
        """Return what is wrong after that, and after one has gone on."""
        runs = self.scratch / "runs"
        shutil.rmtree(runs, ignore_errors=True)
        rates = ["learning_rate=0.005,0.01"] if command == "sweep" else []
        process = start(runs, command, *self.words, *rates)
        time.sleep(choice.uniform(0.0, 2.0))
        for child in _below(process.pid):
            try:
                os.kill(child, signal.SIGKILL)
            except ProcessLookupError:
                continue
        _, err = process.communicate(timeout=120)
        problems = promises.untrue(runs) + promises.half_files(runs)
        if process.returncode not in (0, 1):
            problems.append(f"exit code {process.returncode}: {err!r}")
        if process.returncode == 1 and "to draw them: mnistlab runs plot" not in err:
            problems.append(f"does not say how to draw: {err!r}")
        (path,) = (path for path in runs.iterdir() if not path.is_symlink())
        again = finish(runs, command, "--resume", path.name)
        if again.code:
            problems.append(f"does not go on: {again.err!r}")
        drawn = len(list((path / "plots").glob("*.png")))
        if drawn != (4 if command == "train" else 2):
            problems.append(f"has {drawn} plots in the end: {again.err!r}")
        problems += promises.untrue(runs)
        return [f"{command}, the process that draws was killed: {one}" for one in problems]
