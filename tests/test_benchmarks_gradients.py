"""The gradient files of the benchmarks: the truth of each, and what is made of a verdict."""

import importlib.util
import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

from harness.gradients import (
    ACCEPTED,
    NAMED,
    REFUSED,
    SEEDS,
    files_table,
    gradient_contestants,
    read_table,
    read_verdicts,
)
from harness.measure import BenchmarkError, Finished
from harness.results import COLUMNS

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
spec = importlib.util.spec_from_file_location("rival", BENCHMARKS / "rivals" / "gradients.py")
rival = importlib.util.module_from_spec(spec)
spec.loader.exec_module(rival)

TABLE = {row["file"]: row for row in read_table()}
C = rival.C
SPECIAL = {
    "tie": [(np.zeros(C), 3)],
    "argmax = y": [(np.linspace(0, 2, C), C - 1)],
    "label 0": [(np.linspace(0, 2, C), 0)],
    "saturation": [(np.where(np.arange(C) % 2, -30.0, 30.0), y) for y in (0, 1)],
    "mixed scales": [(np.where(np.arange(C) % 2, -1, 1) * np.geomspace(1e-3, 100, C), 4)],
}
"""Pre-activations and labels where a file is wrong that is right at ordinary points."""


def error_of(given, step=1e-5):
    """Return the largest error of a gradient by central differences, over its largest entry."""
    gradients, worst, largest = given.gradient(given.at), 0.0, 0.0
    for which, (point, gradient) in enumerate(zip(given.at, gradients, strict=True)):
        assert gradient.shape == point.shape
        for index in np.ndindex(point.shape):
            sides = []
            for moves in (step, -step):
                moved = [one.copy() for one in given.at]
                moved[which][index] += moves
                sides.append(given.value(tuple(moved)))
            numerical = (sides[0] - sides[1]) / (2 * step)
            worst = max(worst, abs(numerical - gradient[index]))
            largest = max(largest, abs(numerical))
    return worst / largest


def special(row):
    """Return the functions of a file where it may be wrong and is right elsewhere."""
    functions = rival.functions(BENCHMARKS / "gradients" / f"{row['file']}.py")
    generator = np.random.default_rng(0)
    for a, label in SPECIAL.get(row["wrong_at"], ()):
        arguments = rival.arguments(row["takes"], generator)
        rows = "A" in arguments
        arguments["A" if rows else "a"] = np.tile(a, (rival.B, 1)) if rows else a
        for name, one in (("y", label), ("t", np.eye(C)[label])):
            if name in arguments:
                arguments[name] = np.full(rival.B, label) if rows else one
        yield rival.given(*functions, arguments)
    if row["wrong_at"] == "repeated labels":
        arguments = rival.arguments(row["takes"], generator)
        arguments["y"] = np.array([1, 1, 2, 3, 1])
        yield rival.given(*functions, arguments)


def ordinary(row):
    """Return the functions of a file at a point where nothing special happens."""
    functions = rival.functions(BENCHMARKS / "gradients" / f"{row['file']}.py")
    arguments = rival.arguments(row["takes"], np.random.default_rng(1))
    y = arguments.get("y")
    if isinstance(y, int):
        arguments["y"], arguments["a"][4] = 4, -2.0  # neither the first class nor the largest
    elif y is not None and y.dtype.kind == "i":
        arguments["y"] = np.arange(1, 6)  # none of them twice
    return rival.given(*functions, arguments)


ROUNDED = {"float32": (2.0**-6, 1e-3), "float32_gradient": (1e-5, 1e-6)}
"""A step that differences of float32 allow, and the error that it may leave."""


@pytest.mark.parametrize("name", TABLE)
def test_each_file_is_what_the_table_says(name):
    row = TABLE[name]
    step, tolerance = ROUNDED.get(name, (1e-5, 1e-7))
    error = error_of(ordinary(row), step)
    if row["wrong_at"] == "everywhere":
        assert error > 4e-4
        return
    assert error < tolerance
    if row["truth"] == "wrong":
        assert max(map(error_of, special(row))) > 1e-4


def test_the_table_lists_every_file_and_as_many_right_as_wrong():
    files = {path.stem for path in (BENCHMARKS / "gradients").glob("*.py")}
    assert files == set(TABLE)
    truths = [row["truth"] for row in TABLE.values()]
    assert (len(truths), truths.count("right"), truths.count("wrong")) == (48, 24, 24)
    assert all(bool(row["says"]) == (row["truth"] == "wrong") for row in TABLE.values())


def judged(**changed):
    """Return measures of verdicts that are all as they should be, but for those changed."""
    verdicts = {
        name: {"verdict": row["truth"], "diagnosis": row["says"].partition("|")[0]}
        for name, row in TABLE.items()
    }
    return read_verdicts(Finished(1.0, 1, json.dumps(verdicts | changed)), list(TABLE.values()))


def test_what_is_misjudged_and_named_is_counted():
    right = judged()
    assert (right[ACCEPTED], right[REFUSED], right[NAMED]) == (0, 0, 24)
    assert set(COLUMNS) & right.keys() == {"process", ACCEPTED, REFUSED, NAMED}
    other = judged(
        sign={"verdict": "right", "diagnosis": ""},
        plain={"verdict": "cannot be judged", "diagnosis": "sign is wrong"},
        no_target={"verdict": "wrong", "diagnosis": "something else"},
    )
    assert (other[ACCEPTED], other[REFUSED], other[NAMED]) == (1, 1, 22)
    with pytest.raises(BenchmarkError, match="not every file"):
        read_verdicts(Finished(1.0, 1, "{}"), list(TABLE.values()))


def test_the_table_shows_what_is_misjudged_in_bold():
    measures = judged(no_target={"verdict": "wrong", "diagnosis": "something else"})
    measures |= {"sign accepted": 0.4, "plain accepted": 0.0, "tie_guard accepted": 1.0}
    table = files_table({"gradients_mnistlab": {part: [one] for part, one in measures.items()}})
    lines = {line.split("`")[1]: line for line in table.splitlines() if "`" in line}
    assert len(lines) == 48
    assert "| wrong | **accepted at 2 of 5 seeds** |" in lines["sign"]
    assert "| right | **refused** |" in lines["plain"]
    assert "| wrong at tie | **accepted** |" in lines["tie_guard"]
    assert "| wrong | refused |" in lines["no_target"]
    assert "| wrong | refused, named |" in lines["base_two"]
    assert "| right | accepted |" in lines["rows_mean"]
    assert files_table({"other": {"process": [1.0]}}) == ""


def test_our_own_verdicts_come_from_the_command(tmp_path, monkeypatch):
    """Of some files; of all of them by tests/stress/gradients.py."""
    few = ("plain", "rows_mean", "sign", "no_target", "tie_guard", "base_two")
    for name in few:
        shutil.copy(rival.FILES / f"{name}.py", tmp_path)
    monkeypatch.setattr(rival, "FILES", tmp_path)
    found = rival.by_mnistlab(int(SEEDS[0]))
    assert found.keys() == set(few)
    assert found["plain"] == {"verdict": "right", "diagnosis": ""}
    assert "sign is wrong" in found["sign"]["diagnosis"]
    for name in few:
        assert found[name]["verdict"] == TABLE[name]["truth"]


@pytest.mark.parametrize("who", ["torch", "jax"])
def test_a_rival_tells_right_from_wrong(who, monkeypatch):
    pytest.importorskip(who)
    few = [TABLE[name] for name in ("plain", "weights_and_bias", "sign", "bias_of_one")]
    monkeypatch.setattr(rival, "read_table", lambda: few)
    found = rival.CHECKERS[who](0)
    verdicts = {name: one["verdict"] for name, one in found.items()}
    assert verdicts == {row["file"]: row["truth"] for row in few}
    assert found["sign"]["diagnosis"]


def test_everyone_is_asked_with_every_seed():
    assert {one.variants for one in gradient_contestants()} == {tuple((s,) for s in SEEDS)}
