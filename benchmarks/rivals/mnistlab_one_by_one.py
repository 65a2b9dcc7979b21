"""Our own trainer without a sweep: learning rates one after another, the data loaded once."""

import argparse
import json
import os
import time
from dataclasses import replace
from pathlib import Path

from mnistlab.config.load import load_config
from mnistlab.console.progress import ConsoleReporter
from mnistlab.experiment import prepare, train_run

CONFIG = Path(__file__).parents[2] / "configs" / "linear.yaml"


def main() -> None:
    """Train and evaluate at every learning rate, and print the results as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path, default=CONFIG)
    parser.add_argument("rates", type=float, nargs="+")
    chosen = parser.parse_args()
    runs_dir, reporter = Path(os.environ["MNISTLAB_RUNS_DIR"]), ConsoleReporter(quiet=True)
    plan = prepare([load_config(chosen.config)], reporter)
    runs, started = [], time.perf_counter()
    for rate in chosen.rates:
        config = plan.configs[0].model_copy(update={"learning_rate": rate})
        run = train_run(replace(plan, configs=[config]), runs_dir=runs_dir, reporter=reporter)
        runs.append({"learning_rate": rate, **run.summary})
    work = time.perf_counter() - started
    print(json.dumps({"runs": runs, "seconds": {"work": work}}))


if __name__ == "__main__":
    main()
