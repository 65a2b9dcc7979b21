"""Who runs: each command with its settings, what is read from its output, and what it must do."""

import importlib.util
import json
import os
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.measure import ROOT, BenchmarkError, Finished, run_process
from harness.memory import TreeMemory, is_available

Measures = dict[str, float]

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
ONE_THREAD = dict.fromkeys(THREADS, "1")
SQUARED_ERROR = (0.385, 0.400)
"""Training loss after ten epochs: all that minimise the squared error end in this range."""

PROCESS, STEPS, EVALUATION, BOTH = "process", "steps", "evaluation", "steps and evaluation"
PEAK, TREE = "largest process", "all processes"


@dataclass(frozen=True)
class Contestant:
    """A program that takes part, under one setting.

    `read` turns a finished process into seconds by part and raises BenchmarkError if it did
    other work than it should have. A round is one process for each of the `variants`, which are
    further arguments, and all this `repeats` times.
    """

    name: str
    command: tuple[str, ...]
    read: Callable[[Finished], Measures]
    setting: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    package: str | None = None
    program: str | None = None
    repeats: int = 1
    variants: tuple[tuple[str, ...], ...] = ((),)

    @property
    def label(self) -> str:
        """The name with the setting."""
        return f"{self.name}, {self.setting}" if self.setting else self.name

    def missing(self) -> str | None:
        """Return why it cannot run here, None if it can."""
        if self.package and importlib.util.find_spec(self.package) is None:
            return f"{self.package} is not installed"
        if self.program and shutil.which(self.program) is None:
            return f"{self.program} is not installed"
        return None

    def run_round(self, environment: Mapping[str, str]) -> Measures:
        """Run one round and return its measures, averaged over its processes."""
        runs = [
            self.read(self.run(environment, variant))
            for _ in range(self.repeats)
            for variant in self.variants
        ]
        return {part: sum(run[part] for run in runs) / len(runs) for part in runs[0]}

    def run(
        self,
        environment: Mapping[str, str],
        variant: tuple[str, ...] = (),
        watch: Callable[[int], None] | None = None,
    ) -> Finished:
        """Run one process to its end."""
        command = [sys.executable, *self.command, *variant]
        return run_process(command, {**environment, **self.environment}, watch)


def contestants() -> list[Contestant]:
    """Return everyone in the order in which a round runs them."""
    return [
        mnistlab_train(),
        # next to what it is held against: the machine's speed drifts within a round
        Contestant("bare_products", _rival("bare_products"), read_products),
        *_with_threads("torch_memory", "torch", read_torch),
        *_with_threads("torch_by_hand", "torch", read_torch),
        *_with_threads("torch_dataloader", "torch", read_torch),
        *_with_threads("sklearn_mlp", "sklearn", read_sklearn),
        Contestant("mnistlab_help", ("-m", "mnistlab", "--help"), read_help, repeats=5),
        Contestant("typer_hello", (*_rival("typer_hello"), "--help"), read_help, repeats=5),
        Contestant(
            "typer_hello",
            (*_rival("typer_hello"), "--help"),
            read_help,
            setting="without rich",
            environment={"TYPER_USE_RICH": "0"},
            repeats=5,
        ),
    ]


def mnistlab_train() -> Contestant:
    """Return our own training."""
    command = ("-m", "mnistlab", "train", "--config", "configs/linear.yaml", "--json")
    return Contestant("mnistlab_train", command, read_mnistlab)


def _rival(name: str) -> tuple[str, ...]:
    return (f"benchmarks/rivals/{name}.py",)


def _with_threads(
    name: str, package: str, read: Callable[[Finished], Measures]
) -> list[Contestant]:
    """Return a rival twice: with the threads it chooses itself, and with one."""
    return [
        Contestant(name, _rival(name), read, "default threads", {}, package),
        Contestant(name, _rival(name), read, "1 thread", ONE_THREAD, package),
    ]


def measure_memory(one: Contestant, environment: Mapping[str, str]) -> Measures:
    """Return the peak memory in bytes of a contestant, from a run that is not timed."""
    tree = TreeMemory()
    finished = one.run(environment, watch=tree if is_available() else None)
    one.read(finished)
    measures = {PEAK: float(finished.peak_bytes)}
    return {**measures, TREE: float(tree.peak_bytes)} if is_available() else measures


def base_environment(runs_dir: Path) -> dict[str, str]:
    """Return the environment of every process: this one's without any setting of threads.

    Fetches MNIST if it is not in mnistlab's cache yet, and names its folder for the rivals.
    """
    left_out = (*THREADS, "PYTHONDONTWRITEBYTECODE")
    environment = {key: value for key, value in os.environ.items() if key not in left_out}
    environment["MNISTLAB_RUNS_DIR"] = str(runs_dir)
    fetch = [sys.executable, "-m", "mnistlab", "data", "fetch", "mnist", "--quiet"]
    fetched = run_process(fetch, environment)
    environment["MNIST_FOLDER"] = fetched.output.strip()
    return environment


def read_mnistlab(finished: Finished) -> Measures:
    """Return seconds by part; the run must be complete, with all its plots."""
    report = json.loads(finished.output)
    _check_squared_error(report, "mnistlab train")
    plots = list((ROOT / report["path"] / "plots").glob("*.png"))
    if report["status"] != "completed" or report["epochs"] != 10 or len(plots) < 4:
        raise BenchmarkError(f"mnistlab train: {report['status']}, {len(plots)} plots")
    seconds = report["seconds"]
    return _measures(finished, seconds["train"], seconds["evaluate"])


def read_torch(finished: Finished) -> Measures:
    """Return seconds by part; the final losses must be those of the same work."""
    report = json.loads(finished.output)
    _check_squared_error(report, "torch")
    seconds = report["seconds"]
    before = {part: seconds[part] for part in ("import", "load", "model")}
    return {**_measures(finished, seconds["steps"], seconds["evaluate"]), **before}


def read_sklearn(finished: Finished) -> Measures:
    """Return seconds by part; it must have taken ten epochs and learnt the digits."""
    report = json.loads(finished.output)
    accuracy = report["validation"]["accuracy"]
    if report["epochs"] != 10 or accuracy < 0.85:
        raise BenchmarkError(f"sklearn: {report['epochs']} epochs, accuracy {accuracy:.3f}")
    seconds = report["seconds"]
    measures = _measures(finished, seconds["steps"])
    return {**measures, "import": seconds["import"], "load": seconds["load"]}


def read_products(finished: Finished) -> Measures:
    """Return the seconds of both layouts."""
    seconds = json.loads(finished.output)["seconds"]
    return {**_measures(finished), "plain": seconds["plain"], "transposed": seconds["transposed"]}


def read_help(finished: Finished) -> Measures:
    """Return the seconds of a process that must have printed its help."""
    if "Usage:" not in finished.output:
        raise BenchmarkError(f"no help was printed: {finished.output[:200]}")
    return _measures(finished)


def _measures(
    finished: Finished, steps: float | None = None, evaluate: float | None = None
) -> Measures:
    measures = {PROCESS: finished.seconds, PEAK: float(finished.peak_bytes)}
    if steps is not None:
        measures[STEPS] = steps
    if steps is not None and evaluate is not None:
        measures |= {EVALUATION: evaluate, BOTH: steps + evaluate}
    return measures


def _check_squared_error(report: Mapping[str, Any], who: str) -> None:
    loss, (low, high) = report["train"]["loss"], SQUARED_ERROR
    if loss is None or not low <= loss <= high:
        raise BenchmarkError(f"{who}: training loss {loss}, expected {low} to {high}")
    if not all(report[split]["accuracy"] > 0.84 for split in ("train", "validation", "test")):
        raise BenchmarkError(f"{who}: an accuracy is too low: {report}")
