"""The optimum: against scikit-learn and a plain descent, with its cache."""

import json
import math

import numpy as np
import pytest

from mnistlab import optimum as optima
from mnistlab.config.load import load_config
from mnistlab.core.samples import FeatureMap, PixelMap, Samples
from mnistlab.datasets import load
from mnistlab.errors import MnistlabError
from mnistlab.optimum import (
    LARGEST_GRADIENT,
    find_optimum,
    softmax_optimum,
)
from tests.experiment.test_experiment import mini, train

FEATURES = FeatureMap()


def config(*words):
    return load_config(None, mini(*words))


def small(N=300, D=10, C=3, seed=0, features=FEATURES):
    generator = np.random.default_rng(seed)
    images = generator.integers(0, 256, (N, D), dtype=np.uint8)
    return Samples(images, generator.integers(0, C, N), features)


def objective(P, rows, ridge):
    pixels = rows.features.pixels
    x = np.column_stack([rows.rows * np.asarray(pixels.scale) + pixels.shift, np.ones(len(rows))])
    A = x @ P
    logs = np.log(np.exp(A).sum(axis=1)) - A[np.arange(len(rows)), rows.labels]
    return logs.mean() + ridge / 2 * np.square(P[:-1]).sum()


@pytest.mark.parametrize("pixels", [PixelMap(), PixelMap(np.full(10, 0.01), np.full(10, -0.5))])
def test_no_small_step_leads_below_the_softmax_optimum(pixels):
    pytest.importorskip("scipy")
    rows, ridge = small(features=FeatureMap(pixels)), 0.01
    P, value, steepest = softmax_optimum(rows, 3, ridge)
    assert steepest <= LARGEST_GRADIENT
    assert value == pytest.approx(objective(P, rows, ridge), rel=1e-12)
    generator = np.random.default_rng(1)
    for size in (1e-3, 1e-1):
        for _ in range(20):
            step = generator.normal(size=P.shape) * size
            assert objective(P + step, rows, ridge) > value


def test_the_softmax_optimum_is_that_of_scikit_learn():
    linear_model = pytest.importorskip("sklearn.linear_model")
    rows, ridge = load("mnist-mini", validation=5600).train, 0.1
    P, value, _ = softmax_optimum(rows, 10, ridge)
    peer = linear_model.LogisticRegression(C=1 / (ridge * len(rows)), tol=1e-8, max_iter=5000)
    peer.fit(rows.rows / 255, rows.labels)
    theirs = np.concatenate([peer.coef_.T, peer.intercept_[None]])
    assert objective(theirs, rows, ridge) == pytest.approx(value, rel=1e-7)
    np.testing.assert_allclose(P[:-1], theirs[:-1], atol=2e-3)


def test_a_softmax_that_is_not_found_says_how_far_it_came(monkeypatch):
    pytest.importorskip("scipy")
    monkeypatch.setattr(optima, "_MOST_STEPS", 2)
    with pytest.raises(MnistlabError, match=r"after 2 steps its gradient is still \d"):
        softmax_optimum(small(), 3, 1e-4)


def test_without_scipy_it_is_said_what_is_missing(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "scipy.optimize", None)
    with pytest.raises(MnistlabError, match="needs SciPy"):
        softmax_optimum(small(), 3, 1e-4)


@pytest.mark.parametrize(
    ("words", "has"),
    [
        ([], True),
        (["weight_decay=0.1"], True),
        (["model=sigmoid"], False),
        (["loss=softmax_cross_entropy"], False),
        (["loss=softmax_cross_entropy", "weight_decay=0.1"], True),
    ],
)
def test_only_convex_objectives_with_a_minimum_have_a_yardstick(words, has):
    assert optima.has_optimum(config(*words)) == has


def test_the_optimum_is_what_training_comes_near_to(tmp_path):
    words = ["learning_rate=0.02", "epochs=60", "weight_decay=0.05"]
    run = train(*words, tmp_path=tmp_path)
    dataset = load("mnist-mini", validation=1000)
    found = find_optimum(run.config, dataset)
    weights = run.folder.read_metrics()["train_loss"][-1]
    assert 0 < weights - found.loss < 0.02


def test_a_summed_batch_weakens_the_penalty():
    summed = config("reduction=sum", "batch_size=50", "weight_decay=0.5")
    assert optima.ridge_of(summed) == pytest.approx(0.01)
    assert optima.ridge_of(config("weight_decay=0.5")) == 0.5


def test_what_was_found_is_kept_by_what_decides_it(monkeypatch):
    dataset = load("mnist-mini", validation=1000)
    first = config()
    found = find_optimum(first, dataset)
    monkeypatch.setattr(optima, "_FINDERS", dict.fromkeys(optima._FINDERS))  # none can be called
    for same in (first, config("learning_rate=0.5", "epochs=3", "optimizer=adam", "seed=4")):
        assert find_optimum(same, dataset) == found
    for words in ("weight_decay=0.1", "data.validation=900", "data.preprocess=[deskew]"):
        with pytest.raises(TypeError):
            find_optimum(config(words), dataset)


def test_a_damaged_cache_is_no_cache():
    dataset = load("mnist-mini", validation=1000)
    found = find_optimum(config(), dataset)
    (place,) = (optima.data_dir() / "optima").iterdir()
    whole = json.loads(place.read_text())
    assert found == optima.Optimum(**whole)
    lost = {key: value for key, value in whole.items() if key != "test_loss"}
    cut, other = whole["test_right"][1:], f"2{whole['test_right'][1:]}"
    forged = [
        *({**whole, "loss": value} for value in ("0.1", None, True, [1.0], math.nan, 10**400)),
        *({**whole, key: None} for key in ("objective", "ridge", "test_right")),
        *({**whole, key: "x"} for key in ("steepest", "validation_loss", "validation_right")),
        *({**whole, "test_right": value} for value in (cut, other, 0.9, ["1"] * 1000)),
        {**whole, "more": 1.0},
        lost,
        {"loss": 1.0},
    ]
    for content in ("", "[]", "{", "[" * 100_000, *map(json.dumps, forged)):
        place.write_text(content)
        assert optima._kept(place, dataset) is None
    assert find_optimum(config(), dataset) == found
    assert json.loads(place.read_text()) == whole


def by_hand(P, split, C=10):
    """Return what parameters come to on a split, without the code that is tested."""
    y = split.rows / 255 @ P[:-1] + P[-1]
    loss = np.square(y - np.eye(C)[split.labels]).sum(axis=1).mean()
    return loss, (y.argmax(axis=1) == split.labels).astype(int).tolist()


def test_it_says_what_the_optimum_is_worth_on_the_other_splits():
    dataset = load("mnist-mini", validation=1000)
    found = find_optimum(config(), dataset)
    rows = dataset.train
    x = np.column_stack([rows.rows / 255, np.ones(len(rows))])
    P = np.linalg.lstsq(x, np.eye(10)[rows.labels], rcond=None)[0]
    for loss, right, split in (
        (found.validation_loss, found.validation_right, dataset.validation),
        (found.test_loss, found.test_right, dataset.test),
    ):
        expected_loss, expected = by_hand(P, split)
        assert loss == pytest.approx(expected_loss, rel=1e-6)
        assert list(map(int, right)) == expected
        assert 0.7 < np.mean(expected) < 0.9


def test_a_softmax_is_measured_on_the_other_splits_too():
    pytest.importorskip("scipy")
    dataset = load("mnist-mini", validation=4800)
    words = ["loss=softmax_cross_entropy", "weight_decay=0.1", "data.validation=4800"]
    found = find_optimum(config(*words), dataset)
    P, _, _ = softmax_optimum(dataset.train, 10, 0.1)
    assert list(map(int, found.test_right)) == by_hand(P, dataset.test)[1]
    assert list(map(int, found.validation_right)) == by_hand(P, dataset.validation)[1]
    expected = objective(P, dataset.test, 0.0)
    assert found.test_loss == pytest.approx(expected, rel=1e-9)


def test_without_a_validation_split_there_is_nothing_to_say_of_it():
    found = find_optimum(config("data.validation=0"), load("mnist-mini", validation=0))
    assert found.validation_loss is found.validation_right is None
    assert found.test_right.count("1") > 0.5 * len(found.test_right)
