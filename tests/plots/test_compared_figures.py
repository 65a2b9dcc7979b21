"""The picture of several runs holds each of them, whatever their numbers and names."""

import numpy as np
import pytest

from mnistlab import plots
from tests.plots.figures import HOSTILE, NAN, assert_inside, columns, compared, one_of_many, says


def panels(figure):
    """The panels that have an epoch axis."""
    return [axes for axes in figure.axes if axes.get_xlabel() == "epoch"]


def legend(figure):
    """The legend's texts, and the colour and mark beside each."""
    (found,) = figure.legends
    looks = [(line.get_color(), line.get_marker()) for line in found.get_lines()]
    return dict(zip([text.get_text() for text in found.get_texts()], looks, strict=True))


def of(axes, look):
    return [line for line in axes.lines if (line.get_color(), line.get_marker()) == look]


def test_training_is_solid_validation_dashed_and_a_mark_tells_the_run():
    first, second = one_of_many("one"), one_of_many("two", start=1.2)
    figure = compared(first, second)
    assert_inside(figure)
    loss, error = panels(figure)
    looks = legend(figure)
    solid, dashed = of(loss, looks["two"])
    np.testing.assert_allclose(solid.get_ydata(), second.metrics["train_loss"])
    np.testing.assert_allclose(dashed.get_ydata(), second.metrics["validation_loss"])
    assert solid.get_linestyle() == "-"
    assert dashed.get_linestyle() == "--"
    np.testing.assert_allclose(
        of(error, looks["one"])[0].get_ydata(), 30 * first.metrics["train_loss"]
    )
    assert says(figure, "Solid: training; dashed: validation.")


@pytest.mark.parametrize("count", [2, 3, 5, 12])
def test_runs_differ_in_colour_and_in_mark(count):
    figure = compared(*(one_of_many(f"run {n}", 5 + n % 2) for n in range(count)))
    assert_inside(figure)
    colors, marks = zip(*legend(figure).values(), strict=True)
    assert len(set(colors)) == len(set(marks)) == count


def test_a_diverged_run_is_drawn_up_to_its_last_finite_value_and_told():
    lost = one_of_many("lost", 4, loss=[6, 50, 1e30, np.inf], diverged=True)
    figure = compared(one_of_many("kept"), lost)
    assert_inside(figure)
    loss = panels(figure)[0]
    assert loss.get_ylim()[1] < 2  # the axis is that of the completed run
    assert len(of(loss, legend(figure)["lost (diverged in epoch 4)"])[0].get_ydata()) == 3
    arrows = [text for text in loss.texts if text.get_text() == "↑"]
    assert {text.get_color() for text in arrows} == {plots.epoch_curves.COLORS[1]}


def test_one_that_diverged_before_any_evaluation_is_in_the_legend():
    empty = plots.RunCurves("lost", columns(), diverged=True)
    assert "lost (diverged)" in legend(compared(one_of_many("kept"), empty))
    nothing = compared(empty, empty)
    assert panels(nothing) == []
    assert_inside(nothing)


def test_different_losses_leave_the_error_rates():
    figure = compared(one_of_many("one"), one_of_many("two"), loss_name=None)
    assert_inside(figure)
    (error,) = panels(figure)
    assert error.get_ylabel() == "error rate (%)"
    assert says(figure, "no axis in common")


@pytest.mark.parametrize("name", HOSTILE)
def test_any_name_is_drawn_as_it_is(name):
    runs = one_of_many(name), one_of_many(name * 3)
    assert_inside(compared(*runs, title=name, details=name, loss_name=name or None))


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
    odd = one_of_many("odd", 3, loss=loss, diverged=diverged)
    assert_inside(compared(one_of_many("usual", 3), odd))
    if not diverged:
        assert_inside(compared(odd))


def test_an_axis_is_logarithmic_where_values_span_more_than_threefold():
    long, short = one_of_many(epochs=30), one_of_many(epochs=3)
    assert panels(compared(long, one_of_many()))[0].get_yscale() == "log"
    assert panels(compared(short, short))[0].get_yscale() == "linear"


def test_a_long_label_takes_two_lines_and_is_cut_before_its_note():
    long = ", ".join(f"setting number {n} is {n}" for n in range(40))
    figure = compared(one_of_many(long, diverged=True), one_of_many("short"))
    assert_inside(figure)
    text, other = legend(figure)
    assert text.count("\n") == 1
    assert text.replace("\n", " ").endswith("… (diverged in epoch 5)")
    assert other == "short"
