"""The figures of a sweep show its trials as they were, from one to a thousand of any values."""

import io
import subprocess
import sys

import matplotlib
import numpy as np
import pytest
from matplotlib.collections import LineCollection
from matplotlib.patches import Rectangle
from matplotlib.text import Text
from PIL import Image

from mnistlab.plots import page, style, words
from mnistlab.plots.axes import Scale, label, numeric
from mnistlab.plots.sweep_colors import ErrorColors
from mnistlab.plots.sweep_coordinates import parallel_coordinates
from mnistlab.plots.sweep_curves import all_learning_curves
from mnistlab.plots.sweep_labels import tell_values
from mnistlab.plots.sweep_map import error_map
from mnistlab.plots.sweep_rates import error_by_rate

NAN = np.nan
HOSTILE = ["$x^2$", "a$b", "two\nlines", "日本", "\x00", "", "W" * 200, "🙂", "{}", "%"]
EXTREMES = [1e-300, 1e-5, 1.0, 1e300]
TITLES = ["$x^2$ and a$b", "W" * 300, "a\nb 日本\x07"]


def png(figure):
    file = io.BytesIO()
    page.save(figure, file)
    return file.getvalue()


def texts_of(figure):
    """All texts of a figure."""
    artists = [text for artist in figure.findobj(words.Words) for text in artist.strings]
    return [*artists, *(text.get_text() for text in figure.findobj(Text))]


def assert_inside(figure):
    """Every text lies on the page, and none is parsed."""
    with matplotlib.rc_context(
        style.SETTINGS
    ):  # as in `page.save`: ticks are made when they are drawn
        figure.draw_without_rendering()
    size = figure.get_size_inches()
    for artist in figure.findobj(words.Words):
        inked = artist.get_path().vertices
        assert (inked >= -0.01).all()
        assert (inked <= size + 0.01).all()
    for text in figure.findobj(Text):
        if text.get_text() and text.get_visible():
            assert not text.get_parse_math()
            box = text.get_window_extent()
            assert box.x0 >= 0
            assert box.y0 >= 0
            assert box.x1 <= figure.bbox.width
            assert box.y1 <= figure.bbox.height
    png(figure)


def rates(values, errors, groups=None, **more):
    settings = {"limit": None, "best": None, "title": "sweep"} | more
    groups = [""] * len(values) if groups is None else groups
    return error_by_rate(np.array(values), np.array(errors, dtype=float), groups, **settings)


def heat(errors, diverged=None, x=None, y=None, **more):
    errors = np.array(errors, dtype=float)
    Y, X = errors.shape
    settings = {"x_name": "learning_rate", "y_name": "batch_size", "best": None, "title": "sweep"}
    return error_map(
        list(range(X)) if x is None else x,
        list(range(Y)) if y is None else y,
        errors,
        np.zeros((Y, X), dtype=bool) if diverged is None else np.array(diverged),
        **settings | {"details": "softmax"} | more,
    )


def lines(columns, errors, names=None, **more):
    settings = {"best": None, "title": "sweep"} | more
    names = [f"p{n}" for n in range(len(columns))] if names is None else names
    return parallel_coordinates(names, columns, np.array(errors, dtype=float), **settings)


def curves(losses, errors=None, diverged=None, **more):
    settings = {"best": None, "loss_name": "squared_error", "title": "sweep"} | more
    losses = [np.array(loss, dtype=float) for loss in losses]
    errors = losses if errors is None else [np.array(error, dtype=float) for error in errors]
    return all_learning_curves(
        [np.arange(1, len(loss) + 1) for loss in losses],
        losses,
        errors,
        diverged=np.zeros(len(losses), dtype=bool) if diverged is None else np.array(diverged),
        **settings,
    )


FIGURES = {
    "rates": lambda title="t": rates(
        [0.01, 0.02, 0.05], [9, 8, NAN], limit=0.0254, best=1, title=title
    ),
    "map": lambda title="t": heat(
        [[9, 8], [NAN, 12]], [[False, False], [True, False]], best=(0, 1), title=title
    ),
    "coordinates": lambda title="t": lines(
        [[0.1, 0.2, 1], ["a", "b", "a"]], [9, 8, NAN], best=1, title=title
    ),
    "curves": lambda title="t": curves(
        [[0.5, 0.4], [0.6, 0.3], [1, np.inf]], diverged=[False, False, True], best=1, title=title
    ),
}
every_figure = pytest.mark.parametrize("draw", FIGURES.values(), ids=FIGURES)


@every_figure
def test_a_png_as_wide_as_all_figures_with_the_same_bytes_each_time(draw):
    first = png(draw())
    assert png(draw()) == first
    assert Image.open(io.BytesIO(first)).width == round(150 * style.WIDTH)


@every_figure
def test_a_personal_matplotlibrc_changes_nothing(draw):
    first = png(draw())
    settings = {
        "font.size": 20,
        "hatch.linewidth": 5,
        "image.origin": "lower",
        "image.cmap": "jet",
        "lines.linewidth": 9,
        "axes.grid": True,
    }
    with matplotlib.rc_context(settings):
        # what is not among the house's settings is set by each artist
        assert png(draw()) == first


@every_figure
@pytest.mark.parametrize("title", TITLES)
def test_any_title_fits_and_is_not_parsed(draw, title):
    figure = draw(title=title)
    assert_inside(figure)
    if "$" in title:
        assert figure.texts[0].get_text() == title


def test_drawing_needs_no_pyplot():
    code = (
        "import sys, mnistlab.plots.sweep_rates, mnistlab.plots.sweep_map, "
        "mnistlab.plots.sweep_coordinates, mnistlab.plots.sweep_curves; "
        "sys.exit('matplotlib.pyplot' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# Scales


@pytest.mark.parametrize("log", [None, True])
@pytest.mark.parametrize(
    "values", [[0.01], [0.01, 0.02], [8, 90], [1e-300, 1e300], [3, 3.0001], [0.3, 2.1], [1, 7]]
)
def test_a_scale_holds_its_values_and_a_few_ticks(values, log):
    scale = Scale.of(np.array(values), log=log)
    places = scale.place(values)
    assert ((places >= 0) & (places <= 1)).all()
    assert min(len(values), 2) <= len(scale.ticks) == len(scale.labels) <= 8
    assert len(set(scale.labels)) == len(scale.labels)
    assert (np.diff(scale.place(scale.ticks)) > 0).all()


def test_room_on_a_scale_is_in_parts_of_what_it_holds():
    for log in (True, False):
        scale = Scale.of(np.array([10.0, 1000.0]), log=log, pad=(0.5, 1.5))
        np.testing.assert_allclose(scale.place([10.0, 1000.0]), [0.5 / 3, 1.5 / 3])


def test_numbers_are_told_from_names():
    np.testing.assert_array_equal(numeric([1, 0.5, np.float32(2)]), [1, 0.5, 2])
    for values in ([1, "a"], [True], [None], [np.inf], [10**400]):
        assert numeric(values) is None
    assert [label(v) for v in (0.10, 64, None, True, "adam")] == [
        "0.1",
        "64",
        "none",
        "true",
        "adam",
    ]


# Errors by learning rate


def drawn(axes):
    return {line.get_label(): line for line in axes.lines if line.get_label()[0] != "_"}


def crosses(axes):
    """Return the rates marked as diverged."""
    marked = [line for line in axes.lines if line.get_marker() == "x"]
    return sorted(x for line in marked for x in line.get_xdata())


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
    assert set(drawn(figure.axes[0])) >= {"a", "b", "c", "best"}
    looks = [line for name, line in drawn(figure.axes[0]).items() if name in "abc"]
    assert len({line.get_color() for line in looks}) == 3
    assert len({str(line._dash_pattern) for line in looks}) == 3
    assert {"lowest 8.00 %", "lowest 11.00 %", "all diverged"} <= set(texts_of(figure))


def test_of_many_groups_only_the_lower_envelope_is_a_line():
    figure = rates([0.1, 0.2] * 7, [*range(10, 24)], [str(n // 2) for n in range(14)])
    line = drawn(figure.axes[0])["lowest"]
    np.testing.assert_array_equal(line.get_data(), ([0.1, 0.2], [10, 11]))
    assert len(drawn(figure.axes[0])["trials"].get_xdata()) == 14


def test_rates_drawn_at_random_are_dots_without_a_line():
    generator = np.random.default_rng(0)
    random = 10 ** generator.uniform(-4, 0, 300)
    errors = 8 + generator.random(300)
    figure = rates(random, errors, [str(n) for n in range(300)], best=int(errors.argmin()))
    assert set(drawn(figure.axes[0])) == {"trials", "best"}
    assert drawn(figure.axes[0])["trials"].get_alpha() < 1
    assert not any("line" in text for text in texts_of(figure))
    assert any("darker where several lie" in text for text in texts_of(figure))


def test_a_loss_has_no_unit_and_a_percentage_two_decimals_as_in_the_table():
    values, errors = [0.0096, 0.02], [0.378, 0.4]
    assert "best: 0.378 at 0.0096" in texts_of(rates(values, errors, unit="", best=0))
    assert "best: 12.85 % at 0.0096" in texts_of(rates(values, [12.85, 13], best=0))
    legend = texts_of(rates(values, errors, ["a", "b"], unit=""))
    assert {"lowest 0.378", "lowest 0.400"} <= set(legend)
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
    figure = rates([0.1, 0.2, 0.3], [9, 8, NAN], half_widths=halves, seeds=3)
    np.testing.assert_allclose(intervals(figure.axes[0]), [(8.5, 9.5), (7, 9)])
    assert figure.axes[0].get_ylim()[0] < 7
    assert any("Means over 3 seeds with 95 % intervals." in text for text in texts_of(figure))
    assert not any("interval" in text for text in texts_of(rates([0.1], [9], seeds=3)))
    for huge in (1e3, 1e300):
        figure = rates([0.1, 0.2], [9, 8], half_widths=np.array([huge, 1]), seeds=2, best=1)
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
    assert any("triangle at the top" in t and "90.00 %" in t for t in texts_of(figure))
    assert not any("triangle" in text for text in texts_of(rates([0.1, 0.2], [8, 15])))
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
    assert any("Hollow: stopped early" in text for text in texts_of(figure))
    legend = rates([0.1, 0.2, 0.3, 0.4], [9, 7, 8, 9], ["a", "a", "b", "a"], stopped=stopped)
    assert "lowest 9.00 %" in texts_of(legend)
    assert not any("stopped" in text for text in texts_of(rates([0.1], [9])))


def by(values, errors, **more):
    settings = {"limit": None, "best": None, "title": "sweep", "log": None} | more
    return error_by_rate(values, np.array(errors, float), [""] * len(values), **settings)


def test_the_error_by_names_is_marks_evenly_spaced():
    steps = [[], ["deskew"], ["deskew", "standardize"]]
    figure = by(steps, [12, 9, NAN], x_name="data.preprocess", best=1)
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
    axes = by([100, 50, 25, 400], [9, 8, 7, 10], x_name="batch_size").axes[0]
    assert axes.get_xscale() == "log"
    assert axes.get_xlabel() == "batch size"
    assert [text.get_text() for text in axes.get_xticklabels()] == ["25", "50", "100", "400"]
    np.testing.assert_array_equal(drawn(axes)["trials"].get_xdata(), [25, 50, 100, 400])
    assert by([1, 2, 3], [9, 8, 7], x_name="epochs").axes[0].get_xscale() == "linear"
    decays = by([0.1, 0.0, 1e-4], [9, 8, 7], x_name="weight_decay").axes[0]
    assert [text.get_text() for text in decays.get_xticklabels()] == ["0", "0.0001", "0.1"]
    np.testing.assert_array_equal(drawn(decays)["trials"].get_data(), ([0, 1, 2], [8, 7, 9]))


@pytest.mark.parametrize(
    "values", [HOSTILE, [None, 5], [True, False], [[], [1e-300]], [NAN, "a"], range(300), [1, "1"]]
)
def test_the_error_by_anything_can_be_drawn(values):
    names = [f"a long name {value}" for value in values]
    for chosen in (list(values), names):
        assert_inside(by(chosen, range(1, len(chosen) + 1), best=1, x_name="a_name" * 50))


def test_numbers_in_labels_have_one_style_and_names_no_underscore():
    assert tell_values([0.000835, 0.0014, 0]) == ["0.000835", "0.0014", "0"]
    assert tell_values([1e-9, 0.1]) == ["10⁻⁹", "0.1"]
    assert tell_values([-0.00012, 12345.0]) == ["\N{MINUS SIGN}0.00012", "12345"]
    assert tell_values([["deskew", "standardize"], [], "squared_error", None]) == [
        "[deskew, standardize]",
        "[]",
        "squared error",
        "none",
    ]
    figure = rates([0.0002, 0.0005, 0.002, 0.01], [9, 8, 7, 8], best=1)
    assert not any("·10" in text or "10⁻" in text for text in texts_of(figure))
    figures = (
        heat([[8, 9]], x=["squared_error", "b_c"], error_name="a_b"),
        lines([[1, 2], ["x_y", "z"]], [8, 9], ["learning_rate", "loss"], error_name="a_b"),
        rates([0.1, 0.2], [8, 9], ["batch_size 1", "b"], error_name="a_b", x_name="learning_rate"),
    )
    for figure in figures:
        assert not any("_" in text for text in texts_of(figure))


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
    assert any("cross" in text for text in texts_of(figure)) == (edge is None)


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
    assert any("limit 10⁹ lies outside" in text for text in texts_of(figure))


def test_errors_beyond_a_decade_have_a_logarithmic_axis():
    assert rates([0.1, 0.2], [8, 9]).axes[0].get_yscale() == "linear"
    assert rates([0.1, 0.2], [8, 90]).axes[0].get_yscale() == "log"


@pytest.mark.parametrize(
    ("values", "errors"),
    [
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
    ],
)
@pytest.mark.parametrize("limit", [None, 0.03, NAN, 1e300, -1])
def test_any_rates_can_be_drawn(values, errors, limit):
    for best in (None, 0) if values else (None,):
        assert_inside(rates(values, errors, limit=limit, best=best))


def test_any_names_of_groups_fit():
    for names in (HOSTILE[:5], HOSTILE[5:], HOSTILE):
        figure = rates([0.1] * len(names), range(1, 1 + len(names)), names, error_name="E$" * 100)
        assert_inside(figure)


# Map


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


# All learning curves


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
