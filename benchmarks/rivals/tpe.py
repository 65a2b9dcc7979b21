"""The best of 48 trials in three problems, asked for by Optuna's sampler and drawn at random.

Each problem is searched with many random seeds; of each search the lowest validation loss counts.
"""

import json
import sys
import tempfile

import mnistlab

TRIALS = 48
DATA = {"dataset": "mnist-mini", "validation": 1000}


def _log(low: float, high: float) -> dict[str, object]:
    return {"distribution": "log_uniform_values", "min": low, "max": high}


PROBLEMS = {
    "softmax": (
        {"model": "linear", "loss": "softmax_cross_entropy", "optimizer": "momentum"},
        {
            "learning_rate": _log(1e-3, 1.0),
            "momentum": {"min": 0.0, "max": 0.99},
            "weight_decay": _log(1e-6, 1e-2),
        },
    ),
    "sigmoid": (
        {"model": "sigmoid", "loss": "squared_error", "optimizer": "adam"},
        {
            "learning_rate": _log(1e-4, 1e-1),
            "beta1": {"min": 0.5, "max": 0.99},
            "weight_decay": _log(1e-6, 1e-2),
        },
    ),
    "linear": (
        {"model": "linear", "loss": "squared_error"},
        {
            "learning_rate": _log(1e-4, 1e-1),
            "weight_decay": _log(1e-6, 1e-1),
            "batch_size": [25, 50, 100, 200],
        },
    ),
}


def main(repetitions: int) -> None:
    """Search every problem so often by each method; print the best losses as JSON."""
    found = {
        problem: {
            method: [search(problem, method, number) for number in range(repetitions)]
            for method in ("random", "tpe")
        }
        for problem in PROBLEMS
    }
    print(json.dumps({"trials": TRIALS, "losses": found}))


def search(problem: str, method: str, number: int) -> float:
    """Return the lowest validation loss that a search finds.

    Numbers lie 100 random seeds apart, as a search adds the number of its batch to its own.
    """
    base, parameters = PROBLEMS[problem]
    with tempfile.TemporaryDirectory() as runs_dir:
        made = mnistlab.sweep(
            {**base, "epochs": 5, "data": DATA},
            parameters,
            method=method,
            max_trials=TRIALS,
            random_seed=100 * number,
            metric="validation.loss",
            runs_dir=runs_dir,
            plots=False,
            progress=False,
        )
        return float(made.summary["best"]["validation"]["loss"])


if __name__ == "__main__":
    main(int(sys.argv[1]))
