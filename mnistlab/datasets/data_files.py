"""The files of images and labels, IDX and NumPy's: read trusting no byte, written all at once.

An IDX file is two zero bytes, a type code, the number of dimensions, each dimension as a
big-endian 32-bit number, then the values, last dimension fastest
(http://yann.lecun.com/exdb/mnist, "the IDX file format"). Values of other types are turned into
bytes where that changes no value. Keras hands MNIST out as one .npz.
"""

import gzip
import hashlib
import io
import math
import mmap
import os
import secrets
import struct
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO, Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from mnistlab.core import samples
from mnistlab.errors import DataError, shown

Content = bytes | mmap.mmap
"""What a file holds, read or mapped."""

GZIP_MAGIC = b"\x1f\x8b"
UNSIGNED_BYTE = 0x08
TYPES = {UNSIGNED_BYTE: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
"""NumPy's names for the types that an IDX file can hold."""

MAX_DIMENSIONS = 64  # NumPy's own limit
LONGEST_HEADER = 4 + 4 * MAX_DIMENSIONS

# All of MNIST is 55 MB; a packed file that wants more than this in memory is better unpacked first.
GZIP_CAP = 1 << 30

# A packed file that is small may unpack to as much as MNIST, a large one to so many times its own
# size: MNIST's images shrink to a fifth, drawings of one thin line to a thirtieth, and zeros, of
# which a bomb is made, to a thousandth.
FREE = 1 << 26
MOST_TIMES = 100

_PACKINGS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""What NumPy writes; the others unpack whole blocks, however little is asked for."""

_READ_HEADER = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
_LONGEST_NPY_HEADER = 1 << 16  # NumPy itself refuses one of more than 10,000 bytes

NAMES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
"""The four files of a dataset: training images and labels, test images and labels."""

KEYS = ("x_train", "y_train", "x_test", "y_test")
"""What NumPy's files call the four arrays, in the same order."""


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Yield a file to write; when the block ends well its content stands at `path`, all at once.

    The bytes are written aside in the same folder, synced to disk, then renamed. Whatever ends
    the block early (Ctrl-C too) leaves `path` as it was and nothing beside it.
    """
    aside = path.with_name(f".{path.name}-{secrets.token_hex(4)}")
    try:
        with aside.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise


def is_there(path: Path) -> bool:
    """Return whether there is such a file or folder; raise DataError where one may not look."""
    try:
        return path.exists()
    except PermissionError as error:
        raise DataError(f"{path}: is not readable ({error.strerror})") from None


def is_large(size: int) -> bool:
    """Return whether so many bytes are mapped from their file; to read MNIST's 55 MB took 20 ms."""
    return size > samples.LARGE


def check_is_file(path: Path) -> None:
    """Raise DataError unless there is such a file."""
    if not is_there(path):
        raise DataError(f"{path}: no such file")
    if not path.is_file():
        raise DataError(f"{path}: not a file")


def read_content(path: Path) -> Content:
    """Return the bytes of `path` as they stand on disk: read, or mapped if they are very many.

    What was read and hashed stays what it was, whatever somebody writes into the file meanwhile; a
    mapped file would change with it, and one that is cut short ends the process by a signal.
    """
    check_is_file(path)
    try:
        with path.open("rb") as file:
            if is_large(os.fstat(file.fileno()).st_size):
                return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            return file.read()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error


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
    content = _header(array), np.ascontiguousarray(array).data
    with replacing(path) as file:
        if path.suffix == ".gz":
            with gzip.GzipFile("", "wb", 9, file, mtime=0) as packed:
                packed.writelines(content)
        else:
            file.writelines(content)


def content_sha256(array: NDArray[np.uint8]) -> str:
    """Return the SHA-256 of the raw IDX file that would hold `array`."""
    digest = hashlib.sha256(_header(array))
    digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


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
    if present != promised:
        dimensions = " x ".join(map(str, shape[:8])) + (" x …" if len(shape) > 8 else "")
        follow = f"only {present:,}" if present < promised else "more"
        raise DataError(
            f"{label}: the header promises {dimensions} = {number(promised)} bytes of data and "
            f"{follow} follow; the file is damaged or not IDX, get it again"
        )
    try:
        values = np.frombuffer(content, dtype, offset=start).reshape(shape)
    except ValueError as error:  # such as 0 x 2^32 x 2^32 x 2^32: no bytes, yet too big to count
        sizes = shown(shape)
        raise DataError(f"{label}: the header's dimensions {sizes} cannot be ({error})") from None
    return as_bytes(values, label)


def _parse_header(head: bytes, label: str) -> tuple[tuple[int, ...], int, np.dtype[Any]]:
    """Return the shape that `head` promises, where the data starts, and its type."""
    if head.lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith((b"<!doctype", b"<html", b"<?xml")):
        raise DataError(
            f"{label}: looks like a web page instead of data; the server answered with a page, "
            "get the file another way"
        )
    zeros, code, ndim = struct.unpack(">HBB", head[:4].ljust(4, b"\0"))
    is_known = zeros == 0 and code in TYPES and 0 < ndim <= MAX_DIMENSIONS
    if len(head) >= 4 and not is_known:
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
    if array.dtype != np.uint8 or array.ndim == 0 or max(array.shape) >= 1 << 32:
        raise ValueError(f"IDX cannot hold {array.dtype} of shape {array.shape}")
    return struct.pack(f">HBB{array.ndim}I", 0, UNSIGNED_BYTE, array.ndim, *array.shape)


def _wrong_dimensions(shape: tuple[int, ...], ndim: int) -> str:
    """Return what is wrong with an array that should have `ndim` dimensions, and what to do."""
    if ndim == 3 and len(shape) in (2, 4):
        kind = "flat rows of pixels" if len(shape) == 2 else "images with channels"
        side = math.isqrt(shape[1])
        height, width = (side, side) if len(shape) == 2 else shape[1:3]
        return (
            f"holds {kind}, of shape {shown(shape)}; reshape to (count, height, width), "
            f"here ({shape[0]}, {height}, {width})"
        )
    meaning = {1: "labels (count)", 3: "images (count, height, width)"}.get(ndim, "this")
    return (
        f"holds {len(shape)} dimension(s) where {meaning} needs {ndim}; "
        "are images and labels swapped?"
    )


def as_bytes(values: NDArray[Any], label: str) -> NDArray[np.uint8]:
    """Return labels (N,) or pixels as bytes, read-only; raise DataError if a value would change."""
    with np.errstate(invalid="ignore"):
        converted = np.ascontiguousarray(values, np.uint8)
    if values.dtype != np.uint8 and (wrong := converted != values).any():
        if values.ndim == 1:
            at = int(np.argmax(wrong))
            raise DataError(
                f"{label}: label {at} is {values[at]:g}; labels must be whole numbers from 0 to 9"
            )
        hint = _conversion(values, is_images=True)
        raise DataError(f"{label}: pixels of {values.dtype.name} would change as bytes{hint}")
    converted.flags.writeable = False
    return converted


def read_npz(path: Path) -> dict[str, NDArray[np.integer]]:
    """Return the four arrays of the .npz file `path`: images uint8 (N, H, W), labels integer (N,).

    Nothing is ever unpickled, and nothing unpacked that is too large for a file of its size.
    Raises DataError when the file is no .npz or holds other things.
    """
    check_is_file(path)
    try:
        with zipfile.ZipFile(path) as archive:
            members = _find_members(archive, path)
            return {
                key: _read_array(partial(_unpack_member, archive, member), f"{path}: {key}", key)
                for key, member in members.items()
            }
    except DataError:
        raise
    except Exception as error:  # an archive can be damaged in more ways than zipfile has names for
        raise DataError(
            f"{path}: cannot be read as an .npz ({_reason(error)}); a dataset is a folder of the "
            f"four IDX files or an .npz that numpy.savez wrote, with {', '.join(KEYS)}"
        ) from error


def read_npy(path: Path, key: str) -> NDArray[np.integer]:
    """Return the array of a .npy file for one of KEYS, mapped if it is large.

    Raises DataError when it is no such file or holds other things.
    """
    content = read_content(path)
    return _read_array(lambda: content, str(path), key)


def _unpack_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    with archive.open(member) as file:
        return file.read(member.file_size + 1)  # without a limit it would unpack more first


def _read_array(read: Callable[[], Content], label: str, key: str) -> NDArray[np.integer]:
    """Return the array of the .npy file that `read` returns for a key, sharing its memory.

    Raises DataError where that cannot be; a header that promises too much asks for no room.
    """
    try:
        content = read()
        header = io.BytesIO(content[:_LONGEST_NPY_HEADER])
        read_header = _READ_HEADER[np.lib.format.read_magic(header)]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a header that is no proper Python literal
            shape, is_fortran, dtype = read_header(header)
        values = np.frombuffer(content, dtype, offset=header.tell())  # refuses objects
        array: NDArray[Any] = values.reshape(shape, order="F" if is_fortran else "C")
    except Exception as error:  # NumPy parses the header as a literal, which can fail in many ways
        raise DataError(
            f"{label} cannot be read as plain numbers ({_reason(error)}); save uint8 images and "
            "integer labels, or get the file again if it is damaged"
        ) from None
    check_array(array, label, is_images=key.startswith("x"))
    return array


def _reason(error: Exception) -> str:
    return shown(str(error).partition("\n")[0] or type(error).__name__)


def _find_members(archive: zipfile.ZipFile, path: Path) -> dict[str, zipfile.ZipInfo]:
    """Return the member of each key, none of which is packed so that it could be a bomb."""
    known = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
    if missing := [key for key in KEYS if key not in known]:
        held = shown(", ".join(sorted(known)) or "nothing")
        raise DataError(
            f"{path}: lacks {', '.join(missing)}; an .npz dataset holds {', '.join(KEYS)}, and "
            f"this one {held}"
        )
    unused = [name for name in known if name.partition("_")[0] in ("x", "y") and name not in KEYS]
    if unused:
        raise DataError(
            f"{path}: {shown(', '.join(sorted(unused)))} would not be used; join it to x_train or "
            "y_train, from which data.validation holds images out, or leave it away"
        )
    members = {key: known[key] for key in KEYS}
    size = sum(info.file_size for info in members.values())
    is_bomb = size > most_unpacked(path.stat().st_size)
    if is_bomb or any(info.compress_type not in _PACKINGS for info in members.values()):
        raise DataError(
            f"{path}: would unpack to {number(size)} bytes, too many for memory or for a file of "
            "its size, or is packed as NumPy packs nothing; save it with numpy.savez"
        )
    return members


def check_array(array: NDArray[Any], label: str, *, is_images: bool) -> None:
    """Raise DataError unless an array has the shape and type of images, or of labels."""
    kind, shape = array.dtype.kind, array.shape
    said = f"{label} is {shown(array.dtype)} of shape {shown(shape)}"
    if is_images and (array.dtype != np.uint8 or len(shape) != 3):
        hint = "" if array.dtype == np.uint8 else _conversion(array, is_images=True)
        raise DataError(f"{said}; images must be uint8 of shape (count, height, width){hint}")
    if not is_images and (kind not in "iu" or len(shape) != 1):
        hint = "" if kind in "iu" else _conversion(array, is_images=False)
        if len(shape) == 2:
            change = "y.ravel()" if shape[1] == 1 else "y.argmax(axis=1), if they are one-hot,"
            hint = f"; {change} has it"
        raise DataError(f"{said}; labels must be integers of shape (count,){hint}")


def _conversion(array: NDArray[Any], *, is_images: bool) -> str:
    """Return what makes bytes of values and spoils none, or what they are and should be."""
    what, most = ("pixels", 255) if is_images else ("classes", 9)
    wanted, kind = f"{what} are whole numbers from 0 to {most}", array.dtype.kind
    if kind not in "biuf" or not array.size:
        return f"; {wanted}"
    low, high = array.min(), array.max()
    fits = low >= 0 and high <= most  # nan does not
    if is_images and fits:
        rounded = "x" if kind in "iu" else "(x * 255).round()" if high <= 1 else "x.round()"
        return f"; whole grey levels are {rounded}.astype('uint8')"
    if fits and (array == array.round()).all():
        return "; y.astype('uint8') makes whole numbers of them"
    return f"; they lie from {low} to {high}, and {wanted}"
