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
OF_A_SWEEP = {
    **FORGERIES,
    "a column too few": lambda _, about: about["notes"].pop(),
    "a column too many": lambda _, about: about["notes"].append(about["notes"][0]),
}


def resumed(scenario, name, tmp_path, change):
    """Forge the checkpoint of what was cut short and go on; return folder, outcome and problems."""
    place = tmp_path / "place"
    shutil.copytree(scenario.place, place, symlinks=True)
    (folder,) = new_runs(place / "runs", scenario.old)
    pattern = "checkpoint*" if name == "train" else "checkpoints/*"
    for path in folder.glob(pattern):
        forge(path, change)
    outcome = invoke(name, "--resume", folder.name, "--runs-dir", place / "runs", "--no-plots")
    undisturbed = tmp_path / "undisturbed"
    shutil.copytree(scenario.place, undisturbed, symlinks=True)
    assert scenario.command(undisturbed).code == 0
    expected = promises.content(undisturbed / "runs" / folder.name)
    return folder, outcome, promises.differing(folder, expected) + promises.untrue(place / "runs")


@pytest.mark.parametrize("forgery", OF_A_RUN)
def test_a_run_whose_checkpoint_was_forged_begins_from_the_start(scenarios, tmp_path, forgery):
    folder, outcome, problems = resumed(
        scenarios["train --resume"], "train", tmp_path, OF_A_RUN[forgery]
    )
    assert (outcome.code, problems) == (0, []), outcome.err
    told = [line for line in outcome.err.splitlines() if "checkpoint.safetensors" in line]
    assert len(told) == 1
    assert told[0].endswith("; the run starts from its beginning")
    assert RunFolder(folder).read_status()["status"] == "completed"


@pytest.mark.parametrize("forgery", OF_A_SWEEP)
def test_a_sweep_whose_checkpoint_was_forged_trains_its_stack_again(scenarios, tmp_path, forgery):
    if forgery in ("no state", "a state of another shape"):
        pytest.skip("the sweep's optimizer has no state")
    folder, outcome, problems = resumed(
        scenarios["sweep --resume"], "sweep", tmp_path, OF_A_SWEEP[forgery]
    )
    assert (outcome.code, problems) == (0, []), outcome.err
    log = SweepFolder(folder).log.read_text()
    assert log.count("its stack is trained again from the beginning") == 1


@pytest.mark.parametrize("name", ["train", "sweep"])
def test_a_checkpoint_that_is_signed_again_unchanged_is_gone_on_from(scenarios, tmp_path, name):
    """Else the tests above would prove nothing."""
    folder, outcome, problems = resumed(
        scenarios[f"{name} --resume"], name, tmp_path, lambda _arrays, _about: None
    )
    assert (outcome.code, problems) == (0, [])
    assert "beginning" not in (folder / "log.txt").read_text()
