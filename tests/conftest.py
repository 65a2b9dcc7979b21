"""What every test may rely on: no test writes to the user's cache or run folders."""

import pytest

from mnistlab import interrupts


@pytest.fixture(autouse=True)
def _own_folders(tmp_path, monkeypatch):
    monkeypatch.setenv("MNISTLAB_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("MNISTLAB_RUNS_DIR", str(tmp_path / "runs"))


@pytest.fixture(autouse=True)
def _no_signal_yet(monkeypatch):
    """Forget the signals that an earlier test in this process has sent itself."""
    monkeypatch.setattr(interrupts._State, "received", None)
