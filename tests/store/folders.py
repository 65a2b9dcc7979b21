"""Run folders made by hand, with just the files that a listing reads, and quickly trained ones."""

import json
import time
from pathlib import Path

from mnistlab.config.config_files import dump
from mnistlab.config.load import load_config
from mnistlab.experiment import prepare, train_run
from mnistlab.run_folders import RunFolder
from mnistlab.run_folders.folder import SweepFolder
from tests.experiment.test_experiment import Recorder

CONFIG = {
    "name": "try",
    "model": "linear",
    "loss": "squared_error",
    "optimizer": "sgd",
    "learning_rate": 0.01,
    "epochs": 2,
    "data": {"dataset": "mnist-mini", "validation": 1000, "preprocess": ["deskew"]},
}


def make_run(path, *, status="completed", accuracy=0.9, metrics="", **config):
    """Make the folder of a run and return it."""
    path.mkdir(parents=True)
    folder = RunFolder(path)
    folder.config.write_text(dump({**CONFIG, **config}))
    write_state(folder, status)
    summary = {
        "epochs": 2,
        "train": {"loss": 0.4, "accuracy": accuracy},
        "validation": {"loss": 0.5, "accuracy": accuracy},
        "test": {"loss": None, "accuracy": None},
        "seconds": {"total": 1.5},
    }
    folder.summary.write_text(json.dumps(summary))
    if metrics:
        folder.metrics.write_text(metrics)
    return folder


def make_sweep(path, rates=(0.01, 0.1)):
    """Make the folder of a sweep over learning rates, with its runs, and return it."""
    for number, rate in enumerate(rates):
        make_run(path / "runs" / str(number), learning_rate=rate, accuracy=0.8 + number / 100)
    folder = SweepFolder(path)
    parameters = {"learning_rate": {"values": list(rates)}}
    folder.config.write_text(dump({"base": CONFIG, "method": "grid", "parameters": parameters}))
    write_state(folder, "completed")
    folder.plan.write_text("{}")
    best = {"train": {"loss": 0.3, "accuracy": 0.95}}
    folder.summary.write_text(json.dumps({"trials": len(rates), "seeds": 1, "best": best}))
    return folder


def write_state(folder, status):
    """Write status and environment."""
    state = {"status": status, "started": "2026-11-23T17:43:12.739+00:00"}
    if status != "running":
        state["ended"] = "2026-11-23T17:44:12.739+00:00"
    folder.status.write_text(json.dumps(state))
    folder.environment.write_text(json.dumps({"key": "abc", "mnistlab": "0.1.0"}))


def wait_a_tick(monkeypatch):
    """Let more time pass than two changes of a file may share."""
    now = time.time_ns
    monkeypatch.setattr("mnistlab.store.listing.time.time_ns", lambda: now() + 5_000_000_000)


def everything_in(folder):
    """Return the names and contents of all files in a folder and below, links as their targets."""
    return {
        str(path.relative_to(folder)): path.readlink() if path.is_symlink() else path.read_bytes()
        for path in folder.rglob("*")
        if path.is_symlink() or path.is_file()
    }


def names_in(folder):
    """Return the names in a folder, sorted."""
    return sorted(path.name for path in folder.iterdir())


MINI = ("data.dataset=mnist-mini", "data.validation=1000", "epochs=2")


def train(runs_dir: Path, *words: str) -> RunFolder:
    """Train on the small dataset, two epochs unless `words` say otherwise; return the folder."""
    keys = [word.partition("=")[0] for word in words]
    mini = [word for word in MINI if word.partition("=")[0] not in keys]
    plan = prepare([load_config(None, [*mini, *words])])
    return train_run(plan, runs_dir=runs_dir, reporter=Recorder()).folder
