"""Intervals against printed tables and values worked out by hand."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from mnistlab.statistics import (
    differs,
    t_half_width,
    t_quantile,
    wilson_interval,
    z_quantile,
)


@pytest.mark.parametrize(
    ("freedom", "printed"), [(1, 12.706), (2, 4.303), (4, 2.776), (9, 2.262), (30, 2.042)]
)
def test_students_quantile_is_that_of_the_tables(freedom, printed):
    assert t_quantile(freedom) == pytest.approx(printed, abs=5e-4)


@pytest.mark.parametrize("freedom", [1, 2, 3, 7, 40, 400, 10**4, 10**6])
def test_students_quantile_is_scipys(freedom):
    assert t_quantile(freedom) == pytest.approx(stats.t.ppf(0.975, freedom), rel=1e-9)


def test_the_interval_of_a_mean_by_hand():
    # 1, 2, 3: deviation 1, so 4.3027 / sqrt(3)
    assert t_half_width([1.0, 2.0, 3.0]) == pytest.approx(4.302653 / math.sqrt(3), rel=1e-6)
    assert t_half_width([2.0]) is None
    assert t_half_width([2.0, 2.0]) == 0


@given(right=st.integers(0, 500), n=st.integers(1, 500))
def test_wilsons_interval_is_scipys(right, n):
    right = min(right, n)
    known = stats.binomtest(right, n).proportion_ci(method="wilson")
    assert wilson_interval(right / n, n) == pytest.approx((known.low, known.high), abs=1e-9)


def test_answers_that_differ_on_some_images():
    """Of 1,000 images one is right on 30 where the other is wrong, and wrong on b of them.

    The difference is (30 - b)/1000; its standard error, from 30 + b values of size 1, is about
    sqrt(30 + b)/1000: with b = 10 that is 3.2 errors, with b = 20 it is 1.4.
    """
    best = np.ones(1000, bool)
    for lost, told in ((10, True), (20, False)):
        other = best.copy()
        other[:30] = False
        mine = best.copy()
        mine[30 : 30 + lost] = False
        assert differs(other, mine) is told


def test_the_same_answers_do_not_differ():
    answers = np.random.default_rng(0).random(100)
    assert differs(answers, answers.copy()) is False
    assert differs(answers, answers + 1e-3) is True  # without any spread every difference counts


def test_intervals_that_hold_together_are_wider():
    assert z_quantile() == pytest.approx(1.959964, abs=1e-6)
    assert z_quantile(10) == pytest.approx(stats.norm.ppf(1 - 0.0025))
    assert t_quantile(4, 10) == pytest.approx(stats.t.ppf(1 - 0.0025, 4), rel=1e-9)
    assert t_half_width([1.0, 2.0, 3.0], 5) == pytest.approx(stats.t.ppf(1 - 0.005, 2) / 3**0.5)


def test_among_many_equals_few_look_different_from_the_best():
    """64 copies of one classifier: chosen as the best of them, one must not seem better."""
    generator = np.random.default_rng(5)
    answers = generator.random((64, 10_000)) < 0.87
    best = answers[answers.mean(axis=1).argmax()]
    told = [differs(one, best, comparisons=63) for one in answers]
    assert sum(told) <= 2
    assert sum(differs(one, best) for one in answers) > 10  # without the correction
