"""How large the files of runs can be: what is larger is somebody else's, and is not read.

Read whole, a file of 20 GB would end every command that lists runs, for all runs.
"""

import contextlib
from pathlib import Path

MEGABYTE = 1 << 20
_MOST = {
    "status.json": 4,
    "environment.json": 4,
    "summary.json": 4,
    "metrics.csv": 64,
    "model.safetensors": 256,
    "features.safetensors": 256,
    "predictions.npy": 64,
    "uncommitted.patch": 256,
}
_MOST_OF_KIND = {".json": 32, ".csv": 64, ".yaml": 1}
_MOST_OF_OTHERS = 4096
"""Megabytes that the files of a run or a sweep can have; what is larger is none of ours."""

MOST_VALUES, MOST_ROWS = 2_000_000, 700_000
"""What a JSON and a CSV file can hold: a file of nothing but brackets, or ends of lines, would
otherwise take gigabytes of memory."""


def most_bytes(path: Path) -> int:
    """Return how many bytes the file of this name can have; one that has more is not to be read."""
    most = _MOST.get(path.name, _MOST_OF_KIND.get(path.suffix, _MOST_OF_OTHERS))
    return most * MEGABYTE


def is_oversized(path: Path) -> bool:
    """Return whether a file is larger than the one of its name can be; raise OSError."""
    return path.stat().st_size > most_bytes(path)


def describe_damage(path: Path) -> str:
    """Return the name of a damaged file, with its size where that is what is wrong with it."""
    with contextlib.suppress(OSError):
        if path.is_file() and is_oversized(path):
            return f"{path.name} is {format_size(path.stat().st_size)}"
    return path.name


def format_size(size: int) -> str:
    """Return a number of bytes as one tells it: 12.3 kB, 4.5 MB, 21.5 GB."""
    if size >= 1e9:
        return f"{size / 1e9:.3g} GB"
    return f"{size / 1e6:.1f} MB" if size >= 1e5 else f"{size / 1e3:.1f} kB"


def read_capped(path: Path, signs: bytes, most: int, start: int = 0) -> bytes:
    """Return what a file holds from a byte on; it may grow while it is read. Raises OSError.

    Raises ValueError for more bytes than its name can have, or more than `most` of these signs.
    """
    with path.open("rb") as file:
        file.seek(start)
        content = file.read(most_bytes(path) + 1)
    if len(content) > most_bytes(path) or sum(map(content.count, signs)) > most:
        raise ValueError("larger than that of any run")
    return content
