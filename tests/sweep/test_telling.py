"""What a sweep says: in sentences, and beside published figures, where nothing is chosen."""

import copy
import json

import numpy as np
import pytest

from mnistlab.report.report_facts import _published
from mnistlab.run_folders.folder import SweepFolder
from mnistlab.statistics import wilson_interval
from mnistlab.sweeps.trial_results import SHOWN, findings, sentences


def document(trials=12, seeds=1, ties=(2, 3), **more):
    results = [
        {"trial": at, "parameters": {"epochs": at}, "status": "completed", "epochs": at,
         "stopped": False, "runs": list(range(at * seeds, (at + 1) * seeds))}
        for at in range(trials)
    ]  # fmt: skip
    test = {"accuracy": 0.9, "loss": 0.3, "images": 1000, "interval": [0.88, 0.92]}
    return {
        "metric": {"name": "validation.accuracy", "goal": "maximize"},
        "seeds": seeds,
        "ranking": list(range(trials)),
        "indistinguishable": list(ties),
        "results": results,
        "best": {**copy.deepcopy(results[0]), "test": test},
        "seconds": {"total": 1.0, "train": 0.5, "evaluate": 0.3, "write": 0.1},
        **more,
    }


@pytest.mark.parametrize("seeds", [1, 3])
def test_findings_speak_of_no_table_and_no_option(seeds):
    told = " ".join(findings(document(seeds=seeds)))
    assert "Best of 12 trials, by the highest validation accuracy: trial 0, epochs=0." in told
    assert "2 trials (2, 3) cannot be told from it" in told
    for word in ("table", "results.csv", "--", "~"):
        assert word not in told


def test_the_terminal_adds_how_its_table_is_to_be_read():
    given = document()
    notes = [one for one in sentences(given) if one not in findings(given)]
    assert notes == [
        f"The table shows the first {SHOWN} trials, results.csv has all.",
        "~ marks what cannot be told from the best; --seeds 3 would show the chance of the seed.",
    ]
    assert sentences(given) == [*notes, *findings(given)]


def test_what_needs_no_explanation_gets_none():
    few = document(trials=3, ties=())
    assert sentences(few) == findings(few)
    several = [one for one in sentences(document(seeds=3)) if one.startswith("~")]
    assert several == ["~ marks what cannot be told from the best."]


def test_intervals_over_folds_are_said_to_be_approximate():
    told = " ".join(sentences(document(folds=5)))
    assert "neither these images nor the folds tell them apart" in told
    assert "Numbers are means over 5 folds, ± the 95 % interval of the mean." in told
    assert "intervals over folds are approximate" in told
    assert "--seeds" not in told
    assert "approximate" not in " ".join(sentences(document(seeds=5)))


SWEEP = """
base:
  optimizer: exact
  data: {{dataset: mnist-mini, validation: {validation}}}
parameters:
  weight_decay: [0.001, 0.1]
published:
  source: A book
  test_error: {figures}
"""


@pytest.fixture
def sweep(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def sweep(*words, validation=0, figures="[12.0, null]", **changes):
        text = SWEEP.format(validation=validation, figures=figures)
        for old, new in changes.items():
            text = text.replace(old, new)
        (tmp_path / "table.yaml").write_text(text)
        return run("sweep", "-c", "table.yaml", *words)

    return sweep


@pytest.mark.usefixtures("drawn_here")
@pytest.mark.parametrize("validation", [0, 1000])
def test_every_trial_is_tested_and_none_chosen(sweep, run, tmp_path, validation):
    code, out, err = sweep("--json", validation=validation)
    assert code == 0, err
    document = json.loads(out)
    assert (document["best"], document["ranking"]) == (None, [])
    folder = SweepFolder(tmp_path / document["path"])
    given = document["published"]
    assert (given["source"], given["images"]) == ("A book", 1000)
    assert [one["published"] for one in given["trials"]] == [0.12, None]
    for number, one in enumerate(given["trials"]):
        accuracy = folder.run(number).read_summary()["test"]["accuracy"]
        assert one["error"] == pytest.approx(1 - accuracy)
        low, high = wilson_interval(accuracy, 1000)
        np.testing.assert_allclose(one["interval"], [1 - high, 1 - low])
        assert folder.run(number).predictions.exists()
    assert [path.name for path in folder.plots.iterdir()] == ["published.png"]
    code, out, _ = run("runs", "show", document["sweep"])
    assert code == 0
    assert "12.0%" in out
    assert "none was chosen" in " ".join(out.split())
    # the sweep's own file says all of it again
    code, out, _ = run("sweep", "-c", folder.config, "--dry-run", "--json")
    assert (code, json.loads(out)["trials"]) == (0, 2)
    assert run("sweep", "--resume", document["sweep"], "-q")[0] == 0


def test_the_report_has_the_table(sweep, run, tmp_path):
    document = json.loads(sweep("--json", "--no-plots")[1])
    code, _, err = run("report", document["sweep"], "--out", "report", "--format", "html")
    assert code == 0, err
    page = (tmp_path / "report" / "index.html").read_text()
    assert "Test errors beside the published ones" in page
    assert "A book" in page
    facts = json.loads((tmp_path / "report" / "report.json").read_text())
    rows = facts["sweeps"][0]["published"]["rows"]
    assert [row["theirs"] for row in rows] == ["12.0%", "\N{EN DASH}"]
    assert rows[0]["ours"] == f"{document['published']['trials'][0]['error']:.2%}"


@pytest.mark.parametrize("forged", [3, {}, {"source": 1}, {"source": "", "trials": [1]}, []])
def test_a_forged_table_is_none(forged):
    assert _published({"results": [], "published": forged}, []) is None


@pytest.mark.parametrize(
    ("words", "changes", "said"),
    [
        ([], {"figures": "[12.0]"}, "has 1 figures for 2 trials"),
        (["--method", "random"], {}, "needs a grid"),
        ([], {"figures": "[a, b]"}, "published.test_error"),
        ([], {"A book": "''"}, "published.source"),
    ],
)
def test_figures_that_fit_no_trials_are_refused(sweep, words, changes, said):
    code, _, err = sweep(*words, "--dry-run", **changes)
    assert code == 2
    assert said in " ".join(err.split())
