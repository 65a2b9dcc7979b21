"""One look for every figure: colours and letters, its head, names and numbers, axes and ticks.

V is a number of values, M that of texts.
"""

import math
import textwrap
from collections.abc import Iterable, Sequence
from numbers import Real
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.collections import QuadMesh
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.patheffects import AbstractPathEffect, withStroke
from matplotlib.textpath import text_to_path
from matplotlib.ticker import (
    FixedLocator,
    Formatter,
    FuncFormatter,
    Locator,
    LogLocator,
    MaxNLocator,
    NullLocator,
    ScalarFormatter,
)
from numpy.typing import NDArray

from mnistlab.datasets import describe_steps

WIDTH = 8.0  # inches; readable when printed at half of it
DPI = 150
MARGIN = 0.3  # inches

# What a personal matplotlibrc could change; the constants below are of the same file.
SETTINGS = matplotlib.rc_params_from_file(
    str(Path(__file__).with_name("house.mplstyle")), use_default_template=False
)
# Decorates the functions that draw: the style holds inside them and nowhere else.
house_style = matplotlib.rc_context(SETTINGS)

# Blue and vermilion of Okabe and Ito are told apart with any colour vision; the vermilion is a
# shade darker than theirs so that small text in it keeps a contrast of 4.5 on white.
BLUE, VERMILION = "#0072B2", "#C24E00"
INK, MUTED, FAINT, PALE = SETTINGS["text.color"], SETTINGS["axes.edgecolor"], "#c8c8c8", "#ebebeb"
DIVERGED = "#F8E4D8"  # a tint of the vermilion, for areas

TITLE, BODY, SMALL = 12.0, SETTINGS["font.size"], SETTINGS["legend.fontsize"]  # points
FONT = FontProperties(family=SETTINGS["font.family"], size=1)
DASHED = (0, (4, 1.6))

PERCENT = " %"
_MINUS = "\N{MINUS SIGN}"
_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")

Array = NDArray[Any]

HALO: list[AbstractPathEffect] = [withStroke(linewidth=4.0, foreground="white")]
"""Keeps a text or a line legible on top of lines."""


def plain(text: str) -> str:
    """Return `text` on one line, with a `?` for each letter that the font does not have."""
    line = " ".join(str(text).split())
    if line.isascii() and line.isprintable():
        return line
    font = get_font(findfont(FONT))
    return "".join(c if c.isprintable() and font.get_char_index(ord(c)) else "?" for c in line)


def cut(text: str, most: int) -> str:
    """Return `text` as `plain` gives it, cut with `…` to at most so many characters."""
    line = plain(text)
    return line if len(line) <= most else line[: most - 1] + "…"


def spell(name: str) -> str:
    """Return a name with spaces where the config has underscores."""
    return name.replace("_", " ")


def number(value: float) -> str:
    """Return a finite `value` to three digits, no coarser than whole, no finer than 0.0001.

    What would be longer is written as a power of ten.
    """
    if value == 0:
        return "0"
    mantissa, _, power = f"{value:.2e}".partition("e")
    magnitude = int(power)
    if -3 <= magnitude < 5:
        return f"{value:.{min(max(0, 2 - magnitude), 4)}f}".replace("-", _MINUS)
    mantissa = mantissa.rstrip("0").rstrip(".").replace("-", _MINUS)
    ten = f"10{str(magnitude).translate(_SUPERSCRIPT)}"
    return ten if mantissa == "1" else f"{mantissa}·{ten}"


def format_error(error: float, unit: str) -> str:
    """Return an error as the table of a sweep has it: a percentage with two decimals."""
    if unit == PERCENT and 0 <= error < 1000:
        return f"{error:.2f}{unit}"
    return f"{number(error)}{unit}"


def format_value(value: Any) -> str:
    """Return the value of a parameter as a label: a number to three digits, a name with spaces."""
    if isinstance(value, list) and any(isinstance(one, dict) for one in value):
        return spell(describe_steps(value))
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(format_value, value))}]"
    numbers = numeric([value])
    if numbers is None:
        words = {"None": "none", "True": "true", "False": "false"}
        return spell(words.get(repr(value), str(value)))
    size = float(numbers[0])
    if not 5e-5 <= abs(size) < 1e5:
        return number(size)
    digits = max(3, len(f"{abs(size):.0f}"))  # whole numbers keep all of theirs
    text = np.format_float_positional(size, digits, unique=False, fractional=False, trim="-")
    return text.replace("-", _MINUS)


def numeric(values: Sequence[Any]) -> NDArray[np.float64] | None:
    """Return `values` (V,) as numbers; None if one of them is a name, a flag or not finite."""
    if not all(isinstance(value, Real) and not isinstance(value, bool) for value in values):
        return None
    try:
        numbers = np.array([float(value) for value in values], dtype=float)
    except OverflowError:  # a whole number of hundreds of digits
        return None
    return numbers if np.isfinite(numbers).all() else None


class _Layout(ConstrainedLayoutEngine):
    """Matplotlib's layout, rounded: the last bits of what its solver finds differ each time."""

    def execute(self, fig: Figure) -> None:
        """Place the axes of `fig`, with all that is written around them, side by side."""
        super().execute(fig)
        for axes in fig.axes:
            axes.set_position(np.round(axes.get_position(original=True).bounds, 9), "original")
            axes.set_in_layout(True)  # which a position that is set would undo


def new_figure(body: float) -> Figure:
    """Return a figure of `body` inches whose panels Matplotlib lays out; its head comes last.

    That draws the figure twice, 0.05 s more, so the plots of a run do without.
    """
    return Figure(figsize=(WIDTH, body), dpi=DPI, layout=_Layout(wspace=0.06))


def add_head(figure: Figure, title: str, details: str = "", notes: Sequence[str] = ()) -> Figure:
    """Return `figure`, higher by a title and small lines below it.

    `notes` are sentences, set on as few lines as hold them. A text that is too long gets smaller
    letters, and is cut in the end.
    """
    body = figure.get_figheight()
    lines = [cut(details, 120), *textwrap.wrap(" ".join(notes), 110)]
    lines = [line for line in lines if line]
    # in whole pixels, for images that are drawn pixel on pixel
    height = math.ceil(body * DPI) / DPI + 0.5 + 0.2 * len(lines)
    figure.set_size_inches(WIDTH, height)
    if isinstance(engine := figure.get_layout_engine(), ConstrainedLayoutEngine):
        engine.set(rect=(0.02, 0.08 / height, 0.955, (body - 0.08) / height))
    left, most = MARGIN / WIDTH, WIDTH - 2 * MARGIN
    head = cut(title, 80)
    size = shrink(head, TITLE, most / 1.15)  # bold letters are wider than those measured
    figure.text(left, 1 - 0.32 / height, head, fontsize=size, fontweight="bold")
    for row, line in enumerate(lines):
        y = 1 - (0.56 + 0.2 * row) / height
        figure.text(left, y, line, fontsize=shrink(line, SMALL, most), color=MUTED)
    return figure


def new_page(body: float, title: str, details: str = "", notes: Sequence[str] = ()) -> Figure:
    """Return a figure with a head, and room for axes by `add_axes` in its lowest `body` inches."""
    return add_head(Figure(figsize=(WIDTH, body), dpi=DPI), title, details, notes)


def add_axes(figure: Figure, corner: tuple[float, float], size: tuple[float, float]) -> Axes:
    """Return axes of `size`, width and height in inches, whose bottom left is at `corner`."""
    return figure.add_axes(tuple(np.divide((*corner, *size), [*figure.get_size_inches()] * 2)))


def say(title: str, details: str, statement: str) -> Figure:
    """Return a figure of words alone."""
    figure = new_figure(1.2)
    write_state(figure.subplots(), statement)
    return add_head(figure, title, details)


def write_state(axes: Axes, statement: str) -> None:
    """Put words where a plot would have nothing to show."""
    axes.set_axis_off()
    axes.text(
        0.5, 0.5, statement, color=MUTED, transform=axes.transAxes,
        horizontalalignment="center", verticalalignment="center",
    )  # fmt: skip


def fit_axis(
    axis: Axis,
    values: Array,
    *,
    log: bool | None = None,
    pad: tuple[float, float] = (0.05, 0.05),
    grid: bool = True,
) -> None:
    """Fit an axis to the finite `values` (V,), with round ticks and, at those upwards, pale lines.

    It is logarithmic if `log` says so, or if that is None where all values are above zero and span
    more than a factor of ten. `pad` is the room below the lowest and above the highest value, in
    parts of their distance.
    """
    low, high = (float(np.clip(value, -1e300, 1e300)) for value in (values.min(), values.max()))
    if log is None:
        log = low > 0 and high / 10 > low
    start, end = np.log10((low, high)).tolist() if log else (low, high)
    if start == end:
        around = 0.5 if log else 0.05 * abs(low) or 0.5
        start, end = start - around, end + around
    span = end - start
    limits = np.array((start - pad[0] * span, end + pad[1] * span))
    limits = 10 ** np.clip(limits, -307, 308) if log else limits
    side = "x" if axis is axis.axes.xaxis else "y"
    axis.axes.set(**{f"{side}scale": "log" if log else "linear", f"{side}lim": limits})
    locator, formatter = find_ticks(start, end, log=log)
    axis.set_major_locator(locator)
    axis.set_major_formatter(formatter)
    axis.set_minor_locator(NullLocator())
    if side == "y" and grid:
        axis.grid(color=PALE, linewidth=0.7)


def find_ticks(start: float, end: float, *, log: bool) -> tuple[Locator, Formatter]:
    """Return what finds and labels round ticks between two values or, if `log`, powers of ten."""
    if not log or end - start < 0.75:  # a factor of 5.6 has no round powers
        return MaxNLocator(nbins=5, steps=[1, 2, 2.5, 5, 10]), ScalarFormatter()
    labels = FuncFormatter(lambda tick, _: format_value(tick))
    if end - start < 3.5:
        return LogLocator(subs=(1, 2, 5) if end - start < 1.6 else (1, 3)), labels
    # equal steps between the powers of ten; LogLocator makes some beyond the range of numbers
    powers = MaxNLocator(nbins=6, steps=[1, 2, 5, 10], integer=True).tick_values(start, end)
    return FixedLocator((10.0 ** np.clip(powers, -307, 307)).tolist()), labels


def name_axis(axis: Axis, name: str, room: float) -> None:
    """Write a parameter's or metric's name at an axis, in at most `room` inches."""
    text = cut(spell(name), 50)
    axis.set_label_text(text, fontsize=shrink(text, BODY, room))


def name_ticks(axes: Axes, names: Sequence[str], room: float) -> None:
    """Write names at 0, 1, 2, … of the horizontal axis, which has `room` inches for each.

    They are turned where one is wider than that; of very many, every few are written.
    """
    turned = max(measure(name, SMALL) for name in names) + 0.1 > room
    stride = math.ceil(0.16 / room) if turned else 1
    rotation = 90 if turned else 0
    axes.set_xticks(range(len(names))[::stride], names[::stride], rotation=rotation)


def fraction(axis: Axis, values: Any) -> NDArray[np.float64]:
    """Return where `values` lie on an axis, from 0 at its low end to 1 at its high one."""
    scale = axis.get_transform()
    low, high = scale.transform(axis.get_view_interval())
    return np.asarray((scale.transform(values) - low) / (high - low))


def tick_exactly(axis: Axis, values: Array, room: float) -> None:
    """Put ticks at up to eight values (V,) that are more than `room`, a part of the axis, apart."""
    once = np.unique(values)
    if len(once) <= 8 and np.abs(np.diff(fraction(axis, once), append=9)).min() > room:
        axis.set_ticks(once, labels=[format_value(value) for value in once])


def color_cells(axes: Axes, cells: NDArray[Any], width: float, **look: Any) -> QuadMesh:
    """Draw cells (rows, columns), the first row on top, with white lines `width` points wide."""
    across, down = (np.arange(cells.shape[side] + 1) - 0.5 for side in (1, 0))
    mesh = axes.pcolormesh(across, down, cells, edgecolors="white", linewidth=width, **look)
    mesh.set_rasterized(cells.size > 3000)  # in SVG each cell is a path of its own
    axes.invert_yaxis()
    axes.spines[:].set(visible=True, color=FAINT)
    axes.tick_params(length=0)
    return mesh


def write_cells(axes: Axes, texts: Array, dark: Array, cell: Array, smallest: float = 0.0) -> None:
    """Write `texts` into the cells (rows, columns), in white on those that are `dark`.

    All are of one size, for which `cell` is the width and height in inches; nothing is written
    where that is under the `smallest`, in points.
    """
    size = min(BODY, 0.6 * 72 * cell[1])
    size = min((shrink(text, size, 0.86 * cell[0]) for text in texts.flat), default=size)
    if size >= smallest:
        for chosen, color in ((~dark, INK), (dark, "white")):  # whichever is easier to read
            places = np.argwhere(chosen & (texts != ""))
            write(axes, texts[tuple(places.T)], places[:, ::-1], size=size, color=color)


def measure(text: str, size: float) -> float:
    """Return how many inches wide one line of text is in letters of `size` points."""
    return size / 72 * float(text_to_path.get_text_width_height_descent(text, FONT, False)[0])


def shrink(text: str, size: float, room: float) -> float:
    """Return `size` in points, or less where one line of `text` would be over `room` inches."""
    width = measure(text, size)
    return size * min(1.0, room / width) if width else size


def write(
    axes: Axes, strings: Iterable[str], places: Array, *, size: float = SMALL, color: str = INK
) -> None:
    """Write M strings in letters of `size` points, centred on `places` (M, 2) of the data."""
    for text, (x, y) in zip(strings, places, strict=True):
        axes.text(
            x, y, plain(text), fontsize=size, color=color, horizontalalignment="center",
            verticalalignment="center_baseline", in_layout=False,
        )  # fmt: skip
