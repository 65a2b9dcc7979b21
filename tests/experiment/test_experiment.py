"""The main path, from configs to run folders, on the small dataset inside the package."""

import ctypes
import errno
import json
import os
import signal
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

from mnistlab import errors
from mnistlab.config.load import load_config
from mnistlab.core.losses import LOSSES, SquaredError
from mnistlab.datasets import load
from mnistlab.errors import ConfigError, DataError, InputError, Interrupted, RunFolderError
from mnistlab.experiment import prepare, train_run, training
from mnistlab.experiment.recorder import RunRecorder, run_key
from mnistlab.experiment.training import describe_epoch
from mnistlab.plots.drawing import Painter
from mnistlab.plugins import REGISTRIES, check_part, load_plugins
from mnistlab.run_folders import RunFolder
from mnistlab.run_folders.provenance import is_intact
from mnistlab.run_folders.weights import load_checkpoint
from mnistlab.statistics import interpret
from tests.plots.here import Here

MINI = {"data.dataset": "mnist-mini", "data.validation": "1000", "epochs": "2"}
PLOTS = ["confusion_matrix.png", "learning_curves.png", "mistakes.png", "weights.png"]


class Recorder:
    """A reporter that keeps what it is told."""

    def __init__(self):
        self.warnings, self.rows, self.stopped = [], [], False

    def message(self, text):
        pass

    def warn(self, text):
        self.warnings.append(text)

    def start(self, epochs):
        self.epochs = epochs

    def epoch(self, row, epochs):  # noqa: ARG002 - the reporter's interface
        self.rows.append(row)

    def stop(self):
        self.stopped = True


def mini(*overrides):
    """Overrides for a quick run, with others in place of the same keys."""
    chosen = MINI | dict(word.split("=", 1) for word in overrides)
    return [f"{key}={value}" for key, value in chosen.items()]


def train(*overrides, tmp_path, plots=None, reporter=None):
    with plots() if plots else nullcontext() as painter:
        plan = prepare([load_config(None, mini(*overrides))])
        return train_run(
            plan, runs_dir=tmp_path / "runs", reporter=reporter or Recorder(), painter=painter
        )


def test_a_run_leaves_every_file_of_the_contract(tmp_path):
    reporter = Recorder()
    run = train(tmp_path=tmp_path, plots=Painter, reporter=reporter)
    folder = run.folder
    names = {path.name for path in folder.path.iterdir()} - {"uncommitted.patch"}
    assert names == {
        *("config.yaml", "status.json", "environment.json", "metrics.csv", "summary.json"),
        *("predictions.npy", "model.safetensors", "log.txt", "plots"),
    }
    assert plots_of(run) == PLOTS
    assert folder.read_status()["status"] == "completed"
    assert folder.read_status()["error"] is None
    assert [row["epoch"] for row in reporter.rows] == [1, 2]
    assert reporter.stopped
    assert reporter.epochs == 2
    assert "training loss" in folder.log.read_text()
    environment = json.loads(folder.environment.read_text())
    assert environment["stack_width"] == 1
    assert environment["data_sha256"] == load("mnist-mini", validation=0).sha256
    assert len(environment["key"]) == 64


def test_the_summary_is_what_the_files_say(tmp_path):
    run = train(tmp_path=tmp_path)
    summary = run.folder.read_summary()
    assert summary == json.loads(json.dumps(run.summary))
    metrics = run.folder.read_metrics()
    assert summary["epochs"] == len(metrics["epoch"]) == 2
    assert summary["train"]["loss"] == metrics["train_loss"][-1]
    assert summary["validation"]["accuracy"] == metrics["validation_accuracy"][-1]
    test = load("mnist-mini", validation=0).test
    predictions = np.load(run.folder.predictions)
    assert summary["test"]["accuracy"] == np.mean(predictions == test.labels)
    arrays = safetensors.numpy.load_file(run.folder.model)
    x = test.images.reshape(1000, -1) / 255
    outputs = x @ arrays["W"] + arrays["b"]
    assert np.mean(outputs.argmax(1) != predictions) < 0.002  # float32 may turn a near-tie
    loss = np.square(outputs - np.eye(10)[test.labels]).sum(1).mean()
    assert summary["test"]["loss"] == pytest.approx(loss, rel=1e-5)


def test_a_runs_config_repeats_it_to_the_byte(tmp_path):
    first = train("init=normal", "optimizer=momentum", tmp_path=tmp_path)
    plan = prepare([load_config(first.folder.config)])
    second = train_run(plan, runs_dir=tmp_path / "again", reporter=Recorder())
    assert first.folder.model.read_bytes() == second.folder.model.read_bytes()
    assert first.folder.predictions.read_bytes() == second.folder.predictions.read_bytes()
    other = train("init=normal", "optimizer=momentum", "seed=1", tmp_path=tmp_path)
    assert other.folder.model.read_bytes() != first.folder.model.read_bytes()


def test_the_seed_decides_the_data_order_too(tmp_path):
    first, second = (train(f"seed={seed}", tmp_path=tmp_path) for seed in (0, 1))
    assert first.folder.model.read_bytes() != second.folder.model.read_bytes()


def test_a_run_without_validation_has_none(tmp_path):
    run = train("data.validation=0", tmp_path=tmp_path, plots=Here)
    assert run.summary["validation"] == {"loss": None, "accuracy": None}
    assert plots_of(run) == PLOTS


def test_a_rate_beyond_the_limit_warns_and_diverges_readably(tmp_path):
    reporter = Recorder()
    run = train("learning_rate=0.1", tmp_path=tmp_path, plots=Here, reporter=reporter)
    assert run.status == "diverged"
    (warning,) = reporter.warnings
    assert "learning rate 0.1 is beyond the stability limit of this data and batch " in warning
    assert run.folder.read_status()["error"].startswith("the loss overflowed float32 in epoch 1, ")
    assert run.summary["test"] == {"loss": None, "accuracy": None}
    steps, losses = run.folder.read_divergence()
    assert steps == list(range(1, len(losses) + 1))
    assert losses[0] == pytest.approx(1.0)
    assert not np.isfinite(losses[-1])
    assert plots_of(run) == ["learning_curves.png"]
    assert not run.folder.model.exists()
    assert np.isnan(run.folder.read_metrics()["train_accuracy"]).all()


def test_the_exact_limit_is_near_the_quick_one():
    config = load_config(None, mini())
    quick = prepare([config]).limits[0]
    exact = prepare([config], exact_limit=True).limits[0]
    assert quick == pytest.approx(exact, rel=0.02)
    assert prepare([load_config(None, mini("optimizer=adam"))]).limits[0] is None


@pytest.mark.parametrize(
    ("overrides", "error", "message"),
    [
        (["batch_size=5001"], ConfigError, "batch_size 5001 is larger than the training split of"),
        (["data.validation=6000"], DataError, "6000|6,000"),
        (["data.dataset=mnist-mni"], InputError, "did you mean 'mnist-mini'"),
        ([f"data.dataset={'x' * 5000}"], InputError, "unknown dataset"),
        (["data.preprocess=[deskw]"], InputError, "did you mean 'deskew'"),
    ],
)
def test_what_cannot_be_trained_is_refused_before_a_folder_is_made(
    overrides, error, message, tmp_path
):
    with pytest.raises(error, match=message):
        train(*overrides, tmp_path=tmp_path)
    assert not (tmp_path / "runs").exists()


def test_a_path_to_data_is_recorded_absolute(tmp_path, monkeypatch):
    mini = load("mnist-mini", validation=0)
    np.savez(
        tmp_path / "own.npz",
        x_train=mini.train.images[:300],
        y_train=mini.train.labels[:300],
        x_test=mini.test.images[:100],
        y_test=mini.test.labels[:100],
    )
    monkeypatch.chdir(tmp_path)
    run = train("data.dataset=own.npz", "data.validation=50", tmp_path=tmp_path)
    assert str(tmp_path / "own.npz") in run.folder.config.read_text()


def test_an_interrupt_is_saved_and_raised(tmp_path, monkeypatch):
    add_epoch = RunRecorder.add_epoch

    def interrupt(self, record, position):
        row = add_epoch(self, record, position)
        if record.epoch == 3:
            raise Interrupted
        return row

    monkeypatch.setattr(RunRecorder, "add_epoch", interrupt)
    with pytest.raises(Interrupted):
        train("epochs=9", tmp_path=tmp_path, plots=Painter)
    folder = run_folder(tmp_path)
    status = folder.read_status()
    assert (status["status"], status["error"]) == ("interrupted", "SIGINT")
    assert folder.read_summary()["status"] == "interrupted"
    assert folder.read_summary()["epochs"] == 3
    assert load_checkpoint(folder.checkpoint)[0].epoch == 3


def test_a_failure_is_recorded_and_raised(tmp_path, monkeypatch):
    def fail(*_arguments, **_named):
        raise OSError(28, "No space left on device", "somewhere")

    monkeypatch.setattr(training, "evaluate", fail)
    with pytest.raises(OSError, match="No space left"):
        train(tmp_path=tmp_path)
    status = run_folder(tmp_path).read_status()
    assert status["status"] == "failed"
    assert "No space left" in status["error"]


def test_a_run_whose_plots_fail_is_complete_and_says_why_it_has_none(tmp_path, monkeypatch):
    (tmp_path / "matplotlib.py").write_text("raise ImportError('no drawing today')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    run = train(tmp_path=tmp_path, plots=Painter)
    assert run.status == "completed"
    assert "no drawing today" in run.not_drawn
    assert is_intact(run.folder)


def test_checkpoints_come_when_asked_for_and_go_at_the_end(tmp_path, monkeypatch):
    saved = []
    monkeypatch.setattr(RunRecorder, "save_progress", lambda _run, s: saved.append(s.epoch))
    train("epochs=5", "checkpoint_every=2", tmp_path=tmp_path)
    assert saved == [2, 4]
    monkeypatch.undo()
    monkeypatch.setenv("MNISTLAB_DATA_DIR", str(tmp_path))
    seen = []
    monkeypatch.setattr(
        Recorder, "epoch", lambda *_: seen.append(run_folder(tmp_path).checkpoint.exists())
    )
    run = train("epochs=3", "checkpoint_every=1", tmp_path=tmp_path)
    assert seen == [False, True, True]
    assert not run.folder.checkpoint.exists()


def test_the_key_ignores_the_name_alone():
    one, other = (load_config(None, mini(f"name={name}")) for name in "ab")
    assert run_key(one, "x") == run_key(other, "x")
    assert run_key(one, "x") != run_key(one, "y")
    assert run_key(one, "x") != run_key(load_config(None, mini("seed=1")), "x")


@pytest.mark.parametrize(
    ("losses", "last_rate", "message"),
    [
        ([1.0, 0.5], 0.1, "still falling, by 50.0% an epoch in the last epoch"),
        (
            [0.9, 0.5, 0.48, 0.47, 0.475, 0.46, 0.45],
            0.1,
            "falling, by 2.0% an epoch over the last 5",
        ),
        ([0.5, 0.4999], 0.1, "It has converged"),
        ([0.4, 0.41], 0.1, "no longer falls"),
        ([0.4, 5.0], 0.1, "the learning rate is too high"),
        ([0.5, 0.9, 0.5, 0.8, 0.45], 0.1, "goes up and down, by 50%"),
        ([0.5, 0.5001, 0.4999, 0.5, 0.4998], 0.1, "no longer falls"),
        ([0.5, 0.4], 0.001, "The schedule has run out"),
        ([0.9999, 0.9998], 0.1, "hardly moved: it was about 1 before training and is 0.9998"),
        ([1.0001, 1.0], 0.1, "learning rate is probably too low"),
        (
            [1 - 0.0009 * epoch for epoch in range(1, 21)],
            0.1,
            "fell no faster at the beginning than at the end",
        ),
    ],
)
def test_what_the_numbers_mean(losses, last_rate, message):
    rates = [0.1] * (len(losses) - 1) + [last_rate]
    rows = [
        {"epoch": epoch, "train_loss": loss, "learning_rate": rate}
        for epoch, (loss, rate) in enumerate(zip(losses, rates, strict=True), start=1)
    ]
    summary = {"status": "completed", "test": {"accuracy": 0.85}, "validation": {"accuracy": 0.8}}
    known = {"commonest": 0.1135, "images": 10_000, "start_loss": 1.0, "stop_after": None}
    certainty, progress = interpret(summary, rows, epochs=len(rows), **known)
    assert "85.00%" in certainty
    assert "11.35%" in certainty
    assert message in progress
    assert len(interpret(summary, rows[:1], epochs=1, **known)) == 1
    nothing = {"status": "diverged", "test": {"accuracy": None}}
    assert interpret(nothing, [], epochs=9, **known) == []


def test_a_test_split_below_chance_is_said_to_be_odd():
    known = {"commonest": 0.1135, "images": 10_000, "start_loss": 1.0, "stop_after": None}
    for test, validation, is_odd in ((0.02, 0.83, True), (0.02, 0.03, False), (0.08, 0.83, False)):
        summary = {
            "status": "completed",
            "test": {"accuracy": test},
            "validation": {"accuracy": validation},
        }
        told = " ".join(interpret(summary, [], epochs=0, **known))
        assert ("worse than guessing, while the validation accuracy is 83.00%" in told) == is_odd


def test_stop_after_is_told_from_early_stopping(tmp_path):
    told = " ".join(train("epochs=6", "stop_after=3", tmp_path=tmp_path).meaning)
    assert "It ended after epoch 3 of 6, as stop_after says." in told
    assert "Early stopping" not in told


@pytest.mark.parametrize(
    ("words", "warning"),
    [
        (("epochs=3", "early_stopping=7"), "early_stopping 7 can end nothing within 3 epochs"),
        (
            ("epochs=3", "early_stopping=2", "evaluate_every=2"),
            "early_stopping 2 can end nothing within 3 epochs that are evaluated every 2",
        ),
        (("epochs=8", "early_stopping=7"), None),
        (
            ("batch_size=4999",),
            "the last batch of an epoch has 1 of 4999 images, and its step counts",
        ),
        (("batch_size=400",), None),
    ],
)
def test_what_can_hardly_be_meant_is_warned_of(words, warning):
    told = prepare([load_config(None, mini(*words))]).warnings()
    assert len(told) == (warning is not None)
    assert all(one.startswith(warning) for one in told)


def test_early_stopping_says_so(tmp_path):
    run = train("learning_rate=0.02", "epochs=60", "early_stopping=1", tmp_path=tmp_path)
    done = len(run.rows)
    assert done < 60
    losses = [row["validation_loss"] for row in run.rows]
    best = 1 + losses.index(min(losses))
    assert f"after epoch {done} of 60: the validation loss was lowest in epoch {best}." in (
        " ".join(run.meaning)
    )


def test_an_epoch_as_text():
    row = {"epoch": 3, "train_loss": 0.25, "train_accuracy": 0.9}
    assert describe_epoch(row, 10) == "epoch  3/10  training loss 0.2500, accuracy 90.00%"


def test_a_plugin_adds_a_loss_that_configs_can_name(tmp_path):
    plugin = tmp_path / "mine.py"
    plugin.write_text(
        "from mnistlab.core.losses import LOSSES, SquaredError\n"
        "class Half(SquaredError):\n"
        "    curvature = 1.0\n"
        "    def value(self, outputs, targets):\n"
        "        return super().value(outputs, targets) / 2\n"
        "    def gradient(self, outputs, targets):\n"
        "        return super().gradient(outputs, targets) / 2\n"
        "LOSSES.add('half_squared_error', Half())\n"
    )
    try:
        load_plugins([plugin])
        half = train("loss=half_squared_error", "learning_rate=0.02", tmp_path=tmp_path)
        with pytest.raises(ConfigError, match="normal equations"):  # with a decay its are others
            load_config(None, mini("loss=half_squared_error", "optimizer=exact"))
    finally:
        LOSSES.pop("half_squared_error", None)
    whole = train("learning_rate=0.01", tmp_path=tmp_path)
    assert isinstance(LOSSES["squared_error"], SquaredError)
    assert 2 * half.summary["test"]["loss"] == pytest.approx(
        whole.summary["test"]["loss"], rel=1e-6
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "there is no such file"),
        ("x = 1\ny = 1 / 0\n", r"bad\.py, line 2: ZeroDivisionError"),
        ("x = 1\ndef f(:\n", r"bad\.py, line 2: SyntaxError"),
    ],
)
def test_a_plugin_that_fails_is_named_with_its_line(tmp_path, content, message):
    path = tmp_path / "bad.py"
    if content is not None:
        path.write_text(content)
    with pytest.raises(InputError, match=message):
        load_plugins([path])


LOSS = """
from mnistlab.core.losses import LOSSES
class Mine:
    curvature = None
    def value(self, outputs, targets):
        return {value}
    def gradient(self, outputs, targets):
        return {gradient}
LOSSES.add("mine", {entry})
"""
RIGHT = {
    "value": "abs(outputs - targets).sum(axis=-1)",
    "gradient": "2.0 * (outputs - targets)",
    "entry": "Mine()",
}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"entry": "Mine"}, r"loss 'mine' is a class; register an instance: Mine\(\)"),
        ({"entry": "object()"}, "loss 'mine' has no `curvature`"),
        (
            {"value": "abs(outputs - targets)"},
            r"value\(outputs, targets\) must have the shape \(B, K\), here \(4, 2\), and has",
        ),
        ({"gradient": "outputs.sum()"}, r"gradient\(outputs, targets\) must have the shape"),
        ({"gradient": "outputs"}, "must return a new array"),
        ({"gradient": "outputs.nothing"}, "loss 'mine' fails in line 8: AttributeError"),
    ],
)
def test_a_part_that_does_not_fit_is_refused_at_once(tmp_path, monkeypatch, change, message):
    path = tmp_path / "mine.py"
    path.write_text(LOSS.format(**RIGHT | change))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=message):
        load_plugins([Path("mine.py")])


@pytest.mark.parametrize("registry", REGISTRIES, ids=lambda registry: registry.kind)
def test_every_part_of_ours_keeps_its_contract(registry):
    for name, part in registry.items():
        if name != "exact":  # it takes no steps
            check_part(registry.kind, part)


def test_a_plugin_named_twice_is_loaded_once(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(LOSS.format(**RIGHT))
    load_plugins([path, path])
    assert "mine" in LOSSES


def test_a_folder_without_room_for_a_run_is_left_as_it_was(tmp_path, monkeypatch):
    def full(path, content):  # noqa: ARG001 - as write_bytes
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("mnistlab.run_folders.files.write_text", full)
    with pytest.raises(
        RunFolderError, match=r"here .No space left on device.; free some space or choose"
    ):
        train(tmp_path=tmp_path)
    assert list((tmp_path / "runs").iterdir()) == []


def test_a_disk_that_fills_up_leaves_a_failed_run(tmp_path, monkeypatch):
    def full(path, array):  # noqa: ARG001 - as save_weights
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("mnistlab.experiment.recorder.save_weights", full)
    with pytest.raises(OSError, match="No space left"):
        train(tmp_path=tmp_path)
    assert run_folder(tmp_path).read_status()["status"] == "failed"


def test_steps_to_the_overflow_count_from_the_start(tmp_path):
    run = train("learning_rate=0.028", "epochs=60", tmp_path=tmp_path)
    assert run.status == "diverged"
    steps, losses = run.folder.read_divergence()
    assert len(run.rows) > 1
    assert steps[0] == (len(run.rows) - 1) * 50 + 1
    assert len(steps) == len(losses)


def run_folder(tmp_path):
    return RunFolder((tmp_path / "runs" / "latest").resolve())


def plots_of(run):
    return sorted(path.name for path in run.folder.plots.iterdir())


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_signal_whose_exception_is_lost_is_heard_all_the_same(tmp_path, monkeypatch):
    """Python drops what is raised in a callback from C."""
    handlers = {number: signal.getsignal(number) for number in errors._SIGNALS}
    lose = ctypes.CFUNCTYPE(None)(lambda: os.kill(os.getpid(), signal.SIGTERM))
    monkeypatch.setattr(training, "uncommitted_changes", lambda _: lose() or "")
    errors.catch_signals()
    try:
        with pytest.raises(Interrupted, match="SIGTERM"):
            train(tmp_path=tmp_path)
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    assert run_folder(tmp_path).read_status()["status"] == "interrupted"
