"""Kill it, interrupt it, start many at once: nothing finished is lost, and all goes on."""

import signal
import sys

import pytest

from tests.faults import processes
from tests.faults.crowd import crowd
from tests.faults.processes import KINDS, LONG, Victim

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")


@pytest.mark.parametrize("kind", ["momentum, step", "seeds"])
def test_what_is_killed_goes_on_to_the_same_bits(tmp_path, kind):
    words = [{"epochs=12": "epochs=6", "3": "2"}.get(word, word) for word in KINDS[kind]]
    victim = Victim(kind, tmp_path / "victim", tuple(words)).learn()
    assert victim.kill() == []
    assert victim.ratios  # it did go on


@pytest.mark.parametrize("kind", LONG)
def test_a_second_ctrl_c_leaves_at_once(tmp_path, kind):
    victim = Victim(kind, tmp_path / "victim", LONG[kind])
    assert victim.interrupt(0.8, signal.SIGINT, again=0.01) == []


def test_a_child_that_stays_behind_is_seen(tmp_path, monkeypatch):
    """Else the tests above would prove nothing of it."""
    monkeypatch.setattr(processes, "_below", lambda _: {1})
    victim = Victim("train", tmp_path / "victim", LONG["train"])
    told = victim.interrupt(0.8, signal.SIGTERM)
    assert any("child process is still there" in one for one in told)


@pytest.mark.parametrize("few", [False, True], ids=["", "few names"])
def test_processes_that_start_at_one_instant_share_no_folder(tmp_path, few):
    assert crowd(5, tmp_path / "crowd" / "runs", few=few) == []
