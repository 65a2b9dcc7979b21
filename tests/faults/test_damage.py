"""A damaged file is named, and never taken for a whole one."""

import random

import pytest

from mnistlab.run_folders.weights import load_checkpoint
from tests.faults.damage import FILES, Finished, Interrupted, cuts, flips, load_wrongly


@pytest.fixture
def choice():
    return random.Random(20191120)  # noqa: S311 - samples, no secrets


@pytest.fixture(scope="module")
def interrupted(scenarios, tmp_path_factory):
    return Interrupted(scenarios["train --resume"], tmp_path_factory.mktemp("interrupted"))


@pytest.fixture(scope="module")
def finished(scenarios, tmp_path_factory):
    return Finished(scenarios["train"], tmp_path_factory.mktemp("finished"))


def test_a_damaged_checkpoint_never_loads_as_another(interrupted, tmp_path, choice):
    content = interrupted.contents["checkpoint.safetensors"]
    path = tmp_path / "checkpoint.safetensors"
    path.write_bytes(content)
    whole = load_checkpoint(path)
    assert load_wrongly(path, content, whole) is None
    damaged = [*cuts(content, 40), *flips(content, 100, choice)]
    assert [told for one in damaged if (told := load_wrongly(path, one, whole))] == []
    zeros = bytearray(content)
    zeros[-8:] = bytes(8)  # weights that were lost, under a digest that goes with others
    assert zeros == content or load_wrongly(path, bytes(zeros), whole) is None


def test_a_load_that_is_wrong_is_seen(interrupted, tmp_path):
    """Else the test above would prove nothing."""
    path = tmp_path / "checkpoint.safetensors"
    content = interrupted.contents["checkpoint.safetensors"]
    path.write_bytes(content)
    snapshot, notes = load_checkpoint(path)
    snapshot.parameters.flat[0] += 1
    assert load_wrongly(path, content, (snapshot, notes)) == "loads as something else"


@pytest.mark.parametrize("name", FILES)
def test_a_damaged_file_of_a_finished_run_is_named(finished, name, choice):
    assert finished.attempt(
        "log.txt", (finished.path / "log.txt").read_bytes()
    )  # is not vouched for
    content = (finished.path / name).read_bytes()
    damaged = [*cuts(content, 2), *flips(content, 2, choice)]
    assert [told for one in damaged for told in finished.attempt(name, one)] == []


def test_what_is_cut_short_and_damaged_goes_on_to_the_same_bits_or_is_refused(interrupted, choice):
    assert set(interrupted.contents) >= {"checkpoint.safetensors", "metrics.csv", "config.yaml"}
    problems = []
    for name, content in interrupted.contents.items():
        for damaged in [*cuts(content, 2), *flips(content, 2, choice)]:
            problems += interrupted.attempt(name, damaged)
    assert problems == []
