"""mnist-mini: what is packaged is what the documented selection makes of MNIST."""

import gzip

import numpy as np
import pytest

from mnistlab.datasets import home_of, load, read_idx, write_idx
from mnistlab.datasets.data_files import NAMES
from mnistlab.datasets.reading import find_all

TRAIN_PER_CLASS = 600
TEST_PER_CLASS = 100


def select(labels, per_class):
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


def write_mini(mnist, target):
    """Write the four files of mnist-mini, gzipped, into `target` from the folder of MNIST's."""
    paths = find_all(mnist)
    for at, per_class in ((0, TRAIN_PER_CLASS), (2, TEST_PER_CLASS)):
        images, labels = (read_idx(paths[name]) for name in NAMES[at : at + 2])
        chosen = select(labels, per_class)
        write_idx(target / f"{NAMES[at]}.gz", images[chosen])
        write_idx(target / f"{NAMES[at + 1]}.gz", labels[chosen])


def test_selection_by_hand():
    labels = np.array([*range(10), *range(10), *range(10), *range(9), 5], np.uint8)
    labels = np.append(labels, 9)
    # Class 0 stands at 0, 10, 20, 30: two stretches of two, the later of each as the middle.
    chosen = select(labels, 2)
    assert list(chosen[labels[chosen] == 0]) == [10, 30]
    # Class 5 stands at 5, 15, 25, 35, 39: of five, positions 5/4 and 15/4 rounded down.
    assert list(chosen[labels[chosen] == 5]) == [15, 35]
    assert list(chosen) == sorted(chosen)


@pytest.mark.parametrize("per_class", [1, 3, 100])
def test_selection_is_even(per_class):
    labels = np.random.default_rng(1).integers(0, 10, 5000).astype(np.uint8)
    chosen = select(labels, per_class)
    assert len(set(chosen.tolist())) == 10 * per_class
    assert (np.bincount(labels[chosen], minlength=10) == per_class).all()


def test_the_packaged_classes_are_even_and_mixed():
    data = load("mnist-mini", validation=0)
    assert (np.bincount(data.train.labels) == 600).all()
    assert (np.bincount(data.test.labels) == 100).all()
    last = np.bincount(data.train.labels[-1000:], minlength=10)
    assert last.min() >= 85
    assert last.max() <= 115


def test_the_packaged_files_can_be_made_again(real_mnist, tmp_path):
    write_mini(real_mnist, tmp_path)
    for name in NAMES:
        packaged = (home_of("mnist-mini") / f"{name}.gz").read_bytes()
        assert gzip.decompress((tmp_path / f"{name}.gz").read_bytes()) == gzip.decompress(packaged)


def test_real_mnist_is_what_its_paper_says(real_mnist):
    data = load(str(real_mnist))
    assert (len(data.train), len(data.validation), len(data.test)) == (50_000, 10_000, 10_000)
    assert list(data.train.labels[:5]) == [5, 0, 4, 1, 9]
    assert list(np.bincount(data.test.labels)) == [
        *(980, 1135, 1032, 1010, 982),
        *(892, 958, 1028, 974, 1009),
    ]


def test_attribution_and_licence_are_beside_the_files():
    text = (home_of("mnist-mini") / "README.md").read_text()
    for needed in ("Yann LeCun", "Corinna Cortes", "Burges", "NIST", "licenses/by-sa/3.0"):
        assert needed in text
