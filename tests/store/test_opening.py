"""Runs are opened by path wherever they are: one by one, in folders, or as a class's folder."""

import csv
import json
import os
import shutil
from pathlib import Path

import pytest

from mnistlab.errors import RunFolderError
from mnistlab.store import opening
from mnistlab.store.opening import RECORD, open_given, tell_apart
from tests.store.folders import make_run, make_sweep, train
from tests.store.test_export import METRICS


@pytest.fixture
def handed_in(tmp_path):
    """The runs folders of two students, one with a link `latest` and a report in it."""
    for student in ("ann", "bob"):
        make_run(tmp_path / "subs" / student / "one")
    make_sweep(tmp_path / "subs" / "bob" / "many")
    (tmp_path / "subs" / "ann" / "latest").symlink_to("one")
    (tmp_path / "subs" / "ann" / "report").mkdir()
    (tmp_path / "subs" / "ann" / "report" / RECORD).write_text("{}")
    return tmp_path / "subs"


BROKEN = {
    "linked": ("cal", "notes is a link, no plain file, or closed to you"),
    "nothing": ("dan", "there is no run in it"),
    "latest": ("eve", "there is no run here yet"),
    "pipe": ("fay", "is no folder"),
    "itself": ("gus", "is a link, which mnistlab does not follow"),
}


@pytest.fixture
def broken(handed_in, tmp_path):
    """The same with five more students, whose folders are refused."""
    (make_run(handed_in / "cal" / "linked").path / "notes").symlink_to("/etc/passwd")
    (handed_in / "dan").mkdir()
    (handed_in / "dan" / "notes.txt").write_text("I had no time")
    (handed_in / "eve").mkdir()
    (handed_in / "eve" / "latest").symlink_to("nowhere")
    (handed_in / "fay").mkdir()
    os.mkfifo(handed_in / "fay" / "pipe")
    (handed_in / "gus").mkdir()
    make_run(tmp_path / "elsewhere" / "own")
    (handed_in / "gus" / "itself").symlink_to(tmp_path / "elsewhere" / "own")
    return handed_in


def opened(given):
    return [(one.who, one.name) for one in given if not one.refused]


def test_a_glob_over_a_class_opens_each_run_once(handed_in, tmp_path):
    given = open_given(sorted(map(str, handed_in.glob("*/*"))), tmp_path / "runs")
    assert opened(given) == [("ann", "one"), ("bob", "many"), ("bob", "one")]
    assert not any(one.refused for one in given)


@pytest.mark.parametrize("name", ["subs", "./subs", "subs/"])
def test_a_class_is_looked_through(handed_in, tmp_path, monkeypatch, name):
    assert handed_in.name == "subs"
    monkeypatch.chdir(tmp_path)
    given = open_given([name], tmp_path / "runs")
    assert opened(given) == [("ann", "one"), ("bob", "many"), ("bob", "one")]


def test_a_class_with_a_folder_of_runs_each(handed_in, tmp_path):
    for student in ("ann", "bob"):
        shutil.copytree(handed_in / student, tmp_path / "class" / student / "runs", symlinks=True)
    (tmp_path / "class" / "ann" / "config.yaml").write_text("epochs: 1\n")  # beside, not of a run
    given = open_given([str(tmp_path / "class")], tmp_path)
    assert opened(given) == [("ann", "one"), ("bob", "many"), ("bob", "one")]


def test_a_folder_of_runs_stands_for_all_of_them(handed_in, tmp_path, monkeypatch):
    monkeypatch.chdir(handed_in)
    given = open_given(["./ann", "bob/"], tmp_path / "runs")
    assert opened(given) == [("ann", "one"), ("bob", "many"), ("bob", "one")]
    assert opened(open_given(["bob"], tmp_path / "runs")) == [("", "many"), ("", "one")]


def test_a_run_of_a_sweep_elsewhere(handed_in, tmp_path):
    (one,) = open_given([f"{handed_in}/bob/many/runs/1/"], tmp_path)
    assert one.folder.path == handed_in / "bob" / "many" / "runs" / "1"
    assert one.name == "many/1"


def test_names_are_still_those_of_the_runs_folder(handed_in, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "one").mkdir()  # a run of the runs folder wins over a folder here
    assert open_given(["on"], handed_in / "ann")[0].path == handed_in / "ann" / "one"
    assert open_given(["one"], handed_in / "ann")[0].path == handed_in / "ann" / "one"
    with pytest.raises(RunFolderError, match="there is no run"):
        open_given(["two"], handed_in / "ann")


@pytest.mark.parametrize("how", ["folder", "glob"])
def test_what_cannot_be_opened_is_refused_and_the_rest_is_opened(broken, tmp_path, how):
    names = [str(broken)] if how == "folder" else sorted(map(str, broken.glob("*/*")))
    given = open_given(names, tmp_path / "runs")
    assert opened(given) == [("ann", "one"), ("bob", "many"), ("bob", "one")]
    refused = {one.who: one.reason for one in given if one.refused}
    expected = dict(BROKEN.values())
    if how == "glob":  # which gives what is in the folders
        assert "dan" not in refused
        del expected["dan"]
    else:
        expected["eve"] = "there is no run in it"
    assert {who: why in refused.get(who, "") for who, why in expected.items()} == dict.fromkeys(
        expected, True
    ), refused


@pytest.mark.parametrize("name", ["cal/linked", "dan", "eve/latest", "fay/pipe", "gus/itself"])
def test_one_place_that_cannot_be_opened_is_an_error(broken, tmp_path, name):
    with pytest.raises(RunFolderError):
        open_given([str(broken / name)], tmp_path)


def test_too_large_a_place_is_not_looked_through(tmp_path, monkeypatch):
    monkeypatch.setattr(opening, "_MOST_FOLDERS", 50)
    for number in range(60):
        (tmp_path / "many" / str(number)).mkdir(parents=True)
    with pytest.raises(RunFolderError, match="too many folders"):
        open_given([str(tmp_path / "many")], tmp_path)


def test_people_are_told_by_what_differs_in_their_paths():
    assert tell_apart([Path("/c/a/runs"), Path("/c/b/runs")]) == ["a", "b"]
    assert tell_apart([Path("/c/x/a"), Path("/c/y/a")]) == ["x/a", "y/a"]
    assert tell_apart([Path("/c/a"), Path("/c/a")]) == ["", ""]
    assert tell_apart([Path("/c/a"), Path("/c/b/runs")]) == ["a", "b"]


# What the commands make of a class.


def test_list_says_whose_each_run_is_and_what_is_refused(broken, run):
    code, out, err = run("runs", "list", broken)
    lines = {line.split()[0]: line for line in out.splitlines() if line.strip()}
    assert code == 1
    assert err.startswith("mnistlab: error: 5 of 8 folders are refused: ")
    assert {"ann", "bob", *(who for who, _ in BROKEN.values())} <= lines.keys()
    assert "refused" in lines["dan"]
    assert "there is no run in it" in lines["dan"]
    code, out, _ = run("runs", "list", broken, "--json")
    rows = json.loads(out)
    assert code == 1
    assert {row["who"] for row in rows if row["status"] == "refused"} == {
        who for who, _ in BROKEN.values()
    }
    code, out, err = run("runs", "list", broken, "--filter", 'who = "ann"', "--columns", "who,run")
    assert out.split() == ["who", "run", "ann", "one"]


def test_list_without_faults_ends_well(handed_in, run):
    code, out, err = run("runs", "list", handed_in, "--sort", "-who")
    assert (code, err) == (0, "")
    assert [line.split()[0] for line in out.splitlines()[-3:]] == ["bob", "bob", "ann"]
    code, out, _ = run("runs", "list", handed_in / "bob" / "many", "--json")
    assert code == 0
    assert [row["run"] for row in json.loads(out)] == ["many/0", "many/1"]


def test_export_holds_everybody(broken, tmp_path, run):
    code, out, _ = run("runs", "export", broken, "--to", tmp_path / "all.csv")
    assert code == 1
    assert out == f"{tmp_path / 'all.csv'}: 9 runs, 5 of which could not be read\n"
    with (tmp_path / "all.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["who"] for row in rows][:4] == ["ann", "bob", "bob", "bob"]
    assert sum(row["status"] == "refused" for row in rows) == 5
    assert run("runs", "export", broken, "--to", tmp_path / "all.json")[0] == 1
    documents = json.loads((tmp_path / "all.json").read_text())
    assert sum(one["facts"]["status"] == "refused" for one in documents) == 5


@pytest.mark.parametrize(
    ("to", "words", "told"),
    [
        ("all.csv", (), "2 runs"),
        ("all.json", (), "2 runs"),
        ("all.csv", ("--epochs",), "1 run"),
        ("events", ("--format", "tensorboard"), "1 run"),
    ],
)
def test_export_says_whose_damaged_run_it_warns_of(tmp_path, run, to, words, told):
    for student in ("ann", "bob"):
        make_run(tmp_path / "subs" / student / "one", metrics=METRICS)
    for name in ("config.yaml", "metrics.csv"):
        (tmp_path / "subs" / "bob" / "one" / name).write_text("cut sh")
    code, out, err = run("runs", "export", tmp_path / "subs", "--to", tmp_path / to, *words)
    assert (code, out) == (0, f"{tmp_path / to}: {told}\n")
    assert [line.rpartition(": ")[0] for line in err.splitlines()] == [
        "warning: bob/one: missing or damaged"
    ]


def test_runs_of_a_class_are_compared_told_apart_and_verified(tmp_path, run, contents):
    first = train(tmp_path / "class" / "ann", "epochs=1")
    second = train(tmp_path / "class" / "bob", "epochs=1", "learning_rate=0.02")
    (tmp_path / "class" / "cal").mkdir()
    before = contents(tmp_path / "class")
    code, out, err = run("runs", "compare", tmp_path / "class")
    assert code == 1
    assert f"ann/{first.name}" in out
    assert "1 of 3 folders is refused" in err
    code, out, err = run("runs", "diff", first.path, second.path)
    assert (code, err) == (0, "")
    assert f"bob/{second.name}" in out
    code, out, err = run("runs", "diff", first.path, tmp_path / "class" / "cal")
    assert code == 2
    assert "there is no run in it" in err
    code, out, err = run("runs", "verify", tmp_path / "class", "--json")
    verdicts = {one["run"]: one["verdict"] for one in json.loads(out)}
    assert code == 1
    assert verdicts == {
        f"ann/{first.name}": "identical",
        f"bob/{second.name}": "identical",
        "cal": "cannot be verified",
    }
    assert contents(tmp_path / "class") == before


def test_verify_names_what_differs_and_what_is_refused(tmp_path, run):
    changed = train(tmp_path / "class" / "ann", "epochs=1")
    (tmp_path / "class" / "bob").mkdir()
    summary = json.loads(changed.summary.read_text())
    summary["test"]["accuracy"] = 0.99
    changed.summary.write_text(json.dumps(summary))
    code, out, err = run("runs", "verify", tmp_path / "class", "-q")
    assert (code, out) == (1, "")
    assert f"not the same came out for ann/{changed.name}; 1 of 2 folders is refused" in err
    _, out, _ = run("runs", "verify", tmp_path / "class")
    assert "summary.json" in out
    assert "null" not in out  # the file is not believed, and nothing is said of what is in it


def test_a_folder_without_a_run_is_named_once(handed_in, run):
    (handed_in / "cal" / "emptied").mkdir(parents=True)
    _, out, _ = run("runs", "verify", handed_in / "ann", handed_in / "cal", "--json")
    assert [one["run"] for one in json.loads(out)] == ["ann/one", "cal/emptied"]


@pytest.fixture
def contents():
    """Return a function that returns every file of a folder with its bytes."""

    def contents(folder):
        return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    return contents
