"""The optimum of softmax cross-entropy with a penalty, by L-BFGS, down to a small gradient.

Shapes: D features, C classes, N samples; features with a constant one last, parameters (D+1, C).
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from mnistlab.core.losses import softmax
from mnistlab.core.pixels import PixelMap
from mnistlab.core.samples import FeatureReader, Samples
from mnistlab.errors import MnistlabError

Matrix = NDArray[np.float64]

LARGEST_GRADIENT = 1e-6
"""No coordinate of the gradient is larger at what is called the optimum.

What that promises: the objective f is convex, and its penalty makes it strongly convex in the
weights W though not in the biases b. So against any optimum (W*, b*)

    f(W, b) - f* <= <f_W, W - W*> - ridge/2 ||W - W*||^2 + <f_b, b - b*>
                 <= ||f_W||^2 / (2 ridge) + ||f_b||_1 max|b - b*| .

With no coordinate above G the first term is at most D C G^2 / (2 ridge), 3.9e-9 / ridge for
MNIST's 7,840 weights, the second at most C G times how far a bias is off, 1e-5 for a whole unit.
"""

_ROWS = 4000
_MOST_STEPS = 20_000


def softmax_optimum(
    samples: Samples,
    pixels: PixelMap,
    C: int,
    ridge: float,
    at_step: Callable[[], None] = lambda: None,
) -> tuple[Matrix, float, float]:
    """Return the parameters that minimise mean cross-entropy + ridge / 2 ||W||^2, and its value.

    The third number is the largest coordinate of the gradient there. `at_step` is called before
    each evaluation and may raise. L-BFGS: Liu and Nocedal, "On the limited memory BFGS method
    for large scale optimization", Math. Programming 45, 1989. Raises MnistlabError where SciPy is
    missing, or the gradient does not get small.
    """
    try:
        from scipy.optimize import minimize  # noqa: PLC0415 - an extra, and slow to import
    except ImportError:
        raise MnistlabError(
            "the optimum of a softmax needs SciPy: pip install 'mnistlab[report]'"
        ) from None
    D = samples.images.shape[1]
    objective = _Objective(samples, pixels, C, ridge)

    def value(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        at_step()
        total, gradient = objective.value(flat.reshape(D + 1, C))
        return total, gradient.ravel()

    found = minimize(
        value,
        np.zeros((D + 1) * C),
        jac=True,
        method="L-BFGS-B",
        options={
            "maxcor": 20, "gtol": LARGEST_GRADIENT, "ftol": 0.0,
            "maxiter": _MOST_STEPS, "maxfun": 2 * _MOST_STEPS,
        },
    )  # fmt: skip
    steepest = float(np.abs(found.jac).max())
    if not steepest <= LARGEST_GRADIENT:
        raise MnistlabError(
            f"the optimum of the softmax was not found: after {found.nit} steps its gradient is "
            f"still {steepest:.1e}"
        )
    return found.x.reshape(D + 1, C), float(found.fun), steepest


class _Objective:
    """Mean cross-entropy with its penalty over a whole split, in float64."""

    def __init__(self, samples: Samples, pixels: PixelMap, C: int, ridge: float) -> None:
        self._samples, self._ridge, self._C = samples, ridge, C
        self._reader = FeatureReader(
            pixels, samples.images.shape[1], min(_ROWS, len(samples)), np.float64
        )

    def value(self, P: Matrix) -> tuple[float, Matrix]:
        """Return the objective and its gradient (D+1, C)."""
        N, factor = len(self._samples), self._reader.factor
        total, gradient = 0.0, np.zeros_like(P)
        for start in range(0, N, _ROWS):
            labels = self._samples.labels[start : start + _ROWS]
            x = self._reader.read(self._samples.images[start : start + _ROWS])
            logits = x @ P * factor
            shifted = logits - logits.max(axis=1, keepdims=True)
            rows = np.arange(len(labels))
            total += float((np.log(np.exp(shifted).sum(axis=1)) - shifted[rows, labels]).sum())
            errors = softmax(logits)
            errors[rows, labels] -= 1
            gradient += x.T @ errors
        gradient *= factor / N
        gradient[:-1] += self._ridge * P[:-1]
        return total / N + self._ridge / 2 * float(np.square(P[:-1]).sum()), gradient
