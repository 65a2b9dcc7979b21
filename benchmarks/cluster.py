"""Measures sweeps on a Dask cluster of this machine against the same sweeps on threads.

    python benchmarks/cluster.py speed       64 configurations on MNIST, in turn, both ways
    python benchmarks/cluster.py stacks      1,000 stacks of one configuration each
    python benchmarks/cluster.py memory      100 stacks of 64 configurations each

The figures of DASK.md come from here. Needs the extra `dask`, and for `speed` MNIST in the cache.
"""

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from mnistlab.datasets import Silent, load
from mnistlab.sweeps.cluster import Cluster, connect
from mnistlab.sweeps.plan import PreparedSweep, prepare_sweep
from mnistlab.sweeps.run import run_sweep
from mnistlab.sweeps.trials import load_sweep

_ROUNDS = 3
_CONFIGS = Path(__file__).parents[1] / "configs"


class _Quiet(Silent):
    """A reporter of sweeps that shows nothing."""

    def warn(self, text: str) -> None:
        """Show nothing."""

    def start(self, labels: object, done: object, epochs: object) -> None:
        """Show nothing."""

    def event(self, event: object) -> None:
        """Show nothing."""

    def stop(self) -> None:
        """Show nothing."""


def _train(prepared: PreparedSweep, cluster: Cluster | None, scratch: Path) -> float:
    """Return the seconds that a sweep takes."""
    runs = Path(tempfile.mkdtemp(dir=scratch))
    began = time.perf_counter()
    result = run_sweep(prepared, runs_dir=runs, reporter=_Quiet(), cluster=cluster)
    if result.status != "completed":
        raise SystemExit(result.error)
    return time.perf_counter() - began


def speed(scratch: Path) -> None:
    """Print the times of 64 configurations on MNIST, without and with the start of the workers."""
    sweep = load_sweep(_CONFIGS / "sweeps" / "learning_rate_64.yaml", [])
    prepared = prepare_sweep(sweep, workers=2)
    times: dict[str, list[float]] = {"threads": [], "cluster": [], "cluster, started for it": []}
    for _ in range(_ROUNDS):
        times["threads"].append(_train(prepared, None, scratch))
        began = time.perf_counter()
        with connect("local:2") as cluster:
            _train(prepared, cluster, scratch)
            times["cluster, started for it"].append(time.perf_counter() - began)
            times["cluster"].append(_train(prepared, cluster, scratch))
        print(*(f"{name} {found[-1]:.2f} s" for name, found in times.items()), sep=", ", flush=True)
    for name, found in times.items():
        ratios = [one / base for one, base in zip(found, times["threads"], strict=True)]
        shown = " ".join(f"{one:.2f}" for one in found)
        print(
            f"{name}: {shown} s; median {statistics.median(found):.2f} s, "
            f"{statistics.median(ratios):.2f} times the threads (median of the rounds)"
        )


def _digits(scratch: Path) -> Path:
    mini = load("mnist-mini", validation=0)
    path = scratch / "digits.npz"
    np.savez(path, x_train=mini.train.images[:1000], y_train=mini.train.labels[:1000],
             x_test=mini.test.images[:200], y_test=mini.test.labels[:200])  # fmt: skip
    return path


def _small(scratch: Path, stacks: int, width: int) -> PreparedSweep:
    """Return a sweep of so many stacks of so many configurations, one epoch on 800 images."""
    base = {"epochs": 1, "data": {"dataset": str(_digits(scratch)), "validation": 200}}
    rates = np.linspace(0.001, 0.01, width).tolist()
    values = {"learning_rate": rates, "seed": list(range(stacks))}
    prepared = prepare_sweep(load_sweep({"base": base, "parameters": values}, []), workers=2)
    if len(prepared.stacks()) != stacks:
        raise SystemExit(f"planned as {len(prepared.stacks())} stacks")
    return prepared


def stacks(scratch: Path) -> None:
    """Print what a tiny stack takes on threads and on a cluster."""
    prepared = _small(scratch, 1000, 1)
    for _ in range(2):
        threads = _train(prepared, None, scratch)
        with connect("local:2") as cluster:
            before = _memory()
            _train(_small(scratch, 20, 1), cluster, scratch)  # so that the workers know the data
            ours = _train(prepared, cluster, scratch)
            grown = _memory() - before
        print(
            f"1,000 stacks: threads {threads:.1f} s, cluster {ours:.1f} s: "
            f"{ours - threads:.1f} ms more a stack; memory grown by {grown / 1000:.0f} kB a stack",
            flush=True,
        )


def memory(scratch: Path) -> None:
    """Print how the memory of the process that writes the folders grows."""
    prepared = _small(scratch, 100, 64)
    with connect("local:2") as cluster:
        _train(_small(scratch, 10, 64), cluster, scratch)
        before = _memory()
        seconds = _train(prepared, cluster, scratch)
        grown = _memory() - before
    print(
        f"100 stacks of 64: {seconds:.1f} s, {seconds / 6.4:.1f} ms a run; "
        f"memory grown by {grown / 1000:.1f} MB: {grown / 1e5:.2f} MB a stack"
    )


def _memory() -> float:
    """Return the memory that this process has in use, in kB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1000


_PARTS: dict[str, Callable[[Path], None]] = {"speed": speed, "stacks": stacks, "memory": memory}

if __name__ == "__main__":
    for part in sys.argv[1:] or _PARTS:
        with tempfile.TemporaryDirectory() as folder:
            _PARTS[part](Path(folder))
