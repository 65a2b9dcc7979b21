"""What all figures of a sweep have in common, and the scales that they share."""

import io
import subprocess
import sys

import matplotlib
import numpy as np
import pytest
from PIL import Image

from mnistlab.plots import style
from mnistlab.plots.axes import Scale, label, numeric
from tests.plots.sweep_figures import (
    TITLES,
    assert_inside,
    every_figure,
    png,
)


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
