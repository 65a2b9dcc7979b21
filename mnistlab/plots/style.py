"""One look for every figure: its colours and letters, its head, and axes with a few round ticks.

V is a number of values, M that of texts.
"""

import functools
import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.patches import PathPatch
from matplotlib.path import Path as Outline
from matplotlib.patheffects import withStroke
from matplotlib.textpath import TextPath
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator
from numpy.typing import NDArray

from mnistlab.plots.labels import FONT, cut, format_ticks, plain, spell

WIDTH = 8.0  # inches; readable when printed at half of it
DPI = 150
MARGIN = 0.3  # inches

# Blue and vermilion of Okabe and Ito are told apart with any colour vision; the vermilion is a
# shade darker than theirs so that small text in it keeps a contrast of 4.5 on white.
BLUE, VERMILION = "#0072B2", "#C24E00"
INK, MUTED, FAINT, PALE = "#1f1f1f", "#595959", "#c8c8c8", "#ebebeb"
DIVERGED = "#F8E4D8"  # a tint of the vermilion, for areas

TITLE, BODY, SMALL = 12.0, 9.5, 9.0  # points
DASHED = (0, (4, 1.6))

_CAP_HEIGHT = 0.729  # of the font, as a part of its size

# What a personal matplotlibrc could change. No text is parsed: a `$` in a name stays a `$`.
SETTINGS: dict[Any, Any] = {
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
    "hatch.linewidth": 0.7,
    "image.origin": "upper",
    "legend.borderaxespad": 0.0,
    "legend.fontsize": SMALL,
    "legend.frameon": False,
    "legend.labelcolor": None,
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
house_style = matplotlib.rc_context(SETTINGS)

HALO = [withStroke(linewidth=3.5, foreground="white")]
"""Keeps a text legible on top of lines."""


def new_figure(body: float, title: str, details: str = "", notes: Sequence[str] = ()) -> Figure:
    """Return a figure `WIDTH` inches wide with a head, and room for axes in its lowest inches."""
    return add_head(Figure(figsize=(WIDTH, body), dpi=DPI), title, details, notes)


def new_layout(body: float) -> Figure:
    """Return a figure of `body` inches whose panels Matplotlib lays out; its head comes last.

    That draws the figure twice, 0.05 s more, so the plots of a run do without.
    """
    return Figure(figsize=(WIDTH, body), dpi=DPI, layout=ConstrainedLayoutEngine(wspace=0.06))


def add_head(figure: Figure, title: str, details: str = "", notes: Sequence[str] = ()) -> Figure:
    """Return `figure`, higher by a title and small lines below it.

    `notes` are sentences, set on as few lines as hold them. A text that is too long gets smaller
    letters, and is cut in the end.
    """
    body = figure.get_figheight()
    lines = [cut(details, 120), *textwrap.wrap(" ".join(filter(None, notes)), 110)]
    lines = [line for line in lines if line]
    # in whole pixels, for images that are drawn pixel on pixel
    height = math.ceil(body * DPI) / DPI + 0.5 + 0.2 * len(lines)
    figure.set_size_inches(WIDTH, height)
    engine = figure.get_layout_engine()
    if isinstance(engine, ConstrainedLayoutEngine):
        engine.set(rect=(0.02, 0.08 / height, 0.955, (body - 0.08) / height))
    left, most = MARGIN / WIDTH, WIDTH - 2 * MARGIN
    head = cut(title, 80)
    size = shrink(head, TITLE, most / 1.15)  # bold letters are wider than those measured
    figure.text(left, 1 - 0.32 / height, head, fontsize=size, fontweight="bold")
    for row, line in enumerate(lines):
        y = 1 - (0.56 + 0.2 * row) / height
        figure.text(left, y, line, fontsize=shrink(line, SMALL, most), color=MUTED)
    return figure


def add_axes(
    figure: Figure, corner: tuple[float, float], size: tuple[float, float], **options: Any
) -> Axes:
    """Return axes of `size`, width and height in inches, whose bottom left is at `corner`."""
    width, height = figure.get_size_inches()
    place = (corner[0] / width, corner[1] / height, size[0] / width, size[1] / height)
    return figure.add_axes(place, **options)


def write_state(axes: Axes, statement: str) -> None:
    """Put words where a plot would have nothing to show."""
    axes.set_axis_off()
    axes.text(
        0.5, 0.5, statement, color=MUTED, transform=axes.transAxes,
        horizontalalignment="center", verticalalignment="center",
    )  # fmt: skip


@dataclass(frozen=True)
class Scale:
    """An axis before it is drawn: whether it is logarithmic, its ends and its ticks (V,)."""

    log: bool
    low: float
    high: float
    ticks: NDArray[np.float64]

    @classmethod
    def of(
        cls,
        values: NDArray[Any],
        *,
        log: bool | None = None,
        pad: tuple[float, float] = (0.05, 0.05),
        exact: int = 0,
    ) -> Self:
        """Return the scale on which the finite `values` (V,) fill the axis; V is at least 1.

        Args:
            values: (V,); above zero for a logarithmic scale.
            log: whether it is logarithmic; None: where they span more than a factor of ten.
            pad: the room below the lowest and above the highest, in parts of their distance.
            exact: up to so many different values are the ticks themselves, else round numbers.
        """
        values = np.clip(np.asarray(values, dtype=float), -1e307, 1e307)
        low, high = float(values.min()), float(values.max())
        if log is None:
            log = bool(low > 0 and np.log10(high) - np.log10(low) > 1)
        start, end = np.log10([low, high]) if log else (low, high)
        if low == high:
            around = 0.5 if log else 0.5 * (0.1 * abs(low) or 1.0)
            start, end = start - around, end + around
        first, last = start - pad[0] * (end - start), end + pad[1] * (end - start)
        if log:
            first, last = 10.0 ** np.clip((first, last), -307, 308)
        once = np.unique(values)
        ticks = once if len(once) <= max(exact, 1) else find_ticks(first, last, log=log)
        return cls(log, float(first), float(last), ticks)

    def place(self, values: Any) -> NDArray[np.float64]:
        """Return where `values` lie, of any shape, from 0 at the low end to 1 at the high one."""
        with np.errstate(divide="ignore", invalid="ignore"):
            at, low, high = (
                np.log10(v) if self.log else np.asarray(v, dtype=float)
                for v in (values, self.low, self.high)
            )
        placed: NDArray[np.float64] = (at - low) / (high - low)
        return placed

    def labels(self) -> list[str]:
        """Return a text for each tick."""
        return [cut(text, 12) for text in format_ticks(self.ticks, log=self.log)]


def set_scale(axes: Axes, side: Literal["x", "y"], scale: Scale) -> None:
    """Give a panel its scale across or upwards, the latter with a pale line at each tick."""
    kind = "log" if scale.log else "linear"
    if side == "x":
        axes.set(xscale=kind, xlim=(scale.low, scale.high))
    else:
        axes.set(yscale=kind, ylim=(scale.low, scale.high))
        axes.grid(axis="y", color=PALE, linewidth=0.7)
    axis = axes.xaxis if side == "x" else axes.yaxis
    labels = scale.labels()
    axis.set_ticks(scale.ticks, labels)
    if side == "y":  # long ones would push the axis' name off a page of fixed margins
        axis.set_tick_params(labelsize=SMALL * min(1.0, 6.5 / max(map(len, labels), default=1)))
    axis.set_minor_locator(NullLocator())


def set_name(axes: Axes, side: Literal["x", "y"], name: str, room: float) -> None:
    """Write a parameter's or metric's name at one axis, in at most `room` inches."""
    text = cut(spell(name), 50)
    axes.set(**{f"{side}label": text})
    getattr(axes, f"{side}axis").label.set_fontsize(shrink(text, BODY, room))


def set_epochs(axes: Axes, low: float, high: float, name: str = "epoch") -> None:
    """Set a horizontal axis that counts from `low` to `high`, with ticks at whole numbers."""
    pad = 0.04 * (high - low) or 0.5
    axes.set(xlim=(low - pad, high + pad), xlabel=name)
    locator = MaxNLocator(nbins=6, steps=[1, 2, 5, 10], integer=True, min_n_ticks=1)
    ticks = np.asarray(locator.tick_values(low, high))
    ticks = ticks[(ticks >= low) & (ticks <= high)]
    axes.set_xticks(ticks, [f"{tick:.0f}" for tick in ticks])


def shrink(text: str, size: float, room: float) -> float:
    """Return `size` in points, or less where one line of `text` would be over `room` inches."""
    width = _outline(text)[2] * size / 72
    return size * min(1.0, room / width) if width else size


class Texts(PathPatch):
    """Many short texts as one artist: a hundred `Text` artists took 0.05 s longer.

    Attributes:
        strings: the texts as drawn.
        anchors: their places, (M, 2), in inches from the figure's bottom left.
    """

    def __init__(
        self,
        figure: Figure,
        strings: Sequence[str],
        anchors: NDArray[Any],
        *,
        size: float = SMALL,
        color: str = INK,
        align: float = 0.5,
        angle: float = 0.0,
        room: float = WIDTH,
    ) -> None:
        """Write each string on the figure, its capitals centred on its anchor.

        Args:
            figure: to be written on.
            strings: M of them.
            anchors: (M, 2) in inches from the bottom left.
            size: of the letters in points.
            color: of all of them.
            align: the part of a text's width before its anchor: 0.5 is centred, 1 ends there.
            angle: of every text about its anchor, in degrees counterclockwise.
            room: the inches that a text may take; a longer one gets smaller letters.
        """
        self.strings = tuple(_cut_to(plain(text), 1.25 * room * 72 / size) for text in strings)
        self.anchors = np.asarray(anchors, dtype=float).reshape(-1, 2)
        cosine, sine = np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))
        turn = np.array([[cosine, sine], [-sine, cosine]])
        vertices, codes = [np.empty((0, 2))], [np.empty(0, dtype=np.uint8)]
        for text, anchor in zip(self.strings, self.anchors, strict=True):
            points, kinds, width = _outline(text)
            scale = shrink(text, size, room) / 72
            vertices.append((points - (align * width, _CAP_HEIGHT / 2)) @ turn * scale + anchor)
            codes.append(kinds)
        outline = Outline(np.concatenate(vertices), np.concatenate(codes))
        super().__init__(outline, facecolor=color, linewidth=0, transform=figure.dpi_scale_trans)
        figure.add_artist(self)


def _cut_to(text: str, width: float) -> str:
    """Return `text`, cut with `…` to at most so many times the size of its letters."""
    while len(text) > 2 and _outline(text)[2] > width:
        text = text.removesuffix("…")[:-1] + "…"
    return text


@functools.lru_cache(maxsize=4096)
def _outline(text: str) -> tuple[NDArray[Any], NDArray[Any], float]:
    """Return the outline's vertices (V, 2), its codes (V,) and its width, at size 1."""
    if not text.strip():  # of which Matplotlib makes no path
        return np.empty((0, 2)), np.empty(0, dtype=np.uint8), 0.0
    path = TextPath((0, 0), text, size=100, prop=FontProperties(family=FONT))
    vertices = np.asarray(path.vertices, dtype=float).reshape(-1, 2) / 100
    return vertices, np.asarray(path.codes, dtype=np.uint8), float(vertices[:, 0].max(initial=0))


def find_ticks(low: float, high: float, *, log: bool) -> NDArray[np.float64]:
    """Return about five round ticks: on few decades also parts of them."""
    decades = np.log10(high) - np.log10(low) if log else 0.0
    with np.errstate(over="ignore"):
        if decades < 0.75:  # a factor of 5.6 has no round powers
            locator = MaxNLocator(nbins=5, steps=[1, 2, 2.5, 5, 10])
            ticks = np.asarray(locator.tick_values(low, high))
        elif decades < 3.5:
            parts = (((1, 2, 3, 5), 1), ((1, 2, 5), 1.7), ((1, 3), 2.5), ((1,), 3.5))
            subs = next(subs for subs, most in parts if decades < most)
            ticks = np.asarray(LogLocator(subs=subs).tick_values(low, high))
        else:  # equal steps between the powers of ten
            powers = MaxNLocator(nbins=6, steps=[1, 2, 5, 10], integer=True)
            ticks = 10.0 ** np.asarray(powers.tick_values(*np.log10([low, high])))
    return np.unique(ticks[(ticks >= low) & (ticks <= high)])
