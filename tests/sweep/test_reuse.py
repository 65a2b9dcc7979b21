"""Finished runs are taken over past whatever else lies in the runs folder, and nothing hangs."""

import os
import shutil
import signal

import pytest

from mnistlab.config.load import load_config
from mnistlab.experiment.recorder import find_run_of
from mnistlab.run_folders.files import write_text
from mnistlab.run_folders.folder import SweepFolder
from mnistlab.run_folders.places import create_run_folder
from mnistlab.sweeps.storage import copy_finished, find_sweep_of
from tests.experiment.test_experiment import train
from tests.sweep.helpers import settled


@pytest.fixture
def one(tmp_path):
    """A finished run among folders that hold what mnistlab never makes."""
    folder = train("epochs=1", tmp_path=tmp_path).folder
    for name in ("zz-pipe", "zz-folder", "zz-link"):
        shutil.copytree(folder.path, folder.path.parent / name)
        (folder.path.parent / name / "environment.json").unlink()
    os.mkfifo(folder.path.parent / "zz-pipe" / "environment.json")
    (folder.path.parent / "zz-folder" / "environment.json").mkdir()
    (folder.path.parent / "zz-link" / "environment.json").symlink_to("/dev/zero")
    hidden = folder.path.parent / ".deleted.0123456789abcdef"
    shutil.copytree(folder.path, hidden)
    signal.alarm(60)  # a pipe that is opened waits for good
    yield folder
    signal.alarm(0)


def test_a_sweep_takes_over_what_is_whole_and_names_it_its_own(one):
    sweep = SweepFolder(create_run_folder(one.path.parent, "sweep").path)
    sweep.plan.write_text("{}")
    key = one.read_environment()["key"]
    assert copy_finished(sweep, one.path.parent, {key: 3, "another": 1}) == {3}
    assert sweep.runs() == [3]
    assert sweep.run(3).read_summary()["run"] == f"{sweep.name}/3"
    assert "taken over from " + one.name in sweep.run(3).log.read_text()
    assert sweep.run(3).model.read_bytes() == one.model.read_bytes()


def test_the_assignments_runs_are_found_among_them(one, tmp_path):
    runs_dir = one.path.parent
    assert find_run_of(load_config(one.config), runs_dir).path == one.path
    assert find_run_of(load_config(one.config, ["epochs=9"]), runs_dir) is None
    wanted = settled(tmp_path, "learning_rate=0.005,0.01")
    assert find_sweep_of(wanted, runs_dir) is None
    sweep = SweepFolder(one.path.parent / "zz-sweep")
    sweep.path.mkdir()
    write_text(sweep.plan, "{}")
    sweep.config.mkdir()
    os.mkfifo(sweep.environment)
    assert find_sweep_of(wanted, runs_dir) is None
