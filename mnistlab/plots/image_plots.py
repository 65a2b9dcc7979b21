"""What a classifier gets wrong and what it looks for: matrix, weights, mistakes, images it saw.

H and W are an image's height and width in pixels, C is the number of classes, M that of images.
"""

from collections.abc import Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from mnistlab.plots import style
from mnistlab.plots.style import Array, cut, number
from mnistlab.plots.views import RunView

MOST = 40  # mistakes in the figure
_BOTTOM = 0.2  # inches below the last row of images
_LINE = 0.16  # inches between the lines above an image
_Head = tuple[str, str, Sequence[str]]  # title, details, notes
# Dark on light: a pixel that is not lit is a little darker than the page.
_GREYS: dict[str, Any] = {"fill": -14, "cmap": "gray_r", "vmin": -14, "vmax": 271}


@style.house_style
def confusion_matrix(view: RunView) -> Figure | None:
    """Return how often each true class (a row) of the test split was given each class (a column).

    A cell's colour is its share of its row; the diagonal, which would outshine them, is grey.
    Beside each row stands its recall, the share of its images that are right.
    """
    if view.predictions is None:
        return None
    names = [cut(name, 16) for name in view.dataset.classes]
    C = len(names)
    counts = np.zeros((C, C), np.intp)
    np.add.at(counts, (view.dataset.test.labels, view.predictions), 1)
    longest = max(style.measure(name, style.SMALL) for name in names)
    left = style.MARGIN + 0.35 + longest
    cell = min((style.WIDTH - left - 1.0) / C, 0.75)
    turned = longest + 0.05 > cell  # names that are wider than their column
    bottom = 0.5 + (longest if turned else 0.1)
    side = cell * C

    images, right = counts.sum(axis=1), np.diagonal(counts)
    shares = counts / np.maximum(images, 1)[:, np.newaxis]
    np.fill_diagonal(shares, 0)
    total = int(images.sum())
    correct = f", {100 * right.sum() / total:.2f} % of them right" if total else ""
    notes = [
        f"{total:,} test images{correct} (grey). Colour: the part of a row that is taken for",
        f"another class, from none (white) to {number(100 * shares.max())} % (darkest).",
    ]
    figure = style.new_page(bottom + side + 0.25, view.title, view.details, notes)
    axes = style.add_axes(figure, (left, bottom), (side, side))
    strength = shares / (shares.max() or 1)
    colors = matplotlib.colormaps["Oranges"](0.85 * strength)[..., :3]
    colors[counts == 0] = 1
    colors[np.eye(C, dtype=bool)] = to_rgb(style.PALE)
    style.color_cells(axes, colors, min(1.0, 3 * cell))
    size = min(style.SMALL, 72 * cell)
    axes.set_xticks(range(C), names, rotation=90 if turned else 0, fontsize=size)
    axes.set_yticks(range(C), names, fontsize=size)
    axes.set_xlabel("predicted class", labelpad=8)
    axes.set_ylabel("true class", labelpad=8)
    texts = np.where(counts > 0, counts.astype(str), "").astype(object)
    style.write_cells(axes, texts, strength > 0.8, np.array([cell, cell]))
    recalls = [
        f"{100 * hits / of:.1f} %" if of else "\N{EN DASH}"
        for hits, of in zip(right, images, strict=True)
    ]
    beside = C - 0.5 + 0.37 / cell
    style.write(axes, recalls, np.column_stack((np.full(C, beside), np.arange(C))), size=size)
    style.write(axes, ["recall"], np.array([[beside, -0.5 - 0.15 / cell]]), size=style.BODY)
    return figure


@style.house_style
def weight_templates(view: RunView) -> Figure | None:
    """Return each class' weights as an image, on one scale whose pale middle is zero.

    The scale ends at the 99.5th percentile of the weights' sizes: a few pixels that are hardly ever
    lit can carry weights large enough to leave the rest pale.
    """
    if view.parameters is None:
        return None
    weights = np.asarray(view.parameters[:-1].T, dtype=float)
    steps = view.config.get("features")
    if steps:
        D = weights.shape[1]
        W = int(np.ceil(np.sqrt(D)))
        H = -(-D // W)
        weights = np.pad(weights, ((0, 0), (0, H * W - D)), constant_values=np.nan)
    else:
        H, W = view.dataset.test.images.shape[1:]
    templates = weights.reshape(-1, H, W)
    templates = np.where(np.isfinite(templates), templates, np.nan)
    C = len(templates)
    sizes = np.abs(templates[np.isfinite(templates)])
    largest = float(sizes.max(initial=0.0))
    limit = float(np.percentile(sizes, 99.5)) if largest else 1.0
    limit = limit or largest
    below, above = bool((templates < -limit).any()), bool((templates > limit).any())
    names, in_pairs = _column_names(view)
    notes = [
        "Positive weights (red) speak for the first of two classes, negative ones for the second."
        if in_pairs
        else "Positive weights (red) raise the score of a class, negative ones (blue) lower it."
    ]
    if steps:
        notes.append(f"The {D:,} features stand row by row.")
    if below or above:
        notes.append(
            f"The scale ends where 99.5 % of the weights lie within; the largest is "
            f"{number(largest)}."
        )
    figure, image = _draw_tiles(
        templates, [[cut(name, 24)] for name in names],
        (view.title, view.details, notes), right=0.65, height=7.0, fill=np.nan, size=style.BODY,
        columns=min(C, max(5, int(np.ceil(np.sqrt(1.6 * C))))), cmap="RdBu_r", vmin=-limit,
        vmax=limit,
    )  # fmt: skip
    width, height = image.axes.bbox.width / style.DPI, image.axes.bbox.height / style.DPI
    tall = min(height - 0.3, 3.0)
    corner = (style.MARGIN + width + 0.1, _BOTTOM + (height - 0.25 - tall) / 2)
    bar = style.add_axes(figure, corner, (0.13, tall))
    pointed = "both" if below and above else "min" if below else "max" if above else "neither"
    figure.colorbar(image, cax=bar, extend=pointed)
    return figure


def _column_names(view: RunView) -> tuple[list[str], bool]:
    """Return what each column of the weights speaks for, and whether that is one of two classes."""
    names = list(view.dataset.classes)
    code = view.coding.code(view.coding.columns(len(names)))
    if (code >= 0).all():
        return names, False
    pairs = zip(code.argmax(axis=0), code.argmin(axis=0), strict=True)
    return [f"{names[one]} or {names[other]}" for one, other in pairs], True


@style.house_style
def worst_mistakes(view: RunView) -> Figure | None:
    """Return the 40 test images that the run was most sure of and wrong about, dark on light."""
    if view.predictions is None or view.parameters is None:
        return None
    test = view.dataset.test
    wrong = np.flatnonzero(view.predictions != test.labels)
    count = f"{len(wrong):,} of {len(test):,} test images are taken for another class"
    if not len(wrong):
        note = f"{count}: there is no mistake to show."
        return style.new_page(0.1, view.title, view.details, [note])
    outputs, rows = view.scores(wrong), np.arange(len(wrong))
    margins = outputs[rows, view.predictions[wrong]] - outputs[rows, test.labels[wrong]]
    worst = np.argsort(-margins, kind="stable")[:MOST]
    chosen, margins = wrong[worst], margins[worst]
    names = [cut(name, 16) for name in view.dataset.classes]
    pairs = [(names[test.labels[at]], names[view.predictions[at]]) for at in chosen]
    headings = [[f"{one} → {other}"] for one, other in pairs]
    if max(len(heading) for (heading,) in headings) > 10:
        headings = [[one, f"→ {other}"] for one, other in pairs]
    ends = dict.fromkeys(number(float(margin)) for margin in (margins[0], margins[-1]))
    scores = f", which scored {' to '.join(ends)} higher" if np.isfinite(margins).all() else ""
    which = "all of them" if len(chosen) == len(wrong) else f"the worst {MOST}"
    notes = [
        f"{count}. Drawn: {which}, the worst first.",
        f"Above each: its true class → the predicted one{scores}.",
    ]
    head = (view.title, view.details, notes)
    return _draw_tiles(test.images[chosen], headings, head, columns=8, height=8.0, **_GREYS)[0]


@style.house_style
def seen_images(images: Array, headings: Sequence[Sequence[str]], *, title: str) -> Figure:
    """Return `images` (M, H, W) of uint8 side by side, dark on light, M at least 1.

    `headings` are the lines above each image, as many for each.
    """
    columns = max(4, min(6, len(images)))
    shortened = [[cut(line, 24) for line in lines] for lines in headings]
    head: _Head = (title, "", [])
    return _draw_tiles(images, shortened, head, columns=columns, height=40.0, **_GREYS)[0]


def _draw_tiles(
    tiles: Array,
    headings: Sequence[Sequence[str]],
    head: _Head,
    *,
    columns: int,
    height: float,
    fill: float,
    right: float = 0.0,
    size: float = style.SMALL,
    **look: Any,
) -> tuple[Figure, AxesImage]:
    """Draw `tiles` (M, H, W) in rows as ONE image, because each artist costs time, and return both.

    Above each tile stand its lines of `headings`. A tile's pixel is a whole number of the figure's
    pixels wide where there is room for it, so that no row looks thicker than another. Between the
    tiles is `fill`, `right` inches stay free, and all rows take at most `height` inches.
    """
    count, H, W = tiles.shape
    rows, lines = -(-count // columns), len(headings[0])
    heading = 0.12 + _LINE * lines
    width = style.WIDTH - 2 * style.MARGIN - right
    each = (width - 0.05 * (columns - 1)) / columns  # inches for a tile, with gaps between them
    scale = min(each / W, width / (columns * (W + 1) - 1), (height / rows - heading) / H, 0.1)
    if scale * style.DPI >= 1:
        scale = int(scale * style.DPI) / style.DPI
    # What the whole pixels leave over goes between the tiles, up to a point.
    spare = min((width - columns * W * scale) / max(columns - 1, 1), 0.3)
    above, left = int(np.ceil(heading / scale)), int(spare / scale + 1e-6)
    padded = np.full((rows * columns, above + H, left + W), fill, np.result_type(tiles, np.float32))
    padded[:count, above:, left:] = tiles
    grid = padded.reshape(rows, columns, above + H, left + W).swapaxes(1, 2)
    joined = grid.reshape(rows * (above + H), -1)[:, left:]

    extent = (joined.shape[1] * scale, joined.shape[0] * scale)
    figure = style.new_page(extent[1] + _BOTTOM, *head)
    axes = style.add_axes(figure, (style.MARGIN, _BOTTOM), extent)
    axes.set_axis_off()
    image = axes.imshow(joined, aspect="auto", interpolation="nearest", **look)
    row, column = np.divmod(np.arange(count), columns)
    middle = column * (left + W) + W / 2 - 0.5
    room = (W + left) * scale - 0.08
    size = min(style.shrink(text, size, room) for texts in headings for text in texts)
    for line, texts in enumerate(zip(*headings, strict=True)):
        up = (0.1 + _LINE * (lines - 1 - line)) / scale
        places = np.column_stack((middle, row * (above + H) + above - 0.5 - up))
        style.write(axes, texts, places, size=size)
    return figure, image
