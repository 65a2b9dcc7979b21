"""Derivatives from function values alone, each with an estimate of its own error.

Shapes: n coordinates of a point, P evaluations at once, L steps of a ladder.

Two independent ways: central differences over a ladder of steps, extrapolated to a step of
zero (Richardson), and the complex step, which has no cancellation but needs a function that
takes complex numbers.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]
Line = Callable[[NDArray[np.intp], NDArray[Any]], NDArray[Any]]
"""Values f(x + t_p e_i) of P evaluations, from their coordinates i (P,) and offsets t (P,)."""

LEVELS = 16
FIRST_STEP = 13 / 16
"""Steps 0.81, 0.41, 0.2 … 2.5e-5: the large ones carry little rounding, the small ones see fine
structure. Smooth losses settle on steps near 0.1. No power of two: what repeats itself does so
at round distances, and would look flat."""

COMPLEX_STEP = 1e-20
"""Its square vanishes beside 1, so the complex step has no truncation error."""

_EPS = float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class Derivative:
    """The derivative of a function by each of n coordinates, as differences tell it.

    Attributes:
        value: (n,) derivatives.
        error: (n,) estimates of their absolute errors, truncation and rounding together.
        step: (n,) the smallest step that the chosen extrapolation uses.
        left: (n,) the derivative from below; differs from `right` at a kink only.
        right: (n,) the derivative from above.
        kinked: (n,) whether the function has a kink at the point.
        noise: the rounding noise of the function's values.
        highest: the largest of the values.
        slope: the gradient's natural scale: its largest coordinate here, or what it may grow to
            around the point, at most 1.
    """

    value: Floats
    error: Floats
    step: Floats
    left: Floats
    right: Floats
    kinked: NDArray[np.bool_]
    noise: float
    highest: float
    slope: float


def central(line: Line, point: Floats, size: float | None = None) -> Derivative:
    """Return the derivatives at `point` (n,) by extrapolated central differences.

    `size` is that of the numbers that go into the function, by default the largest in `point`.

    Each coordinate takes, from the triangle of extrapolations over all steps, the entry with
    the smallest error estimate (after Ridders, "Accurate computation of F'(x) and F'(x)F''(x)",
    Adv. Eng. Software 4, 1982), to which the rounding of the values is added.
    """
    steps = FIRST_STEP * 0.5 ** np.arange(LEVELS)
    above, below = _exact(point, steps), _exact(point, -steps)
    with np.errstate(all="ignore"):
        values_above, values_below = _evaluate(line, above), _evaluate(line, below)
        here = _evaluate(line, np.zeros((1, len(point))))
        rough = (values_above - values_below) / (above - below)
        reach = max(2.0, 4 * (largest(point) if size is None else size))
        around = _slope_around(line, point, rough, reach)
        highest = largest(np.concatenate((values_above, values_below)))
        noise = max(_noise(line, point, reach), _EPS * max(highest, around * reach))
        value, error, step = _extrapolate(rough, 2 * noise / steps, steps)
        right, left = (values_above - here) / above, (values_below - here) / below
        kinked, left, right = _kinks(left, right, 2 * _EPS * highest / steps)
    slope = max(largest(value), around)
    return Derivative(value, error, step, left, right, kinked, noise, highest, slope)


def complex_step(line: Line, n: int) -> Floats | None:
    """Return Im f(x + ih e_i) / h for each coordinate, exact but for rounding, (n,).

    Source: Squire and Trapp, "Using complex variables to estimate derivatives of real
    functions", SIAM Rev. 40, 1998. Returns None where the function does not take complex
    numbers or gives none back.
    """
    try:
        with np.errstate(all="ignore"):
            values = _evaluate(line, np.full((1, n), 1j * COMPLEX_STEP))[0]
    except (TypeError, ValueError, AttributeError, np.exceptions.ComplexWarning):
        return None
    if not np.iscomplexobj(values) or not np.isfinite(values).all():
        return None
    return np.asarray(values.imag / COMPLEX_STEP, np.float64)


def _exact(point: Floats, steps: Floats) -> Floats:
    """Return the offsets (L, n) that really result when `steps` (L,) are added to `point`."""
    offsets: Floats = (point + steps[:, None]) - point
    return offsets


def _evaluate(line: Line, offsets: NDArray[Any]) -> NDArray[Any]:
    """Return f at each coordinate's offsets (L, n), in the same shape."""
    coordinates = np.broadcast_to(np.arange(offsets.shape[1]), offsets.shape)
    return line(coordinates.ravel(), offsets.ravel()).reshape(offsets.shape)


def _slope_around(line: Line, point: Floats, rough: Floats, reach: float) -> float:
    """Return the steepest difference quotient up to `reach` away from `point`, at most 1.

    Where a loss has levelled off, its own values and derivatives are too small to tell with
    how large numbers it was computed; a look far enough to leave the plain does. A function
    that explodes out there must not blunt the check, hence the bound.
    """
    offsets = _exact(point, reach * np.array([-1.0, -0.5, 0.5, 1.0]))
    distant = np.diff(_evaluate(line, offsets), axis=0) / np.diff(offsets, axis=0)
    return min(max(largest(distant), largest(rough[:6])), 1.0)


def largest(values: Floats) -> float:
    """Return the largest magnitude among the finite values, 0 if there is none."""
    return float(np.abs(values[np.isfinite(values)]).max(initial=0))


def _noise(line: Line, point: Floats, reach: float) -> float:
    """Return the rounding noise of the values, from differences of high order.

    A smooth function's differences of order six over tiny steps are nothing but noise (Moré
    and Wild, "Estimating computational noise", SIAM J. Sci. Comput. 33, 2011). Its largest
    estimate over up to 32 coordinates stands for all.
    """
    chosen = np.unique(np.linspace(0, len(point) - 1, 32).astype(np.intp))
    offsets = np.arange(-4, 5) * 5e-7 * reach
    coordinates = np.repeat(chosen, len(offsets))
    values = line(coordinates, np.tile(offsets, len(chosen))).reshape(len(chosen), -1)
    estimates = [
        np.sqrt(np.square(np.diff(values, order)).mean(axis=1) / growth)
        for order, growth in ((5, 252), (6, 924))  # the variance grows by (2k)! / (k!)^2
    ]
    return largest(np.concatenate(estimates))


def _extrapolate(rough: Floats, rounding: Floats, steps: Floats) -> tuple[Floats, Floats, Floats]:
    """Return each coordinate's best value, its error and its step from Romberg's triangle.

    An entry is compared with all its neighbours of coarser steps, so that three steps must
    agree, and with the plain differences of all finer steps, which may come from a structure
    that coarse steps do not see. (Without the first, two steps agreed by accident on a sigmoid;
    without the second, a small bump at the point went unseen.)
    """
    n = rough.shape[1]
    best, error, step = rough[-1].copy(), np.full(n, np.inf), np.full(n, steps[-1])
    every = np.arange(n)
    previous = rough[:1]
    for level in range(1, LEVELS):
        entries = [rough[level]]
        for column in range(level):
            finer, coarser = entries[column], previous[column]
            entries.append(finer + (finer - coarser) / (4.0 ** (column + 1) - 1))
        row = np.array(entries)
        # the last two of a row have no third step to agree with
        finer, better, rest = row[: level - 1], row[1:level], rough[level:]
        neighbours = np.abs(better - finer)
        for coarser in (previous[: level - 1], previous[1:level]):
            np.maximum(neighbours, np.abs(better - coarser), out=neighbours)
        away = rest - better[:, None]
        np.abs(away, out=away)
        away -= 2 * rounding[level:, None]
        unseen = away[:, 1:].max(axis=1, initial=-np.inf) - away[:, 0]
        estimates = np.maximum(neighbours, np.maximum(unseen, 0)) + rounding[level]
        previous = row
        if level == 1:
            continue
        least = np.where(np.isnan(estimates), np.inf, estimates).argmin(axis=0)
        wins = estimates[least, every] < error
        best = np.where(wins, better[least, every], best)
        error = np.where(wins, estimates[least, every], error)
        step = np.where(wins, steps[level], step)
    return best, error, step


def _kinks(
    left: Floats, right: Floats, rounding: Floats
) -> tuple[NDArray[np.bool_], Floats, Floats]:
    """Return where one-sided differences stay apart as the step shrinks, and their limits.

    Over three halvings the gap of a smooth function shrinks to an eighth, what rounding makes
    of it grows eightfold, and that of a kink stays.
    """
    gaps = np.abs(right - left)
    limits = [2 * side[-1] - side[-2] for side in (left, right)]
    scale = np.abs(np.stack(limits)).max(axis=0)
    stays = (gaps[-1] > 100 * rounding[-1]) & (gaps[-1] > 1e-3 * scale)
    for later, earlier in ((-1, -4), (-4, -7), (-7, -10)):
        ratio = gaps[later] / gaps[earlier]
        stays &= (ratio > 0.6) & (ratio < 1.6)
    return stays, limits[0], limits[1]


@dataclass(frozen=True)
class StepStudy:
    """Errors of one derivative for S steps, relative to the gradient's largest coordinate.

    Attributes:
        index: the coordinate.
        steps: (S,).
        errors: (S,) for each of "one-sided", (f(x+h) - f(x)) / h, "central", (f(x+h) - f(x-h)) /
            2h, and, where the function takes complex numbers, "complex step", Im f(x+ih) / h.
        chosen: the step and the error of the extrapolation that the check used.
        exact: whether the reference is the complex step; else it is the extrapolation.
    """

    index: tuple[int, ...]
    steps: Floats
    errors: dict[str, Floats]
    chosen: tuple[float, float]
    exact: bool


@np.errstate(all="ignore")
def study_steps(line: Line, differences: Derivative, shape: tuple[int, ...]) -> StepStudy:
    """Return the errors by step size in that coordinate of a point whose derivative is largest."""
    values = differences.value
    coordinate = int(np.argmax(np.abs(np.nan_to_num(values))))
    steps = 10.0 ** -np.arange(0, 15.01, 0.25)
    at = np.full(len(steps), coordinate)
    here, above, below = line(at[:1], np.zeros(1)), line(at, steps), line(at, -steps)
    found = {"one-sided": (above - here) / steps, "central": (above - below) / (2 * steps)}
    exact = complex_step(line, len(values))
    reference = values[coordinate] if exact is None else exact[coordinate]
    if exact is not None:
        found["complex step"] = line(at, 1j * steps).imag / steps
    size = float(np.nanmax(np.abs(values))) or 1.0
    return StepStudy(
        tuple(map(int, np.unravel_index(coordinate, shape))),
        steps,
        {name: np.abs(one - reference) / size for name, one in found.items()},
        (float(differences.step[coordinate]), float(abs(values[coordinate] - reference)) / size),
        exact is not None,
    )


def unit_of(array: NDArray[Any]) -> float:
    """Return the unit of rounding of the numbers in an array."""
    return float(np.finfo(array.dtype if array.dtype.kind == "f" else np.float64).eps)
