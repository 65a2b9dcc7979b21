"""Optuna's sampler is asked for trials batch by batch, and told what they came to."""

import json
import math
import shutil
import signal
import statistics
import subprocess
import sys
import time

import pytest

import mnistlab
from mnistlab.errors import RunFolderError
from mnistlab.experiment.recorder import RunRecorder
from mnistlab.run_folders.folder import SweepFolder
from mnistlab.sweeps import storage
from mnistlab.sweeps.plan import prepare_sweep
from mnistlab.sweeps.storage import extend, is_complete
from mnistlab.sweeps.sweep_schema import Metric
from mnistlab.sweeps.trials import load_sweep
from tests.digits import VALIDATION, write_digits
from tests.sweep.helpers import (
    SweepRecorder,
    content,
    resume,
    run_prepared,
    settled,
    sweep,
    the_only,
    write_base,
)

optuna = pytest.importorskip("optuna")

from mnistlab.sweeps import tpe  # noqa: E402 - after the skip

WORDS = ("learning_rate=log_uniform(0.001,1)", "weight_decay=uniform(0,0.1)")
OPTIONS = {
    "method": "tpe",
    "max_trials": 22,
    "batch": 6,
    "metric": Metric("validation.loss", "minimize"),
}
TEXT = "epochs: 2\n"


def points_of(folder):
    return json.loads(folder.plan.read_text())["points"]


def read_study(folder):
    """Return the study as optuna-dashboard would open it."""
    backend = optuna.storages.journal.JournalFileBackend(str(folder.study))
    return optuna.load_study(
        study_name=folder.name, storage=optuna.storages.JournalStorage(backend)
    )


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    """Return what a search of 22 trials, six at a time, came to."""
    reporter = SweepRecorder()
    tmp_path = tmp_path_factory.mktemp("search")
    return sweep(tmp_path, *WORDS, text=TEXT, reporter=reporter, **OPTIONS), reporter


def test_trials_are_asked_for_in_batches(searched):
    result, reporter = searched
    assert result.status == "completed"
    assert len(result.results) == len(points_of(result.folder)) == 22
    assert result.document["method"] == "tpe"
    labels, done, epochs = reporter.started
    assert [bool(label) for label in labels] == [True] * 6 + [False] * 16
    assert (done, set(epochs)) == (set(), set(range(22)))
    assert [list(labels) for labels in reporter.extended] == [
        [*range(6, 12)],
        [*range(12, 18)],
        [*range(18, 22)],
    ]
    assert reporter.extended[0][6].startswith("learning_rate=")
    stacks = json.loads(result.folder.plan.read_text())["stacks"]
    for stack in stacks:  # what is asked for together trains together, and nothing else
        assert len({run // 6 for column in stack for run in column}) == 1


def test_the_first_batch_is_that_of_random_search(searched, tmp_path):
    drawn = settled(tmp_path, *WORDS, text=TEXT, method="random", max_trials=22)
    asked = [result.trial.parameters for result in searched[0].results]
    assert asked[:6] == [trial.parameters for trial in drawn.trials[:6]]
    assert asked[6:] != [trial.parameters for trial in drawn.trials[6:]]


def test_a_batch_is_what_the_sampler_asks_for_after_the_trials_before(searched):
    """With the seed and the number of the batch, by Optuna's own ask and tell."""
    folder = searched[0].folder
    before = read_study(folder).trials[:18]
    study = optuna.create_study(
        sampler=optuna.samplers.TPESampler(seed=3, multivariate=True, constant_liar=True)
    )
    study.add_trials(before)
    distributions = {
        "learning_rate": optuna.distributions.FloatDistribution(0.001, 1, log=True),
        "weight_decay": optuna.distributions.FloatDistribution(0, 0.1),
    }
    asked = [study.ask(distributions).params for _ in range(4)]
    found = [
        (result.trial.parameters["learning_rate"], result.trial.parameters["weight_decay"])
        for result in searched[0].results[18:]
    ]
    expected = [(one["learning_rate"], one["weight_decay"]) for one in asked]
    assert found == [pytest.approx(one, rel=1e-11) for one in expected]


def test_the_study_holds_parameters_states_values_and_the_runs_names(searched):
    result = searched[0]
    study = read_study(result.folder)
    assert study.direction == optuna.study.StudyDirection.MINIMIZE
    assert [trial.number for trial in study.trials] == [*range(22)]
    states = {"completed": "COMPLETE", "diverged": "FAIL"}
    assert {one.status for one in result.results} == set(states)
    for one, trial in zip(result.results, study.trials, strict=True):
        run = result.folder.run(one.trial.number)
        assert trial.state.name == states[one.status]
        assert trial.params == one.trial.parameters
        assert trial.user_attrs == {"run": run.name}
        losses = dict(enumerate(run.read_metrics()["validation_loss"], 1))
        finite = {epoch: loss for epoch, loss in losses.items() if math.isfinite(loss)}
        assert trial.intermediate_values == finite
        assert trial.value == (losses[2] if one.status == "completed" else None)
        assert trial.datetime_start <= trial.datetime_complete
    assert study.best_trial.number == result.best.trial.number


def test_a_batch_is_spread_out(tmp_path, monkeypatch):
    """Without the constant liar, trials of a batch would lie closer to each other."""

    def spread(liar):
        sampler = optuna.samplers.TPESampler

        def told(**options):
            return sampler(**{**options, "constant_liar": liar})

        monkeypatch.setattr(optuna.samplers, "TPESampler", told)
        distances = []
        for seed in range(6):
            made = Recorded(tmp_path, seed)
            rates = sorted(math.log(rate) for (rate,) in made.study.ask(made.sweep))
            distances.append(rates[-1] - rates[0])
        monkeypatch.undo()
        return statistics.fmean(distances)

    assert spread(liar=True) > 1.2 * spread(liar=False)


class Recorded:
    """A study of 24 trials whose value is the square of the rate's distance from 0.1."""

    def __init__(self, tmp_path, seed):
        words = "learning_rate=log_uniform(0.001,10)"
        whole = settled(tmp_path, words, method="tpe", max_trials=48, batch=24, random_seed=seed)
        self.sweep = whole
        self.study = tpe.Study(SweepFolder(tmp_path), whole)
        for trial in whole.trials:
            rate = trial.parameters["learning_rate"]
            self.study._log.add_trial(
                optuna.trial.create_trial(
                    value=-((math.log10(rate) + 1) ** 2),
                    params={"learning_rate": rate},
                    distributions={
                        "learning_rate": optuna.distributions.FloatDistribution(0.001, 10, log=True)
                    },
                )
            )


def test_the_sampler_goes_where_it_was_good(tmp_path):
    near = []
    for seed in range(4):
        made = Recorded(tmp_path, seed)
        near += [abs(math.log10(rate) + 1) < 0.5 for (rate,) in made.study.ask(made.sweep)]
    assert statistics.fmean(near) > 0.4  # a quarter of the space is as near as that


def test_the_same_search_asks_the_same(searched, tmp_path):
    again = sweep(tmp_path, *WORDS, text=TEXT, **OPTIONS)
    assert content(again.folder) == content(searched[0].folder)
    other = sweep(tmp_path, *WORDS, text=TEXT, runs="other", **OPTIONS, random_seed=1)
    assert points_of(other.folder) != points_of(again.folder)


@pytest.mark.parametrize("where", ["before", "after"])
def test_a_death_around_the_plan_asks_the_same_next_batch(searched, tmp_path, where, monkeypatch):
    asked = 0  # the first batch is in the plan from the beginning

    def die(*arguments):
        nonlocal asked
        asked += 1
        if asked == 3 and where == "before":
            raise KeyboardInterrupt
        found = extend(*arguments)
        if asked == 3:
            raise KeyboardInterrupt
        return found

    monkeypatch.setattr(storage, "extend", die)
    with pytest.raises(KeyboardInterrupt):
        sweep(tmp_path, *WORDS, text=TEXT, **OPTIONS)
    monkeypatch.undo()
    cut = the_only(tmp_path / "runs")
    assert len(points_of(cut)) == (12 if where == "before" else 18)
    cut.study.unlink()
    assert resume(cut).status == "completed"
    assert content(cut) == content(searched[0].folder)
    assert points_of(cut) == points_of(searched[0].folder)
    studies = [read_study(folder).trials for folder in (cut, searched[0].folder)]
    told = [
        [(one.params, one.values, one.intermediate_values, one.state) for one in trials]
        for trials in studies
    ]
    assert told[0] == told[1]


def test_a_killed_search_goes_on_as_if_nothing_had_been(searched, tmp_path):
    words = ["--config", str(write_base(tmp_path, TEXT)), *WORDS, "--method", "tpe"]
    words += ["--max-trials", "22", "--batch", "6", "--minimize", "validation.loss"]
    command = [sys.executable, "-m", "mnistlab", "sweep", *words, "--no-plots", "-q"]
    runs = tmp_path / "runs"
    process = subprocess.Popen([*command, "--runs-dir", str(runs)])
    deadline = time.monotonic() + 60
    while not list(runs.glob("2*/runs/7")) and time.monotonic() < deadline:
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.wait()
    cut = the_only(runs)
    assert len(cut.runs()) < 22
    assert resume(cut).status == "completed"
    assert content(cut) == content(searched[0].folder)


def test_a_complete_search_is_known_as_one(searched, tmp_path):
    shutil.copytree(searched[0].folder.path, tmp_path / searched[0].folder.name)
    folder = SweepFolder(tmp_path / searched[0].folder.name)
    prepared = prepare_sweep(load_sweep(folder.config))
    assert len(prepared.sweep.trials) == 6
    assert is_complete(folder, prepared)
    told = SweepRecorder()
    assert len(resume(folder, reporter=told).results) == 22
    assert not told.events
    shutil.rmtree(folder.run(21).path)
    assert not is_complete(folder, prepared)


@pytest.mark.parametrize(
    "points", [None, 3, [[0.1]], [["a", "b"]] * 6, [[0.1, 0.05]] * 6, [[0.1, -1.0]] * 6]
)
def test_a_plan_with_other_trials_is_refused(searched, tmp_path, points):
    shutil.copytree(searched[0].folder.path, tmp_path / searched[0].folder.name)
    folder = SweepFolder(tmp_path / searched[0].folder.name)
    plan = json.loads(folder.plan.read_text())
    folder.plan.write_text(json.dumps({**plan, "points": points}))
    with pytest.raises(RunFolderError, match=r"plan\.json: is not the plan of this sweep"):
        resume(folder)


# Spaces


def test_all_of_a_small_space_is_tried_and_nothing_twice(tmp_path):
    words = ("learning_rate=0.001,0.01", "batch_size=range(100,400,100)", "momentum=0.5,0.9")
    words = (*words, "zip=learning_rate,momentum")
    found = sweep(tmp_path, *words, text="epochs: 1\noptimizer: momentum\n", method="tpe",
                  max_trials=50, batch=4)  # fmt: skip
    tried = [tuple(result.trial.parameters.values()) for result in found.results]
    rates = ((0.001, 0.5), (0.01, 0.9))
    assert sorted(tried) == sorted(
        (rate, size, momentum) for rate, momentum in rates for size in (100, 200, 300)
    )
    study = read_study(found.folder)
    kinds = {name: type(one).__name__ for name, one in study.trials[0].distributions.items()}
    assert kinds == {
        "learning_rate,momentum": "CategoricalDistribution",
        "batch_size": "IntDistribution",
    }
    both = {trial.params["learning_rate,momentum"] for trial in study.trials}
    assert both == {"0.001, 0.5", "0.01, 0.9"}


def test_a_list_is_a_choice_that_optuna_can_keep(tmp_path):
    words = ("data.preprocess=[],[standardize]", "learning_rate=0.001,0.002,0.003")
    found = sweep(tmp_path, *words, text="epochs: 1\n", method="tpe", batch=4)
    study = read_study(found.folder)
    assert {trial.params["data.preprocess"] for trial in study.trials} == {"[]", "[standardize]"}
    assert {trial.params["learning_rate"] for trial in study.trials} == {0.001, 0.002, 0.003}
    assert study.direction == optuna.study.StudyDirection.MAXIMIZE


def test_what_is_no_config_is_not_tried(tmp_path, monkeypatch):
    """Of the sampler's trials too only those are trained that the schema lets pass."""
    whole = settled(tmp_path, "learning_rate=log_uniform(0.001,10)", method="tpe", max_trials=20,
                    batch=5)  # fmt: skip
    study = tpe.Study(SweepFolder(tmp_path), whole)
    asked = iter([(-1.0,), (0.5,), (0.5,), whole.trials[0].point, (0.25,)])
    monkeypatch.setattr(study, "_ask_one", lambda _study: next(asked, (-2.0,)))
    points = study.ask(whole)
    assert points[:2] == [(0.5,), (0.25,)]
    assert points[2:] == [trial.point for trial in whole.drawn[5:8]]


# Together with halving, seeds and finished runs


def test_halving_prunes_within_each_batch(tmp_path):
    found = sweep(tmp_path, "learning_rate=log_uniform(0.0001,0.02)", "halving.factor=2",
                  text="epochs: 5\n", method="tpe", max_trials=12, batch=6)  # fmt: skip
    study = read_study(found.folder)
    of_batches = [study.trials[:6], study.trials[6:]]
    for trials in of_batches:
        states = [trial.state.name for trial in trials]
        assert (states.count("COMPLETE"), states.count("PRUNED")) == (1, 5)
    for one, trial in zip(found.results, study.trials, strict=True):
        assert len(trial.intermediate_values) == one.epochs
        assert one.stopped == (trial.state.name == "PRUNED")
    cut = sweep(tmp_path, "learning_rate=log_uniform(0.0001,0.02)", runs="other",
                text="epochs: 5\n", method="tpe", max_trials=12, batch=6)  # fmt: skip
    assert not any(result.stopped for result in cut.results)


def test_values_are_means_over_seeds(tmp_path):
    found = sweep(tmp_path, "learning_rate=log_uniform(0.001,0.02)", text=TEXT, seeds=2,
                  method="tpe", max_trials=4, batch=2)  # fmt: skip
    trial = read_study(found.folder).trials[3]
    runs = [found.folder.run(number) for number in (6, 7)]
    means = [
        statistics.fmean(pair)
        for pair in zip(*(run.read_metrics()["validation_accuracy"] for run in runs), strict=True)
    ]
    assert trial.intermediate_values == {1: pytest.approx(means[0]), 2: pytest.approx(means[1])}
    assert trial.value == pytest.approx(means[1])
    assert trial.user_attrs["run"] == f"{runs[0].name}, {runs[1].name}"


def test_finished_runs_are_taken_over_in_every_batch(searched, tmp_path):
    runs = tmp_path / "runs"
    shutil.copytree(searched[0].folder.path, runs / searched[0].folder.name)
    prepared = prepare_sweep(settled(tmp_path, *WORDS, text=TEXT, **OPTIONS))
    told = SweepRecorder()
    again = run_prepared(prepared, runs, reporter=told, needed=True)
    assert not told.events
    assert json.loads(again.folder.plan.read_text())["taken_over"] == [*range(22)]
    assert content(again.folder) == content(searched[0].folder)


def test_a_failed_run_ends_a_search_that_is_to_fail_fast(tmp_path, monkeypatch):
    def fail(run, *_arguments):
        raise ArithmeticError(run.config.learning_rate)

    monkeypatch.setattr(RunRecorder, "add_epoch", fail)
    found = sweep(tmp_path, *WORDS, text=TEXT, **{**OPTIONS, "batch": 1, "fail_fast": True})
    assert found.status == "failed"
    assert len(points_of(found.folder)) == 1  # it had ended before it was asked to


def test_what_failed_is_told_and_the_search_goes_on(tmp_path, monkeypatch):
    add_epoch = RunRecorder.add_epoch

    def fail(run, *arguments):
        if run.config.weight_decay < 0.05:
            raise ArithmeticError
        return add_epoch(run, *arguments)

    monkeypatch.setattr(RunRecorder, "add_epoch", fail)
    failed = sweep(tmp_path, *WORDS, text=TEXT, **{**OPTIONS, "max_trials": 12})
    assert failed.status == "failed"
    monkeypatch.undo()
    asked = points_of(failed.folder)
    states = [trial.state.name for trial in read_study(failed.folder).trials]
    few = [decay < 0.05 for _, decay in asked]
    assert 0 < sum(few) < 12
    assert {state for state, is_failed in zip(states, few, strict=True) if is_failed} == {"FAIL"}
    mended = resume(failed.folder, retry_failed=True)
    assert mended.status == "completed"
    assert points_of(failed.folder) == asked
    states = [trial.state.name for trial in read_study(failed.folder).trials]
    expected = {"completed": "COMPLETE", "diverged": "FAIL"}
    assert states == [expected[result.status] for result in mended.results]


def test_an_epoch_counts_that_all_runs_have():
    metrics = [
        {"epoch": [1.0, 2.0, 3.0], "validation_loss": [4.0, 2.0, 1.0]},
        {"epoch": [1.0, 2.0], "validation_loss": [6.0, math.nan]},
    ]
    assert tpe._values_by_epoch(metrics, "validation_loss") == {1: 5.0}


def test_a_study_that_cannot_be_written_ends_the_search_which_can_go_on(
    searched, tmp_path, monkeypatch
):
    def full(path, _content):
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(tpe, "write_text", full)
    with pytest.raises(OSError, match="No space left"):
        sweep(tmp_path, *WORDS, text=TEXT, **OPTIONS)
    monkeypatch.undo()
    cut = the_only(tmp_path / "runs")
    assert resume(cut).status == "completed"
    assert content(cut) == content(searched[0].folder)


def test_a_search_from_python(tmp_path):
    config = {"data": {"dataset": str(write_digits()), "validation": VALIDATION}, "epochs": 1}
    rates = {"learning_rate": "log_uniform(0.001,0.02)"}
    found = mnistlab.sweep(config, rates, method="tpe", max_trials=5, batch=2, plots=False,
                           runs_dir=tmp_path, progress=False)  # fmt: skip
    assert found.status == "completed"
    assert len(points_of(SweepFolder(found.path))) == 5
    assert len(read_study(SweepFolder(found.path)).trials) == 5


def test_optuna_says_nothing(tmp_path, capfd):
    sweep(tmp_path, *WORDS, text=TEXT, **{**OPTIONS, "max_trials": 8})
    assert capfd.readouterr() == ("", "")
    assert optuna.logging.get_verbosity() == optuna.logging.INFO
