"""The map of errors over two parameters, of any shape and any errors."""

import io

import numpy as np
import pytest
from matplotlib.patches import Rectangle
from PIL import Image

from mnistlab.plots import style, words
from mnistlab.plots.sweep_colors import ErrorColors
from tests.plots.sweep_figures import (
    EXTREMES,
    HOSTILE,
    NAN,
    assert_inside,
    heat,
    png,
    texts_of,
)


def cells(figure, X, Y):
    """Return what is written in each cell, the top row first."""
    axes = figure.axes[0]
    left, right, bottom, top = axes.images[0].get_extent()
    found = np.full((Y, X), "", dtype=object)
    for artist in axes.findobj(words.Words):
        for text, (x, y) in zip(artist.strings, artist.positions, strict=True):
            if left < x < right and bottom < y < top:
                column, row = (x - left) / (right - left) * X, (top - y) / (top - bottom) * Y
                found[int(row), int(column)] = text
    return found


def test_rows_of_numbers_rise_and_rows_of_names_are_read_from_the_top():
    errors = [[8, 9], [10, 11], [12, 13]]
    written = [["8.00", "9.00"], ["10.0", "11.0"], ["12.0", "13.0"]]
    assert cells(heat(errors, y=["a", "b", "c"]), 2, 3).tolist() == written
    assert cells(heat(errors, y=[1, 2, 3]), 2, 3).tolist() == written[::-1]


def test_the_outline_is_around_the_best():
    for y in (["a", "b", "c"], [1, 2, 3]):
        figure = heat([[9, 9], [9, 8], [9, 9]], y=y, best=(1, 1))
        axes = figure.axes[0]
        left, right, bottom, top = axes.images[0].get_extent()
        frame = [patch for patch in axes.patches if isinstance(patch, Rectangle)][-1]
        assert frame.get_x() == pytest.approx((left + right) / 2)
        assert frame.get_y() == pytest.approx(bottom + (top - bottom) / 3)
        assert any("the best, 8.00 %" in text for text in texts_of(figure))


def test_low_is_dark_missing_is_white_and_diverged_is_said():
    figure = heat([[8, 12], [NAN, NAN]], [[False, False], [True, False]], y=["a", "b"])
    assert cells(figure, 2, 2).tolist() == [["8.00", "12.0"], ["div.", ""]]
    colors = np.asarray(figure.axes[0].images[0].get_array(), dtype=float)[..., :3]
    assert colors[0, 0].sum() < colors[0, 1].sum() < colors[1, 1].sum() == 3
    assert any("Hatched: diverged. White: not tried." in text for text in texts_of(figure))
    drawn = np.asarray(Image.open(io.BytesIO(png(figure))).convert("RGB"), dtype=float)
    left, right, bottom, top = np.array(figure.axes[0].images[0].get_extent()) * style.DPI
    height = len(drawn)
    cell = drawn[int(height - (bottom + top) / 2) + 4 : int(height - bottom) - 4]
    missing = cell[:, int((left + right) / 2) + 4 : int(right) - 4]
    hatched = cell[:, int(left) + 4 : int((left + right) / 2) - 4]
    assert (missing == 255).all()
    assert len(np.unique(hatched.reshape(-1, 3), axis=0)) > 5


def test_cells_of_trials_stopped_early_are_hollow():
    stopped = [[False, True], [True, False]]
    figure = heat(
        [[8, 9], [NAN, 12]], [[False, False], [True, False]], stopped=stopped, best=(0, 0)
    )
    axes = figure.axes[0]
    left, right, bottom, top = axes.images[0].get_extent()
    (centre, *_) = [one for one in axes.patches if one.get_facecolor() == (1, 1, 1, 1)]
    hollow = centre.get_path().get_extents()
    assert (left + right) / 2 < hollow.x0 < hollow.x1 < right
    assert bottom < hollow.y0 < hollow.y1 < (bottom + top) / 2  # numbers rise
    assert any("Hollow: stopped early" in text for text in texts_of(figure))
    assert_inside(heat(np.ones((64, 64)), stopped=np.ones((64, 64), bool)))


def test_trials_that_learned_nothing_leave_the_others_their_colours():
    colors = ErrorColors.of(np.array([8.0, 9, 10, 11, 90]))
    assert colors.scale.high == pytest.approx(20)
    assert colors.beyond(np.array([8.0, 90])) == 1
    assert np.all(colors(90) == colors(20))
    assert any("Palest: over 20.00 %" in text for text in texts_of(heat([[8, 9, 10, 11, 90]])))


@pytest.mark.parametrize(("X", "Y"), [(1, 1), (2, 2), (64, 64), (64, 1), (1, 64), (64, 3), (5, 40)])
@pytest.mark.parametrize("kind", ["numbers", "long names"])
def test_a_map_of_any_shape_fits_with_labels_apart(X, Y, kind):
    values = [
        np.geomspace(1e-4, 1, n).tolist()
        if kind == "numbers"
        else [f"a rather long name of the kind {k}" for k in range(n)]
        for n in (X, Y)
    ]
    errors = 8 + np.random.default_rng(0).random((Y, X))
    figure = heat(errors, x=values[0], y=values[1], best=(Y - 1, 0))
    assert_inside(figure)
    left, _, bottom, _ = figure.axes[0].images[0].get_extent()
    for artist in figure.axes[0].findobj(words.Words):
        outside = (artist.positions < (left, bottom)).any(axis=1)
        if outside.all() and len(artist.strings) > 1:
            distances = np.abs(np.diff(artist.positions, axis=0)).max(axis=1)
            assert (distances > 0.13).all()


@pytest.mark.parametrize("value", [NAN, np.inf, 0.0, -1.0, *EXTREMES])
def test_any_errors_can_be_mapped(value):
    for diverged in (True, False):
        assert_inside(heat([[value, value], [1, 2]], [[diverged] * 2, [False] * 2], best=(0, 0)))
        assert_inside(heat([[value]], [[diverged]], best=(0, 0)))


def test_a_map_of_extremes_hostile_names_and_nothing():
    assert_inside(heat([EXTREMES], x=EXTREMES, best=(0, 0)))
    errors = 8 + np.random.default_rng(0).random((10, 10))
    for name in HOSTILE:
        assert_inside(
            heat(errors, x=HOSTILE, y=HOSTILE[::-1], x_name=name, y_name=name, error_name=name)
        )
    assert any("No trial" in text for text in texts_of(heat(np.empty((0, 0)))))
