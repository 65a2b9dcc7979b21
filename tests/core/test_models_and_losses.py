"""Every registered model and loss: values worked out by hand and independent derivatives."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mnistlab.core.losses import LOSSES, softmax
from mnistlab.core.models import MODELS, ONE_HOT
from tests.late import Late

special = Late("scipy.special")

PAIRS = [(model, loss) for model in MODELS for loss in LOSSES]


def targets_for(labels, C):
    return ONE_HOT.targets(np.asarray(labels), C, np.float64)


def test_squared_error_by_hand():
    outputs = np.array([[[1.0, -2.0, 0.5]]])
    targets = targets_for([2], 3)
    # (1-0)^2 + (-2-0)^2 + (0.5-1)^2 and 2 * (1, -2, -0.5)
    np.testing.assert_array_equal(LOSSES["squared_error"].value(outputs, targets), [[5.25]])
    np.testing.assert_array_equal(
        LOSSES["squared_error"].gradient(outputs, targets), [[[2.0, -4.0, -1.0]]]
    )


def test_softmax_cross_entropy_by_hand():
    logits = np.log(np.array([[[1.0, 2.0, 5.0]]]))  # softmax is (1/8, 2/8, 5/8)
    targets = targets_for([1], 3)
    loss = LOSSES["softmax_cross_entropy"]
    np.testing.assert_allclose(loss.value(logits, targets), [[np.log(4)]], rtol=1e-15)
    np.testing.assert_allclose(
        loss.gradient(logits, targets), [[[0.125, -0.75, 0.625]]], rtol=1e-15
    )


def test_sigmoid_by_hand():
    outputs, pullback = MODELS["sigmoid"].forward(np.array([[[0.0, np.log(3.0), -np.log(3.0)]]]))
    np.testing.assert_allclose(outputs, [[[0.5, 0.75, 0.25]]], rtol=1e-15)
    np.testing.assert_allclose(pullback(np.ones((1, 1, 3))), [[[0.25, 0.1875, 0.1875]]], rtol=1e-15)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sigmoid_keeps_both_tails(dtype):
    A = np.array([-1e4, -80.0, -20.0, 0.0, 20.0, 80.0, 1e4], dtype)[None, None]
    outputs, pullback = MODELS["sigmoid"].forward(A)
    assert outputs.dtype == dtype
    np.testing.assert_allclose(
        outputs, special.expit(A), rtol=1e-5 if dtype == np.float32 else 1e-15
    )
    exact = special.expit(A.astype(float)) * special.expit(-A.astype(float))
    np.testing.assert_allclose(
        pullback(np.ones_like(A)), exact, rtol=1e-5 if dtype == np.float32 else 1e-14, atol=1e-38
    )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_softmax_cross_entropy_is_stable_for_huge_logits(dtype):
    logits = np.array([[[1e4, -1e4, 0.0]], [[-1e4, 1e4, 1e4]], [[1e4, 1e4, 1e4]]], dtype)
    targets = ONE_HOT.targets(np.array([1, 1, 0]), 3, dtype)
    loss = LOSSES["softmax_cross_entropy"]
    with np.errstate(all="raise", under="ignore"):
        value, gradient = loss.value(logits, targets), loss.gradient(logits, targets)
    assert value.dtype == gradient.dtype == dtype
    np.testing.assert_allclose(value[:, 0], [2e4, np.log(2), np.log(3)], rtol=1e-6)
    expected = [[1, -1, 0], [0, -0.5, 0.5], [-2 / 3, 1 / 3, 1 / 3]]
    np.testing.assert_allclose(gradient[:, 0], expected, rtol=1e-6)


@given(arrays(np.float64, (4, 2, 5), elements=st.floats(-700, 700)))
def test_softmax_agrees_with_scipy_and_sums_to_one(logits):
    np.testing.assert_allclose(softmax(logits), special.softmax(logits, -1), rtol=1e-12)
    np.testing.assert_allclose(softmax(logits).sum(-1), 1, rtol=1e-14)
    np.testing.assert_allclose(softmax(logits + 123), softmax(logits), rtol=1e-11, atol=1e-300)


@given(arrays(np.float64, (3, 1, 4), elements=st.floats(-1e4, 1e4)))
def test_cross_entropy_agrees_with_scipy(logits):
    targets = targets_for([0, 1, 3], 4)
    expected = -(special.log_softmax(logits, -1) * targets).sum(-1)
    value = LOSSES["softmax_cross_entropy"].value(logits, targets)
    np.testing.assert_allclose(value, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("model", "loss"), PAIRS)
def test_gradient_against_complex_step(model, loss):
    """d/da f(a) = Im f(a + ih) / h has no cancellation (Squire and Trapp, SIAM Rev. 40, 1998)."""
    generator = np.random.default_rng(3)
    A = generator.normal(0, 3, (6, 2, 10))
    targets = targets_for(generator.integers(0, 10, 6), 10)
    outputs, pullback = MODELS[model].forward(A)
    analytic = pullback(LOSSES[loss].gradient(outputs, targets))
    numerical = np.empty_like(A)
    for c in range(10):
        step = np.zeros(10)
        step[c] = 1e-30
        shifted, _ = MODELS[model].forward(A + 1j * step)
        value = LOSSES[loss].value(shifted, targets)
        if not np.iscomplexobj(value):
            pytest.skip("decides by size or sign: only differences can judge it")
        numerical[..., c] = value.imag / 1e-30
    np.testing.assert_allclose(analytic, numerical, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize(("model", "loss"), PAIRS)
def test_gradient_against_central_differences(model, loss):
    generator = np.random.default_rng(4)
    A = generator.normal(0, 2, (5, 3, 4))
    targets = targets_for(generator.integers(0, 4, 5), 4)
    outputs, pullback = MODELS[model].forward(A)
    analytic = pullback(LOSSES[loss].gradient(outputs, targets))
    h = 1e-5
    for c in range(4):
        step = np.zeros(4)
        step[c] = h
        above = LOSSES[loss].value(MODELS[model].forward(A + step)[0], targets)
        below = LOSSES[loss].value(MODELS[model].forward(A - step)[0], targets)
        np.testing.assert_allclose(analytic[..., c], (above - below) / (2 * h), atol=1e-8)


def test_gradients_vanish_at_the_optimum():
    targets = targets_for([0, 2], 3)
    assert not LOSSES["squared_error"].gradient(targets + 0.0, targets).any()
    uniform = np.full((2, 1, 3), 1 / 3)  # softmax of equal logits, for targets that are uniform
    assert np.abs(LOSSES["softmax_cross_entropy"].gradient(np.zeros((2, 1, 3)), uniform)).max() < (
        1e-15
    )


@pytest.mark.parametrize("loss", LOSSES)
def test_gradient_is_a_new_array_and_inputs_stay(loss):
    outputs = np.random.default_rng(0).normal(size=(4, 2, 3))
    targets = targets_for([0, 1, 2, 0], 3)
    before = outputs.copy(), targets.copy()
    gradient = LOSSES[loss].gradient(outputs, targets)
    LOSSES[loss].value(outputs, targets)
    assert not np.shares_memory(gradient, outputs)
    np.testing.assert_array_equal(outputs, before[0])
    np.testing.assert_array_equal(targets, before[1])


@pytest.mark.parametrize("loss", LOSSES)
def test_constant_curvature_is_the_second_derivative(loss):
    curvature = LOSSES[loss].curvature
    if curvature is None:
        return
    outputs = np.random.default_rng(0).normal(size=(1, 1, 3))
    targets = targets_for([1], 3)
    step = np.array([0.5, 0, 0])
    change = LOSSES[loss].gradient(outputs + step, targets) - LOSSES[loss].gradient(
        outputs, targets
    )
    np.testing.assert_allclose(change, [[curvature * step]], rtol=1e-12)
