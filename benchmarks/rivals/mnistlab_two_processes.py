"""Our own trainer in two processes side by side, one thread each, which share the rates."""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

ONE_BY_ONE = Path(__file__).with_name("mnistlab_one_by_one.py")
CONFIG = Path(__file__).parents[2] / "configs" / "linear.yaml"
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def main() -> None:
    """Train every second rate in either process, and print all results as JSON.

    `work` is that of the slower process.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", default=CONFIG)
    parser.add_argument("rates", nargs="+")
    chosen = parser.parse_args()
    processes = [
        subprocess.Popen(
            [sys.executable, str(ONE_BY_ONE), "--config", str(chosen.config), *share],
            env={**os.environ, **dict.fromkeys(THREADS, "1")},
            stdout=subprocess.PIPE,
        )
        for share in (chosen.rates[::2], chosen.rates[1::2])
    ]
    outputs = [process.communicate()[0] for process in processes]
    if any(process.returncode for process in processes):
        sys.exit("one of the two processes failed")
    reports = [json.loads(output) for output in outputs]
    runs = [run for report in reports for run in report["runs"]]
    work = max(report["seconds"]["work"] for report in reports)
    print(json.dumps({"runs": runs, "seconds": {"work": work}}))


if __name__ == "__main__":
    main()
