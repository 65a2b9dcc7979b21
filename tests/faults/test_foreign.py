"""A foreign folder hurts nobody else: commands end soon, in little memory and in a sentence."""

import pytest

from tests.faults.foreign import FORGERIES, SIZES, SIZES_OF_A_SWEEP, TEXTS, ForeignFolder

LARGE = {
    "run": [(name, SIZES[name][-1]) for name in ("metrics.csv", "uncommitted.patch")],
    "sweep": [(name, SIZES_OF_A_SWEEP[name][0]) for name in ("status.json", "sweep.json")],
}


@pytest.fixture(scope="module", params=["run", "sweep"])
def folder(request, tmp_path_factory):
    return ForeignFolder(request.param, tmp_path_factory.mktemp("foreign") / "place")


def test_a_file_as_large_as_no_run_has_it_costs_neither_time_nor_memory(folder):
    """Each of two files with two commands; all files with all commands by make stress."""
    problems = []
    for first, (name, change) in zip((0, 4), LARGE[folder.kind], strict=True):
        tried = folder.try_sizes(name, change, first=first, every=8)
        problems += [one for found in tried for one in found]
    assert problems == []
    assert len(folder.costs) == 4


def test_whatever_a_file_says_the_others_are_listed_and_a_terminal_obeys_nothing(folder):
    """Each command with some texts and each text with some commands; all by make stress."""
    names, problems = FORGERIES[folder.kind], []
    for at, text in enumerate(TEXTS if folder.kind == "run" else TEXTS[::2]):
        found = folder.try_forgery(names[at % len(names)], text, first=at % 5, every=5)
        problems += [one for problem in found for one in problem]
    assert problems == []
