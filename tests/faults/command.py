"""Runs mnistlab's commands in this process, on images so few that a run takes milliseconds."""

import io
import math
import os
import shutil
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import numpy as np

from mnistlab import errors
from mnistlab.__main__ import main
from mnistlab.experiment import recorder
from mnistlab.run_folders import provenance
from mnistlab.sweeps import stack_training as training

TRAIN = ("checkpoint_every=1", "optimizer=momentum")
SWEEP = ("learning_rate=0.005,0.01", "epochs=2,3")


@dataclass(frozen=True)
class Outcome:
    """What a command came to."""

    code: int
    out: str
    err: str


def invoke(*words: object) -> Outcome:
    """Run a command as a process of its own would, signals and exit code included."""
    streams = [io.TextIOWrapper(io.BytesIO(), "utf-8") for _ in range(2)]
    signums = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    handlers = {signum: signal.getsignal(signum) for signum in signums}
    code: object = 0
    with (
        mock.patch.object(sys, "argv", ["mnistlab", *map(str, words)]),
        redirect_stdout(streams[0]),
        redirect_stderr(streams[1]),
    ):
        try:
            main()
        except SystemExit as stop:
            code = stop.code
    for signum, handler in handlers.items():
        signal.signal(signum, handler)
    errors._State.received = None
    texts = []
    for stream in streams:
        stream.flush()
        texts.append(stream.buffer.getvalue().decode())  # type: ignore[attr-defined]
    return Outcome(code if isinstance(code, int) else 1, *texts)


@contextmanager
def small_steps() -> Iterator[None]:
    """Keep every checkpoint that is due by epochs, and take the code for changed."""

    def changed(*words: str) -> str:
        patch = "diff --git a/x b/x\n"
        return patch if words[0] == "diff" else "# branch.oid 0123\n1 .M x\n"

    with (
        mock.patch.object(training, "CHECKPOINT_SECONDS", 0.0),
        mock.patch.object(recorder, "CHECKPOINT_SHARE", math.inf),
        mock.patch.object(provenance, "_git", changed),
    ):
        yield


def write_config(folder: Path, text: str = "") -> Path:
    """Write a dataset of 120 + 30 images and a config of 3 epochs on it; return the config."""
    generator = np.random.default_rng(0)
    labels = {name: generator.integers(0, 3, count, np.uint8)
              for name, count in (("y_train", 120), ("y_test", 30))}  # fmt: skip
    means = generator.integers(0, 120, (3, 6, 6))
    images = {
        name.replace("y", "x"): (means[values] + generator.integers(0, 136, (len(values), 6, 6)))
        .astype(np.uint8)
        for name, values in labels.items()
    }  # fmt: skip
    np.savez(folder / "tiny.npz", **labels, **images)
    config = folder / "tiny.yaml"
    data = f"data: {{dataset: {folder / 'tiny.npz'}, validation: 20}}\n"
    config.write_text(f"epochs: 3\nbatch_size: 20\nlearning_rate: 0.01\n{data}{text}")
    return config


def train(config: Path, runs: Path, *words: object) -> Outcome:
    """Train the config without plots."""
    return invoke("train", "-c", config, *TRAIN, "--runs-dir", runs, "--no-plots", "-q", *words)


def sweep(config: Path, runs: Path, *words: object) -> Outcome:
    """Train four runs that share a stack."""
    return invoke("sweep", "-c", config, *SWEEP, "--runs-dir", runs, "--no-plots", "-q", *words)


def copy(template: Path, target: Path) -> Path:
    """Return `target`, which is now what `template` is."""
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(template, target, symlinks=True)
    return target


def new_runs(runs: Path, old: Path) -> list[Path]:
    """Return the run folders that `runs` has and `old` has not."""
    known = set(os.listdir(old)) | {"latest"}  # noqa: PTH208 - names only
    return sorted(path for path in runs.iterdir()
                  if path.name not in known and not path.name.startswith("."))  # fmt: skip
