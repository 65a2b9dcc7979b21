"""What all figures have in common: their look, their bytes, and titles of any kind."""

import io
import subprocess
import sys

import matplotlib
import numpy as np
import pytest
from PIL import Image

from mnistlab import plots
from tests.plots.figures import FIGURES, TITLES, assert_inside, png

every_figure = pytest.mark.parametrize("draw", FIGURES.values(), ids=FIGURES)


@every_figure
def test_a_png_has_150_dots_per_inch_and_the_same_bytes_whatever_a_matplotlibrc_says(draw):
    first = png(draw())
    image = Image.open(io.BytesIO(first))
    assert image.info == {"dpi": pytest.approx((150, 150), abs=0.1)}
    assert image.width == 8 * 150
    settings = {
        "font.size": 20,
        "font.family": "monospace",
        "savefig.bbox": "tight",
        "image.origin": "lower",
        "image.cmap": "jet",
        "hatch.linewidth": 5,
        "lines.linewidth": 9,
        "figure.facecolor": "red",
        "text.color": "red",
        "axes.grid": True,
        "legend.fontsize": 20,
    }
    with matplotlib.rc_context(settings):
        assert png(draw()) == first
        assert {key: matplotlib.rcParams[key] for key in settings} == settings | {
            "font.family": ["monospace"]
        }


@every_figure
def test_the_last_bits_of_a_layout_are_rounded_away(draw):
    # what Matplotlib's solver finds differs in them from one time to the next, and so would an SVG
    figure = draw()
    figure.draw_without_rendering()
    for axes in figure.axes if figure.get_layout_engine() else ():
        place = axes.get_position(original=True).bounds
        np.testing.assert_allclose(place, np.round(place, 9), rtol=0, atol=1e-14)


@pytest.mark.parametrize(
    ("draw", "title"),
    [  # the longest one, and one of the others in turn
        pytest.param(FIGURES[name], title, id=f"{name}-{title[:3]!a}")
        for at, name in enumerate(FIGURES)
        for title in (TITLES[1], TITLES[at % 2 * 2])
    ],
)
def test_any_title_fits_and_is_not_parsed(draw, title):
    figure = draw(title=title)
    assert_inside(figure)
    (head,) = (text for text in figure.texts if text.get_fontweight() == "bold")
    assert "\n" not in head.get_text()
    if "$" in title:
        assert head.get_text() == title


@pytest.mark.parametrize("kind", ["png", "svg", "pdf"])
def test_a_saved_file_is_what_its_name_says(tmp_path, kind):
    path = tmp_path / f"figure.{kind}"
    plots.save_picture(FIGURES["mistakes"](), path)
    first = path.read_bytes()
    assert {"png": b"PNG", "svg": b"<svg", "pdf": b"%PDF"}[kind] in first[:600]
    plots.save_picture(FIGURES["mistakes"](), path)
    assert path.read_bytes() == first


def test_drawing_needs_no_pyplot_and_the_face_no_matplotlib():
    code = """
import sys, mnistlab.cli, mnistlab.plots
mnistlab.cli.make_app()
from mnistlab.plots import Painter, check_picture
assert not {"matplotlib", "numpy"} & set(sys.modules)
from mnistlab.plots import PLOTS, SWEEP_PLOTS, compared_curves
assert "matplotlib.pyplot" not in sys.modules
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    with pytest.raises(AttributeError, match="no_such_plot"):
        _ = plots.no_such_plot
