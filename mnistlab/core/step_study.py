"""How the error of a numerical derivative depends on its step: the V of truncation and rounding."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mnistlab.core.differences import complex_step
from mnistlab.core.gradcheck import Check

Floats = NDArray[np.floating]


@dataclass(frozen=True)
class StepStudy:
    """Errors of one derivative for S steps, relative to the gradient's largest coordinate.

    Attributes:
        index: the coordinate.
        steps: (S,).
        forward: (S,) errors of (f(x+h) - f(x)) / h.
        central: (S,) errors of (f(x+h) - f(x-h)) / 2h.
        complex: (S,) errors of Im f(x+ih) / h, None where the function takes no complex numbers.
        chosen: the step and the error of the extrapolation that the check used.
        exact: whether the reference is the complex step; else it is the extrapolation.
    """

    index: tuple[int, ...]
    steps: Floats
    forward: Floats
    central: Floats
    complex: Floats | None
    chosen: tuple[float, float]
    exact: bool


def study_steps(check: Check) -> StepStudy:
    """Return the errors by step size in the coordinate whose derivative is largest."""
    problem, differences = check.problem, check.differences
    line = problem.line
    flat = int(np.argmax(np.abs(np.nan_to_num(differences.value))))
    steps = 10.0 ** -np.arange(0, 15.01, 0.25)
    at = np.full(len(steps), flat)
    with np.errstate(all="ignore"):
        here = line(at[:1], np.zeros(1))
        above, below = line(at, steps), line(at, -steps)
        forward, central = (above - here) / steps, (above - below) / (2 * steps)
        exact = complex_step(line, problem.point.size)
        reference = differences.value[flat] if exact is None else exact[flat]
        size = float(np.nanmax(np.abs(differences.value))) or 1.0
        by_complex = None
        if exact is not None:
            by_complex = np.abs(line(at, 1j * steps).imag / steps - reference) / size
    index = tuple(int(i) for i in np.unravel_index(flat, problem.point.shape))
    estimate = abs(float(differences.value[flat]) - float(reference)) / size
    return StepStudy(
        index=index,
        steps=steps,
        forward=np.abs(forward - reference) / size,
        central=np.abs(central - reference) / size,
        complex=by_complex,
        chosen=(float(differences.step[flat]), estimate),
        exact=exact is not None,
    )
