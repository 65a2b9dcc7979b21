"""Intervals against printed tables and values worked out by hand."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnistlab.statistics import (
    differs,
    paired_difference,
    pairs,
    t_half_width,
    t_quantile,
    wilson_interval,
    z_quantile,
)
from tests.late import Late

stats = Late("scipy.stats")


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


def test_the_interval_of_a_paired_difference_is_that_of_the_differences():
    ours, theirs = np.array([5.0, 3.0, 9.0, 6.5]), np.array([4.0, 3.5, 6.0, 5.0])
    mean, half = paired_difference(ours, theirs)
    low, high = stats.ttest_rel(ours, theirs).confidence_interval(0.95)
    assert (mean - half, mean + half) == pytest.approx((low, high))
    assert paired_difference([True, False], [False, False])[0] == 0.5
    assert paired_difference([1.0], [0.25]) == (0.75, math.inf)
    assert paired_difference(ours, theirs, 3)[1] > half


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


@pytest.mark.parametrize("count", [2, 8, 64, 256])
def test_among_equals_hardly_ever_one_differs_from_the_best(count):
    """Of equal classifiers the best is told from another in 5 % of all cases at most."""
    generator, images, repeats = np.random.default_rng(count), 2000, 400
    wrongly = uncorrected = 0
    for _ in range(repeats):
        # as many right answers as independent coins would give; which images they are is even
        right = np.sort(generator.binomial(images, 0.87, count))
        best, worst = (
            generator.permutation(np.arange(images) < share) for share in (right[-1], right[0])
        )
        wrongly += differs(worst, best, pairs(count))
        uncorrected += differs(worst, best, max(1, count - 1))
    error = math.sqrt(0.05 * 0.95 / repeats)
    assert wrongly / repeats <= 0.05 + 2 * error
    if count >= 64:  # comparisons with the best alone are not enough
        assert uncorrected / repeats > 0.2


@pytest.mark.parametrize("count", [2, 8, 64])
def test_among_equals_the_seeds_hardly_ever_tell_one_apart(count):
    generator, repeats = np.random.default_rng(count), 400
    wrongly = 0
    for _ in range(repeats):
        scores = generator.normal(size=(count, 5))
        best = scores[scores.mean(axis=1).argmax()]
        halves = [t_half_width(list(best - one), pairs(count)) for one in scores]
        gaps = [float((best - one).mean()) for one in scores]
        wrongly += any(gap > half for gap, half in zip(gaps, halves, strict=True) if gap)
    assert wrongly / repeats <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / repeats)
