"""What the contestants of the sweep have to do: learning rates, operations, and losses to end at.

Every configuration is `configs/linear.yaml` at another learning rate: D + 1 = 785 weights for
each of C = 10 classes, ten epochs in steps over 50,000 images, and after every epoch an
evaluation over these and 10,000 more.
"""

import math
from collections.abc import Mapping, Sequence

from harness.measure import BenchmarkError

RATES = tuple(0.001 * 10 ** (k / 63) for k in range(64))
"""The learning rates of `configs/sweeps/learning_rate_64.yaml`."""

SAMPLED = RATES[::21]
"""Four of them, spread evenly, for whoever trains one after another."""

EPOCHS = 10
LOSSES = ((0.4137, 0.0005), (0.4021, 0.0010), (0.3951, 0.0015), (0.3927, 0.0040))
"""Training loss after ten epochs at the rates sampled, and how far a contestant's may be from it.

Losses and tolerances come from thirteen data orders, drawn by mnistlab, PyTorch and JAX: means,
and about twice the largest distance from them.
"""


FEATURES = 784 + 1
LIT = 717 + 1
"""The pixels that are above zero in some training image, and the constant: the sweep trains on
these alone, so only their operations may count for it."""


def operations(configurations: int, features: int = FEATURES) -> float:
    """Return the floating-point operations of the matrix products of all epochs.

    A step multiplies twice, for outputs and gradient, an evaluation once; each multiplication
    comes with an addition.
    """
    weights = features * 10 * configurations
    return EPOCHS * (2 * 2 * weights * 50_000 + 2 * weights * 60_000)


def scaled(process: float, work: float, trained: int) -> float:
    """Return the seconds of a process that would have trained all rates, not only some.

    `work` are those of its seconds that grow with the number of rates.
    """
    return process - work + work * len(RATES) / trained


def check_losses(who: str, losses: Mapping[float, float], rates: Sequence[float]) -> None:
    """Raise BenchmarkError unless just these rates were trained, to the losses they lead to."""
    trained = sorted(losses)
    if len(trained) != len(rates) or not all(map(_same, trained, rates)):
        raise BenchmarkError(f"{who}: trained other learning rates: {trained}")
    for rate, loss in losses.items():
        low, high = _expected(rate)
        if not low <= loss <= high:
            raise BenchmarkError(
                f"{who}: training loss {loss} at learning rate {rate:g}, "
                f"expected {low:.4f} to {high:.4f}"
            )


def _expected(rate: float) -> tuple[float, float]:
    """Return the range of the loss at a rate; between two sampled ones it is theirs together."""
    ranges = [(loss - margin, loss + margin) for loss, margin in LOSSES]
    for sampled, known in zip(SAMPLED, ranges, strict=True):
        if _same(rate, sampled):
            return known
    above = sum(rate > sampled for sampled in SAMPLED)
    return ranges[above][0], ranges[above - 1][1]


def _same(rate: float, other: float) -> bool:
    return math.isclose(rate, other, rel_tol=1e-3)
