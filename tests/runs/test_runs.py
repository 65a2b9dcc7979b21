"""Run folders: made for one process alone, written whole or not at all, read back the same."""

import json
import os
import re
import resource
import subprocess
import sys

import numpy as np
import pytest

from mnistlab.core.objective import copy_stack
from mnistlab.core.trainer import Snapshot
from mnistlab.errors import RunFolderError
from mnistlab.run_folders import RunFolder, create_run_folder, default_runs_dir
from mnistlab.run_folders import provenance as environment_module
from mnistlab.run_folders.files import append_text, to_json, write_bytes, write_json
from mnistlab.run_folders.provenance import describe_environment, uncommitted_changes
from mnistlab.run_folders.weights import (
    load_checkpoint,
    load_weights,
    save_checkpoint,
    save_weights,
)


def test_the_name_tells_when_and_what(tmp_path):
    folder = create_run_folder(tmp_path / "deep" / "runs", "linear")
    assert re.fullmatch(r"\d{8}-\d{6}-linear-[0-9a-f]{4}", folder.name)
    assert (tmp_path / "deep" / "runs" / "latest").resolve() == folder.path.resolve()


def test_two_runs_of_the_same_second_get_two_folders(tmp_path, monkeypatch):
    monkeypatch.setattr(
        "mnistlab.run_folders.places.time.strftime", lambda _form: "20261123-061542"
    )
    suffixes = iter(["aaaa", "l1", "aaaa", "bbbb", "l2"])
    monkeypatch.setattr("mnistlab.run_folders.places.secrets.token_hex", lambda _n: next(suffixes))
    first, second = (create_run_folder(tmp_path, "x") for _ in range(2))
    assert (first.name[-4:], second.name[-4:]) == ("aaaa", "bbbb")
    assert (tmp_path / "latest").readlink().name == second.name


def test_folders_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunFolderError, match=r"it is a file.*--runs-dir"):
        create_run_folder(tmp_path / "file", "x")
    with pytest.raises(RunFolderError, match="Not a directory"):
        create_run_folder(tmp_path / "file" / "below", "x")
    if os.geteuid() != 0:
        locked = tmp_path / "locked"
        locked.mkdir(mode=0o500)
        with pytest.raises(RunFolderError, match="Permission denied"):
            create_run_folder(locked, "x")


def test_the_runs_folder_comes_from_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("MNISTLAB_RUNS_DIR", str(tmp_path))
    assert default_runs_dir() == tmp_path
    monkeypatch.delenv("MNISTLAB_RUNS_DIR")
    assert str(default_runs_dir()) == "runs"


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "file"
    write_bytes(path, b"old")

    def fail(_fd):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("mnistlab.run_folders.files.os.fsync", fail)
    with pytest.raises(OSError, match="No space left"):
        write_bytes(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_json_has_null_where_a_number_is_not_finite(tmp_path):
    write_json(tmp_path / "x.json", {"a": float("nan"), "b": [float("inf"), 1.5], "c": {"d": 2}})
    data = json.loads((tmp_path / "x.json").read_text())
    assert data == {"a": None, "b": [None, 1.5], "c": {"d": 2}}
    assert json.loads(to_json("ü")) == "ü"


def test_status_keeps_what_it_knew(tmp_path):
    folder = RunFolder(tmp_path)
    folder.write_status("running", started="now")
    folder.write_status("completed", ended="later")
    assert folder.read_status() == {"status": "completed", "started": "now", "ended": "later"}


def test_a_running_run_that_nobody_holds_reads_as_interrupted(tmp_path):
    folder = RunFolder(tmp_path)
    folder.write_status("running")
    assert folder.read_status()["status"] == "interrupted"
    holder = (
        "import sys, time; from pathlib import Path; from mnistlab.run_folders import RunFolder\n"
        "with RunFolder(Path(sys.argv[1])).locked(): print('held', flush=True); time.sleep(60)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", holder, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout.readline() == "held\n"
        assert folder.read_status()["status"] == "running"
        process.kill()
        process.wait()
    assert folder.read_status()["status"] == "interrupted"


def test_a_damaged_status_is_named(tmp_path):
    folder = RunFolder(tmp_path)
    assert folder.read_status()["status"] == "damaged"
    folder.status.write_text("[1, 2]")
    assert folder.read_status()["status"] == "damaged"
    with pytest.raises(RunFolderError, match=r"summary\.json"):
        folder.read_summary()


def test_metrics_read_back_with_gaps_as_nan(tmp_path):
    folder = RunFolder(tmp_path)
    rows = [
        {"epoch": 1, "learning_rate": 0.1, "seconds": 0.5},
        {"epoch": 2, "train_loss": float("inf"), "learning_rate": 0.1, "seconds": 0.25},
    ]
    folder.write_metrics(rows)
    columns = folder.read_metrics()
    assert columns["epoch"] == [1, 2]
    assert np.isnan(columns["train_loss"][0])
    assert columns["train_loss"][1] == float("inf")
    assert folder.metrics.read_text().splitlines()[0] == (
        "epoch,train_loss,train_accuracy,validation_loss,validation_accuracy,learning_rate,seconds"
    )


def test_divergence_reads_back(tmp_path):
    folder = RunFolder(tmp_path)
    folder.write_divergence(51, [1.0, 3e30, float("inf")])
    assert folder.read_divergence() == ([51, 52, 53], [1.0, 3e30, float("inf")])


def test_the_log_keeps_every_line(tmp_path):
    folder = RunFolder(tmp_path)
    folder.write_log("one")
    folder.write_log("two")
    assert [line.split(" ", 1)[1] for line in folder.log.read_text().splitlines()] == ["one", "two"]


def test_weights_read_back_and_repeat_to_the_byte(tmp_path):
    parameters = copy_stack(np.random.default_rng(0).normal(size=(5, 1, 3)).astype("f4"))[:, 0]
    save_weights(tmp_path / "a", parameters)
    save_weights(tmp_path / "b", parameters)
    np.testing.assert_array_equal(load_weights(tmp_path / "a"), parameters)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def snapshot():
    generator = np.random.default_rng(3)
    return Snapshot(
        epoch=4,
        columns=np.arange(2),
        parameters=copy_stack(generator.normal(size=(5, 2, 3))),
        state={"velocity": copy_stack(np.ones((5, 2, 3))), "steps": np.ones((2, 1))},
        best_loss=np.array([0.5, np.inf]),
        best_epoch=np.array([2.0, 0.0]),
        generator=generator.bit_generator.state,
    )


def test_a_checkpoint_reads_back(tmp_path):
    saved = snapshot()
    save_checkpoint(tmp_path / "c", saved)
    loaded, _ = load_checkpoint(tmp_path / "c")
    assert (loaded.epoch, loaded.generator) == (saved.epoch, saved.generator)
    for name in ("columns", "parameters", "best_loss", "best_epoch"):
        np.testing.assert_array_equal(getattr(loaded, name), getattr(saved, name))
    assert loaded.state.keys() == saved.state.keys()
    for name, array in saved.state.items():
        np.testing.assert_array_equal(loaded.state[name], array)


def test_damaged_arrays_are_refused_with_their_path(tmp_path):
    path = tmp_path / "c"
    save_checkpoint(path, snapshot())
    whole = path.read_bytes()
    for length in (0, 7, 100, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(RunFolderError, match=str(path)):
            load_checkpoint(path)
    save_weights(path, np.zeros((3, 2)))
    with pytest.raises(RunFolderError, match="is no checkpoint"):
        load_checkpoint(path)
    save_checkpoint(path, snapshot())
    with pytest.raises(RunFolderError, match="does not hold W"):
        load_weights(path)
    with pytest.raises(RunFolderError, match="cannot be read"):
        load_weights(tmp_path / "none")


def test_the_environment_tells_versions_machine_and_code():
    facts = describe_environment()
    assert facts["packages"]["numpy"] == np.__version__
    assert facts["processors"] >= 1
    assert facts["command"] == sys.argv
    assert all("num_threads" in library for library in facts["blas"])


def test_the_git_state_of_a_checkout(tmp_path, monkeypatch):
    monkeypatch.setattr(environment_module.mnistlab, "__file__", str(tmp_path / "m" / "x.py"))
    assert describe_environment()["git"] is None
    assert uncommitted_changes(describe_environment()) == ""

    def git(*words):
        identity = ["-c", "user.name=n", "-c", "user.email=e"]
        subprocess.run(["git", "-C", tmp_path, *identity, *words], check=True, capture_output=True)  # noqa: S607

    git("init")
    (tmp_path / "code").write_text("one\n")
    git("add", ".")
    git("commit", "-m", "first")
    state = describe_environment()["git"]
    assert re.fullmatch("[0-9a-f]{40}", state["commit"])
    assert state["dirty"] is False
    (tmp_path / "code").write_text("two\n")
    assert describe_environment()["git"]["dirty"] is True
    assert "+two" in uncommitted_changes(describe_environment())


def test_a_lock_is_released_with_its_run(tmp_path):
    folder = RunFolder(tmp_path)
    with folder.locked():
        folder.write_status("running")
        assert folder.read_status()["status"] == "running"
    assert folder.read_status()["status"] == "interrupted"


@pytest.mark.parametrize(
    "text", ["a\x9bb\u2028c\x85d", "\udcff", "é\n\t", "😀\x7f", "\x0b\x0c\r\x1b"]
)
def test_json_holds_nothing_that_a_terminal_would_obey(text):
    written = to_json({text: [text]})
    assert written.replace("\n", "").isprintable()
    assert json.loads(written) == {text: [text]}


def test_a_line_of_which_only_a_part_fits_is_taken_back(tmp_path):
    """A full disk may take half of what is written without an error."""
    path = tmp_path / "metrics.csv"
    path.write_text("epoch\n")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8, hard))
    try:
        with pytest.raises(OSError, match="No space left"):
            append_text(path, "12345678\n")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.read_text() == "epoch\n"


def test_nothing_is_appended_through_a_link(tmp_path):
    (tmp_path / "elsewhere").write_text("theirs\n")
    (tmp_path / "log.txt").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match=r"log\.txt"):
        append_text(tmp_path / "log.txt", "ours\n")
    assert (tmp_path / "elsewhere").read_text() == "theirs\n"


def test_rows_are_appended_and_one_that_is_not_whole_is_left_out(tmp_path):
    rows = [
        {"epoch": epoch, "train_loss": 1 / epoch, "learning_rate": 0.1, "seconds": 0.5}
        for epoch in range(1, 5)
    ]
    whole, grown = (RunFolder(tmp_path / name) for name in ("whole", "grown"))
    for folder in (whole, grown):
        folder.path.mkdir()
    whole.write_metrics(rows)
    for row in rows:
        grown.add_metrics(row)
    assert grown.metrics.read_bytes() == whole.metrics.read_bytes()
    content = whole.metrics.read_bytes()
    ends = [at + 1 for at, byte in enumerate(content) if byte == ord("\n")]
    for cut in range(ends[0], len(content)):
        grown.metrics.write_bytes(content[:cut])
        epochs = sum(end <= cut for end in ends) - 1
        assert grown.read_metrics()["train_loss"] == [1, 1 / 2, 1 / 3, 1 / 4][:epochs]
