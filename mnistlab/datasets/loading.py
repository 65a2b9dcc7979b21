"""From a name or a path to a dataset ready to train on: the main path of the package.

N is the number of training images; some of them are held out for validation, a share or a fold.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mnistlab.core import Registry
from mnistlab.core.objective import Curvature
from mnistlab.core.samples import FeatureMap, PixelMap, Samples, lit_pixels
from mnistlab.datasets.catalog import DATASETS, NamedDataset
from mnistlab.datasets.features import FittedStep
from mnistlab.datasets.preprocess import PREPROCESSING, MapPixels, MovePixels, moved
from mnistlab.datasets.reading import WatchedFiles, read_raw
from mnistlab.datasets.sanity import Finding, check_images, check_labels, find_oddities
from mnistlab.datasets.sources import Progress, Silent, data_dir
from mnistlab.errors import DataError


@dataclass(frozen=True, eq=False)
class Dataset:
    """A dataset ready to train on.

    `hashes` returns the SHA-256 of the raw IDX file that would hold each array; what is mapped is
    read whole for that. `classes` are the ten class names.
    """

    name: str
    train: Samples
    validation: Samples | None
    test: Samples
    hashes: Callable[[], tuple[str, ...]]
    classes: tuple[str, ...]
    preprocess: tuple[str, ...]
    curvatures: dict[bool, Curvature] = field(default_factory=dict)
    """What `experiment.prepare` has computed of the training split, exactly or not."""

    is_published: bool = False
    """Whether every file has the SHA-256 that the catalog knows."""

    watched: WatchedFiles = field(default_factory=lambda: WatchedFiles({}, lambda: True))
    """The files that it was read from."""

    @cached_property
    def sha256(self) -> str:
        """What stands for the raw images and labels, whatever preprocessing they came through."""
        return hashlib.sha256("".join(self.hashes()).encode()).hexdigest()

    @property
    def is_large(self) -> bool:
        """Whether a split is mapped from its file, as it would take too much memory."""
        return any(samples.is_large for samples in self.splits.values())

    @cached_property
    def oddities(self) -> list[Finding]:
        """What can hardly be right about the data; of published files only about the split."""
        return find_oddities(
            self.train, self.validation, self.test, self.classes, pixels=not self.is_published
        )

    @property
    def fitted_steps(self) -> tuple[FittedStep, ...]:
        """The feature steps between its pixels and the model."""
        return tuple(step for step in self.features.steps if isinstance(step, FittedStep))

    @property
    def splits(self) -> dict[str, Samples]:
        """The splits that there are, by name."""
        named = {"train": self.train, "validation": self.validation, "test": self.test}
        return {name: samples for name, samples in named.items() if samples is not None}

    def with_splits(self, splits: Mapping[str, Samples]) -> "Dataset":
        """Return the dataset with these splits in place of its own."""
        return replace(
            self,
            train=splits["train"],
            validation=splits.get("validation"),
            test=splits["test"],
            curvatures={},
        )

    @property
    def features(self) -> FeatureMap:
        """What makes features of an image's bytes."""
        return self.train.features

    @cached_property
    def lit_pixels(self) -> NDArray[np.intp] | None:
        """The pixels that are lit in a training image; None where a dark pixel is no zero.

        None of large sets either: a copy with fewer pixels would not fit into memory.
        """
        if not self.features.is_one_factor or self.train.is_large:
            return None
        return lit_pixels(self.train.rows)

    @cached_property
    def lit(self) -> tuple[Samples, Samples | None]:
        """Training and validation split with their lit pixels alone."""
        if self.lit_pixels is None:
            return self.train, self.validation
        validation = None if self.validation is None else self.validation.only(self.lit_pixels)
        return self.train.only(self.lit_pixels), validation


def load(
    name: str,
    *,
    validation: int | float = 10_000,
    split: str = "tail",
    split_seed: int = 0,
    folds: int | None = None,
    fold: int | None = None,
    preprocess: Sequence[str] = (),
    cache: Path | None = None,
    progress: Progress | None = None,
    anew: bool = False,
) -> Dataset:
    """Return the dataset `name`: a registered name, a folder of IDX files, or an .npz file.

    Of the training images `validation` are held out (0: none; below 1 it is a fraction): the last
    ones, or a `split` named in SPLITS, drawn by `split_seed`. With `folds` these are instead the
    part `fold`, counted from 0, of as many parts, which a `split` of FOLD_ORDERS draws.
    `preprocess` names steps of PREPROCESSING, applied in that order; with `anew` without what the
    cache has of that. A named dataset is fetched when `cache` (default: `data_dir()`) lacks it,
    and verified against the catalog's hashes on every load.

    Raises UnknownNameError for a name that is neither, DataError for data that cannot be used,
    and FetchError when no source could hand a named dataset over.
    """
    progress = progress or Silent()
    steps = tuple(check_steps(preprocess))
    if folds is not None and (fold is None or not 0 <= fold < folds):
        raise DataError(
            f"data.folds {folds} needs data.fold, 0 to {folds - 1}, the part to validate on; "
            "mnistlab sweep trains on all folds"
        )
    raw = read_raw(name, cache, progress)
    train_images, train_labels, test_images, test_labels = raw.arrays
    generator = np.random.default_rng(split_seed)
    if folds is None:
        count = held_out_count(validation, len(train_images), name)
        train_part, held_out = SPLITS[split](train_labels, count, generator)
    else:
        N = len(train_labels)
        if folds > N:
            raise DataError(f"data.folds: {folds:,} folds cannot be made of {N:,} images")
        train_part, held_out = _apart(FOLD_ORDERS[split](train_labels, generator)[fold::folds], N)
        count = len(held_out)
    if Samples(train_images, train_labels).is_large and not isinstance(train_part, slice):
        raise DataError(
            f"{name}: is mapped, as it has {train_images.nbytes / 1e9:.1f} GB; what a {split} "
            "split leaves would be a copy of it in memory: use data.split=tail"
        )
    if count:
        remaining = f"{name}: without the {count:,} held-out images"
        check_images(train_images[train_part], remaining)
        check_labels(train_labels[train_part], remaining)
    pixels = PixelMap()
    where = None if anew else cache or data_dir()
    train_hash, _, test_hash, _ = raw.hashes() if steps else ("", "", "", "")
    for step_name in steps:
        step = PREPROCESSING[step_name]
        if isinstance(step, MovePixels):
            train_images, train_hash = moved(
                train_images, train_hash, step_name, step, where, progress
            )
            test_images, test_hash = moved(test_images, test_hash, step_name, step, where, progress)
        else:
            pixels = step.fit(train_images[train_part])
            if not isinstance(pixels, PixelMap):
                raise DataError(f"preprocess: {step_name} must return a PixelMap, not {pixels!r}")

    train = Samples(train_images, train_labels, FeatureMap(pixels))
    return Dataset(
        name=name,
        train=train.take(train_part),
        validation=train.take(held_out) if count else None,
        test=replace(train, images=test_images, labels=test_labels),
        hashes=raw.hashes,
        classes=raw.classes,
        preprocess=steps,
        is_published=name in DATASETS and isinstance(DATASETS[name], NamedDataset),
        watched=raw.watched,
    )


def check_steps(names: Sequence[str]) -> Sequence[str]:
    """Return `names` if these steps can be applied in this order; else raise an InputError."""
    mapped = None
    for at, name in enumerate(names):
        step = PREPROCESSING[name]
        if name in names[:at]:
            raise DataError(f"preprocess: {name} is named twice; name it once")
        if mapped is not None:
            remedy = f"put {name} before {mapped}" if isinstance(step, MovePixels) else "keep one"
            raise DataError(
                f"preprocess: {name} cannot follow {mapped}, which must be last; {remedy}"
            )
        mapped = name if isinstance(step, MapPixels) else None
    return names


def check_held_out(amount: int | float) -> int | float:
    """Return a number of images, whole, or a fraction of them; raise DataError for what is none."""
    if amount >= 1 and amount % 1 != 0:  # nan for infinity
        raise DataError(f"must be a number of images or a fraction below 1, not {amount}")
    return int(amount) if amount >= 1 or amount == 0 else amount


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
            f"choose a smaller data.validation, such as {count // 6:,}"
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


def _apart(held_out: NDArray[np.intp], N: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return which of N images stay and which are held out, in the order of the file."""
    stays = np.ones(N, bool)
    stays[held_out] = False
    return np.flatnonzero(stays), np.sort(held_out)
