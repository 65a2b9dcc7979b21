"""Images with their pixels moved are kept in the cache, as deskewing MNIST takes a second.

A copy lies in preprocessed/HASH-STEP-VERSION/, named by the images that it was made of, under its
own hash as its name. That shows damage, but not that somebody put other images there: a few are
made anew whenever a copy is used, and all of them by `verify_copies`.

Shapes: N images of H x W pixels.
"""

import hashlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mnistlab.datasets.cache import Progress, Silent
from mnistlab.datasets.idx import content_sha256, parse, read_content, write_idx
from mnistlab.datasets.preprocess import PREPROCESSING, MovePixels
from mnistlab.errors import DataError

LOOKED_AT = 16
"""Images of a copy that are made anew each time: 2 ms."""


def moved(
    images: NDArray[np.uint8],
    sha256: str,
    name: str,
    step: MovePixels,
    cache: Path | None,
    progress: Progress,
) -> tuple[NDArray[np.uint8], str]:
    """Return `images` (N, H, W), whose hash is `sha256`, with the step applied; and its hash.

    The copy in the `cache` is used if it can be one of these images. Without a cache, or where it
    cannot be written, the copy is made in memory each time.
    """
    folder = None if cache is None else _folder(cache, sha256, name, step)
    for path in _copies(folder):
        found = _read(path)
        if found is not None and _is_alike(found, images, step):
            return found, path.stem
        progress.message(f"{path} is damaged; making it again")
    progress.message(f"{name}: {len(images):,} images")
    result = step.move(images)
    if result.dtype != np.uint8 or result.shape[:1] != images.shape[:1] or result.ndim != 3:
        raise DataError(
            f"preprocess: {name} returned {result.dtype} {result.shape} for uint8 {images.shape}"
        )
    result.flags.writeable = False
    made = content_sha256(result)
    if folder is None:
        return result, made
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_idx(folder / f"{made}.idx", result)
        for old in _copies(folder):
            if old.stem != made:
                old.unlink(missing_ok=True)
    except OSError as error:
        progress.message(f"{folder}: cannot keep the copy ({error.strerror or error})")
    return result, made


def verify_copies(images: NDArray[np.uint8], sha256: str, cache: Path) -> dict[Path, bool]:
    """Return whether each copy of these images, and each copy of a copy, is what the step makes."""
    found: dict[Path, bool] = {}
    for name, step in PREPROCESSING.items():
        if not isinstance(step, MovePixels):
            continue
        if paths := _copies(_folder(cache, sha256, name, step)):
            made, made_sha256 = moved(images, sha256, name, step, None, Silent())
            found |= {path: path.stem == made_sha256 and _read(path) is not None for path in paths}
            found |= verify_copies(made, made_sha256, cache)
    return found


def _folder(cache: Path, sha256: str, name: str, step: MovePixels) -> Path:
    return cache / "preprocessed" / f"{sha256[:16]}-{name}-{step.version}"


def _copies(folder: Path | None) -> list[Path]:
    return [] if folder is None else sorted(folder.glob("*.idx"))


def _read(path: Path) -> NDArray[np.uint8] | None:
    """Return the images of a copy, None if it does not have the hash that it is named by."""
    try:
        content = read_content(path)
        if hashlib.sha256(content).hexdigest() != path.stem:
            return None
        return parse(content, str(path), 3)
    except DataError:
        return None


def _is_alike(copy: NDArray[np.uint8], images: NDArray[np.uint8], step: MovePixels) -> bool:
    """Return whether a few images of a copy, evenly spread, are what the step makes of them."""
    few = np.linspace(0, len(images) - 1, min(LOOKED_AT, len(images))).astype(np.intp)
    return len(copy) == len(images) and np.array_equal(copy[few], step.move(images[few]))
