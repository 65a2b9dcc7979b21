"""The most that matrix products can do here: large square ones, with all threads."""

import argparse
import json
import time

import numpy as np

REPEATS = 20


def main() -> None:
    """Time products of two square matrices and print the best rate in GFLOP/s as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=2048)
    size = parser.parse_args().size
    generator = np.random.default_rng(0)
    a, b = (generator.random((size, size), np.float32) for _ in range(2))
    product = np.matmul(a, b)
    seconds = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        np.matmul(a, b, out=product)
        seconds.append(time.perf_counter() - started)
    print(json.dumps({"gflops": 2 * size**3 / min(seconds) / 1e9}))


if __name__ == "__main__":
    main()
