"""The index says what the folders say, whatever has happened to them or to it."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
from filelock import FileLock
from hypothesis import given, settings
from hypothesis import strategies as st

from mnistlab.errors import RunFolderError
from mnistlab.store import facts as facts_module
from mnistlab.store import listing as index_module
from mnistlab.store.listing import INDEX, read_all
from tests.store.folders import make_run, make_sweep, names_in, wait_a_tick, write_state


@pytest.fixture
def read(monkeypatch):
    """Return a function that reads a runs folder: facts by name, and which folders were opened."""
    opened = []
    real = facts_module.read_facts

    def count(folder):
        opened.append(folder.path.name)
        return real(folder)

    monkeypatch.setattr(facts_module, "read_facts", count)

    def read(runs_dir):
        opened.clear()
        facts = read_all(runs_dir)
        return {run["run"]: run for run in facts}, sorted(opened)

    return read


def test_no_runs_no_index(tmp_path):
    assert read_all(tmp_path / "nowhere") == []
    (tmp_path / "notes").mkdir()
    (tmp_path / "file").write_text("")
    assert read_all(tmp_path) == []
    assert not (tmp_path / INDEX).exists()
    with pytest.raises(RunFolderError, match="cannot be read as a runs folder"):
        read_all(tmp_path / "file")


def test_the_second_time_no_folder_is_opened(tmp_path, read, monkeypatch):
    make_run(tmp_path / "a", learning_rate=0.5)
    make_sweep(tmp_path / "b")
    (tmp_path / "latest").symlink_to("a")
    wait_a_tick(monkeypatch)
    first, opened = read(tmp_path)
    assert opened == ["a", "b"]
    assert first["a"]["learning_rate"] == 0.5
    assert first["a"]["data.preprocess"] == ["deskew"]
    assert (first["b"]["kind"], first["b"]["runs"], first["b"]["method"]) == ("sweep", 2, "grid")
    assert "learning_rate" not in first["b"]
    written = (tmp_path / INDEX).stat().st_ino
    assert read(tmp_path) == (first, [])
    assert (tmp_path / INDEX).stat().st_ino == written, "nothing was new"
    assert names_in(tmp_path) == [INDEX, "a", "b", "latest"]


def test_what_has_just_changed_is_not_trusted(tmp_path, read):
    make_run(tmp_path / "a")
    assert read(tmp_path)[1] == ["a"]
    assert read(tmp_path)[1] == ["a"]


def _edit_in_place(folder):
    text = folder.config.read_text().replace("0.01", "0.07")
    with folder.config.open("r+") as file:
        file.write(text)


def _replace(folder):
    other = folder.path / "other"
    other.write_text(folder.config.read_text().replace("0.01", "0.07"))
    other.replace(folder.config)


def _replace_with_the_old_time(folder):
    state = folder.config.stat()
    _edit_in_place(folder)
    os.utime(folder.config, ns=(state.st_atime_ns, state.st_mtime_ns))


def _replace_the_folder(folder):
    copy = folder.path.with_name(".copy")
    shutil.copytree(folder.path, copy)
    shutil.rmtree(folder.path)
    copy.rename(folder.path)
    _edit_in_place(folder)


@pytest.mark.parametrize(
    "change", [_edit_in_place, _replace, _replace_with_the_old_time, _replace_the_folder]
)
def test_a_change_is_noticed(change, tmp_path, read, monkeypatch):
    folder = make_run(tmp_path / "a")
    make_run(tmp_path / "b")
    wait_a_tick(monkeypatch)
    read(tmp_path)
    time.sleep(0.02)  # the tick of the kernel's clock
    change(folder)
    found, opened = read(tmp_path)
    assert found["a"]["learning_rate"] == 0.07
    assert opened == ["a"]


@pytest.mark.parametrize("name", ["status", "summary", "environment"])
def test_a_change_of_each_file_is_noticed(name, tmp_path, read, monkeypatch):
    folder = make_run(tmp_path / "a")
    wait_a_tick(monkeypatch)
    read(tmp_path)
    time.sleep(0.02)
    with getattr(folder, name).open("r+") as file:
        file.write("}")
    assert read(tmp_path)[0]["a"]["damaged"] == [getattr(folder, name).name]


def test_runs_that_come_go_and_move(tmp_path, read, monkeypatch):
    for name in "abc":
        make_run(tmp_path / name, name=name)
    wait_a_tick(monkeypatch)
    read(tmp_path)
    shutil.rmtree(tmp_path / "a")
    (tmp_path / "b").rename(tmp_path / "d")
    make_run(tmp_path / "e", name="e")
    found, opened = read(tmp_path)
    assert {name: run["name"] for name, run in found.items()} == {"c": "c", "d": "b", "e": "e"}
    assert opened == ["d", "e"]
    assert "a" not in index_module._load(tmp_path / INDEX)
    shutil.rmtree(tmp_path / "c")
    read(tmp_path)
    assert "c" not in index_module._load(tmp_path / INDEX)


def test_a_sweep_that_is_renamed_has_runs_of_its_new_name(tmp_path, read, monkeypatch):
    sweep = make_sweep(tmp_path / "old")
    wait_a_tick(monkeypatch)
    assert sorted(read(sweep.path / "runs")[0]) == ["old/0", "old/1"]
    sweep.path.rename(tmp_path / "new")
    assert sorted(read(tmp_path / "new" / "runs")[0]) == ["new/0", "new/1"]


@pytest.mark.parametrize("place", ["model.bin", "plots/x.png", "config.yaml", "pipe"])
def test_links_and_pipes_are_noticed_and_never_opened(place, tmp_path, read, monkeypatch):
    folder = make_run(tmp_path / "a")
    folder.plots.mkdir()
    wait_a_tick(monkeypatch)
    assert "damaged" not in read(tmp_path)[0]["a"]
    time.sleep(0.02)
    path = folder.path / place
    path.unlink(missing_ok=True)
    if place == "pipe":
        os.mkfifo(path)
    else:
        secret = tmp_path / "secret"
        secret.write_text("model: stolen\n")
        (path).symlink_to(secret)
    run = read(tmp_path)[0]["a"]
    assert (run["status"], run["damaged"]) == ("damaged", [path.name])
    assert "model" not in run


def test_whether_a_run_is_alive_is_asked_each_time(tmp_path, read, monkeypatch):
    folder = make_run(tmp_path / "a", status="running")
    wait_a_tick(monkeypatch)
    for _ in range(2):
        assert read(tmp_path)[0]["a"]["status"] == "interrupted"
    with FileLock(folder.lock_file):
        assert read(tmp_path)[0]["a"]["status"] == "running"
    assert read(tmp_path)[0]["a"]["status"] == "interrupted"
    entries = index_module._load(tmp_path / INDEX)
    assert [facts["status"] for _, facts in entries.values()] == ["interrupted"]


def test_a_killed_run_is_read_but_once(tmp_path, read, monkeypatch):
    make_run(tmp_path / "a", status="running")
    wait_a_tick(monkeypatch)
    read(tmp_path)  # leaves the lock's file in the folder, which is a change
    read(tmp_path)
    assert read(tmp_path)[1] == []


def _put(index, *rows, table=index_module._TABLE, version=index_module._FORMAT, extra=""):
    """Write an index by hand; a row is (name, entry) with the right checksum."""
    index.unlink(missing_ok=True)
    with closing(sqlite3.connect(index)) as database:
        database.execute(f"PRAGMA user_version = {version}")
        database.execute(table)
        rows = [(name, entry, index_module._checksum(name, entry)) for name, entry in rows]
        database.executemany("INSERT INTO runs VALUES (?, ?, ?)", rows)
        database.executescript(extra)
        database.commit()


def test_bytes_that_are_damaged_change_nothing(tmp_path, read, monkeypatch):
    for name in "abc":
        make_run(tmp_path / name)
    wait_a_tick(monkeypatch)
    right, _ = read(tmp_path)
    index = tmp_path / INDEX
    whole = index.read_bytes()
    wrong = [
        *(whole[:length] for length in range(0, len(whole), 797)),
        *(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :]
          for place in (*range(0, len(whole), 107), 4108)),  # where a row lies in its page
    ]  # fmt: skip
    for content in wrong:
        index.write_bytes(content)
        assert read(tmp_path)[0] == right, content[:200]
        assert read(tmp_path) == (right, []), "it was made anew"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"completed"', "null"),
        ('"linear"', "null"),
        ('"linear"', "[[1]]"),
        ('"linear"', '{"a":1}'),
        ('"run"', '"walk"'),
        ('"model"', '"\\u001b[31m"'),
        ('"status"', '"state"'),
        ("}]", "}"),
        ("[[", "1],[[["),
    ],
)
def test_what_no_folder_says_is_not_believed(old, new, tmp_path, read, monkeypatch):
    make_run(tmp_path / "a")
    wait_a_tick(monkeypatch)
    right, _ = read(tmp_path)
    index = tmp_path / INDEX
    with closing(sqlite3.connect(index)) as database:
        ((name, entry),) = database.execute("SELECT name, entry FROM runs").fetchall()
    _put(index, (name, entry))
    assert read(tmp_path) == (right, [])
    _put(index, (name, entry.replace(old, new)))
    assert read(tmp_path) == (right, ["a"])
    assert read(tmp_path) == (right, [])


@pytest.mark.parametrize("change", [lambda _: 5, lambda _: None, lambda known: known[:-1]])
def test_a_signature_that_is_none_makes_the_index_anew(change, tmp_path, read, monkeypatch):
    make_run(tmp_path / "a")
    wait_a_tick(monkeypatch)
    right, _ = read(tmp_path)
    index = tmp_path / INDEX
    with closing(sqlite3.connect(index)) as database:
        ((name, entry),) = database.execute("SELECT name, entry FROM runs").fetchall()
    signature, facts = json.loads(entry)
    _put(index, (name, json.dumps([change(signature), facts])))
    assert read(tmp_path) == (right, ["a"])
    assert read(tmp_path) == (right, [])


BOMB = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i, i, i FROM n"


@pytest.mark.parametrize(
    "change",
    [
        {"version": 7},
        {"table": "CREATE TABLE runs (name, entry, checksum)"},
        {"extra": f"DROP TABLE runs; CREATE VIEW runs AS {BOMB}"},
        {"extra": "CREATE TRIGGER t AFTER INSERT ON runs BEGIN DELETE FROM runs; END"},
        {"extra": "CREATE TABLE other (x)"},
    ],
)
def test_a_database_that_is_none_of_ours_is_made_anew(change, tmp_path, read, monkeypatch):
    make_run(tmp_path / "a")
    wait_a_tick(monkeypatch)
    _put(tmp_path / INDEX, **change)
    right, opened = read(tmp_path)
    assert opened == ["a"]
    assert read(tmp_path) == (right, [])


def test_a_change_of_what_facts_are_makes_the_index_anew(tmp_path, read, monkeypatch):
    make_run(tmp_path / "a")
    wait_a_tick(monkeypatch)
    read(tmp_path)
    assert read(tmp_path)[1] == []
    source = Path(facts_module.__file__)
    assert index_module.format_of(source) == index_module._FORMAT
    copy = tmp_path / ".facts"
    copy.write_bytes(source.read_bytes() + b"#")
    monkeypatch.setattr(index_module, "_FORMAT", index_module.format_of(copy))
    assert read(tmp_path)[1] == ["a"]
    assert read(tmp_path)[1] == []


def test_an_index_that_is_no_plain_file_is_not_opened(tmp_path, read, monkeypatch):
    make_run(tmp_path / "runs" / "a")
    wait_a_tick(monkeypatch)
    index = tmp_path / "runs" / INDEX
    os.mkfifo(index)
    assert read(tmp_path / "runs")[1] == ["a"]
    assert read(tmp_path / "runs")[1] == [], "it was replaced"
    elsewhere = tmp_path / "elsewhere"
    index.rename(elsewhere)
    content = elsewhere.read_bytes()
    (index).symlink_to(elsewhere)
    assert read(tmp_path / "runs")[1] == ["a"]
    assert not index.is_symlink()
    assert elsewhere.read_bytes() == content
    index.unlink()
    index.mkdir()
    assert read(tmp_path / "runs")[1] == ["a"]
    assert names_in(tmp_path / "runs") == [INDEX, "a"]


def test_a_folder_that_cannot_be_written_to_has_no_index(tmp_path, read, monkeypatch):
    make_run(tmp_path / "a")
    wait_a_tick(monkeypatch)

    def refuse(*_arguments, **_options):
        raise sqlite3.OperationalError("unable to open database file")

    monkeypatch.setattr(sqlite3, "connect", refuse)
    assert list(read(tmp_path)[0]) == ["a"]
    assert names_in(tmp_path) == ["a"]


def test_a_reading_that_is_cut_short_is_kept(tmp_path, read, monkeypatch):
    for name in "abcd":
        make_run(tmp_path / name)
    wait_a_tick(monkeypatch)

    def stop(done, of):
        assert of == 4
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        read_all(tmp_path, stop)
    assert len(read(tmp_path)[1]) == 2


def test_names_that_are_no_text(tmp_path, read, monkeypatch):
    make_run(tmp_path / os.fsdecode(b"a\xff\x1b"))
    wait_a_tick(monkeypatch)
    first = read(tmp_path)
    assert list(first[0]) == [os.fsdecode(b"a\xff\x1b")]
    assert read(tmp_path) == (first[0], [])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)
SUMMARY = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(["epochs", "train", "test", "seconds", "best", "trials", "seeds"], JSON),
)


@settings(max_examples=60)
@given(JSON | SUMMARY, JSON, st.sampled_from(["run", "sweep"]))
def test_whatever_the_files_hold(tmp_path_factory, summary, state, kind):
    runs = tmp_path_factory.mktemp("runs")
    folder = make_run(runs / "a") if kind == "run" else make_sweep(runs / "a")
    folder.summary.write_text(json.dumps(summary))
    folder.environment.write_text(json.dumps({"key": state, "mnistlab": state}))
    folder.status.write_text(json.dumps({"status": "completed", "error": state, "ended": state}))
    (run,) = read_all(runs)
    for value in run.values():
        items = value if isinstance(value, list) else [value]
        assert all(isinstance(item, str | int | float) for item in items)


def test_a_config_cannot_pose_as_the_run(tmp_path):
    folder = make_run(tmp_path / "a", status="failed", error="none", kind="sweep", runs=7)
    with folder.config.open("a") as file:
        file.write("status: completed\na b: 1\n")
    (run,) = read_all(tmp_path)
    assert "damaged" not in run
    assert (run["status"], run["kind"]) == ("failed", "run")
    assert not {"error", "runs", "a b"} & run.keys()
    folder.config.write_text("".join(f"key{number}: 1\n" for number in range(300)))
    assert "config.yaml" in read_all(tmp_path)[0]["damaged"]


def test_a_warm_listing_loads_nothing_heavy(tmp_path, monkeypatch):
    folder = make_run(tmp_path / "a")
    wait_a_tick(monkeypatch)
    read_all(tmp_path)
    assert folder.path.exists()
    code = (
        "import sys, pathlib; from mnistlab.store.listing import read_all;"
        "from mnistlab.store import selection; from mnistlab.console import tables;"
        f"print(len(read_all(pathlib.Path({str(tmp_path)!r}))));"
        "print([m for m in ('numpy', 'yaml', 'pydantic', 'rich', 'filelock') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "1\n[]\n"


def test_the_state_of_an_ended_run_is_taken_from_its_file(tmp_path, read, monkeypatch):
    folder = make_run(tmp_path / "a", status="interrupted")
    wait_a_tick(monkeypatch)
    read(tmp_path)
    time.sleep(0.02)
    write_state(folder, "failed")
    assert read(tmp_path)[0]["a"]["status"] == "failed"
