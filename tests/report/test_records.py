"""What a report says of runs that are not what they seem: forged, gutted, damaged, alike."""

import json
import shutil

import numpy as np
import pytest

from mnistlab import optimum
from mnistlab.core.metrics import pre_activations
from mnistlab.errors import MnistlabError
from mnistlab.report import records
from mnistlab.report.report_facts import FEATURED, gather, read_records
from mnistlab.run_folders import RunFolder
from mnistlab.run_folders.folder import SweepFolder
from mnistlab.store.opening import of_folders
from tests.report.helpers import copy_run, read_facts_file, read_page, rewrite, the_run, vouch
from tests.store.folders import make_run, make_sweep, train

pytestmark = pytest.mark.usefixtures("its_data", "undrawn")
WORDS = {"title": "T", "author": "", "date": "2026-01-01"}


@pytest.fixture
def linear(reported, tmp_path):
    """A copy of the linear run that a test may harm."""
    return copy_run(the_run(reported.runs, "linear"), tmp_path / "linear")


@pytest.fixture
def sweep(reported, tmp_path):
    return copy_run(the_run(reported.runs, "assignment"), tmp_path / "sweep")


def entry_of(folder):
    """Return what a report says of a single folder."""
    document = gather(of_folders([folder]), None, WORDS).document
    ((entry,),) = (document[part] for part in ("runs", "sweeps") if document[part])
    return entry


def test_the_splits_are_those_of_the_run(tmp_path):
    tail = train(tmp_path / "runs", "epochs=1")
    drawn = train(tmp_path / "runs", "epochs=1", "data.split=stratified", "data.split_seed=3")
    runs, _ = read_records(of_folders([tail, drawn]))
    for run in runs:
        claimed = run.facts["validation.accuracy"]
        validation = run.dataset.validation
        A = pre_activations(run.parameters, validation.rows, run.dataset.features)
        assert np.mean(A.argmax(axis=-1).ravel() == validation.labels) == pytest.approx(claimed)
    assert runs[0].optimum != runs[1].optimum


# The gap.


def test_with_a_penalty_the_whole_objective_is_compared(tmp_path):
    folder = train(tmp_path / "runs", "weight_decay=0.01", "epochs=3")
    (run,), _ = read_records(of_folders([folder]))
    rows = run.dataset.train
    A = pre_activations(run.parameters.astype(np.float64), rows.rows, run.dataset.features)
    loss = np.square(A - np.eye(10)[rows.labels]).sum(axis=1).mean()
    objective = loss + 0.005 * np.square(run.parameters[:-1].astype(np.float64)).sum()
    assert run.gap == pytest.approx(objective - run.optimum.objective, abs=1e-5)
    assert run.gap > 0
    assert entry_of(folder)["gap"] == f"{run.gap:.3g}"


def test_without_a_penalty_the_gap_is_that_of_the_last_epoch(linear):
    (run,), _ = read_records(of_folders([linear]))
    assert run.gap == pytest.approx(run.curves["train_loss"][-1] - run.optimum.loss, abs=1e-12)


def test_an_optimum_is_looked_for_once_and_so_is_one_that_cannot_be_found(
    linear, tmp_path, monkeypatch
):
    asked = []

    def find(config, dataset):
        asked.append(config)
        if config.loss == "squared_error":
            return optimum.find_optimum(config, dataset)
        raise MnistlabError("no SciPy")

    monkeypatch.setattr(records, "find_optimum", find)
    (run, twin), _ = read_records(of_folders([linear, copy_run(linear.path, tmp_path / "twin")]))
    assert run.optimum is twin.optimum is not None
    assert len(asked) == 1
    for folder in (run.folder, twin.folder):
        settings = "loss: softmax_cross_entropy\nweight_decay: 0.1\n"
        text = folder.config.read_text("utf-8").replace("loss: squared_error\n", settings)
        folder.config.write_text(text.replace("weight_decay: 0.0\n", ""))
        vouch(folder)
    (run, twin), _ = read_records(of_folders([run.folder, twin.folder]))
    assert (run.optimum, twin.optimum) == (None, None)
    assert len(asked) == 2
    (run,), _ = read_records(of_folders([linear]))
    run.facts["data_sha256"] = "another"
    assert run.dataset is None


# Forged numbers.


def forge(summary):
    summary["test"]["accuracy"] = 0.9581


def test_an_accuracy_that_the_predictions_do_not_give_is_told(linear):
    rewrite(linear.summary, forge)
    vouch(linear)
    (run,), _ = read_records(of_folders([linear]))
    right = np.mean(run.predictions == run.dataset.test.labels)
    entry = entry_of(linear)
    assert entry["status"] == "completed, damaged"
    assert entry["remarks"] == [
        f"summary.json claims a test accuracy of 95.81%, the predictions give {right:.2%}"
    ]


def test_a_summary_that_is_not_the_runs_own_gives_no_numbers(linear):
    rewrite(linear.summary, forge)
    entry = entry_of(linear)
    assert entry["status"] == "completed, damaged"
    assert "test.accuracy" not in entry["numbers"]
    assert any("summary.json" in remark for remark in entry["remarks"])


def test_whole_folders_are_not_suspected(linear, sweep):
    for folder in (linear, sweep):
        entry = entry_of(folder)
        assert (entry["status"], entry["remarks"]) == ("completed", [])


@pytest.mark.parametrize("vouched", [False, True])
def test_a_sweep_that_claims_another_accuracy_than_its_best_run_is_told(sweep, vouched):
    rewrite(sweep.summary, lambda told: told["best"]["test"].update(accuracy=0.9958))
    if vouched:
        vouch(sweep)
    entry = entry_of(sweep)
    assert entry["status"] == "completed, damaged"
    assert any("sweep.json" in remark for remark in entry["remarks"])


def test_a_sweep_without_its_runs_says_so(sweep):
    count = len(sweep.runs())
    shutil.rmtree(sweep.path / "runs")
    entry = entry_of(sweep)
    assert f"{count} of its {count} runs are missing: 0, 1, 2, 3" in entry["remarks"]
    assert entry["best"] is None


def test_a_sweep_with_several_seeds_shows_means_that_are_no_runs_numbers(sweep):
    def several(document):
        document["seeds"] = 2
        for one in document["results"]:
            one.update(runs=[0, 1], half_width={"train.loss": 0.01})

    rewrite(sweep.summary, several)
    vouch(sweep)
    trial = entry_of(sweep)["trials"][0]
    assert trial["run"] is None
    assert trial["numbers"]["train.loss"].keys() == {"shown"}
    assert trial["numbers"]["train.loss"]["shown"].endswith(" ± 0.0100")


@pytest.mark.parametrize("ranking", [None, 3, ["x"], [10**9], [[0]], [{}], [True], [None]], ids=str)
def test_a_damaged_list_of_trials_is_none(sweep, ranking):
    rewrite(sweep.summary, lambda document: document.update(ranking=ranking, best=ranking))
    assert entry_of(sweep)["trials"] == [] or ranking == [True]


# Folders that are not whole.

CURVES = (
    "epoch,train_loss,train_accuracy,validation_loss,validation_accuracy,learning_rate,seconds\n"
    "1,0.5,0.8,0.5,0.8,0.01,0.1\n2,0.4,0.8,0.4,0.8,0.01,0.1\n"
)


def test_an_interrupted_run_is_called_so(tmp_path):
    folder = make_run(tmp_path / "cut", status="interrupted", metrics=CURVES)
    entry = entry_of(folder)
    assert entry["gap"] is None
    assert "it is interrupted" in entry["remarks"]


def test_a_damaged_config_is_named_once(tmp_path):
    folder = make_run(tmp_path / "hurt")
    folder.config.write_text("a: [")
    entry = entry_of(folder)
    assert [one for one in entry["remarks"] if "config" in one] == [
        "config.yaml is missing or damaged"
    ]


def test_a_plugins_run_says_what_it_needs(tmp_path):
    folder = make_run(tmp_path / "own", model="my_model")
    assert "needs --plugin" in " ".join(entry_of(folder)["remarks"])


def test_a_sweep_with_a_plugin_says_what_its_best_run_needs(sweep):
    best = sweep.run(sweep.read_summary()["best"]["runs"][0])
    text = best.config.read_text().replace("optimizer: sgd", "optimizer: my_optimizer")
    best.config.write_text(text)
    vouch(best)
    (remark,) = entry_of(sweep)["remarks"]
    assert remark.startswith("best run: its config cannot be used: ")
    assert "needs --plugin" in remark


def test_of_many_runs_the_best_are_shown_one_by_one_and_all_in_the_table(tmp_path, run):
    for at in range(20):
        make_run(tmp_path / "runs" / f"r{at:02}", accuracy=at / 100)
    names = [f"r{at:02}" for at in range(20)]
    code, _, err = run("report", *names, "--runs-dir", tmp_path / "runs")
    assert code == 0, err
    document = read_facts_file(tmp_path / "runs" / "report")
    assert document["completed"] == 20
    assert document["featured"] == names[: -FEATURED - 1 : -1]
    page = read_page(tmp_path / "runs" / "report")
    assert f"Of 20 completed runs these are the {FEATURED} best by validation accuracy" in page.text
    table = page.text.partition("All runs and sweeps")[2]
    assert all(name in table for name in names)


def test_names_that_look_alike_stay_apart(tmp_path):
    names = ["a\x1b", "a\\x1b"]
    folders = [make_run(tmp_path / "x" / name) for name in names]
    runs, _ = read_records(of_folders(folders))
    assert len({run.name for run in runs}) == 2
    assert all(run.name.isprintable() for run in runs)


def copies_among(*folders):
    """Return which of these runs of a report are called copies, and of what."""
    document = gather(of_folders(folders), None, WORDS).document
    return [
        [remark for remark in one["remarks"] if "copies" in remark or "weights are" in remark]
        for one in document["runs"]
    ]


def test_two_honest_runs_of_one_config_are_no_copies(tmp_path):
    first, second = (train(tmp_path / place / "runs", "epochs=1") for place in "ab")
    assert copies_among(first, second) == [[], []]


def test_a_copied_folder_is_called_a_copy(tmp_path):
    first = train(tmp_path / "a" / "runs", "epochs=1")
    second = copy_run(first.path, tmp_path / "b" / "runs" / first.path.name)
    for (said,) in copies_among(first, second):
        assert "the name and the start time of" in said


def test_weights_of_another_seed_are_told(tmp_path):
    first = train(tmp_path / "a" / "runs", "epochs=1", "seed=1")
    second = train(tmp_path / "b" / "runs", "epochs=1", "seed=2")
    assert copies_among(first, second) == [[], []]
    shutil.copy(first.model, second.model)
    vouch(second)
    assert copies_among(first, second) == [
        [f"its weights are those of {other.name} although the seeds differ"]
        for other in (second, first)
    ]


def test_the_document_is_json_whatever_the_folder_says(tmp_path):
    folder = make_run(tmp_path / "odd", learning_rate=float("nan"))
    folder.summary.write_text('{"epochs": 1, "train": {"loss": Infinity, "accuracy": 1e999}}')
    sweep = make_sweep(tmp_path / "many")
    sweep.summary.write_text(json.dumps({"trials": 10**400, "seeds": [], "best": [], "results": 3}))
    document = gather(
        of_folders([folder, SweepFolder(sweep.path), RunFolder(folder.path)]), None, WORDS
    ).document
    assert len(document["runs"]) == len(document["sweeps"]) == 1
    assert document["runs"][0]["numbers"].keys().isdisjoint({"train.loss"})
