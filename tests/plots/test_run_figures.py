"""The figures of a run show the numbers they are given, whatever those are."""

import itertools

import numpy as np
import pytest

from mnistlab import plots
from tests.plots.figures import (
    FASHION,
    HOSTILE,
    NAMES,
    assert_inside,
    counts,
    drawn,
    matrix,
    mistakes,
    png,
    render,
    run,
    says,
    short_texts,
    texts_of,
    tick_labels,
    weights,
    written,
)


def data(axes):
    return {name: line.get_data() for name, line in drawn(axes).items()}


# Learning curves


def test_the_curves_are_the_given_losses_and_the_error_rate_in_percent():
    left, right = run([0.5, 0.4], [0.6, 0.45], test=(0.42, 0.86)).axes
    np.testing.assert_array_equal(data(left)["training"], ([1, 2], [0.5, 0.4]))
    np.testing.assert_array_equal(data(left)["validation"], ([1, 2], [0.6, 0.45]))
    np.testing.assert_array_equal(data(left)["test"], ([2], [0.42]))
    np.testing.assert_allclose(data(right)["training"], ([1, 2], [10, 11]))
    np.testing.assert_allclose(data(right)["validation"], ([1, 2], [20, 21]))
    np.testing.assert_allclose(data(right)["test"], ([2], [14]))
    assert left.get_ylabel() == "squared error per image"
    assert "%" in right.get_ylabel()


def test_the_last_values_are_written_out():
    texts = texts_of(run([0.5, 0.4], [0.6, 0.45], test=(0.42, 0.86)))
    assert {"training 0.400", "validation 0.450", "test 0.420", "test 14.0 %"} <= set(texts)


def test_curves_differ_in_their_lines_and_not_only_in_colour():
    axes = run([0.5, 0.4], [0.6, 0.45]).axes[0]
    training, validation = axes.lines[:2]
    assert training.is_dashed() != validation.is_dashed()


def test_a_split_that_was_not_measured_has_no_curve():
    for axes in run([0.5, 0.4]).axes:
        assert set(data(axes)) == {"training", "test"}
    for axes in run([0.5, 0.4], test=(None, None)).axes:
        assert set(data(axes)) == {"training"}


def test_epochs_that_were_not_evaluated_are_bridged():
    left = run([0.5, np.nan, 0.4, np.inf]).axes[0]
    np.testing.assert_array_equal(data(left)["training"], ([1, 3], [0.5, 0.4]))


def test_the_axis_is_logarithmic_where_values_span_more_than_a_decade():
    assert run([0.5, 0.4]).axes[0].get_yscale() == "linear"
    assert run([5, 0.4]).axes[0].get_yscale() == "log"
    assert run([5, 0.0]).axes[0].get_yscale() == "linear"


@pytest.mark.parametrize(
    "losses", [[0.41, 0.39], [5, 0.4], [50, 0.4], [900, 0.4], [1e8, 0.4], [1e300, 1e-300]]
)
def test_an_axis_has_enough_ticks_and_their_labels_are_true(losses):
    axes = run(losses, test=(None, None)).axes[0]
    labels = tick_labels(axes.yaxis)
    assert 2 <= len(labels) <= 8
    plain = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")
    for label in labels:
        text, tick = label.get_text(), label.get_position()[1]
        power = text.startswith("10") and text[2:].translate(plain)
        value = 10.0 ** int(power) if power and power != text[2:] else float(text)
        assert value == pytest.approx(tick)


@pytest.mark.parametrize("epochs", [1, 2, 3, 7, 10, 50, 1000])
def test_epochs_are_numbered_in_whole_numbers(epochs):
    axes = run(np.geomspace(1, 0.3, epochs)).axes[0]
    ticks = [int(label.get_text()) for label in tick_labels(axes.xaxis)]
    assert 1 <= len(ticks) <= 8
    assert all(1 <= tick <= epochs for tick in ticks)


@pytest.mark.parametrize("epochs", [1, 9, 99, 600, 1000, 12_345, 99_999])
def test_the_numbers_of_epochs_stand_apart(epochs):
    figure = run(np.linspace(2, 1, epochs))
    render(figure)
    labels = [one.get_window_extent() for one in figure.axes[0].get_xticklabels()]
    assert labels
    assert all(one.x1 + 5 < other.x0 for one, other in itertools.pairwise(labels))


@pytest.mark.parametrize("scale", [1e-30, 1, 12345, 1.23e30])
def test_what_stands_beside_a_panel_covers_nothing(scale):
    losses = np.array([0.5123, 0.4123]) * scale
    figure = run(losses, losses * 1.01, test=(losses[-1], 0.9), loss="a_name" * 20)
    assert_inside(figure)
    left, right = figure.axes
    legend = left.get_legend().get_window_extent()
    assert left.bbox.x1 < legend.x0
    assert legend.x1 < right.yaxis.get_tightbbox().x0
    order = [text.get_text().split()[0] for text in right.get_legend().get_texts()]
    assert order == ["validation", "training", "test"]  # as the curves end, from the top


def test_an_overflow_takes_the_left_panel():
    steps, losses = np.arange(1, 5), np.array([1.0, 1e10, 1e30, np.inf])
    figure = run([], divergence=(steps, losses), test=(None, None))
    left, right = figure.axes
    np.testing.assert_array_equal(data(left)["batch"], ([1, 2, 3], [1, 1e10, 1e30]))
    assert left.get_yscale() == "log"
    assert "overflow\nat step 4" in texts_of(figure)
    assert not data(right)
    assert "the loss overflowed before\nan error rate was measured" in texts_of(figure)
    png(figure)


def test_epochs_before_an_overflow_keep_their_error_rate():
    divergence = (np.array([101, 102]), np.array([3.0, 5.0]))
    figure = run([0.5, np.nan], divergence=divergence, test=(np.nan, np.nan))
    assert len(data(figure.axes[1])["training"][0]) == 2
    assert "overflow\nafter step 102" in texts_of(figure)


@pytest.mark.parametrize("test", [(None, np.inf), (0.4, 0.9)])
@pytest.mark.parametrize(
    "losses", [[], [0.4], [np.nan], [np.inf] * 3, [0.0, 0.0], [0.4] * 50, [1e-5, 1.7e308], [1e30]]
)
def test_any_run_can_be_drawn(losses, test):
    run(losses, test=test).draw_without_rendering()


@pytest.mark.parametrize(
    "batches", [[], [np.nan], [1e30], [1e30, np.inf], [1e-300, 1.7e308], [0.0, 1e9]]
)
def test_any_overflow_can_be_drawn(batches):
    steps = np.arange(1, len(batches) + 1)
    run([np.inf], divergence=(steps, np.array(batches))).draw_without_rendering()


# Confusion matrix


@pytest.mark.parametrize("names", NAMES.values(), ids=NAMES)
def test_each_cell_holds_its_count(names):
    counted = counts()
    counted[0, 1:4] = 0
    figure = matrix(counted, names)
    assert_inside(figure)
    (axes,) = figure.axes
    found = np.zeros_like(counted)
    for text in short_texts(axes):
        column, row = text.get_position()
        if 0 <= column < 10 and 0 <= row < 10:
            found[int(row), int(column)] = int(text.get_text())
    np.testing.assert_array_equal(found, counted)


def test_colour_is_the_share_of_the_row_and_the_diagonal_is_grey():
    figure = matrix(np.array([[90, 10, 0], [20, 80, 0], [400, 0, 3600]]))
    colors = np.asarray(figure.axes[0].collections[0].get_array(), dtype=float)[..., :3]
    for diagonal in np.diagonal(colors).T:
        assert np.ptp(diagonal) == 0
    np.testing.assert_array_equal(colors[0, 2], [1, 1, 1])
    np.testing.assert_array_equal(colors[0, 1], colors[2, 0])  # 10 % both
    assert says(figure, "20.0 % (darkest)")
    assert colors[1, 0].sum() < colors[0, 1].sum() < 3


def test_recall_stands_beside_each_row_and_empty_rows_have_none():
    figure = matrix(np.array([[97, 3, 0], [50, 50, 0], [0, 0, 0]]))
    assert {"97.0 %", "50.0 %", "\N{EN DASH}"} <= set(texts_of(figure))
    assert says(figure, "73.50 % of them right")


@pytest.mark.parametrize("C", [1, 2, 26, 50])
def test_any_number_of_classes_fits_the_page(C):
    assert_inside(matrix(counts(C)))


def test_no_images_at_all():
    assert_inside(matrix(np.zeros((3, 3), dtype=int)))


# Weights


@pytest.mark.parametrize("shape", [(28, 28, 10), (8, 8, 26), (32, 20, 3), (5, 5, 1), (200, 200, 2)])
def test_templates_show_every_weight_on_a_symmetric_scale(shape):
    values = np.random.default_rng(0).normal(size=shape)
    figure = weights(values)
    image = figure.axes[0].images[0]
    assert image.norm.vmin == -image.norm.vmax
    shown = np.ma.compressed(np.ma.masked_invalid(image.get_array()))
    np.testing.assert_array_equal(np.sort(shown), np.sort(values.ravel()))
    assert len(written(figure)) == shape[-1]
    figure.delaxes(figure.axes[1])
    assert_inside(figure)


def test_a_pixel_is_a_whole_number_of_the_figures_pixels():
    for figure in (weights(np.ones((28, 28, 10))), mistakes(40)):
        axes = figure.axes[0]
        width = axes.bbox.width / axes.images[0].get_array().shape[1]
        assert width == pytest.approx(round(width))


def test_a_few_extreme_weights_do_not_stretch_the_scale_and_are_pointed_out():
    values = np.tile([1.0, -1.0], (28, 28, 5))
    values[0, 0, 0] = 1e6
    image = weights(values).axes[0].images[0]
    assert image.norm.vmax == 1
    assert image.colorbar.extend == "max"


@pytest.mark.parametrize("value", [0.0, 1e-30, 1e38, np.nan, np.inf])
def test_any_weights_can_be_drawn(value):
    figure = weights(np.full((28, 28, 10), value), HOSTILE)
    assert figure.axes[0].images[0].norm.vmax > 0
    png(figure)


def test_weights_that_are_nearly_all_zero_keep_a_scale():
    values = np.zeros((28, 28, 10))
    values[3, 4, 5] = -2
    assert weights(values).axes[0].images[0].norm.vmax == 2


# Mistakes and images as a model saw them


@pytest.mark.parametrize("names", NAMES.values(), ids=NAMES)
@pytest.mark.parametrize("M", [1, 50])
def test_each_mistake_has_its_label_inside_the_page(M, names):
    figure = mistakes(M, names)
    assert len(written(figure)) in (min(M, 40), 2 * min(M, 40))  # on one line or two
    assert says(figure, f"{M} of 10,000 test images")
    assert_inside(figure)


@pytest.mark.parametrize("shape", [(8, 8), (64, 16), (16, 64), (200, 100)])
def test_images_of_any_size_fit(shape):
    assert_inside(mistakes(40, images=np.zeros((40, *shape), np.uint8)))


def test_a_label_reads_true_to_predicted():
    assert written(mistakes(3)) == ["0 → 3", "1 → 4", "2 → 5"]
    names = written(mistakes(12, FASHION))
    assert (names[0], names[12]) == ("T-shirt/top", "→ Dress")


@pytest.mark.parametrize("names", [FASHION, ["W" * 300] * 10], ids=["fashion", "wide"])
def test_long_names_do_not_overlap(names):
    figure = mistakes(8, names)
    boxes = [text.get_window_extent() for text in short_texts(figure)]
    for line in (boxes[:8], boxes[8:]):
        for one, other in itertools.pairwise(line):
            assert one.x1 < other.x0


def test_digits_are_dark_on_light_and_whole():
    image = np.zeros((1, 28, 28), dtype=np.uint8)
    image[0, 10:20, 5] = 255
    figure = mistakes(1, images=image)
    dark = np.argwhere(np.asarray(figure.axes[0].images[0].get_array()) > 200)
    assert len(dark) == 10
    assert set(dark[:, 1]) == {5}
    assert np.ptp(dark[:, 0]) == 9


def test_no_mistakes_is_said_in_words():
    figure = mistakes(0)
    assert says(figure, "there is no mistake to show")
    png(figure)


@pytest.mark.parametrize("M", [1, 7])
def test_seen_images_stand_under_their_headings(M):
    images = np.zeros((M, 28, 28), np.uint8)
    headings = [(f"{'W' * 60}.png", f"predicted {n}") for n in range(M)]
    figure = plots.seen_images(images, headings, title="What a run saw")
    assert_inside(figure)
    assert written(figure)[-1] == f"predicted {M - 1}"
