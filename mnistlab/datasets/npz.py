"""Keras hands MNIST out as one .npz, so such a file can be named where a dataset is asked for."""

import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnistlab.datasets.idx import GZIP_CAP, looks_like_web_page, map_file
from mnistlab.errors import DataError

# In the order of the four IDX files: training images and labels, test images and labels.
KEYS = ("x_train", "y_train", "x_test", "y_test")


def read_npz(path: Path) -> dict[str, NDArray[np.integer]]:
    """Return the four arrays of the .npz file `path`: images uint8 (N, H, W), labels integer (N,).

    Nothing is ever unpickled. Raises DataError when the file is no .npz or holds other things.
    """
    head = map_file(path)[:512]
    if looks_like_web_page(head):
        raise DataError(f"{path}: looks like a web page instead of an .npz; get the file again")
    if not zipfile.is_zipfile(path):
        raise DataError(f"{path}: not an .npz file (no zip archive); get it again")
    try:
        _refuse_bomb(path)
        with np.load(path, allow_pickle=False) as archive:
            missing = [key for key in KEYS if key not in archive.files]
            if missing:
                raise DataError(
                    f"{path}: lacks {', '.join(missing)}; an .npz dataset holds {', '.join(KEYS)}"
                )
            arrays = {key: _member(archive, key, path) for key in KEYS}
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, RuntimeError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise DataError(f"{path}: the .npz is damaged ({reason}); get it again") from error
    return {
        key: _checked(array, f"{path}: {key}", images=key.startswith("x"))
        for key, array in arrays.items()
    }


def _member(archive: "np.lib.npyio.NpzFile", key: str, path: Path) -> NDArray[np.generic]:
    try:
        array: NDArray[np.generic] = archive[key]
    except (ValueError, TypeError, OverflowError, MemoryError, SyntaxError) as error:
        # Most often an object array, which could run code when read.
        raise DataError(
            f"{path}: {key} cannot be read as plain numbers ({str(error).splitlines()[0]}); "
            "save uint8 images and integer labels"
        ) from None
    if not isinstance(array, np.ndarray):  # a member that is no .npy comes back as bytes
        raise DataError(f"{path}: {key} is not an array; save it with numpy.savez")
    return array


def _refuse_bomb(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        size = sum(member.file_size for member in archive.infolist())
    if size > GZIP_CAP:
        raise DataError(f"{path}: would unpack to {size:,} bytes, too many for memory")


def _checked(array: NDArray[Any], label: str, *, images: bool) -> NDArray[np.integer]:
    if images and (array.dtype != np.uint8 or array.ndim != 3):
        raise DataError(
            f"{label} is {array.dtype} of shape {array.shape}; images must be uint8 of shape "
            "(count, height, width)"
        )
    if not images and (not np.issubdtype(array.dtype, np.integer) or array.ndim != 1):
        raise DataError(
            f"{label} is {array.dtype} of shape {array.shape}; labels must be integers of shape "
            "(count,)"
        )
    return array
