"""What the tests of a sweep's figures share: figures of made-up trials, and how they are read."""

import io

import matplotlib
import numpy as np
import pytest
from matplotlib.text import Text

from mnistlab.plots import page, style, words
from mnistlab.plots.sweep_coordinates import parallel_coordinates
from mnistlab.plots.sweep_curves import all_learning_curves
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


def drawn(axes):
    return {line.get_label(): line for line in axes.lines if line.get_label()[0] != "_"}
