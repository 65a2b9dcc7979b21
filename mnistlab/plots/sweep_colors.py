"""One colour for each error of a sweep's trials: the lower the error, the darker the blue."""

from dataclasses import dataclass
from typing import Any, Self

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from mnistlab.plots import page, style, words
from mnistlab.plots.axes import Scale

DIVERGED = "#F8E4D8"  # a tint of the house's vermilion, for areas
_DARKEST = 0.95  # of the colour map, which is darkest at 1


@dataclass(frozen=True)
class ErrorColors:
    """The colours between a lowest and a highest error, by their ratio: the best differ little.

    They end at twice the median error, where an error lies beyond: a few trials that learned
    nothing would leave all others one colour.
    """

    scale: Scale
    palest: float

    @classmethod
    def of(cls, errors: NDArray[Any], *, palest: float = 0.1) -> Self:
        """Return the colours for `errors` in percent, of any shape; NaN where there is none.

        Args:
            errors: those to be told apart.
            palest: where in the colour map the highest error lies, from 0 (white) up.
        """
        finite = errors[np.isfinite(errors)]
        if not len(finite):
            return cls(Scale.of(np.array([0.0, 100.0]), pad=(0, 0)), palest)
        middle, high = float(np.median(finite)), float(finite.max())
        end = min(high, 2 * middle) if middle > 0 else high
        ends = np.array([finite.min(), end])
        return cls(Scale.of(ends, log=bool(ends[0] > 0), pad=(0, 0)), palest)

    def strength(self, errors: Any) -> NDArray[np.float64]:
        """Return how dark each error is, from 0 to 1; NaN where there is none."""
        strength: NDArray[np.float64] = np.clip(1 - self.scale.place(errors), 0, 1)
        return strength

    def __call__(self, errors: Any) -> NDArray[np.float64]:
        """Return the RGB colours of `errors`, (..., 3); white where there is none."""
        strength = self.strength(errors)
        absent = np.isnan(strength)
        steps = self.palest + (_DARKEST - self.palest) * np.where(absent, 0, strength)
        colors = np.array(matplotlib.colormaps["Blues"](steps))[..., :3]
        colors[absent] = 1
        return colors

    def beyond(self, errors: NDArray[Any]) -> int:
        """Return how many errors are higher than the palest colour's."""
        return int((errors > self.scale.high * (1 + 1e-9)).sum())

    def draw_bar(
        self, axes: Axes, corner: tuple[float, float], size: tuple[float, float], name: str
    ) -> None:
        """Draw the colours, the lowest error at the bottom, with ticks and `name` on the right.

        Args:
            axes: a `page.canvas`.
            corner: the bar's bottom left in inches.
            size: its width and height in inches.
            name: what the colours stand for.
        """
        (left, bottom), (width, height) = corner, size
        ramp = np.linspace(1, 0, 256)[:, np.newaxis]
        steps = self.palest + (_DARKEST - self.palest) * (1 - ramp)
        page.paint(axes, matplotlib.colormaps["Blues"](steps)[..., :3], corner, size)
        heights = bottom + height * self.scale.place(self.scale.ticks)
        right = left + width
        axes.hlines(heights, right, right + 0.04, color=style.MUTED, linewidth=0.8)
        anchors = np.column_stack((np.full(len(heights), right + 0.08), heights))
        labels = [words.fit(label, style.SMALL, 0.55) for label in self.scale.labels]
        axes.add_artist(words.Words(labels, anchors, size=style.SMALL, align=0))
        widest = max((words.text_width(text, style.SMALL) for text in labels), default=0)
        turned = words.fit(name, style.SMALL, height)
        place = np.array([[right + 0.08 + widest + 0.16, bottom + height / 2]])
        axes.add_artist(words.Words([turned], place, size=style.SMALL, angle=90))
