"""`runs export` writes all that is known, whole or not at all, and over nothing unasked."""

import csv
import json

import pytest

from mnistlab.run_folders.folder import METRICS_COLUMNS
from tests.store.folders import everything_in, make_run, make_sweep

METRICS = (
    "epoch,train_loss,train_accuracy,validation_loss,validation_accuracy,learning_rate,seconds\n"
    "1,0.5,0.8,0.6,0.7,0.01,0.25\n2,,,,,0.005,0.25\n"
)


@pytest.fixture
def runs_dir(tmp_path):
    runs = tmp_path / "runs"
    make_run(runs / "a", learning_rate=0.01, metrics=METRICS)
    make_run(runs / "b", learning_rate=0.1, metrics=METRICS, momentum=0.9)
    make_sweep(runs / "c")
    return runs


def rows_of(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.usefixtures("runs_dir")
def test_a_row_a_run_with_all_that_is_known(run, tmp_path):
    to = tmp_path / "all.csv"
    code, out, err = run("runs", "export", "--all", "--to", to)
    assert (code, out, err) == (0, f"{to}: 4 runs\n", "")
    rows = rows_of(to)
    assert [row["run"] for row in rows] == ["a", "b", "c/0", "c/1"]
    assert list(rows[0])[:5] == ["run", "kind", "status", "started", "ended"]
    columns = list(rows[0])
    assert (
        columns.index("data.preprocess") < columns.index("momentum") < columns.index("train.loss")
    )
    assert (rows[1]["momentum"], rows[0]["momentum"]) == ("0.9", "")
    assert json.loads(rows[0]["data.preprocess"]) == ["deskew"]


@pytest.mark.usefixtures("runs_dir")
def test_names_sweeps_and_filters(run, tmp_path):
    def exported(*words):
        code, _, err = run("runs", "export", *words, "--to", tmp_path / "x.csv", "--force")
        assert code == 0, err
        return [row["run"] for row in rows_of(tmp_path / "x.csv")]

    assert exported("b", "a", "b") == ["b", "a"]
    assert exported("c") == ["c/0", "c/1"]
    assert exported("c/1", "c") == ["c/1", "c/0"]
    assert exported("--filter", "learning_rate = 0.1") == ["b", "c/1"]
    assert exported("a", "c", "--filter", "learning_rate = 0.1") == ["c/1"]


@pytest.mark.usefixtures("runs_dir")
def test_a_row_an_epoch(run, tmp_path):
    to = tmp_path / "epochs.csv"
    code, out, err = run("runs", "export", "--all", "--epochs", "--to", to)
    assert (code, out) == (0, f"{to}: 2 runs\n")
    assert "warning: c/0: missing or damaged: metrics.csv" in err
    rows = rows_of(to)
    assert [(row["run"], row["epoch"]) for row in rows] == [
        *(("a", "1"), ("a", "2"), ("b", "1"), ("b", "2")),
    ]
    # the config's rate and the epoch's own
    assert [row["config.learning_rate"] for row in rows] == ["0.01", "0.01", "0.1", "0.1"]
    assert [row["learning_rate"] for row in rows] == ["0.01", "0.005"] * 2
    assert (rows[0]["train_loss"], rows[1]["train_loss"]) == ("0.5", "")
    assert "model" not in rows[0]
    assert rows[2]["momentum"] == "0.9"


@pytest.mark.usefixtures("runs_dir")
def test_whole_documents(run, tmp_path):
    to = tmp_path / "all.json"
    assert run("runs", "export", "a", "c/0", "--to", to)[0] == 0
    first, second = json.loads(to.read_text())
    assert first["run"] == "a"
    assert first["facts"]["learning_rate"] == 0.01
    assert first["metrics"]["train_loss"] == [0.5, None]
    assert first["environment"] == {"key": "abc", "mnistlab": "0.1.0"}
    assert second["metrics"] is None


@pytest.mark.usefixtures("runs_dir")
@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--all"], "--to"),
        (["--to", "x.csv"], "name at least one run, or give --filter or --all"),
        (["a", "--all", "--to", "x.csv"], "name runs, or take --all of them"),
        (["a", "--to", "x.txt"], "its name must end in .csv, .json or .onnx; --format tensorboard"),
        (["a", "--to", "x.json", "--epochs"], "--epochs goes with a .csv"),
        (["a", "--to", "folder.csv"], "is a folder"),
        (["a", "--to", "nowhere/x.csv"], "there is no folder nowhere"),
        (["a", "--to", "there.csv"], "is there already; --force replaces it"),
        (["a", "--to", "link.csv"], "is there already"),
        (["a", "nobody", "--to", "x.csv"], "there is no run 'nobody'"),
        (["--filter", "model = softmax", "--to", "x.csv"], "no run is selected"),
        (["--filter", "model =", "--to", "x.csv"], "position 8: it ends too early"),
    ],
)
def test_what_is_refused(words, told, run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "there.csv").write_text("mine")
    (tmp_path / "link.csv").symlink_to("elsewhere")
    before = everything_in(tmp_path)
    code, out, err = run("runs", "export", *words)
    assert (code, out) == (2, "")
    assert told in err
    assert everything_in(tmp_path) == before


def test_force_replaces_and_a_failed_write_does_not(run, runs_dir, tmp_path, monkeypatch):
    to = tmp_path / "x.csv"
    to.write_text("mine")
    monkeypatch.setattr("os.fsync", lambda _file: (_ for _ in ()).throw(OSError(28, "No space")))
    code, _, err = run("runs", "export", "a", "--to", to, "--force")
    assert (code, to.read_text()) == (1, "mine")
    assert str(to) in err
    assert "No space" in err
    monkeypatch.undo()
    assert run("runs", "export", "a", "--to", to, "--force", "--runs-dir", runs_dir)[0] == 0
    assert rows_of(to)[0]["run"] == "a"


def test_damaged_runs_are_exported_as_far_as_they_are_known(run, runs_dir, tmp_path):
    (runs_dir / "a" / "metrics.csv").write_text("epoch\n1\n")
    (runs_dir / "b" / "model.bin").symlink_to("/etc/passwd")
    (runs_dir / "a" / "status.json").write_text(json.dumps({"status": "\ud800"}))
    for to in (tmp_path / "x.csv", tmp_path / "x.json", tmp_path / "y.csv"):
        words = ["--epochs"] if to.name == "y.csv" else []
        code, _, err = run("runs", "export", "a", "c", "--to", to, *words)
        assert code == 0
        assert "warning: a: missing or damaged: " in err
    assert rows_of(tmp_path / "x.csv")[0]["status"] == "damaged"
    assert rows_of(tmp_path / "y.csv") == []
    run("runs", "export", "--all", "--to", tmp_path / "z.csv")
    assert [row["run"] for row in rows_of(tmp_path / "z.csv")] == ["a", "c/0", "c/1"]


@pytest.mark.parametrize("epochs", [(), ("--epochs",)])
def test_no_name_of_a_run_is_a_formula_or_begins_a_row(run, tmp_path, epochs):
    runs = tmp_path / "odd"
    for name in ("=1+1", "@a", "-b", "c\rd", "e\x1bf"):
        rows = [",".join(METRICS_COLUMNS), ",".join("1" for _ in METRICS_COLUMNS)]
        make_run(runs / name).metrics.write_text("\n".join([*rows, ""]))
    table = tmp_path / "table.csv"
    words = ("--all", "--to", table, *epochs, "--runs-dir", runs)
    code, _, err = run("runs", "export", *words)
    assert code == 0, err
    content = table.read_bytes().decode()
    assert "\r" not in content
    assert "\x1b" not in content
    names = {row["run"] for row in csv.DictReader(content.splitlines())}
    assert names == {"'=1+1", "'@a", "'-b", "c\\rd", "e\\x1bf"}
