"""Measures which share of the machine's peak a stack of K configurations reaches, by K.

    python benchmarks/widths.py [ROUNDS]

The table of WIDTHS.md comes from here. Needs MNIST in the cache.
"""

import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from harness.work import EPOCHS, LIT, operations

WIDTHS = (1, 4, 16, 64, 256)
_EPOCHS = 2
_ROOT = Path(__file__).parents[1]


def measure(K: int) -> tuple[float, float]:
    """Return the seconds of a core in the steps and in the evaluations of K configurations."""
    rates = ",".join(f"{0.001 + 0.009 * k / K:.6f}" for k in range(1, K + 1))
    with tempfile.TemporaryDirectory() as runs:
        report = _read(
            *("-m", "mnistlab", "train" if K == 1 else "sweep", "--config", "linear"),
            *(f"learning_rate={rates}", f"epochs={_EPOCHS}"),
            *("--no-plots", "--json", "-q", "--runs-dir", runs),
        )
    return report["seconds"]["train"], report["seconds"]["evaluate"]


def _read(*words: str) -> Any:
    """Return the JSON document that a Python program prints."""
    done = subprocess.run([sys.executable, *words], cwd=_ROOT, stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout)


def main() -> None:
    """Print a row for each K: seconds an epoch, GFLOP/s, and the share of the peak."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    found: dict[int, list[tuple[float, float, float, float]]] = {K: [] for K in WIDTHS}
    for _ in range(rounds):
        peak = _read("benchmarks/rivals/peak_products.py")["gflops"]
        for K, measured in found.items():
            steps, evaluation = measure(K)
            rate = operations(K, LIT) * _EPOCHS / EPOCHS / (steps + evaluation) / 1e9
            measured.append((steps / _EPOCHS, evaluation / _EPOCHS, rate, rate / peak))
    sys.stdout.write("| K | steps, s | evaluation, s | GFLOP/s | share of the peak |\n")
    sys.stdout.write("|--:|--:|--:|--:|--:|\n")
    for K, measured in found.items():
        steps, evaluation, rate, share = map(statistics.median, zip(*measured, strict=True))
        shares = [one[3] for one in measured]
        sys.stdout.write(
            f"| {K} | {steps:.3f} | {evaluation:.3f} | {rate:.0f} "
            f"| {share:.2f} ({min(shares):.2f}-{max(shares):.2f}) |\n"
        )


if __name__ == "__main__":
    main()
