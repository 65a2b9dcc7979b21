"""Numerical derivatives against known ones, and what their error estimates are worth."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mnistlab.gradcheck.differences import central, complex_step


def along(function, point):
    """Return a function of one number at each coordinate as a line through the point."""
    return lambda coordinates, offsets: function(point[coordinates] + offsets)


CASES = {
    "exp": (np.exp, np.exp),
    "sine": (np.sin, np.cos),
    "cube": (lambda x: x**3, lambda x: 3 * x**2),
    "logistic": (lambda x: 1 / (1 + np.exp(-x)), lambda x: np.exp(-x) / (1 + np.exp(-x)) ** 2),
    "steep": (lambda x: np.tanh(100 * x), lambda x: 100 / np.cosh(100 * x) ** 2),
    "constant": (lambda x: 0 * x + 7, lambda x: 0 * x),
    "straight": (lambda x: 3 * x, lambda x: 0 * x + 3),
}


@pytest.mark.parametrize("name", CASES)
@settings(max_examples=40)
@given(st.lists(st.floats(-3, 3), min_size=1, max_size=5))
def test_the_error_estimate_covers_the_error(name, values):
    function, derivative = CASES[name]
    point = np.array(values)
    found = central(along(function, point), point)
    error = np.abs(found.value - derivative(point))
    assert (error <= 10 * found.error + 32 * 2.2e-16 * found.slope).all()
    assert not found.kinked.any()


@pytest.mark.parametrize("name", [name for name in CASES if name != "steep"])
def test_smooth_functions_are_known_to_eleven_digits(name):
    function, derivative = CASES[name]
    point = np.linspace(-2, 2, 9)
    found = central(along(function, point), point)
    np.testing.assert_allclose(found.value, derivative(point), rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("name", CASES)
def test_the_complex_step_is_exact_but_for_rounding(name):
    function, derivative = CASES[name]
    point = np.linspace(-2, 2, 9)
    found = complex_step(along(function, point), len(point))
    np.testing.assert_allclose(found, derivative(point), rtol=1e-13, atol=1e-15)


def test_the_complex_step_says_no_where_it_means_nothing():
    point = np.array([1.0, -2.0])
    assert complex_step(along(np.abs, point), 2) is None
    assert complex_step(along(np.floor, point), 2) is None


def test_a_kink_is_told_with_both_slopes():
    point = np.array([0.0, 0.3])
    found = central(along(np.abs, point), point)
    assert found.kinked.tolist() == [True, False]
    assert (found.left[0], found.right[0]) == pytest.approx((-1, 1))
    assert found.value[1] == pytest.approx(1)


def test_noise_of_single_precision_is_seen():
    point = np.array([0.5])
    rough = central(along(lambda x: np.sin(x.astype(np.float32)), point), point)
    assert 1e-9 < rough.noise < 1e-6
    assert abs(rough.value[0] - np.cos(0.5)) <= 10 * rough.error[0]
    assert rough.error[0] > 1e-9


def test_a_function_that_ends_nearby_is_still_known_or_said_to_be_unknown():
    point = np.array([0.01])
    found = central(along(np.log, point), point)  # not a number below zero
    assert found.value[0] == pytest.approx(100, rel=1e-8)
    nowhere = central(along(lambda x: np.log(x - 1), point), point)
    assert not np.isfinite(nowhere.error[0])


def test_the_natural_scale_is_seen_from_a_plain():
    point = np.array([40.0])  # where the softplus has all but levelled off
    found = central(along(lambda x: np.log1p(np.exp(-x)), point), point)
    assert abs(found.value[0] + 1 / (1 + np.exp(40.0))) <= 10 * found.error[0]
    assert found.slope > 0.1


DECEPTIVE = {
    "a bump at the point": (lambda t: t + t * np.exp(-((t / 0.01) ** 2)), 0.0, 2.0),
    "a narrow bump": (lambda t: t + t * np.exp(-((t / 1e-3) ** 2)), 0.0, 2.0),
    "a dead zone": (lambda t: np.where(np.abs(t) < 1e-2, 0, t), 0.0, 0.0),
    "waves as long as a step": (lambda t: t * t + 1e-3 * np.sin(64 * np.pi * t), 0.0, 0.2010619298),
    "small fast waves": (lambda x: x * x + 1e-6 * np.sin(1000 * x), 0.3, 0.5999779034),
    "a staircase": (lambda x: np.round(x, 1) ** 2, 0.72, 0.0),
    "a kink beside the point": (lambda t: np.maximum(0, t + 1e-2), 0.0, 1.0),
    "a kink close by": (lambda t: np.abs(t - 3e-4), 0.0, -1.0),
}


@pytest.mark.parametrize("name", DECEPTIVE)
def test_what_coarse_steps_do_not_see_is_in_the_estimate(name):
    function, place, derivative = DECEPTIVE[name]
    point = np.array([place])
    found = central(along(function, point), point)
    assert abs(found.value[0] - derivative) <= 10 * found.error[0] + 1e-9


@pytest.mark.parametrize("factor", [1e-12, 1e-6, 1e6, 1e12])
def test_a_scaled_function_is_known_as_well(factor):
    point = np.array([0.3, -1.2])
    found = central(along(lambda x: factor * np.sin(x), point), point)
    np.testing.assert_allclose(found.value, factor * np.cos(point), rtol=1e-10)
    assert (np.abs(found.value - factor * np.cos(point)) <= 10 * found.error).all()
