"""Parallel coordinates: a line for each trial, of any number and any values."""

import numpy as np
import pytest
from matplotlib.collections import LineCollection

from mnistlab.plots import style, words
from tests.plots.sweep_figures import (
    EXTREMES,
    HOSTILE,
    NAN,
    assert_inside,
    drawn,
    lines,
    texts_of,
)


def polylines(figure):
    """Return the lines of completed trials and of diverged ones."""
    dashed, solid = figure.axes[0].findobj(LineCollection)[:2]
    return [np.array(segment) for segment in solid.get_segments()], dashed.get_segments()


def test_each_trial_is_a_line_through_its_values():
    figure = lines([[0.01, 0.1, 1], ["a", "b", "a"]], [8, 12, NAN], best=0)
    solid, dashed = polylines(figure)
    assert len(solid) == 2
    assert len(dashed) == 2  # from axis to axis
    worst, best = solid
    assert best[2, 1] < worst[2, 1]
    assert best[1, 1] > worst[1, 1]  # names from the top
    np.testing.assert_array_equal(drawn(figure.axes[0])["best"].get_xydata(), best)
    texts = texts_of(figure)
    assert {"p0", "p1", "0.01", "0.1", "1", "a", "b", "diverged"} <= set(texts)
    heights = [best[0, 1], worst[0, 1], dashed[0][0][1]]
    assert heights[2] - heights[1] == pytest.approx(heights[1] - heights[0])  # logarithmic


def test_numbers_of_less_than_a_decade_lie_at_their_values():
    best, middle, worst = polylines(lines([[5, 4, 1]], [10, 9, 8]))[0][::-1]
    first, second, third = best[0, 1], middle[0, 1], worst[0, 1]
    assert (third - first) == pytest.approx(4 / 3 * (second - first))


def test_the_lower_the_error_the_darker_and_the_further_in_front():
    generator = np.random.default_rng(0)
    errors = generator.uniform(8, 15, 30)
    figure = lines([generator.random(30)], errors)
    _, solid = figure.axes[0].findobj(LineCollection)[:2]
    brightness = solid.get_colors()[:, :3].sum(axis=1)
    assert (np.diff(brightness) <= 0).all()
    heights = [segment[-1][1] for segment in solid.get_segments()]
    assert (np.diff(heights) <= 0).all()


def test_lines_through_one_value_lie_side_by_side_by_their_errors():
    columns = [[1, 1, 1, 2, 2, 2], ["a", "b", "c"] * 2]
    figure = lines(columns, [8, 9, 10, 11, 12, NAN])
    solid, dashed = polylines(figure)
    best_first = solid[::-1]
    heights = np.array([segment[0, 1] for segment in best_first])
    assert (np.diff(heights) > 0).all()
    assert dashed[0][0][1] > heights[-1]
    bundle, gap = heights[2] - heights[0], heights[3] - heights[2]
    assert 0.05 < bundle < gap
    alone = polylines(lines([[1, 2, 3]], [8, 9, 10]))[0]
    assert alone[1][0, 1] == pytest.approx((alone[0][0, 1] + alone[2][0, 1]) / 2)


def test_colours_tell_clustered_errors_apart():
    errors = [*np.linspace(8, 8.1, 10), *np.linspace(15, 15.1, 10)]
    _, solid = lines([range(20)], errors).axes[0].findobj(LineCollection)[:2]
    steps = -np.diff(solid.get_colors()[:, :3].sum(axis=1))
    assert steps.min() > 0.02


def test_zero_and_decades_are_evenly_spaced():
    heights = [s[0, 1] for s in polylines(lines([[0, 0.001, 0.1]], [8, 9, 10]))[0]][::-1]
    assert heights[2] - heights[1] == pytest.approx(heights[1] - heights[0])
    assert heights[2] > heights[1]


@pytest.mark.parametrize("T", [1, 2, 64, 1000])
@pytest.mark.parametrize("names", [1, 3, 8, 12])
def test_any_number_of_trials_and_parameters_fits(T, names):
    generator = np.random.default_rng(0)
    columns = [
        generator.choice(["gradient_descent", "adam"], T).tolist()
        if name % 3 == 2
        else (10 ** generator.uniform(-4, 0, T)).tolist()
        for name in range(names)
    ]
    errors = np.where(generator.random(T) < 0.1, NAN, generator.uniform(8, 20, T))
    figure = lines(columns, errors, [f"parameter_{n}" for n in range(names)], best=0)
    assert_inside(figure)
    assert any("first 8 of 12" in text for text in texts_of(figure)) == (names == 12)
    heads = [text for text in texts_of(figure) if text.startswith("parameter ")]
    assert len(heads) == min(names, 8)


def test_names_above_the_axes_do_not_overlap():
    figure = lines([[1, 2]] * 8, [8, 9], ["schedule.final_rate" * (n % 2 + 1) for n in range(8)])
    heads = figure.axes[0].findobj(words.Words)[-1]
    boxes = [
        words.Words([text], np.array([anchor]), size=style.SMALL).get_path().get_extents()
        for text, anchor in zip(heads.strings, heads.positions, strict=True)
    ]
    assert len(boxes) == 9
    for one in range(9):
        assert not any(boxes[one].overlaps(boxes[other]) for other in range(one))


@pytest.mark.parametrize("value", [NAN, np.inf, 0.0, -1.0, *EXTREMES])
def test_any_values_can_be_joined(value):
    assert_inside(lines([[value]], [value], best=0))
    assert_inside(lines([[value, 1.0], [None, True]], [value, 1.0], best=1))
    assert_inside(lines([EXTREMES, HOSTILE[:4]], [value] * 4, HOSTILE[:2], best=3))


def test_coordinates_without_trials_without_parameters_and_with_hostile_names():
    assert any("No trial" in text for text in texts_of(lines([[]], [])))
    assert_inside(lines([], [8, 9], best=0))
    assert_inside(lines([HOSTILE] * 8, range(10), HOSTILE[:8], best=0, error_name="$" * 200))
    many = [f"name {k}" for k in range(300)]
    assert_inside(lines([many, many[::-1]], range(300), best=0))
