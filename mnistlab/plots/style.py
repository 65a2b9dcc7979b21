"""One look for every figure, so that they can stand side by side in a thesis.

Everything is placed by hand in inches: a layout engine would draw each figure twice.
"""

import functools
import math
import re
from bisect import bisect
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Self

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.patches import PathPatch
from matplotlib.path import Path as Outline
from matplotlib.textpath import text_to_path
from numpy.typing import NDArray

WIDTH = 8.0  # inches; readable when printed at half of it
DPI = 150
MARGIN = 0.3  # inches

# Blue and vermilion of Okabe and Ito are told apart with any colour vision; the vermilion is a
# shade darker than theirs so that small text in it keeps a contrast of 4.5 on white.
BLUE, VERMILION = "#0072B2", "#C24E00"
INK, MUTED, FAINT, PALE = "#1f1f1f", "#595959", "#c8c8c8", "#ebebeb"

TITLE, BODY, SMALL = 12.0, 9.5, 9.0  # points
FONT = "DejaVu Sans"  # comes with matplotlib: the same letters on every machine
_CAP_HEIGHT = 0.729  # of FONT, as a part of its size

# What a personal matplotlibrc could change. No text is parsed: a `$` in a name stays a `$`.
_SETTINGS: dict[Any, Any] = {
    "axes.edgecolor": MUTED,
    "axes.facecolor": "white",
    "axes.grid": False,
    "axes.labelcolor": INK,
    "axes.labelsize": BODY,
    "axes.linewidth": 0.8,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.unicode_minus": True,
    "figure.autolayout": False,
    "figure.constrained_layout.use": False,
    "figure.facecolor": "white",
    "font.family": FONT,
    "font.size": BODY,
    "image.origin": "upper",
    "savefig.bbox": None,
    "savefig.facecolor": "auto",
    "savefig.transparent": False,
    "text.color": INK,
    "text.parse_math": False,
    "text.usetex": False,
    "xtick.color": MUTED,
    "xtick.labelcolor": INK,
    "xtick.labelsize": SMALL,
    "ytick.color": MUTED,
    "ytick.labelcolor": INK,
    "ytick.labelsize": SMALL,
}

# Decorates the functions that draw: the style holds inside them and nowhere else.
house_style = matplotlib.rc_context(_SETTINGS)


def new_figure(body: float, title: str, subtitle: Sequence[str] = ()) -> Figure:
    """Return a figure `WIDTH` inches wide: a title, small lines below it, and room to draw.

    The room is the lowest `body` inches. A text that is too long for the width is cut.
    """
    # In whole pixels, for images that are drawn pixel on pixel.
    height = math.ceil(body * DPI) / DPI + 0.5 + 0.2 * len(subtitle)
    figure = Figure(figsize=(WIDTH, height))
    left, room = MARGIN / WIDTH, WIDTH - 2 * MARGIN
    # Widths are measured on the regular face; the bold one runs up to 15 % wider.
    head = fit(title, TITLE, room / 1.15)
    figure.text(left, 1 - 0.32 / height, head, fontsize=TITLE, fontweight="bold")
    for row, line in enumerate(subtitle):
        y = 1 - (0.56 + 0.2 * row) / height
        figure.text(left, y, fit(line, SMALL, room), fontsize=SMALL, color=MUTED)
    return figure


def canvas(figure: Figure) -> Axes:
    """Return bare axes over the whole figure whose coordinates are inches from the bottom left."""
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    width, height = figure.get_size_inches()
    axes.set(xlim=(0, width), ylim=(0, height), autoscale_on=False)
    return axes


def save(figure: Figure, path: Path | IO[bytes]) -> None:
    """Write `figure` as a PNG of 150 dots per inch; the same figure gives the same bytes.

    Raises:
        OSError: `path` cannot be written.
    """
    with matplotlib.rc_context(_SETTINGS):
        figure.savefig(
            path,
            format="png",
            dpi=DPI,
            metadata={"Software": None},
            # Level 6 took 1.5 times as long for files a tenth smaller.
            pil_kwargs={"compress_level": 1},
        )


def plain(text: str) -> str:
    """Return `text` on one line, with a `?` for each letter that the font does not have."""
    line = " ".join(str(text).split())
    if line.isascii() and line.isprintable():
        return line
    font = get_font(findfont(FontProperties(family=FONT)))
    return "".join(c if c.isprintable() and font.get_char_index(ord(c)) else "?" for c in line)


def fit(text: str, size: float, width: float) -> str:
    """Return `text` as `plain` gives it, cut with `…` to at most `width` inches at `size` points.

    One letter and the `…` are always left.
    """
    line = plain(text)
    if len(line) < 300 and text_width(line, size) <= width:
        return line
    lengths = range(1, min(len(line), 300))
    kept = bisect(lengths, width, key=lambda length: text_width(line[:length] + "…", size))
    return line[: max(kept, 1)] + "…"


def text_width(text: str, size: float) -> float:
    """Return the width in inches of `text` (of `plain`) at `size` points."""
    return sum(_glyphs(token)[2] for token in _tokens(text)) * size / 72


def number(value: float) -> str:
    """Return a finite `value` to three digits, no coarser than whole, no finer than 0.0001.

    What would be longer is written as a power of ten.
    """
    if value == 0:
        return "0"
    magnitude = int(f"{value:.2e}".partition("e")[2])
    if -3 <= magnitude < 5:
        return f"{value:.{min(max(0, 2 - magnitude), 4)}f}".replace("-", _MINUS)
    mantissa = f"{value:.2e}".partition("e")[0].rstrip("0").rstrip(".").replace("-", _MINUS)
    power = f"10{str(magnitude).translate(_SUPERSCRIPT)}"
    return power if mantissa == "1" else f"{mantissa}·{power}"


def short(value: float) -> str:
    """Return what `number` does, without the zeros at its end: for round values, as on axes."""
    text = number(value)
    return text.rstrip("0").rstrip(".") if "." in text else text


_MINUS = "\N{MINUS SIGN}"
_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


class Words(PathPatch):
    """Many short texts as one artist: a hundred `Text` artists take ten times as long to draw.

    Attributes:
        strings: the texts as drawn.
        positions: their anchors, (M, 2), in inches.
    """

    def __init__(
        self,
        strings: Sequence[str],
        positions: NDArray[Any],
        *,
        size: float = BODY,
        color: str = INK,
        align: float = 0.5,
        angle: float = 0.0,
    ) -> None:
        """Lay out each string around its anchor on a `canvas`.

        Args:
            strings: M texts as `plain` or `fit` returns them.
            positions: (M, 2) anchors in inches; the capitals of a text are centred on its anchor.
            size: in points.
            color: of all of them.
            align: the part of a text's width that lies before its anchor: 0 for a text that
                starts there, 0.5 for one centred on it, 1 for one that ends there.
            angle: of every text about its anchor, in degrees counterclockwise.
        """
        self.strings = tuple(strings)
        self.positions = np.asarray(positions, dtype=float).reshape(-1, 2)
        cosine, sine = np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))
        turn = np.array([[cosine, sine], [-sine, cosine]]) * size / 72
        vertices, codes = [np.empty((0, 2))], [np.empty(0, dtype=np.uint8)]
        for string, anchor in zip(self.strings, self.positions, strict=True):
            start = -align * text_width(string, 72)
            for token in _tokens(string):
                points, kinds, width = _glyphs(token)
                vertices.append(np.add(points, (start, -_CAP_HEIGHT / 2)) @ turn + anchor)
                codes.append(kinds)
                start += width
        outline = Outline(np.concatenate(vertices), np.concatenate(codes))
        super().__init__(outline, facecolor=color, linewidth=0)


def _tokens(text: str) -> list[str]:
    """Return whole words, whose letters are kerned, and all else sign by sign."""
    return re.findall(r"[^\W\d_]+|.", text)


@functools.lru_cache(maxsize=4096)
def _glyphs(token: str) -> tuple[NDArray[Any], NDArray[Any], float]:
    """Return the outline's vertices (V, 2), its codes (V,) and the width, at size 1."""
    font = FontProperties(family=FONT, size=100)
    vertices, codes = text_to_path.get_text_path(font, token)
    width, _, _ = text_to_path.get_text_width_height_descent(token, font, ismath=False)
    points = np.asarray(vertices, dtype=float).reshape(-1, 2) / text_to_path.FONT_SCALE
    return points, np.asarray(codes, dtype=np.uint8), width / 100


@dataclass(frozen=True)
class Tiling:
    """Small images of one size in rows, joined to ONE image because each artist costs time.

    A tile's pixel is a whole number of the figure's pixels wide wherever there is room for it, so
    that no row of a tile looks thicker than another.

    Attributes:
        tile: height and width of a tile in pixels.
        rows, columns: of tiles.
        gap: free pixels above each tile (room for a label) and left of each but the first.
        scale: inches per pixel.
    """

    tile: tuple[int, int]
    rows: int
    columns: int
    gap: tuple[int, int]
    scale: float

    @classmethod
    def plan(
        cls, tiles: NDArray[Any], *, columns: int, width: float, height: float, label: float
    ) -> Self:
        """Place `tiles`, (M, H, W) with M at least 1, in at most `width` and `height` inches.

        `label` inches are kept free above each tile.
        """
        count, *tile = tiles.shape
        rows, gaps = -(-count // columns), columns - 1
        scale = min(
            (width - 0.05 * gaps) / (columns * tile[1]),
            width / (columns * tile[1] + gaps),
            (height / rows - label) / tile[0],
            0.1,
        )
        if scale * DPI >= 1:
            scale = int(scale * DPI) / DPI
        # What the whole pixels leave over goes between the tiles, up to a point.
        spare = min((width - columns * tile[1] * scale) / max(gaps, 1), 0.3)
        above, left = math.ceil(label / scale), int(spare / scale + 1e-6)
        return cls((tile[0], tile[1]), rows, columns, (above, left), scale)

    @property
    def size(self) -> tuple[float, float]:
        """Width and height of everything in inches."""
        pitch = np.add(self.tile, self.gap)
        width = self.columns * pitch[1] - self.gap[1]
        return float(width * self.scale), float(self.rows * pitch[0] * self.scale)

    def join(self, tiles: NDArray[Any], fill: float) -> NDArray[Any]:
        """Return the one image that holds `tiles`, with `fill` between them."""
        (height, width), (above, left) = self.tile, self.gap
        shape = (self.rows, above + height, self.columns, left + width)
        joined = np.full(shape, fill, dtype=tiles.dtype)
        for index, tile in enumerate(tiles):
            row, column = divmod(index, self.columns)
            joined[row, above:, column, left:] = tile
        flat = joined.reshape(self.rows * shape[1], self.columns * shape[3])
        return flat[:, left:]

    def anchors(self, count: int, corner: tuple[float, float]) -> NDArray[Any]:
        """Return (count, 2): the middle of each tile's upper edge in inches.

        `corner` is the bottom left of everything.
        """
        row, column = np.divmod(np.arange(count), self.columns)
        (height, width), (above, left) = self.tile, self.gap
        x = column * (left + width) + width / 2
        y = (self.rows - row) * (above + height) - above
        return np.column_stack((x, y)) * self.scale + corner
