"""Who takes part in the search over 64 candidates in three folds, and how output is read."""

import json
from functools import partial

from harness.contestants import ONE_THREAD, PEAK, PROCESS, Contestant, Measures
from harness.measure import BenchmarkError, Finished
from harness.sweep import ALL, EACH, TRAINED

CANDIDATES, FOLDS = 64, 3
SEARCH, ERROR = "search", "error"

TRIED = {"fused": CANDIDATES, "ours": 8, "logistic": 4, "sgd": 2}
"""How many of the candidates each one is given."""

NAMES = {
    "fused": "fused_search",
    "ours": "grid_search_of_ours",
    "logistic": "grid_search_of_logistic_regression",
    "sgd": "grid_search_of_sgd",
}


def search_contestants() -> list[Contestant]:
    """Return everyone in the order in which a round runs them."""
    return [
        Contestant(
            NAMES[who],
            ("benchmarks/rivals/search.py", who, str(count)),
            partial(read_search, who=who, count=count),
            # their two processes have a core each; ours decides for itself
            environment={} if who == "fused" else ONE_THREAD,
            package="sklearn",
        )
        for who, count in TRIED.items()
    ]


def read_search(finished: Finished, who: str, count: int) -> Measures:
    """Return the seconds of a search, and what it would have taken over all candidates."""
    report = json.loads(finished.output)
    found = report["candidates"], report["folds"]
    if found != (count, FOLDS) or not 0.85 < report["best_score"] < 0.95:
        raise BenchmarkError(f"{NAMES[who]}: {report}")
    everything = report["seconds"]["search"] * CANDIDATES / count
    return {
        PROCESS: finished.seconds,
        PEAK: float(finished.peak_bytes),
        TRAINED: float(count),
        SEARCH: report["seconds"]["search"],
        ALL: everything,
        EACH: everything / CANDIDATES,
        ERROR: 1 - report["best_score"],
    }
