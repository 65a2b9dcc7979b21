"""A run's facts come from files that are as the run left them, under keys that are listed."""

import json

import pytest

from mnistlab.config.config_files import read_file
from mnistlab.run_folders import RunFolder
from mnistlab.run_folders.folder import SweepFolder
from mnistlab.store.facts import (
    METRICS,
    RESULT_KEYS,
    STATE_KEYS,
    csv_cell,
    describe_keys,
    flatten,
    is_comparable,
    is_number,
    is_of_config,
    read_facts,
)
from mnistlab.store.listing import read_all
from tests.store.folders import MINI, make_run, make_sweep, train, wait_a_tick


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    """Return folders of a completed run and of one that diverged."""
    runs = tmp_path_factory.mktemp("real") / "runs"
    return [train(runs), train(runs, "learning_rate=0.3")]


def test_what_is_not_listed_is_of_the_config(run, real, tmp_path):
    base = tmp_path / "base.yaml"
    base.write_text("model: linear\n")
    words = ["learning_rate=0.01,0.02", *MINI, "-q", "--no-plots"]
    assert run("sweep", "-c", base, *words)[0] == 0
    (path,) = (tmp_path / "runs").glob("*-base-*")
    sweep = SweepFolder(path)
    failed = make_run(tmp_path / "failed", status="failed")
    state = json.loads(failed.status.read_text())
    failed.status.write_text(json.dumps(state | {"error": "why", "stopped": "early"}))
    summary = json.loads(failed.summary.read_text())
    failed.summary.write_text(json.dumps(summary | {"warnings": ["it is odd"]}))
    cut = make_run(tmp_path / "cut", status="interrupted")
    cut.summary.unlink()
    cut.metrics.write_text(real[0].metrics.read_text())
    lost = make_run(tmp_path / "lost")
    lost.environment.unlink()
    told = set()
    for folder in (*real, sweep, sweep.run(0), failed, cut, lost):
        config = read_file(folder.config)[0]
        of_config = {*dict(flatten(config)), *dict(flatten(config.get("base", {})))} - {"method"}
        others = read_facts(folder).keys() - of_config
        assert not [key for key in others if is_of_config(key)], folder
        told |= others
    assert told == {*STATE_KEYS, *RESULT_KEYS} - {"who"}  # which a class's folder tells


def test_the_help_of_list_names_every_key(run):
    code, out, _ = run("runs", "list", "--help")
    words = " ".join(out.split())
    assert code == 0
    assert " ".join(describe_keys().split()) in words
    for key in {*STATE_KEYS, *RESULT_KEYS} - set(METRICS[1:-1]):
        assert key in words


def forge(folder: RunFolder, name: str) -> None:
    """Change a number in a file of a run, in place."""
    path = folder.path / name
    old, new = {
        "summary.json": ('"accuracy": 0.', '"accuracy": 0.9'),
        "config.yaml": ("learning_rate: 0.01", "learning_rate: 0.07"),
        "metrics.csv": ("0.", "0.1"),
        "environment.json": ('"data_sha256": "', '"data_sha256": "0'),
    }[name]
    text = path.read_text()
    assert old in text
    with path.open("r+") as file:
        file.write(text.replace(old, new))


@pytest.mark.parametrize(
    ("name", "lost"),
    [
        ("summary.json", "test.accuracy"),
        ("config.yaml", "learning_rate"),
        ("metrics.csv", None),
        ("environment.json", "data_sha256"),
    ],
)
def test_a_forged_number_is_no_fact(name, lost, tmp_path, monkeypatch):
    folder = train(tmp_path / "runs")
    wait_a_tick(monkeypatch)
    for _ in range(2):  # from the folder, and from the index
        assert "damaged" not in read_all(tmp_path / "runs")[0]
    forge(folder, name)
    for _ in range(2):
        (facts,) = read_all(tmp_path / "runs")
        assert facts["damaged"] == [name]
        assert lost not in facts
        assert facts == read_facts(folder)
    assert facts["status"] == "completed"


@pytest.mark.parametrize("name", ["model.safetensors", "predictions.npy"])
def test_a_list_checks_the_files_of_its_values_and_verify_all(name, run, tmp_path):
    folder = train(tmp_path / "runs")
    path = folder.path / name
    path.write_bytes(path.read_bytes()[:-1])
    assert "damaged" not in read_facts(folder)
    code, out, _ = run("runs", "verify", folder.name)
    assert code == 1
    assert f"{name} is missing or is not what the run left" in out
    words = " ".join(run("runs", "list", "--help")[1].split())
    assert "whether weights and predictions are what the run left, `runs verify` says" in words
    folder.environment.write_text("{}")
    path.unlink()
    assert read_facts(folder)["damaged"] == ["environment.json", name]


def test_a_sweeps_forged_summary_is_told(tmp_path):
    sweep = make_sweep(tmp_path / "sweep")
    state = json.loads(sweep.status.read_text())
    sweep.status.write_text(json.dumps(state | {"files": sweep.compute_checksums()}))
    assert "damaged" not in read_facts(sweep)
    sweep.summary.write_text(sweep.summary.read_text().replace("0.95", "0.99"))
    facts = read_facts(sweep)
    assert facts["damaged"] == ["sweep.json"]
    assert "train.accuracy" not in facts


def test_a_file_that_is_just_being_replaced_is_not_damaged(tmp_path):
    folder = make_run(tmp_path / "a")
    state = json.loads(folder.status.read_text())
    digest = folder.compute_checksums()["summary.json"]
    folder.status.write_text(json.dumps(state | {"files": {"summary.json": [digest, "0" * 64]}}))
    assert "damaged" not in read_facts(folder)
    folder.summary.unlink()
    assert read_facts(folder)["damaged"] == ["summary.json"]


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        *(("=1+1", "'=1+1"), ("+1", "'+1"), ("-1", "'-1"), ("@x", "'@x"), ("a=1", "a=1")),
        *(("\t=1", "\\t=1"), (-1, "-1"), (-0.5, "-0.5"), (None, ""), (["=1"], '["=1"]')),
    ],
)
def test_no_text_in_a_csv_is_a_formula(value, cell):
    assert csv_cell(value) == cell


@pytest.mark.parametrize("value", [True, "1", None, float("nan"), float("inf"), 10**400, [1]])
def test_what_is_no_number(value):
    assert not is_number(value)
    assert is_number(10**300)
    assert is_number(-0.5)


@pytest.mark.parametrize(
    ("metric", "differing", "comparable"),
    [
        ("test.loss", ["learning_rate", "data.validation"], True),
        ("test.loss", ["loss"], False),
        ("test.accuracy", ["loss"], True),
        ("train.accuracy", ["data.validation"], False),
        ("validation.loss", ["data.validation"], False),
        ("validation.accuracy", ["data.split"], False),
        ("train.loss", ["data.split_seed"], False),
        ("test.accuracy", ["data.split", "data.split_seed"], True),
        ("test.accuracy", ["data_sha256"], False),
        ("seconds.total", ["loss", "data_sha256"], True),
    ],
)
def test_what_can_be_compared(metric, differing, comparable):
    assert is_comparable(metric, differing) == comparable
