"""Maps, parallel coordinates and curves of a sweep, of any trials, values and names."""

import itertools

import numpy as np
import pytest
from matplotlib.collections import LineCollection, PatchCollection

from mnistlab.plots import panel_key
from tests.plots.figures import (
    EXTREMES,
    HOSTILE,
    NAN,
    ODD,
    assert_inside,
    curves,
    drawn,
    heat,
    lines,
    maps,
    pixels,
    png,
    says,
    short_texts,
    sweep,
    texts_of,
    tick_labels,
)

# Maps


def cells(figure, X, Y):
    """Return what is written in each cell, the top row first."""
    axes = figure.axes[0]
    found = np.full((Y, X), "", dtype=object)
    for text in short_texts(axes):
        column, row = text.get_position()
        found[int(row), int(column)] = text.get_text()
    return found[::-1] if axes.get_ylim()[0] < axes.get_ylim()[1] else found


def colors_of(figure, shape):
    """Return the colours of the cells, the first row first."""
    figure.draw_without_rendering()
    mesh = figure.axes[0].collections[0]
    return mesh.to_rgba(mesh.get_array()).reshape(*shape, 4)[..., :3]


def marked(figure, **look):
    """Return the middles of the marked cells, as (column, row), and their widths."""
    figure.draw_without_rendering()
    found = [one for one in figure.axes[0].collections if isinstance(one, PatchCollection)]
    chosen = [one for one in found if all(getattr(one, f"get_{k}")() == v for k, v in look.items())]
    boxes = [path.get_extents() for one in chosen for path in one.get_paths()]
    return [(box.x0 + box.width / 2, box.y0 + box.height / 2, box.width) for box in boxes]


def test_rows_of_numbers_rise_and_rows_of_names_are_read_from_the_top():
    errors = [[8, 9], [10, 11], [12, 13]]
    written = [["8.00", "9.00"], ["10.0", "11.0"], ["12.0", "13.0"]]
    assert cells(heat(errors, y=["a", "b", "c"]), 2, 3).tolist() == written
    assert cells(heat(errors, y=[1, 2, 3]), 2, 3).tolist() == written[::-1]


def test_the_outline_is_around_the_best():
    for y in (["a", "b", "c"], [1, 2, 3]):
        figure = heat([[9, 9], [9, 8], [9, 9]], y=y, best=(1, 1))
        assert marked(figure) == [pytest.approx((1, 1, 1))]
        assert says(figure, "the best, 8.00 %")


def test_low_is_dark_missing_is_white_and_diverged_is_said():
    figure = heat([[8, 12], [NAN, NAN]], [[False, False], [True, False]], y=["a", "b"])
    assert cells(figure, 2, 2).tolist() == [["8.00", "12.0"], ["div.", ""]]
    colors = colors_of(figure, (2, 2))
    assert colors[0, 0].sum() < colors[0, 1].sum()
    assert says(figure, "Hatched: diverged. White: not tried.")
    inked = pixels(figure)
    left, bottom, right, top = figure.axes[0].bbox.extents.astype(int)
    row, middle = len(inked) - (3 * bottom + top) // 4, (left + right) // 2
    assert (inked[row - 20 : row + 20, middle + 4 : right - 4] == 255).all()
    hatched = inked[row - 20 : row + 20, left + 4 : middle - 4]
    assert len(np.unique(hatched.reshape(-1, 3), axis=0)) > 5


def test_cells_of_trials_stopped_early_are_hollow():
    stopped = [[False, True], [True, False]]
    figure = heat([[8, 9], [NAN, 12]], [[False, False], [True, False]], stopped=stopped)
    (_, hollow) = marked(figure)  # beside the one that diverged
    assert hollow[:2] == pytest.approx((1, 0))
    assert 0.5 < hollow[2] < 1
    assert says(figure, "Hollow: stopped early")
    assert_inside(heat(np.ones((24, 24)), stopped=np.ones((24, 24), bool)))


def test_trials_that_learned_nothing_leave_the_others_their_colours():
    figure = heat([[8, 9, 10, 11, 90, 25]])
    (colors,) = colors_of(figure, (1, 6))
    assert np.all(colors[4] == colors[5])
    assert len(np.unique(colors[:4], axis=0)) == 4
    assert says(heat([[8, 9, 10, 11, 90]]), "Palest: over 20.00 %")


@pytest.mark.parametrize(
    ("X", "Y", "kind"),
    [
        (1, 1, "numbers"),
        (1, 1, "long names"),
        (2, 2, "long names"),
        (64, 64, "numbers"),
        (64, 1, "long names"),
        (1, 64, "numbers"),
        (5, 40, "long names"),
    ],
)
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
    for axis in (figure.axes[0].xaxis, figure.axes[0].yaxis):
        boxes = [label.get_window_extent() for label in tick_labels(axis)]
        assert not any(one.overlaps(other) for one, other in itertools.pairwise(boxes))


@pytest.mark.parametrize("value", ODD)
def test_any_errors_can_be_mapped(value):
    assert_inside(heat([[value, value], [1, 2]], [[True, False], [False] * 2], best=(0, 0)))
    assert_inside(heat([[value]], [[value == value]], best=(0, 0)))  # noqa: PLR0124 - not NaN


def test_a_map_of_extremes_and_hostile_names():
    assert_inside(heat([EXTREMES], x=EXTREMES, best=(0, 0)))
    errors = 8 + np.random.default_rng(0).random((10, 10))
    for at in range(0, len(HOSTILE), 3):
        x_name, y_name, error_name = (HOSTILE * 2)[at : at + 3]
        names = {"x_name": x_name, "y_name": f"{y_name} ", "error_name": error_name}
        assert_inside(heat(errors, x=HOSTILE, y=HOSTILE[::-1], **names))


# Maps side by side


def test_each_value_of_the_third_parameter_has_a_map_of_its_own():
    errors = np.arange(24).reshape(2, 3, 4) + 5
    figure = maps(errors, best=17)
    assert_inside(figure)
    panels = [axes for axes in figure.axes if axes.get_title(loc="left").startswith("epochs")]
    assert [axes.get_title(loc="left") for axes in panels] == ["epochs 1", "epochs 2"]
    for axes, part in zip(panels, errors, strict=True):
        assert np.array_equal(axes.collections[0].get_array(), part)
        assert axes.get_ylim()[0] < axes.get_ylim()[1]  # numbers rise
    assert [text.get_text() for text in panels[0].get_yticklabels()] == ["1", "2", "3"]
    (mark,) = [
        one for one in panels[1].collections
        if isinstance(one, PatchCollection) and one.get_linewidth() == 2.2
    ]  # fmt: skip
    assert mark.get_paths()[0].get_extents().get_points().mean(axis=0).tolist() == [1, 1]
    assert says(figure, "Outlined: the best, 22.00 %")


@pytest.mark.parametrize("panels", [2, 4, 5, 6])
def test_any_number_of_panels_fits(panels):
    figure = maps(np.ones((panels, 3, 4)) + np.arange(4), best=0)
    assert_inside(figure)
    names = [axes.get_title(loc="left") for axes in figure.axes]
    assert sum(name.startswith("epochs") for name in names) == panels


def test_the_panels_are_those_of_the_epochs_or_else_of_what_has_fewest_values():
    def panel(**values):
        view = sweep(values, np.ones(len(next(iter(values.values())))))
        return panel_key(view)

    grid = np.array([*itertools.product(range(2), range(3), range(4))]).T.tolist()
    assert panel(epochs=grid[1], learning_rate=grid[2], momentum=grid[0]) == "epochs"
    assert panel(batch_size=grid[1], learning_rate=grid[2], momentum=grid[0]) == "momentum"
    assert panel(epochs=[1, 2], learning_rate=[1, 2], momentum=[1, 2]) is None  # in step
    drawn_at_random = np.random.default_rng(0).normal(size=(3, 30)).tolist()
    assert panel(a=drawn_at_random[0], b=drawn_at_random[1], c=drawn_at_random[2]) is None
    assert panel(epochs=[1, 2], learning_rate=[1, 2]) is None


# Parallel coordinates


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


def test_trials_that_failed_are_not_said_to_have_diverged():
    errors = [8, NAN, NAN]
    figure = lines([[1, 2, 3]], errors, statuses=["completed", "failed", "failed"])
    assert "failed" in texts_of(figure)
    assert says(figure, "Dashed: failed.")
    figure = lines([[1, 2, 3]], errors, statuses=["completed", "failed", "diverged"])
    assert "diverged or failed" in texts_of(figure)
    grid = {"diverged": [[False, False]], "statuses": ["completed", "failed"]}
    assert says(heat([[8, NAN]], **grid), "White: not tried or failed.")


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


@pytest.mark.parametrize(
    ("T", "names"),
    [(1, 1), (1, 12), (2, 8), (64, 12), (1000, 3)],
)
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
    assert says(figure, "first 8 of 12") == (names == 12)
    heads = [text for text in texts_of(figure) if " ".join(text.split()).startswith("parameter ")]
    assert len(heads) == min(names, 8)


@pytest.mark.parametrize("P", [2, 3, 5, 8])
def test_names_above_the_axes_do_not_overlap(P):
    names = [f"schedule.final_rate{n}" * (n % 2 + 1) for n in range(P)]
    figure = lines([[1, 2]] * P, [8, 9], names)
    assert_inside(figure)
    heads = figure.axes[0].texts
    assert len(heads) == P + 1
    boxes = [text.get_window_extent() for text in heads]
    assert not any(one.overlaps(other) for one, other in itertools.combinations(boxes, 2))


@pytest.mark.parametrize(("at", "value"), [*enumerate(ODD)])
def test_any_values_can_be_joined(at, value):
    if at % 2:
        assert_inside(lines([[value]], [value], best=0))
    else:
        assert_inside(lines([[value, 1.0], [None, True]], [value, 1.0], best=1))
    assert_inside(lines([EXTREMES, HOSTILE[:4]], [value] * 4, HOSTILE[:2], best=3))


def test_coordinates_without_parameters_and_with_hostile_names():
    assert_inside(lines([], [8, 9], best=0))
    assert_inside(lines([HOSTILE] * 8, range(10), HOSTILE[:8], best=0, error_name="$" * 200))
    many = [f"name {k}" for k in range(100)]
    assert_inside(lines([many, many[::-1]], range(100), best=0))


# Learning curves


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
    np.testing.assert_allclose(drawn(right)["best"].get_data(), ([1, 2], [18, 12.34]))
    assert {"best\n0.300", "best\n12.34 %"} <= set(texts_of(figure))
    assert left.get_ylabel() == "validation squared error"
    assert not says(figure, "leave")


def test_a_diverged_trial_ends_at_its_last_finite_value():
    figure = curves([[0.5, 0.4], [0.5, 1.0, np.inf, NAN]], diverged=[False, True], best=0)
    lost, _ = paths(figure.axes[0])
    np.testing.assert_array_equal(lost[0], [[1, 0.5], [2, 1.0]])
    assert says(figure, "1 diverged")


def test_diverging_trials_do_not_flatten_the_others_and_are_counted():
    losses = [[2, 0.4], [2, 0.3], [10, 1e30], [2, 1e300]]
    figure = curves(losses, diverged=[False, False, True, True], best=1)
    low, high = figure.axes[0].get_ylim()
    assert 0.2 < low < 0.3
    assert 2 < high < 4
    assert says(figure, "Curves that leave a panel: 4.")
    png(figure)


def test_a_completed_trial_far_off_does_not_flatten_the_others():
    losses = [[2, 0.4]] * 20 + [[1e6, 1e5]]
    assert curves(losses, best=0).axes[0].get_ylim()[1] < 20
    assert curves(losses, best=20).axes[0].get_ylim()[1] > 1e6


@pytest.mark.parametrize("T", [1, 64, 1000])
def test_any_number_of_curves_fits(T):
    losses = 0.3 + np.random.default_rng(0).random((T, 1)) + np.exp(-np.arange(20.0))
    assert_inside(curves(losses, 20 * losses, diverged=np.arange(T) % 7 == 3, best=0))


@pytest.mark.parametrize(("at", "value"), [*enumerate(ODD)])
def test_any_curves_can_be_drawn(at, value):
    assert_inside(curves([[value]], diverged=[True]))
    assert_inside(curves([[value, 1.0], [0.4, 0.3], []], best=0))
    more = {"diverged": [True, False], "best": 0} if at % 2 else {}
    assert_inside(curves([[value, *EXTREMES], [0.4, 0.3]], **more))


def test_no_curves_and_hostile_names():
    figure = curves([])
    assert "no finite loss\nwas measured" in texts_of(figure)
    png(figure)
    for loss, details in zip(HOSTILE[::2], HOSTILE[1::2], strict=True):
        assert_inside(curves([[0.5, 0.4]], loss=loss, details=details, best=0))


def test_different_losses_share_no_axis():
    figure = curves([[20, 15], [18, 12]], best=1, loss=None)
    (axes,) = figure.axes
    assert axes.get_ylabel() == "validation error rate (%)"
    assert_inside(figure)
    assert axes.get_position().width * 8 > 5


def test_every_seed_is_drawn_and_the_mean_of_the_best_is_told():
    errors = [[20, 15], [20, 16], [18, 12], [18, 12.7]]
    figure = curves(errors, errors, [False] * 2, trials=[0, 0, 1, 1], best=1)
    axes = figure.axes[1]
    blue = [line for line in axes.lines if line.get_label() == "best"]
    assert [line.get_ydata()[-1] for line in blue] == [12, 12.7]
    assert len(paths(axes)[1]) == 2
    assert "mean\n12.35 %" in texts_of(figure)
    assert says(figure, "Blue: the best trial, its 2 runs and the mean of their last values.")
    assert says(figure, "Grey: 1 other completed.")


def test_captions_count_what_is_to_be_seen():
    three = [[0.5, 0.4], [0.6, 0.3], [0.7, 0.6]]
    assert says(curves(three, best=1), "Blue: the best trial. Grey: 2 other completed.")
    assert says(curves(three), "Grey: 3 completed.")
    for lost in ([NAN, NAN], [1e30, NAN]):
        figure = curves([[0.5, 0.4], lost], diverged=[False, True], best=0)
        assert not says(figure, "diverged")
    some = curves([[0.5, 0.4], [0.45, NAN], [NAN]], diverged=[False, True, True], best=0)
    assert says(some, "Pale red: 1 of 2 diverged")


def test_where_every_trial_diverged_its_curve_or_a_statement_is_shown():
    figure = curves([[NAN, NAN], [np.inf]], diverged=[True, True])
    assert "every trial diverged before its first evaluation" in texts_of(figure)
    assert_inside(figure)
    lost, _ = paths(curves([[0.5, 0.9, NAN]], diverged=[True]).axes[0])
    np.testing.assert_array_equal(lost[0], [[1, 0.5], [2, 0.9]])
