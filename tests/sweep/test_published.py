"""A sweep beside published figures: nothing is chosen, so every trial is tested."""

import json

import numpy as np
import pytest

from mnistlab.report.report_facts import _published
from mnistlab.run_folders.folder import SweepFolder
from mnistlab.statistics import wilson_interval

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
