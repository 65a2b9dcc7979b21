"""The learning curves of all trials in one figure, diverged and stopped ones among them."""

import numpy as np
import pytest
from matplotlib.collections import LineCollection

from mnistlab.plots import style
from mnistlab.plots.sweep_curves import all_learning_curves
from tests.plots.sweep_figures import (
    EXTREMES,
    HOSTILE,
    NAN,
    assert_inside,
    curves,
    drawn,
    png,
    texts_of,
)


def paths(axes):
    """Return the diverged curves and the others that are not the best."""
    return [collection.get_segments() for collection in axes.findobj(LineCollection)]


def test_every_curve_is_drawn_and_the_best_is_named():
    figure = curves(
        [[0.5, 0.4], [0.6, 0.3], [0.7, 0.6, 0.5]], [[20, 15], [18, 12.34], [30] * 3], best=1
    )
    left, right = figure.axes
    lost, others = paths(left)
    assert not lost
    np.testing.assert_array_equal(others[0], [[1, 0.5], [2, 0.4]])
    np.testing.assert_array_equal(others[1], [[1, 0.7], [2, 0.6], [3, 0.5]])
    np.testing.assert_array_equal(drawn(left)["best"].get_data(), ([1, 2], [0.6, 0.3]))
    np.testing.assert_array_equal(drawn(right)["best"].get_data(), ([1, 2], [18, 12.34]))
    assert {"best\n0.300", "best\n12.34 %"} <= set(texts_of(figure))
    assert left.get_ylabel() == "validation squared error"
    assert not any("leave" in text for text in texts_of(figure))


def test_a_diverged_trial_ends_at_its_last_finite_value():
    figure = curves([[0.5, 0.4], [0.5, 1.0, np.inf, NAN]], diverged=[False, True], best=0)
    lost, _ = paths(figure.axes[0])
    np.testing.assert_array_equal(lost[0], [[1, 0.5], [2, 1.0]])
    assert any("1 diverged" in text for text in texts_of(figure))


def test_diverging_trials_do_not_flatten_the_others_and_are_counted():
    losses = [[2, 0.4], [2, 0.3], [10, 1e30], [2, 1e300]]
    figure = curves(losses, diverged=[False, False, True, True], best=1)
    low, high = figure.axes[0].get_ylim()
    assert 0.2 < low < 0.3
    assert 2 < high < 4
    assert any("leave a panel: 2 on the left, 2 on the right" in t for t in texts_of(figure))
    png(figure)


def test_a_completed_trial_far_off_does_not_flatten_the_others():
    losses = [[2, 0.4]] * 20 + [[1e6, 1e5]]
    assert curves(losses, best=0).axes[0].get_ylim()[1] < 20
    assert curves(losses, best=20).axes[0].get_ylim()[1] > 1e6


@pytest.mark.parametrize("T", [1, 64, 1000])
def test_any_number_of_curves_fits(T):
    losses = 0.3 + np.random.default_rng(0).random((T, 1)) + np.exp(-np.arange(20.0))
    assert_inside(curves(losses, 20 * losses, diverged=np.arange(T) % 7 == 3, best=0))


@pytest.mark.parametrize("value", [NAN, np.inf, 0.0, -1.0, *EXTREMES])
def test_any_curves_can_be_drawn(value):
    for diverged in (True, False):
        for best in (None, 0):
            assert_inside(curves([[value]], diverged=[diverged], best=best))
            assert_inside(
                curves([[value, 1.0], [0.4, 0.3], []], diverged=[diverged] * 3, best=best)
            )
            mixed = [[value, *EXTREMES], [0.4, 0.3]]
            assert_inside(curves(mixed, diverged=[diverged, False], best=best))


def test_no_curves_and_hostile_names():
    figure = curves([])
    assert "no finite loss\nwas measured" in texts_of(figure)
    png(figure)
    for name in HOSTILE:
        assert_inside(curves([[0.5, 0.4]], loss_name=name, details=name, best=0))


def test_different_losses_share_no_axis():
    values = [np.array([20.0, 15]), np.array([18, 12.0])]
    figure = all_learning_curves(
        [np.arange(1, 3)] * 2, None, values, best=1, diverged=[False, False], loss_name=None,
        title="sweep",
    )  # fmt: skip
    (axes,) = figure.axes
    assert axes.get_ylabel() == "validation error rate (%)"
    assert axes.get_position().width * style.WIDTH > 5
    assert_inside(figure)


def test_every_seed_is_drawn_and_the_mean_of_the_best_is_told():
    errors = [[20, 15], [20, 16], [18, 12], [18, 12.7]]
    figure = curves(errors, errors, [False] * 2, trials=[0, 0, 1, 1], best=1)
    axes = figure.axes[1]
    blue = [line for line in axes.lines if line.get_label() == "best"]
    assert [line.get_ydata()[-1] for line in blue] == [12, 12.7]
    assert len(paths(axes)[1]) == 2
    assert "mean\n12.35 %" in texts_of(figure)
    said = "1 other completed trial in grey, the best in blue (its 2 runs and the mean"
    assert any(said in text for text in texts_of(figure))


def test_captions_count_what_is_to_be_seen():
    three = [[0.5, 0.4], [0.6, 0.3], [0.7, 0.6]]
    assert "2 other completed trials in grey, the best in blue." in texts_of(curves(three, best=1))
    assert "3 completed trials in grey." in texts_of(curves(three))
    assert "The only trial in blue." in texts_of(curves([[0.5, 0.4]], best=0))
    for lost in ([NAN, NAN], [1e30, NAN]):
        figure = curves([[0.5, 0.4], lost], diverged=[False, True], best=0)
        assert not any("diverged" in text for text in texts_of(figure))
    some = curves([[0.5, 0.4], [0.45, NAN], [NAN]], diverged=[False, True, True], best=0)
    assert any("1 of 2 diverged trials in pale red" in text for text in texts_of(some))


def test_where_every_trial_diverged_its_curve_or_a_statement_is_shown():
    figure = curves([[NAN, NAN], [np.inf]], diverged=[True, True])
    assert "every trial diverged before its first evaluation" in texts_of(figure)
    assert_inside(figure)
    lost, _ = paths(curves([[0.5, 0.9, NAN]], diverged=[True]).axes[0])
    np.testing.assert_array_equal(lost[0], [[1, 0.5], [2, 0.9]])
