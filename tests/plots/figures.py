"""What the tests of the figures share: figures of made-up numbers, and how they are read."""

import io

import numpy as np
from matplotlib.text import Text
from PIL import Image

from mnistlab import plots

NAN = np.nan
DIGITS = [str(digit) for digit in range(10)]
FASHION = [
    *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
    *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
]
HOSTILE = ["$x^2$", "a$b", "two\nlines", "日本", "\x00", "", "W" * 300, "🙂", "{}", "%"]
NAMES = {"digits": DIGITS, "fashion": FASHION, "hostile": HOSTILE}
TITLES = ["$x^2$ and a$b", "W" * 300, "a\nb 日本\x07"]
EXTREMES = [1e-300, 1e-5, 1.0, 1e300]


def png(figure):
    return plots.encode(figure, "png")


def pixels(figure):
    return np.asarray(Image.open(io.BytesIO(png(figure))).convert("RGB"), dtype=float)


def written(figure):
    """The many short texts of a figure that are one artist each time: (texts, places in inches)."""
    many = figure.findobj(lambda artist: hasattr(artist, "strings"))
    return [(artist.strings, artist.anchors) for artist in many]


def texts_of(figure):
    """All texts of a figure."""
    many = [text for strings, _ in written(figure) for text in strings]
    return [*many, *(text.get_text() for text in figure.findobj(Text))]


def says(figure, words):
    """Whether a text holds the words, wherever its lines end."""
    return words in " ".join(" ".join(texts_of(figure)).split())


def assert_inside(figure):
    """Every text lies on the page, and none is parsed."""
    png(figure)
    size = figure.get_size_inches()
    for artist in figure.findobj(lambda artist: hasattr(artist, "strings")):
        inked = artist.get_path().vertices
        assert (inked >= -0.02).all()
        assert (inked <= size + 0.02).all()
    for text in figure.findobj(Text):
        if text.get_text() and text.get_visible():
            assert not text.get_parse_math()
            box = text.get_window_extent()
            assert box.x0 >= -1, text
            assert box.y0 >= -1, text
            assert box.x1 <= figure.bbox.width + 1, text
            assert box.y1 <= figure.bbox.height + 1, text


def drawn(axes):
    """The named lines of a panel."""
    return {line.get_label(): line for line in axes.lines if line.get_label()[0] != "_"}


def counts(C=10):
    generator = np.random.default_rng(0)
    return generator.integers(0, 30, (C, C)) + 900 * np.eye(C, dtype=int)


def matrix(counted, names=None, title="t"):
    names = [f"class {c}" for c in range(len(counted))] if names is None else names
    return plots.confusion_matrix(counted, class_names=names, title=title)


def weights(values, names=None, title="t"):
    names = [f"class {c}" for c in range(values.shape[-1])] if names is None else names
    return plots.weight_templates(values, class_names=names, title=title)


def mistakes(M, names=DIGITS, title="linear", total=None, shape=(28, 28)):
    images = np.random.default_rng(0).integers(0, 256, (M, *shape), dtype=np.uint8)
    true, margin = np.arange(M) % 10, np.linspace(2, 1, M)
    return plots.worst_mistakes(
        images, true, (true + 3) % 10, margin, class_names=names, title=title,
        total_mistakes=M if total is None else total, total_images=10_000,
    )  # fmt: skip


def run(train_loss, validation_loss=None, *, test=(0.4, 0.85), **more):
    """Draw a run whose accuracies are 0.9, 0.89, and so on, on both splits."""
    epochs = np.arange(1, len(train_loss) + 1)
    accuracy = 0.9 - 0.01 * np.arange(len(epochs))
    absent = np.full(len(epochs), np.nan)
    return plots.learning_curves(
        epochs,
        np.asarray(train_loss),
        absent if validation_loss is None else np.asarray(validation_loss),
        accuracy,
        absent if validation_loss is None else accuracy - 0.1,
        test_loss=test[0],
        test_accuracy=test[1],
        **{"loss_name": "squared_error", "title": "linear"} | more,
    )


def one_of_many(label="a run", epochs=5, *, start=0.9, diverged=False, loss=None):
    x = np.arange(1, epochs + 1)
    values = start * 0.8**x if loss is None else np.array(loss, dtype=float)
    return plots.RunCurves(label, x, values, values * 1.1, 30 * values, 33 * values, diverged)


def compared(*runs, loss_name="squared_error", title="Three runs", details="mnist"):
    return plots.compared_curves(runs, loss_name=loss_name, title=title, details=details)


def rates(values, errors, groups=None, **more):
    settings = {"limit": None, "best": None, "title": "sweep"} | more
    groups = [""] * len(values) if groups is None else groups
    return plots.error_by_rate(values, np.array(errors, dtype=float), groups, **settings)


def heat(errors, diverged=None, x=None, y=None, **more):
    errors = np.array(errors, dtype=float)
    Y, X = errors.shape
    settings = {"x_name": "learning_rate", "y_name": "batch_size", "best": None, "title": "sweep"}
    return plots.error_map(
        list(range(X)) if x is None else x,
        list(range(Y)) if y is None else y,
        errors,
        np.zeros((Y, X), dtype=bool) if diverged is None else np.array(diverged),
        **settings | {"details": "softmax"} | more,
    )


def lines(columns, errors, names=None, **more):
    settings = {"best": None, "title": "sweep"} | more
    names = [f"p{n}" for n in range(len(columns))] if names is None else names
    return plots.parallel_coordinates(names, columns, np.array(errors, dtype=float), **settings)


def curves(losses, errors=None, diverged=None, **more):
    settings = {"best": None, "loss_name": "squared_error", "title": "sweep"} | more
    losses = [np.array(loss, dtype=float) for loss in losses]
    errors = losses if errors is None else [np.array(error, dtype=float) for error in errors]
    return plots.all_learning_curves(
        [np.arange(1, len(loss) + 1) for loss in losses],
        losses,
        errors,
        diverged=np.zeros(len(losses), dtype=bool) if diverged is None else np.array(diverged),
        **settings,
    )


FIGURES = {
    "learning_curves": lambda title="t": run([0.5, 0.4, 0.39], [0.5, 0.41, 0.4], title=title),
    "confusion_matrix": lambda title="t": matrix(counts(), title=title),
    "weights": lambda title="t": weights(
        np.random.default_rng(0).normal(size=(28, 28, 10)), title=title
    ),
    "mistakes": lambda title="t": mistakes(12, title=title),
    "compared": lambda title="t": compared(one_of_many("a"), one_of_many("b"), title=title),
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
