"""Who takes part in the sweep of 64 learning rates, and how each one's output is read."""

import csv
import json
from functools import partial
from pathlib import Path

from harness.contestants import (
    BOTH,
    EVALUATION,
    ONE_THREAD,
    PEAK,
    PROCESS,
    STEPS,
    Contestant,
    Measures,
)
from harness.measure import ROOT, BenchmarkError, Finished
from harness.work import FEATURES, LIT, RATES, SAMPLED, check_losses, operations, scaled

ALL, EACH, TRAINED = "all configurations", "each configuration", "trained"
GFLOPS, WRITE, TOTAL = "gflops", "write", "total"

CONFIG = "configs/sweeps/learning_rate_64.yaml"
MNISTLAB_SWEEP = ("-m", "mnistlab", "sweep", "--config", CONFIG, "--json", "-q")
MNISTLAB_ONE = (
    *("-m", "mnistlab", "train", "--config", "configs/linear.yaml"),
    *("--no-plots", "--json", "-q"),
)


def sweep_contestants() -> list[Contestant]:
    """Return everyone in the order in which a round runs them."""
    return [
        mnistlab_sweep(),
        # next to what is held against it: the machine's speed drifts within a round
        Contestant("peak_products", ("benchmarks/rivals/peak_products.py",), read_peak),
        _rival("jax_sweep", "jax_sweep", ("fused",), RATES, setting="fused", package="jax"),
        _rival("jax_sweep", "jax_sweep", ("vmap",), RATES, setting="vmap", package="jax"),
        Contestant(
            "mnistlab_train_each",
            MNISTLAB_ONE,
            read_one,
            variants=tuple((f"learning_rate={rate!r}",) for rate in SAMPLED),
        ),
        _rival("mnistlab_one_by_one", "mnistlab_one_by_one", (), SAMPLED),
        _rival("mnistlab_two_processes", "mnistlab_two_processes", (), SAMPLED),
        _torch("torch_sweep", "optimizer", "default threads", {}),
        _torch("torch_sweep", "optimizer", "1 thread", ONE_THREAD),
        # one thread was never faster for it in the other suite
        _torch("torch_sweep_by_hand", "by_hand", "default threads", {}),
    ]


def mnistlab_sweep() -> Contestant:
    """Return our own sweep."""
    return Contestant("mnistlab_sweep", MNISTLAB_SWEEP, read_sweep)


def _torch(name: str, update: str, setting: str, environment: dict[str, str]) -> Contestant:
    return _rival(name, "torch_sweep", (update,), SAMPLED, setting, environment, "torch")


def _rival(
    name: str,
    script: str,
    arguments: tuple[str, ...],
    rates: tuple[float, ...],
    setting: str = "",
    environment: dict[str, str] | None = None,
    package: str | None = None,
) -> Contestant:
    return Contestant(
        name,
        (f"benchmarks/rivals/{script}.py", *arguments, *map(repr, rates)),
        partial(read_rival, who=name, rates=rates),
        setting,
        environment or {},
        package,
    )


def read_sweep(finished: Finished) -> Measures:
    """Return seconds by part; all trials must be complete, and the sweep must have its plots."""
    report = json.loads(finished.output)
    folder = ROOT / report["path"]
    rows = _rows(folder / "results.csv")
    incomplete = [row["status"] for row in rows if row["status"] != "completed"]
    if report["status"] != "completed" or report["trials"] != len(RATES) or incomplete:
        raise BenchmarkError(
            f"mnistlab sweep: {report['status']}, {report['trials']} trials, {incomplete}"
        )
    losses = {float(row["learning_rate"]): float(row["train_loss"]) for row in rows}
    check_losses("mnistlab sweep", losses, RATES)
    _check_accuracies("mnistlab sweep", [float(row["validation_accuracy"]) for row in rows])
    if next(folder.rglob("*.png"), None) is None:
        raise BenchmarkError(f"mnistlab sweep: no plots in {folder}")
    seconds = report["seconds"]
    parts = {WRITE: seconds["write"], TOTAL: seconds["total"]}
    return {**_measures(finished, len(RATES)), **_rates(seconds, "train", LIT), **parts}


def read_one(finished: Finished) -> Measures:
    """Return the seconds of one `mnistlab train`, and of as many as there are learning rates."""
    report = json.loads(finished.output)
    last = _rows(ROOT / report["path"] / "metrics.csv")[-1]
    rate = float(last["learning_rate"])
    if report["status"] != "completed" or report["epochs"] != 10:
        raise BenchmarkError(f"mnistlab train: {report['status']}, {report['epochs']} epochs")
    check_losses("mnistlab train", {rate: report["train"]["loss"]}, [rate])
    _check_accuracies("mnistlab train", [report["validation"]["accuracy"]])
    return _measures(finished, 1, finished.seconds)


def read_rival(finished: Finished, who: str, rates: tuple[float, ...]) -> Measures:
    """Return the seconds of a process that trains some rates, scaled to all of them, or all."""
    report = json.loads(finished.output)
    losses = {run["learning_rate"]: run["train"]["loss"] for run in report["runs"]}
    check_losses(who, losses, rates)
    _check_accuracies(who, [run["validation"]["accuracy"] for run in report["runs"]])
    seconds = report["seconds"]
    measures = _measures(finished, len(rates), seconds.get("work", 0.0))
    if len(rates) == len(RATES):
        before = {part: seconds[part] for part in ("import", "load", "compile")}
        measures |= _rates(seconds, "steps") | before
    return measures


def read_peak(finished: Finished) -> Measures:
    """Return the rate of large products, and the seconds of the sweep's products at that rate."""
    gflops = json.loads(finished.output)["gflops"]
    return {
        PROCESS: finished.seconds,
        PEAK: float(finished.peak_bytes),
        GFLOPS: gflops,
        BOTH: operations(len(RATES), LIT) / gflops / 1e9,
    }


def _measures(finished: Finished, trained: int, work: float = 0.0) -> Measures:
    everything = scaled(finished.seconds, work, trained)
    return {
        PROCESS: finished.seconds,
        PEAK: float(finished.peak_bytes),
        TRAINED: float(trained),
        ALL: everything,
        EACH: everything / len(RATES),
    }


def _rates(seconds: dict[str, float], train: str, features: int = FEATURES) -> Measures:
    steps, evaluate = seconds[train], seconds["evaluate"]
    both = steps + evaluate
    gflops = operations(len(RATES), features) / both / 1e9
    return {STEPS: steps, EVALUATION: evaluate, BOTH: both, GFLOPS: gflops}


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _check_accuracies(who: str, accuracies: list[float]) -> None:
    if min(accuracies) < 0.84:
        raise BenchmarkError(f"{who}: a validation accuracy is too low: {min(accuracies)}")
