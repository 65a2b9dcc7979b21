"""The exact optimum: worked out by hand, against lstsq, and as a place without a gradient."""

import numpy as np
import pytest

from mnistlab.core import least_squares as module
from mnistlab.core.least_squares import least_squares
from mnistlab.core.samples import FeatureMap, PixelMap, Samples
from mnistlab.datasets import load

PLAIN = PixelMap(scale=1.0)
FEATURES = FeatureMap()


def samples(images, labels, pixels=PLAIN):
    return Samples(np.array(images, np.uint8), np.array(labels), FeatureMap(pixels))


def random_samples(N=200, D=12, C=4, seed=0, features=FEATURES):
    generator = np.random.default_rng(seed)
    images = generator.integers(0, 256, (N, D), dtype=np.uint8)
    return Samples(images, generator.integers(0, C, N), features)


def moments_of(rows, C):
    ((_, moments),) = module.measure_moments(rows, C)
    return moments


def features_of(rows):
    pixels = rows.features.pixels
    x = rows.rows * np.asarray(pixels.scale) + pixels.shift
    return np.column_stack([x, np.ones(len(x))])


def test_two_points_on_a_line_by_hand():
    # pixel 0 is class 0, pixel 2 class 1: y_0 = 1 - x/2 and y_1 = x/2 fit without a rest
    optimum = least_squares(moments_of(samples([[0], [2]], [0, 1]), 2))
    np.testing.assert_allclose(optimum.parameters, [[-0.5, 0.5], [1.0, 0.0]], atol=1e-12)
    assert optimum.loss == pytest.approx(0.0, abs=1e-12)


def test_three_points_by_hand():
    # x = 0, 1, 2 with classes 0, 1, 0: no slope helps, so y is the share of each class
    optimum = least_squares(moments_of(samples([[0], [1], [2]], [0, 1, 0]), 2))
    np.testing.assert_allclose(optimum.parameters, [[0, 0], [2 / 3, 1 / 3]], atol=1e-12)
    # each class: (2 (1/3)^2 + (2/3)^2) / 3 = 2/9, and there are two
    assert optimum.loss == pytest.approx(4 / 9)


def test_a_ridge_by_hand():
    # x = -+1 after the map, y = -+1/2 around the mean: (2 + ridge) w = 1
    pixels = PixelMap(scale=2.0, shift=-1.0)
    optimum = least_squares(moments_of(samples([[0], [1]], [0, 1], pixels), 2), ridge=2.0)
    np.testing.assert_allclose(optimum.parameters, [[-0.25, 0.25], [0.5, 0.5]], atol=1e-12)
    assert optimum.loss == pytest.approx(2 * 0.25**2)
    assert optimum.objective == pytest.approx(optimum.loss + 1.0 * 2 * 0.25**2)


@pytest.mark.parametrize("ridge", [0.0, 1e-3, 10.0])
@pytest.mark.parametrize("scaled", ["one factor", "a factor a pixel"])
def test_it_agrees_with_lstsq_on_the_same_equations(ridge, scaled):
    generator = np.random.default_rng(1)
    maps = {
        "one factor": PixelMap(),
        "a factor a pixel": PixelMap(generator.uniform(0.001, 0.01, 12), generator.normal(size=12)),
    }
    rows = random_samples(features=FeatureMap(maps[scaled]))
    x, targets = features_of(rows), np.eye(4)[rows.labels]
    # the penalty as further rows: ridge/2 w^2 = N^-1 (sqrt(N ridge / 2) w - 0)^2
    N = len(x)
    extra = np.sqrt(N * ridge / 2) * np.eye(13)[:-1]
    expected = np.linalg.lstsq(
        np.concatenate([x, extra]), np.concatenate([targets, np.zeros((12, 4))]), rcond=None
    )[0]
    optimum = least_squares(moments_of(rows, 4), ridge)
    np.testing.assert_allclose(optimum.parameters, expected, rtol=1e-8, atol=1e-10)
    assert optimum.loss == pytest.approx(np.square(x @ expected - targets).sum(axis=1).mean())


def test_data_that_lacks_directions_gets_the_smallest_parameters():
    rows = random_samples(N=200)
    images = np.concatenate([rows.rows, rows.rows[:, :3], np.zeros((200, 2), np.uint8)], axis=1)
    poor = Samples(images, rows.labels)
    expected = np.linalg.lstsq(features_of(poor), np.eye(4)[rows.labels], rcond=None)[0]
    optimum = least_squares(moments_of(poor, 4))
    np.testing.assert_allclose(optimum.parameters, expected, rtol=1e-7, atol=1e-9)
    whole = least_squares(moments_of(rows, 4))
    assert optimum.loss == pytest.approx(whole.loss, rel=1e-12)


def test_a_pixel_that_is_hardly_ever_lit_is_used_all_the_same():
    # one pixel that is lit once, in an image that the others do not tell apart: its variance
    # is far below the largest eigenvalue's rounding, and yet it takes that image's error away
    rows = random_samples()
    images = np.concatenate([rows.rows, np.zeros((200, 2), np.uint8)], axis=1)
    images[17, 12] = 1
    pixels = PixelMap(np.concatenate([np.full(12, 1 / 255), [1e-7, 1 / 255]]), np.zeros(14))
    poor = Samples(images, rows.labels, FeatureMap(pixels))
    x, targets = features_of(poor), np.eye(4)[poor.labels]
    expected, _, rank, _ = np.linalg.lstsq(x, targets, rcond=None)
    assert rank == 14
    optimum = least_squares(moments_of(poor, 4))
    best = np.square(x @ expected - targets).sum(axis=1).mean()
    assert optimum.loss == pytest.approx(best, rel=1e-9)
    accuracy = 1e-9 * np.abs(expected).max()
    np.testing.assert_allclose(optimum.parameters, expected, rtol=1e-6, atol=accuracy)


def test_fewer_samples_than_features_are_fitted_without_a_rest():
    optimum = least_squares(moments_of(random_samples(N=6), 4))
    assert optimum.loss == pytest.approx(0.0, abs=1e-10)


def test_all_black_images_leave_the_shares_of_the_classes():
    black = Samples(np.zeros((10, 5), np.uint8), np.array([0] * 7 + [1] * 3))
    optimum = least_squares(moments_of(black, 2))
    np.testing.assert_allclose(optimum.parameters[-1], [0.7, 0.3])
    assert not optimum.parameters[:-1].any()


def test_on_real_digits_it_is_lower_than_any_descent_and_equals_lstsq():
    dataset = load("mnist-mini", validation=1000)
    rows = dataset.train
    optimum = least_squares(moments_of(rows, 10))
    x, targets = features_of(rows), np.eye(10)[rows.labels]
    expected = np.linalg.lstsq(x, targets, rcond=None)[0]
    best = np.square(x @ expected - targets).sum(axis=1).mean()
    assert optimum.loss == pytest.approx(best, rel=1e-9)
    at = np.square(x @ optimum.parameters - targets).sum(axis=1).mean()
    assert at == pytest.approx(optimum.loss, rel=1e-9)
