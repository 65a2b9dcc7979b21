"""The runs that can be used again are found among whatever else a runs folder holds."""

import os
import shutil
import signal

import pytest

from mnistlab.run_folders.provenance import find_intact_runs, plain_folders
from tests.experiment.test_experiment import train


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    return train("epochs=1", tmp_path=tmp_path_factory.mktemp("original")).folder


@pytest.fixture
def runs_dir(original, tmp_path):
    """A runs folder with two whole runs, a sweep of two, and folders that are none of ours."""
    runs = tmp_path / "runs"
    places = ["1-a", "2-b", "3-s/runs/0", "3-s/runs/1", ".hidden", "4-link", "5-gone", "6-folder"]
    for place in [*places, "7-s/runs/0", "8-pipe"]:
        shutil.copytree(original.path, runs / place)
    for sweep in ("3-s", "7-s"):
        (runs / sweep / "plan.json").write_text("{}")
        (runs / sweep / "status.json").write_text('{"status": "completed"}')
    for harmed in ("4-link", "6-folder", "8-pipe", "3-s/runs/1"):
        (runs / harmed / "environment.json").unlink()
    (runs / "4-link" / "environment.json").symlink_to("/dev/zero")
    (runs / "5-gone" / "model.safetensors").unlink()
    (runs / "6-folder" / "environment.json").mkdir()
    for harmed in ("8-pipe", "3-s/runs/1"):
        os.mkfifo(runs / harmed / "environment.json")
    os.mkfifo(runs / "7-s" / "sweep.json")
    shutil.copytree(original.path, runs / "2-s" / "runs" / "0")
    (runs / "2-s" / "plan.json").write_text("{}")
    (runs / "2-s" / "status.json").write_text("{}")
    (runs / "2-s" / "runs" / "2").symlink_to("nowhere")
    return runs


@pytest.fixture(autouse=True)
def _no_waiting():
    """A pipe that is opened waits for good: end the test instead."""
    signal.alarm(20)
    yield
    signal.alarm(0)


def names(runs):
    return [run.path.name for run in runs]


def test_whole_runs_are_found_the_newest_first(runs_dir, original):
    asked = []

    def is_wanted(environment):
        asked.append(environment.get("key"))
        return environment.get("key") == original.read_environment()["key"]

    assert names(find_intact_runs(runs_dir, is_wanted)) == ["2-b", "1-a"]
    assert len(asked) == 4
    assert names(find_intact_runs(runs_dir, is_wanted, of_sweeps=True)) == ["0", "0", "2-b", "1-a"]
    assert names(find_intact_runs(runs_dir, lambda _: False)) == []


def test_folders_that_hold_anything_else_are_left_out(runs_dir):
    assert names(plain_folders(runs_dir)) == ["6-folder", "5-gone", "3-s", "2-b", "1-a"]


def test_a_disk_that_fails_holds_no_run(runs_dir, original, monkeypatch):
    del original

    def fail(path, *_):
        raise OSError(5, "Input/output error", str(path))

    monkeypatch.setattr("mnistlab.run_folders.files.read_capped", fail)
    assert names(find_intact_runs(runs_dir, lambda _: True, of_sweeps=True)) == []


def test_a_runs_folder_that_is_not_there_holds_none(tmp_path):
    assert names(find_intact_runs(tmp_path / "none", lambda _: True)) == []
