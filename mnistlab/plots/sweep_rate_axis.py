"""The axis across of errors by a parameter: numbers where they lie, names evenly spaced.

T is the number of trials.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from numbers import Real
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from mnistlab.plots import style, words
from mnistlab.plots.axes import Scale, numeric
from mnistlab.plots.sweep_labels import (
    distinct,
    spans_decades_from_zero,
    tell_values,
    with_one_style,
)

_EXACT = 8  # values up to which each one may be a tick


@dataclass(frozen=True)
class Axis:
    """Where the trials lie across.

    `places` are (T,), NaN for a trial that is left out. `names` stand at 0, 1, 2, …, if there
    are any; `joined` is whether a line from one value to the next makes sense; `log` is as for
    a `Scale`.
    """

    places: NDArray[np.float64]
    names: Sequence[str]
    joined: bool
    log: bool | None

    @classmethod
    def of(cls, values: Sequence[Any] | NDArray[Any], *, log: bool | None) -> Self:
        """Return the axis of T values; numbers over decades with a zero among them are names."""
        present = [value for value in values if not _is_absent(value)]
        numbers = numeric(present)
        if numbers is not None and not spans_decades_from_zero(numbers):
            places = np.array([math.nan if _is_absent(value) else value for value in values], float)
            whole = bool(len(numbers)) and bool((numbers > 0).all())
            return cls(places, (), True, False if not whole else log)
        once = distinct(present)
        where = {repr(value): float(place) for place, value in enumerate(once)}
        places = np.array([where.get(repr(value), math.nan) for value in values], float)
        return cls(places, tell_values(once), numbers is not None, False)


def rate_axis(axis: Axis, limit: float | None, width: float, edge: float | None) -> Scale | None:
    """Return the scale across a panel of `width` inches, None without a trial.

    It reaches the limit where that lies no further outside than what the values span.
    """
    shown = axis.places[np.isfinite(axis.places)]
    if not len(shown):
        return None
    if axis.names:
        count = len(axis.names)
        labels = [words.fit(name, style.SMALL, 0.92 * width / count) for name in axis.names]
        # Labels of a letter or two say nothing: of very many names, every few have one.
        stride = math.ceil(count * 0.3 / width)
        ticks = np.arange(0.0, count, stride)
        return Scale(False, -0.5, count - 0.5, ticks, labels[::stride])
    right = 0.25 if edge is None else 0.4  # room for a word beside the last diverged rate
    room = width - 0.25 - right
    pad = (0.25 / room, right / room)
    across = Scale.of(shown, log=axis.log, pad=pad)
    if limit is not None and -1 < across.place(limit) < 2:
        across = Scale.of(np.append(shown, limit), log=axis.log, pad=pad)
    return with_one_style(across) if axis.log else _with_exact_ticks(across, shown, width)


def diverged_from(axis: Axis, errors: NDArray[np.float64]) -> float | None:
    """Return the lowest value that diverged above all others, if there is any."""
    here = np.isfinite(axis.places)
    places, completed = axis.places[here], np.isfinite(errors[here])
    beyond = places[~completed & (places > places[completed].max(initial=-np.inf))]
    return float(beyond.min()) if len(beyond) and not axis.names else None


def _with_exact_ticks(scale: Scale, shown: NDArray[np.float64], width: float) -> Scale:
    """Return `scale` with the values themselves as its ticks, where there is room for them."""
    ticks = np.unique(shown)
    if len(ticks) > _EXACT:
        return with_one_style(scale)
    labels = tell_values(ticks.tolist())
    halves = np.array([words.text_width(text, style.SMALL) / 2 for text in labels])
    gaps = np.diff(scale.place(ticks)) * width
    if (gaps < halves[1:] + halves[:-1] + 0.1).any():
        return with_one_style(scale)
    return replace(scale, ticks=ticks, labels=labels)


def _is_absent(value: Any) -> bool:
    is_number = isinstance(value, Real) and not isinstance(value, bool)
    return is_number and not math.isfinite(value)
