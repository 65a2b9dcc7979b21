"""The four files of an MNIST-format dataset: their names, their hashes, and finding them."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from mnistlab.datasets.idx import GZIP_MAGIC, Content, map_file, parse, unpack
from mnistlab.errors import DataError

TRAIN_IMAGES = "train-images-idx3-ubyte"
TRAIN_LABELS = "train-labels-idx1-ubyte"
TEST_IMAGES = "t10k-images-idx3-ubyte"
TEST_LABELS = "t10k-labels-idx1-ubyte"
NAMES = (TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS)


@dataclass(frozen=True)
class DataFile:
    """One published file: its name, the shape of its array, and the SHA-256 it must have.

    `sha256` is of the raw IDX content, so any mirror's own gzip of it will do; with `of_gzip` it
    is of the published .gz, which is then kept in the cache as it is.
    """

    name: str
    shape: tuple[int, ...]
    sha256: str
    of_gzip: bool = False

    @property
    def stored_name(self) -> str:
        """The name under which the cache keeps it."""
        return f"{self.name}.gz" if self.of_gzip else self.name

    def open(self, path: Path, label: str | None = None) -> tuple[Content, Content]:
        """Return the bytes to keep and the raw IDX content of `path`, verified.

        Raises DataError, which says what the file is instead and calls it `label` (default: its
        path).
        """
        label = label or str(path)
        stored = map_file(path)
        if self.of_gzip:
            self._verify(stored, label)
            return stored, unpack(stored, label)
        content = unpack(stored, label)
        self._verify(content, label)
        return content, content

    def _verify(self, content: Content, label: str) -> None:
        if hashlib.sha256(content).hexdigest() == self.sha256:
            return
        raw = unpack(content, label)
        parse(raw, label)  # a web page or half a file gets the message it deserves
        if self.of_gzip and content[:2] != GZIP_MAGIC:
            raise DataError(
                f"{label}: unpacked; give the published {self.stored_name}, "
                "the only one whose SHA-256 is known"
            )
        raise DataError(f"{label}: not the published file (its SHA-256 differs); get it again")


def find(folder: Path, name: str, *, gzip_first: bool = False) -> Path | None:
    """Return where `folder` holds the file `name`, in any of its spellings, or None."""
    plain = [name, name.replace("-idx", ".idx")]
    packed = [f"{spelling}.gz" for spelling in plain]
    for spelling in packed + plain if gzip_first else plain + packed:
        if (folder / spelling).is_file():
            return folder / spelling
    return None


def find_all(folder: Path, names: Iterable[str] = NAMES) -> dict[str, Path]:
    """Return where `folder` holds each of the files `names`; DataError names those it lacks."""
    found = {name: find(folder, name) for name in names}
    missing = [name for name, path in found.items() if path is None]
    if missing:
        raise DataError(
            f"{folder}: lacks {', '.join(missing)}; a folder of IDX files holds {', '.join(NAMES)} "
            "(also spelt with .idx, also with .gz)"
        )
    return {name: path for name, path in found.items() if path is not None}
