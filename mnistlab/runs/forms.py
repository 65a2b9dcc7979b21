"""The forms in which a run folder keeps rows, predictions and proofs of its files."""

import csv
import hashlib
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


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
    """Return a file's SHA-256, None where it is missing; raise OSError where the disk fails."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except FileNotFoundError:
        return None
