"""Keras hands MNIST out as one .npz, so such a file can be named where a dataset is asked for.

So can a folder of its four arrays as .npy files, which are mapped if they are large. An .npz is a
zip archive of .npy files. Each one's header says how many bytes follow; nothing is unpacked before
that fits what the archive says, what images and labels are, and the file's size.
"""

import io
import math
import warnings
import zipfile
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from mnistlab.datasets.cache import Content
from mnistlab.datasets.idx import (
    is_there,
    looks_like_web_page,
    most_unpacked,
    number,
    read_content,
)
from mnistlab.errors import DataError, shown

# In the order of the four IDX files: training images and labels, test images and labels.
KEYS = ("x_train", "y_train", "x_test", "y_test")

_PACKINGS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # what NumPy writes
_ENCRYPTED = 0x1
LONGEST_HEADER = 1 << 16  # bytes; what NumPy writes for an array of numbers takes 128


def read_npz(path: Path) -> dict[str, NDArray[np.integer]]:
    """Return the four arrays of the .npz file `path`: images uint8 (N, H, W), labels integer (N,).

    Nothing is ever unpickled. Raises DataError when the file is no .npz or holds other things.
    """
    stored = read_content(path)
    if looks_like_web_page(stored[:512]):
        raise DataError(f"{path}: looks like a web page instead of an .npz; get the file again")
    if not zipfile.is_zipfile(path):
        raise DataError(f"{path}: not an .npz file (no zip archive); get it again")
    try:
        with zipfile.ZipFile(path) as archive:
            members = _find(archive, path, most_unpacked(len(stored)))
            return {key: _read(archive, member, key, path) for key, member in members.items()}
    except DataError:
        raise
    except Exception as error:  # an archive can be damaged in more ways than zipfile has names for
        reason = shown(str(error).partition("\n")[0] or type(error).__name__)
        raise DataError(f"{path}: the .npz is damaged ({reason}); get it again") from error


def find_npy(folder: Path) -> dict[str, Path] | None:
    """Return the .npy file of each key in a folder; None if there is not one, DataError if some."""
    paths = {key: folder / f"{key}.npy" for key in KEYS}
    missing = [key for key, path in paths.items() if not is_there(path)]
    if len(missing) == len(KEYS):
        return None
    if missing:
        raise DataError(f"{folder}: lacks {', '.join(f'{key}.npy' for key in missing)}")
    return paths


def parse_npy(content: Content, key: str, label: str) -> NDArray[np.integer]:
    """Return the array of a .npy file for one of the keys, sharing the content's memory.

    Raises DataError when it is no such file or holds other things.
    """
    member = io.BytesIO(content[:LONGEST_HEADER])
    shape, in_columns, dtype = _read_header(member, label)
    check_array(shape, dtype, label, images=key.startswith("x"))
    promised, follow = math.prod(shape) * dtype.itemsize, len(content) - member.tell()
    if promised != follow:
        raise DataError(
            f"{label}: promises {number(promised)} bytes and {number(follow)} follow; the file is "
            "damaged, get it again"
        )
    values: NDArray[np.integer] = np.frombuffer(content, dtype, offset=member.tell())
    return values.reshape(shape, order="F" if in_columns else "C")


def _find(archive: zipfile.ZipFile, path: Path, most: int) -> dict[str, zipfile.ZipInfo]:
    """Return the member of each key, none of which is packed so that it could be a bomb."""
    known = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
    missing = [key for key in KEYS if key not in known]
    if missing:
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
    if size > most:
        raise DataError(
            f"{path}: would unpack to {number(size)} bytes, too many for memory or for a file "
            "of its size; if that is right, unpack it: save it with numpy.savez"
        )
    for key, info in members.items():
        if info.compress_type not in _PACKINGS or info.flag_bits & _ENCRYPTED:
            raise DataError(
                f"{path}: {key} is packed as NumPy packs nothing; save it with numpy.savez"
            )
    return members


def _read(
    archive: zipfile.ZipFile, info: zipfile.ZipInfo, key: str, path: Path
) -> NDArray[np.integer]:
    with archive.open(info) as member:
        shape, in_columns, dtype = _read_header(member, f"{path}: {key}")
        check_array(shape, dtype, f"{path}: {key}", images=key.startswith("x"))
        promised, follow = math.prod(shape) * dtype.itemsize, info.file_size - member.tell()
        if promised != follow:
            raise DataError(
                f"{path}: {key} promises {number(promised)} bytes and {number(follow)} follow; "
                "the .npz is damaged, get it again"
            )
        # Not without a number: a stream may hold far more than the archive says. After the last
        # of these zipfile checks the checksum.
        content = member.read(promised)
    values: NDArray[np.integer] = np.frombuffer(content, dtype, math.prod(shape))
    return values.reshape(shape, order="F" if in_columns else "C")


def _read_header(member: IO[bytes], label: str) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Return shape, whether the first dimension is fastest, and number type of a .npy file."""
    readers = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    try:
        version = np.lib.format.read_magic(member)
    except ValueError:
        raise DataError(f"{label} is not an array; save it with numpy.savez") from None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a header that is no proper Python literal
            return readers[version](member)
    except Exception as error:  # NumPy parses it as a literal, which can fail in many ways
        reason = shown(str(error).partition("\n")[0] or type(error).__name__)
        raise DataError(
            f"{label} cannot be read as plain numbers ({reason}); "
            "save uint8 images and integer labels"
        ) from None


def check_array(shape: tuple[int, ...], dtype: np.dtype[Any], label: str, *, images: bool) -> None:
    """Raise DataError unless these are the shape and type of images, or of labels."""
    if dtype.hasobject:  # which could run code when read
        raise DataError(
            f"{label} cannot be read as plain numbers (it holds Python objects); "
            "save uint8 images and integer labels"
        )
    if images and (dtype != np.uint8 or len(shape) != 3):
        scaled = "(x * 255).round().astype" if dtype.kind == "f" else "x.astype"
        hint = "" if dtype == np.uint8 else f"; whole grey levels are {scaled}('uint8')"
        raise DataError(
            f"{label} is {shown(dtype)} of shape {shown(shape)}; images must be uint8 of shape "
            f"(count, height, width){hint}"
        )
    if not images and (dtype.kind not in "iu" or len(shape) != 1):
        hint = "; y.astype('uint8') makes whole numbers of them" if dtype.kind == "f" else ""
        if len(shape) == 2:
            change = "y.ravel()" if shape[1] == 1 else "y.argmax(axis=1), if they are one-hot,"
            hint = f"; {change} has it"
        raise DataError(
            f"{label} is {shown(dtype)} of shape {shown(shape)}; labels must be integers of shape "
            f"(count,){hint}"
        )
