"""What the tests of the figures share: figures of made-up numbers, and how they are read."""

import io
from types import SimpleNamespace

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text
from PIL import Image

from mnistlab import plots
from mnistlab.core.samples import Samples
from mnistlab.plots import style

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
ODD = [NAN, np.inf, 0.0, -1.0, 1e-300, 1e300]


def png(figure):
    return plots.encode(figure, "png")


def pixels(figure):
    return np.asarray(Image.open(io.BytesIO(png(figure))).convert("RGB"), dtype=float)


def short_texts(artist):
    """The texts that are placed one by one: in the cells of a map, above an image."""
    return [text for text in artist.findobj(Text) if not text.get_in_layout()]


def written(artist):
    """What they say."""
    return [text.get_text() for text in short_texts(artist)]


class Unlettered(FigureCanvasAgg):
    """Draws everything but letters: those that it measures and places it need not paint as well."""

    def get_renderer(self):
        renderer = super().get_renderer()
        renderer.draw_text = lambda *_, **__: None
        return renderer


def render(figure):
    """Draw a figure once, without the second drawing and the packing that a file takes."""
    if figure.stale:
        with matplotlib.rc_context(style.SETTINGS):
            Unlettered(figure).draw()


def shown(figure):
    """The texts that are drawn: Matplotlib makes ticks beyond an axis' ends and leaves them out."""
    render(figure)
    left_out = set()
    for axis in (axis for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)):
        low, high = sorted(axis.get_view_interval())
        for tick in axis.get_major_ticks():
            at = tick.get_loc()
            inside = low <= at <= high or np.isclose(at, [low, high], rtol=1e-9, atol=0).any()
            if not (inside and axis.axes.axison):
                left_out |= {tick.label1, tick.label2}
            if not axis.get_visible():
                left_out |= {tick.label1, tick.label2, axis.label, axis.offsetText}
    return [
        text
        for text in figure.findobj(Text)
        if text.get_text() and text.get_visible() and text not in left_out
    ]


def tick_labels(axis):
    """The labels at an axis, in the order of their ticks, as they are drawn."""
    drawn = shown(axis.get_figure())
    return [label for label in axis.get_ticklabels() if label in drawn]


def texts_of(figure):
    """All texts of a figure."""
    return [text.get_text() for text in shown(figure)]


def says(figure, words):
    """Whether a text holds the words, wherever its lines end."""
    return words in " ".join(" ".join(texts_of(figure)).split())


def assert_inside(figure):
    """Every text lies on the page, and none is parsed."""
    width, height = figure.bbox.size
    for text in shown(figure):
        assert not text.get_parse_math()
        box = text.get_window_extent()
        assert (box.x0 >= -1, box.y0 >= -1) == (True, True), text
        assert (box.x1 <= width + 1, box.y1 <= height + 1) == (True, True), text


def drawn(axes):
    """The named lines of a panel."""
    return {line.get_label(): line for line in axes.lines if line.get_label()[0] != "_"}


def run_view(**values):
    """A view of a run of made-up content."""
    view = plots.RunView.__new__(plots.RunView)
    vars(view).update({"title": "linear", "details": "sgd"} | values)
    return view


def data_view(images, labels, predictions, names, **values):
    """A view of a run with predictions for made-up test images."""
    test = Samples(np.asarray(images), np.asarray(labels))
    dataset = SimpleNamespace(test=test, classes=tuple(names))
    values.setdefault("config", {"model": "linear"})
    return run_view(dataset=dataset, predictions=np.asarray(predictions), **values)


def counts(C=10):
    generator = np.random.default_rng(0)
    return generator.integers(0, 30, (C, C)) + 900 * np.eye(C, dtype=int)


def matrix(counted, names=None, title="t"):
    C = len(counted)
    names = [f"class {c}" for c in range(C)] if names is None else names
    true, predicted = np.repeat(np.indices((C, C)).reshape(2, -1), np.ravel(counted), axis=1)
    images = np.zeros((len(true), 1, 1), np.uint8)
    return plots.confusion_matrix(data_view(images, true, predicted, names, title=title))


def weights(values, names=None, title="t"):
    H, W, C = values.shape
    names = [f"class {c}" for c in range(C)] if names is None else names
    parameters = np.concatenate([values.reshape(-1, C), np.zeros((1, C))])
    images = np.zeros((0, H, W), np.uint8)
    view = data_view(images, [], [], names, parameters=parameters, title=title)
    return plots.weight_templates(view)


def mistakes(M, names=DIGITS, title="linear", images=None):
    """The plot of M mistakes among 10,000 images, the first one the worst."""
    if images is None:
        images = np.random.default_rng(0).integers(0, 256, (M, 28, 28), dtype=np.uint8)
    others = np.zeros((10_000 - M, *images.shape[1:]), np.uint8)
    true = np.arange(10_000) % 10
    predicted = np.where(np.arange(10_000) < M, (true + 3) % 10, true)
    view = data_view(
        np.concatenate([images, others]), true, predicted, names, parameters=0, title=title,
        scores=lambda wrong: np.eye(10)[predicted[wrong]] * (2 - wrong[:, None] / M),
    )  # fmt: skip
    return plots.worst_mistakes(view)


def run(train_loss, validation_loss=None, *, test=(0.4, 0.85), loss="squared_error", **more):
    """Draw a run whose accuracies are 0.9, 0.89, and so on, on both splits."""
    epochs = np.arange(1, len(train_loss) + 1)
    accuracy = 0.9 - 0.01 * np.arange(len(epochs))
    absent = np.full(len(epochs), np.nan)
    metrics = {
        "epoch": epochs,
        "train_loss": np.asarray(train_loss),
        "validation_loss": absent if validation_loss is None else np.asarray(validation_loss),
        "train_accuracy": accuracy,
        "validation_accuracy": absent if validation_loss is None else accuracy - 0.1,
    }
    summary = {"test": dict(zip(("loss", "accuracy"), test, strict=True))}
    view = run_view(
        metrics=metrics, summary=summary, config={"loss": loss}, **{"divergence": None} | more
    )
    return plots.learning_curves(view)


def one_of_many(label="a run", epochs=5, *, start=0.9, diverged=False, loss=None):
    """The curves of one of several runs; its error rate is 30 times its loss, in percent."""
    x = np.arange(1, epochs + 1)
    values = start * 0.8**x if loss is None else np.array(loss, dtype=float)
    return plots.RunCurves(label, columns(x, values, values * 1.1), diverged)


def columns(x=(), train=(), validation=()):
    """What metrics.csv holds of a run."""
    train, validation = np.array(train, dtype=float), np.array(validation, dtype=float)
    with np.errstate(over="ignore"):
        accuracies = {
            "train_accuracy": 1 - 0.3 * train,
            "validation_accuracy": 1 - 0.3 * validation,
        }
    return {"epoch": x, "train_loss": train, "validation_loss": validation, **accuracies}


def compared(*runs, loss_name="squared_error", title="Three runs", details="mnist"):
    return plots.compared_curves(runs, loss_name=loss_name, title=title, details=details)


def sweep(parameters, errors, **more):
    """A view of a sweep of made-up results, whose trials diverged where they have no error."""
    errors = np.array(errors, dtype=float)
    view = plots.SweepView.__new__(plots.SweepView)
    details = {
        "keys": list(parameters),
        "results": [
            {"parameters": dict(zip(parameters, row, strict=True))}
            for row in (
                zip(*parameters.values(), strict=True) if parameters else [()] * len(errors)
            )
        ],
        "errors": errors,
        "statuses": ["completed" if known else "diverged" for known in np.isfinite(errors)],
        "diverged": ~np.isfinite(errors),
        "stopped": np.zeros(len(errors), dtype=bool),
        "half_widths": np.full(len(errors), NAN),
        "repeats": "",
        "best": None,
        "limit": None,
        "title": "sweep",
        "details": "softmax",
        "error_name": "validation error rate (%)",
        "unit": " %",
        "loss": "squared_error",
    }
    vars(view).update(details | more)
    return view


def by(key, values, errors, groups=None, **more):
    """The error by one parameter, beside a second one that makes the groups."""
    parameters = {key: values} | ({} if groups is None else {"group": groups})
    return plots.error_by_parameter(sweep(parameters, errors, **more), key)


def rates(values, errors, groups=None, **more):
    return by("learning_rate", values, errors, groups, **more)


def heat(
    errors, diverged=None, x=None, y=None, x_name="learning_rate", y_name="batch_size", **more
):
    """The map of a grid of errors; cells of NaN that did not diverge were not tried."""
    errors = np.array(errors, dtype=float)
    Y, X = errors.shape
    x, y = (list(range(n)) if v is None else v for n, v in ((X, x), (Y, y)))
    diverged = np.zeros((Y, X), dtype=bool) if diverged is None else np.array(diverged)
    more = {k: np.array(v).ravel() if k == "stopped" else v for k, v in more.items()}
    if more.get("best") is not None:
        more["best"] = more["best"][0] * X + more["best"][1]
    return plots.error_map(
        sweep(
            {x_name: [*x] * Y, y_name: [value for value in y for _ in range(X)]},
            errors.ravel(),
            diverged=diverged.ravel(),
            **more,
        )
    )


def maps(errors, names=("epochs", "learning_rate", "batch_size"), **more):
    """The maps of a grid of errors (panels, rows, columns), side by side."""
    errors = np.array(errors, dtype=float)
    places = np.indices(errors.shape).reshape(3, -1)
    values = dict(zip(names, (list(map(int, places[axis] + 1)) for axis in (0, 2, 1)), strict=True))
    view = sweep(values, errors.ravel(), **more)
    return plots.error_map(view, plots.panel_key(view))


def lines(columns, errors, names=None, **more):
    names = [f"p{n}" for n in range(len(columns))] if names is None else names
    return plots.parallel_coordinates(sweep(dict(zip(names, columns, strict=True)), errors, **more))


def curves(losses, errors=None, diverged=None, trials=None, **more):
    losses = [np.array(loss, dtype=float) for loss in losses]
    errors = losses if errors is None else [np.array(error, dtype=float) for error in errors]
    trials = list(range(len(losses))) if trials is None else trials
    lost = np.zeros(len(losses), dtype=bool) if diverged is None else np.array(diverged, dtype=bool)
    runs = [
        (trial, {"epoch": np.arange(1, len(loss) + 1), "train_loss": loss, "train_accuracy": loss,
                 "validation_loss": loss, "validation_accuracy": 1 - error / 100})
        for trial, loss, error in zip(trials, losses, errors, strict=True)
    ]  # fmt: skip
    view = sweep({}, np.where(lost, NAN, 0), diverged=lost, runs=runs, **more)
    return plots.all_learning_curves(view)


FIGURES = {
    "heat_maps": lambda title="t": maps(np.arange(24).reshape(2, 3, 4) + 5, best=0, title=title),
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
