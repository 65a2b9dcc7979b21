"""MNIST is published as IDX files; this finds and reads them trusting no byte, and writes them.

An IDX file is two zero bytes, a type code, the number of dimensions, each dimension as a
big-endian 32-bit number, then the values, last dimension fastest
(http://yann.lecun.com/exdb/mnist, "the IDX file format"). Values of other types are turned into
bytes where that changes no value.
"""

import contextlib
import gzip
import hashlib
import io
import itertools
import math
import mmap
import os
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
from numpy.typing import NDArray

from mnistlab.datasets.cache import Content, replacing
from mnistlab.errors import DataError, shown

GZIP_MAGIC = b"\x1f\x8b"
UNSIGNED_BYTE = 0x08
TYPES = {UNSIGNED_BYTE: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
"""NumPy's names for the types that an IDX file can hold."""

LARGEST_LABEL = 9
MAX_DIMENSIONS = 64  # NumPy's own limit
LONGEST_HEADER = 4 + 4 * MAX_DIMENSIONS

# All of MNIST is 55 MB; a packed file that wants more than this in memory is better unpacked first.
GZIP_CAP = 1 << 30

# A packed file that is small may unpack to as much as MNIST, a large one to so many times its own
# size: MNIST's images shrink to a fifth, drawings of one thin line to a thirtieth, and zeros, of
# which a bomb is made, to a thousandth.
FREE = 1 << 26
MOST_TIMES = 100


def read_idx(path: Path, ndim: int | None = None) -> NDArray[np.uint8]:
    """Return the array in the IDX file `path`, read-only: mapped, or unpacked if it is gzip.

    `ndim` is the number of dimensions the caller needs (3 for images, 1 for labels). Raises
    DataError when the file is missing, is not IDX, or does not hold what its header promises.
    """
    label = str(path)
    return parse(unpack(read_content(path), label), label, ndim)


def write_idx(path: Path, array: NDArray[np.uint8]) -> None:
    """Write `array` to `path` as IDX, gzipped when the name ends in .gz; the same bytes each time.

    Raises ValueError when the array is not uint8 or has dimensions that IDX cannot state.
    """
    with replacing(path) as file:
        if path.suffix == ".gz":
            with gzip.GzipFile("", "wb", compresslevel=9, fileobj=file, mtime=0) as packed:
                packed.write(_header(array))
                packed.write(np.ascontiguousarray(array).data)
        else:
            file.write(_header(array))
            file.write(np.ascontiguousarray(array).data)


def content_sha256(array: NDArray[np.uint8]) -> str:
    """Return the SHA-256 of the raw IDX file that would hold `array`."""
    digest = hashlib.sha256(_header(array))
    digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def is_there(path: Path) -> bool:
    """Return whether there is such a file or folder; raise DataError where one may not look."""
    try:
        return path.exists()
    except PermissionError as error:
        raise DataError(f"{path}: is not readable ({error.strerror})") from None


MOST_READ = 1 << 30
"""Bytes of a file that are read into memory; MNIST's 55 MB took 20 ms."""


def read_content(path: Path) -> Content:
    """Return the bytes of `path` as they stand on disk: read, or mapped if they are very many.

    What was read and hashed stays what it was, whatever somebody writes into the file meanwhile; a
    mapped file would change with it, and one that is cut short ends the process by a signal.
    """
    if not is_there(path):
        raise DataError(f"{path}: no such file")
    if not path.is_file():
        raise DataError(f"{path}: not a file")
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_size <= MOST_READ:
                return file.read()
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error


def unpack(stored: Content, label: str) -> Content:
    """Return `stored`, decompressed if it is gzip, whatever its name says.

    The IDX header inside is read first: no more is decompressed than it promises and one byte,
    so a small file cannot fill the memory.
    """
    if stored[:2] != GZIP_MAGIC:
        return stored
    source = io.BytesIO(stored) if isinstance(stored, bytes) else stored
    source.seek(0)
    try:
        with gzip.GzipFile(fileobj=cast("IO[bytes]", source)) as packed:
            shape, start, dtype = _parse_header(packed.read(LONGEST_HEADER), label)
            size = start + math.prod(shape) * dtype.itemsize
            if size > most_unpacked(len(stored)):
                raise DataError(
                    f"{label}: its header promises {number(size)} bytes, too many to unpack in "
                    "memory; if that is right, unpack it with gunzip first"
                )
            packed.seek(0)
            # One byte past the promise also makes gzip check its own checksum at the end.
            return packed.read(max(LONGEST_HEADER, size) + 1)
    except EOFError:
        raise DataError(f"{label}: the gzip file is cut short; get it again") from None
    except (gzip.BadGzipFile, zlib.error) as error:
        reason = shown(error)
        raise DataError(f"{label}: the gzip file is corrupt ({reason}); get it again") from None


def most_unpacked(stored: int) -> int:
    """Return how many bytes a packed file of `stored` bytes may unpack to; more is a bomb."""
    return min(GZIP_CAP, max(FREE, MOST_TIMES * stored))


def number(value: int) -> str:
    """Return a count as text, however large a file says that it is."""
    return f"{value:,}" if value < 10**20 else f"about 10^{len(str(value)) - 1}"


def parse(content: Content, label: str, ndim: int | None = None) -> NDArray[np.uint8]:
    """Return the array that the raw IDX bytes `content` hold, sharing their memory if it can."""
    shape, start, dtype = _parse_header(content[:LONGEST_HEADER], label)
    if ndim is not None and len(shape) != ndim:
        raise DataError(f"{label}: {_wrong_dimensions(shape, ndim)}")
    promised, present = math.prod(shape) * dtype.itemsize, len(content) - start
    if present < promised:
        dimensions = " x ".join(map(str, shape[:8])) + (" x …" if len(shape) > 8 else "")
        raise DataError(
            f"{label}: the header promises {dimensions} = {number(promised)} bytes of data and "
            f"only {present:,} follow; the file is truncated or damaged, get it again"
        )
    if present > promised:
        raise DataError(
            f"{label}: bytes follow after the {promised:,} bytes of data that the header promises; "
            "the file is damaged or not IDX, get it again"
        )
    try:
        values = np.frombuffer(content, dtype, offset=start).reshape(shape)
    except ValueError as error:  # such as 0 x 2^32 x 2^32 x 2^32: no bytes, yet too big to count
        sizes = shown(shape)
        raise DataError(f"{label}: the header's dimensions {sizes} cannot be ({error})") from None
    return values if dtype == np.uint8 else _as_bytes(values, label)


def _wrong_dimensions(shape: tuple[int, ...], ndim: int) -> str:
    """Return what is wrong with an array that should have `ndim` dimensions, and what to do."""
    is_image = ndim == 3 and len(shape) in (2, 4)
    if is_image:
        kind = "flat rows of pixels" if len(shape) == 2 else "images with channels"
        side = math.isqrt(shape[1])
        size = f"{side}, {side}" if len(shape) == 2 else ", ".join(map(str, shape[1:3]))
        return (
            f"holds {kind}, of shape {shown(shape)}; reshape to (count, height, width), "
            f"({shape[0]}, {size}) say"
        )
    meaning = {1: "labels (count)", 3: "images (count, height, width)"}.get(ndim, "this")
    return (
        f"holds {len(shape)} dimension(s) where {meaning} needs {ndim}; "
        "are images and labels swapped?"
    )


def _as_bytes(values: NDArray[Any], label: str) -> NDArray[np.uint8]:
    """Return labels or pixels of another type as bytes; raise DataError if that changes a value."""
    with np.errstate(invalid="ignore"):
        converted = values.astype(np.uint8)
    if values.ndim == 1:
        wrong = (values < 0) | (values > LARGEST_LABEL) | (converted != values)
        if wrong.any():
            at = int(np.argmax(wrong))
            raise DataError(
                f"{label}: label {at} is {values[at]:g}; labels must be whole numbers from 0 to "
                f"{LARGEST_LABEL}"
            )
    elif not (converted == values).all():
        low, high = float(values.min()), float(values.max())
        advice = "multiply them by 255, round them" if low >= 0 and high <= 1 else "scale them"
        raise DataError(
            f"{label}: pixels reach from {low:g} to {high:g}; they must be whole numbers from 0 "
            f"to 255: {advice} and save them as bytes"
        )
    converted.flags.writeable = False
    return converted


def looks_like_web_page(head: bytes) -> bool:
    """Return whether `head`, the first bytes of a file, opens an HTML or XML page."""
    return (
        head.lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith((b"<!doctype", b"<html", b"<?xml"))
    )


def _parse_header(head: bytes, label: str) -> tuple[tuple[int, ...], int, np.dtype[Any]]:
    """Return the shape that `head` promises, where the data starts, and its type."""
    if looks_like_web_page(head):
        raise DataError(
            f"{label}: looks like a web page instead of data; the server answered with a page, "
            "get the file another way"
        )
    if len(head) < 4:
        raise DataError(f"{label}: ends within the IDX header ({len(head)} bytes); get it again")
    zeros, code, ndim = struct.unpack(">HBB", head[:4])
    if zeros != 0 or code not in TYPES or not 0 < ndim <= MAX_DIMENSIONS:
        raise DataError(
            f"{label}: not an IDX file: it starts with {head[:4].hex(' ')} where 00 00, a type "
            "(08 for bytes) and the number of dimensions should stand"
        )
    start = 4 + 4 * ndim
    if len(head) < start:
        raise DataError(
            f"{label}: ends within the IDX header ({len(head)} of {start} bytes); get it again"
        )
    return struct.unpack(f">{ndim}I", head[4:start]), start, np.dtype(TYPES[code])


def _header(array: NDArray[np.uint8]) -> bytes:
    if array.dtype != np.uint8:
        raise ValueError(f"IDX files are written from uint8 arrays, not {array.dtype}")
    if array.ndim == 0 or max(array.shape) >= 1 << 32:
        raise ValueError(f"IDX cannot state the shape {array.shape}")
    return struct.pack(f">HBB{array.ndim}I", 0, UNSIGNED_BYTE, array.ndim, *array.shape)


TRAIN_IMAGES = "train-images-idx3-ubyte"
TRAIN_LABELS = "train-labels-idx1-ubyte"
TEST_IMAGES = "t10k-images-idx3-ubyte"
TEST_LABELS = "t10k-labels-idx1-ubyte"
NAMES = (TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS)


@dataclass(frozen=True)
class DataFile:
    """One published file: its name, the shape of its array, and the SHA-256 it must have.

    `sha256` is of the raw IDX content, so any mirror's own gzip of it will do; with `of_gzip` it
    is of the published .gz, which is then kept in the cache as it is.
    """

    name: str
    shape: tuple[int, ...]
    sha256: str
    of_gzip: bool = False

    @property
    def stored_name(self) -> str:
        """The name under which the cache keeps it."""
        return f"{self.name}.gz" if self.of_gzip else self.name

    def open(self, path: Path, label: str | None = None) -> tuple[Content, Content]:
        """Return the bytes to keep and the raw IDX content of `path`, verified.

        Raises DataError, which says what the file is instead and calls it `label` (default: its
        path).
        """
        label = label or str(path)
        stored = read_content(path)
        if self.of_gzip:
            self._verify(stored, label)
            return stored, unpack(stored, label)
        content = unpack(stored, label)
        self._verify(content, label)
        return content, content

    def _verify(self, content: Content, label: str) -> None:
        if hashlib.sha256(content).hexdigest() == self.sha256:
            return
        raw = unpack(content, label)
        parse(raw, label)  # a web page or half a file gets the message it deserves
        if self.of_gzip and content[:2] != GZIP_MAGIC:
            raise DataError(
                f"{label}: unpacked; give the published {self.stored_name}, "
                "the only one whose SHA-256 is known"
            )
        raise DataError(f"{label}: not the published file (its SHA-256 differs); get it again")


def find(folder: Path, name: str, *, gzip_first: bool = False) -> Path | None:
    """Return where `folder` holds the file `name`, in any of its spellings, or None."""
    return next(iter(_spelt(folder, name, gzip_first=gzip_first)), None)


def _spelt(folder: Path, name: str, *, gzip_first: bool = False) -> list[Path]:
    """Return each file in `folder` that is the file `name` by one of its spellings."""
    plain = [name, name.replace("-idx", ".idx")]
    packed = [f"{spelling}.gz" for spelling in plain]
    spellings = packed + plain if gzip_first else plain + packed
    paths = [folder / spelling for spelling in spellings]
    return [path for path in paths if is_there(path) and path.is_file()]


def find_all(folder: Path) -> dict[str, Path]:
    """Return where `folder` holds each of the files NAMES; DataError names those it lacks."""
    found = {name: find(folder, name) for name in NAMES}
    missing = [name for name, path in found.items() if path is None]
    if missing:
        hint = _where_else(folder, missing[0])
        raise DataError(
            f"{folder}: lacks {', '.join(missing)}; a folder of IDX files holds {', '.join(NAMES)} "
            f"(also spelt with .idx, also with .gz){hint}"
        )
    for name in NAMES:
        _check_alike(_spelt(folder, name))
    return {name: path for name, path in found.items() if path is not None}


_MOST_LOOKED_AT = 200  # entries of a folder that lacks its files: it may be the root of a disk


def _where_else(folder: Path, name: str) -> str:
    """Return "; ..." on where the file `name` may be: in a folder below, or under another name."""
    words = ("idx", "ubyte", "images", "labels")
    with contextlib.suppress(OSError):  # a hint is not worth an error
        below = itertools.chain(folder.glob("*/"), folder.glob("*/*/"))
        for place in itertools.islice(below, _MOST_LOOKED_AT):
            if find(place, name) is not None:
                return f"; there is one in {shown(place)}"
        names = [path.name for path in itertools.islice(folder.glob("*"), _MOST_LOOKED_AT)]
        alike = sorted(one for one in names if any(word in one.lower() for word in words))
        if alike:
            return f"; is one of these it, under another name: {shown(', '.join(alike[:8]))}?"
    return ""


def _check_alike(paths: list[Path]) -> None:
    """Raise DataError for two spellings of a file that do not hold the same."""
    if len(paths) < 2:
        return
    contents = [hashlib.sha256(unpack(read_content(path), str(path))).digest() for path in paths]
    for path, content in zip(paths, contents, strict=True):
        if content != contents[0]:
            raise DataError(f"{path}: is not what {paths[0].name} beside it holds; remove one")
