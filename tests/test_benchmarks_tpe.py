"""What is made of searches by Optuna and at random: the better one, and the table of both."""

import importlib.util
import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

from harness.claims import TPE_CLAIMS, judge
from harness.measure import BenchmarkError, Finished
from harness.tpe import (
    BETTER,
    MANY,
    PROBLEMS,
    TRIALS,
    losses_table,
    read_losses,
    read_many,
    tpe_contestants,
)

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
spec = importlib.util.spec_from_file_location("searches", BENCHMARKS / "rivals" / "tpe.py")
rival = importlib.util.module_from_spec(spec)
spec.loader.exec_module(rival)

DRAWN = [0.5, 0.6, 0.7]
LOSSES = {
    "softmax": {"random": DRAWN, "tpe": [0.4, 0.51, 0.6]},  # always lower by about 0.1
    "sigmoid": {"random": DRAWN, "tpe": [0.6, 0.7, 0.8]},
    "linear": {"random": DRAWN, "tpe": [0.3, 0.65, 0.7]},  # lower, as it happens
}


def finished(**changes):
    return Finished(2.0, 10**8, json.dumps({"trials": TRIALS, "losses": LOSSES, **changes}))


def test_better_is_what_is_so_for_sure():
    measures = read_losses(finished())
    assert measures[BETTER] == 1
    assert measures["process"] == 2.0
    assert [measures[f"linear tpe {at}"] for at in range(3)] == [0.3, 0.65, 0.7]


@pytest.mark.parametrize(
    "changes",
    [
        {"trials": 47},
        {"losses": {"softmax": LOSSES["softmax"]}},
        {"losses": {**LOSSES, "softmax": {"random": DRAWN, "tpe": [0.4]}}},
    ],
)
def test_other_searches_are_refused(changes):
    with pytest.raises(BenchmarkError, match="others"):
        read_losses(finished(**changes))


@pytest.mark.parametrize(("better", "holds"), [(1.0, False), (2.0, True), (3.0, True)])
def test_two_of_three_are_enough(better, holds):
    outcome = judge(TPE_CLAIMS[0], {"search_of_48": {BETTER: [better]}})
    assert outcome is not None
    assert outcome.holds is holds


def test_the_table_has_means_and_differences_with_intervals():
    rounds = {"search_of_48": {part: [value] for part, value in read_losses(finished()).items()}}
    lines = losses_table(rounds).splitlines()
    assert len(lines) == 2 + len(PROBLEMS)
    assert "| 0.60000 ± 0.24841 |" in lines[2]  # 4.3027 * 0.1 / sqrt(3)
    assert lines[2].endswith("| -0.09667 ± 0.01434 | yes |")
    assert lines[3].endswith("| 0.10000 ± 0.00000 | **no** |")
    assert losses_table({}) == ""


def test_a_sweep_of_other_work_is_refused():
    good = {"status": "completed", "trials": MANY}
    assert read_many(Finished(1.0, 10, json.dumps(good)))["process"] == 1.0
    for bad in ({**good, "trials": 255}, {**good, "status": "failed"}):
        with pytest.raises(BenchmarkError):
            read_many(Finished(1.0, 10, json.dumps(bad)))


def test_the_searches_are_those_that_the_page_tells_of():
    assert rival.PROBLEMS.keys() == PROBLEMS.keys()
    assert rival.TRIALS == TRIALS
    (one,) = tpe_contestants()
    assert one.command[0] == "benchmarks/rivals/tpe.py"


def test_a_search_returns_its_lowest_loss(monkeypatch):
    """Chance is enough here: the sampler's search has tests of its own."""
    monkeypatch.setattr(rival, "TRIALS", 3)
    losses = [rival.search("linear", "random", number) for number in (0, 0, 1)]
    assert losses[0] == losses[1] != losses[2]
    assert 0.3 < losses[0] < 1
