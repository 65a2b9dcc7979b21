"""Data that somebody changes while a run trains on them end it, with the reason."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mnistlab.config.load import load_config
from mnistlab.datasets import load
from mnistlab.datasets.data_files import NAMES, write_idx
from mnistlab.errors import DataError
from mnistlab.experiment import prepare, train_run
from mnistlab.run_folders import RunFolder
from mnistlab.run_folders.folder import SweepFolder
from mnistlab.store.verify import DIFFERS, verify
from mnistlab.sweeps.plan import prepare_sweep
from mnistlab.sweeps.trials import load_sweep
from tests.experiment.test_experiment import Recorder
from tests.sweep.helpers import SweepRecorder, run_prepared


def write_folder(folder):
    """Write a few digits as a folder of IDX files."""
    mini = load("mnist-mini", validation=0)
    folder.mkdir()
    arrays = (mini.train.images[:600], mini.train.labels[:600], mini.test.images, mini.test.labels)
    for name, array in zip(NAMES, arrays, strict=True):
        write_idx(folder / name, array)
    return folder


def write_npz(folder):
    mini = load("mnist-mini", validation=0)
    path = folder.with_suffix(".npz")
    np.savez(path, x_train=mini.train.images[:600], y_train=mini.train.labels[:600],
             x_test=mini.test.images, y_test=mini.test.labels)  # fmt: skip
    return path


def first_file(data):
    return data / NAMES[0] if data.is_dir() else data


def truncate(path):
    os.truncate(path, path.stat().st_size // 3)


def overwrite(path):
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2)
        file.write(bytes(range(200)))


def replace_by_another(path):
    other = path.with_name("other")
    other.write_bytes(path.read_bytes())
    overwrite(other)
    other.replace(path)


CHANGES = {
    "truncated": truncate,
    "overwritten": overwrite,
    "replaced": replace_by_another,
    "removed": Path.unlink,
}


class Changer(Recorder):
    """Changes a file after an epoch."""

    def __init__(self, path, change, after=2):
        super().__init__()
        self.path, self.change, self.after = path, change, after

    def epoch(self, row, epochs):
        super().epoch(row, epochs)
        if row["epoch"] == self.after:
            self.change(self.path)


def only_run(runs):
    (path,) = (path for path in runs.iterdir() if not path.is_symlink())
    return path


@pytest.mark.parametrize("write", [write_folder, write_npz])
@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("after", [2, 4])
def test_a_run_fails_with_the_reason(tmp_path, write, change, after):
    data = write(tmp_path / "data")
    words = [f"data.dataset={data}", "data.validation=100", "epochs=4", "checkpoint_every=1"]
    plan = prepare([load_config(None, words)])
    path = first_file(data)
    with pytest.raises(DataError, match="has changed while it was being trained on"):
        train_run(plan, runs_dir=tmp_path / "runs", reporter=Changer(path, CHANGES[change], after))
    folder = RunFolder(only_run(tmp_path / "runs"))
    status = folder.read_status()
    assert status["status"] == "failed"
    assert str(path) in status["error"]
    assert folder.read_metrics()["epoch"] == [1, 2, 3, 4][:after]


def test_a_file_that_is_only_touched_or_put_back_is_no_reason(tmp_path):
    data = write_folder(tmp_path / "data")

    def rewrite(path):
        content = path.read_bytes()
        path.write_bytes(b"")
        path.write_bytes(content)
        os.utime(path)

    words = [f"data.dataset={data}", "data.validation=100", "epochs=4"]
    run = train_run(
        prepare([load_config(None, words)]),
        runs_dir=tmp_path / "runs",
        reporter=Changer(data / NAMES[0], rewrite),
    )
    assert run.status == "completed"


def test_a_file_cut_short_in_the_midst_of_an_epoch_is_no_bus_error(tmp_path):
    data = write_folder(tmp_path / "data")
    program = f"""
import os
from mnistlab.core import trainer
from mnistlab.__main__ import main
shuffled = trainer.shuffled
def cutting(*given):
    for at, rows in enumerate(shuffled(*given)):
        os.truncate({str(data / NAMES[0])!r}, 20)
        yield rows
trainer.shuffled = cutting
main()
"""
    words = ["train", "-c", str(tmp_path / "a.yaml"), "--runs-dir", str(tmp_path / "runs")]
    (tmp_path / "a.yaml").write_text(f"data: {{dataset: {data}, validation: 100}}\n")
    done = subprocess.run(
        [sys.executable, "-c", program, *words, "--no-plots"],
        capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert "has changed while it was being trained on" in done.stderr


class SweepChanger(SweepRecorder):
    def __init__(self, path, change):
        super().__init__()
        self.path, self.change = path, change

    def event(self, event):
        super().event(event)
        if len(self.events) == 2:
            self.change(self.path)


def test_a_sweep_fails_with_the_reason(tmp_path):
    data = write_folder(tmp_path / "data")
    (tmp_path / "base.yaml").write_text(
        f"data: {{dataset: {data}, validation: 100}}\nepochs: 200\n"
    )
    prepared = prepare_sweep(load_sweep(tmp_path / "base.yaml", ["learning_rate=0.01,0.02"]))
    reporter = SweepChanger(data / NAMES[0], overwrite)
    with pytest.raises(DataError, match="has changed while it was being trained on"):
        run_prepared(prepared, tmp_path / "runs", reporter=reporter)
    folder = SweepFolder(only_run(tmp_path / "runs"))
    assert folder.read_status()["status"] == "failed"
    assert str(data / NAMES[0]) in folder.read_status()["error"]
    assert folder.runs() == []


def test_verify_trusts_no_copy_in_the_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("MNISTLAB_DATA_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr("mnistlab.datasets.preprocess._is_alike", lambda *_: True)
    words = ["data.dataset=mnist-mini", "data.validation=1000", "epochs=1"]
    config = load_config(None, [*words, "data.preprocess=[deskew]"])
    prepare([config])
    for path in (tmp_path / "cache").rglob("*.idx"):
        content = bytearray(path.read_bytes())
        content[16:] = np.random.default_rng(0).bytes(len(content) - 16)
        path.unlink()
        path.with_name(f"{hashlib.sha256(content).hexdigest()}.idx").write_bytes(content)
    run = train_run(prepare([config]), runs_dir=tmp_path / "runs", reporter=Recorder())
    assert verify(run.folder, Recorder()).verdict == DIFFERS
