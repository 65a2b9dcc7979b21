"""The folder of many runs that the benchmarks ask about, on a small scale."""

import json
import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

from harness import many
from harness.many import OPENING, make_many, many_contestants, read_list, read_page, read_report
from harness.measure import BenchmarkError, Finished
from harness.search import read_search


@pytest.fixture
def environment(tmp_path, monkeypatch):
    """The environment of processes that train quickly, and keep their runs in a folder."""
    words = ("data.dataset=mnist-mini", "data.validation=1000", "epochs=1")
    monkeypatch.setattr(many, "MNISTLAB_ONE", (*many.MNISTLAB_ONE, *words))
    monkeypatch.setattr(many, "TRAINED", many.TRAINED[:1])
    return {**os.environ, "MNISTLAB_RUNS_DIR": str(tmp_path / "runs")}


def test_runs_are_made_listed_and_reported(environment):
    make_many(environment, 12, rest=0)
    listing, few, most, _ = many_contestants(12, (2, 8))
    assert listing.run_round(environment)["process"] > 0
    with pytest.raises(BenchmarkError, match="12 complete runs, expected 13"):
        read_list(listing.run(environment), 13)
    sizes = []
    for report in (few, most):
        report.run_round(environment)
        page = Path(environment["MNISTLAB_RUNS_DIR"]) / "report" / "index.html"
        sizes.append(page.read_text().count("run-0000"))
    assert 0 < sizes[0] < sizes[1]


def test_what_was_not_done_is_no_measurement():
    with pytest.raises(BenchmarkError, match="wrote no page"):
        read_report(Finished(1.0, 1, json.dumps({"html": "/nowhere/index.html"})))
    with pytest.raises(BenchmarkError, match="wrote no page"):
        read_report(Finished(1.0, 1, "{}"))


def test_the_opening_is_told_apart_from_the_browsers_start():
    assert read_page(Finished(4.0, 1, '{"seconds": 0.5}')) == {"process": 4.0, OPENING: 0.5}


def test_a_search_over_some_candidates_counts_as_one_over_all():
    report = {"candidates": 8, "folds": 3, "best_score": 0.9, "seconds": {"search": 2.0}}
    measured = read_search(Finished(3.0, 1, json.dumps(report)), "ours", 8)
    assert (measured["search"], measured["all configurations"]) == (2.0, 16.0)
    assert measured["each configuration"] == 0.25
    with pytest.raises(BenchmarkError, match="grid_search_of_ours"):
        read_search(Finished(3.0, 1, json.dumps(report)), "ours", 64)
