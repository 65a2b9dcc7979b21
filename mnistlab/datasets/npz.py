"""NumPy's own files of images and labels: Keras hands MNIST out as one .npz.

A folder of its four arrays as .npy files will do as well; these are mapped if they are large.
"""

import io
import warnings
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnistlab.datasets.data_files import (
    KEYS,
    Content,
    check_is_file,
    most_unpacked,
    number,
    read_content,
)
from mnistlab.errors import DataError, shown

_PACKINGS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""What NumPy writes; the others unpack whole blocks, however little is asked for."""

_READ_HEADER = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
_LONGEST_HEADER = 1 << 16  # NumPy itself refuses one of more than 10,000 bytes


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
                key: _load(partial(_read_member, archive, member), f"{path}: {key}", key)
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
    return _load(lambda: content, str(path), key)


def _read_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    with archive.open(member) as file:
        return file.read(member.file_size + 1)  # without a limit it would unpack more first


def _load(read: Callable[[], Content], label: str, key: str) -> NDArray[np.integer]:
    """Return the array of the .npy file that `read` returns for a key, sharing its memory.

    Raises DataError where that cannot be; a header that promises too much asks for no room.
    """
    try:
        content = read()
        header = io.BytesIO(content[:_LONGEST_HEADER])
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
        scaled = "(x * 255).round().astype" if kind == "f" else "x.astype"
        hint = "" if array.dtype == np.uint8 else f"; whole grey levels are {scaled}('uint8')"
        raise DataError(f"{said}; images must be uint8 of shape (count, height, width){hint}")
    if not is_images and (kind not in "iu" or len(shape) != 1):
        hint = "; y.astype('uint8') makes whole numbers of them" if kind == "f" else ""
        if len(shape) == 2:
            change = "y.ravel()" if shape[1] == 1 else "y.argmax(axis=1), if they are one-hot,"
            hint = f"; {change} has it"
        raise DataError(f"{said}; labels must be integers of shape (count,){hint}")
