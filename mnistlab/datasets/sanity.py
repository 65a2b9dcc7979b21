"""Refuses data that cannot be trained on, and finds what can hardly be what was meant.

Shapes: N images of D pixels, C classes.
"""

import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnistlab.core.samples import Samples
from mnistlab.errors import DataError

_SCARCE = 0.1
"""A class is nearly absent from training below this part of its share of another split."""

_DARKEST = 32
"""The brightest pixel of a split that uses its range is brighter."""

_APART = 3.0
"""Splits whose mean pixels differ by more than this factor have different scales."""

_MANY = 0.01
"""Share of a split from which on repeated images are no accident; MNIST has not one."""

_SAMPLED = 2000  # images whose mean pixel stands for that of a split


CLASSES = 10
_CHUNK = 1000  # images looked at together


def check_images(images: NDArray[np.uint8], label: str) -> None:
    """Raise DataError unless `images` (N, H, W) holds at least one image that is not blank."""
    if images.size == 0:
        raise DataError(f"{label}: empty: its shape is {images.shape}; give at least one image")
    if not any(images[at : at + _CHUNK].any() for at in range(0, len(images), _CHUNK)):
        raise DataError(f"{label}: every image is blank (all pixels 0); is it the right file?")


def check_labels(labels: NDArray[np.integer], label: str) -> None:
    """Raise DataError unless `labels` (N,) are classes 0..9, and of more than one class."""
    if labels.size == 0:
        raise DataError(f"{label}: empty: there is no label in it")
    lowest, highest = int(labels.min()), int(labels.max())
    if lowest < 0 or highest >= CLASSES:
        wrong = lowest if lowest < 0 else highest
        at = int(np.flatnonzero(labels == wrong)[0])
        hint = "; these count from 1: subtract it" if (lowest, highest) == (1, CLASSES) else ""
        raise DataError(f"{label}: label {at} is {wrong}; labels must be 0 to {CLASSES - 1}{hint}")
    if lowest == highest:
        raise DataError(
            f"{label}: all {len(labels)} labels are {lowest}; there is nothing to tell apart, "
            "give at least two classes"
        )


@dataclass(frozen=True)
class Finding:
    """Something about the data that can hardly be right: a name, a sentence, and its figures."""

    name: str
    message: str
    figures: Mapping[str, Any]


def measure(split: Samples, C: int) -> dict[str, Any]:
    """Return the number of images, of each class and in all, and how bright they are."""
    return {
        "images": len(split),
        "classes": np.bincount(split.labels, minlength=C).tolist(),
        "brightest": int(split.images.max()),
        "mean": round(_mean(split), 3),
    }


def find_oddities(
    train: Samples,
    validation: Samples | None,
    test: Samples,
    classes: tuple[str, ...],
    *,
    pixels: bool = True,
) -> list[Finding]:
    """Return what is odd about the splits of a dataset, the gravest first.

    Without `pixels` only their labels are looked at. Looking through the pixels of a dataset of
    MNIST's size took 45 ms on one core; of a large set a part of the training images stands for
    all.
    """
    found = [*_absent_classes(train, validation, test, classes)]
    if train.is_large:
        train = train.subset(50_000)
    if pixels:
        found += [*_pixels(train, test), *_repeated(train, test, classes)]
    return found


def _absent_classes(
    train: Samples, validation: Samples | None, test: Samples, classes: tuple[str, ...]
) -> Iterator[Finding]:
    shares = _shares(train, len(classes))
    for name, split in (("validation", validation), ("test", test)):
        if split is None:
            continue
        theirs = _shares(split, len(classes))
        scarce = np.flatnonzero((theirs > 0) & (shares < _SCARCE * theirs))
        if not len(scarce):
            continue
        named = ", ".join(classes[c] for c in scarce)
        part = float(theirs[scarce].sum())
        lacks = "lacks" if not shares[scarce].any() else "hardly has"
        remedy = (
            "is the file sorted by class? data.split=stratified holds out a part of each class"
            if name == "validation"
            else "they can only be guessed wrong"
        )
        yield Finding(
            f"classes_missing_for_{name}",
            f"{part:.0%} of the {name} images are of classes that training {lacks} ({named}): "
            f"{remedy}",
            {"classes": [classes[c] for c in scarce], "share": part},
        )


def _shares(split: Samples, C: int) -> NDArray[np.float64]:
    return np.bincount(split.labels, minlength=C) / len(split)


def _pixels(train: Samples, test: Samples) -> Iterator[Finding]:
    brightest = {"train": int(train.images.max()), "test": int(test.images.max())}
    means = {"train": _mean(train), "test": _mean(test)}
    figures = {"brightest": brightest, "mean": means}
    dark = [name for name, pixel in brightest.items() if pixel < _DARKEST]
    if dark:
        which = {"train": "training", "test": "test"}[dark[0]]
        advice = (
            "were they divided by 255 before they were saved? Multiply them by 255"
            if brightest[dark[0]] <= 1
            else "multiply them so that they use the range"
        )
        yield Finding(
            "pixels_too_dark",
            f"the brightest pixel of the {which} images is {brightest[dark[0]]} of 255: {advice}",
            figures,
        )
    low, high = sorted(means.values())
    if len(dark) != 2 and high > _APART * max(low, 0.01):
        yield Finding(
            "splits_on_different_scales",
            f"the mean pixel is {means['train']:.3g} in training and {means['test']:.3g} in the "
            "test images: were the splits saved on different scales?",
            figures,
        )
    elif means["train"] > 255 / 2:
        yield Finding(
            "inverted",
            f"the mean pixel is {means['train']:.0f} of 255: are the images dark on bright? "
            "data.preprocess=[invert] turns them over",
            figures,
        )


def _mean(split: Samples) -> float:
    step = max(1, len(split) // _SAMPLED)
    return float(split.rows[::step].mean())


def _repeated(train: Samples, test: Samples, classes: tuple[str, ...]) -> Iterator[Finding]:
    """Yield findings on images that occur twice: in training and test, or with two labels."""
    # equal rows have equal checksums, and others that have are told apart below
    keys, test_keys = (
        np.fromiter(map(zlib.crc32, split.rows), np.int64, len(split)) for split in (train, test)
    )
    order = np.argsort(keys, kind="stable")
    where = order[np.minimum(np.searchsorted(keys[order], test_keys), len(keys) - 1)]
    same = np.flatnonzero(keys[where] == test_keys)
    same = same[(train.rows[where[same]] == test.rows[same]).all(axis=1)]
    if len(same) > _MANY * len(test):
        count = len(same)
        yield Finding(
            "test_images_in_training",
            f"{count:,} of {len(test):,} test images are training images too: the test accuracy "
            "says nothing of images that are new",
            {"images": count, "of": len(test), "first": int(same[0])},
        )
    one, other = order[:-1], order[1:]
    twice = np.flatnonzero(keys[one] == keys[other])
    one, other = one[twice], other[twice]
    equal = (train.rows[one] == train.rows[other]).all(axis=1)
    lit = train.rows[one].any(axis=1)
    odd = np.flatnonzero(equal & lit & (train.labels[one] != train.labels[other]))
    if len(odd) > _MANY * len(train):
        a, b = int(one[odd[0]]), int(other[odd[0]])
        yield Finding(
            "one_image_two_labels",
            f"{len(odd):,} training images occur again with another label, {a} and {b} as "
            f"{classes[train.labels[a]]} and {classes[train.labels[b]]}: are images and labels "
            "in the same order?",
            {"images": len(odd), "first": [a, b]},
        )
