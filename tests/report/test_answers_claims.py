"""What the answers claim holds for whatever settings the assignment's runs were made with."""

import re
from functools import partial

import numpy as np
import pytest

from mnistlab.report.answers import AssignmentRuns
from mnistlab.report.answers.control import furthest_weight, tell_control
from mnistlab.report.answers.limits import find_limit, limit_at
from mnistlab.report.answers.optimum import distance_to_optimum
from mnistlab.report.answers.overflow import overflow
from mnistlab.report.answers.pairs import (
    Paired,
    pair_on_test,
    pair_on_validation,
    settings_apart,
    tell_settings,
)
from mnistlab.report.answers.results import results
from mnistlab.report.chance import tell_chance
from mnistlab.report.document import Math, Paragraph, Picture, Section
from mnistlab.statistics import mcnemar_p
from tests.report.assignment_runs import train_assignment, train_one
from tests.report.test_answers import blocks_of, text_of


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    return train_assignment(tmp_path_factory.mktemp("assignment"))


@pytest.fixture(autouse=True)
def _one_cache(folders, monkeypatch):
    monkeypatch.setenv("MNISTLAB_DATA_DIR", str(folders.data))


@pytest.fixture
def train(tmp_path):
    return partial(train_one, tmp_path)


def told(blocks):
    return text_of(Section("", list(blocks)))


def overflow_of(linear, diverged):
    runs = AssignmentRuns(linear=linear, linear_overflow=diverged)
    return overflow(runs, find_limit(linear), find_limit(diverged))


@pytest.mark.parametrize(
    ("words", "rates"),
    [
        (["reduction=sum"], (0.0001, 0.001)),
        (["weight_decay=5"], (0.01, 0.1)),
        (["reduction=sum", "batch_size=20", "weight_decay=1"], (0.0005, 0.005)),
    ],
)
def test_plain_descent_is_forecast_with_its_own_limit(train, words, rates):
    linear = train("linear", *words, f"learning_rate={rates[0]}")
    diverged = train("linear_overflow", *words, f"learning_rate={rates[1]}")
    limit, config = find_limit(diverged), diverged.checked_config
    n = config.batch_size if config.reduction == "sum" else 1
    assert limit.rate == pytest.approx(2 / (2 * limit.eigenvalue * n + config.weight_decay))
    expected = 1 - rates[1] * (2 * limit.eigenvalue * n + config.weight_decay)
    assert limit.factor(rates[1]) == pytest.approx(expected)
    left, _, right = limit.equation.latex().rpartition(r"\approx")
    inner = left.rpartition(r"2 / \left(")[2].replace(r"\right)", "").replace(r"\cdot", "*")
    assert float(right) == pytest.approx(2 / eval(inner), rel=0.01)  # noqa: S307 - our own
    blocks = overflow_of(linear, diverged)
    text = told(blocks)
    assert f"is {rates[1] / limit.rate:.2g} times the limit" in text
    forecast = float(text.split("grows by a factor of about ")[1].split()[0])
    measured = float(text.split("second half of the curve: ")[1].split(")")[0])
    assert measured == pytest.approx(forecast, rel=0.3)
    assert "training is stable" in text
    assert blocks_of([Section("", blocks)], Picture)


def test_of_an_optimizer_with_a_memory_only_the_limit_is_told(train):
    linear = train("linear", "optimizer=momentum")
    diverged = train("linear_overflow", "optimizer=momentum", "learning_rate=0.3")
    limit = find_limit(diverged)
    assert limit.rate == pytest.approx(2 * 1.9 / (2 * limit.eigenvalue))
    assert limit.factor(0.3) is None
    blocks = overflow_of(linear, diverged)
    text = told(blocks)
    assert f"is {0.3 / limit.rate:.2g} times the limit, beyond it" in text
    assert "each step multiplies the distance" not in text
    assert not blocks_of([Section("", blocks)], Picture)


def test_momentum_zero_is_plain_descent(train):
    assert find_limit(train("linear", "optimizer=momentum", "momentum=0")).is_plain


def test_what_else_sets_the_overflow_apart_is_told(folders, train):
    linear = folders.collect().linear
    assert "all else as in (d)" in told(overflow_of(linear, folders.collect().linear_overflow))
    text = told(overflow_of(linear, train("linear_overflow", "seed=3", "batch_size=50")))
    assert "all else" not in text
    assert "seed 3 instead of 0" in text
    assert "batch size 50 instead of 100" in text


def test_weights_are_finite_when_the_loss_overflows(folders):
    # what (e) says: the loss is a square, so it leaves the range of numbers first
    run = folders.collect().linear_overflow
    limit, dataset = find_limit(run), run.dataset
    steps, losses = run.divergence
    lost = next(s for s, loss in zip(steps, losses, strict=True) if not np.isfinite(loss))
    x = dataset.train.images.reshape(len(dataset.train), -1) / 255
    x = np.hstack([x, np.ones((len(x), 1))])
    targets, P = np.eye(10)[dataset.train.labels], np.zeros((785, 10))
    for _ in range(lost - 1):
        P -= 0.1 * 2 * x.T @ (x @ P - targets) / len(x)
    assert np.abs(x @ P).max() < 1e25 < np.finfo(np.float32).max
    assert abs(limit.factor(0.1)) > 1
    assert f"in step {lost} it is too large for float32" in told(overflow_of(None, run))


def test_the_sum_is_said_to_overflow_only_where_it_would(folders, train):
    linear = folders.collect().linear
    summed = limit_at(linear, find_limit(linear).eigenvalue, "sum")
    assert summed.rate == pytest.approx(find_limit(linear).rate / 100)
    said = "not on the sum that (b)"
    assert said in text_of(results(AssignmentRuns(linear=linear), find_limit(linear)))
    slow, one = train("linear", "learning_rate=0.0001"), train("linear", "reduction=sum")
    for run in (slow, one):
        assert said not in text_of(results(AssignmentRuns(linear=run), find_limit(run)))


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["reduction=sum", "learning_rate=0.05"],
        ["data.preprocess=[standardize]", "batch_size=70"],
        ["weight_decay=0.5"],
    ],
)
def test_no_weight_of_a_sigmoid_goes_further_than_is_said(train, words):
    run = train("sigmoid_sgd", *words)
    furthest = furthest_weight(run)
    assert 0 < np.abs(run.parameters).max() <= furthest
    shown = re.search(r"no weight further than ([\d,]+) from", told(tell_control(run, None)))[1]
    assert furthest <= float(shown.replace(",", "")) < furthest + 1


def test_of_other_optimizers_no_such_bound_is_told(train):
    run = train("sigmoid")
    assert furthest_weight(run) is None
    assert "further than" not in told(tell_control(run, None))


def test_a_bound_by_hand(train):
    # 5,000 images in batches of 100, two epochs: 100 steps of 0.1 * 8/27
    assert furthest_weight(train("sigmoid_sgd")) == pytest.approx(100 * 0.1 * 8 / 27)


def test_chance_is_told_in_the_same_words():
    assert tell_chance(4.7e-6) == "such a difference would be rare by chance (p = 4.7e-06)"
    assert tell_chance(0.694) == "such a difference may well be chance (p = 0.694)"
    assert tell_chance(1.0).endswith("(p = 1)")


def test_settings_that_differ(folders):
    given = folders.collect()
    assert settings_apart(given.linear, given.linear) == {}
    apart = settings_apart(given.linear_overflow, given.linear)
    assert apart == {"learning_rate": (0.1, 0.01)}
    assert tell_settings(apart) == "learning rate 0.1 instead of 0.01"


def test_pairs_count_the_images_on_which_only_one_is_right(folders):
    given = folders.collect()
    for pair, key in ((pair_on_validation, "validation"), (pair_on_test, "test")):
        found = pair(given.linear, given.softmax)
        ahead = given.linear.facts[f"{key}.accuracy"] - given.softmax.facts[f"{key}.accuracy"]
        assert found.only_first - found.only_second == round(1000 * ahead)
        assert found.images == 1000
        assert found.p == mcnemar_p(found.only_first, found.only_second)
    assert pair_on_test(given.linear, given.linear) == Paired(1000, 0, 0)


def test_the_optimums_own_worth_is_told(folders):
    linear = folders.collect().linear
    least = linear.optimum
    text = told(distance_to_optimum(linear, None))
    assert f"validation accuracy of {least.validation_accuracy:.2%}" in text
    assert f"test accuracy of {least.test_accuracy:.2%}" in text
    assert "can be gained" in text


def test_with_a_penalty_it_is_the_objective_that_is_compared(train):
    run = train("linear", "weight_decay=0.1", "epochs=20")
    text = told(distance_to_optimum(run, None))
    assert "least training loss plus penalty" in text
    gap = float(re.search(r"which is ([\d.e-]+) or", text)[1])
    weights = np.square(run.parameters[:-1].astype(float)).sum()
    objective = run.facts["train.loss"] + 0.05 * weights
    assert 0 < gap == pytest.approx(objective - run.optimum.objective, rel=0.01)


def test_the_limit_in_the_text_is_that_of_its_formula(folders):
    blocks = overflow_of(folders.collect().linear, None)
    maths = [
        piece.formula.latex()
        for block in blocks
        if isinstance(block, Paragraph)
        for piece in block.pieces
        if isinstance(piece, Math)
    ]
    last = next(one for one in maths if one.startswith("2 /"))
    limit = find_limit(folders.collect().linear)
    assert float(last.split()[-1]) == pytest.approx(limit.rate, rel=0.01)
