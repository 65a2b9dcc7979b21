"""Brings any picture of a digit into the form that the images of a dataset have.

MNIST's digits were made so: each was scaled, its aspect ratio kept, to fit a box of 20 x 20
pixels, and placed in a field of 28 x 28 with its centre of mass in the middle (LeCun, Bottou,
Bengio and Haffner, "Gradient-based learning applied to document recognition", Proc. IEEE 86,
1998, section III-A). A picture is read, its ink found, and then the same is done to it.

Ink is what differs from the paper by more than noise; shading, ruled frames and dust are paper.
The paper is what the border shows, or, where that is uneven or a frame's, a quadratic surface in
the pixels' places. It is fitted by least trimmed squares, to those pixels that lie closest to it,
so that ink has no say (Rousseeuw, "Least median of squares regression", J. Amer. Statist. Assoc.
79, 1984).

Shapes: H rows and W columns, of a picture or of the dataset's images.
"""

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from mnistlab.errors import DataError

FORMATS = ("PNG", "JPEG")

MOST_BYTES = 20_000_000
MOST_PIXELS = 25_000_000
"""A larger file or picture is refused before it is unpacked: 100 MB at four bytes a pixel."""

_FIELD, _BOX = 28, 20  # MNIST's own, whose proportions hold for other sizes of image
_ENOUGH = 400  # pixels of a side: a longer one is averaged down first, and its noise with it

Grey = NDArray[np.float64]
Mask = NDArray[np.bool_]

FAINT = 16 / 255
"""Parts of the darkest ink that do not count for a digit's extent: JPEG leaves a haze around edges,
while MNIST's digits, all 20 pixels high or wide, have no row or column at their edge as pale."""

_PAPER = 0.6  # at least this share of a picture is paper
_STEPS = 20  # of the fit; it settles after five to ten
_SIDE = 160  # of longer sides a fit looks at 160 to 319 rows, a search for connected ink at 160
_CLEAR = 0.25  # of the darkest ink: what is fainter does not connect strokes
_DARKEST = 32.0  # of 255 grey levels: darker paper is taken for so dark
_CONTRAST = 24.0  # of 255 grey levels: what stands out by less is no ink
_NOISE = 5.0  # ink differs from the paper by more than so many times what most of it does
_DUST = 0.03  # of the ink of the largest part: a smaller one on paper with noise is no stroke
_MOST_PARTS = 8  # of the ink, among which there may be a frame and a digit
_FRAMED = 1 / 3  # of a frame's height: what is in it and is lower is no digit
_EDGE = 0.25  # of the border: more ink there is a shadow's


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
    except Image.DecompressionBombError:
        most = f"a picture may have {MOST_PIXELS:,}"
        raise DataError(f"{path}: has too many pixels; {most}") from None
    except UnidentifiedImageError:
        raise DataError(f"{path}: is no PNG or JPEG picture") from None
    except Exception as error:  # Pillow's decoders fail in many ways
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"{path}: the picture is broken: {reason}") from None


def _grey_levels(picture: Image.Image) -> NDArray[np.uint8]:
    """Return an opened picture's grey levels (H, W), averaged down if it is large."""
    if picture.width * picture.height > MOST_PIXELS:
        raise Image.DecompressionBombError
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
    ink = find_ink(levels)
    top, bottom, left, right = _box(ink > FAINT * ink.max())
    ink = ink[top:bottom, left:right]
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


def _start(ink: NDArray[np.float64], axis: int, room: int) -> int:
    """Return where along an axis of `room` pixels the ink starts with its mass in the middle.

    That is pixel 14 of 28, counted from 0: so are all of MNIST's, to half a pixel.
    """
    mass = ink.sum(axis=1 - axis)
    centre = float(mass @ np.arange(len(mass)) / mass.sum())
    return int(np.clip(round(room // 2 - centre), 0, room - len(mass)))


def find_ink(levels: NDArray[np.uint8]) -> Grey:
    """Return how far each grey level (H, W) lies on the ink's side of the paper's, 0 for paper.

    Ink is what is darker than the paper, or what is lighter, whichever there is more of. Raises
    DataError where nothing stands out, or where the paper does.
    """
    ink, noise = _apart(levels - float(np.median(_border(levels))), of=_border)
    is_frame = np.mean(ink > ink.max() / 2) > _PAPER  # what the border shows
    if noise or is_frame:
        paper = _surface(levels)
        other, other_noise = _apart(levels - paper)
        if is_frame or other.max() / (1 + other_noise) > ink.max() / (1 + noise):
            # both ink and paper give back a share of the light that falls on them
            ink, noise = other * (paper.mean() / np.maximum(paper, _DARKEST)), other_noise
    if ink.max() < noise + _CONTRAST:
        advice = "; on uneven paper, crop closer or light it evenly" if noise > _CONTRAST else ""
        raise DataError(f"shows no digit: nothing in it stands out from the paper{advice}")
    ink *= _strokes(ink, noise)
    if noise and np.mean(_border(ink) > 0) > _EDGE:
        raise DataError("its background is uneven: crop closer to the digit, or light it evenly")
    return ink


def _border(picture: NDArray[Any]) -> NDArray[Any]:
    return np.concatenate((picture[0], picture[-1], picture[1:-1, 0], picture[1:-1, -1]))


def _apart(
    difference: NDArray[np.floating], of: Callable[[NDArray[Any]], NDArray[Any]] = np.ravel
) -> tuple[Grey, float]:
    """Return the ink by its difference from the paper (H, W), and the noise that it exceeds.

    The noise is that of what `of` takes for paper.
    """
    noise = _NOISE * float(np.quantile(np.abs(of(difference)), _PAPER))
    darker, lighter = (np.where(side > noise, side, 0.0) for side in (-difference, difference))
    return darker if darker.sum() >= lighter.sum() else lighter, noise


def _surface(levels: NDArray[np.uint8]) -> Grey:
    """Return the paper's grey levels (H, W), shading included."""
    every = tuple(slice(None, None, max(1, side // _SIDE)) for side in levels.shape)
    y, x = np.meshgrid(*(np.linspace(-1, 1, side) for side in levels.shape), indexing="ij")
    terms = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=-1)
    points, values = terms[every].reshape(-1, 6), levels[every].ravel().astype(np.float64)
    fitted = np.full_like(values, np.median(values))
    for _ in range(_STEPS):
        away = np.abs(values - fitted)
        nearest = np.argsort(away, kind="stable")[: max(6, int(_PAPER * len(values)))]
        fit = np.linalg.lstsq(points[nearest], values[nearest])[0]
        fitted = points @ fit
    surface: Grey = np.rint(terms @ fit)
    return surface


def _strokes(ink: Grey, noise: float) -> Mask:
    """Return which pixels (H, W) belong to no frame and, on paper with noise, to no dust."""
    step = -(-max(ink.shape) // _SIDE)
    rows, columns = (-(-side // step) for side in ink.shape)
    padded = np.zeros((rows * step, columns * step))
    padded[: ink.shape[0], : ink.shape[1]] = ink
    blocks = padded.reshape(rows, step, columns, step).max(axis=(1, 3))
    parts = connected(blocks > _CLEAR * ink.max())
    mass = np.bincount(parts.ravel(), blocks.ravel())
    mass[0] = 0.0
    largest = [int(part) for part in np.argsort(-mass)[:_MOST_PARTS] if mass[part] > 0]
    mass[[part for part in largest if _is_frame(part, largest, parts)]] = 0.0
    strokes = (mass > (_DUST * mass.max() if noise else 0.0))[parts]
    if noise:
        whole: Mask = _largest_near(np.where(strokes, 1, 0)) > 0
    else:  # a drawing's faintest pixels count
        whole = strokes | (_largest_near(np.where(strokes, 0, parts)) == 0)
    return whole.repeat(step, axis=0).repeat(step, axis=1)[: ink.shape[0], : ink.shape[1]]


def connected(mask: Mask) -> NDArray[np.intp]:
    """Return a number above 0 for each true pixel (H, W), the same for those that hang together.

    Pixels that touch at a corner do.
    """
    parts = np.where(mask, np.arange(1, mask.size + 1).reshape(mask.shape), 0)
    while True:
        before, parts = parts, np.where(mask, _largest_near(parts), 0)
        if np.array_equal(parts, before):
            return parts


def _largest_near(numbers: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return the largest number (H, W) among each and its eight neighbours."""
    wide = np.pad(numbers, 1)
    tall = np.maximum(np.maximum(wide[:-2], wide[1:-1]), wide[2:])
    return np.maximum(np.maximum(tall[:, :-2], tall[:, 1:-1]), tall[:, 2:])


def _is_frame(part: int, largest: Sequence[int], parts: NDArray[np.intp]) -> bool:
    """Return whether a part of the ink runs round one of the largest, and that is a digit's."""
    top, bottom, left, right = _box(parts == part)
    for other in largest:
        if other == part:
            continue
        inner = _box(parts == other)
        is_around = top < inner[0] and inner[1] < bottom and left < inner[2] and inner[3] < right
        is_clear = not (parts[inner[0] : inner[1], inner[2] : inner[3]] == part).any()
        if is_around and is_clear and inner[1] - inner[0] > _FRAMED * (bottom - top):
            return True
    return False


def _box(mask: Mask) -> tuple[int, int, int, int]:
    """Return the first row with a true pixel, that behind the last, and likewise the columns."""
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    return int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1
