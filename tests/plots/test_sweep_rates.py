"""The error by learning rate, or by another parameter, from one trial to a thousand."""

import numpy as np
import pytest
from matplotlib.collections import LineCollection

from tests.plots.figures import (
    EXTREMES,
    HOSTILE,
    NAN,
    assert_inside,
    by,
    drawn,
    heat,
    lines,
    rates,
    says,
    texts_of,
)


def crosses(axes):
    """Return the rates marked as diverged."""
    marked = [line for line in axes.lines if line.get_marker() == "x"]
    return sorted(x for line in marked for x in line.get_xdata())


def dots(axes):
    """Return the errors of the trials that are drawn as dots."""
    marked = [
        line for line in axes.lines if line.get_label()[0] == "_" and line.get_marker() == "o"
    ]
    return [y for line in marked for y in line.get_ydata()]


def test_the_line_joins_the_errors_and_breaks_where_a_trial_diverged():
    axes = rates([0.1, 0.01, 0.05, 0.02], [11, 9, NAN, 8]).axes[0]
    x, y = drawn(axes)["trials"].get_data()
    np.testing.assert_array_equal(x, [0.01, 0.02, 0.05, 0.1])
    np.testing.assert_array_equal(y, [9, 8, NAN, 11])
    assert axes.get_xscale() == "log"
    assert crosses(axes) == [0.05]


def test_of_several_trials_of_a_rate_the_line_joins_the_lowest():
    axes = rates([0.1, 0.1, 0.2, 0.2], [9, 8, NAN, 7]).axes[0]
    np.testing.assert_array_equal(drawn(axes)["trials"].get_ydata(), [8, 7])


def test_a_line_for_each_group_with_its_name_and_its_lowest_error():
    figure = rates([0.1, 0.2] * 3, [9, 8, 11, 12, NAN, NAN], list("aabbcc"), best=1)
    assert_inside(figure)
    assert set(drawn(figure.axes[0])) >= {"group a", "group b", "group c", "best"}
    looks = [line for name, line in drawn(figure.axes[0]).items() if name.startswith("group")]
    assert len({line.get_color() for line in looks}) == 3
    assert len({str(line._dash_pattern) for line in looks}) == 3
    assert {"group a\nlowest 8.00 %", "group b\nlowest 11.00 %", "group c\nall diverged"} <= set(
        texts_of(figure)
    )


def test_of_many_groups_only_the_lower_envelope_is_a_line():
    figure = rates([0.1, 0.2] * 7, [*range(10, 24)], [str(n // 2) for n in range(14)])
    line = drawn(figure.axes[0])["trials"]
    np.testing.assert_array_equal(line.get_data(), ([0.1, 0.2], [10, 11]))
    assert len(dots(figure.axes[0])) == 14
    assert says(figure, "the line joins the lowest errors")


def test_rates_drawn_at_random_are_dots_without_a_line():
    generator = np.random.default_rng(0)
    random = 10 ** generator.uniform(-4, 0, 300)
    errors = 8 + generator.random(300)
    figure = rates(random, errors, [str(n) for n in range(300)], best=int(errors.argmin()))
    assert drawn(figure.axes[0])["trials"].get_linestyle() == "None"
    assert len(dots(figure.axes[0])) == 300
    assert says(figure, "darker where several lie")


def test_a_loss_has_no_unit_and_a_percentage_two_decimals_as_in_the_table():
    values, errors = [0.0096, 0.02], [0.378, 0.4]
    assert "best: 0.378 at 0.0096" in texts_of(rates(values, errors, unit="", best=0))
    assert "best: 12.85 % at 0.0096" in texts_of(rates(values, [12.85, 13], best=0))
    legend = texts_of(rates(values, errors, ["a", "b"], unit=""))
    assert {"group a\nlowest 0.378", "group b\nlowest 0.400"} <= set(legend)
    for unit, told in ((" %", "the best, 12.85 %."), ("", "the best, 12.8.")):
        for draw in (heat, lines):
            best = (0, 0) if draw is heat else 0
            figure = draw([[12.849, 13]], *([[12.849, 13]] * (draw is lines)), best=best, unit=unit)
            assert any(told in text for text in texts_of(figure))


def intervals(axes):
    """Return the ends of the error bars."""
    bars = [one for one in axes.collections if isinstance(one, LineCollection)]
    return [tuple(segment[:, 1]) for one in bars for segment in one.get_segments()]


def test_means_over_seeds_have_intervals():
    halves = np.array([0.5, 1, NAN])
    figure = rates([0.1, 0.2, 0.3], [9, 8, NAN], half_widths=halves, repeats="3 seeds")
    np.testing.assert_allclose(intervals(figure.axes[0]), [(8.5, 9.5), (7, 9)])
    assert figure.axes[0].get_ylim()[0] < 7
    assert says(figure, "Means over 3 seeds with 95 % intervals.")
    assert not says(rates([0.1], [9], repeats="3 seeds"), "interval")
    for huge in (1e3, 1e300):
        figure = rates(
            [0.1, 0.2], [9, 8], half_widths=np.array([huge, 1]), repeats="2 folds", best=1
        )
        assert_inside(figure)
        assert figure.axes[0].get_ylim()[1] < 30


def test_an_error_far_above_the_others_is_a_triangle_at_the_top():
    figure = rates([0.1, 0.2, 0.3, 0.4], [9, 8, 10, 90], best=1)
    axes = figure.axes[0]
    assert axes.get_ylim()[1] < 20
    (triangle,) = [
        line for line in axes.lines if line.get_marker() == "^" and len(line.get_xdata())
    ]
    assert triangle.get_xdata().tolist() == [0.4]
    assert 10 < triangle.get_ydata()[0] < axes.get_ylim()[1]
    assert any("Triangles at the top" in t and "trial 3 (90.00 %)" in t for t in texts_of(figure))
    assert not says(rates([0.1, 0.2], [8, 15]), "Triangle")
    assert_inside(rates([0.1, 0.2, 0.3], [8, 9, 1e300], best=0))


def test_where_every_trial_diverged_there_is_no_axis_of_errors():
    figure = rates([0.1, 0.2], [NAN, NAN], limit=0.05)
    axes = figure.axes[0]
    assert not len(axes.get_yticks())
    assert crosses(axes) == [0.1, 0.2]
    assert {"stability limit 0.05", "Every trial diverged."} <= set(texts_of(figure))
    assert figure.get_figheight() < 3


def test_trials_stopped_early_are_hollow_and_no_line_joins_them():
    stopped = np.array([False, True, False, True])
    figure = rates([0.1, 0.2, 0.3, 0.4], [9, 8.5, 8, 60], stopped=stopped, best=2)
    axes = figure.axes[0]
    np.testing.assert_array_equal(drawn(axes)["trials"].get_data(), ([0.1, 0.3], [9, 8]))
    hollow = [line for line in axes.lines if line.get_markerfacecolor() == "white"]
    assert sorted(x for line in hollow for x in line.get_xdata()) == [0.2, 0.4]
    assert says(figure, "Hollow: stopped early")
    legend = rates([0.1, 0.2, 0.3, 0.4], [9, 7, 8, 9], ["a", "a", "b", "a"], stopped=stopped)
    assert "group a\nlowest 9.00 %" in texts_of(legend)
    assert not says(rates([0.1], [9]), "stopped")


def test_the_error_by_names_is_marks_evenly_spaced():
    steps = [[], ["deskew"], ["deskew", "standardize"]]
    figure = by("data.preprocess", steps, [12, 9, NAN], best=1)
    assert_inside(figure)
    axes = figure.axes[0]
    labels = [text.get_text() for text in axes.get_xticklabels()]
    assert labels == ["[]", "[deskew]", "[deskew, standardize]"]
    assert axes.get_xlabel() == "data.preprocess"
    marks = drawn(axes)["trials"]
    assert marks.get_linestyle() == "None"
    np.testing.assert_array_equal(marks.get_xdata(), [0, 1, 2])
    assert "best: 9.00 % at [deskew]" in texts_of(figure)
    assert crosses(axes) == [2]
    assert not axes.patches


def test_the_error_by_a_number_has_an_axis_that_shows_it():
    axes = by("batch_size", [100, 50, 25, 400], [9, 8, 7, 10]).axes[0]
    assert axes.get_xscale() == "log"
    assert axes.get_xlabel() == "batch size"
    assert [text.get_text() for text in axes.get_xticklabels()] == ["25", "50", "100", "400"]
    np.testing.assert_array_equal(drawn(axes)["trials"].get_xdata(), [25, 50, 100, 400])
    assert by("epochs", [1, 2, 3], [9, 8, 7]).axes[0].get_xscale() == "linear"
    decays = by("weight_decay", [0.1, 0.0, 1e-4], [9, 8, 7]).axes[0]
    assert [text.get_text() for text in decays.get_xticklabels()] == ["0", "0.0001", "0.1"]
    np.testing.assert_array_equal(drawn(decays)["trials"].get_data(), ([0, 1, 2], [8, 7, 9]))


@pytest.mark.parametrize(
    "values", [HOSTILE, [None, 5], [True, False], [[], [1e-300]], [NAN, "a"], range(120), [1, "1"]]
)
def test_the_error_by_anything_can_be_drawn(values):
    names = [f"a long name {value}" for value in values]
    for chosen in (list(values), names):
        assert_inside(by("a_name" * 50, chosen, range(1, len(chosen) + 1), best=1))


def test_numbers_in_labels_have_one_style_and_names_no_underscore():
    figure = rates([0.0002, 0.0005, 0.002, 0.01], [9, 8, 7, 8], best=1)
    assert not any("·10" in text or "10⁻" in text for text in texts_of(figure))
    figures = (
        heat([[8, 9]], x=["squared_error", "b_c"], error_name="a_b"),
        lines([[1, 2], ["x_y", "z"]], [8, 9], ["learning_rate", "loss"], error_name="a_b"),
        rates([0.1, 0.2], [8, 9], ["batch_size 1", "b"], error_name="a_b", x_name="learning_rate"),
    )
    for figure in figures:
        assert not says(figure, "_")


@pytest.mark.parametrize(
    ("errors", "edge"), [([9, 8, NAN, NAN], 0.3), ([9, NAN, 8, NAN], 0.4), ([9, NAN, 8, 7], None)]
)
def test_the_panel_is_shaded_from_where_every_rate_diverged(errors, edge):
    figure = rates([0.1, 0.2, 0.3, 0.4], errors)
    patches = figure.axes[0].patches
    assert len(patches) == (edge is not None)
    if edge is not None:
        assert patches[0].get_x() == edge
        assert patches[0].get_x() + patches[0].get_width() == figure.axes[0].get_xlim()[1]
    assert ("diverged" in texts_of(figure)) == (edge is not None)
    assert says(figure, "cross") == (edge is None)


def test_the_best_and_the_limit_are_written_out_apart_from_each_other():
    figure = rates([0.01, 0.02, 0.05], [9, 8.124, NAN], limit=0.02545, best=1)
    assert {"stability limit 0.0254", "best: 8.12 % at 0.02"} <= set(texts_of(figure))
    axes = figure.axes[0]
    np.testing.assert_array_equal(drawn(axes)["best"].get_data(), ([0.02], [8.124]))
    figure.draw_without_rendering()
    box = next(text for text in axes.texts if "best" in text.get_text()).get_window_extent()
    assert box.x1 < axes.transData.transform((0.02545, 8))[0]
    assert box.y0 > axes.bbox.y0


def test_a_limit_far_outside_is_said_and_not_drawn():
    figure = rates([0.01, 0.02], [9, 8], limit=1e9)
    assert figure.axes[0].get_xlim()[1] < 0.1
    assert says(figure, "limit 10⁹ lies outside")


def test_errors_beyond_a_decade_have_a_logarithmic_axis():
    assert rates([0.1, 0.2], [8, 9]).axes[0].get_yscale() == "linear"
    assert rates([0.1, 0.2], [8, 90]).axes[0].get_yscale() == "log"


ANY = [
    ([], []),
    ([0.1], [8]),
    ([0.1], [NAN]),
    ([NAN], [8]),
    ([0.0, 0.1], [8, 9]),
    ([-1, 1], [0, 0]),
    ([0.1, 0.1], [8, np.inf]),
    (EXTREMES, EXTREMES),
    (EXTREMES, EXTREMES[::-1]),
    ([1e300, 2e300], [1e300, 1.1e300]),
    ([1e-300, 2e-300], [1e-300, 2e-300]),
]


@pytest.mark.parametrize(("at", "values", "errors"), [(at, *one) for at, one in enumerate(ANY)])
def test_any_rates_can_be_drawn(at, values, errors):
    """Each with a limit in the midst or with none, and with one of three that make no sense."""
    for limit, best in (((None, 0), (0.03, None))[at % 2], ((NAN, 1e300, -1)[at % 3], 0)):
        assert_inside(rates(values, errors, limit=limit, best=best if values else None))


def test_any_names_of_groups_fit():
    for names in (HOSTILE[:5], HOSTILE[5:], HOSTILE):
        figure = rates([0.1] * len(names), range(1, 1 + len(names)), names, error_name="E$" * 100)
        assert_inside(figure)
