"""Hands the raw images and labels of a dataset to another machine, which keeps them in its cache.

There they are IDX files in a folder that has the SHA-256 of all four arrays as its name.
"""

import hashlib
import os
import secrets
import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mnistlab.datasets.cache import data_dir
from mnistlab.datasets.catalog import DATASETS, ArrayDataset
from mnistlab.datasets.fetch import home_of, open_files
from mnistlab.datasets.idx import NAMES, content_sha256, write_idx
from mnistlab.datasets.loading import load
from mnistlab.errors import DataError, FetchError, UnknownNameError

Arrays = Sequence[NDArray[np.uint8]]


def raw_arrays(name: str) -> Arrays:
    """Return training images (N, H, W) and labels (N,), then those of the test file, all uint8.

    Raises what `load` does.
    """
    data = load(name, validation=0)
    parts = (data.train.images, data.train.labels, data.test.images, data.test.labels)
    return [np.asarray(part, np.uint8) for part in parts]


def arrays_sha256(arrays: Arrays) -> str:
    """Return the SHA-256 that stands for the four arrays, whatever files they came from."""
    return hashlib.sha256("".join(map(content_sha256, arrays)).encode()).hexdigest()


def find_data(name: str, sha256: str) -> str | None:
    """Return the name or path under which this machine has the arrays with this SHA-256, if any.

    It looks at the dataset of that name, then at what was received. Nothing is fetched.
    """
    for candidate in (name, str(_folder(sha256))):
        with suppress(DataError, FetchError, UnknownNameError, OSError):
            if _is_here(candidate) and arrays_sha256(raw_arrays(candidate)) == sha256:
                return candidate
    return None


def keep_received(arrays: Arrays, sha256: str) -> str:
    """Write the arrays into the cache; return the path to load them from.

    Raises DataError where the cache cannot be written.
    """
    folder = _folder(sha256)
    aside = folder.with_name(f".{sha256[:16]}-{secrets.token_hex(4)}")
    try:
        aside.mkdir(parents=True)
        try:
            for name, array in zip(NAMES, arrays, strict=True):
                write_idx(aside / name, array)
            try:
                aside.rename(folder)
            except OSError:
                if find_data(str(folder), sha256) is None:  # else another process was first
                    shutil.rmtree(folder, ignore_errors=True)
                    aside.rename(folder)
        finally:
            shutil.rmtree(aside, ignore_errors=True)
    except OSError as error:
        raise DataError(
            f"{folder}: the cache cannot be written ({error.strerror or error}); "
            "set MNISTLAB_DATA_DIR to a folder that can"
        ) from error
    return str(folder)


def _folder(sha256: str) -> Path:
    return data_dir() / "received" / sha256


def _is_here(name: str) -> bool:
    """Return whether a dataset can be loaded without being fetched."""
    if name not in DATASETS:
        return os.path.isabs(name) and os.path.exists(name)  # noqa: PTH110, PTH117 - any text
    dataset = DATASETS[name]
    return isinstance(dataset, ArrayDataset) or not open_files(dataset, home_of(name))[1]
