"""A set of 6.3 GB made of MNIST, and what training and sweeping on it take."""

import hashlib
import json
import struct
import tempfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import BinaryIO

import numpy as np

from harness.contestants import PROCESS, Contestant, Measures
from harness.measure import BenchmarkError, Finished
from mnistlab.datasets import load

MEMORY_ROWS, ROWS = 500_000, 8_000_000
"""Rows of the set that is read into memory, and of the one that is not."""

SHA256 = {
    500_000: "7f63230122a83f836c91c20ad8bf43d52ee549182b09cacc0445735e6dcd4f08",
    8_000_000: "bcae02047c437c82c4f37f0da365afff9d84e5a3530846842b5cfee08b0b7d54",
}
"""Of the files of training images."""

A_MILLION, PRIVATE = "a million rows", "private memory"


def large_contestants() -> list[Contestant]:
    """Return everyone in the order in which a round runs them."""
    return [
        Contestant(
            f"{what}_of_{rows}",
            ("benchmarks/rivals/large.py", what, str(_folder(rows))),
            partial(read_large, rows=rows),
        )
        for what, rows in (
            ("dry_run", ROWS),
            ("train", MEMORY_ROWS),
            ("train", ROWS),
            ("sweep", MEMORY_ROWS),
            ("sweep", ROWS),
        )
    ]


def make_large(environment: Mapping[str, str]) -> None:  # noqa: ARG001 - the same for everyone
    """Write both sets, unless they are there: 6.7 GB below the folder for temporary files."""
    data = load("mnist", validation=0)
    for rows, expected in SHA256.items():
        folder = _folder(rows)
        images = folder / "train-images-idx3-ubyte"
        if not images.exists() or _sha256(images) != expected:
            write_shifted(folder, rows, data.train.images, data.train.labels)
        for name, array in (("images-idx3", data.test.images), ("labels-idx1", data.test.labels)):
            with (folder / f"t10k-{name}-ubyte").open("wb") as file:
                _write_header(file, array.shape)
                file.write(array.tobytes())
        if _sha256(images) != expected:
            raise BenchmarkError(f"{images}: is not what it should be, NumPy draws otherwise")


def write_shifted(
    folder: Path, rows: int, images: np.ndarray, labels: np.ndarray, seed: int = 0
) -> None:
    """Write so many rows: all images again and again, each time in another order and shifted."""
    folder.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(seed)
    with (
        (folder / "train-images-idx3-ubyte").open("wb") as to_images,
        (folder / "train-labels-idx1-ubyte").open("wb") as to_labels,
    ):
        _write_header(to_images, (rows, *images.shape[1:]))
        _write_header(to_labels, (rows,))
        for start in range(0, rows, len(images)):
            order = generator.permutation(len(images))[: rows - start]
            shift = tuple(generator.integers(-2, 3, 2))
            to_images.write(np.roll(images[order], shift, (1, 2)).tobytes())
            to_labels.write(labels[order].tobytes())


def read_large(finished: Finished, rows: int) -> Measures:
    """Return seconds, those of training for a million rows, and bytes; the work must be done."""
    report = json.loads(finished.output)
    if report["status"] not in (None, "completed") or not report["private"]:
        raise BenchmarkError(f"{rows:,} rows: {report}")
    return {
        PROCESS: report["process"],
        A_MILLION: report["training"] / rows * 1e6,
        PRIVATE: float(report["private"]),
    }


def _folder(rows: int) -> Path:
    return Path(tempfile.gettempdir()) / "mnistlab-large" / str(rows)


def _write_header(file: BinaryIO, shape: tuple[int, ...]) -> None:
    file.write(struct.pack(">HBB", 0, 8, len(shape)) + struct.pack(f">{len(shape)}I", *shape))


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
