"""McNemar's exact test by hand, against scipy's binomial test, and for thousands of images."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnistlab.statistics import mcnemar_p
from tests.late import Late

stats = Late("scipy.stats")


@pytest.mark.parametrize(
    ("only_first", "only_second", "by_hand"),
    [
        (0, 0, 1.0),  # nothing to tell them apart by
        (1, 0, 1.0),  # 2 * 1/2
        (0, 5, 2 / 32),
        (1, 5, 2 * (1 + 6) / 64),
        (2, 8, 2 * (1 + 10 + 45) / 1024),
        (7, 7, 1.0),  # the tail reaches over the middle
    ],
)
def test_by_hand(only_first, only_second, by_hand):
    assert mcnemar_p(only_first, only_second) == pytest.approx(by_hand, rel=1e-12)


@given(only_first=st.integers(0, 400), only_second=st.integers(0, 400))
def test_it_is_scipys_binomial_test_and_the_order_does_not_matter(only_first, only_second):
    p = mcnemar_p(only_first, only_second)
    known = 1.0
    if only_first + only_second:
        known = stats.binomtest(only_first, only_first + only_second, 0.5).pvalue
    assert p == pytest.approx(known, rel=1e-9)
    assert p == mcnemar_p(only_second, only_first)
    assert 0 < p <= 1


@pytest.mark.parametrize(("a", "b"), [(187, 312), (4_900, 5_100), (2_500, 7_500), (29_700, 30_300)])
def test_thousands_of_images(a, b):
    """2^-n alone would be 0 from n = 1,075 on."""
    assert mcnemar_p(a, b) == pytest.approx(stats.binomtest(a, a + b, 0.5).pvalue, rel=1e-7)


def test_what_is_too_small_for_a_number_is_zero():
    assert mcnemar_p(0, 1_000) == pytest.approx(2 * 0.5**1_000)
    assert mcnemar_p(0, 60_000) == 0.0
    assert math.isfinite(mcnemar_p(60_000, 60_000))
