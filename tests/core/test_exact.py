"""The normal equations as an optimizer, classes coded in pairs, and decay beside the step."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

from mnistlab.core.least_squares import least_squares, measure_moments, ridge_path
from mnistlab.core.losses import LOSSES
from mnistlab.core.metrics import evaluate
from mnistlab.core.models import MODELS, OneAgainstOne
from mnistlab.core.objective import REDUCTIONS, Objective, join_parameters
from mnistlab.core.samples import FeatureMap, PixelMap

from .helpers import C, random_samples, random_weights, run, settings, trainer

DECAYS = [0.0, 1e-3, 0.5, 1e-3]


def plain_ridge(x, targets, ridge):
    """Least squares with the penalty as further rows: ridge/2 w^2 = N^-1 (sqrt(N ridge/2) w)^2."""
    N, D = x.shape
    rows = np.concatenate([np.c_[x, np.ones(N)], np.sqrt(N * ridge / 2) * np.eye(D + 1)[:-1]])
    right = np.concatenate([targets, np.zeros((D, targets.shape[1]))])
    return np.linalg.lstsq(rows, right, rcond=None)[0]


def solved(model="linear", decays=DECAYS, train=None, dtype="float64"):
    chosen = settings(model=model, optimizer="exact", weight_decay=list(decays), epochs=1)
    weights = random_weights(len(decays), model=model)
    records, final = run(trainer(chosen, weights, train=train, dtype=dtype))
    assert len(records) == 1
    assert not records[0].diverged.any()
    return records[0], final


def test_one_epoch_reaches_what_lstsq_finds():
    train = random_samples(N=400)
    record, final = solved(train=train)
    x, targets = train.rows / 255, np.eye(C)[train.labels]
    for k, ridge in enumerate(DECAYS):
        expected = plain_ridge(x, targets, ridge)
        np.testing.assert_allclose(final[k], expected, rtol=1e-7, atol=1e-9)
        fitted = np.c_[x, np.ones(400)] @ expected
        loss = np.square(fitted - targets).sum(axis=1).mean()
        assert record.train.loss[k] == pytest.approx(loss, rel=1e-9)


def test_a_pair_is_fitted_to_its_own_samples_alone():
    train = random_samples(N=400)
    record, final = solved("pairwise", train=train)
    x = train.rows / 255
    losses = np.zeros(400)
    for p, (i, j) in enumerate(itertools.combinations(range(C), 2)):
        mine = (train.labels == i) | (train.labels == j)
        targets = np.where(train.labels[mine] == i, 1.0, -1.0)[:, None]
        for k, ridge in enumerate(DECAYS):
            # the objective is a mean over all samples, so a pair has its share of the data
            expected = plain_ridge(x[mine], targets, ridge * 400 / mine.sum())
            np.testing.assert_allclose(final[k][:, [p]], expected, rtol=1e-6, atol=1e-8)
        fitted = np.c_[x[mine], np.ones(mine.sum())] @ final[2][:, p]
        losses[mine] += np.square(fitted - targets[:, 0])
    assert record.train.loss[2] == pytest.approx(losses.mean(), rel=1e-9)


@pytest.mark.parametrize("model", ["linear", "pairwise"])
def test_a_stack_of_decays_equals_its_single_runs(model):
    train = random_samples(N=400)
    _, together = solved(model, train=train)
    for k, decay in enumerate(DECAYS):
        _, alone = solved(model, [decay], train)
        np.testing.assert_allclose(alone[0], together[k], rtol=1e-7, atol=1e-9)


def test_a_descent_ends_where_the_solution_is():
    train = random_samples(N=100)
    _, exact = solved(decays=[0.1], train=train)
    chosen = settings(
        optimizer="nesterov", learning_rate=0.05, weight_decay=0.1, epochs=3000, batch_size=100
    )
    _, final = run(trainer(chosen, random_weights(1), train=train))
    np.testing.assert_allclose(final[0], exact[0], atol=1e-8)


@pytest.mark.parametrize("ridge", [0.0, 0.01])
def test_all_factorisations_agree(ridge, monkeypatch):
    pixels = FeatureMap(PixelMap(np.linspace(0.001, 0.01, 17), np.linspace(-1, 1, 17)))
    ((_, moments),) = measure_moments(replace(random_samples(N=300), features=pixels), C)
    by_cholesky = least_squares(moments, ridge)
    (one, _) = ridge_path(moments, [ridge, 3.0])
    monkeypatch.setattr("mnistlab.core.least_squares._by_cholesky", lambda *_: None)
    by_eigenvalues = least_squares(moments, ridge)
    for other in (one, by_eigenvalues):
        np.testing.assert_allclose(other.parameters, by_cholesky.parameters, rtol=1e-6, atol=1e-9)
        assert other.loss == pytest.approx(by_cholesky.loss, rel=1e-9)


def test_a_triangle_of_several_blocks(monkeypatch):
    monkeypatch.setattr("mnistlab.core.least_squares._BLOCK", 5)
    train = random_samples(N=400)
    _, final = solved(decays=[0.0], train=train)
    expected = plain_ridge(train.rows / 255, np.eye(C)[train.labels], 0.0)
    np.testing.assert_allclose(final[0], expected, rtol=1e-7, atol=1e-9)


# pairs ----------------------------------------------------------------------------------------


def test_the_code_of_three_classes_by_hand():
    coding = OneAgainstOne()
    assert [coding.columns(n) for n in (2, 3, 10)] == [1, 3, 45]
    np.testing.assert_array_equal(coding.code(3), [[1, 1, 0], [-1, 0, 1], [0, -1, -1]])


@pytest.mark.parametrize(
    ("outputs", "winner"),
    [
        ([1, 1, 1], 0),
        ([-0.1, 9, 0.1], 1),  # two weak votes beat a strong one
        ([1, -2, 1.2], 2),  # a vote each: 0 has 1 - 2, 1 has -1 + 1.2, 2 has 2 - 1.2
        ([2, -1, 1], 0),  # a vote each: 2 - 1, -2 + 1, 1 - 1
        ([0, 0, 0], 0),
    ],
)
def test_votes_decide_and_sums_break_ties(outputs, winner):
    scores = OneAgainstOne().scores(np.array(outputs, np.float32)[None, None])
    assert scores.shape == (1, 1, 3)
    assert scores[0, 0].argmax() == winner


@pytest.mark.parametrize("K", [1, 9])
def test_votes_against_a_plain_count(K):
    generator, P = np.random.default_rng(0), 45
    samples = random_samples(N=300)
    parameters = join_parameters(list(generator.normal(size=(K, 18, P))))
    objective = Objective(MODELS["pairwise"], LOSSES["squared_error"], REDUCTIONS["mean"])
    found = evaluate(parameters, objective, samples)
    x = np.c_[samples.rows / 255, np.ones(300)]
    for k in range(K):
        A = x @ parameters[:, k, :]
        for n, a in enumerate(A):
            votes, sums = np.zeros(C), np.zeros(C)
            for p, (i, j) in enumerate(itertools.combinations(range(C), 2)):
                votes[i if a[p] > 0 else j] += 1
                sums[i] += a[p]
                sums[j] -= a[p]
            assert found.predictions[n, k] == max(range(C), key=lambda c: (votes[c], sums[c]))


# decay beside the step ------------------------------------------------------------------------


def test_two_steps_of_adamw_by_hand():
    """Blank images and one class: no gradient by the weights, so they shrink by 1 - rate * decay.

    The biases go as with Adam, and are free of decay.
    """
    samples = random_samples(N=40, D=3)
    blank = replace(samples, images=np.zeros_like(samples.images))
    weights = random_weights(1, D=3)
    hyper = {"learning_rate": 0.1, "weight_decay": 0.5, "epochs": 1, "batch_size": 10}
    _, decayed = run(trainer(settings(optimizer="adamw", **hyper), weights, train=blank))
    np.testing.assert_allclose(decayed[0][:-1], weights[0] * 0.95**4, rtol=1e-12)
    free = settings(optimizer="adam", **{**hyper, "weight_decay": 0.0})
    _, plain = run(trainer(free, weights, train=blank))
    np.testing.assert_array_equal(decayed[0][-1], plain[0][-1])


def test_adamw_without_decay_is_adam():
    hyper = {"learning_rate": [0.01, 0.02], "batch_size": 23}
    _, one = run(trainer(settings(optimizer="adamw", **hyper), random_weights(2)))
    _, other = run(trainer(settings(optimizer="adam", **hyper), random_weights(2)))
    for k in range(2):
        np.testing.assert_array_equal(one[k], other[k])


def test_adamw_is_that_of_plain_loops():
    """Loshchilov and Hutter's algorithm 2, written out."""
    samples, rate, decay = random_samples(N=60, D=4), 0.02, 0.3
    chosen = settings(
        optimizer="adamw", learning_rate=rate, weight_decay=decay, batch_size=20, epochs=2
    )
    (W,) = random_weights(1, D=4)
    _, final = run(trainer(chosen, [W], train=samples))
    P = np.concatenate([W, np.zeros((1, C))])
    m, v, generator, t = np.zeros_like(P), np.zeros_like(P), np.random.default_rng(5), 0
    x, targets = np.c_[samples.rows / 255, np.ones(60)], np.eye(C)[samples.labels]
    for _ in range(2):
        order = generator.permutation(60)
        for start in range(0, 60, 20):
            rows, t = order[start : start + 20], t + 1
            g = x[rows].T @ (2 * (x[rows] @ P - targets[rows])) / 20
            m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
            step = rate * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
            P[:-1] -= rate * decay * P[:-1]
            P -= step
    np.testing.assert_allclose(final[0], P, rtol=1e-9, atol=1e-12)
