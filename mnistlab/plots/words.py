"""Short texts and numbers in figures: their letters, their width, and many of them at once."""

import functools
import re
from bisect import bisect
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.patches import PathPatch
from matplotlib.path import Path as Outline
from matplotlib.textpath import text_to_path
from numpy.typing import NDArray

from mnistlab.plots import style

_CAP_HEIGHT = 0.729  # of the font, as a part of its size


def plain(text: str) -> str:
    """Return `text` on one line, with a `?` for each letter that the font does not have."""
    line = " ".join(str(text).split())
    if line.isascii() and line.isprintable():
        return line
    font = get_font(findfont(FontProperties(family=style.FONT)))
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
        size: float = style.BODY,
        color: str = style.INK,
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
    font = FontProperties(family=style.FONT, size=100)
    vertices, codes = text_to_path.get_text_path(font, token)
    width, _, _ = text_to_path.get_text_width_height_descent(token, font, ismath=False)
    points = np.asarray(vertices, dtype=float).reshape(-1, 2) / text_to_path.FONT_SCALE
    return points, np.asarray(codes, dtype=np.uint8), width / 100
