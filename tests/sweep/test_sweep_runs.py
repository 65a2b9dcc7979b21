"""Sweeps from start to end on the small dataset: what they leave, name and skip."""

import csv
import json
import math
from dataclasses import replace

import numpy as np
import pytest

from mnistlab.config.load import load_config
from mnistlab.core.models import INITIALIZERS, Normal
from mnistlab.errors import RunFolderError
from mnistlab.experiment import recorder
from mnistlab.experiment.prepare import Plan, plan_on
from mnistlab.experiment.recorder import RunRecorder
from mnistlab.run_folders.folder import SweepFolder
from mnistlab.run_folders.weights import load_weights
from mnistlab.statistics import z_quantile
from mnistlab.sweeps import finish as comparison
from mnistlab.sweeps import plan as stacks
from mnistlab.sweeps import stack_training as training
from mnistlab.sweeps.plan import prepare_sweep
from mnistlab.sweeps.sweep_schema import Halving, Metric
from mnistlab.sweeps.trial_results import TrialResult, budgets, choose_pruned, pruned_at, rank
from mnistlab.sweeps.workers import EpochEnded, RunEnded
from tests.digits import VALIDATION
from tests.sweep.helpers import (
    SweepRecorder,
    content,
    resume,
    run_prepared,
    settled,
    sweep,
    the_only,
    train_alone,
)

RATES = "learning_rate=0.005,0.01,0.02"

SETTINGS = {
    "linear": "epochs: 3\n",
    "sigmoid": "model: sigmoid\nepochs: 3\n",
    "softmax": "loss: softmax_cross_entropy\nepochs: 3\n",
    "momentum": "optimizer: momentum\nepochs: 2\n",
    "nesterov": "optimizer: nesterov\nepochs: 2\n",
    "adam": "optimizer: adam\nepochs: 2\n",
    "cosine": "schedule: cosine\nepochs: 3\n",
    "step": "schedule: step\nstep_epochs: 1\nepochs: 3\n",
    "seldom": "evaluate_every: 2\nepochs: 3\n",
    "early stopping": "model: sigmoid\nearly_stopping: 1\nepochs: 9\nlearning_rate: 2.0\n",
    "decay": "weight_decay: 0.1\ninit: normal\nepochs: 2\n",
    "sum": "reduction: sum\nepochs: 2\n",
}
WORDS = {"sum": "learning_rate=0.00005,0.0001", "early stopping": "learning_rate=1.0,2.0,4.0"}


@pytest.mark.parametrize("name", SETTINGS)
def test_runs_equal_train_with_their_config(name, tmp_path):
    """The first rate over all epochs, and the last rate over one."""
    conclusion = sweep(tmp_path, WORDS.get(name, RATES), "epochs=1,3", text=SETTINGS[name])
    folder = conclusion.folder
    assert folder.runs() == list(range(len(conclusion.results)))
    for number in (1, len(folder.runs()) - 2):
        compare(folder.run(number), tmp_path)


def compare(run, tmp_path):
    alone = train_alone(run.config, tmp_path)
    mine, other = run.read_metrics(), alone.folder.read_metrics()
    assert mine["epoch"] == other["epoch"]
    for column in ("train_loss", "validation_loss", "learning_rate"):
        np.testing.assert_allclose(mine[column], other[column], rtol=2e-5)
    for column in ("train_accuracy", "validation_accuracy"):
        np.testing.assert_allclose(mine[column], other[column], atol=2.1 / VALIDATION)
    assert run.read_status()["status"] == alone.status
    if alone.status == "completed":
        weights, expected = load_weights(run.model), load_weights(alone.folder.model)
        np.testing.assert_allclose(weights, expected, atol=2e-4 * np.abs(expected).max())


def test_diverged_and_halved_runs_equal_train_with_their_config_too(tmp_path):
    words = ("learning_rate=0.002,0.005,0.01,0.02,100.0", "halving.factor=2")
    conclusion = sweep(tmp_path, *words, text="epochs: 5\n", method="halving")
    epochs = {
        result.trial.number: len(conclusion.folder.run(result.trial.number).read_metrics()["epoch"])
        for result in conclusion.results
    }
    assert conclusion.results[4].status == "diverged"
    assert sorted(epochs.values()) == [1, 1, 1, 2, 5]
    assert [epochs[one.trial.number] for one in conclusion.ranked] == [5]
    stopped = {one.trial.number: one.stopped for one in conclusion.results}
    assert stopped == {number: epochs[number] < 5 and number != 4 for number in range(5)}
    assert conclusion.document["results"][0]["stopped"] == stopped[0]
    for number in range(5):
        compare(conclusion.folder.run(number), tmp_path)


def test_halving_under_a_schedule_keeps_the_whole_schedule(tmp_path):
    text = "schedule: cosine\nepochs: 4\n"
    conclusion = sweep(tmp_path, RATES, "halving.factor=3", text=text, method="halving")
    config = load_config(conclusion.folder.run(0).config)
    losers = [
        number for number in range(3)
        if load_config(conclusion.folder.run(number).config).stop_after == 1
    ]  # fmt: skip
    assert len(losers) == 2
    assert config.epochs == 4
    compare(conclusion.folder.run(losers[0]), tmp_path)


def test_what_a_sweep_leaves(tmp_path):
    reporter = SweepRecorder()
    conclusion = sweep(tmp_path, RATES, "epochs=1,2", reporter=reporter)
    folder = conclusion.folder
    names = {path.name for path in folder.path.iterdir()} - {"uncommitted.patch"}
    assert names == {
        *("config.yaml", "status.json", "environment.json", "plan.json", "log.txt"),
        *("sweep.json", "results.csv", "runs"),
    }
    assert (tmp_path / "runs" / "latest").resolve() == folder.path.resolve()
    assert folder.read_status()["status"] == "completed"
    files = {path.name for path in folder.run(0).path.iterdir()}
    assert files >= {
        *("config.yaml", "status.json", "environment.json", "metrics.csv"),
        *("summary.json", "model.safetensors", "log.txt"),
    }
    assert json.loads(folder.run(0).environment.read_text())["stack_width"] in (1, 2, 3)
    assert folder.run(3).name == f"{folder.name}/3"
    assert reporter.stopped
    assert len([one for one in reporter.events if isinstance(one, RunEnded)]) == 6


def test_the_results_have_a_row_a_run(tmp_path):
    conclusion = sweep(tmp_path, "learning_rate=0.01,100.0", "batch_size=50,100", seeds=2)
    with conclusion.folder.results.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["run"]) for row in rows] == list(range(8))
    assert [int(row["trial"]) for row in rows] == [0, 0, 1, 1, 2, 2, 3, 3]
    assert [int(row["seed"]) for row in rows] == [0, 1] * 4
    assert [float(row["learning_rate"]) for row in rows] == [0.01] * 4 + [100.0] * 4
    assert [row["batch_size"] for row in rows] == ["50", "50", "100", "100"] * 2
    assert [row["status"] for row in rows] == ["completed"] * 4 + ["diverged"] * 4
    for row in rows[:4]:
        metrics = conclusion.folder.run(int(row["run"])).read_metrics()
        assert float(row["validation_loss"]) == metrics["validation_loss"][-1]
        assert float(row["validation_accuracy"]) == metrics["validation_accuracy"][-1]
    assert all(row["error"] for row in rows[4:])


def test_the_test_split_is_looked_at_for_the_best_alone(tmp_path):
    conclusion = sweep(tmp_path, RATES, text="epochs: 2\n")
    best = conclusion.best.trial.number
    accuracies = [result.means["validation_accuracy"] for result in conclusion.results]
    assert best == int(np.argmax(accuracies))
    for number in range(3):
        run = conclusion.folder.run(number)
        assert run.predictions.exists() == (number == best)
        assert (run.read_summary()["test"]["accuracy"] is not None) == (number == best)
    alone = train_alone(conclusion.folder.run(best).config, tmp_path)
    tested = conclusion.document["best"]["test"]
    assert tested["accuracy"] == pytest.approx(alone.summary["test"]["accuracy"], abs=0.0021)
    low, high = tested["interval"]
    assert low < tested["accuracy"] < high
    with conclusion.folder.results.open(newline="") as file:
        told = [row["test_accuracy"] != "" for row in csv.DictReader(file)]
    assert told == [number == best for number in range(3)]


def test_seeds_repeat_a_trial_and_give_an_interval(tmp_path):
    conclusion = sweep(tmp_path, RATES, text="epochs: 1\n", seeds=3)
    folder = conclusion.folder
    values = [folder.run(run).read_summary()["validation"]["accuracy"] for run in (3, 4, 5)]
    (result,) = (one for one in conclusion.results if one.trial.number == 1)
    assert result.runs == [3, 4, 5]
    assert result.means["validation_accuracy"] == pytest.approx(np.mean(values))
    expected = 4.302652729911275 * np.std(values, ddof=1) / np.sqrt(3)  # Student's, 2 degrees
    assert result.half_width == pytest.approx(expected, rel=1e-6)
    assert {load_config(folder.run(run).config).seed for run in (3, 4, 5)} == {0, 1, 2}


def test_the_goal_can_be_a_loss(tmp_path):
    conclusion = sweep(
        tmp_path, RATES, text="epochs: 2\n", metric=Metric("validation.loss", "minimize")
    )
    losses = [result.means["validation_loss"] for result in conclusion.results]
    assert conclusion.best.trial.number == int(np.argmin(losses))


def test_trials_that_cannot_be_told_from_the_best(tmp_path):
    """Rates that differ by a millionth give the same answers, one of a thousandth does not."""
    words = "learning_rate=0.02,0.02000001,0.00001"
    conclusion = sweep(tmp_path, words, text="epochs: 2\n")
    assert conclusion.best.trial.number in (0, 1)
    assert list(conclusion.document["indistinguishable"]) == [1 - conclusion.best.trial.number]


def test_a_sweep_in_which_all_diverge_has_no_best(tmp_path):
    conclusion = sweep(tmp_path, "learning_rate=100.0,200.0", text="epochs: 1\n")
    assert conclusion.best is None
    assert (conclusion.status, conclusion.document["best"]) == ("diverged", None)


class BrittleNormal(Normal):
    """Refuses the scale 0.5."""

    def weights(self, D, C, scale, generator):
        if scale == 0.5:
            raise ArithmeticError("a scale of one half")
        return super().weights(D, C, scale, generator)


@pytest.fixture
def _brittle():
    INITIALIZERS.add("brittle", BrittleNormal())
    yield
    INITIALIZERS.pop("brittle")


SCALES = "init_scale=0.1,0.2,0.3,0.4,0.5,0.6"


@pytest.mark.usefixtures("_brittle")
def test_a_failing_trial_stops_no_other(tmp_path):
    reporter = SweepRecorder()
    text = "init: brittle\nepochs: 1\n"
    conclusion = sweep(tmp_path, SCALES, text=text, reporter=reporter)
    assert conclusion.status == "failed"
    assert "trial 4 failed" in conclusion.document["error"]
    statuses = [result.status for result in conclusion.results]
    assert statuses == ["completed"] * 4 + ["failed", "completed"]
    assert "one half" in conclusion.folder.run(4).read_status()["error"]
    failed = [one for one in reporter.events if isinstance(one, RunEnded) and one.error]
    assert [one.number for one in failed] == [4]


@pytest.mark.usefixtures("_brittle")
def test_fail_fast_ends_with_the_first_failure(tmp_path, monkeypatch):
    monkeypatch.setattr("mnistlab.sweeps.plan.available_cores", lambda: 1)
    text = "init: brittle\nepochs: 1\n"
    words = ("init_scale=0.5,0.1,0.2", "batch_size=100,50")
    conclusion = sweep(tmp_path, *words, text=text, fail_fast=True)
    assert conclusion.status == "failed"
    assert len(conclusion.folder.runs()) < 6
    finished = resume(conclusion.folder)
    assert sorted(finished.folder.runs()) == list(range(6))
    assert finished.status == "failed"


@pytest.mark.usefixtures("_brittle")
def test_retry_failed_trains_again_what_failed(tmp_path, monkeypatch):
    text = "init: brittle\nepochs: 1\n"
    folder = sweep(tmp_path, SCALES, text=text).folder
    before = content(folder)
    again = SweepRecorder()
    assert resume(folder, reporter=again).status == "failed"
    assert not [one for one in again.events if isinstance(one, EpochEnded)]
    monkeypatch.setattr(BrittleNormal, "weights", Normal.weights)
    mended = resume(folder, retry_failed=True)
    assert mended.status == "completed"
    after = content(folder)
    assert {run for run in after if after[run] != before[run]} == {"4"}


def test_needed_runs_only_the_new_cells(tmp_path):
    first = sweep(tmp_path, "learning_rate=0.01,0.02,100.0", text="epochs: 2\n")
    kept = content(first.folder)
    reporter = SweepRecorder()
    larger = sweep(
        tmp_path, "learning_rate=0.005,0.01,0.02,100.0", "batch_size=100,50",
        text="epochs: 2\n", needed=True, reporter=reporter,
    )  # fmt: skip
    assert set(reporter.started[1]) == {2, 4, 6}
    trained = {one.number for one in reporter.events if isinstance(one, RunEnded)}
    assert trained == {0, 1, 3, 5, 7}
    mine = content(larger.folder)
    assert [mine[str(2 * i + 2)] for i in range(3)] == [kept[str(i)] for i in range(3)]
    assert larger.folder.run(2).read_summary()["run"] == f"{larger.folder.name}/2"
    assert larger.folder.read_status()["status"] == "completed"


def test_needed_takes_single_runs_too(tmp_path):
    prepared = prepare_sweep(settled(tmp_path, RATES, text="epochs: 1\n"))
    config = tmp_path / "one.yaml"
    first = run_prepared(prepared, tmp_path / "elsewhere").folder
    config.write_bytes(first.run(1).config.read_bytes())
    train_alone(config, tmp_path)
    reporter = SweepRecorder()
    again = run_prepared(prepared, tmp_path / "alone", needed=True, reporter=reporter)
    assert set(reporter.started[1]) == {1}
    told = again.document["results"][1]
    assert "test" not in told


def test_a_rate_beyond_the_limit_is_told_before(tmp_path):
    reporter = SweepRecorder()
    sweep(tmp_path, "learning_rate=0.01,100.0", text="epochs: 1\n", reporter=reporter)
    assert "1 of 2 runs is" in reporter.warnings[0]


def test_batches_larger_than_the_data_are_refused_before_any_folder(tmp_path):
    with pytest.raises(Exception, match="batch_size 50000 is larger"):
        sweep(tmp_path, "batch_size=100,50000")
    assert not (tmp_path / "runs").exists()


def test_budgets_and_losers():
    assert budgets(Halving(factor=3, min_epochs=1), 27) == [1, 3, 9]
    assert budgets(Halving(factor=2, min_epochs=4), 10) == [4, 8]
    assert budgets(Halving(factor=3, min_epochs=1), 1) == []
    assert choose_pruned({0: 0.3, 1: 0.1, 2: 0.2, 3: 0.4}, 2) == {0, 3}
    assert choose_pruned({0: 0.5, 1: 0.5}, 3) == {1}
    assert choose_pruned({}, 3) == set()


def test_a_sweep_of_other_code_is_not_continued(tmp_path, monkeypatch):
    folder = sweep(tmp_path, RATES, text="epochs: 1\n").folder
    monkeypatch.setattr("mnistlab.__version__", "0.0.0")
    with pytest.raises(RunFolderError, match=r"mnistlab .*now it is 0\.0\.0.*--needed"):
        resume(folder)
    assert folder.read_status()["status"] == "completed"


def test_a_sweep_that_is_being_worked_on_is_left_alone(tmp_path):
    folder = sweep(tmp_path, RATES, text="epochs: 1\n").folder
    with folder.locked(), pytest.raises(RunFolderError, match="another process"):
        resume(folder)


def test_checkpoints_come_by_time(tmp_path, monkeypatch):
    monkeypatch.setattr(training, "CHECKPOINT_SECONDS", 0.0)
    monkeypatch.setattr(recorder, "CHECKPOINT_SHARE", math.inf)
    saved = []
    save = training.save_checkpoint
    monkeypatch.setattr(
        training, "save_checkpoint", lambda *given: (saved.append(given[0]), save(*given))
    )
    sweep(tmp_path, RATES, text="epochs: 4\n")
    assert len(saved) >= 3
    assert not (the_only(tmp_path / "runs").checkpoints).exists()


def test_what_halving_stopped_is_not_the_best_though_it_looked_so(tmp_path):
    """At a high rate the first epochs are the best ones; what goes on ends lower."""
    words = ("learning_rate=logspace(0.001,0.025,9)", "halving.factor=3")
    conclusion = sweep(tmp_path, *words, text="epochs: 10\n", method="halving")
    assert conclusion.best.epochs == 10
    assert not conclusion.best.stopped
    assert all(one.epochs == 10 for one in conclusion.ranked)
    run = conclusion.folder.run(next(one.runs[0] for one in conclusion.results if one.stopped))
    assert run.read_status()["stopped"].startswith("halving, after epoch")


def test_where_all_that_went_on_diverged_the_furthest_are_compared(tmp_path):
    trial = settled(tmp_path, "learning_rate=0.01,0.02").trials[0]

    def result(number, epochs, loss, status="completed", stopped=True):
        numbered = replace(trial, number=number)
        means = {"validation_loss": loss, "validation_accuracy": 0.9}
        return TrialResult(numbered, [number], status, epochs, stopped, means, ())

    results = [result(0, 1, 0.1), result(1, 3, 0.3), result(2, 3, 0.2),
               result(3, 9, None, "diverged", stopped=False)]  # fmt: skip
    ranked = rank(results, Metric("validation.loss", "minimize"))
    assert [one.trial.number for one in ranked] == [2, 1]


def test_dark_pixels_are_left_out_and_missed_by_nobody(tmp_path, monkeypatch):
    words = "learning_rate=linspace(0.001,0.02,16)"
    trained = []
    whole = Plan.with_all_pixels
    monkeypatch.setattr(stacks, "COMPACT_FROM", 1)
    monkeypatch.setattr(
        Plan,
        "with_all_pixels",
        lambda plan, given: (trained.append(given.shape), whole(plan, given))[1],
    )
    compact = sweep(tmp_path, words, text="epochs: 2\n", runs="compact").folder
    assert {rows for rows, _ in trained} < set(range(400, 785))
    monkeypatch.setattr(stacks, "COMPACT_FROM", 1000)
    plain = sweep(tmp_path, words, text="epochs: 2\n", runs="plain").folder
    assert {rows for rows, _ in trained} > {785}
    for number in range(16):
        mine, other = (load_weights(folder.run(number).model) for folder in (compact, plain))
        assert mine.shape == other.shape == (785, 10)
        np.testing.assert_allclose(mine, other, atol=1e-5)
        one, two = (folder.run(number).read_metrics() for folder in (compact, plain))
        np.testing.assert_allclose(one["validation_loss"], two["validation_loss"], rtol=1e-5)


@pytest.mark.parametrize("text", ["init: normal\n", "data_preprocess: standardize\n"])
def test_where_a_dark_pixel_is_no_zero_it_stays(tmp_path, text):
    words = ["learning_rate=linspace(0.001,0.002,16)"]
    if "standardize" in text:
        text, words = "", [*words, "data.preprocess=[standardize]"]
    prepared = prepare_sweep(settled(tmp_path, *words, text=f"{text}epochs: 1\n"))
    plan = plan_on(prepared.data, list(prepared.configs.values()), without_dark_pixels=True)
    assert plan.pixels is None


def test_a_diverged_seed_takes_its_trial_out_of_the_contest(tmp_path):
    """Two rates whose seeds all go on, and one of which a seed has diverged."""
    chosen = settled(tmp_path, "learning_rate=0.01,0.02,0.03", "halving.factor=2",
                     text="epochs: 4\n", method="halving", seeds=2)  # fmt: skip
    folder = SweepFolder(tmp_path / "sweep")
    for run, accuracy in {0: 0.5, 1: 0.5, 2: 0.6, 3: 0.6, 4: 0.9}.items():
        kept = folder.run(run)
        kept.path.mkdir(parents=True)
        kept.write_status("completed")
        kept.write_metrics([{"epoch": 1, "validation_accuracy": accuracy}])
    folder.run(5).path.mkdir()
    folder.run(5).write_status("diverged")
    assert pruned_at(1, [], folder, chosen, set(range(6))) == {0, 1, 4, 5}


def test_a_failing_stack_leaves_no_checkpoint(tmp_path, monkeypatch):
    monkeypatch.setattr(training, "CHECKPOINT_SECONDS", 0.0)
    monkeypatch.setattr(recorder, "CHECKPOINT_SHARE", math.inf)
    calls = []
    add_epoch = RunRecorder.add_epoch

    def failing(run, record, position):
        calls.append(position)
        if record.epoch == 2 and run.config.learning_rate == 0.02:
            raise ArithmeticError("in epoch 2")
        return add_epoch(run, record, position)

    monkeypatch.setattr(RunRecorder, "add_epoch", failing)
    conclusion = sweep(tmp_path, "learning_rate=0.005,0.01,0.02,0.015", text="epochs: 3\n")
    assert [one.status for one in conclusion.results] == [
        "completed", "completed", "failed", "completed",
    ]  # fmt: skip
    assert not conclusion.folder.checkpoints.exists()


def test_checkpoints_hold_only_columns_that_go_on(tmp_path, monkeypatch):
    monkeypatch.setattr(training, "CHECKPOINT_SECONDS", 0.0)
    monkeypatch.setattr(recorder, "CHECKPOINT_SHARE", math.inf)
    monkeypatch.setattr("mnistlab.sweeps.plan.available_cores", lambda: 1)
    saved = []
    save = training.save_checkpoint
    monkeypatch.setattr(
        training,
        "save_checkpoint",
        lambda path, snapshot, notes: (
            saved.append((snapshot.epoch, snapshot.columns.tolist())),
            save(path, snapshot, notes),
        ),
    )
    sweep(tmp_path, "schedule=cosine,constant", "epochs=2,4", "learning_rate=0.01,0.02")
    assert saved
    epochs_of = {1: 4, 2: 2, 3: 2}
    assert all(len(columns) <= epochs_of.get(epoch, 4) for epoch, columns in saved)
    assert any(epoch >= 2 and len(columns) < 4 for epoch, columns in saved)


def test_ties_are_never_lost_to_the_quick_look(tmp_path):
    """The filter before the comparison must keep whatever could not be told apart."""
    results = []
    trial = settled(tmp_path, RATES).trials[0]
    accuracies = [0.87, 0.8695, 0.86, 0.85, 0.80, 0.60]
    for number, accuracy in enumerate(accuracies):
        means = {"validation_loss": 1.0, "validation_accuracy": accuracy}
        results.append(TrialResult(replace(trial, number=number), [number], "completed", 1, False,
                                   means, ()))  # fmt: skip
    metric = Metric("validation.accuracy", "maximize")
    kept = comparison._within_reach(results, metric, VALIDATION)
    # answers that disagree on each of N images have a standard error of 1/sqrt(N)
    reach = z_quantile(15) / np.sqrt(VALIDATION)
    assert [one.trial.number for one in kept] == [
        number for number, accuracy in enumerate(accuracies) if 0.87 - accuracy <= 1.01 * reach
    ]
    assert len(kept) == 5
