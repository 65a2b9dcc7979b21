"""The forms in which a run folder keeps rows, predictions and proofs of its files."""

import csv
import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mnistlab.errors import RunFolderError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_NO_FILE = (FileNotFoundError, NotADirectoryError, IsADirectoryError)


def to_csv(columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> str:
    """Return rows as CSV text with a header; missing values are empty cells."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def predictions_as_bytes(predictions: "NDArray[np.uint8]") -> bytes:
    """Return the content of predictions.npy for the predicted classes (N,)."""
    import numpy as np  # noqa: PLC0415 - a folder is read without it

    buffer = io.BytesIO()
    np.save(buffer, predictions, allow_pickle=False)
    return buffer.getvalue()


def sha256_of(path: Path) -> str | None:
    """Return a file's SHA-256, None where there is none; raise OSError where the disk fails."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except _NO_FILE:
        return None


def read_json(path: Path) -> dict[str, Any] | None:
    """Return what a JSON file says, None where there is none or it says nothing.

    Nor does one with a whole number that 64 bits do not hold: mnistlab writes none, and no array
    takes it. Raises OSError where the disk fails: that does not make a run another one.
    """
    try:
        data = json.loads(path.read_bytes(), parse_int=_whole_number)
    except (*_NO_FILE, ValueError, RecursionError):
        return None
    return data if isinstance(data, dict) else None


def read_csv(path: Path) -> list[dict[str, str]]:
    """Return a CSV file's rows by its header; raise RunFolderError if that is not what it is."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))
    except _NO_FILE:
        raise RunFolderError(f"{path}: is missing") from None
    except (UnicodeDecodeError, csv.Error):
        raise RunFolderError(f"{path}: is damaged") from None


def is_summary(summary: Mapping[str, Any]) -> bool:
    """Return whether what a run's summary says is of the kinds that `train --json` prints."""
    parts = [summary.get(part, {}) for part in ("train", "validation", "test", "seconds")]
    if not all(isinstance(part, dict) for part in parts):
        return False
    values = [value for part in parts for value in part.values()]
    shares = [part.get("accuracy") for part in parts]
    return (
        isinstance(summary.get("epochs", 0), int)
        and all(value is None or _is_number(value) for value in values)
        and all(share is None or 0 <= share <= 1 for share in shares)
    )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _whole_number(text: str) -> int:
    number = int(text)
    if not -(2**63) <= number < 2**63:
        raise ValueError("a number of more than 64 bits")
    return number
