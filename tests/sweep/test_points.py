"""Functions and distributions: their values and refusals; and axes that move together."""

import math
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnistlab.sweeps.space import axis_of_text
from mnistlab.sweeps.trials import load_sweep
from tests.sweep.helpers import told, values

CONFIGS = Path(__file__).parents[2] / "configs"


def numbers(text: str) -> list:
    return list(axis_of_text("learning_rate", "here", text).values)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("range(3)", [0, 1, 2]),
        ("range(2,5)", [2, 3, 4]),
        ("range(5,0,-2)", [5, 3, 1]),
        ("range(0,1.1,0.1)", [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0]),
        ("range(0,0.3,0.1)", [0.0, 0.1, 0.2]),
        ("linspace(0.5,0.9,5)", [0.5, 0.6, 0.7, 0.8, 0.9]),
        ("linspace(1,9,5)", [1, 3, 5, 7, 9]),
        ("linspace(1,2,3)", [1.0, 1.5, 2.0]),
        ("linspace(9,1,3)", [9, 5, 1]),
        ("linspace(4,4,1)", [4]),
        ("logspace(1,1000,4)", [1, 10, 100, 1000]),
        ("logspace(1e-3,1e-1,3)", [0.001, 0.01, 0.1]),
        ("logspace(1,10,3)", [1.0, 3.16227766017, 10.0]),
        ("linspace(-0.3,0.3,3.0)", [-0.3, 0.0, 0.3]),
        ("range(-0.2,0.3,0.2)", [-0.2, 0.0, 0.2]),
        ("choice(sgd,adam)", ["sgd", "adam"]),
        ("choice([deskew],[])", [["deskew"], []]),
        ("0.5, logspace(1,100,3),7", [0.5, 1, 10, 100, 7]),
        ("[deskew],[]", [["deskew"], []]),
        ("int_uniform(3,5)", [3, 4, 5]),
        ("uniform(2,2)", [2.0]),
        ("log_uniform(1e-3,1e-3)", [0.001]),
    ],
)
def test_functions_give_these_values(text, expected):
    given_values = numbers(text)
    assert given_values == expected
    assert [type(value) for value in given_values] == [type(value) for value in expected]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("range(1,2,0)", "the step must not be 0"),
        ("range(2,2)", "gives no values, as its end is excluded"),
        ("range(0.01,0.05,-0.01)", "gives no values: its step leads away from its end"),
        ("linspace(4,5,1)", "the number of points must be at least 2, as both ends are included"),
        ("logspace(4,5,1)", "the number of points must be at least 2, as both ends are included"),
        ("range()", "is written range(a,b,step)"),
        ("range(1,2,3,4)", "is written range(a,b,step)"),
        ("range(1e300)", "gives about 10^300 values, which is too many"),
        ("linspace(0,1)", "is written linspace(a,b,n)"),
        ("linspace(0,1,0)", "the number of points must be at least 1, not 0"),
        ("linspace(0,1,2.5)", "the number of points must be a whole number, not 2.5"),
        ("linspace(0,1,40001)", "gives 40,001 values, which is too many: 40,000 at most; ask for"),
        ("range(0,1e6,0.1)", "gives 10,000,000 values, which is too many"),
        ("0.5,range(1,100000)", "range(1,100000): gives more than 40,000 values"),
        ("linspace(0,001,3)", "001: a number has no leading zeros; a decimal point is"),
        ("linspace(01,2,3)", "01: a number has no leading zeros"),
        ("0,001", "value 2, line 1: 001: a number has no leading zeros; a decimal point is"),
        ("0.1,&a 2", "value 2, line 1: anchors and aliases are not allowed (&a)"),
        ("0.1,0.2 # x,0.3", "value 2: must be a number, not '0.2 # x'"),
        ("0.1,[1] # x", "value 2: [1] # x: what follows ' #' is a comment"),
        ("0.1,[2,0.3", "value 2, line 1: is not valid YAML"),
        ("linspace(0,.inf,3)", ".inf is not a finite number"),
        ("linspace(.nan,1,3)", ".nan is not a finite number"),
        (f"linspace(0,{'9' * 400},3)", "is not a finite number"),
        ("linspace(0,true,3)", "true is not a number"),
        ("linspace(a,b,3)", "a is not a number"),
        ("linspace(0,range(3),3)", "range(3) is not a number"),
        ("logspace(0,1,3)", "0 has no logarithm; it must be above 0"),
        ("logspace(1,-1,3)", "-1 has no logarithm"),
        ("log_uniform(0,1)", "0 has no logarithm"),
        ("uniform(2,1)", "min 2.0 is above max 1.0"),
        ("uniform(-1e308,1e308)", "too far apart"),
        ("log_uniform(2,1)", "min 2.0 is above max 1.0"),
        ("int_uniform(2,1)", "min 2 is above max 1"),
        ("int_uniform(1,2.5)", "max must be a whole number, not 2.5"),
        ("int_uniform(0,9223372036854775808)", "too many"),
        ("0.1,uniform(1,2)", "uniform(1,2): is a distribution and must stand alone"),
        ("choice()", "is written choice(a,b,...)"),
        ("linspace(0,1,3", "the closing bracket is missing"),
        ("linspce(0,1,3)", "unknown function 'linspce'; did you mean 'linspace'?"),
        ("__import__(os)", "unknown function '__import__'"),
        ("0.1,,0.2", "value 2 is missing"),
        ("0.1,", "value 2 is missing"),
    ],
)
def test_a_wrong_function_is_refused(base, text, problem):
    message = told(base, f"learning_rate={text}")
    assert message.startswith("override 'learning_rate=")
    assert problem in message


FINITE = st.floats(-1e6, 1e6, allow_subnormal=False)


@given(FINITE, FINITE, st.integers(2, 50))
def test_linspace_starts_and_ends_exactly_and_is_even(first, last, count):
    spaced = numbers(f"linspace({first!r},{last!r},{count})")
    assert (spaced[0], spaced[-1], len(spaced)) == (first, last, count)
    scale = max(abs(first), abs(last))
    np.testing.assert_allclose(spaced, np.linspace(first, last, count), atol=1e-11 * scale)


@given(st.floats(1e-30, 1e30), st.floats(1e-30, 1e30), st.integers(2, 50))
def test_logspace_starts_and_ends_exactly_and_is_even_in_the_logarithm(first, last, count):
    spaced = numbers(f"logspace({first!r},{last!r},{count})")
    assert (spaced[0], spaced[-1], len(spaced)) == (first, last, count)
    np.testing.assert_allclose(spaced, np.geomspace(first, last, count), rtol=1e-10)


@given(st.integers(-50, 50), st.integers(-50, 50), st.integers(-9, 9).filter(bool))
def test_range_is_pythons(first, end, step):
    if range(first, end, step):
        assert numbers(f"range({first},{end},{step})") == list(range(first, end, step))


@pytest.mark.parametrize(
    ("name", "low", "high", "middle"),
    [
        ("uniform", 0.2, 0.4, 0.3),
        ("log_uniform_values", 0.01, 1.0, 0.1),
        ("log_uniform", math.log(0.01), math.log(1.0), 0.1),
    ],
)
def test_half_of_the_draws_lie_below_the_middle(write, name, low, high, middle):
    ends = (low, high) if name != "log_uniform" else (0.01, 1.0)
    given_ends = f"{{distribution: {name}, min: {low}, max: {high}}}"
    path = write(f"base: plain.yaml\nparameters:\n  learning_rate: {given_ends}\n")
    draws = np.array(values(load_sweep(path, max_trials=2000), "learning_rate"))
    assert abs((draws < middle).mean() - 0.5) < 0.03
    assert ends[0] <= draws.min() < ends[0] * 1.05
    assert ends[1] * 0.95 < draws.max() <= ends[1]


def test_exponents_that_look_like_values_are_noted(write):
    path = write(
        "base: plain.yaml\nparameters:\n"
        "  learning_rate: {distribution: log_uniform, min: 0.001, max: 0.1}\n"
        "  weight_decay: {distribution: log_uniform, min: -9, max: -2}\n"
    )
    sweep = load_sweep(path)
    (note,) = sweep.notes
    assert note == (
        "learning_rate is drawn from 1.001 to 1.105, evenly in the logarithm: log_uniform takes "
        "exponents of e; for values from 0.001 to 0.1 use log_uniform_values"
    )
    decay = "drawn from 0.0001234 to 0.1353, evenly in the logarithm"
    assert sweep.draft.axes["weight_decay"].describe() == decay


def test_the_values_of_each_axis_are_described_in_short(base):
    sweep = load_sweep(base, ["learning_rate=0.1,0.2", "seed=range(40)", "init=normal,uniform"])
    assert {key: axis.describe() for key, axis in sweep.draft.axes.items()} == {
        "learning_rate": "0.1, 0.2",
        "seed": "0, 1, 2, 3, …, 39 (40 values)",
        "init": "normal, uniform",
    }


def test_axes_of_a_group_move_together(base):
    sweep = load_sweep(
        base, ["learning_rate=1,2", "seed=7,8", "batch_size=3,4", "zip=learning_rate,batch_size"]
    )
    assert [dict(trial.parameters) for trial in sweep.trials] == [
        {"learning_rate": 1, "seed": 7, "batch_size": 3},
        {"learning_rate": 1, "seed": 8, "batch_size": 3},
        {"learning_rate": 2, "seed": 7, "batch_size": 4},
        {"learning_rate": 2, "seed": 8, "batch_size": 4},
    ]
    assert tuple(sweep.trials[0].parameters) == sweep.keys


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["zip=learning_rate,seed"], "learning_rate has 2 values and seed 3"),
        (["zip=learning_rate,epochs"], "'epochs' is no axis of this sweep"),
        (["zip=learning_rate"], "needs at least two keys"),
        (["zip=learning_rate,learning_rate"], "only once"),
        (["zip=learning_rate,batch_size", "zip=batch_size,learning_rate"], "only once"),
        (["weight_decay=uniform(0,1)", "zip=learning_rate,weight_decay"], "is drawn"),
    ],
)
def test_a_wrong_group_is_refused(base, words, problem):
    axes = ["learning_rate=1,2", "batch_size=1,2", "seed=1,2,3"]
    message = told(base, *axes, *words)
    assert problem in message
    assert message.startswith("override 'zip=")


def test_a_list_of_trials_is_one_axis_typed_like_yaml(base, tmp_path):
    rows = tmp_path / "trials.csv"
    rows.write_text('learning_rate, optimizer,early_stopping\n1e-2,sgd,\n\n0.1,"adam",3\n')
    sweep = load_sweep(base, [f"@{rows}", "seed=1,2"])
    assert values(sweep, "learning_rate") == [0.01, 0.01, 0.1, 0.1]
    assert values(sweep, "optimizer") == ["sgd", "sgd", "adam", "adam"]
    assert values(sweep, "early_stopping") == [None, None, 3, 3]
    assert values(sweep, "seed") == [1, 2, 1, 2]
    again = tmp_path / "again.yaml"
    again.write_text(sweep.to_yaml())
    rows.unlink()
    assert load_sweep(again) == load_sweep(again, name="plain") == sweep


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is empty; its first line must name keys"),
        ("seed\n", "has no rows below its header"),
        ("# mine, of today\nseed\n1\n", "line 1: a list of trials begins with the names of its"),
        ("seed,epochs\n1,2\n1\n", "line 3: has 1 value for 2 keys"),
        ("seed,epochs\n1,2,3\n", "line 2: has 3 values for 2 keys"),
        ("seed,seed\n1,2\n", "line 1: 'seed' stands here twice"),
        ("seed,\n1,2\n", "line 1: column 2 has no name"),
        ("sed\n1\n", "line 1: unknown key 'sed'; did you mean 'seed'?"),
        ("name\na\n", "line 1: name is no axis"),
        ("seed\n1\n\nx\n", "line 4: seed: must be a whole number, not x"),
        ("seed,epochs\n1,2\n1,3\n1,2\n", "line 4: seed: 1, 2 stands in line 2 too"),
        ('seed\n"1\n', "is not valid CSV"),
        ("seed\n[1\n", "line 2: seed, line 1: is not valid YAML"),
        ("seed\n1 # one\n", "line 2: seed: must be a whole number, not '1 # one'"),
        ("seed\n&a 1\n", "line 2: seed, line 1: anchors and aliases are not allowed"),
        ("seed\n007\n", "line 2: seed, line 1: 007: a number has no leading zeros"),
        ("learning_rate;seed\n0,01;50\n", "line 2: learning_rate: 0,01: a decimal point is"),
        ("learning_rate,seed\n0,01,5\n", "3 values for 2 keys; a decimal point is written '.'"),
    ],
)
def test_a_wrong_list_of_trials_is_refused(base, tmp_path, content, message):
    rows = tmp_path / "trials.csv"
    rows.write_text(content)
    said = told(base, f"@{rows}")
    assert said.startswith(str(rows))
    assert message in said


def test_a_list_of_trials_that_cannot_be_read_is_refused(base, tmp_path, write):
    assert told(base, "@none.csv").endswith("none.csv: there is no such file")
    assert "is a folder" in told(base, f"@{tmp_path}")
    assert "is given as @FILE.csv" in told(base, "@")
    (tmp_path / "bad.csv").write_bytes(b"seed\n1\n\xe9\n")
    assert "bad.csv, line 3: is not UTF-8" in told(base, f"@{tmp_path / 'bad.csv'}")
    (tmp_path / "long.csv").write_text("seed\n" + "1\n" * 400_000)
    assert "larger than 512 KB" in told(base, f"@{tmp_path / 'long.csv'}")
    path = write("base: plain.yaml\ntrials: none.csv\n")
    assert re.search(r"line 2: trials: .*none\.csv: there is no such file", told(path))


def test_a_sweep_files_list_stands_beside_it_and_a_word_replaces_it(write, tmp_path):
    (tmp_path / "rows.csv").write_text("seed,batch_size\n1,2\n3,4\n")
    (tmp_path / "other.csv").write_text("seed\n9\n")
    path = write("base: plain.yaml\ntrials: rows.csv\n")
    assert load_sweep(path).keys == ("seed", "batch_size")
    assert load_sweep(path, [f"@{tmp_path / 'other.csv'}"]).keys == ("seed",)
    assert load_sweep(path, ["seed=5"]).keys == ("batch_size",)
    twice = write("base: plain.yaml\ntrials: rows.csv\nparameters: {seed: [1]}\n", "two.yaml")
    assert "'seed' stands in rows.csv and in parameters too" in told(twice)
    assert "seed is given twice" in told(path, "seed=5", f"@{tmp_path / 'other.csv'}")


@pytest.mark.parametrize(
    ("content", "trials"),
    [
        (b"learning_rate;batch_size\n0.01;50\n", [(0.01, 50)]),
        (b"learning_rate\tbatch_size\n0.01\t50\n", [(0.01, 50)]),
        (b"\xef\xbb\xbflearning_rate,batch_size\n0.01,50.0\n1e-1,1e2\n", [(0.01, 50), (0.1, 100)]),
        (b"data.preprocess;seed\n[deskew, standardize];1\n", [(["deskew", "standardize"], 1)]),
    ],
)
def test_a_list_of_trials_may_be_any_spreadsheets(base, tmp_path, content, trials):
    rows = tmp_path / "trials.csv"
    rows.write_bytes(content)
    sweep = load_sweep(base, [f"@{rows}"])
    assert [tuple(trial.parameters.values()) for trial in sweep.trials] == trials
    assert all(type(value) is not float or value < 1 for trial in trials for value in trial)
