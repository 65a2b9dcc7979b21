"""What `train --resume` does beside training: no more than there is to do."""

import errno
import os
from pathlib import Path

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
    code, out, _ = run("train", "--resume", "latest")
    assert (code, "It was complete already." in out, started) == (0, True, [])
    code, out, err = run("train", "--resume", "latest", "epochs=4", "-q")
    assert (code, len(started)) == (0, 1), err
    (path,) = (path for path in (tmp_path / "runs").glob("2*"))
    assert len(list((path / "plots").glob("*.png"))) == 4


def test_what_was_left_aside_is_cleared_away_by_the_next_command(run, tmp_path):
    assert train(write_config(tmp_path), tmp_path / "runs", "learning_rate=0.001").code == 0
    folder = (tmp_path / "runs" / "latest").resolve()
    aside, own = folder / ".summary.json.0123abcd", folder / ".mine"
    for words in ((), ("epochs=4",)):
        aside.write_text("{}")
        own.write_text("not mnistlab's")
        code, _, err = run("train", "--resume", "latest", *words, "-q", "--no-plots")
        assert (code, aside.exists(), own.exists()) == (0, False, True), err
    assert not (folder / "run.lock").exists()


def test_an_aside_that_could_not_be_removed_is_gone_at_the_end(run, tmp_path, monkeypatch):
    assert train(write_config(tmp_path), tmp_path / "runs", "learning_rate=0.001").code == 0
    folder, real, refused = (tmp_path / "runs" / "latest").resolve(), Path.unlink, []

    def unlink(path, missing_ok=False):
        if path.name.startswith(".summary.json.") and not refused:
            refused.append(path)
            raise OSError(errno.EIO, os.strerror(errno.EIO), str(path))
        real(path, missing_ok=missing_ok)

    monkeypatch.setattr(Path, "unlink", unlink)
    code, _, err = run("train", "--resume", "latest", "epochs=4", "-q", "--no-plots")
    assert (code, len(refused)) == (0, 1), err
    assert [path.name for path in folder.iterdir() if path.name.startswith(".")] == []
