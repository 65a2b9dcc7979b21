"""The answer on the best combination says what sweep.json holds, whatever sweep it was."""

import json
import re
import shutil

import pytest

from mnistlab.report.answers.combination import best_combination
from mnistlab.report.answers.pairs import pair_on_test
from mnistlab.report.collect import collect
from mnistlab.report.document import Paragraph, Section
from mnistlab.report.ranking import ranking_table
from tests.report.assignment_runs import train_assignment, train_one
from tests.report.test_answers import text_of


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    return train_assignment(tmp_path_factory.mktemp("assignment"))


@pytest.fixture(autouse=True)
def _one_cache(folders, monkeypatch):
    monkeypatch.setenv("MNISTLAB_DATA_DIR", str(folders.data))


@pytest.fixture
def forge(tmp_path, folders):
    def forge(**changed):
        place = tmp_path / folders.sweep.path.name
        shutil.copytree(folders.sweep.path, place, dirs_exist_ok=True)
        document = json.loads((place / "sweep.json").read_text()) | changed
        (place / "sweep.json").write_text(json.dumps(document))
        return collect([type(folders.sweep)(place)])[1][0]

    return forge


def tell(sweep, linear=None):
    blocks = best_combination(sweep, linear)
    return text_of(Section("", [block for block in blocks if isinstance(block, Paragraph)]))


def own_trial(sweep):
    return next(
        one["trial"]
        for one in sweep.document["results"]
        if one["parameters"] == {"learning_rate": 0.01, "epochs": 2}
    )


def test_values_and_table_are_shown(folders):
    sweep = folders.collect().sweep
    text = tell(sweep)
    assert "learning rate 0.005, 0.01; epochs 1, 2. That makes 4 runs" in text
    assert "all combinations" in text
    assert "highest validation accuracy" in text
    table = ranking_table(sweep)
    assert table in best_combination(sweep, None)


def test_the_ranking_is_that_of_the_sweep(folders):
    sweep = folders.collect().sweep
    table, ranking = ranking_table(sweep), sweep.document["ranking"]
    place = {name: at for at, name in enumerate(table.header)}
    assert [row[place["trial"]] for row in table.rows] == [[str(one)] for one in ranking]
    shown = [row[place["validation accuracy"]][0] for row in table.rows]
    assert [one.value for one in shown] == sorted((one.value for one in shown), reverse=True)
    assert [one.run for one in shown] == [f"{sweep.name}/{one}" for one in ranking]
    ties = sweep.document["indistinguishable"]
    marks = ["best", *("~" if one in ties else "" for one in ranking[1:])]
    assert [row[place["tie"]] for row in table.rows] == [[mark] for mark in marks]


@pytest.mark.parametrize(
    "changed",
    [
        {"ranking": None},
        {"ranking": []},
        {"ranking": ["x", {}, 99]},
        {"results": "x"},
        {"results": [None, {"trial": []}]},
    ],
)
def test_a_damaged_list_is_no_table(forge, changed):
    assert ranking_table(forge(**changed)) is None


def test_means_over_seeds_are_not_called_numbers_of_a_run(forge, folders):
    results = json.loads((folders.sweep.path / "sweep.json").read_text())["results"]
    for one in results:
        one["runs"] = [1, 2, 3]
        one["half_width"] = {"validation.accuracy": 0.01}
    table = ranking_table(forge(results=results, seeds=3))
    at = table.header.index("validation accuracy")
    assert all(re.fullmatch(r"[\d.]+% ± 1.00%", row[at][0]) for row in table.rows)
    assert "means over the seeds" in table.caption


def test_whether_the_assignments_setting_is_a_tie(forge, folders):
    linear = folders.collect().linear
    own = own_trial(folders.collect().sweep)
    best = {**folders.collect().sweep.document["best"], "trial": own + 100}
    setting = f"setting (trial {own})"
    among = tell(forge(indistinguishable=[own], best=best), linear)
    assert f"{setting} is among them" in among
    apart = tell(forge(indistinguishable=[], best=best), linear)
    assert f"{setting} is not among them" in apart
    itself = tell(forge(best={**best, "trial": own}), linear)
    assert "The best is the assignment's own setting." in itself


def test_another_seed_is_another_setting(folders, tmp_path):
    text = tell(folders.collect().sweep, train_one(tmp_path, "linear", "seed=5"))
    assert "The assignment's own setting (" not in text
    assert "seed 0 instead of 5" in text


def test_method_metric_and_edges_are_those_of_the_sweep(forge):
    text = tell(
        forge(method="random", metric={"name": "validation.loss", "goal": "minimize"}, seeds=3)
    )
    assert "drew combinations at random" in text
    assert "lowest validation loss, in the mean over 3 seeds" in text
    assert "at the edge of what was tried in" in text


def test_a_shorter_run_of_the_same_setting_is_called_so(folders, tmp_path):
    sweep, best = folders.collect().sweep, folders.collect().sweep.best
    rate = best.facts["learning_rate"]
    longer = train_one(tmp_path, "linear", f"learning_rate={rate}", "epochs=4")
    text = tell(sweep, longer)
    epochs = best.facts["epochs"]
    assert f"own run as it was after epoch {epochs}: nothing else differs" in text
    pair = pair_on_test(best, longer)
    assert pair.tell("the best combination", "the assignment's setting", "test") in text
