"""Properties that every softmax and its loss must have, whoever wrote them.

Shapes: C classes.
"""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from mnistlab.core import losses
from mnistlab.core.mistakes import MISTAKES
from mnistlab.gradcheck.verdict import Probe

Floats = NDArray[np.floating]

LARGE, MODERATE = 1000.0, 300.0
"""exp overflows at the first and not at the second."""


def probe_softmax(softmax: Callable[[Floats], Floats], C: int, seed: int) -> Iterator[Probe]:
    """Yield what can be said of a softmax of one vector (C,)."""
    generator = np.random.default_rng([seed, 2])
    a = generator.normal(0, 2, C)
    with np.errstate(all="ignore"):
        outputs = softmax(a.copy())
        shifted = softmax(a + 50)
        extreme = _extreme(C, LARGE)
        far = softmax(extreme.copy())
        true, true_far = losses.softmax(a), losses.softmax(extreme)
    total = float(np.sum(outputs))
    yield Probe(
        "softmax sums to one",
        abs(total - 1) < 1e-6,
        f"its outputs sum to {total:.6g}: divide by the sum of all exponentials",
    )
    low, high = float(np.min(outputs)), float(np.max(outputs))
    yield Probe(
        "softmax lies between 0 and 1",
        low >= 0 and high <= 1 + 1e-6,
        f"its outputs reach from {low:.6g} to {high:.6g}",
    )
    gap = float(np.max(np.abs(shifted - outputs)))
    yield Probe(
        "softmax stays the same when all pre-activations are shifted",
        gap < 1e-6,
        f"adding 50 to every pre-activation changes it by {gap:.3g}",
    )
    yield _finite("softmax is right at pre-activations of ±1000", far, np.allclose(far, true_far))
    gap = float(np.max(np.abs(outputs - true)))
    yield Probe(
        "softmax is exp(a) over the sum of exp(a)",
        gap < 1e-6,
        f"it differs from the definition by up to {gap:.3g}",
    )


def probe_stability(
    loss: Callable[[Floats, int], float],
    gradient: Callable[[Floats, int], Floats],
    C: int,
) -> Iterator[Probe]:
    """Yield whether the gradient stays finite at ±1000.

    A loss that is huge at ±300 already may well overflow at ±1000: that is no fault of its
    implementation, and nothing is asked of it. Nor is the loss itself asked to be finite there:
    -log(softmax) is not, with the best of softmaxes; see `note_on_loss`.
    """
    labels = (0, C - 1)
    with np.errstate(all="ignore"):
        moderate = max(abs(loss(_extreme(C, MODERATE), label)) for label in labels)
        gradients = np.array([gradient(_extreme(C, MODERATE), label) for label in labels])
        if not moderate < 1e9 or not np.isfinite(gradients).all():
            return
        gradients = np.array([gradient(_extreme(C, LARGE), label) for label in labels])
    yield _finite("gradient is finite at pre-activations of ±1000", gradients)


def note_on_loss(loss: Callable[[Floats, int], float], C: int) -> str:
    """Return what to know of a loss that is not finite at ±1000, nothing for one that is."""
    with np.errstate(all="ignore"):
        value = loss(_extreme(C, LARGE), C - 1)
        if np.isfinite(value) or not abs(loss(_extreme(C, MODERATE), C - 1)) < 1e9:
            return ""
    return (
        f"the loss is {value:g} at pre-activations of ±1000, where the true class' probability "
        "rounds to 0; log(sum(exp(a - max))) - (a_y - max) stays finite"
    )


def _extreme(C: int, size: float) -> Floats:
    """Return pre-activations (C,) that go from `size` down to minus `size`."""
    return np.linspace(size, -size, C)


def _finite(what: str, values: Floats, right: bool = True) -> Probe:
    finite = bool(np.isfinite(values).all())
    diagnosis = "its values there are wrong" if finite else MISTAKES["unshifted_softmax"].sentence
    return Probe(what, finite and right, diagnosis)
