"""A few hundred digits of mnist-mini in one file: a run on them takes milliseconds."""

import tempfile
from functools import cache
from pathlib import Path

import numpy as np

from mnistlab.datasets import load

TRAIN, VALIDATION, TEST = 1000, 200, 200
"""Images to train on, held out at the end of the training file, and in the test file."""

_folder = tempfile.TemporaryDirectory(prefix="mnistlab-digits-")  # gone when the process ends


@cache
def write_digits(train: int = TRAIN, validation: int = VALIDATION, test: int = TEST) -> Path:
    """Return the path of an npz file with so many digits, written once a process."""
    mini = load("mnist-mini", validation=0)
    arrays = {}
    for name, samples, count in (
        ("train", mini.train, train + validation),
        ("test", mini.test, test),
    ):
        arrays[f"x_{name}"] = samples.images[:count]
        arrays[f"y_{name}"] = samples.labels[:count]
    path = Path(_folder.name) / f"{train}-{validation}-{test}" / "digits.npz"
    path.parent.mkdir()
    np.savez(path, **arrays)
    return path


def as_yaml() -> str:
    """Return the lines of a config that name the digits as its data."""
    return f"data: {{dataset: {write_digits()}, validation: {VALIDATION}}}\n"
