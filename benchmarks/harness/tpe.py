"""Who searches by Optuna's sampler and who at random, and what their searches came to."""

import json
import statistics
from collections.abc import Mapping, Sequence

from harness.contestants import PEAK, PROCESS, Contestant, Measures
from harness.measure import BenchmarkError, Finished
from mnistlab.statistics import paired_difference, t_half_width

BETTER = "problems searched better"
REPETITIONS, TRIALS, MANY = 20, 48, 256
PROBLEMS = {
    "softmax": "softmax with momentum: learning rate, momentum, weight decay",
    "sigmoid": "sigmoid with Adam: learning rate, beta1, weight decay",
    "linear": "linear with weight decay: learning rate, weight decay, batch size",
}

Rounds = Mapping[str, Mapping[str, Sequence[float]]]


def tpe_contestants() -> list[Contestant]:
    """Return the one that searches every problem by both methods."""
    command = ("benchmarks/rivals/tpe.py", str(REPETITIONS))
    return [Contestant("search_of_48", command, read_losses, package="optuna")]


def read_losses(finished: Finished) -> Measures:
    """Return the lowest loss of each search, and in how many problems the sampler was better.

    It was where the interval of the paired difference at 95 % lies below zero.
    """
    report = json.loads(finished.output)
    losses = report["losses"]
    lengths = {len(values) for of_method in losses.values() for values in of_method.values()}
    if report["trials"] != TRIALS or losses.keys() != PROBLEMS.keys() or len(lengths) != 1:
        raise BenchmarkError(f"the searches were others: {finished.output[:200]}")
    measures = {PROCESS: finished.seconds, PEAK: float(finished.peak_bytes), BETTER: 0.0}
    for problem, of_method in losses.items():
        mean, half = paired_difference(of_method["tpe"], of_method["random"])
        measures[BETTER] += mean + half < 0
        for method, values in of_method.items():
            measures |= {f"{problem} {method} {at}": loss for at, loss in enumerate(values)}
    return measures


def losses_table(rounds: Rounds) -> str:
    """Return a Markdown table of each problem's mean losses and of their difference."""
    found = rounds.get("search_of_48", {})
    if "softmax tpe 0" not in found:
        return ""
    heads = ["problem", "at random", "by Optuna", "difference", "better"]
    lines = [heads, ["---"] * len(heads)]
    for problem, text in PROBLEMS.items():
        tpe, drawn = (
            [found[part][0] for part in found if part.startswith(f"{problem} {method} ")]
            for method in ("tpe", "random")
        )
        mean, half = paired_difference(tpe, drawn)
        is_better = "yes" if mean + half < 0 else "**no**"
        lines.append([text, _mean(drawn), _mean(tpe), f"{mean:.5f} ± {half:.5f}", is_better])
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _mean(values: Sequence[float]) -> str:
    return f"{statistics.fmean(values):.5f} ± {t_half_width(values) or 0.0:.5f}"


def tpe_speed_contestants() -> list[Contestant]:
    """Return a sweep of many trials on mnist-mini, by each method."""
    return [
        Contestant(
            f"sweep_{method}",
            (
                *("-m", "mnistlab", "sweep", "--config", "configs/softmax.yaml"),
                *("data.dataset=mnist-mini", "data.validation=1000", "epochs=5"),
                *("learning_rate=log_uniform(0.001,1)", "momentum=uniform(0,0.99)"),
                *("weight_decay=log_uniform(1e-6,1e-2)", "--method", method),
                *("--max-trials", str(MANY), "--json", "--no-plots"),
            ),
            read_many,
            package="optuna",
        )
        for method in ("random", "tpe")
    ]


def read_many(finished: Finished) -> Measures:
    """Return the seconds of a sweep that must have trained all of its trials."""
    report = json.loads(finished.output)
    if report["status"] != "completed" or report["trials"] != MANY:
        raise BenchmarkError(f"mnistlab sweep: {report['status']}, {report['trials']} trials")
    return {PROCESS: finished.seconds, PEAK: float(finished.peak_bytes)}
