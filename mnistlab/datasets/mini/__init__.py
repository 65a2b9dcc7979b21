"""How the packaged dataset mnist-mini was chosen from MNIST, so that anyone can do it again."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mnistlab.datasets.idx import NAMES, find_all, read_idx, write_idx

TRAIN_PER_CLASS = 600
TEST_PER_CLASS = 100


def select(labels: NDArray[np.uint8], per_class: int) -> NDArray[np.intp]:
    """Return the indices, ascending, of `per_class` images of each of the ten classes.

    A class's images, in file order, are cut into `per_class` stretches of equal length and the
    middle one of each is taken. So the choice is spread over the whole file (whose writers change
    along it), stays in file order, and the classes stay as mixed as they were.
    """
    chosen = []
    for digit in range(10):
        where = np.flatnonzero(labels == digit)
        middles = (2 * np.arange(per_class) + 1) * len(where) // (2 * per_class)
        chosen.append(where[middles])
    return np.sort(np.concatenate(chosen))


def write_mini(mnist: Path, target: Path) -> None:
    """Write the four files of mnist-mini, gzipped, into `target` from the folder of MNIST's."""
    paths = find_all(mnist)
    for at, per_class in ((0, TRAIN_PER_CLASS), (2, TEST_PER_CLASS)):
        images, labels = (read_idx(paths[name]) for name in NAMES[at : at + 2])
        chosen = select(labels, per_class)
        write_idx(target / f"{NAMES[at]}.gz", images[chosen])
        write_idx(target / f"{NAMES[at + 1]}.gz", labels[chosen])
