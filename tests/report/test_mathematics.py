"""The formulas at which the derivations arrive, beside what NumPy and our code make of them.

D features, C classes, n images in columns, as in the assignment.
"""

import numpy as np
import pytest

from mnistlab.core.losses import LOSSES, softmax
from mnistlab.core.models import MODELS, ONE_HOT
from mnistlab.report.render import SOURCES

D, C, n = 7, 4, 5
STEP = 1e-6


def logistic(a):
    return 1 / (1 + np.exp(-a))


def squared(W, b, X, Y, squash=lambda a: a):
    return np.square(Y - squash(W @ X + b[:, None])).sum()


def cross_entropy(a, y):
    return -np.log(np.exp(a[y]) / np.exp(a).sum())


def numerical(function, point):
    gradient = np.empty_like(point)
    for index in np.ndindex(point.shape):
        moved = [point.copy(), point.copy()]
        moved[0][index] -= STEP
        moved[1][index] += STEP
        gradient[index] = (function(moved[1]) - function(moved[0])) / (2 * STEP)
    return gradient


def ours(model, loss, A, Y):
    """Return our code's dL/dA for images in columns."""
    outputs, pullback = MODELS[model].forward(A.T[:, None])
    return pullback(LOSSES[loss].gradient(outputs, Y.T[:, None]))[:, 0].T


def agree(one, other):
    np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-8)


@pytest.fixture(scope="module")
def text():
    return (SOURCES / "assignment.typ").read_text()


@pytest.fixture(params=range(3))
def numbers(request):
    generator = np.random.default_rng(request.param)
    Y = np.eye(C)[generator.integers(C, size=n)].T
    return generator.normal(size=(C, D)), generator.normal(size=C), generator.random((D, n)), Y


def test_one_image(text, numbers):
    W, b, X, Y = numbers
    X, Y = X[:, :1], Y[:, :1]
    assert "$= 2 (yhat - by) bx^top = 2 (yhat - by) times.o bx$" in text
    assert "($nabla_bb loss$, $= 2 (yhat - by)$" in text
    error = 2 * (W @ X + b[:, None] - Y)[:, 0]
    agree(error, ours("linear", "squared_error", W @ X + b[:, None], Y)[:, 0])
    agree(np.outer(error, X[:, 0]), numerical(lambda W: squared(W, b, X, Y), W))
    agree(error, numerical(lambda b: squared(W, b, X, Y), b))


def test_batch(text, numbers):
    W, b, X, Y = numbers
    for formula in (
        "($nabla_bW loss$, $= 2 (Yhat - bY) bX^top$",
        "($nabla_bB loss$, $= 2 (Yhat - bY)$",
        "($nabla_bb loss$, $= 2 (Yhat - bY) ones$",
    ):
        assert formula in text
    error = 2 * (W @ X + b[:, None] - Y)
    agree(error, ours("linear", "squared_error", W @ X + b[:, None], Y))
    agree(error @ X.T, numerical(lambda W: squared(W, b, X, Y), W))
    B = np.repeat(b[:, None], n, axis=1)
    agree(error, numerical(lambda B: np.square(Y - (W @ X + B)).sum(), B))
    agree(error @ np.ones(n), numerical(lambda b: squared(W, b, X, Y), b))


def test_sigmoid(text, numbers):
    W, b, X, Y = numbers
    for formula in (
        "$= 2 [(yhat - by) dot.o slope] bx^top$",
        "$= 2 (yhat - by) dot.o slope$",
        "$= 2 [(Yhat - bY) dot.o slopes] bX^top$",
        "$= 2 [(Yhat - bY) dot.o slopes] ones$",
        "#let slope = $yhat dot.o (ones - yhat)$",
        "$= sigma(a) (1 - sigma(a))$",
    ):
        assert formula in text
    outputs = logistic(W @ X + b[:, None])
    bracket = 2 * (outputs - Y) * outputs * (1 - outputs)
    agree(bracket, ours("sigmoid", "squared_error", W @ X + b[:, None], Y))
    agree(bracket @ X.T, numerical(lambda W: squared(W, b, X, Y, logistic), W))
    agree(bracket.sum(axis=1), numerical(lambda b: squared(W, b, X, Y, logistic), b))
    a = np.linspace(-6, 6, 41)
    slope = (logistic(a + STEP) - logistic(a - STEP)) / (2 * STEP)
    agree(np.exp(-a) / (1 + np.exp(-a)) ** 2, slope)
    agree(logistic(a) * (1 - logistic(a)), slope)


def test_bound_of_the_sigmoids_gradient(text):
    assert "it is $8 slash 27$" in text
    assert "$hat(y) = 2 slash 3$" in text
    outputs = logistic(np.linspace(-10, 10, 200_001))
    for target in (0, 1):
        sizes = np.abs(2 * (outputs - target) * outputs * (1 - outputs))
        assert sizes.max() == pytest.approx(8 / 27, rel=1e-6)
        assert abs(outputs[sizes.argmax()] - target) == pytest.approx(2 / 3, abs=1e-3)


def test_a_step_shrinks_or_stretches_along_an_eigenvector(text, numbers):
    W, b, X, Y = numbers
    assert "$arrow.r (bI - 2 eta bM) (bP - bP^*)$" in text
    assert "0 < eta < 1 / lambda$, [for $lambda > 0$" in text
    F, P = np.hstack([X.T, np.ones((n, 1))]), np.vstack([W.T, b])
    M, R = F.T @ F / n, F.T @ Y.T / n
    best = np.linalg.pinv(M) @ R
    rate = 0.3
    moved = P - rate * 2 * (M @ P - R)
    agree(moved - best, (np.eye(D + 1) - 2 * rate * M) @ (P - best))
    values, vectors = np.linalg.eigh(M)
    v = vectors[:, -1]
    agree((np.eye(D + 1) - 2 * rate * M) @ v, (1 - 2 * rate * values[-1]) * v)


def test_richardsons_step_removes_the_first_error(text):
    assert "(loss(ba + h be_i) - loss(ba - h be_i)) / (2 h)" in text
    assert "(4 D_i (h slash 2) - D_i (h)) / 3" in text

    def errors(h):
        first, second = ((np.exp(h) - np.exp(-h)) / (2 * h) - 1 for h in (h, h / 2))
        return first, (4 * second - first) / 3

    (plain, extrapolated), (plain_half, extrapolated_half) = errors(0.4), errors(0.2)
    assert plain / plain_half == pytest.approx(2**2, rel=0.02)
    assert extrapolated / extrapolated_half == pytest.approx(2**4, rel=0.02)


def test_softmax_cross_entropy(text, numbers):
    a = numbers[1]
    assert "($nabla_ba loss$, $= bS(ba) - be_y$" in text
    for y in range(C):
        one_hot_y = np.eye(C)[y]
        agree(numerical(lambda a, y=y: cross_entropy(a, y), a), softmax(a) - one_hot_y)
        code = ours("linear", "softmax_cross_entropy", a[:, None], one_hot_y[:, None])
        agree(code[:, 0], softmax(a) - one_hot_y)
        agree(code.sum(), 0)


def test_the_shift_changes_nothing(text, numbers):
    a = numbers[1]
    m = a.max()
    assert "$= log sum_j e^(a_j - m) - (a_y - m)$" in text
    agree(softmax(a), np.exp(a) / np.exp(a).sum())
    agree(softmax(a), np.exp(a - m) / np.exp(a - m).sum())
    for y in range(C):
        stable = np.log(np.exp(a - m).sum()) - (a[y] - m)
        agree(cross_entropy(a, y), stable)
        target = ONE_HOT.targets(np.array([y]), C, np.float64)
        code = LOSSES["softmax_cross_entropy"].value(a[None, None], target)
        agree(code[0, 0], stable)
