"""The test split is evaluated later only for a run that is what it was left as, on its data."""

import json
import shutil

import numpy as np
import pytest

from mnistlab.run_folders.folder import SweepFolder
from mnistlab.run_folders.provenance import is_intact
from tests.faults.command import invoke, sweep, write_config


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """Return the folder of a sweep's data and runs folder."""
    place = tmp_path_factory.mktemp("original")
    outcome = sweep(write_config(place), place / "runs")
    assert outcome.code == 0, outcome.err
    return place


@pytest.fixture
def place(original):
    """Return the folder with all as it was when the sweep ended."""
    kept = original.with_name("kept")
    if not kept.exists():
        shutil.copytree(original, kept, symlinks=True)
    shutil.rmtree(original)
    shutil.copytree(kept, original, symlinks=True)
    return original


@pytest.fixture
def untested(place):
    """Return a run of the sweep that has not seen the test split."""
    folder = SweepFolder(place / "runs" / (place / "runs" / "latest").readlink())
    runs = [folder.run(number) for number in folder.runs()]
    return next(run for run in runs if not run.predictions.exists())


def show(run, *words):
    return invoke("runs", "show", run.name, "--runs-dir", run.path.parents[2], *words)


def files_of(run):
    return {path.name: path.read_bytes() for path in run.path.iterdir() if path.is_file()}


def refused(run, reason):
    """Show a run; nothing of it must change, and a warning says why it has no test numbers."""
    before = files_of(run)
    outcome = show(run, "--json")
    assert outcome.code == 0
    (warning,) = outcome.err.splitlines()
    assert warning.startswith(f"warning: {run.name}: no test predictions: ")
    assert reason in warning
    assert files_of(run) == before
    return json.loads(outcome.out)


def test_a_run_that_is_asked_for_sees_the_test_split(untested):
    outcome = show(untested, "--json")
    assert (outcome.code, outcome.err) == (0, "")
    accuracy = json.loads(outcome.out)["summary"]["test"]["accuracy"]
    data = np.load(untested.path.parents[3] / "tiny.npz")
    assert accuracy == np.mean(np.load(untested.predictions) == data["y_test"])
    assert is_intact(untested)
    assert not untested.lock_file.exists()


def test_other_data_than_the_runs_are_refused(place, untested):
    data = dict(np.load(place / "tiny.npz"))
    np.savez(place / "tiny.npz", **{**data, "x_test": 255 - data["x_test"]})
    facts = refused(untested, "tiny.npz has changed since the run was made")
    assert facts["summary"]["test"] == {"loss": None, "accuracy": None}
    assert show(untested).code == 0


def test_data_that_are_away_only_warn(place, untested):
    (place / "tiny.npz").unlink()
    refused(untested, "tiny.npz: there is no such file")


@pytest.mark.parametrize("name", ["summary.json", "model.safetensors", "config.yaml"])
def test_what_is_damaged_is_not_vouched_for(untested, name):
    path = untested.path / name
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(content)
    assert name in refused(untested, f"{name}: is not what the run left")["damaged"]


def test_a_run_that_another_process_works_on_is_left_alone(untested):
    with untested.locked():
        refused(untested, "another process is working on it")
