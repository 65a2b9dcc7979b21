"""The figures show the numbers they are given, whatever those are, and always the same way."""

import io
import itertools
import subprocess
import sys

import matplotlib
import numpy as np
import pytest
from matplotlib.collections import LineCollection
from PIL import Image

from mnistlab.plots import page, style, words
from mnistlab.plots.confusion_matrix import confusion_matrix
from mnistlab.plots.learning_curves import learning_curves
from mnistlab.plots.mistakes import MOST, worst_mistakes
from mnistlab.plots.weights import weight_templates

DIGITS = [str(digit) for digit in range(10)]
FASHION = [
    *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
    *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
]
HOSTILE = ["$x^2$", "a$b", "two\nlines", "日本", "\x00", "", "W" * 300, "🙂", "{}", "%"]
NAMES = {"digits": DIGITS, "fashion": FASHION, "hostile": HOSTILE}
TITLES = ["$x^2$ and a$b", "W" * 300, "a\nb 日本\x07"]


def png(figure):
    file = io.BytesIO()
    page.save(figure, file)
    return file.getvalue()


def texts_of(figure):
    """All texts of a figure."""
    artists = figure.findobj(words.Words)
    plain = [text.get_text() for text in figure.findobj(matplotlib.text.Text)]
    return [*itertools.chain.from_iterable(artist.strings for artist in artists), *plain]


def counts(C=10):
    generator = np.random.default_rng(0)
    return generator.integers(0, 30, (C, C)) + 900 * np.eye(C, dtype=int)


def curves(train_loss, validation_loss=None, *, test=(0.4, 0.85), **more):
    """Draw a run whose accuracies are 0.9, 0.89, and so on, on both splits."""
    epochs = np.arange(1, len(train_loss) + 1)
    accuracy = 0.9 - 0.01 * np.arange(len(epochs))
    absent = np.full(len(epochs), np.nan)
    settings = {"loss_name": "squared_error", "title": "linear"} | more
    return learning_curves(
        epochs,
        np.asarray(train_loss),
        absent if validation_loss is None else np.asarray(validation_loss),
        accuracy,
        absent if validation_loss is None else accuracy - 0.1,
        test_loss=test[0],
        test_accuracy=test[1],
        **settings,
    )


def drawn(axes):
    """Return the named curves of a panel as {name: (x, y)}."""
    named = [line for line in axes.lines if not line.get_label().startswith("_")]
    return {line.get_label(): line.get_data() for line in named}


def mistakes(M, names=DIGITS, title="linear", total=None):
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (M, 28, 28), dtype=np.uint8)
    true = np.arange(M) % 10
    return worst_mistakes(
        images,
        true,
        (true + 3) % 10,
        np.linspace(2, 1, M),
        class_names=names,
        title=title,
        total_mistakes=M if total is None else total,
        total_images=10_000,
    )


FIGURES = {
    "learning_curves": lambda title="t": curves([0.5, 0.4, 0.39], [0.5, 0.41, 0.4], title=title),
    "confusion_matrix": lambda title="t": confusion_matrix(
        counts(), class_names=DIGITS, title=title
    ),
    "weights": lambda title="t": weight_templates(
        np.random.default_rng(0).normal(size=(28, 28, 10)), class_names=DIGITS, title=title
    ),
    "mistakes": lambda title="t": mistakes(12, title=title),
}
every_figure = pytest.mark.parametrize("draw", FIGURES.values(), ids=FIGURES)


@every_figure
def test_a_png_of_150_dots_per_inch_with_the_same_bytes_each_time(draw):
    first = png(draw())
    assert png(draw()) == first
    image = Image.open(io.BytesIO(first))
    assert image.info == {"dpi": pytest.approx((150, 150), abs=0.1)}
    assert image.width == round(150 * style.WIDTH)


@every_figure
def test_a_personal_matplotlibrc_changes_nothing_and_is_left_alone(draw):
    first = png(draw())
    settings = {
        "font.size": 20,
        "font.family": "monospace",
        "savefig.bbox": "tight",
        "image.origin": "lower",
        "figure.facecolor": "red",
        "text.color": "red",
        "axes.grid": True,
    }
    with matplotlib.rc_context(settings):
        assert png(draw()) == first
        assert {key: matplotlib.rcParams[key] for key in settings} == settings | {
            "font.family": ["monospace"]
        }


@every_figure
@pytest.mark.parametrize("title", TITLES)
def test_any_title_fits_and_is_not_parsed(draw, title):
    figure = draw(title=title)
    figure.draw_without_rendering()
    head = figure.texts[0]
    assert "\n" not in head.get_text()
    assert not head.get_parse_math()
    assert head.get_window_extent().x1 <= figure.bbox.width
    if "$" in title:
        assert head.get_text() == title


def test_a_saved_file_is_a_png(tmp_path):
    page.save(FIGURES["mistakes"](), tmp_path / "mistakes.png")
    with Image.open(tmp_path / "mistakes.png") as image:
        assert image.format == "PNG"


def test_drawing_needs_no_pyplot():
    code = (
        "import sys, mnistlab.plots.learning_curves, mnistlab.plots.confusion_matrix, "
        "mnistlab.plots.weights, mnistlab.plots.mistakes; "
        "sys.exit('matplotlib.pyplot' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# Learning curves


def test_the_curves_are_the_given_losses_and_the_error_rate_in_percent():
    left, right = curves([0.5, 0.4], [0.6, 0.45], test=(0.42, 0.86)).axes
    np.testing.assert_array_equal(drawn(left)["training"], ([1, 2], [0.5, 0.4]))
    np.testing.assert_array_equal(drawn(left)["validation"], ([1, 2], [0.6, 0.45]))
    np.testing.assert_array_equal(drawn(left)["test"], ([2], [0.42]))
    np.testing.assert_allclose(drawn(right)["training"], ([1, 2], [10, 11]))
    np.testing.assert_allclose(drawn(right)["validation"], ([1, 2], [20, 21]))
    np.testing.assert_allclose(drawn(right)["test"], ([2], [14]))
    assert left.get_ylabel() == "squared error per image"
    assert "%" in right.get_ylabel()


def test_the_last_values_are_written_out():
    texts = texts_of(curves([0.5, 0.4], [0.6, 0.45], test=(0.42, 0.86)))
    assert {"training 0.400", "validation 0.450", "test 0.420", "test 14.0 %"} <= set(texts)


def test_curves_differ_in_their_lines_and_not_only_in_colour():
    axes = curves([0.5, 0.4], [0.6, 0.45]).axes[0]
    training, validation = axes.lines[:2]
    assert training.is_dashed() != validation.is_dashed()


def test_a_split_that_was_not_measured_has_no_curve():
    for axes in curves([0.5, 0.4]).axes:
        assert set(drawn(axes)) == {"training", "test"}
    for axes in curves([0.5, 0.4], test=(None, None)).axes:
        assert set(drawn(axes)) == {"training"}


def test_epochs_that_were_not_evaluated_are_bridged():
    left = curves([0.5, np.nan, 0.4, np.inf]).axes[0]
    np.testing.assert_array_equal(drawn(left)["training"], ([1, 3], [0.5, 0.4]))


def test_the_axis_is_logarithmic_where_values_span_more_than_a_decade():
    assert curves([0.5, 0.4]).axes[0].get_yscale() == "linear"
    assert curves([5, 0.4]).axes[0].get_yscale() == "log"
    assert curves([5, 0.0]).axes[0].get_yscale() == "linear"


@pytest.mark.parametrize(
    "losses", [[0.41, 0.39], [5, 0.4], [50, 0.4], [900, 0.4], [1e8, 0.4], [1e300, 1e-300]]
)
def test_an_axis_has_enough_ticks_and_their_labels_are_true(losses):
    axes = curves(losses, test=(None, None)).axes[0]
    axes.figure.draw_without_rendering()
    ticks, labels = axes.get_yticks(), [label.get_text() for label in axes.get_yticklabels()]
    assert 2 <= len(ticks) <= 8
    assert axes.get_ylim()[0] <= min(ticks)
    assert max(ticks) <= axes.get_ylim()[1]
    plain = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")
    for tick, label in zip(ticks, labels, strict=True):
        power = label.startswith("10") and label[2:].translate(plain)
        value = 10.0 ** int(power) if power and power != label[2:] else float(label)
        assert value == pytest.approx(tick)


@pytest.mark.parametrize("epochs", [1, 2, 3, 7, 10, 50, 1000])
def test_epochs_are_numbered_in_whole_numbers(epochs):
    axes = curves(np.geomspace(1, 0.3, epochs)).axes[0]
    ticks = axes.get_xticks()
    assert 1 <= len(ticks) <= 8
    assert all(1 <= tick <= epochs and tick == int(tick) for tick in ticks)


def test_labels_beside_a_panel_do_not_overlap():
    figure = curves([0.5, 0.4], [0.5, 0.4], test=(0.4, 0.9))
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in figure.axes[0].texts]
    assert len(boxes) == 3
    assert not any(one.overlaps(other) for one, other in itertools.combinations(boxes, 2))
    for text in figure.findobj(matplotlib.text.Text):
        assert text.get_window_extent().x1 <= figure.bbox.width


def test_an_overflow_takes_the_left_panel():
    steps, losses = np.arange(1, 5), np.array([1.0, 1e10, 1e30, np.inf])
    figure = curves([], divergence=(steps, losses), test=(None, None))
    left, right = figure.axes
    np.testing.assert_array_equal(drawn(left)["batch"], ([1, 2, 3], [1, 1e10, 1e30]))
    assert left.get_yscale() == "log"
    assert "overflow\nat step 4" in texts_of(figure)
    assert not drawn(right)
    assert "the loss overflowed before\nan error rate was measured" in texts_of(figure)
    png(figure)


def test_epochs_before_an_overflow_keep_their_error_rate():
    divergence = (np.array([101, 102]), np.array([3.0, 5.0]))
    figure = curves([0.5, np.nan], divergence=divergence, test=(np.nan, np.nan))
    assert len(drawn(figure.axes[1])["training"][0]) == 2
    assert "overflow\nafter step 102" in texts_of(figure)


@pytest.mark.parametrize("test", [(None, np.inf), (0.4, 0.9)])
@pytest.mark.parametrize(
    "losses", [[], [0.4], [np.nan], [np.inf] * 3, [0.0, 0.0], [0.4] * 50, [1e-5, 1.7e308], [1e30]]
)
def test_any_run_can_be_drawn(losses, test):
    curves(losses, test=test).draw_without_rendering()


@pytest.mark.parametrize(
    "batches", [[], [np.nan], [1e30], [1e30, np.inf], [1e-300, 1.7e308], [0.0, 1e9]]
)
def test_any_overflow_can_be_drawn(batches):
    steps = np.arange(1, len(batches) + 1)
    curves([np.inf], divergence=(steps, np.array(batches))).draw_without_rendering()


# Confusion matrix


@pytest.mark.parametrize("names", NAMES.values(), ids=NAMES)
def test_each_cell_holds_its_count(names):
    matrix = counts()
    matrix[0, 1:4] = 0
    figure = confusion_matrix(matrix, class_names=names, title="linear")
    axes = figure.axes[0]
    left, right, bottom, top = axes.images[0].get_extent()
    cell = (right - left) / 10
    found = np.zeros_like(matrix)
    for artist in axes.findobj(words.Words):
        for text, (x, y) in zip(artist.strings, artist.positions, strict=True):
            if left < x < right and bottom < y < top:
                found[int((top - y) / cell), int((x - left) / cell)] = int(text)
    np.testing.assert_array_equal(found, matrix)
    png(figure)


def test_colour_is_the_share_of_the_row_and_the_diagonal_is_grey():
    matrix = np.array([[90, 10, 0], [20, 80, 0], [400, 0, 3600]])
    figure = confusion_matrix(matrix, class_names=["a", "b", "c"], title="t")
    colors = np.asarray(figure.axes[0].images[0].get_array(), dtype=float)[..., :3]
    for diagonal in np.diagonal(colors).T:
        assert np.ptp(diagonal) == 0
    np.testing.assert_array_equal(colors[0, 2], [1, 1, 1])
    np.testing.assert_array_equal(colors[0, 1], colors[2, 0])  # 10 % both
    assert any("20.0 % (darkest)" in text for text in texts_of(figure))
    assert colors[1, 0].sum() < colors[0, 1].sum() < 3


def test_recall_stands_beside_each_row_and_empty_rows_have_none():
    matrix = np.array([[97, 3, 0], [50, 50, 0], [0, 0, 0]])
    texts = texts_of(confusion_matrix(matrix, class_names=["a", "b", "c"], title="t"))
    assert {"97.0 %", "50.0 %", "\N{EN DASH}"} <= set(texts)
    assert any("73.50 % of them right" in text for text in texts)


@pytest.mark.parametrize("C", [1, 2, 26, 100])
def test_any_number_of_classes_fits_the_page(C):
    names = [f"class {c}" for c in range(C)]
    figure = confusion_matrix(counts(C), class_names=names, title="t")
    for artist in figure.findobj(words.Words):
        inked = artist.get_path().vertices
        assert (inked >= 0).all()
        assert (inked <= figure.get_size_inches()).all()
    lines = figure.findobj(LineCollection)
    assert sum(len(line.get_segments()) for line in lines) == 2 * (C - 1)


def test_no_images_at_all():
    png(confusion_matrix(np.zeros((3, 3), dtype=int), class_names=["a", "b", "c"], title="t"))


# Weights


@pytest.mark.parametrize("shape", [(28, 28, 10), (8, 8, 26), (32, 20, 3), (5, 5, 1), (200, 200, 2)])
def test_templates_show_every_weight_on_a_symmetric_scale(shape):
    weights = np.random.default_rng(0).normal(size=shape)
    names = [f"class {c}" for c in range(shape[-1])]
    figure = weight_templates(weights, class_names=names, title="t")
    image = figure.axes[0].images[0]
    assert image.norm.vmin == -image.norm.vmax
    shown = np.ma.compressed(np.ma.masked_invalid(image.get_array()))
    np.testing.assert_array_equal(np.sort(shown), np.sort(weights.ravel()))
    assert len(figure.axes[0].findobj(words.Words)[0].strings) == shape[-1]
    assert image.get_extent()[1] <= style.WIDTH
    png(figure)


def test_a_few_extreme_weights_do_not_stretch_the_scale_and_are_pointed_out():
    weights = np.tile([1.0, -1.0], (28, 28, 5))
    weights[0, 0, 0] = 1e6
    figure = weight_templates(weights, class_names=DIGITS, title="t")
    assert figure.axes[0].images[0].norm.vmax == 1
    assert figure.axes[0].images[0].colorbar.extend == "max"


@pytest.mark.parametrize("value", [0.0, 1e-30, 1e38, np.nan, np.inf])
def test_any_weights_can_be_drawn(value):
    weights = np.full((28, 28, 10), value)
    figure = weight_templates(weights, class_names=HOSTILE, title="t")
    assert figure.axes[0].images[0].norm.vmax > 0
    png(figure)


def test_weights_that_are_nearly_all_zero_keep_a_scale():
    weights = np.zeros((28, 28, 10))
    weights[3, 4, 5] = -2
    figure = weight_templates(weights, class_names=DIGITS, title="t")
    assert figure.axes[0].images[0].norm.vmax == 2


# Mistakes


@pytest.mark.parametrize("names", NAMES.values(), ids=NAMES)
@pytest.mark.parametrize("M", [1, 50])
def test_each_mistake_has_its_label_inside_the_page(M, names):
    figure = mistakes(M, names, total=1419)
    labels = figure.axes[0].findobj(words.Words)
    assert all(len(artist.strings) == min(M, MOST) for artist in labels)
    assert any("1,419 of 10,000 test images" in text for text in texts_of(figure))
    for artist in labels:
        inked = artist.get_path().vertices
        assert (inked >= 0).all()
        assert (inked <= figure.get_size_inches()).all()
    png(figure)


def test_a_label_reads_true_to_predicted():
    labels = mistakes(3).axes[0].findobj(words.Words)[0].strings
    assert labels == ("0 → 3", "1 → 4", "2 → 5")
    assert mistakes(12, FASHION).axes[0].findobj(words.Words)[1].strings[0] == "T-shirt/top"


def test_long_names_do_not_overlap():
    for artist in mistakes(8, FASHION).axes[0].findobj(words.Words):
        widths = np.array([words.text_width(text, style.SMALL) for text in artist.strings])
        starts = artist.positions[:, 0] - widths / 2
        assert (starts[1:] > (starts + widths)[:-1]).all()


def test_digits_are_dark_on_light_and_whole():
    image = np.zeros((1, 28, 28), dtype=np.uint8)
    image[0, 10:20, 5] = 255
    one = np.array([1])
    figure = worst_mistakes(
        image, one, one, one, class_names=DIGITS, title="t", total_mistakes=1, total_images=9
    )
    greys = np.asarray(figure.axes[0].images[0].get_array())[..., 0]
    dark = np.argwhere(greys < 0.4)
    assert len(dark) == 10
    assert set(dark[:, 1]) == {5}
    assert np.ptp(dark[:, 0]) == 9


def test_no_mistakes_is_said_in_words():
    figure = mistakes(0)
    assert any("there is no mistake to show" in text for text in texts_of(figure))
    png(figure)


# Words and numbers


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (0.39344, "0.393"),
        (14.19, "14.2"),
        (0.9996, "1.00"),
        (99999, "10⁵"),
        (12345, "12345"),
        (0.0012, "0.0012"),
        (-0.5, "\N{MINUS SIGN}0.500"),
        (1.2e30, "1.2·10³⁰"),
        (1e-7, "10⁻⁷"),
    ],
)
def test_numbers_read_as_by_hand(value, text):
    assert words.number(value) == text


def test_round_numbers_lose_the_zeros_at_their_end():
    assert [words.short(value) for value in (100, 1, 0.5, 1e8)] == ["100", "1", "0.5", "10⁸"]


def test_words_lie_where_they_are_put():
    centred = words.Words(["HHH"], np.array([[3.0, 2.0]]), size=9).get_path().get_extents()
    assert (centred.x0 + centred.x1) / 2 == pytest.approx(3, abs=0.01)
    assert (centred.y0 + centred.y1) / 2 == pytest.approx(2, abs=0.01)
    assert centred.width == pytest.approx(words.text_width("HHH", 9), abs=0.03)
    before = words.Words(["HHH"], np.array([[3.0, 2.0]]), align=1).get_path().get_extents()
    assert before.x1 == pytest.approx(3, abs=0.02)
    turned = words.Words(["HHH"], np.array([[3.0, 2.0]]), angle=90, align=1)
    below = turned.get_path().get_extents()
    assert below.y1 == pytest.approx(2, abs=0.02)
    assert below.height > below.width


def test_words_are_drawn():
    figure = page.new_figure(1, "")
    blank = png(figure)
    page.canvas(figure).add_artist(words.Words(["5812"], np.array([[3, 0.5]])))
    dark = np.asarray(Image.open(io.BytesIO(png(figure))).convert("L")) < 100
    assert not (np.asarray(Image.open(io.BytesIO(blank)).convert("L")) < 100).any()
    assert dark.sum() > 100
    assert abs(np.argwhere(dark)[:, 1].mean() - 3 * style.DPI) < 5


@pytest.mark.parametrize("text", [*HOSTILE, *FASHION])
def test_what_is_cut_fits(text):
    cut = words.fit(text, 9, 0.5)
    assert words.text_width(cut, 9) <= 0.5
    assert cut == words.plain(text) or cut.endswith("…")
