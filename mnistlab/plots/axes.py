"""Axes with a few round ticks in the house's numbers, and what stands on or beside a panel.

V is a number of values.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any, Literal, Self

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedFormatter, FixedLocator, MaxNLocator, NullLocator
from numpy.typing import NDArray

from mnistlab.plots import style, words

_ROOM = 0.45  # inches for the labels before a panel: wider ones would push its name off the page


@dataclass(frozen=True)
class Scale:
    """An axis before it is drawn: its ends, its ticks and their labels."""

    log: bool
    low: float
    high: float
    ticks: NDArray[np.float64]
    labels: list[str]

    @classmethod
    def of(
        cls,
        values: NDArray[Any],
        *,
        log: bool | None = None,
        pad: tuple[float, float] | None = None,
    ) -> Self:
        """Return the scale on which the finite `values` (V,) fill the axis; V is at least 1.

        Args:
            values: (V,); above zero for a logarithmic scale.
            log: whether it is logarithmic; None: where they span more than a factor of ten.
            pad: the room below the lowest and above the highest, in parts of their distance.
        """
        low, high = float(values.min()), float(values.max())
        if log is None:
            log = low > 0 and bool(np.log10(high) - np.log10(low) > 1)
        if log:
            return cls._logarithmic(low, high, pad)
        return cls._linear(low, high, pad)

    @classmethod
    def _logarithmic(cls, low: float, high: float, pad: tuple[float, float] | None) -> Self:
        start, end = np.log10([low, high])
        single = low == high
        if single:
            start, end = start - 0.5, end + 0.5
        below, above = np.multiply(pad or ((0.0, 0.0) if single else (0.04, 0.04)), end - start)
        first, last = 10.0 ** np.clip((start - below, end + above), -307, 308)
        narrow = np.log10(last) - np.log10(first) < 0.65  # a factor of 4.5 has no round ticks
        if single or not narrow:
            ticks = np.array([low]) if single else _log_ticks(first, last)
            return cls(True, first, last, ticks, [words.short(tick) for tick in ticks])
        ticks = _linear_ticks(first, last)
        return cls(True, first, last, ticks, _linear_labels(ticks))

    @classmethod
    def _linear(cls, low: float, high: float, pad: tuple[float, float] | None) -> Self:
        single = low == high
        span = (0.1 * abs(low) or 1.0) if single else high - low
        around = 0.5 * span if single else 0.0
        below, above = np.multiply(pad or ((0.0, 0.0) if single else (0.06, 0.06)), span)
        first, last = low - around - below, high + around + above
        if single:
            return cls(False, first, last, np.array([low]), [words.short(low)])
        ticks = _linear_ticks(first, last)
        return cls(False, first, last, ticks, _linear_labels(ticks))

    def place(self, values: Any) -> Any:
        """Return where `values` lie, 0 at the low end and 1 at the high one; NaN if nowhere."""
        if not self.log:
            return (np.asarray(values, dtype=float) - self.low) / (self.high - self.low)
        with np.errstate(divide="ignore", invalid="ignore"):
            logarithms = np.log10(np.asarray(values, dtype=float))
        start, end = np.log10([self.low, self.high])
        return (logarithms - start) / (end - start)

    def apply(self, axes: Axes, axis: Literal["x", "y"]) -> None:
        """Give `axes` this scale, its limits and its ticks."""
        axes.set(**{f"{axis}scale": "log" if self.log else "linear"})
        axes.set(**{f"{axis}lim": (self.low, self.high)})
        chosen = axes.xaxis if axis == "x" else axes.yaxis
        chosen.set_major_locator(FixedLocator(self.ticks.tolist()))
        chosen.set_major_formatter(FixedFormatter(self.labels))
        chosen.set_minor_locator(NullLocator())


def panel(figure: Figure, corner: tuple[float, float], size: tuple[float, float]) -> Axes:
    """Return axes of `size`, width and height in inches, whose bottom left is at `corner`."""
    width, height = figure.get_size_inches()
    place = (corner[0] / width, corner[1] / height, size[0] / width, size[1] / height)
    return figure.add_axes(place)


def scale_y(axes: Axes, scale: Scale) -> None:
    """Apply `scale` upwards, with a pale line through the panel at each tick."""
    scale.apply(axes, "y")
    widest = max((words.text_width(text, style.SMALL) for text in scale.labels), default=0)
    if widest > _ROOM:
        axes.tick_params(axis="y", labelsize=style.SMALL * _ROOM / widest)
    axes.grid(axis="y", color=style.PALE, linewidth=0.7)


def count_x(axes: Axes, low: float, high: float) -> None:
    """Set the limits of a horizontal axis that counts, with ticks at whole numbers."""
    pad = 0.04 * (high - low) or 0.5
    axes.set_xlim(low - pad, high + pad)
    locator = MaxNLocator(nbins=6, steps=[1, 2, 5, 10], integer=True, min_n_ticks=1)
    ticks = np.asarray(locator.tick_values(low, high))
    ticks = ticks[(ticks >= low) & (ticks <= high)]
    axes.set_xticks(ticks, [f"{tick:.0f}" for tick in ticks])


def say(axes: Axes, statement: str) -> None:
    """Put words where a plot would have nothing to show."""
    axes.set_axis_off()
    axes.text(
        0.5,
        0.5,
        statement,
        color=style.MUTED,
        transform=axes.transAxes,
        horizontalalignment="center",
        verticalalignment="center",
    )


def spread(heights: NDArray[np.float64], distance: float) -> NDArray[np.float64]:
    """Return `heights` moved as little as needed to lie `distance` apart and inside 0 to 1."""
    order = np.argsort(heights, kind="stable")
    # In these coordinates neighbours may touch but not change places: pool those that do.
    steps = distance * np.arange(len(heights))
    pools: list[list[float]] = []
    for height in heights[order] - steps:
        pools.append([height])
        while len(pools) > 1 and np.mean(pools[-2]) >= np.mean(pools[-1]):
            pools[-2].extend(pools.pop())
    level = np.concatenate([[np.mean(pool)] * len(pool) for pool in pools])
    moved = np.empty_like(heights)
    moved[order] = np.clip(level, 0, max(0.0, 1 - steps[-1])) + steps
    return moved


def numeric(values: Sequence[Any]) -> NDArray[np.float64] | None:
    """Return `values` (V,) as numbers; None if one of them is a name, a flag or not finite."""
    if not all(isinstance(value, Real) and not isinstance(value, bool) for value in values):
        return None
    try:
        numbers = np.array([float(value) for value in values], dtype=float)
    except OverflowError:  # a whole number of hundreds of digits
        return None
    return numbers if np.isfinite(numbers).all() else None


def label(value: Any) -> str:
    """Return a parameter's value as a tick label: short if it is a number, as it is if a name."""
    number = numeric([value])
    if number is not None:
        return words.short(float(number[0]))
    return {None: "none", True: "true", False: "false"}[value] if _is_flag(value) else str(value)


def _is_flag(value: Any) -> bool:
    return value is None or isinstance(value, bool)


def _log_ticks(low: float, high: float) -> NDArray[np.float64]:
    """Return four to six ticks or so: parts of decades where there are few, else whole ones."""
    decades = np.log10(high) - np.log10(low)
    powers = np.arange(np.floor(np.log10(low)), np.ceil(np.log10(high)) + 1)
    if decades < 3.5:
        parts = next(
            parts
            for parts, most in (((1, 2, 3, 5), 1), ((1, 2, 5), 1.7), ((1, 3), 2.5), ((1,), 3.5))
            if decades < most
        )
        ticks = np.outer(10.0**powers, parts).ravel()
    else:
        stride = next(n for n in (1, 2, 5, 10, 20, 50, 100, 200) if 5 * n >= decades)
        ticks = 10.0 ** powers[powers % stride == 0]
    return ticks[(ticks >= low) & (ticks <= high)]


def _linear_ticks(low: float, high: float) -> NDArray[np.float64]:
    locator = MaxNLocator(nbins=5, steps=[1, 2, 2.5, 5, 10])
    ticks = np.asarray(locator.tick_values(low, high))
    return ticks[(ticks >= low) & (ticks <= high)]


def _linear_labels(ticks: NDArray[np.float64]) -> list[str]:
    """Return the ticks with as many decimals as all of them need."""
    largest = np.abs(ticks).max(initial=0)
    if largest >= 1e5 or largest < 1e-3:
        return [words.short(tick) for tick in ticks]
    off = 1e-6 * np.ptp(ticks)
    decimals = next(d for d in range(16) if np.allclose(ticks.round(d), ticks, rtol=0, atol=off))
    return [f"{tick:.{decimals}f}" for tick in ticks]
