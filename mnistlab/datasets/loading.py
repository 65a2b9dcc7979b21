"""From a name or a path to checked images, labels and their hash: the main path of the package."""

import hashlib
import mmap
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, cached_property, partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mnistlab.core.objective import Curvature
from mnistlab.core.samples import FeatureMap, PixelMap, Samples, lit_pixels
from mnistlab.datasets.cache import (
    Content,
    Progress,
    Silent,
    State,
    WatchedFiles,
    data_dir,
    sha256_of,
    states_of,
)
from mnistlab.datasets.catalog import DATASETS, DIGITS, ArrayDataset, NamedDataset
from mnistlab.datasets.feature_steps import FittedStep
from mnistlab.datasets.fetch import fetch, home_of, open_files, paths_of
from mnistlab.datasets.idx import (
    NAMES,
    content_sha256,
    find_all,
    is_there,
    parse,
    read_content,
    unpack,
)
from mnistlab.datasets.npz import KEYS, find_npy, parse_npy, read_npz
from mnistlab.datasets.preprocess import PREPROCESSING, MovePixels, check_steps, moved
from mnistlab.datasets.sanity import (
    Finding,
    check_counts,
    check_images,
    check_labels,
    check_same_size,
    find_oddities,
)
from mnistlab.datasets.splits import SPLITS, check_fold, held_out_count, hold_out_fold
from mnistlab.errors import DataError, UnknownNameError, shown

DIMENSIONS = (3, 1, 3, 1)  # of training images and labels, test images and labels


@dataclass(frozen=True, eq=False)
class Dataset:
    """A dataset ready to train on.

    `hashes` returns the SHA-256 of each file's content; a mapped file is read whole for that, so
    it is left until they are needed. `classes` are the ten class names.
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


@dataclass(frozen=True)
class _Raw:
    """The four arrays in the order of NAMES, with what messages call each and their hashes."""

    arrays: tuple[NDArray[np.uint8], ...]
    labels: tuple[str, ...]
    hashes: Callable[[], tuple[str, ...]]
    states: dict[Path, State]
    classes: tuple[str, ...] = DIGITS


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
    steps = check_steps(preprocess)
    check_fold(folds, fold)
    resolve(name)
    raw = _read(name, cache, progress)
    _check(raw, name)

    train_images, train_labels, test_images, test_labels = raw.arrays
    generator = np.random.default_rng(split_seed)
    if folds is None:
        count = held_out_count(validation, len(train_images), name)
        train_part, held_out = SPLITS[split](train_labels, count, generator)
    else:
        train_part, held_out = hold_out_fold(train_labels, folds, fold, split, generator)
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
        watched=WatchedFiles(raw.states, partial(_is_same, name, cache, raw.hashes)),
    )


def resolve(name: str) -> None:
    """Raise UnknownNameError unless `name` is a registered dataset or an existing path."""
    if name in DATASETS:
        return
    try:
        if is_there(Path(os.path.expanduser(name))):
            return
    except DataError:
        raise
    except (OSError, ValueError, RuntimeError):
        pass  # a name too long for a path or with a NUL in it; a ~user who is not there
    if "/" in name or Path(name).suffix:
        where = (
            "" if name.startswith(("/", "~")) else f" in {shown(Path.cwd())}, the current folder"
        )
        raise DataError(f"{shown(name)}: there is no such file or folder{where}")
    error = UnknownNameError("dataset", name, DATASETS)
    error.args = (f"{error}; the path of a folder of IDX files or of an .npz works too",)
    raise error


def _is_same(name: str, cache: Path | None, hashes: Callable[[], tuple[str, ...]]) -> bool:
    """Return whether the files of a dataset still have these hashes; nothing is fetched."""
    try:
        if name in DATASETS and isinstance(dataset := DATASETS[name], NamedDataset):
            return not open_files(dataset, home_of(name, cache))[1]
        return _read(name, cache, Silent()).hashes() == hashes()
    except DataError:
        return False


def _read(name: str, cache: Path | None, progress: Progress) -> _Raw:
    if name in DATASETS:
        return _read_named(name, cache, progress)
    path = Path(os.path.expanduser(name))
    if path.is_dir():
        return _read_folder(path)
    if path.suffix.lower() in _OTHER_FILES or find_name(path) is not None:
        raise DataError(
            f"{shown(path)}: is one file of another kind; a dataset is a folder of the four IDX "
            f"files or an .npz: numpy.savez('mine.npz', {', '.join(f'{key}=...' for key in KEYS)})"
        )
    return _read_npz(path)


_OTHER_FILES = (".npy", ".csv", ".tsv", ".mat", ".pkl", ".parquet", ".h5", ".zip", ".tar", ".png")


def find_name(path: Path) -> str | None:
    """Return which of the four IDX files a path is named as, None if it is named otherwise."""
    stem = path.name.removesuffix(".gz").replace(".idx", "-idx")
    return stem if stem in NAMES else None


def _read_named(name: str, cache: Path | None, progress: Progress) -> _Raw:
    dataset = DATASETS[name]
    if isinstance(dataset, ArrayDataset):
        return _raw_from_arrays(dataset.arrays, name, dataset.classes)
    home = home_of(name, cache)
    states = states_of(path for path in paths_of(dataset, home).values() if path is not None)
    contents, problems = open_files(dataset, home)
    if problems:
        fetch(name, cache=cache, progress=progress)
        contents, problems = open_files(dataset, home)
    if problems:
        raise DataError(f"{home}: {', '.join(problems)} changed while being read; try again")
    hashes = tuple(
        # Where the catalog's hash is of the .gz, that of the content is taken here.
        hashlib.sha256(contents[file.name]).hexdigest() if file.of_gzip else file.sha256
        for file in dataset.files
    )
    labels = {file.name: f"{home / file.stored_name}" for file in dataset.files}
    return _raw_from_idx(contents, labels, lambda: hashes, states, dataset.classes)


def _read_folder(folder: Path) -> _Raw:
    npy = find_npy(folder)
    if npy is not None:
        return _read_npy(npy)
    paths = find_all(folder)
    states = states_of(paths.values())
    contents = {name: unpack(read_content(path), str(path)) for name, path in paths.items()}
    hashes = _hashes_of([(paths[name], contents[name]) for name in NAMES], states)
    labels = {name: str(path) for name, path in paths.items()}
    return _raw_from_idx(contents, labels, hashes, states)


def _read_npy(paths: Mapping[str, Path]) -> _Raw:
    states = states_of(paths.values())
    contents = {key: read_content(path) for key, path in paths.items()}
    found = {key: parse_npy(contents[key], key, str(path)) for key, path in paths.items()}
    hashes = _hashes_of([(path, contents[key]) for key, path in paths.items()], states)
    for key in KEYS[1::2]:
        check_labels(found[key], str(paths[key]))  # before 256 could turn into a 0
    arrays = tuple(np.ascontiguousarray(found[key], np.uint8) for key in KEYS)
    return _Raw(arrays, tuple(map(str, paths.values())), hashes, states, DIGITS)


def _hashes_of(
    contents: Sequence[tuple[Path, Content]], states: Mapping[Path, State]
) -> Callable[[], tuple[str, ...]]:
    """Return a function that hashes files, once, what is mapped when it is called."""
    read = {
        path: sha256_of(path, content, states[path])
        for path, content in contents
        if not isinstance(content, mmap.mmap)
    }

    mapped = {path: content for path, content in contents if path not in read}

    @cache
    def hashes() -> tuple[str, ...]:
        return tuple(
            read.get(path) or sha256_of(path, mapped[path], states[path]) for path, _ in contents
        )

    return hashes


def _raw_from_idx(
    contents: dict[str, Content],
    labels: dict[str, str],
    hashes: Callable[[], tuple[str, ...]],
    states: dict[Path, State],
    classes: tuple[str, ...] = DIGITS,
) -> _Raw:
    arrays = tuple(
        parse(contents[name], labels[name], ndim)
        for name, ndim in zip(NAMES, DIMENSIONS, strict=True)
    )
    names = tuple(labels[name] for name in NAMES)
    return _Raw(arrays, names, hashes, states, classes)


def _read_npz(path: Path) -> _Raw:
    states = states_of([path])
    raw = _raw_from_arrays(read_npz(path), str(path))
    return replace(raw, states=states)


def _raw_from_arrays(
    found: Mapping[str, NDArray[np.integer]], label: str, classes: tuple[str, ...] = DIGITS
) -> _Raw:
    for key in KEYS[1::2]:
        check_labels(found[key], f"{label}: {key}")  # before 256 could turn into a 0
    arrays = tuple(np.ascontiguousarray(found[key], np.uint8) for key in KEYS)
    for array in arrays:
        array.flags.writeable = False
    hashes = tuple(content_sha256(array) for array in arrays)
    labels = tuple(f"{label}: {key}" for key in KEYS)
    return _Raw(arrays, labels, lambda: hashes, states_of([]), classes)


def _check(raw: _Raw, name: str) -> None:
    for at in (0, 2):
        images, labels = raw.arrays[at : at + 2]
        check_images(images, raw.labels[at])
        check_labels(labels, raw.labels[at + 1])
        check_counts(images, labels, raw.labels[at])
    check_same_size(raw.arrays[0], raw.arrays[2], name)
