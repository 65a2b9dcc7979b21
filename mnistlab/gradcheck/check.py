"""Judges a gradient by the values of the function it should belong to.

Shapes: P evaluations at once; a point and its gradient have the shape of their coordinates,
such as (C,), (B, C) or (D, C).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnistlab.gradcheck.diagnosis import diagnose, place
from mnistlab.gradcheck.differences import Derivative, Floats, Line, central, complex_step, largest
from mnistlab.gradcheck.mistakes import MISTAKES, Anatomy, Mistake

METHODS = {"central": 1e-9, "complex": 1e-13}
"""The ways to find a numerical gradient, with the relative error that each lives up to."""

_EPS = float(np.finfo(np.float64).eps)
_SAFETY = 10
"""An error estimate is one, not a bound; see the tests for how often it was put to the proof."""
ROUNDING = 32
"""Units of rounding, of the gradient's natural scale, that the formula under test may lose."""
_TOO_NOISY = 0.01
"""Of the gradient's natural scale: a tolerance beyond it says nothing about the gradient."""


BLOCK = 1 << 18
"""Numbers evaluated at once: 2 MB, which stays in the cache."""


@dataclass(frozen=True)
class Options:
    """How gradients are checked, whichever they are.

    Attributes:
        scale: the standard deviation of random pre-activations.
        mistake: the name of a mistake to make on purpose.
    """

    points: int = 3
    classes: int = 10
    seed: int = 0
    scale: float = 1.0
    method: str = "central"
    mistake: str | None = None

    def made(self) -> Mistake | None:
        """Return the mistake to make, None for none; raise UnknownNameError for one unheard of."""
        return None if self.mistake is None else MISTAKES[self.mistake]


@dataclass(frozen=True)
class Problem:
    """A function, a point, and the gradient that is claimed for it.

    Attributes:
        what: the gradient's name.
        point: the coordinates.
        labels: (B,) true classes.
        analytic: the claimed gradient, in the point's shape.
        line: the function along single coordinates, as `differences` wants it.
        values: the function at P points, (P, *shape) to (P,).
        anatomy: what is known of the gradient, given the numerical one.
        size: of the largest number that goes into the loss, such as a pre-activation.
        rounding: what the formula may lose to rounding, of the gradient's natural scale.
    """

    what: str
    point: Floats
    labels: NDArray[np.integer]
    analytic: Floats
    line: Line
    values: Callable[[NDArray[np.number]], NDArray[np.number]]
    anatomy: Callable[[Floats], Anatomy]
    size: float
    rounding: float = ROUNDING * _EPS


def line_through(values: Callable[[NDArray[Any]], NDArray[Any]], point: NDArray[Any]) -> Line:
    """Return a function of whole points (P, *shape) as one along single coordinates."""
    flat = point.ravel()

    def line(coordinates: NDArray[np.intp], offsets: NDArray[Any]) -> NDArray[Any]:
        found = []
        pieces = max(1, len(coordinates) * flat.size // BLOCK)
        for chosen in np.array_split(np.arange(len(coordinates)), pieces):
            points = np.repeat(flat[None], len(chosen), 0).astype(offsets.dtype)
            points[np.arange(len(chosen)), coordinates[chosen]] += offsets[chosen]
            found.append(values(points.reshape(-1, *point.shape)))
        return np.concatenate(found)

    return line


_NUMBERS = (
    "point", "label", "loss", "method", "max_abs_error", "relative_error", "noise_floor",
    "direction_error", "complex_step_error", "worst_index", "analytic", "numerical", "tolerance",
)  # fmt: skip


@dataclass(frozen=True)
class Verdict:
    """The outcome for one gradient or property; if it is no `Check`, nothing was compared.

    Attributes:
        diagnosis: what is wrong, empty where nothing is.
        notes: what else is to be known.
        judged: whether the functions could be called at all; if not, the gradient is not wrong.
    """

    what: str
    diagnosis: str = ""
    notes: tuple[str, ...] = ()
    judged: bool = True

    @property
    def passed(self) -> bool:
        """Whether nothing is wrong."""
        return not self.diagnosis

    def numbers(self) -> dict[str, Any]:
        """Return the numbers that `--json` shows, here none."""
        return dict.fromkeys(_NUMBERS)

    def to_dict(self) -> dict[str, Any]:
        """Return what `--json` shows."""
        return {
            "what": self.what,
            **self.numbers(),
            "passed": self.passed,
            "judged": self.judged,
            "diagnosis": self.diagnosis or None,
            "notes": list(self.notes),
        }


@dataclass(frozen=True, kw_only=True)
class Check(Verdict):
    """The verdict on one gradient at one point, with the numbers that it rests on.

    Attributes:
        loss: the function's value.
        method: "central" or "complex", whichever judged.
        numerical: the gradient it found.
        tolerance: by how much each coordinate may differ, from the error estimates.
        noise_floor: the relative error is one of the largest coordinate, but of at least this.
        direction_error: the error of the derivative along a random direction.
        complex_error: the largest absolute error against the complex step, None where the
            function does not take complex numbers.
        is_undecided: whether the function is too rough at this point for a verdict.
    """

    problem: Problem
    loss: float
    method: str
    differences: Derivative
    numerical: Floats
    tolerance: Floats
    max_abs_error: float
    relative_error: float
    noise_floor: float
    worst_index: tuple[int, ...]
    direction_error: float
    complex_error: float | None
    is_undecided: bool

    def numbers(self) -> dict[str, Any]:
        """Return the numbers that `--json` shows."""
        labels, given = self.problem.labels.tolist(), {**vars(self.problem), **vars(self)}
        given["label"] = labels[0] if len(labels) == 1 else labels
        given["complex_step_error"] = self.complex_error
        plain = {key: given[key] for key in _NUMBERS}
        return {
            key: one.tolist() if isinstance(one, np.ndarray) else one for key, one in plain.items()
        }


@np.errstate(all="ignore")  # what is not finite is found and described
def check(problem: Problem, method: str, generator: np.random.Generator) -> Check:
    """Compare a claimed gradient with a numerical one and return the verdict.

    Along a random direction first, which sees any wrong coordinate at the price of one; then
    coordinate by coordinate. The tolerance follows from the estimated errors. The complex step
    is taken as well wherever the function is analytic; asked for where it is not, central
    differences judge instead and the notes say so.
    """
    analytic = problem.analytic
    off, off_allowed = along_random_direction(problem, generator)
    differences = central(problem.line, problem.point.ravel(), problem.size)
    numerical, tolerance, exact, notes = _find_numerical(problem, method, differences)
    method = "central" if exact is None else method
    error = _errors(analytic, numerical, differences)
    size = max(largest(analytic), largest(numerical))
    floor = min(tolerance.max() / METHODS[method], max(differences.slope, size))
    worst = float(error.max(initial=0))
    # a tolerance that says nothing; for a flat function that of its values' rounding does
    enough = max(_TOO_NOISY * differences.slope, 1e-9 * differences.highest)
    is_undecided = not (tolerance <= enough).all()
    diagnosis = ""
    if is_undecided:
        diagnosis = _why_undecided(differences)
    elif (error > tolerance).any():
        diagnosis = diagnose(analytic, numerical, tolerance, problem.anatomy(numerical))
    elif off > off_allowed + np.sqrt(error.size) * largest(tolerance):
        diagnosis = (
            "each coordinate is right, but along a random direction the derivative is off by "
            f"{off:.2g}"
        )
    return Check(
        what=problem.what,
        diagnosis=diagnosis,
        notes=tuple(filter(None, (*notes, _note_on_size(size, tolerance)))),
        problem=problem,
        loss=float(problem.values(problem.point[None])[0].real),
        method=method,
        differences=differences,
        numerical=numerical,
        tolerance=tolerance,
        max_abs_error=worst,
        relative_error=worst / max(size, floor) if worst else 0.0,
        noise_floor=float(floor),
        worst_index=_index_of_largest(error - tolerance),
        direction_error=off,
        complex_error=None if exact is None else largest(analytic - exact),
        is_undecided=is_undecided,
    )


def _find_numerical(
    problem: Problem, method: str, differences: Derivative
) -> tuple[Floats, Floats, Floats | None, list[str]]:
    """Return the gradient that judges, its tolerance, the complex step's gradient, and notes.

    Differences judge where the complex step was not asked for or means nothing.
    """
    shape = problem.point.shape
    gradient = differences.value.reshape(shape)
    tolerance = _SAFETY * differences.error + problem.rounding * differences.slope
    tolerance = tolerance.reshape(shape)
    exact = complex_step(problem.line, problem.point.size)
    if exact is not None:
        exact = exact.reshape(shape)
        exact = exact if (np.abs(exact - gradient) <= tolerance).all() else None
    notes = [_kink_note(differences, shape)] if differences.kinked.any() else []
    if method == "complex" and exact is None:
        notes.append("the function takes no complex numbers: central differences judge instead")
    elif method == "complex" and exact is not None:
        # exp(-a) loses as many units of rounding as `a` is large
        scale = max(differences.slope, largest(exact)) * max(1.0, problem.size)
        gradient, tolerance = exact, np.full(shape, problem.rounding * scale)
    return gradient, tolerance, exact, notes


@np.errstate(all="ignore")
def along_random_direction(problem: Problem, generator: np.random.Generator) -> tuple[float, float]:
    """Return the error along a direction whose largest component is 1, and what it may be."""
    point = problem.point
    direction = generator.normal(size=point.shape)
    direction /= np.abs(direction).max()

    def line(_: NDArray[np.intp], offsets: NDArray[np.number]) -> NDArray[np.number]:
        steps = offsets.reshape((-1,) + (1,) * point.ndim)
        return problem.values(point + steps * direction)

    differences = central(line, np.zeros(1), problem.size)
    claimed = float(np.vdot(problem.analytic, direction))
    size = max(differences.slope, float(np.abs(problem.analytic * direction).sum()))
    error = abs(claimed - float(differences.value[0]))
    tolerance = _SAFETY * float(differences.error[0]) + problem.rounding * size
    if differences.kinked.any() or not np.isfinite(tolerance):
        tolerance = np.inf  # the single coordinates decide
    return error if np.isfinite(error) else np.inf, tolerance


def _errors(analytic: Floats, numerical: Floats, differences: Derivative) -> Floats:
    """Return absolute errors; at a kink every slope between the one-sided ones is right."""
    error = np.abs(analytic - numerical)
    low = np.minimum(differences.left, differences.right).reshape(analytic.shape)
    high = np.maximum(differences.left, differences.right).reshape(analytic.shape)
    outside = np.maximum(np.maximum(low - analytic, analytic - high), 0.0)
    kinked = differences.kinked.reshape(analytic.shape)
    # One-sided differences are good to some six digits only.
    outside = np.where(outside <= 1e-6 * np.maximum(np.abs(low), np.abs(high)), 0.0, outside)
    error = np.where(kinked, outside, error)
    return np.where(np.isfinite(error), error, np.inf)


def _note_on_size(size: float, tolerance: Floats) -> str:
    """Return what to know of a gradient that is too small to be resolved, nothing for others."""
    allowed = float(tolerance.max())
    if not 0 < size <= allowed:
        return ""
    return (
        f"the gradient is nowhere larger than {size:.1g}, which is below the tolerance of "
        f"{allowed:.1g}: the loss is flat here, and little is proved at this point"
    )


def _kink_note(differences: Derivative, shape: tuple[int, ...]) -> str:
    flat = int(np.flatnonzero(differences.kinked)[0])
    more = int(differences.kinked.sum()) - 1
    others = f" (and at {more} more)" if more else ""
    coordinate = place(np.unravel_index(flat, shape))
    return (
        f"the function has a kink at coordinate {coordinate}{others}: its slope is "
        f"{differences.left[flat]:.6g} from below and {differences.right[flat]:.6g} from above; "
        "anything between is accepted"
    )


def _why_undecided(differences: Derivative) -> str:
    if not np.isfinite(differences.error).all():
        return (
            "the loss is not finite around the point, so no gradient can be found numerically: "
            "look for log of a negative number or overflow"
        )
    return (
        f"the loss is too rough to be checked: its values carry noise of {differences.noise:.1g} "
        f"against slopes of {differences.slope:.1g}, or it jumps or bends beside the point; look "
        "for rounding, random numbers and steps"
    )


def _index_of_largest(array: Floats) -> tuple[int, ...]:
    flat = int(np.argmax(np.where(np.isnan(array), np.inf, array)))
    return tuple(map(int, np.unravel_index(flat, array.shape)))
