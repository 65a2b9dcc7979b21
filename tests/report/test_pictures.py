"""Pictures: drawn once for all forms, the same each time, and never the end of a report."""

import io
import re
import xml.etree.ElementTree as ET

import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from mnistlab.report.pictures import Pictures
from tests.report.hostile import HOSTILE
from tests.report.paper import cannot_draw, line_plot, picture

SVG = "{http://www.w3.org/2000/svg}"


def titled(title):
    def draw():
        with matplotlib.rc_context({"text.parse_math": False}):
            figure = Figure(figsize=(4, 2))
            figure.text(0.1, 0.5, title)
            return figure

    return draw


def pixels(svg):
    """Return an SVG as typst paints it, (H, W, 3) from 0 to 1."""
    typst = pytest.importorskip("typst", reason="typst is not installed (extra pdf)")
    source = (
        "#set page(width: auto, height: auto, margin: 0pt)\n"
        '#image(bytes(sys.inputs.svg), format: "svg")'
    )
    png = typst.compile(source.encode(), format="png", sys_inputs={"svg": svg.decode()})
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")) / 255


def test_each_form_is_drawn_once():
    calls = []

    def draw():
        calls.append(1)
        return line_plot()

    pictures, one, other = Pictures(), picture(draw=draw), picture(draw=draw)
    assert pictures.svg(one) is pictures.svg(one)
    assert len(calls) == 1
    assert pictures.png(one) is pictures.png(one)
    assert len(calls) == 2
    pictures.svg(other)
    assert len(calls) == 3
    assert pictures.failure(one) == ""


def test_failure_is_told_and_not_repeated():
    calls = []

    def draw():
        calls.append(1)
        cannot_draw()

    pictures, broken = Pictures(), picture(draw=draw)
    assert pictures.svg(broken) is None
    assert pictures.svg(broken) is None
    assert pictures.failure(broken) == "there is no [red]ink[/red] left"
    assert len(calls) == 1


def test_failure_without_words_names_its_kind():
    def draw():
        raise MemoryError

    pictures, broken = Pictures(), picture(draw=draw)
    assert pictures.png(broken) is None
    assert pictures.failure(broken) == "MemoryError"


def test_same_figure_gives_the_same_bytes_whatever_the_user_has_set():
    plain = [Pictures().svg(picture()), Pictures().png(picture())]
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": None, "savefig.dpi": 30}):
        assert [Pictures().svg(picture()), Pictures().png(picture())] == plain


def test_svg_is_one_element_of_outlines_that_loads_nothing():
    svg = Pictures().svg(picture())
    assert svg.startswith(b"<svg ")
    root = ET.fromstring(svg)  # noqa: S314 - our own
    assert [float(part) for part in root.get("viewBox").split()] == [0, 0, 576, 216]
    tags = {element.tag.removeprefix(SVG) for element in root.iter()}
    assert tags <= {"svg", "g", "path", "use", "defs", "style", "clipPath", "rect"}
    links = re.findall(rb'href="([^"]*)"', svg)
    assert all(link.startswith(b"#") for link in links)


def test_png_is_one():
    image = Image.open(io.BytesIO(Pictures().png(picture())))
    assert (image.format, image.size) == ("PNG", (1200, 450))


def test_compact_svg_looks_as_matplotlib_wrote_it():
    raw = io.BytesIO()
    with matplotlib.rc_context({"svg.fonttype": "path"}):
        line_plot().savefig(raw, format="svg")
    compact = Pictures().svg(picture())
    assert len(compact) < 0.9 * len(raw.getvalue())
    one, other = pixels(raw.getvalue()), pixels(compact)
    assert one.shape == other.shape
    assert other.std() > 0.05  # there is something to be seen
    assert np.abs(one - other).max() < 0.1


@pytest.mark.parametrize("title", [text for text in HOSTILE if 0 < len(text) < 200][::3])
def test_hostile_titles_stay_outlines(title):
    pictures, one = Pictures(), picture(draw=titled(title))
    svg = pictures.svg(one)
    if svg is None:  # letters that no file can hold
        assert pictures.failure(one)
        return
    tags = {element.tag.removeprefix(SVG) for element in ET.fromstring(svg).iter()}  # noqa: S314
    assert tags <= {"svg", "g", "path", "use", "defs", "style"}
    assert b"alert" not in svg
