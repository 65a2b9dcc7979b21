"""Cross-validation in a sweep: each trial is trained on every fold, and compared by the means."""

import csv
import json

import numpy as np
import pytest

import mnistlab
from mnistlab.config.load import load_config
from mnistlab.config.schema import Config
from mnistlab.datasets import load
from mnistlab.errors import ConfigError, InputError
from mnistlab.run_folders.folder import SweepFolder
from mnistlab.run_folders.weights import load_weights
from mnistlab.store.facts import read_facts
from mnistlab.sweeps import stack_training
from mnistlab.sweeps.finish import _differ_by_runs, _scores
from mnistlab.sweeps.plan import estimate, prepare_sweep
from mnistlab.sweeps.sweep_schema import Metric
from mnistlab.sweeps.trial_results import TrialResult
from mnistlab.sweeps.trials import load_sweep
from mnistlab.sweeps.workers import EpochEnded
from tests.digits import as_yaml, write_digits
from tests.sweep.helpers import SweepRecorder, content, resume, settled, sweep, the_only
from tests.sweep.test_sweep_runs import compare

RATES = "learning_rate=0.001,0.01,0.02"
FOLDS = 3


@pytest.fixture(scope="module")
def cross_validated(tmp_path_factory):
    """Return the result of a sweep of three rates on three folds."""
    return sweep(tmp_path_factory.mktemp("folds"), RATES, text="epochs: 2\n", folds=FOLDS)


def validated(run):
    """Return how many of a run's validation images its weights get right, and how many there are.

    Worked out from the images and the weights alone.
    """
    data = load_config(run.config).data
    samples = load(
        data.dataset, split=data.split, split_seed=data.split_seed, folds=data.folds, fold=data.fold
    ).validation
    x = np.hstack([samples.rows / 255, np.ones((len(samples), 1))])
    right = (x @ load_weights(run.model).astype(float)).argmax(axis=1) == samples.labels
    return int(right.sum()), len(samples)


def test_every_trial_is_trained_on_every_fold(cross_validated):
    folder = cross_validated.folder
    configs = [load_config(folder.run(run).config) for run in folder.runs()]
    assert [config.data.fold for config in configs] == [0, 1, 2] * 3
    assert {(config.data.folds, config.data.split) for config in configs} == {(3, "stratified")}
    assert [config.learning_rate for config in configs] == [0.001] * 3 + [0.01] * 3 + [0.02] * 3
    assert all("validation" not in folder.run(run).config.read_text() for run in folder.runs())
    with folder.results.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["fold"] for row in rows] == ["0", "1", "2"] * 3
    assert {row["seed"] for row in rows} == {"0"}
    assert cross_validated.document["folds"] == FOLDS
    assert read_facts(folder)["runs"] == 9


def test_the_best_trial_is_that_of_the_best_mean(cross_validated):
    folder, results = cross_validated.folder, cross_validated.results
    counts = np.array([[validated(folder.run(run)) for run in one.runs] for one in results])
    shares = counts[..., 0] / counts[..., 1]
    means = [one.means["validation_accuracy"] for one in results]
    np.testing.assert_allclose(means, shares.mean(axis=1), atol=1 / 400)
    assert cross_validated.best.trial.number == shares.mean(axis=1).argmax()
    half = 4.302652729911275 * shares.std(axis=1, ddof=1) / np.sqrt(3)  # Student's, 2 degrees
    np.testing.assert_allclose([one.half_width for one in results], half, atol=0.006)
    tested = [folder.run(run).read_summary()["test"]["accuracy"] for run in folder.runs()]
    assert [value is not None for value in tested] == [
        run in cross_validated.best.runs for run in folder.runs()
    ]
    mean = np.mean([value for value in tested if value is not None])
    assert cross_validated.document["best"]["test"]["accuracy"] == pytest.approx(mean)


@pytest.mark.parametrize("run", [1, 8])
def test_a_run_of_a_fold_equals_train_with_its_config(cross_validated, tmp_path, run):
    compare(cross_validated.folder.run(run), tmp_path)


def test_each_fold_of_all_trials_is_one_stack(tmp_path, monkeypatch):
    monkeypatch.setattr("mnistlab.sweeps.plan.available_cores", lambda: 1)
    prepared = prepare_sweep(settled(tmp_path, RATES, folds=FOLDS))
    assert sorted(sorted(stack.runs) for stack in prepared.stacks()) == [
        [0, 3, 6], [1, 4, 7], [2, 5, 8],
    ]  # fmt: skip


def test_trials_are_compared_on_the_images_of_all_folds(cross_validated, tmp_path):
    chosen = load_sweep(cross_validated.folder.config)
    prepared = prepare_sweep(chosen)
    scores = _scores(cross_validated.results, prepared, cross_validated.folder)
    assert {len(found) for found in scores.values()} == {1200}
    for result in cross_validated.results:
        right = sum(validated(cross_validated.folder.run(run))[0] for run in result.runs)
        assert scores[result.trial.number].sum() == pytest.approx(right, abs=1)
    # so slow that no image and no fold leaves a doubt
    assert 0 not in cross_validated.document["indistinguishable"]
    alike = sweep(tmp_path, "learning_rate=0.02,0.02000001", text="epochs: 2\n", folds=2)
    assert len(alike.document["indistinguishable"]) == 1


@pytest.mark.parametrize("repeats", [{"seeds": 2}, {"folds": 2}])
def test_runs_that_disagree_do_not_tell_trials_apart(tmp_path, repeats):
    """One trial is better with the first seed or fold, the other with the second."""
    chosen = settled(tmp_path, "learning_rate=0.01,0.02", **repeats)
    results = [
        TrialResult(trial, list(chosen.runs_of(trial)), "completed", 1, False, {}, accuracies)
        for trial, accuracies in zip(chosen.trials, [(0.5, 0.9), (0.6, 0.8)], strict=True)
    ]
    assert not _differ_by_runs(*results, 1)


@pytest.mark.parametrize("repeats", [{"seeds": 2}, {"folds": 2}])
def test_scores_are_those_of_each_runs_own_features(tmp_path, repeats):
    """A random projection depends on the seed, so that seeds do not share their features."""
    words = ("learning_rate=0.01,0.02", "features=[{random_relu: {features: 50}}]")
    result = sweep(tmp_path, *words, text="epochs: 2\n", **repeats)
    chosen = load_sweep(result.folder.config)
    scores = _scores(result.results, prepare_sweep(chosen), result.folder)
    for one in result.results:
        expected = one.means["validation_accuracy"]
        assert scores[one.trial.number].mean() == pytest.approx(expected, abs=2 / 400)


def test_data_named_by_a_relative_path_is_opened_once(tmp_path, monkeypatch):
    (tmp_path / "digits.npz").symlink_to(write_digits())
    monkeypatch.chdir(tmp_path)
    chosen = load_sweep({"base": {"data": {"dataset": "digits.npz", "folds": 2}}}, [RATES])
    prepared = prepare_sweep(chosen)
    fold = chosen.runs_of(chosen.trials[0])[1]
    assert prepared.data_of(fold) is prepared.data_of(prepared.configs[1])


def test_a_sweep_reads_back_equal(cross_validated):
    found = load_sweep(cross_validated.folder.config)
    assert (found.folds, found.repeats, found.settings.seeds) == (3, 3, 1)
    assert load_sweep(cross_validated.folder.config).to_yaml() == found.to_yaml()


@pytest.mark.parametrize(
    ("text", "folds", "fold"),
    [
        ("base: {data: {dataset: mnist-mini, validation: 100}}\nfolds: 4\n", 4, None),
        ("base: {data: {dataset: mnist-mini, folds: 4}}\n", 4, None),
        ("base: {data: {dataset: mnist-mini, folds: 5, fold: 1}}\nfolds: 4\n", 4, None),
        ("base: {data: {dataset: mnist-mini, folds: 4, fold: 1}}\n", None, 1),
        ("base: {data: {dataset: mnist-mini, split: random}}\nfolds: 4\n", 4, None),
    ],
)
def test_a_sweep_file_asks_for_folds(tmp_path, text, folds, fold):
    path = tmp_path / "many.yaml"
    path.write_text(f"{text}parameters: {{learning_rate: [0.01, 0.02]}}\n")
    found = load_sweep(path)
    assert (found.folds, found.base.data.fold, found.repeats) == (folds, fold, folds or 1)
    assert found.base.data.split == ("random" if "random" in text else "stratified")
    path.write_text(found.to_yaml())
    again = load_sweep(path)
    assert (again.folds, again.base, again.trials) == (found.folds, found.base, found.trials)


@pytest.mark.parametrize(
    ("words", "options", "message"),
    [
        ((RATES,), {"folds": 3, "seeds": 2}, "seeds and folds exclude each other"),
        ((RATES, "data.validation=100"), {"folds": 3}, "override 'data.validation=100': data: "),
        ((RATES, "data.fold=1"), {"folds": 3}, "folds 3 trains every trial on all folds"),
        ((RATES, "data.folds=5"), {"folds": 3}, "folds 3 trains every trial on all folds"),
        ((RATES, "data.split=tail"), {"folds": 3}, r"'tail' \(valid: random, stratified\)"),
        ((RATES, "data.fold=0,1"), {"folds": 3}, "data.fold is no axis: --folds K trains"),
        ((RATES, "folds=3"), {}, "is an option of the command: --folds 3"),
        ((RATES,), {"folds": 1}, "--folds: folds must be at least 2"),
        (("learning_rate=linspace(0.001,0.1,4000)",), {"folds": 3}, "4,000 trials x 3 folds are"),
        ((), {}, "or --folds 5 to repeat one trial"),
    ],
)
def test_what_is_refused(tmp_path, words, options, message):
    with pytest.raises(ConfigError, match=message):
        settled(tmp_path, *words, **options)


def test_one_trial_can_be_cross_validated(tmp_path):
    result = sweep(tmp_path, text="epochs: 1\n", folds=2)
    assert (len(result.results), result.best.runs) == (1, [0, 1])


def test_an_interrupted_one_goes_on_to_the_same_bits(tmp_path, monkeypatch):
    monkeypatch.setattr(stack_training, "CHECKPOINT_SECONDS", 0.0)
    whole = sweep(tmp_path, RATES, text="epochs: 4\n", folds=FOLDS, runs="whole")
    reporter = SweepRecorder(raise_at=6, kind=EpochEnded)
    with pytest.raises(KeyboardInterrupt):
        sweep(tmp_path, RATES, text="epochs: 4\n", folds=FOLDS, reporter=reporter)
    folder = the_only(tmp_path / "runs")
    assert len(folder.runs()) < 9
    result = resume(folder)
    assert content(folder) == content(whole.folder)
    assert result.document["ranking"] == whole.document["ranking"]
    assert result.document["results"] == whole.document["results"]


def test_halving_takes_a_trial_out_on_all_folds(tmp_path):
    words = ("learning_rate=0.00001,0.01,0.02", "halving.factor=3")
    result = sweep(tmp_path, *words, text="epochs: 3\n", method="halving", folds=2)
    trained = [len(result.folder.run(run).read_metrics()["epoch"]) for run in range(6)]
    assert sorted(trained) == [1, 1, 1, 1, 3, 3]
    assert trained[::2] == trained[1::2]
    assert trained[0] == 1
    compare(result.folder.run(0), tmp_path)


def test_finished_folds_are_taken_over(tmp_path):
    sweep(tmp_path, "learning_rate=0.01", text="epochs: 1\n", folds=2)
    reporter = SweepRecorder()
    sweep(tmp_path, RATES, text="epochs: 1\n", folds=2, needed=True, reporter=reporter)
    assert reporter.started[1] == {2, 3}


def test_the_limit_is_that_of_the_fold_with_the_lowest(tmp_path):
    prepared = prepare_sweep(settled(tmp_path, RATES, folds=FOLDS))
    limits = [prepared.limits[run] for run in range(FOLDS)]
    assert len(set(limits)) == FOLDS
    assert prepared.common_limit == min(limits)


@pytest.mark.parametrize("count", [2, 6])
def test_the_memory_of_each_fold_is_foretold(tmp_path, count):
    seeds, folds = (
        prepare_sweep(settled(tmp_path, RATES, **{key: count})) for key in ("seeds", "folds")
    )
    more = estimate(folds, folds.stacks()).memory - estimate(seeds, seeds.stacks()).memory
    assert more == count * 1200 * seeds.data.train.rows.shape[1]


@pytest.mark.usefixtures("drawn_here")
def test_from_the_command_line(run, tmp_path):
    base = tmp_path / "base.yaml"
    base.write_text(f"epochs: 1\n{as_yaml()}")
    code, out, _ = run("sweep", "-c", base, RATES, "--folds", "3", "--dry-run", "--json")
    found = json.loads(out)
    assert (code, found["trials"], found["runs"]) == (0, 3, 9)
    assert found["learning_rate_limit"] > 0
    code, out, err = run("sweep", "-c", base, RATES, "--folds", "3")
    assert (code, "best so far" in err) == (0, True)
    said = " ".join(out.split())
    assert "Numbers are means over 3 folds" in said
    assert "approximate" in said
    assert "Bengio and Grandvalet" in said
    assert "over the folds" in said
    assert "and its other folds" in said
    assert "9 runs in" in said
    code, out, _ = run("runs", "list", "latest")
    assert (code, "data.fold" in out) == (0, True)
    code, out, _ = run("runs", "show", "latest/4")
    assert (code, "fold: 1" in out) == (0, True)


@pytest.mark.parametrize("words", [(), ("--dry-run",)])
def test_train_wants_one_fold(run, tmp_path, words):
    base = tmp_path / "base.yaml"
    base.write_text(f"epochs: 1\ndata: {{dataset: {write_digits()}, folds: 3}}\n")
    code, _, err = run("train", "-c", base, "--no-plots", *words)
    said = " ".join(err.split())
    assert code == 2
    assert "data.folds 3 needs data.fold, 0 to 2" in said
    assert "mnistlab sweep trains on all folds" in said
    assert not (tmp_path / "runs").exists()
    code, out, _ = run("train", "-c", base, "data.fold=2", "--no-plots", "--json", *words)
    assert code == 0
    if words:
        assert json.loads(out)["validation_images"] == 400
    code, _, _ = run("sweep", "-c", base, "-q", "--no-plots")
    assert code == 0


def test_from_python(tmp_path):
    given = {"data__dataset": str(write_digits()), "epochs": 1, "plots": False, "folds": 2}
    swept = mnistlab.sweep("softmax", {"learning_rate": [0.1, 0.5]}, runs_dir=tmp_path, **given)
    assert swept.summary["folds"] == 2
    assert SweepFolder(swept.path).runs() == [0, 1, 2, 3]
    with pytest.raises(InputError, match="has no effect with folds"):
        mnistlab.sweep("softmax", {}, data__validation=100, **given)


def test_the_loss_chooses_too(tmp_path):
    metric = Metric("validation.loss", "minimize")
    result = sweep(tmp_path, RATES, text="epochs: 1\n", folds=2, metric=metric)
    losses = [one.means["validation_loss"] for one in result.results]
    assert result.best.trial.number == int(np.argmin(losses))


def test_the_schema_knows_folds():
    properties = Config.model_json_schema()["$defs"]["DataConfig"]["properties"]
    assert {"folds", "fold"} <= properties.keys()
