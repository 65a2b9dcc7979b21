"""A run that is cut short goes on to the bits that it would have come to."""

import functools
import json
from dataclasses import replace

import pytest

from mnistlab.config.load import load_config
from mnistlab.errors import RunFolderError
from mnistlab.experiment import prepare, train_run
from mnistlab.experiment import resume as resuming
from mnistlab.experiment.resume import plan_resumption
from mnistlab.run_folders import RunFolder
from mnistlab.run_folders.weights import load_checkpoint
from tests.digits import VALIDATION, write_digits
from tests.experiment.test_experiment import Recorder, mini

SETTINGS = {
    "sgd": ["epochs=5"],
    "momentum, cosine": ["epochs=5", "optimizer=momentum", "schedule=cosine"],
    "nesterov, step": ["epochs=5", "optimizer=nesterov", "schedule=step", "step_epochs=2"],
    "adam": ["epochs=5", "optimizer=adam", "model=sigmoid"],
    "seldom evaluated": ["epochs=5", "evaluate_every=2", "init=normal"],
    "early stopping": ["epochs=40", "early_stopping=2", "model=sigmoid", "learning_rate=3.0"],
    "adamw, pairs": ["epochs=5", "optimizer=adamw", "weight_decay=0.1", "model=pairwise"],
    "features": [
        "epochs=5",
        "learning_rate=0.001",
        "features=[{pca: {components: 10}}, polynomial, {random_relu: {features: 50}}]",
    ],
    "stopped": ["epochs=9", "stop_after=5", "schedule=cosine"],
}


class Interrupter(Recorder):
    """Ends training after so many epochs, as Ctrl-C would."""

    def __init__(self, after):
        super().__init__()
        self.after = after

    def epoch(self, row, epochs):
        super().epoch(row, epochs)
        if row["epoch"] == self.after:
            raise KeyboardInterrupt


def resume(folder, *words, reporter=None):
    known = load_config(folder.config)
    config = load_config(folder.config, words)
    plan = prepare([config], fitted=folder.read_features())
    resumption = plan_resumption(folder, known, config, plan)
    if resumption is None:
        return None
    return train_run(
        plan, runs_dir=folder.path.parent, reporter=reporter or Recorder(), resumption=resumption
    )


def content(folder):
    metrics = folder.read_metrics()
    del metrics["seconds"]
    config = folder.config.read_text()
    return folder.model.read_bytes(), folder.predictions.read_bytes(), repr(metrics), config


def train(tmp_path, words, reporter):
    data = [f"data.dataset={write_digits()}", f"data.validation={VALIDATION}"]
    plan = prepare([load_config(None, mini(*data, *words))])
    return train_run(plan, runs_dir=tmp_path / "runs", reporter=reporter)


def cut_short(tmp_path, words, after):
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path, words, Interrupter(after))
    (path,) = (path for path in (tmp_path / "runs").iterdir() if not path.is_symlink())
    folder = RunFolder(path)
    assert folder.read_status()["status"] == "interrupted"
    return folder


@pytest.fixture(scope="module")
def whole_of(tmp_path_factory):
    """Return a function that trains a run by its name without an interruption, once each."""

    @functools.cache
    def whole_of(name):
        return train(tmp_path_factory.mktemp("whole"), SETTINGS[name], Recorder())

    return whole_of


@pytest.mark.parametrize(
    ("name", "after"),
    [
        (name, after)
        for at, name in enumerate(SETTINGS)
        for after in ((1, 2), (2, 4), (1, 4))[at % 3]
    ],
)
def test_an_interrupted_run_goes_on_to_the_same_bits(tmp_path, whole_of, name, after):
    whole = whole_of(name)
    folder = cut_short(tmp_path, SETTINGS[name], after)
    reporter = Recorder()
    run = resume(folder, reporter=reporter)
    assert (run.status, run.folder.path) == ("completed", folder.path)
    assert reporter.rows[0]["epoch"] == after + 1
    assert content(folder) == content(whole.folder)
    assert folder.read_status()["status"] == "completed"
    assert not folder.checkpoint.exists()
    assert folder.read_summary()["epochs"] == whole.summary["epochs"]


def test_without_the_generators_state_the_bits_differ(tmp_path, whole_of, monkeypatch):
    whole = whole_of("sgd")
    folder = cut_short(tmp_path, SETTINGS["sgd"], 2)

    def forgetful(path, check):
        snapshot, notes = load_checkpoint(path, check)
        bits = {**snapshot.generator["state"], "state": 1}
        return replace(snapshot, generator={**snapshot.generator, "state": bits}), notes

    monkeypatch.setattr(resuming, "load_checkpoint", forgetful)
    resume(folder)
    assert content(folder) != content(whole.folder)


@pytest.mark.parametrize("name", ["sgd", "momentum, cosine"])
@pytest.mark.parametrize("complete", [True, False])
def test_more_epochs_make_a_run_longer(tmp_path, name, complete):
    words = SETTINGS[name]
    longer = ["epochs=8", *words[1:]]
    whole = train(tmp_path / "whole", longer, Recorder())
    if complete:
        folder = train(tmp_path, words, Recorder()).folder
    else:
        folder = cut_short(tmp_path, words, 3)
    resume(folder, "epochs=8")
    assert content(folder) == content(whole.folder)


def test_a_complete_run_has_nothing_left_to_do(tmp_path):
    folder = train(tmp_path, ["epochs=1"], Recorder()).folder
    assert resume(folder) is None


def test_what_cannot_go_on_is_refused(tmp_path, monkeypatch):
    folder = train(tmp_path, ["epochs=2"], Recorder()).folder
    with pytest.raises(RunFolderError, match="a run of 2 epochs"):
        resume(folder, "epochs=1")
    diverged = train(tmp_path, ["learning_rate=100.0"], Recorder()).folder
    with pytest.raises(RunFolderError, match="has diverged"):
        resume(diverged)
    with folder.locked():
        folder.write_status("running")
        with pytest.raises(RunFolderError, match="another process"):
            resume(folder)
    monkeypatch.setattr("mnistlab.__version__", "0.0.0")
    with pytest.raises(RunFolderError, match=r"was begun with mnistlab"):
        resume(folder)
    folder.status.write_text("")
    with pytest.raises(RunFolderError, match=r"status\.json"):
        resume(folder)


def test_what_is_resumed_needs_no_metrics_only_the_checkpoint(tmp_path):
    expected = content(train(tmp_path / "whole", ["epochs=5"], Recorder()).folder)
    folder = cut_short(tmp_path, ["epochs=5"], 3)
    folder.metrics.unlink()
    resume(folder)
    assert content(folder) == expected


def test_a_damaged_checkpoint_is_told_and_the_run_starts_from_its_beginning(tmp_path):
    expected = content(train(tmp_path / "whole", ["epochs=5"], Recorder()).folder)
    folder = cut_short(tmp_path, ["epochs=5"], 3)
    damaged = bytearray(folder.checkpoint.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    folder.checkpoint.write_bytes(damaged)
    told = Recorder()
    resume(folder, reporter=told)
    assert "checkpoint.safetensors: is damaged" in told.warnings[0]
    assert "from its beginning" in told.warnings[0]
    assert content(folder) == expected


def test_a_config_that_was_changed_meanwhile_is_refused(tmp_path):
    folder = cut_short(tmp_path, ["epochs=5"], 3)
    text = folder.config.read_text()
    folder.config.write_text(text.replace("learning_rate: 0.01", "learning_rate: 0.02"))
    with pytest.raises(RunFolderError, match=r"config\.yaml: is not what the run was begun with"):
        resume(folder)
    folder.config.write_text(text)
    assert resume(folder).status == "completed"


def test_the_time_of_all_stretches_is_added_up(tmp_path):
    folder = cut_short(tmp_path, ["epochs=5"], 3)
    before = folder.read_summary()["seconds"]
    after = resume(folder).summary["seconds"]
    assert all(0 < before[part] < after[part] for part in ("total", "train", "evaluate"))
    assert after["total"] >= after["train"] + after["evaluate"]


def test_another_kernel_of_linear_algebra_is_warned_of(tmp_path):
    folder = cut_short(tmp_path, ["epochs=5"], 3)
    environment = json.loads(folder.environment.read_text())
    environment["blas"][0]["architecture"] = "Prescott"
    folder.environment.write_text(json.dumps(environment))
    folder.write_status("interrupted")
    told = Recorder()
    resume(folder, reporter=told)
    assert len(told.warnings) == 1
    assert "was begun with the linear algebra" in told.warnings[0]
    assert "Prescott" in told.warnings[0]
