"""What the plots no longer have and the report's own figures still use."""

import numpy as np
from numpy.typing import NDArray


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
