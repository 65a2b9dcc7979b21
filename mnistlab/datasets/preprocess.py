"""Preprocessing steps: those that move pixels, and those that are one affine map per pixel.

A step that moves pixels turns uint8 images into uint8 images, each on its own, and is cached, as
deskewing MNIST takes a second. A pixel map is fitted on the training part alone and costs nothing:
it is applied as bytes become features anyway. Steps apply in the order given, so a map cannot
stand before a move.

A copy lies in preprocessed/HASH-STEP-VERSION/, named by the images that it was made of, under its
own hash as its name. That shows damage, but not that somebody put other images there: a few are
made anew whenever a copy is used, and all of them by `verify_copies`.

Shapes: N images of H rows (index y) and W columns (index x).
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mnistlab.core import Registry
from mnistlab.core.samples import PixelMap
from mnistlab.datasets.data_files import content_sha256, parse, read_content, write_idx
from mnistlab.datasets.sources import Progress, Silent
from mnistlab.errors import DataError

# Images worked on together: keeps the memory small. 50,000 images took 1.1 s on 2 cores, and the
# same within a tenth with anything from 50 to 1,000.
_CHUNK = 500

# No pixel counts as less spread than this twentieth of the full range. On MNIST 67 pixels never
# vary in training and 211 hardly do; divided by their own spread, one odd stroke in the margin of
# a test image would reach 1,600. So nothing leaves [-20, 20], while softmax's test error after
# five epochs was the same 8.5 to 8.7 % with any floor from 1/255 to 0.1.
SPREAD_FLOOR = 0.05

LOOKED_AT = 16
"""Images of a copy that are made anew each time: 2 ms."""


def deskew(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the images (N, H, W) uint8, each set upright and centred; blank ones stay blank.

    Taking pixel (x, y) of an image as a mass I(x, y), with m the total mass:

        mean_x = sum x I / m                      mean_y = sum y I / m
        cov_xy = sum (x - mean_x)(y - mean_y) I / m     var_yy = sum (y - mean_y)^2 I / m
        alpha  = cov_xy / var_yy

    alpha is how far the stroke's line of regression moves sideways for each row down. The shear
    x' = x - alpha (y - mean_y) makes cov_xy zero, and the mass is then moved to the image's centre.
    The picture is read backwards: output pixel (x, y), measured from the centre (c_x, c_y), shows

        x_in = mean_x + (x - c_x) + alpha (y - c_y)     y_in = mean_y + (y - c_y)

    interpolated linearly between the four pixels around it; outside of the image all is 0.
    y_in is the same along an output row, and x_in moves along it in steps of 1, so the bilinear
    interpolation is exactly two linear ones: a shift of whole columns, then a shift of each row.

    LeCun, Bottou, Bengio and Haffner, "Gradient-based learning applied to document recognition"
    (1998), section III, report the linear classifier with deskewed digits: 8.4 % error against
    12 %.
    """
    upright = np.empty(images.shape, np.uint8)
    for at in range(0, len(images), _CHUNK):
        upright[at : at + _CHUNK] = _deskew_chunk(images[at : at + _CHUNK])
    return upright


def slant(images: NDArray[np.uint8]) -> tuple[NDArray[np.float64], ...]:
    """Return alpha, mean_x and mean_y, each (N,), of images (N, H, W).

    A blank image counts as centred and upright; one with all its mass in a row as upright.
    """
    height, width = images.shape[1:]
    x, y = np.arange(width, dtype=np.float64), np.arange(height, dtype=np.float64)
    pixels = images.astype(np.float64)
    row_mass = pixels.sum(axis=2)  # (N, H)
    row_moment = pixels @ x  # (N, H): sum over x of x I
    mass = row_mass.sum(axis=1)
    blank = mass == 0
    mass[blank] = 1
    mean_x = np.where(blank, (width - 1) / 2, row_moment.sum(axis=1) / mass)
    mean_y = np.where(blank, (height - 1) / 2, row_mass @ y / mass)
    below = y - mean_y[:, None]  # (N, H)
    cov_xy = (below * (row_moment - mean_x[:, None] * row_mass)).sum(axis=1)
    var_yy = (below**2 * row_mass).sum(axis=1)
    flat = var_yy == 0
    return np.where(flat, 0.0, cov_xy / np.where(flat, 1.0, var_yy)), mean_x, mean_y


def _deskew_chunk(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = images.shape[1:]
    alpha, mean_x, mean_y = slant(images)
    centre_x, centre_y = (width - 1) / 2, (height - 1) / 2
    pixels = images.astype(np.float32)
    rows = _shift(pixels.transpose(0, 2, 1), (mean_y - centre_y)[:, None]).transpose(0, 2, 1)
    sideways = (mean_x - centre_x)[:, None] + alpha[:, None] * (np.arange(height) - centre_y)
    return np.rint(_shift(rows, sideways)).astype(np.uint8)


def _shift(lines: NDArray[np.float32], by: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return `lines` (N, L, M) read at m + by along the last axis; `by` broadcasts to (N, L)."""
    length = lines.shape[2]
    whole = np.floor(by)
    part = (by - whole).astype(np.float32)[..., None]
    # Two zeros on each side of the line: what lies outside of it is looked up there, in pairs.
    padded = np.zeros((*lines.shape[:2], length + 4), np.float32)
    padded[:, :, 2:-2] = lines
    left = np.arange(2, length + 2) + whole[..., None].astype(np.intp)
    left = np.broadcast_to(np.clip(left, 0, length + 2), lines.shape)
    here: NDArray[np.float32] = np.take_along_axis(padded, left, axis=2)
    there = np.take_along_axis(padded, left + 1, axis=2)
    there -= here
    there *= part
    here += there
    return here


@dataclass(frozen=True)
class MovePixels:
    """A step from images (N, H, W) uint8 to images (N, H, W) uint8, one image at a time.

    `version` is part of the cached copy's name: raise it whenever the output changes.
    """

    summary: str
    move: Callable[[NDArray[np.uint8]], NDArray[np.uint8]]
    version: int


@dataclass(frozen=True)
class MapPixels:
    """A step that fits a PixelMap on the training images (N, H, W), validation left out."""

    summary: str
    fit: Callable[[NDArray[np.uint8]], PixelMap]


def standardize(images: NDArray[np.uint8]) -> PixelMap:
    """Return the map x = (byte/255 - mean) / std, mean and std taken per pixel over `images`.

    std has the floor SPREAD_FLOOR, so pixels that are constant there become 0 and cannot blow up
    elsewhere; the others have mean 0 and standard deviation 1 over `images`.
    """
    total: NDArray[np.float64] = np.zeros(images[0].size)
    squares: NDArray[np.float64] = np.zeros(images[0].size)
    for at in range(0, len(images), _CHUNK):
        rows = images[at : at + _CHUNK].reshape(-1, images[0].size).astype(np.float64)
        total += rows.sum(axis=0)  # whole numbers, so exact in float64 whatever the chunks
        squares += np.einsum("nd,nd->d", rows, rows)
    mean = total / len(images) / 255
    variance = squares / len(images) / 255**2 - mean**2
    spread = np.maximum(np.sqrt(np.maximum(variance, 0)), SPREAD_FLOOR)
    return PixelMap(scale=1 / (255 * spread), shift=-mean / spread)


def transpose(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return images (N, H, W) with rows and columns exchanged, (N, W, H)."""
    return np.ascontiguousarray(images.transpose(0, 2, 1))


def invert(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return images (N, H, W) with dark and bright exchanged: 255 minus each pixel."""
    return 255 - images


PREPROCESSING: Registry[MovePixels | MapPixels] = Registry(
    "preprocessing step", MovePixels, MapPixels
)
PREPROCESSING.add("deskew", MovePixels("set each digit upright and centre it", deskew, 1))
PREPROCESSING.add("transpose", MovePixels("exchange rows and columns", transpose, 1))
PREPROCESSING.add("invert", MovePixels("exchange dark and bright", invert, 1))
PREPROCESSING.add(
    "standardize", MapPixels("bring each pixel to mean 0 and deviation 1", standardize)
)


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
