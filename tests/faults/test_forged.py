"""A checkpoint that somebody forged costs time and nothing else: all begins from the start."""

import shutil

import pytest

from mnistlab.run_folders import RunFolder
from mnistlab.run_folders.folder import SweepFolder
from tests.faults import promises
from tests.faults.command import invoke, new_runs
from tests.faults.forging import FORGERIES, forge

OF_A_RUN = {
    **FORGERIES,
    "notes of another config": lambda _, about: about["notes"]["origin"].update(seed=5),
    "notes of no config": lambda _, about: about["notes"].pop("origin"),
}
OF_A_STATE = ("no state", "a state of another shape")
"""What cannot be done to a sweep whose optimizer has none."""

OF_A_SWEEP = {
    **{name: change for name, change in FORGERIES.items() if name not in OF_A_STATE},
    "a column too few": lambda _, about: about["notes"].pop(),
    "a column too many": lambda _, about: about["notes"].append(about["notes"][0]),
}


def undisturbed(scenario, scratch):
    """Return what the run or sweep that was cut short comes to."""
    place = shutil.copytree(scenario.place, scratch / "undisturbed", symlinks=True)
    (folder,) = new_runs(place / "runs", scenario.old)
    assert scenario.command(place).code == 0
    return promises.content(folder)


def resumed(scenario, name, tmp_path, change, expected):
    """Forge the checkpoint of what was cut short and go on; return folder, outcome and problems."""
    place = tmp_path / "place"
    shutil.copytree(scenario.place, place, symlinks=True)
    (folder,) = new_runs(place / "runs", scenario.old)
    pattern = "checkpoint*" if name == "train" else "checkpoints/*"
    for path in folder.glob(pattern):
        forge(path, change)
    outcome = invoke(name, "--resume", folder.name, "--runs-dir", place / "runs", "--no-plots")
    return folder, outcome, promises.differing(folder, expected) + promises.untrue(place / "runs")


@pytest.fixture(scope="module")
def go_on(scenarios, tmp_path_factory):
    """Return a function that goes on from a forged checkpoint of a run or of a sweep."""
    expected = {
        name: undisturbed(scenarios[f"{name} --resume"], tmp_path_factory.mktemp(name))
        for name in ("train", "sweep")
    }

    def go_on(name, tmp_path, change):
        return resumed(scenarios[f"{name} --resume"], name, tmp_path, change, expected[name])

    return go_on


@pytest.mark.parametrize("forgery", OF_A_RUN)
def test_a_run_whose_checkpoint_was_forged_begins_from_the_start(go_on, tmp_path, forgery):
    folder, outcome, problems = go_on("train", tmp_path, OF_A_RUN[forgery])
    assert (outcome.code, problems) == (0, []), outcome.err
    told = [line for line in outcome.err.splitlines() if "checkpoint.safetensors" in line]
    assert len(told) == 1
    assert told[0].endswith("; the run starts from its beginning")
    assert RunFolder(folder).read_status()["status"] == "completed"


@pytest.mark.parametrize("forgery", [*OF_A_SWEEP][::3] + [*OF_A_SWEEP][-2:])
def test_a_sweep_whose_checkpoint_was_forged_trains_its_stack_again(go_on, tmp_path, forgery):
    """By a third of the forgeries, which a run knows all of; by all of them by make stress."""
    folder, outcome, problems = go_on("sweep", tmp_path, OF_A_SWEEP[forgery])
    assert (outcome.code, problems) == (0, []), outcome.err
    log = SweepFolder(folder).log.read_text()
    assert log.count("its stack is trained again from the beginning") == 1


@pytest.mark.parametrize("name", ["train", "sweep"])
def test_a_checkpoint_that_is_signed_again_unchanged_is_gone_on_from(go_on, tmp_path, name):
    """Else the tests above would prove nothing."""
    folder, outcome, problems = go_on(name, tmp_path, lambda _arrays, _about: None)
    assert (outcome.code, problems) == (0, [])
    assert "beginning" not in (folder / "log.txt").read_text()
