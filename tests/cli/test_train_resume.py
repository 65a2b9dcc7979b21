"""What `train --resume` does beside training: no more than there is to do."""

import pytest

from mnistlab.plots import painter
from tests.faults.command import train, write_config


@pytest.fixture
def started(monkeypatch):
    """Return the list of drawing processes that were started."""
    made = []
    real = painter.Painter.__init__

    def begin(self, plugins=()):
        made.append(self)
        real(self, plugins)

    monkeypatch.setattr(painter.Painter, "__init__", begin)
    return made


def test_a_complete_run_starts_nothing_that_draws(run, tmp_path, started):
    assert train(write_config(tmp_path), tmp_path / "runs", "learning_rate=0.001").code == 0
    code, out, _ = run("train", "--resume", "latest", "-q")
    assert (code, "It was complete already." in out, started) == (0, True, [])
    code, out, err = run("train", "--resume", "latest", "epochs=4", "-q")
    assert (code, len(started)) == (0, 1), err
    (path,) = (path for path in (tmp_path / "runs").glob("2*"))
    assert len(list((path / "plots").glob("*.png"))) == 4
