"""Brings any picture of a digit into the form that the images of a dataset have.

MNIST's digits were made so: each was scaled, its aspect ratio kept, to fit a box of 20 x 20
pixels, and placed in a field of 28 x 28 with its centre of mass in the middle (LeCun, Bottou,
Bengio and Haffner, "Gradient-based learning applied to document recognition", Proc. IEEE 86,
1998, section III-A). A picture is read, its ink found, and then the same is done to it.

Shapes: H rows and W columns, of a picture or of the dataset's images.
"""

import struct
import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from mnistlab.datasets.ink import FAINT, find_ink
from mnistlab.errors import DataError

FORMATS = ("PNG", "JPEG")

MOST_BYTES = 20_000_000
MOST_PIXELS = 25_000_000
"""A larger file or picture is refused before it is unpacked: 100 MB at four bytes a pixel."""

_FIELD, _BOX = 28, 20  # MNIST's own, whose proportions hold for other sizes of image
_ENOUGH = 400  # pixels of a side: a longer one is averaged down first, and its noise with it


def check_file(path: Path) -> None:
    """Raise DataError unless there is a file of a size that a picture may have."""
    try:
        size = path.stat().st_size
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"{path}: cannot be read: {reason}") from None
    if not path.is_file():
        raise DataError(f"{path}: is no file")
    if size > MOST_BYTES:
        raise DataError(f"{path}: has {size:,} bytes; a picture may have {MOST_BYTES:,}")


def read_picture(path: Path) -> NDArray[np.uint8]:
    """Return the grey levels (H, W) of a PNG or JPEG file, from 0 for black to 255 for white.

    What is transparent shows white paper, or black paper under light ink. Raises DataError for a
    file that is missing, is no such picture, is broken, or is too large.
    """
    check_file(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a picture's size and metadata: seen to here
            with Image.open(path, formats=FORMATS) as picture:
                return _grey_levels(picture)
    except (Image.DecompressionBombError, _TooLargeError):
        most = f"a picture may have {MOST_PIXELS:,}"
        raise DataError(f"{path}: has too many pixels; {most}") from None
    except UnidentifiedImageError:
        raise DataError(f"{path}: is no PNG or JPEG picture") from None
    except (OSError, SyntaxError, ValueError, EOFError, LookupError, TypeError, ArithmeticError,
            struct.error) as error:  # fmt: skip
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"{path}: the picture is broken: {reason}") from None


class _TooLargeError(Exception):
    """A picture has more pixels than are unpacked."""


def _grey_levels(picture: Image.Image) -> NDArray[np.uint8]:
    """Return an opened picture's grey levels (H, W), averaged down if it is large."""
    if picture.width * picture.height > MOST_PIXELS:
        raise _TooLargeError
    shrink = max(1, max(picture.size) // _ENOUGH)
    picture.draft("L", (picture.width // shrink, picture.height // shrink))  # JPEG unpacks less
    upright = ImageOps.exif_transpose(picture)
    if upright.mode.startswith("I"):  # 16 bits a pixel, which Pillow would cut off at 255
        levels = np.asarray(upright).clip(0, 65535) // 257
        grey = Image.fromarray(levels.astype(np.uint8))
    elif "transparency" in upright.info or upright.mode in ("LA", "La", "PA", "RGBA", "RGBa"):
        ink = upright.convert("RGBA")
        brightness, opaque = (np.asarray(ink.convert("LA"))[..., at] / 255 for at in (0, 1))
        is_light = (brightness * opaque).sum() > opaque.sum() / 2
        paper = Image.new("RGBA", ink.size, "black" if is_light else "white")
        grey = Image.alpha_composite(paper, ink).convert("L")
    else:
        grey = upright.convert("L")
    shrink = max(1, max(grey.size) // _ENOUGH)
    return np.asarray(grey.reduce(shrink) if shrink > 1 else grey)


def as_digit(levels: NDArray[np.uint8], shape: tuple[int, int]) -> NDArray[np.uint8]:
    """Return a picture's grey levels (H, W) as an image of a dataset with images of this shape.

    Ink is bright there and paper 0. An image of MNIST comes out much as it went in. Raises
    DataError where no ink stands out from the paper.
    """
    ink = _crop(find_ink(levels))
    height, width = (max(1, round(side * _BOX / _FIELD)) for side in shape)
    scale = min(height / ink.shape[0], width / ink.shape[1])
    rows, columns = (max(1, round(side * scale)) for side in ink.shape)
    if (rows, columns) != ink.shape:
        drawn = Image.fromarray(ink.astype(np.float32))
        # a filter that, unlike Lanczos', leaves no ripples beside an edge
        ink = np.asarray(drawn.resize((columns, rows), Image.Resampling.HAMMING), np.float64)
    ink *= 255 / ink.max()
    field = np.zeros(shape, np.uint8)
    top, left = (_start(ink, axis, shape[axis]) for axis in (0, 1))
    field[top : top + rows, left : left + columns] = np.rint(ink)
    return field


def _crop(ink: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the smallest part that holds all ink but the faintest."""
    clear = ink > FAINT * ink.max()
    rows, columns = (np.flatnonzero(clear.any(axis=axis)) for axis in (1, 0))
    return ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _start(ink: NDArray[np.float64], axis: int, room: int) -> int:
    """Return where along an axis of `room` pixels the ink starts with its mass in the middle.

    That is pixel 14 of 28, counted from 0: so are all of MNIST's, to half a pixel.
    """
    mass = ink.sum(axis=1 - axis)
    centre = float(mass @ np.arange(len(mass)) / mass.sum())
    return int(np.clip(round(room // 2 - centre), 0, room - len(mass)))
