"""What `train --resume` does beside training: no more than there is to do."""

import errno
import os
from pathlib import Path

import pytest

from mnistlab.plots import drawing as painter
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


@pytest.fixture
def undrawable(tmp_path, monkeypatch):
    """Let the process that draws die until the file is gone that this returns."""
    broken = tmp_path / "broken" / "matplotlib.py"
    broken.parent.mkdir()
    broken.write_text("import os; os._exit(9)")
    monkeypatch.setenv("PYTHONPATH", str(broken.parent))
    return broken


DRAWN = {
    ("train",): {"learning_curves", "confusion_matrix", "weights", "mistakes"},
    ("sweep", "learning_rate=0.005,0.01"): {"learning_rate", "all_learning_curves"},
}


@pytest.mark.parametrize("words", DRAWN)
def test_what_could_not_be_drawn_is_drawn_when_one_goes_on(tmp_path, run, undrawable, words):
    runs = tmp_path / "my runs"
    command, *rest = words
    given = ("-c", write_config(tmp_path), "epochs=2", "--runs-dir", runs, "-q")
    code, _, err = run(command, *given, *rest)
    assert code == 1
    name = (runs / "latest").readlink().name
    assert f"to draw them: mnistlab runs plot {name} --runs-dir '{runs}'" in err
    assert not (runs / name / "plots").exists()
    undrawn = run(command, "--resume", name, "--runs-dir", runs)
    assert undrawn[0] == 1
    assert f"mnistlab runs plot {name} --runs-dir '{runs}'" in undrawn[2]
    undrawable.unlink()
    code, out, err = run(command, "--resume", name, "--runs-dir", runs)
    assert code == 0
    assert "not all of its plots are there" in err
    assert {path.stem for path in (runs / name / "plots").iterdir()} == DRAWN[words]
    assert all(name in err for name in DRAWN[words])
    assert "complete already" in out
    again = run(command, "--resume", name, "--runs-dir", runs)
    assert again[0] == 0
    assert "plots are there" not in again[2]
    assert run("runs", "verify", name, "--runs-dir", runs, "-q")[0] == 0
