"""When a call on the disk fails, the command says so in a sentence and loses nothing."""

import errno

import pytest

from tests.faults.fault import Fault, faults_of

# one in so many of all faults, so that each takes about a second
EVERY = {
    "train": 131,
    "train --resume": 131,
    "train --resume, longer": 201,
    "sweep": 801,
    "sweep --resume": 601,
    "runs delete": 81,
    "runs export": 81,
}


@pytest.mark.parametrize("name", EVERY)
def test_a_failing_call_is_told_and_loses_nothing(scenarios, tmp_path, name):
    scenario = scenarios[name]
    faults = list(faults_of(scenario.count(tmp_path), EVERY[name]))
    problems = [scenario.attempt(fault, tmp_path) for fault in faults]
    # how many checkpoints there are is a matter of time, so the last calls may not come
    assert sum(problem is None for problem in problems) <= max(2, len(faults) // 10)
    assert [line for found in problems for line in found or ()] == []


@pytest.mark.parametrize("kind", ["write", "replace"])
def test_plots_that_cannot_be_kept_are_told(scenarios, tmp_path, kind):
    fault = Fault(kind, 2, errno.ENOSPC, for_good=True)
    assert scenarios["runs plot"].attempt(fault, tmp_path) == []
