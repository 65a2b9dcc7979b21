"""Sweep spaces: which trials a sweep holds, and which words are refused."""

import math
import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mnistlab.config.load import load_config
from mnistlab.errors import ConfigError
from mnistlab.sweeps.sweep_schema import Halving, Metric, metric_named
from mnistlab.sweeps.trials import load_sweep, repeat_settings
from tests.sweep.helpers import told, values

CONFIGS = Path(__file__).parents[2] / "configs"
EVERY_NUMBER = "int_uniform(1,1000000000)"


# Grids


def test_a_grid_is_the_product_of_its_axes_the_first_slowest(base):
    sweep = load_sweep(base, ["learning_rate=0.1,0.2", "batch_size=10,20,30"])
    assert [tuple(trial.parameters.values()) for trial in sweep.trials] == [
        (0.1, 10),
        (0.1, 20),
        (0.1, 30),
        (0.2, 10),
        (0.2, 20),
        (0.2, 30),
    ]
    assert [trial.number for trial in sweep.trials] == [0, 1, 2, 3, 4, 5]
    assert sweep.keys == ("learning_rate", "batch_size")
    last = sweep.trials[-1].config
    assert (last.learning_rate, last.batch_size, last.epochs) == (0.2, 30, 8)
    assert (last.name, last.data.validation) == ("plain", 100)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["learning_rate", "batch_size", "seed", "checkpoint_every"]),
            st.integers(1, 6),
        ),
        min_size=1,
        max_size=4,
        unique_by=lambda axis: axis[0],
    )
)
def test_any_grid_has_the_product_of_its_lengths_and_reads_back(tmp_path, base, axes):
    sweep = load_sweep(base, [f"{key}=range(1,{count + 1})" for key, count in axes])
    assert len(sweep.trials) == math.prod(count for _, count in axes)
    assert len({tuple(trial.parameters.items()) for trial in sweep.trials}) == len(sweep.trials)
    again = tmp_path / "again.yaml"
    again.write_text(sweep.to_yaml())
    assert load_sweep(again) == sweep


def test_a_part_of_a_grid_is_drawn_once_each_in_grid_order(base):
    words = ["seed=range(100)", "batch_size=range(1,101)"]
    sweep = load_sweep(base, words, max_trials=500)
    points = [tuple(trial.parameters.values()) for trial in sweep.trials]
    assert points == sorted(set(points))
    assert len(points) == 500
    assert {seed for seed, _ in points} > set(range(0, 100, 10))
    assert load_sweep(base, words, max_trials=500) == sweep
    assert load_sweep(base, words, max_trials=500, random_seed=1).trials != sweep.trials


def test_a_grid_without_end_is_refused_and_a_part_of_it_is_taken_without_listing_it(base):
    words = [f"{key}={EVERY_NUMBER}" for key in ("seed", "batch_size", "checkpoint_every")]
    assert told(base, *words) == (
        f"{base}: the grid has about 10^27 points, 10,000 at most; give fewer values, or "
        "--max-trials N to take N of them, or --method random --max-trials N"
    )
    assert len(load_sweep(base, words, max_trials=7).trials) == 7
    assert len(load_sweep(base, words, method="random", max_trials=7).trials) == 7
    assert "the grid has 1,000,000,000,000 points" in told(base, "seed=range(1000000000000)")
    assert len(load_sweep(base, ["seed=range(1000000000000)"], max_trials=3).trials) == 3
    assert "40,000 at most; ask for fewer" in told(
        base, "seed=linspace(0,1000000000000,1000000000001)", max_trials=3
    )


def test_a_grid_of_just_ten_thousand_is_taken(base):
    words = ["seed=range(100)", "batch_size=range(1,101)"]
    assert len(load_sweep(base, words).trials) == 10_000
    assert "10,100 points" in told(base, "seed=range(101)", "batch_size=range(1,101)")


# Random draws


def test_random_draws_so_many_different_trials_from_a_seed(base):
    words = ["learning_rate=log_uniform(1e-4,1e-1)", "batch_size=int_uniform(1,500)"]
    sweep = load_sweep(base, words)
    assert (sweep.settings.method, sweep.settings.max_trials) == ("random", 64)
    assert len(sweep.trials) == 64
    rates = values(sweep, "learning_rate")
    assert len(set(rates)) == 64
    assert all(1e-4 <= rate <= 1e-1 and rate == float(f"{rate:.12g}") for rate in rates)
    assert load_sweep(base, words, random_seed=0) == sweep
    assert load_sweep(base, words, random_seed=1).trials != sweep.trials


def test_random_takes_all_of_a_small_space_and_no_point_twice(base):
    words = ["seed=range(8)", "batch_size=range(1,9)"]
    grid = [trial.parameters for trial in load_sweep(base, words).trials]
    assert [t.parameters for t in load_sweep(base, words, method="random").trials] == grid
    drawn = [
        tuple(trial.parameters.values())
        for trial in load_sweep(base, words, method="random", max_trials=63).trials
    ]
    assert len(set(drawn)) == 63
    assert drawn != sorted(drawn)


def test_a_continuous_axis_that_is_too_narrow_is_refused(base):
    message = told(base, "learning_rate=uniform(1e-4,1.00000000001e-4)")
    assert "different points were found, not 64; ask for fewer by --max-trials" in message


def test_a_drawn_value_that_is_wrong_is_named(base):
    message = told(base, "learning_rate=uniform(-2,-1)")
    assert re.fullmatch(
        r"override '.*', -1\.\d+ drawn: must be greater than 0\.0, not -1\.\d+", message
    )


def test_a_grid_refuses_what_can_only_be_drawn(base):
    message = told(base, "learning_rate=uniform(0.1,0.2)", method="grid")
    assert "a grid cannot list a continuous distribution; use --method random" in message


# Words


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["learning_rate"], "'learning_rate': an override is written key=value"),
        (["learning_rate=1,2", "learning_rate=3"], "learning_rate is given twice"),
        (["lerning_rate=1,2"], "unknown key 'lerning_rate'; did you mean 'learning_rate'?"),
        (["lerning_rate=1", "seed=1,2"], "unknown key 'lerning_rate'"),
        (["data.dataset=mnist,kmnist"], "sweep each dataset by itself"),
        (["data.dataset=mnst", "seed=1,2"], "unknown dataset 'mnst'"),
        (["method=random", "seed=1,2"], "is an option of the command: --method random"),
        (["max_trials=3", "seed=1,2"], "is an option of the command: --max-trials 3"),
        (["batch=3", "seed=1,2"], "is an option of the command: --batch 3"),
        (["halving.factor=2", "seed=1,2"], "has no effect with method grid"),
        (["halving.faktor=2"], "unknown key 'halving.faktor'; did you mean 'halving.factor'?"),
        (["halving=2"], "halving must be a mapping of keys, not 2"),
        (["lr=0.1,0.2"], "unknown key 'lr'; did you mean 'learning_rate'?"),
        (["seed=1,2", "bs=7"], "unknown key 'bs'; did you mean 'batch_size'?"),
        (["seed=1,2", "epochs.x=1"], "'epochs' has no keys below it"),
        (["seed=1,[2"], "is not valid YAML"),
    ],
)
def test_a_wrong_word_is_refused(base, words, message):
    said = told(base, *words)
    assert message in said
    assert any(repr(word) in said for word in words)


def test_values_that_are_valid_only_together_are_taken_together(base):
    sweep = load_sweep(base, ["optimizer=momentum,nesterov", "momentum=0.5"])
    assert [trial.config.momentum for trial in sweep.trials] == [0.5, 0.5]
    assert sweep.base == sweep.trials[0].config
    assert "trial optimizer=sgd: momentum has no effect" in told(
        base, "optimizer=momentum,sgd", "momentum=0.5"
    )
    assert "unknown dataset 'mnst'" in told(
        base, "optimizer=momentum,nesterov", "momentum=0.5", "data.dataset=mnst"
    )


def test_a_mapping_sets_the_keys_that_it_names(base):
    sweep = load_sweep(base, ["data={preprocess: [deskew]}", "seed=1,2"])
    assert (sweep.base.data.dataset, sweep.base.data.validation) == ("mnist-mini", 100)
    assert sweep.base.data.preprocess == ["deskew"]


@pytest.mark.parametrize(
    "words",
    [
        ["epochs=3"],
        ["learning_rate=0.5", "batch_size=20", "epochs=3"],
        ["optimizer=momentum", "momentum=0.5", "seed=9"],
    ],
)
def test_two_settings_are_repeated_with_the_same_seeds_after_the_firsts(base, words):
    first, second = load_config(base, ["seed=4"]), load_config(base, words)
    sweep = repeat_settings(first, second, 3, "again")
    assert (len(sweep.trials), sweep.settings.seeds, sweep.base.name) == (2, 3, "again")
    for trial, config in zip(sweep.trials, (first, second), strict=True):
        assert trial.config == config.model_copy(update={"seed": 5, "name": "again"})


def test_the_same_setting_is_one_trial_and_other_data_is_refused(base):
    first = load_config(base)
    sweep = repeat_settings(first, load_config(base, ["name=b", "seed=3"]), 2, "again")
    assert (len(sweep.trials), sweep.keys) == (1, ())
    with pytest.raises(ConfigError, match="different data cannot be compared"):
        repeat_settings(first, load_config(base, ["data.dataset=mnist"]), 2, "again")


def test_seeds_alone_are_a_sweep_of_one_trial(base):
    sweep = load_sweep(base, seeds=5)
    assert (len(sweep.trials), sweep.keys, dict(sweep.trials[0].parameters)) == (1, (), {})
    assert "nothing to sweep" in told(base)
    assert "seed is an axis, so seeds must be 1" in told(base, "seed=1,2", seeds=2)
    assert "leaves no room for 2 seeds" in told(base, f"seed={2**63 - 1}", seeds=2)


def test_more_runs_than_anybody_means_are_refused(base):
    message = told(base, "batch_size=range(1,5001)", seeds=3)
    assert "5,000 trials x 3 seeds are 15,000 runs, 10,000 at most" in message
    many = {"method": "random", "max_trials": 10_001}
    assert "10,001 runs" in told(base, "learning_rate=uniform(1,2)", **many)


@pytest.mark.parametrize("key", ["seeds", "max_trials", "random_seed", "batch"])
def test_an_option_out_of_range_is_refused(base, key):
    assert told(base, "seed=1,2", **{key: -1}).startswith(
        f"--{key.replace('_', '-')}: {key} must be at"
    )


def test_only_a_search_has_batches(base):
    assert told(base, "seed=1,2", batch=4) == "--batch: batch 4 has no effect with method grid"
    assert len(load_sweep(base, ["seed=range(9)"], method="tpe", batch=4).trials) == 4


@pytest.mark.parametrize("word", ["momentum=uniform(0,2)", "learning_rate=uniform(-1,1)"])
def test_what_a_search_may_ask_for_is_checked_before_it_starts(base, word):
    assert f"'{word}'" in told(base, "optimizer=momentum", word, method="tpe", batch=1)


def test_an_unknown_method_is_refused(base):
    assert "--method: method: unknown method 'gird'; did you mean 'grid'?" in told(
        base, "seed=1,2", method="gird"
    )


# Metrics and halving


def test_a_metric_by_itself_has_the_better_direction_as_its_goal():
    assert metric_named("validation_accuracy") == Metric("validation.accuracy", "maximize")
    assert metric_named("validation.loss") == Metric("validation.loss", "minimize")
    with pytest.raises(ConfigError, match="--metric: unknown metric 'accuracy'"):
        metric_named("accuracy")


def test_halving_lists_trials_as_a_grid_does_and_chooses_the_epochs(base):
    sweep = load_sweep(base, ["seed=1,2,3", "halving.factor=2"], method="halving")
    assert (len(sweep.trials), sweep.halving) == (3, Halving(factor=2, min_epochs=1))
    drawn = load_sweep(base, ["learning_rate=uniform(1,2)"], method="halving", max_trials=4)
    assert (len(drawn.trials), drawn.halving) == (4, Halving(factor=3, min_epochs=1))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["epochs=2,3"], "epochs is no axis where halving chooses it"),
        (["evaluate_every=1,2"], "evaluate_every is no axis where halving chooses it"),
        (["seed=1,2", "evaluate_every=2"], "evaluate_every must be 1 for halving"),
        (["seed=1,2", "stop_after=2"], "stop_after must be null for halving"),
        (["seed=1,2", "halving.min_epochs=8"], "min_epochs must be less than epochs, 8, not 8"),
        (
            ["seed=1,2", "halving.factor=1"],
            "'halving.factor=1': halving.factor must be at least 2, not 1",
        ),
        (["halving.factor=2.5"], "must be a whole number, not 2.5"),
    ],
)
def test_what_halving_cannot_do_is_refused(base, words, message):
    assert message in told(base, *words, method="halving")
