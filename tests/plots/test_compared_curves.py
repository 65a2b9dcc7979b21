"""The picture of several runs holds each of them, whatever their numbers and names."""

import io
import itertools

import numpy as np
import pytest
from PIL import Image

from mnistlab.plots import style
from mnistlab.plots.compared_curves import RunCurves, compared_curves
from mnistlab.plots.compared_legend import COLORS, Legend
from tests.plots.sweep_figures import HOSTILE, assert_inside, png, texts_of

NAN = np.nan


def curves(label="a run", epochs=5, *, start=0.9, diverged=False, loss=None):
    x = np.arange(1, epochs + 1)
    values = start * 0.8**x if loss is None else np.array(loss, dtype=float)
    return RunCurves(label, x, values, values * 1.1, 30 * values, 33 * values, diverged)


def panels(figure):
    """The panels that have an epoch axis."""
    return [axes for axes in figure.axes if axes.get_xlabel() == "epoch"]


def lines_of(axes, color):
    return [line for line in axes.lines if line.get_color() == color and line.get_linewidth() > 1]


def letters(axes):
    return [text.get_text() for text in axes.texts]


def draw(*runs, loss_name="squared_error", title="Three runs", details="mnist"):
    return compared_curves(runs, loss_name=loss_name, title=title, details=details)


def test_training_is_solid_validation_dashed_and_letters_mark_the_ends():
    first, second = curves("one"), curves("two", start=1.2)
    figure = draw(first, second)
    assert_inside(figure)
    loss, error = panels(figure)
    solid, dashed = lines_of(loss, COLORS[1])
    np.testing.assert_allclose(solid.get_ydata(), second.train_loss)
    np.testing.assert_allclose(dashed.get_ydata(), second.validation_loss)
    assert solid.get_linestyle() == "-"
    assert dashed.get_linestyle() == "--"
    np.testing.assert_allclose(lines_of(error, COLORS[0])[0].get_ydata(), first.train_error)
    assert letters(loss) == letters(error) == ["A", "B"]
    assert {"one", "two", "training", "validation"} <= set(texts_of(figure))


@pytest.mark.parametrize("count", [2, 3, 5, 12])
def test_no_letter_covers_another(count):
    figure = draw(*(curves(f"run {n}", 5 + n % 2, start=0.9 + n / 1000) for n in range(count)))
    assert_inside(figure)
    for axes in panels(figure):
        boxes = [text.get_window_extent() for text in axes.texts]
        for one, other in itertools.combinations(boxes, 2):
            apart = abs(one.y0 - other.y0) >= 0.13 * figure.dpi or abs(one.x0 - other.x0) > 5
            assert apart


def test_a_diverged_run_is_drawn_up_to_its_last_finite_value_and_told():
    lost = curves("lost", 4, loss=[6, 50, 1e30, np.inf], diverged=True)
    figure = draw(curves("kept"), lost)
    assert_inside(figure)
    loss = panels(figure)[0]
    assert loss.get_ylim()[1] < 2  # the axis is that of the completed run
    assert len(lines_of(loss, COLORS[1])[0].get_ydata()) == 3
    assert letters(loss) == ["A", "B↑"]
    assert "lost (diverged in epoch 4)" in texts_of(figure)


def test_one_that_diverged_before_any_evaluation_is_in_the_legend():
    empty = RunCurves("lost", *[np.array([])] * 5, diverged=True)
    figure = draw(curves("kept"), empty)
    assert "lost (diverged)" in texts_of(figure)
    assert letters(panels(figure)[0]) == ["A"]
    nothing = draw(empty, empty)
    assert panels(nothing) == []
    assert_inside(nothing)


def test_different_losses_leave_the_error_rates():
    figure = draw(curves("one"), curves("two"), loss_name=None)
    assert_inside(figure)
    (error,) = panels(figure)
    assert error.get_ylabel() == "error rate (%)"
    assert any("no axis in common" in text for text in texts_of(figure))


@pytest.mark.parametrize("name", HOSTILE)
def test_any_name_is_drawn_as_it_is(name):
    figure = draw(curves(name), curves(name * 3), title=name, details=name, loss_name=name or None)
    assert_inside(figure)


@pytest.mark.parametrize(
    "loss",
    [
        [0, 0, 0],
        [1e-300, 1e300, 1],
        [NAN, 0.5, NAN],
        [-1, 0, 1],
        [3e38, 1e-38, 3e38],
        [1, 1, 1],
    ],
)
@pytest.mark.parametrize("diverged", [False, True])
def test_any_numbers_can_be_drawn(loss, diverged):
    figure = draw(curves("usual", 3), curves("odd", 3, loss=loss, diverged=diverged))
    assert png(figure)
    assert_inside(draw(curves("odd", 3, loss=loss, diverged=diverged)))


def test_an_axis_is_logarithmic_where_values_span_more_than_threefold():
    assert panels(draw(curves(epochs=30), curves()))[0].get_yscale() == "log"
    assert panels(draw(curves(epochs=3), curves(epochs=3)))[0].get_yscale() == "linear"


def test_a_long_label_takes_two_lines_and_is_cut_before_its_note():
    long = ", ".join(f"setting number {n} is {n}" for n in range(40))
    legend = Legend.of([(long, "(diverged in epoch 3)"), ("short", "")])
    upper, lower = legend.told[0]
    assert long.startswith(upper)
    assert upper.endswith(",")
    assert lower.endswith("… (diverged in epoch 3)")
    assert legend.told[1] == ["short"]
    assert_inside(draw(curves(long, diverged=True), curves("short")))


def test_the_same_runs_give_the_same_bytes():
    assert png(draw(curves("a"), curves("b"))) == png(draw(curves("a"), curves("b")))
    with Image.open(io.BytesIO(png(draw(curves("a"), curves("b"))))) as picture:
        assert picture.width == style.WIDTH * style.DPI
