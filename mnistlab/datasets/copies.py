"""Moving the pixels of 70,000 images takes seconds, so the result is kept beside the data."""

import hashlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mnistlab.datasets.idx import content_sha256, map_file, parse, write_idx
from mnistlab.datasets.preprocess import MovePixels
from mnistlab.datasets.progress import Progress
from mnistlab.errors import DataError


def moved(
    images: NDArray[np.uint8],
    sha256: str,
    name: str,
    step: MovePixels,
    cache: Path,
    progress: Progress,
) -> tuple[NDArray[np.uint8], str]:
    """Return `images` (N, H, W), whose hash is `sha256`, with the step applied; and its hash.

    The copy lies in `cache`/preprocessed/HASH-STEP-VERSION/ under its own hash as its name, and
    is mapped from there if its content still has that hash. Where the cache cannot be written,
    the copy is made in memory each time.
    """
    folder = cache / "preprocessed" / f"{sha256[:16]}-{name}-{step.version}"
    for path in sorted(folder.glob("*.idx")):
        content = map_file(path)
        if hashlib.sha256(content).hexdigest() == path.stem:
            return parse(content, str(path), 3), path.stem
        progress.message(f"{path} is damaged; making it again")
    progress.message(f"{name}: {len(images):,} images")
    result = step.move(images)
    if result.dtype != np.uint8 or result.shape[:1] != images.shape[:1] or result.ndim != 3:
        raise DataError(
            f"preprocess: {name} returned {result.dtype} {result.shape} for uint8 {images.shape}"
        )
    result.flags.writeable = False
    made = content_sha256(result)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_idx(folder / f"{made}.idx", result)
        for old in folder.glob("*.idx"):
            if old.stem != made:
                old.unlink(missing_ok=True)
    except OSError as error:
        progress.message(f"{folder}: cannot keep the copy ({error.strerror or error})")
    return result, made
