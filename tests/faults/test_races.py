"""Two commands on one folder at once: each ends in a sentence or well, and nothing is lost."""

import random

import pytest

from tests.faults.races import SWAP, RacingCommands


@pytest.fixture(scope="module")
def racing(scenarios, tmp_path_factory):
    return RacingCommands(scenarios, tmp_path_factory.mktemp("races"))


@pytest.mark.parametrize("swapped", [False, True])
def test_a_command_that_is_overtaken(racing, swapped):
    choice = random.Random(20191120)  # noqa: S311 - moments, no secrets
    races = [race for race in racing.races if (race.second == SWAP) == swapped]
    problems = [racing.attempt(race, choice) for race in choice.sample(races, 7)]
    assert [one for found in problems for one in found] == []


def test_every_pair_of_commands_is_there(racing):
    """Else the test above would prove little."""
    firsts = {(race.target, race.first) for race in racing.races}
    seconds = {(race.target, race.second) for race in racing.races if race.second != SWAP}
    assert firsts == seconds
    assert len(racing.races) > 200
