"""What is there already: a sweep killed before it began, and finished runs to take over."""

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
from tests.experiment.test_going_on import Camera
from tests.faults import promises
from tests.faults.command import copy, invoke, new_runs, small_steps, sweep, write_config
from tests.faults.harness import watching
from tests.sweep.helpers import settled


class UntilItsPlan(Camera):
    """Keeps the states up to the plan of a new sweep."""

    def before(self, call):
        if not self.states or all(
            what == b"{}\n"
            for name, what in self.states[-1].items()
            if name.endswith("/plan.json") and "-old-" not in name
        ):
            super().before(call)


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """Return the runs before, every state on the way of a sweep up to its plan, what it came to."""
    place = tmp_path_factory.mktemp("unbegun")
    config = write_config(place)
    old = place / "old"
    with small_steps():
        assert sweep(config, old, "--name", "old").code == 0
        (old / "latest").unlink()
        runs = copy(old, place / "runs")
        camera = UntilItsPlan(runs)
        with watching(runs, camera):
            words = ("learning_rate=0.005,0.01,0.02", "epochs=2", "--needed", "--no-plots", "-q")
            made = invoke("sweep", "-c", config, "--runs-dir", runs, *words)
    assert made.code == 0, made.err
    (path,) = new_runs(runs, old)
    states = []
    for state in camera.states:
        plan = state.get(f"{path.name}/plan.json")
        if path.name in state and plan in (None, b"{}\n") and state not in states:
            states.append(state)
    return old, path.name, states, promises.content(path)


def write(runs, state):
    shutil.rmtree(runs, ignore_errors=True)
    runs.mkdir(parents=True)
    for name, what in sorted(state.items()):
        path = runs / name
        if isinstance(what, str):
            path.symlink_to(what)
        elif what == b"folder":
            path.mkdir()
        else:
            path.write_bytes(what)
    return runs


def test_it_is_a_sweep_from_its_first_file_on(killed, tmp_path):
    _, name, states, _ = killed
    assert len(states) > 40
    for state in states[::8]:
        runs = write(tmp_path / "runs", state)
        listed = invoke("runs", "list", "--json", "--runs-dir", runs)
        assert listed.code == 0
        if f"{name}/status.json" in state:
            assert f'"{name}", "kind": "sweep", "status": "interrupted"' in listed.out
            shown = invoke("runs", "show", name, "--runs-dir", runs)
            assert f"mnistlab sweep --resume {name}" in shown.out


def test_it_goes_on_once_it_has_its_config(killed, tmp_path):
    _, name, states, expected = killed
    resumed = refused = 0
    for state in states[::12]:
        runs = write(tmp_path / "runs", state)
        words = ("--runs-dir", runs, "--no-plots", "-q")
        outcome = invoke("sweep", "--resume", name, "--needed", *words)
        if f"{name}/config.yaml" in state:
            resumed += 1
            assert outcome.code == 0, outcome.err
            assert promises.differing(runs / name, expected) == []
            assert promises.untrue(runs) + promises.litter(runs) == []
        else:
            refused += 1
            assert promises.told_badly(outcome, [runs, name]) == []
        if f"{name}/plan.json" in state:
            verified = invoke("runs", "verify", name, "-q", "--runs-dir", runs)
            assert "Traceback" not in verified.err
    assert resumed > 3
    assert refused > 0


def test_it_can_be_deleted_by_its_name_whatever_it_has(killed, tmp_path):
    old, name, states, _ = killed
    for state in states[::7]:
        runs = write(tmp_path / "runs", state)
        outcome = invoke("runs", "delete", name, "--yes", "--runs-dir", runs)
        assert outcome.code == 0, outcome.err
        assert new_runs(runs, old) == []


def test_a_folder_that_only_looks_like_one_of_ours_is_not_deleted(tmp_path):
    theirs = tmp_path / "runs" / "20200101-000000-mine-0123"
    theirs.mkdir(parents=True)
    (theirs / "notes.txt").write_text("mine")
    outcome = invoke("runs", "delete", theirs.name, "--yes", "--runs-dir", tmp_path / "runs")
    assert outcome.code == 2
    assert (theirs / "notes.txt").exists()


def test_a_resumed_sweep_takes_over_what_was_copied(killed, tmp_path):
    """What was half copied is not."""
    _, name, states, _ = killed
    last = states[-1]
    runs = write(tmp_path / "runs", last)
    folder = SweepFolder(runs / name)
    (folder.run(1).path / "model.safetensors").write_bytes(b"")
    with small_steps():
        assert invoke("sweep", "--resume", name, "--runs-dir", runs, "--no-plots", "-q").code == 0
    assert 0 in folder.read_plan()["taken_over"]
    assert 1 not in folder.read_plan()["taken_over"]


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
