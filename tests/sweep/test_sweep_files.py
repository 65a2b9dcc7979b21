"""Sweep files: what they mean, what is refused and in which words, and that they read back."""

import math
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mnistlab.config.load import load_config
from mnistlab.config.schema import Config
from mnistlab.errors import ConfigError
from mnistlab.sweeps.sweep_file import is_sweep_file
from mnistlab.sweeps.sweep_schema import Halving, Metric, SweepFile
from mnistlab.sweeps.trials import load_sweep
from tests.sweep.helpers import told, values

CONFIGS = Path(__file__).parents[2] / "configs"
SHIPPED = sorted((CONFIGS / "sweeps").glob("*.yaml"))


def test_a_sweep_file_says_what_the_words_say(write):
    path = write(
        """base: plain.yaml
method: grid
metric: {name: validation_loss}
parameters:
  learning_rate: [0.005, 0.01]
  batch_size: {values: [50, 100]}
  epochs: {value: 10}
  weight_decay: linspace(0.5,0.9,5)
  seed: 3
zip: [[learning_rate, batch_size]]
seeds: 2
max_trials: 100
random_seed: 5
halving: {factor: 4}
"""
    )
    sweep = load_sweep(path)
    assert (sweep.base.name, sweep.settings.method, sweep.settings.seeds) == ("many", "grid", 2)
    assert (sweep.settings.max_trials, sweep.settings.random_seed, sweep.halving) == (100, 5, None)
    assert sweep.metric == Metric("validation.loss", "minimize")
    assert sweep.keys == ("learning_rate", "batch_size", "weight_decay")
    assert len(sweep.trials) == 10
    assert (sweep.base.epochs, sweep.base.seed) == (10, 3)


def test_the_command_line_wins_over_the_sweep_file(write):
    path = write(
        "base: plain.yaml\nmethod: random\nmetric: {name: validation.loss}\nseeds: 2\n"
        "max_trials: 3\nparameters:\n  learning_rate: [1, 2, 3]\n  batch_size: [4, 5, 6]\n"
        "zip: [[learning_rate, batch_size]]\n"
    )
    accuracy = Metric("validation.accuracy", "maximize")
    options = {"method": "grid", "metric": accuracy, "seeds": 1, "max_trials": 9, "random_seed": 4}
    sweep = load_sweep(path, ["learning_rate=0.5"], name="mine", **options)
    assert sweep.metric == options.pop("metric")
    assert {key: getattr(sweep.settings, key) for key in options} == options
    assert (sweep.base.name, sweep.keys, len(sweep.trials)) == ("mine", ("batch_size",), 3)
    assert {trial.config.name for trial in sweep.trials} == {"mine"}
    assert {trial.config.learning_rate for trial in sweep.trials} == {0.5}
    wider = load_sweep(path, ["learning_rate=4,5,6"])
    assert values(wider, "learning_rate") == [4, 5, 6]
    assert wider.keys == ("learning_rate", "batch_size")


def test_the_name_is_the_bases_or_the_files(write, base):
    named = write("base: plain.yaml\nseeds: 2\n", "first try.yaml")
    assert load_sweep(named).base.name == "first-try"
    named = write("base: {name: given, data: {validation: 5}}\nseeds: 2\n")
    assert load_sweep(named).base.name == "given"
    assert load_sweep(named, name="wins").base.name == "wins"
    assert load_sweep(base, seeds=2).base.name == "plain"


@pytest.mark.parametrize(
    ("parameter", "expected"),
    [
        ("{min: 1, max: 3}", [1, 2, 3]),
        ("{min: 1, max: 3, distribution: int_uniform}", [1, 2, 3]),
        ("{values: [4, 5], distribution: categorical}", [4, 5]),
        ("{values: ['range(2)', 7]}", [0, 1, 7]),
        ("choice(6,7)", [6, 7]),
    ],
)
def test_a_parameter_means_what_it_means_to_weights_and_biases(write, parameter, expected):
    sweep = load_sweep(write(f"base: plain.yaml\nparameters:\n  seed: {parameter}\n"))
    assert values(sweep, "seed") == expected


@pytest.mark.parametrize(
    ("parameter", "low", "high"),
    [
        ("{min: 1, max: 3.0}", 1, 3),
        ("{min: 1, max: 3, distribution: uniform}", 1, 3),
        ("{min: 0.5, max: 3, distribution: log_uniform_values}", 0.5, 3),
        ("{min: -3, max: -1, distribution: log_uniform}", math.exp(-3), math.exp(-1)),
        ("uniform(1,3)", 1, 3),
        ("log_uniform(0.5,3)", 0.5, 3),
    ],
)
def test_a_distribution_draws_between_its_ends_and_reads_back(write, parameter, low, high):
    path = write(f"base: plain.yaml\nparameters:\n  learning_rate: {parameter}\n")
    sweep = load_sweep(path, max_trials=200)
    rates = values(sweep, "learning_rate")
    assert low <= min(rates) < low + 0.2 * (high - low)
    assert high - 0.2 * (high - low) < max(rates) <= high
    assert load_sweep(write(sweep.to_yaml(), "again.yaml"), name="many") == sweep


P = "base: plain.yaml\nparameters:\n  "


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("base: plain.yaml\nqux: 1\n", "line 2: unknown key 'qux' (valid: base, "),
        ("base: plain.yaml\nseed: 1\n", "unknown key 'seed'; did you mean 'seeds'?"),
        ("base: plain.yaml\nepochs: 1\n", "a config's keys stand below base or parameters"),
        ("base: plian.yaml\n", "line 1: base: "),
        ("base: 3\n", "line 1: base: must be a config file or a mapping of keys, not 3"),
        ("base: {epoch: 3}\nseeds: 2\n", "line 1: unknown key 'epoch'; did you mean 'epochs'?"),
        ("base: many.yaml\n", "line 1: base: {path}: is a sweep file"),
        ("base: {parameters: {}}\nseeds: 2\n", "unknown key 'parameters'"),
        ("base: plain.yaml\nmethod: bayesian\n", "line 2: method: unknown method 'bayesian'"),
        ("base: plain.yaml\nmethod: [grid]\n", "method must be text, not [grid]"),
        ("base: plain.yaml\nmetric: accuracy\n", "metric must be a mapping of keys, not accuracy"),
        ("base: plain.yaml\nmetric: {goal: maximize}\n", "line 2: metric.name is missing"),
        (
            "base: plain.yaml\nmetric: {nam: x}\n",
            "unknown key 'metric.nam'; did you mean 'metric.name'",
        ),
        ("base: plain.yaml\nmetric: {name: 3}\n", "metric.name must be text, not 3; quote it: '3'"),
        (
            "base: plain.yaml\nmetric: {name: validation.accuracy}\n",
            "metric: without a goal validation.accuracy would be minimised; say goal: maximize",
        ),
        (
            "base: plain.yaml\nmetric: {name: validation.loss, goal: less}\n",
            "unknown goal 'less'",
        ),
        ("base: plain.yaml\nmetric: {name: test.accuracy}\n", "'test.accuracy': trials are chosen"),
        ("base: plain.yaml\nmetric: {name: test_loss}\n", "on the validation split only"),
        ("base: plain.yaml\nmetric: {name: train_loss}\n", "on the validation split only"),
        (
            "base: plain.yaml\nmetric: {name: validation.los}\n",
            "did you mean 'validation.loss'?",
        ),
        ("base: plain.yaml\nseeds: 0\n", "line 2: seeds must be at least 1, not 0"),
        ("base: plain.yaml\nseeds: true\n", "seeds must be a whole number, not true"),
        ("base: plain.yaml\nmax_trials: 0\n", "max_trials must be at least 1, not 0"),
        ("base: plain.yaml\nrandom_seed: -1\n", "random_seed must be at least 0, not -1"),
        ("base: plain.yaml\nhalving: 3\n", "halving must be a mapping of keys, not 3"),
        ("base: plain.yaml\nhalving: {factor: 1}\n", "halving.factor must be at least 2, not 1"),
        ("base: plain.yaml\nhalving: {fector: 2}\n", "did you mean 'halving.factor'?"),
        ("base: plain.yaml\nzip: learning_rate\n", "line 2: zip: must be a list of groups"),
        ("base: plain.yaml\nzip: [learning_rate]\n", "zip: must be a list of groups"),
        ("base: plain.yaml\nzip: [[learning_rate]]\n", "zip: a group needs at least two keys"),
        ("base: plain.yaml\nzip: [[learning_rate, 3]]\n", "zip must be text, not 3"),
        ("base: plain.yaml\nseeds: 2.5\n", "seeds must be a whole number, not 2.5"),
        ("base: plain.yaml\nseeds: 007\n", "line 2: 007: a number has no leading zeros"),
        (P + "lr: [0.1, 0.2]\n", "unknown key 'lr'; did you mean 'learning_rate'?"),
        ("base: plain.yaml\nzip: [[seed, epochs]]\n", "zip: 'seed' is no axis of this sweep"),
        ("base: plain.yaml\ntrials: [1]\n", "line 2: trials must be text, not [1]"),
        ("base: plain.yaml\n", "nothing to sweep; give an axis, such as learning_rate=0.01,0.1"),
        ("base: plain.yaml\nparameters: [1]\n", "line 2: parameters must be a mapping"),
        (P + "lerning_rate: [1]\n", "line 3: parameters: unknown key 'lerning_rate'"),
        (P + "lerning_rate: 1\n", "did you mean 'learning_rate'?"),
        (P + "learning_rate: []\n", "line 3: parameters.learning_rate: has no values"),
        (P + "learning_rate: {}\n", "needs a value, values, or min and max"),
        (P + "learning_rate: {values: 3}\n", "values must be a list, like [a, b], not 3"),
        (P + "learning_rate: {value: 3, values: [3]}\n", "constant needs value, not values"),
        (P + "learning_rate: {min: 3}\n", "uniform needs min and max"),
        (P + "learning_rate: {min: 3, max: 1}\n", "min 3 is above max 1"),
        (P + "learning_rate: {min: 1, max: .inf}\n", ".inf is not a finite number"),
        (P + "learning_rate: {min: a, max: 1}\n", "a is not a number"),
        (P + "learning_rate: {mu: 3}\n", "unknown key 'mu' (valid: distribution, max, min, value"),
        (
            P + "learning_rate: {min: 1, max: 2, distribution: normal}\n",
            "unknown distribution 'normal'",
        ),
        (
            P + "learning_rate: {min: 0, max: 1, distribution: log_uniform_values}\n",
            "0 has no logarithm",
        ),
        (
            P + "learning_rate: {min: 0, max: 999, distribution: log_uniform}\n",
            "e^999 is not a finite number",
        ),
        (P + "learning_rate: {min: -999, max: 0, distribution: log_uniform}\n", "rounded to 0"),
        (P + "learning_rate: {min: 1.5, max: 2, distribution: int_uniform}\n", "min must be a"),
        (P + "learning_rate: [0.1, abc]\n", "value 2: must be a number, not abc"),
        (P + "learning_rate: [0.1, .nan]\n", "value 2: must be a finite number, not .nan"),
        (P + "learning_rate: abc\n", "line 3: learning_rate must be a number, not abc"),
        (P + "learning_rate: [0.01, 0.1, 1e-2]\n", "value 3: 0.01 is value 1 too"),
        (P + "weight_decay: [0, 1, 0.0]\n", "value 3: 0.0 is value 1 too"),
        (P + "data.preprocess: [[], [desqew]]\n", "value 2: unknown preprocessing step 'desqew'"),
        (P + "data.dataset: [mnist, kmnist]\n", "trials on different data cannot be compared"),
        (P + "data.validation: [1, 2]\n", "trials on different data cannot be compared"),
        (P + "data.split_seed: [1, 2]\n", "trials on different data cannot be compared"),
        (P + "name: [a, b]\n", "name is no axis"),
        (P + "data.validation: 0\n  seed: [1, 2]\n", "line 3: data.validation must be above 0"),
        (P + "momentum: [0.5, 0.9]\n", "trial momentum=0.5: momentum has no effect with"),
        (
            P + "momentum: [null, 0.9]\n  optimizer: [momentum]\n",
            "trials 0 and 1 are the same: momentum=0.9, optimizer=momentum",
        ),
        (
            P + "loss: [squared_error, softmax_cross_entropy]\n"
            "metric: {name: validation.loss, goal: minimize}\n",
            "different losses cannot be compared by validation.loss; use validation.accuracy",
        ),
    ],
)
def test_a_wrong_sweep_file_is_refused_in_one_message(write, content, message):
    path = write(content)
    said = told(path)
    assert said.startswith(str(path))
    assert message.replace("{path}", str(path)) in said


def test_a_sweep_file_may_be_longer_than_a_config(write):
    rows = ", ".join(str(seed) for seed in range(0, 3000, 2))
    comment = "# a sweep\n" * 10_000
    path = write(f"{comment}base: plain.yaml\nparameters:\n  seed: [{rows}]\n")
    assert len(load_sweep(path).trials) == 1500
    assert "larger than 64 KB" in told(write(f"{comment}epochs: 2\n"), "seed=1,2")
    assert "larger than 1024 KB" in told(write(f"{comment * 11}base: plain.yaml\n"))


def test_more_values_than_a_sweep_file_can_hold_are_refused(write, base, tmp_path, monkeypatch):
    path = write(f"base: plain.yaml\nparameters:\n  seed: [{'1,' * 2000}1]\n")
    with monkeypatch.context() as patch:
        patch.setattr("mnistlab.config.config_files.MAX_NODES", 2000)
        assert "line 3: more than 2,000 keys and values" in told(path)
    rows = tmp_path / "rows.csv"
    rows.write_text("seed,batch_size\n" + "".join(f"{i},{i}\n" for i in range(1, 20_002)))
    assert "lists 40,002 values, 40,000 at most" in told(base, f"@{rows}", max_trials=3)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_sweeps_are_valid_explain_themselves_and_read_back(path, write):
    sweep = load_sweep(path)
    assert sweep.base.name == path.stem
    assert path.read_text().startswith("# ")
    assert is_sweep_file(path)
    assert load_sweep(write(sweep.to_yaml())) == sweep
    with pytest.raises(ConfigError, match="is a sweep file; use `mnistlab sweep --config"):
        load_config(path)


def test_the_shipped_sweeps_are_those_that_are_announced():
    sizes = {path.stem: len(load_sweep(path).trials) for path in SHIPPED}
    assert sizes == {"assignment": 64, "learning_rate_64": 64, "sigmoid": 30, "stability": 24}
    rates = values(load_sweep(CONFIGS / "sweeps" / "stability.yaml"), "learning_rate")
    assert (min(rates), max(rates)) == (0.005, 0.1)
    assert sum(rate < 0.0255 for rate in rates) == 13
    assert not is_sweep_file(CONFIGS / "linear.yaml")


def test_everything_a_sweep_can_say_reads_back(write, tmp_path):
    (tmp_path / "rows.csv").write_text("weight_decay,dtype\n0,float32\n1e-3,float64\n")
    path = write(
        P + "learning_rate: linspace(0.5,0.9,3)\n  batch_size: {values: [50, 'range(60,63)']}\n"
        "  checkpoint_every: [1, 2, 3, 4]\n  early_stopping: [null, 3]\n"
        "  data.preprocess: [[], [deskew]]\n  optimizer: adam\n"
        "zip: [[batch_size, checkpoint_every]]\ntrials: rows.csv\nseeds: 2\nmax_trials: 20\n"
        "method: halving\nhalving: {min_epochs: 2}\nrandom_seed: 3\n"
        "metric: {name: validation.loss}\n"
    )
    sweep = load_sweep(path)
    assert len(sweep.trials) == 20
    again = write(sweep.to_yaml(), "elsewhere.yaml")
    (tmp_path / "rows.csv").unlink()
    (tmp_path / "plain.yaml").unlink()
    assert load_sweep(again) == sweep
    assert load_sweep(again).to_yaml() == sweep.to_yaml()
    assert set(sweep.document["base"]) >= set(Config().model_dump(exclude_none=True))
    assert set(sweep.document) < set(SweepFile.model_fields)


def test_a_search_reads_back(write):
    path = write(
        P + "learning_rate: {min: 0.001, max: 0.1}\nmethod: tpe\nmax_trials: 40\nbatch: 7\n"
    )
    sweep = load_sweep(path)
    assert (sweep.settings.method, sweep.halving) == ("tpe", None)
    assert (sweep.wanted, len(sweep.trials)) == (40, 7)
    again = load_sweep(write(sweep.to_yaml(), "elsewhere.yaml"))
    assert (again, again.settings.batch) == (sweep, 7)
    assert again.at([(0.05,), (0.06,)]).trials[1].config.learning_rate == 0.06
    halved = load_sweep(path, ["halving.factor=4"])
    assert halved.halving == Halving(factor=4)
    assert load_sweep(write(halved.to_yaml(), "halved.yaml")).halving == halved.halving


def test_bayes_is_what_w_and_b_calls_it(write):
    path = write(P + "learning_rate: {min: 0.001, max: 0.1}\nmethod: bayes\n")
    sweep = load_sweep(path)
    assert (sweep.settings.method, sweep.document["method"]) == ("tpe", "tpe")
    assert (sweep.wanted, len(sweep.trials), sweep.document["batch"]) == (64, 16, 16)
    assert load_sweep(path, method="random").drawn is None


def test_a_float_that_is_whole_is_a_whole_number(write):
    path = write(
        P + "seed: {min: 1, max: 3, distribution: int_uniform}\nseeds: 1.0\nmax_trials: 1e1\n"
    )
    assert (load_sweep(path).settings.seeds, load_sweep(path).settings.max_trials) == (1, 10)


def test_an_inlined_base_keeps_an_option_that_an_axis_may_drop(write):
    path = write(P + "optimizer: [adam, sgd]\n")
    sweep = load_sweep(path, ["init=normal"])
    assert [trial.config.beta1 for trial in sweep.trials] == [0.9, None]
    assert load_sweep(write(sweep.to_yaml()), name="many") == sweep


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=100), st.sampled_from(["", "seed: ", "trials: ", "  zip: ["]))
def test_any_bytes_give_a_sweep_or_a_config_error(tmp_path, content, key):
    path = tmp_path / "fuzz.yaml"
    path.write_bytes(b"base: {}\nparameters:\n  seed: [1, 2]\n" + key.encode() + content)
    with suppress(ConfigError):
        load_sweep(path)


FRAGMENTS = [
    "seed",
    "zip",
    "=",
    "@",
    ",",
    "linspace(",
    "uniform(",
    ")",
    "[",
    "1",
    "1e400",
    "-",
    "a",
]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(FRAGMENTS), max_size=12).map("".join))
def test_any_word_gives_a_sweep_or_a_config_error(base, word):
    with suppress(ConfigError):
        load_sweep(base, ["batch_size=1,2", word], max_trials=3)
    with suppress(ConfigError):
        load_sweep(base, [f"learning_rate={word}"], max_trials=3)
