"""The floor under a training run: its matrix products alone, with nothing around them.

A step over a batch of B = 100 images with D = 784 pixels and C = 10 classes needs two: outputs
(B, D) @ (D, C) and gradient (D, B) @ (B, C). Ten epochs over 50,000 images are 5,000 steps. The
same batch is used in every step, so it never leaves the cache: no real run can do that.
"""

import argparse
import json
import time

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

STEPS = 5000
WARM_UP = 100
B, D, C = 100, 784, 10

Array = NDArray[np.float32]


def main() -> None:
    """Time both layouts and print the seconds as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=STEPS)
    steps = parser.parse_args().steps
    with threadpool_limits(1, "blas"):  # as in training; a second one made no difference
        seconds = {"plain": time_plain(steps), "transposed": time_transposed(steps)}
    print(json.dumps({"steps": steps, "seconds": seconds}))


def time_plain(steps: int) -> float:
    """Return the seconds of the products over rows of samples, as textbooks write them.

    The transpose is a view: a contiguous copy of its own made the second product slower.
    """
    x, W, dA = _random(B, D), _random(D, C), _random(B, C)
    return _time_products((x, W), (x.T, dA), steps)


def time_transposed(steps: int) -> float:
    """Return the seconds in the fastest layout known: weights stored class by class.

    A constant pixel, D + 1 in all, brings the bias along.
    """
    x, W, dA = _random(B, D + 1), _random(C, D + 1), _random(C, B)
    return _time_products((W, x.T), (dA, x), steps)


def _time_products(
    outputs: tuple[Array, Array], gradient: tuple[Array, Array], steps: int
) -> float:
    A = np.matmul(*outputs)  # result buffers of the right shape
    gW = np.matmul(*gradient)
    started = 0.0
    for step in range(WARM_UP + steps):
        if step == WARM_UP:
            started = time.perf_counter()
        np.matmul(*outputs, out=A)
        np.matmul(*gradient, out=gW)
    return time.perf_counter() - started


def _random(rows: int, columns: int) -> Array:
    return np.random.default_rng(0).random((rows, columns), np.float32)


if __name__ == "__main__":
    main()
