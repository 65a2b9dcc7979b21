"""Axes that move together: zip groups and lists of trials."""

import re
from pathlib import Path

import pytest

from mnistlab.sweeps.trials import load_sweep
from tests.sweep.refusals import told, values

CONFIGS = Path(__file__).parents[2] / "configs"


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
