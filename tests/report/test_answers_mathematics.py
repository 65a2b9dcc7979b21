"""Each formula that a derivation arrives at, as it is typeset, beside what NumPy makes of it.

D features, C classes, n images in columns, as in the assignment.
"""

import numpy as np
import pytest

from mnistlab.core.losses import LOSSES, softmax
from mnistlab.core.models import MODELS
from mnistlab.core.samples import one_hot
from mnistlab.report.answers import AssignmentRuns, answer_sections
from mnistlab.report.answers.control import BOUND
from mnistlab.report.document import Derivation

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


def agree(one, other):
    np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-8)


@pytest.fixture(scope="module")
def steps():
    found = answer_sections(AssignmentRuns())
    return {
        " ".join(step.formula.latex().split())
        for one in found
        for block in one.blocks
        if isinstance(block, Derivation)
        for step in block.steps
    }


@pytest.fixture(params=range(3))
def numbers(request):
    generator = np.random.default_rng(request.param)
    Y = np.eye(C)[generator.integers(C, size=n)].T
    return (
        generator.normal(size=(C, D)), generator.normal(size=C), generator.random((D, n)), Y
    )  # fmt: skip


HATS = r"\hat{\mathbf{y}} - \mathbf{y}"
BATCH = r"\hat{\mathbf{Y}} - \mathbf{Y}"
SLOPE = r"\hat{\mathbf{y}} \odot \left( \mathbf{1} - \hat{\mathbf{y}} \right)"
BY_W, BY_B = r"\nabla_{\mathbf{W}} \mathcal{L} =", r"\nabla_{\mathbf{b}} \mathcal{L} ="


def test_one_image(steps, numbers):
    W, b, X, Y = numbers
    X, Y = X[:, :1], Y[:, :1]
    error = 2 * (W @ X + b[:, None] - Y)[:, 0]
    outer = rf"2 \left( {HATS} \right) \otimes \mathbf{{x}}"
    assert rf"{BY_W} 2 \left( {HATS} \right) \mathbf{{x}}^{{\top}} = {outer}" in steps
    agree(np.outer(error, X[:, 0]), numerical(lambda W: squared(W, b, X, Y), W))
    assert rf"{BY_B} 2 \left( {HATS} \right)" in steps
    agree(error, numerical(lambda b: squared(W, b, X, Y), b))


def test_batch(steps, numbers):
    W, b, X, Y = numbers
    error = 2 * (W @ X + b[:, None] - Y)
    assert rf"{BY_W} 2 \left( {BATCH} \right) \mathbf{{X}}^{{\top}}" in steps
    agree(error @ X.T, numerical(lambda W: squared(W, b, X, Y), W))
    assert rf"{BY_B} 2 \left( {BATCH} \right) \mathbf{{1}}" in steps
    agree(error @ np.ones(n), numerical(lambda b: squared(W, b, X, Y), b))


def test_transposed_with_biases_inside(steps, numbers):
    W, b, X, Y = numbers
    F, P = np.hstack([X.T, np.ones((n, 1))]), np.vstack([W.T, b])
    assert any(step.startswith(r"\mathbf{A} = \mathbf{F} \mathbf{P} =") for step in steps)
    agree((F @ P).T, W @ X + b[:, None])
    both = F.T @ (2 * (W @ X + b[:, None] - Y)).T
    agree(both[:-1].T, numerical(lambda W: squared(W, b, X, Y), W))
    agree(both[-1], numerical(lambda b: squared(W, b, X, Y), b))


def test_a_step_of_descent_shrinks_or_stretches_along_an_eigenvector(steps, numbers):
    W, b, X, Y = numbers
    F, P = np.hstack([X.T, np.ones((n, 1))]), np.vstack([W.T, b])
    M, R = F.T @ F / n, F.T @ Y.T / n
    best = np.linalg.pinv(M) @ R
    agree(M @ best, R)
    values, vectors = np.linalg.eigh(M)
    rate, c = 0.3, 2
    moved = P - rate * c * (M @ P - R)
    start = r"\left( \mathbf{P} - \mathbf{P}^{∗} \right) \to"  # noqa: RUF001 - as it is typeset
    inner = r"\left( \mathbf{I} - \eta \kappa \mathbf{M} \right)"
    assert any(step.startswith(f"{start} {inner}") for step in steps)
    agree(moved - best, (np.eye(D + 1) - rate * c * M) @ (P - best))
    v = vectors[:, -1]
    agree((np.eye(D + 1) - rate * c * M) @ v, (1 - rate * c * values[-1]) * v)


def test_derivative_of_the_sigmoid(steps):
    sigma = r"\sigma \left( a \right)"
    assert rf"= {sigma} \left( 1 - {sigma} \right)" in steps
    a = np.linspace(-6, 6, 41)
    lines = [
        (1 + np.exp(-a)) ** -2 * np.exp(-a),
        np.exp(-a) / (1 + np.exp(-a)) ** 2,
        1 / (1 + np.exp(-a)) * (1 + np.exp(-a) - 1) / (1 + np.exp(-a)),
        logistic(a) * (1 - logistic(a)),
        MODELS["sigmoid"].forward(a)[1](np.ones_like(a)),
    ]
    for line in lines:
        agree(line, (logistic(a + STEP) - logistic(a - STEP)) / (2 * STEP))


def test_sigmoid(steps, numbers):
    W, b, X, Y = numbers
    y_hat = logistic(W @ X + b[:, None])
    bracket = 2 * (y_hat - Y) * y_hat * (1 - y_hat)
    inside = rf"\left( {HATS} \right) \odot {SLOPE}"
    assert rf"{BY_W} 2 \left[ {inside} \right] \mathbf{{x}}^{{\top}}" in steps
    assert rf"{BY_B} 2 {inside}" in steps
    slopes = r"\hat{\mathbf{Y}} \odot \left( \mathbf{1} - \hat{\mathbf{Y}} \right)"
    of_batch = rf"2 \left[ \left( {BATCH} \right) \odot {slopes} \right]"
    assert rf"{BY_W} {of_batch} \mathbf{{X}}^{{\top}}" in steps
    assert rf"{BY_B} {of_batch} \mathbf{{1}}" in steps
    agree(bracket @ X.T, numerical(lambda W: squared(W, b, X, Y, logistic), W))
    agree(bracket.sum(axis=1), numerical(lambda b: squared(W, b, X, Y, logistic), b))


def test_bound_of_the_sigmoids_gradient(steps):
    assert any(step.endswith(r"\le 2 \cdot \frac{4}{9} \cdot \frac{1}{3} = \frac{8}{27}")
               for step in steps)  # fmt: skip
    a = np.linspace(-10, 10, 200_001)
    bound = BOUND[0] / BOUND[1]
    for target in (0, 1):
        y_hat = logistic(a)
        largest = np.abs(2 * (y_hat - target) * y_hat * (1 - y_hat)).max()
        assert largest <= bound
        assert largest == pytest.approx(bound, rel=1e-6)


def test_derivative_of_the_softmax(steps, numbers):
    a = numbers[1]
    S = softmax(a)
    assert any(step.endswith(r"= S_{i} \left( \delta_{i c} - S_{c} \right)") for step in steps)
    for i in range(C):
        expected = S[i] * (np.eye(C)[i] - S)
        agree(numerical(lambda a, i=i: np.exp(a[i]) / np.exp(a).sum(), a), expected)


def test_softmax_cross_entropy(steps, numbers):
    a = numbers[1]
    end = r"\mathbf{S} \left( \mathbf{a} \right) - \mathbf{e}_{y}"
    assert rf"\nabla_{{\mathbf{{a}}}} \mathcal{{L}} = {end}" in steps
    for y in range(C):
        agree(numerical(lambda a, y=y: cross_entropy(a, y), a), softmax(a) - np.eye(C)[y])
        cases = [softmax(a)[c] - 1 if c == y else softmax(a)[c] for c in range(C)]
        agree(cases, softmax(a) - np.eye(C)[y])


def test_the_shift_changes_nothing(steps, numbers):
    a = numbers[1]
    m = a.max()
    assert any("e^{a_{j} - m}" in step for step in steps)
    agree(np.exp(a) / np.exp(a).sum(), np.exp(a - m) / np.exp(a - m).sum())
    for y in range(C):
        stable = np.log(np.exp(a - m).sum()) - (a[y] - m)
        agree(cross_entropy(a, y), stable)
        ours = LOSSES["softmax_cross_entropy"].value(
            a[None, None], one_hot(np.array([y]), C, np.float64)
        )
        agree(ours[0, 0], stable)
