"""A regression of one output is not called wrong for what is wrong with ten."""

import json

import pytest

from mnistlab.gradcheck.own_file import judge
from mnistlab.gradcheck.suites import Options
from mnistlab.gradcheck.user_file import Names

_BOTH = """import numpy as np
def loss({args}):
    return np.mean(({output} - {y}) ** 2)
def gradient({args}):
    r = {output} - {y}
    return {gradient}
"""


def verdict(path, **parts):
    path.write_text(_BOTH.format(**parts))
    report = judge(path, Options(points=1), Names())
    return report.verdict, "; ".join(report.faults)


@pytest.mark.parametrize(
    ("args", "output", "y", "gradient", "expected"),
    [
        ("w, X, y", "X @ w", "y", "2 * X.T @ r / len(y)", "right"),
        ("theta, X, y", "X @ theta", "y", "2 * X.T @ r / len(y)", "right"),
        ("w, b, X, y", "X @ w + b", "y", "(2 * X.T @ r / len(y), 2 * np.mean(r))", "right"),
        ("w, b, X, y", "X @ w + b", "y", "(2 * X.T @ r / len(y), 2 * np.sum(r))", "wrong"),
        ("w, X, y", "X @ w", "y", "X.T @ r / len(y)", "wrong"),
        ("W, X, Y", "X @ W", "Y", "2 * X.T @ r / Y.size", "right"),
        ("W, X, Y", "X @ W", "Y", "2 * X.T @ r / len(Y)", "wrong"),
        ("W, X, y", "X @ W", "y", "2 * X.T @ r / len(y)", "cannot be judged"),
    ],
)
def test_names_tell_a_vector_from_a_matrix(tmp_path, args, output, y, gradient, expected):
    found, why = verdict(tmp_path / "own.py", args=args, output=output, y=y, gradient=gradient)
    assert found == expected, why
    if expected == "cannot be judged":
        assert "for a single output it is right: call the weights w" in why


def test_who_has_handed_in_nothing_is_in_the_table(run, tmp_path):
    (tmp_path / "class" / "ann").mkdir(parents=True)
    (tmp_path / "class" / "bob").mkdir()
    (tmp_path / "class" / "bob" / "notes.txt").write_text("I had no time")
    parts = {"args": "w, X, y", "output": "X @ w", "y": "y", "gradient": "2 * X.T @ r / len(y)"}
    (tmp_path / "class" / "ann" / "own.py").write_text(_BOTH.format(**parts))
    code, out, _ = run("gradcheck", "--json", "--target", tmp_path / "class")
    found = {one["who"]: (one["verdict"], one["diagnosis"]) for one in json.loads(out)["targets"]}
    assert code == 2
    assert [verdict for verdict, _ in found.values()] == ["right", "cannot be judged"]
    assert list(found)[1] == "bob"
    assert "there is no .py or .ipynb file in it" in found["bob"][1]
    code, _, err = run("gradcheck", "--target", tmp_path / "class" / "bob")
    assert code == 2
    assert "there is no .py or .ipynb file in it" in err
