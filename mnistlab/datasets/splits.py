"""Which of the training images are held out for validation: a share of them, or a fold.

N is the number of training images.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from mnistlab.core.registry import Registry
from mnistlab.errors import DataError


def held_out_count(validation: int | float, count: int, name: str) -> int:
    """Return how many of `count` training images are held out."""
    if validation < 0:
        raise DataError(f"data.validation is {validation:,}; it must be 0 or more images")
    wanted = round(validation * count) if validation < 1 else int(validation)
    if validation > 0 and wanted == 0:
        raise DataError(f"{name}: data.validation {validation:g} of {count:,} images is not one")
    if wanted >= count:
        raise DataError(
            f"{name}: {wanted:,} images cannot be held out of a training file of {count:,}; "
            f"choose a smaller data.validation, {count // 6:,} say"
        )
    return wanted


Part = slice | NDArray[np.intp]
Split = Callable[[NDArray[np.integer], int, np.random.Generator], tuple[Part, Part]]

SPLITS: Registry[Split] = Registry("split")
"""Ways to hold out so many of the training images, given their labels: what stays, what goes."""


@SPLITS.register("tail")
def _tail(labels: NDArray[np.integer], count: int, _: np.random.Generator) -> tuple[Part, Part]:
    """Hold out the end of the file."""
    return slice(0, len(labels) - count), slice(len(labels) - count, None)


@SPLITS.register("random")
def _random(
    labels: NDArray[np.integer], count: int, generator: np.random.Generator
) -> tuple[Part, Part]:
    """Hold out images drawn at random."""
    return _apart(_shuffled(labels, generator)[:count], len(labels))


@SPLITS.register("stratified")
def _stratified(
    labels: NDArray[np.integer], count: int, generator: np.random.Generator
) -> tuple[Part, Part]:
    """Hold out the same share of each class, drawn at random."""
    # every (N / count)-th image of the classes one after the other
    places = (np.arange(count) + 0.5) * len(labels) / max(count, 1)
    return _apart(_class_by_class(labels, generator)[places.astype(np.intp)], len(labels))


FoldOrder = Callable[[NDArray[np.integer], np.random.Generator], NDArray[np.intp]]

FOLD_ORDERS: Registry[FoldOrder] = Registry("split into folds")
"""Orders of N images, given their labels, of which fold f of K is each K-th one from place f."""


@FOLD_ORDERS.register("random")
def _shuffled(labels: NDArray[np.integer], generator: np.random.Generator) -> NDArray[np.intp]:
    """Return an order drawn at random."""
    return generator.permutation(len(labels))


@FOLD_ORDERS.register("stratified")
def _class_by_class(
    labels: NDArray[np.integer], generator: np.random.Generator
) -> NDArray[np.intp]:
    """Return an order drawn at random within each class, one class after the other."""
    order = generator.permutation(len(labels))
    return order[np.argsort(labels[order], kind="stable")]


def check_fold(folds: int | None, fold: int | None) -> None:
    """Raise DataError unless `fold` is one of so many folds, counted from 0."""
    if folds is not None and (fold is None or not 0 <= fold < folds):
        raise DataError(
            f"data.folds {folds} needs data.fold, 0 to {folds - 1}, the part to validate on; "
            "mnistlab sweep trains on all folds"
        )


def hold_out_fold(
    labels: NDArray[np.integer],
    folds: int,
    fold: int | None,
    split: str,
    generator: np.random.Generator,
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the images outside and inside a fold, given the labels (N,).

    `split` names one of FOLD_ORDERS. Folds differ in size by one image at most. Raises DataError
    where there are more folds than images.
    """
    if folds > len(labels):
        raise DataError(f"data.folds: {folds:,} folds cannot be made of {len(labels):,} images")
    return _apart(FOLD_ORDERS[split](labels, generator)[fold::folds], len(labels))


def _apart(held_out: NDArray[np.intp], N: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    stays = np.ones(N, bool)
    stays[held_out] = False
    return np.flatnonzero(stays), np.sort(held_out)
