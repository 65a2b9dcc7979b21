"""What a classifier gets wrong and what it looks for: matrix, weights, mistakes, images it saw.

H and W are an image's height and width in pixels, C is the number of classes, M that of images.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from numpy.typing import NDArray

from mnistlab.plots import style
from mnistlab.plots.labels import cut, number, plain

MOST = 40  # mistakes in the figure
_RECALL = 0.7  # inches right of the matrix
_LETTER = 0.085  # inches: the width of most letters of a class' name
_BAR = 0.65  # inches right of the weights, for the colour bar and its labels
_BOTTOM = 0.2  # inches below the last row
_LINE = 0.16  # inches between the lines above an image
_PAPER, _PEN = 242 / 255, 16 / 255  # the greys of a pixel that is not lit and of one that is


@style.house_style
def confusion_matrix(
    counts: NDArray[Any], *, class_names: Sequence[str], title: str, details: str = ""
) -> Figure:
    """Return the matrix of how often each true class (a row) was given each class (a column).

    `counts` are (C, C) whole numbers. Off the diagonal a cell's colour is its share of its row; the
    diagonal, which would outshine them, is grey. Beside each row stands its recall, the share of
    its images that are right.
    """
    C = len(counts)
    names = [cut(name, 16) for name in class_names]
    longest = _LETTER * max(map(len, names))
    left = style.MARGIN + 0.35 + longest
    cell = min((style.WIDTH - style.MARGIN - _RECALL - left) / C, 0.75)
    turned = longest > cell  # names that are wider than their column
    bottom = 0.45 + (longest if turned else 0.15)
    side = cell * C

    images = counts.sum(axis=1)
    shares = counts / np.maximum(images, 1)[:, np.newaxis]
    np.fill_diagonal(shares, 0)
    strength = shares / (shares.max() or 1)
    total, right = int(counts.sum()), int(np.trace(counts))
    correct = f", {100 * right / total:.2f} % of them right" if total else ""
    notes = [
        f"{total:,} test images{correct} (grey). Colour: the part of a row that is taken for",
        f"another class, from none (white) to {number(100 * shares.max())} % (darkest).",
    ]
    figure = style.new_figure(bottom + side + 0.25, title, details, notes)
    axes = style.add_axes(figure, (left, bottom), (side, side))
    _color_cells(axes, counts, strength, cell)

    middles = (np.arange(C) + 0.5) * cell
    rows = np.column_stack((np.full(C, left), bottom + side - middles))
    columns = np.column_stack((left + middles, np.full(C, bottom)))
    size = min(style.SMALL, 72 * cell)
    style.Texts(figure, names, rows - (0.08, 0), size=size, align=1, room=longest + 0.05)
    if turned:
        style.Texts(figure, names, columns - (0, 0.08), size=size, align=1, angle=90, room=longest)
    else:
        style.Texts(figure, names, columns - (0, 0.14), size=size, room=cell)
    recalls = [
        f"{100 * hits / of:.1f} %" if of else "\N{EN DASH}"
        for hits, of in zip(np.diagonal(counts), images, strict=True)
    ]
    style.Texts(figure, recalls, np.add(rows, (side + 0.62, 0)), size=size, align=1)
    _write_counts(figure, counts, strength, np.array([left, bottom]), cell)
    middle = side / 2
    style.Texts(figure, ["predicted class"], np.array([left + middle, 0.18]), size=style.BODY)
    style.Texts(
        figure, ["true class"], np.array([style.MARGIN + 0.05, bottom + middle]),
        size=style.BODY, angle=90,
    )  # fmt: skip
    over = np.array([left + side + 0.62, bottom + side + 0.15])
    style.Texts(figure, ["recall"], over, size=style.BODY, align=1)
    return figure


def _color_cells(
    axes: Axes, counts: NDArray[Any], strength: NDArray[np.float64], cell: float
) -> None:
    """Colour the cells (C, C), with white lines between them."""
    colors = matplotlib.colormaps["Oranges"](0.85 * strength)[..., :3]
    colors[counts == 0] = 1
    colors[np.eye(len(counts), dtype=bool)] = to_rgb(style.PALE)
    axes.imshow(colors, aspect="auto", interpolation="nearest")
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set(visible=True, color=style.FAINT)
    lines = np.arange(1, len(counts)) - 0.5
    white: dict[str, Any] = {"color": "white", "linewidth": min(1.0, 3 * cell)}
    axes.hlines(lines, -0.5, len(counts) - 0.5, **white)
    axes.vlines(lines, -0.5, len(counts) - 0.5, **white)


def _write_counts(
    figure: Figure,
    counts: NDArray[Any],
    strength: NDArray[np.float64],
    corner: NDArray[Any],
    cell: float,
) -> None:
    """Write the counts that are not zero into their cells, all in one size."""
    digits = len(str(int(counts.max(initial=0))))
    size = min(style.BODY, 0.86 * 72 * cell / (0.64 * digits), 0.6 * 72 * cell)
    dark = strength > 0.8  # there white is easier to read than ink
    for chosen, color in ((~dark, style.INK), (dark, "white")):
        row, column = np.nonzero(chosen & (counts > 0))
        centres = np.column_stack((column + 0.5, len(counts) - row - 0.5)) * cell + corner
        texts = [str(int(count)) for count in counts[row, column]]
        style.Texts(figure, texts, centres, size=size, color=color)


@style.house_style
def weight_templates(
    weights: NDArray[Any], *, class_names: Sequence[str], title: str, details: str = ""
) -> Figure:
    """Return the `weights` (H, W, C) of all classes on one scale whose pale middle is zero.

    The scale ends at the 99.5th percentile of the weights' sizes: a few pixels at the border that
    are hardly ever lit can carry weights large enough to leave the rest pale. The colour bar's
    ends are pointed where weights lie beyond. Weights that are not finite stay blank.
    """
    templates = np.moveaxis(np.asarray(weights, dtype=float), -1, 0)
    finite = np.isfinite(templates)
    classes = len(templates)
    columns = min(classes, max(5, int(np.ceil(np.sqrt(1.6 * classes)))))
    tiles = _Tiles.plan(templates, columns=columns, right=_BAR, height=7.0, heading=0.25)
    sizes = np.abs(templates[finite])
    largest = float(sizes.max(initial=0.0))
    limit = float(np.percentile(sizes, 99.5)) if largest else 1.0
    limit = limit or largest
    notes = [
        "A lit pixel speaks for the class where its weight is positive (red), else against it."
    ]
    below, above = bool((templates < -limit).any()), bool((templates > limit).any())
    if below or above:
        notes.append(
            f"The scale ends where 99.5 % of the weights lie within; the largest is "
            f"{number(largest)}."
        )
    figure = style.new_figure(tiles.height + _BOTTOM, title, details, notes)
    axes = tiles.add_axes(figure)
    image = axes.imshow(
        tiles.join(np.where(finite, templates, np.nan), np.nan),
        cmap="RdBu_r", vmin=-limit, vmax=limit, aspect="auto", interpolation="nearest",
    )  # fmt: skip
    tiles.write(figure, [[cut(name, 24)] for name in class_names], style.BODY, 0.12)
    height = min(tiles.height - 0.3, 3.0)
    corner = (style.MARGIN + tiles.width + 0.1, _BOTTOM + (tiles.height - 0.25 - height) / 2)
    bar = style.add_axes(figure, corner, (0.13, height))
    ends: dict[tuple[bool, bool], Literal["neither", "min", "max", "both"]] = {
        (False, False): "neither", (True, False): "min", (False, True): "max",
    }  # fmt: skip
    figure.colorbar(image, cax=bar, extend=ends.get((below, above), "both"))
    return figure


@style.house_style
def worst_mistakes(
    images: NDArray[Any],
    true: NDArray[Any],
    predicted: NDArray[Any],
    margin: NDArray[Any],
    *,
    class_names: Sequence[str],
    title: str,
    details: str = "",
    total_mistakes: int,
    total_images: int,
) -> Figure:
    """Return the first 40 of the misjudged `images` (M, H, W) in rows, dark on light.

    They are uint8, the worst first. `true` and `predicted` (M,) are class numbers, and `margin`
    (M,) is by how much the predicted class outscored the true one. `total_mistakes` counts all
    that were misjudged of the `total_images`, drawn or not.
    """
    images, true, predicted, margin = (part[:MOST] for part in (images, true, predicted, margin))
    shown = len(images)
    count = f"{total_mistakes:,} of {total_images:,} test images are taken for another class"
    if not shown:
        return style.new_figure(0.1, title, details, [f"{count}: there is no mistake to show."])
    names = [cut(name, 16) for name in class_names]
    pairs = [(names[t], names[p]) for t, p in zip(true, predicted, strict=True)]
    headings = [[f"{one} → {other}"] for one, other in pairs]
    if max(len(heading) for (heading,) in headings) > 10:
        headings = [[one, f"→ {other}"] for one, other in pairs]
    which = "all of them" if shown == total_mistakes else f"the worst {shown}"
    notes = [
        f"{count}. Drawn: {which}, the worst first.",
        f"Above each: its true class → the predicted one{_describe_margin(margin)}.",
    ]
    return _draw_images(images, headings, 8, 8.0, title, details, notes)


@style.house_style
def seen_images(
    images: NDArray[Any], headings: Sequence[Sequence[str]], *, title: str, details: str = ""
) -> Figure:
    """Return `images` (M, H, W) of uint8 side by side, dark on light, M at least 1.

    `headings` are the lines above each image, as many for each.
    """
    columns = max(4, min(6, len(images)))
    shortened = [[cut(line, 24) for line in lines] for lines in headings]
    return _draw_images(images, shortened, columns, 40.0, title, details, [])


def _draw_images(
    images: NDArray[Any],
    headings: Sequence[Sequence[str]],
    columns: int,
    height: float,
    title: str,
    details: str,
    notes: Sequence[str],
) -> Figure:
    """Return a figure of images (M, H, W) in at most `height` inches, with lines above each."""
    heading = 0.12 + _LINE * len(headings[0])
    tiles = _Tiles.plan(images, columns=columns, right=0.0, height=height, heading=heading)
    figure = style.new_figure(tiles.height + _BOTTOM, title, details, notes)
    greys = tiles.join(_PAPER + (_PEN - _PAPER) * (images / np.float32(255)), 1.0)
    tiles.add_axes(figure).imshow(
        greys, cmap="gray", vmin=0, vmax=1, aspect="auto", interpolation="nearest"
    )
    tiles.write(figure, headings, style.SMALL, 0.1)
    return figure


def _describe_margin(margin: NDArray[Any]) -> str:
    """Return by how much the wrong classes were ahead, where that is known."""
    if not np.isfinite(margin).all():
        return ""
    described = dict.fromkeys(number(float(value)) for value in (margin.max(), margin.min()))
    return f", which scored {' to '.join(described)} higher"


@dataclass(frozen=True)
class _Tiles:
    """Small images of one size in rows, joined to ONE image because each artist costs time.

    A tile's pixel is a whole number of the figure's pixels wide wherever there is room for it, so
    that no row of a tile looks thicker than another.

    Attributes:
        tile: height and width of a tile in pixels.
        rows, columns: of tiles.
        gap: free pixels above each tile (room for a heading) and left of each but the first.
        scale: inches per pixel.
    """

    tile: tuple[int, int]
    rows: int
    columns: int
    gap: tuple[int, int]
    scale: float

    @classmethod
    def plan(
        cls, tiles: NDArray[Any], *, columns: int, right: float, height: float, heading: float
    ) -> "_Tiles":
        """Place `tiles` (M, H, W) in at most `height` inches, with `heading` inches above each.

        `right` inches of the page are left free beside them.
        """
        width = style.WIDTH - 2 * style.MARGIN - right
        count, H, W = tiles.shape
        rows, gaps = -(-count // columns), columns - 1
        scale = min(
            (width - 0.05 * gaps) / (columns * W),
            width / (columns * W + gaps),
            (height / rows - heading) / H,
            0.1,
        )
        if scale * style.DPI >= 1:
            scale = int(scale * style.DPI) / style.DPI
        # What the whole pixels leave over goes between the tiles, up to a point.
        spare = min((width - columns * W * scale) / max(gaps, 1), 0.3)
        above, left = int(np.ceil(heading / scale)), int(spare / scale + 1e-6)
        return cls((H, W), rows, columns, (above, left), scale)

    @property
    def width(self) -> float:
        """Of everything, in inches."""
        return (self.columns * (self.tile[1] + self.gap[1]) - self.gap[1]) * self.scale

    @property
    def height(self) -> float:
        """Of everything, in inches."""
        return self.rows * (self.tile[0] + self.gap[0]) * self.scale

    def add_axes(self, figure: Figure) -> Axes:
        """Return bare axes for the joined image, at the bottom left of the page."""
        axes = style.add_axes(figure, (style.MARGIN, _BOTTOM), (self.width, self.height))
        axes.set_axis_off()
        return axes

    def join(self, tiles: NDArray[Any], fill: float) -> NDArray[Any]:
        """Return the one image that holds `tiles` (M, H, W), with `fill` between them."""
        missing = self.rows * self.columns - len(tiles)
        gaps = ((0, missing), (self.gap[0], 0), (self.gap[1], 0))
        padded = np.pad(tiles, gaps, constant_values=fill)
        padded[len(tiles) :] = fill
        grid = padded.reshape(self.rows, self.columns, *padded.shape[1:]).swapaxes(1, 2)
        return grid.reshape(self.rows * padded.shape[1], -1)[:, self.gap[1] :]

    def write(
        self, figure: Figure, headings: Sequence[Sequence[str]], size: float, lift: float
    ) -> None:
        """Write lines above each tile, the last one `lift` inches above its upper edge."""
        row, column = np.divmod(np.arange(len(headings)), self.columns)
        (H, W), (above, left) = self.tile, self.gap
        x = style.MARGIN + (column * (left + W) + W / 2) * self.scale
        y = _BOTTOM + ((self.rows - row) * (above + H) - above) * self.scale
        room = (W + left) * self.scale - 0.08
        for line, texts in enumerate(zip(*headings, strict=True)):
            up = lift + _LINE * (len(headings[0]) - 1 - line)
            anchors = np.column_stack((x, y + up))
            style.Texts(figure, [plain(text) for text in texts], anchors, size=size, room=room)
