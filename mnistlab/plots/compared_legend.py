"""The legend of a comparison: what solid and dashed mean, and which letter is which run."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mnistlab.plots import page, style, words

COLORS = (
    *(style.BLUE, style.VERMILION, "#00805F", "#A8478A", "#A87400", "#3A9BD0", style.INK),
    *("#7C4A2D", "#7F7F7F", "#DB6BA5", "#6B7A1E", "#7D73CF"),
)
"""The first seven are told apart with any colour vision; with more the letters have to help."""

SOLID, DASHED = "-", (0, (3.2, 1.7))
"""The lines of the training and of the validation split."""

_LINE = 0.2  # inches between the lines of the legend
_LABEL = 0.55  # inches from the left of a line of the legend to its words


def letter(position: int) -> str:
    """Return the letter by which a comparison calls the run at a position, from 0."""
    return chr(ord("A") + position)


@dataclass(frozen=True)
class Legend:
    """What solid and dashed mean, and what each letter stands for, on lines below the panels.

    `told` are the lines of each run, one or two, and `columns` 1, or 2 where there are many runs.
    """

    told: Sequence[Sequence[str]]
    columns: int

    @classmethod
    def of(cls, labels: Sequence[tuple[str, str]]) -> Self:
        """Lay out each run's label and note: in two columns where they are many and short.

        A label that is too long for two lines is cut, its note never.
        """
        room = style.WIDTH - 2 * style.MARGIN
        half = room / 2 - _LABEL - 0.1
        labels = [(words.plain(label), f" {words.plain(note)}".rstrip()) for label, note in labels]
        widest = max(words.text_width(label + note, style.SMALL) for label, note in labels)
        if len(labels) > 4 and widest <= half:
            return cls([[label + note] for label, note in labels], 2)
        return cls([_wrap(label, note, room - _LABEL) for label, note in labels], 1)

    @property
    def rows(self) -> int:
        """The number of lines below that on solid and dashed."""
        return -(-sum(map(len, self.told)) // self.columns)

    @property
    def height(self) -> float:
        """What it needs, in inches from the bottom of the figure."""
        return 0.32 + _LINE * self.rows

    def draw(self, figure: Figure) -> None:
        """Write it at the bottom of the figure."""
        axes = page.canvas(figure)
        x, y = style.MARGIN, self.height - 0.08
        for text, line in (("training", SOLID), ("validation", DASHED)):
            axes.plot((x, x + 0.36), (y, y), color=style.MUTED, linestyle=line, linewidth=1.4)
            _write(axes, text, (x + 0.44, y), style.MUTED)
            x += 0.74 + words.text_width(text, style.SMALL)
        line_number = 0
        for at, lines in enumerate(self.told):
            column, row = divmod(line_number, self.rows)
            line_number += len(lines)
            left = style.MARGIN + column * (style.WIDTH / 2 - style.MARGIN)
            top = y - _LINE * (row + 1)
            axes.plot((left, left + 0.22), (top, top), color=COLORS[at], linewidth=2.2)
            axes.text(
                left + 0.38,
                top,
                letter(at),
                color=COLORS[at],
                fontsize=style.SMALL,
                fontweight="bold",
                horizontalalignment="center",
                verticalalignment="center_baseline",
            )
            for below, text in enumerate(lines):
                _write(axes, text, (left + _LABEL, top - _LINE * below), style.INK)


def _wrap(label: str, note: str, room: float) -> list[str]:
    """Return a label and its note on one line of `room` inches, or two; cut if that is too long."""
    if words.text_width(label + note, style.SMALL) <= room:
        return [label + note]
    cuts = [at + 1 for at, sign in enumerate(label) if sign == ","]
    fitting = [at for at in cuts if words.text_width(label[:at], style.SMALL) <= room]
    upper, lower = (label[: fitting[-1]], label[fitting[-1] :]) if fitting else ("", label)
    lower = words.fit(lower, style.SMALL, room - words.text_width(note, style.SMALL)) + note
    return [upper, lower] if upper else [lower]


def _write(axes: Axes, text: str, place: tuple[float, float], color: str) -> None:
    axes.add_artist(
        words.Words([text], np.array([place]), size=style.SMALL, color=color, align=0.0)
    )
