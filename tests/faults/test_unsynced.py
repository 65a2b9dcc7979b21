"""When the power goes, what was said to be done is done."""

import random

import pytest

from tests.faults.disk import Disk
from tests.faults.harness import watching
from tests.faults.unsynced import Cuts

STEP = {"train": 37, "train --resume": 37, "sweep": 193, "sweep --resume": 157}


@pytest.mark.parametrize("name", STEP)
def test_after_a_power_cut_a_run_goes_on_or_is_whole(scenarios, tmp_path, name):
    cuts = Cuts(scenarios[name], tmp_path)
    choice = random.Random(20191120)  # noqa: S311 - samples, no secrets
    problems = [
        problem
        for index in range(0, len(cuts.moments), STEP[name])
        for state in cuts.try_moment(index, 3, choice)
        for problem in state
    ]
    assert problems == []
    assert cuts.try_end() == []


def states(disk):
    return {
        tuple((name, content) for name, content, _ in state.contents)
        for state in disk.moments[-1].states(60, random.Random(1))  # noqa: S311
    }


def test_the_model_forgets_what_is_not_synced(tmp_path):
    """Else the test above would prove nothing."""
    from mnistlab.run_folders.files import sync_folder, write_bytes  # noqa: PLC0415 - while watched

    (tmp_path / "old").write_bytes(b"before")
    disk = Disk(tmp_path)
    with watching(tmp_path, disk):
        (tmp_path / "old").write_bytes(b"after!")
        (tmp_path / "new").write_bytes(b"12")
    kept = states(disk)
    for old in (b"before", b"", b"aft", b"after!"):
        assert any(("old", old) in state for state in kept)
    for new in (b"", b"1", b"12"):
        assert any(("new", new) in state for state in kept)
    assert any(len(state) == 1 for state in kept)  # without the new name

    disk = Disk(tmp_path)
    with watching(tmp_path, disk):
        write_bytes(tmp_path / "old", b"whole")
    assert {dict(state)["old"] for state in states(disk)} == {b"after!", b"whole"}
    with watching(tmp_path, disk):
        sync_folder(tmp_path)
    assert {dict(state)["old"] for state in states(disk)} == {b"whole"}
