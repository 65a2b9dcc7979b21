"""What an epoch costs beside computing does not grow with the epochs before it."""

from types import SimpleNamespace

from mnistlab.config.load import load_config
from mnistlab.experiment import prepare, recorder, train_run
from mnistlab.experiment.recorder import CHECKPOINT_SHARE, CheckpointTimer
from mnistlab.run_folders import files
from tests.experiment.test_experiment import Recorder
from tests.faults.command import write_config


def test_an_epoch_writes_its_own_row_and_no_other(tmp_path, monkeypatch):
    """Else training takes a time that grows with the square of the epochs."""
    appended, written = [], []
    append, write = files.append_text, files.write_bytes
    monkeypatch.setattr(files, "append_text", lambda *a: (appended.append(len(a[1])), append(*a)))
    monkeypatch.setattr(files, "write_bytes", lambda *a: (written.append(a[0].name), write(*a)))
    config = load_config(write_config(tmp_path), ["epochs=60", "checkpoint_every=1000"])
    run = train_run(prepare([config]), runs_dir=tmp_path / "runs", reporter=Recorder())
    assert len(run.rows) == 60
    assert max(appended) < 300
    assert written.count("metrics.csv") == 2  # the first row, and all of them at the end
    assert len(written) < 12


def test_checkpoints_take_a_share_of_the_time(monkeypatch):
    clock = [100.0]
    monkeypatch.setattr(recorder, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    timer = CheckpointTimer(clock[0])
    assert timer.is_due()
    assert not timer.is_due(least=3600)
    with timer.saving():
        clock[0] += 2
    assert not timer.is_due()
    clock[0] += 0.9 * 2 / CHECKPOINT_SHARE
    assert not timer.is_due()
    clock[0] += 0.2 * 2 / CHECKPOINT_SHARE
    assert timer.is_due()
    assert not timer.is_due(least=3600)
