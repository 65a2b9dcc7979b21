"""The folder that a report is written into, with the record of what the report was made from."""

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import mnistlab
from mnistlab.datasets.cache import data_dir
from mnistlab.errors import RunFolderError
from mnistlab.runs import RunFolder
from mnistlab.runs.files import write_json

RECORD = "report.json"
"""Says what the files beside it were made from, so that they need not be made again."""

_NOT_PART = frozenset({"run.lock", "log.txt"})  # no report shows what these say
_MADE = ("optima", "preprocessed")  # written by reports themselves


class Place:
    """A folder for a report."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def check(self, names: Sequence[str], *, force: bool = False) -> None:
        """Raise RunFolderError unless files of these names can be written here.

        They would not be in a run folder, nor, without `force`, over files that no report wrote.
        """
        for folder in (self.folder, *self.folder.absolute().parents):
            run = RunFolder(folder)
            if run.status.exists() or run.config.exists():
                raise RunFolderError(f"{self.folder}: no report can be written into a run folder")
        known = self._read().get("files")
        ours = known if isinstance(known, dict) else {}
        for name in names:
            if not force and name not in ours and (self.folder / name).exists():
                raise RunFolderError(
                    f"{self.folder / name}: is there already, and no report of mnistlab; --force "
                    "writes over it"
                )
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.folder):
                pass
        except OSError as error:
            raise RunFolderError(
                f"{self.folder}: no report can be written here ({error.strerror})"
            ) from None

    def holds(self, made_from: str, files: Mapping[str, Path]) -> bool:
        """Return whether these files are there, as they were when made from this."""
        record = self._read()
        digests = record.get("files")
        try:
            return record.get("made_from") == made_from and all(
                isinstance(digests, dict) and digests.get(path.name) == sha256_of(path)
                for path in files.values()
            )
        except OSError:
            return False

    def claim(self, names: Sequence[str]) -> None:
        """Say that files of these names are a report's, before they are written."""
        known = self._read().get("files")
        kept = known if isinstance(known, dict) else {}
        write_json(
            self.folder / RECORD, {"made_from": None, "files": {**kept, **dict.fromkeys(names)}}
        )

    def record(self, made_from: str | None, files: Mapping[str, Path]) -> None:
        """Say what the files were made from; None of a report that is better made again."""
        known = self._read().get("files")
        kept = known if isinstance(known, dict) else {}
        digests = {path.name: sha256_of(path) for path in files.values()}
        write_json(self.folder / RECORD, {"made_from": made_from, "files": {**kept, **digests}})

    def _read(self) -> dict[str, Any]:
        try:
            found = json.loads((self.folder / RECORD).read_bytes())
        except (OSError, ValueError, RecursionError):
            return {}
        return found if isinstance(found, dict) else {}


def fingerprint(words: Mapping[str, Any], folders: Sequence[RunFolder], own: Sequence[Path]) -> str:
    """Return the SHA-256 of all that decides a report.

    These are words, every file of the folders and of the data by its size and times, plugins
    (`own` files) and the code. What was made without SciPy, where that was needed, has no record.
    """
    made_from = {
        **words,
        "runs": [[str(folder.path), _files_below(folder.path)] for folder in folders],
        "data": [one for one in _files_below(data_dir()) if not one[0].startswith(_MADE)],
        "plugins": [sha256_of(path) for path in own],
        "code": code_sha256(),
    }
    return hashlib.sha256(json.dumps(made_from, sort_keys=True).encode()).hexdigest()


def _files_below(folder: Path) -> list[tuple[str, int, int]]:
    """Return name, size and time of change of all files, which a file written anew changes."""
    found = []
    for place, names, files in os.walk(folder):
        names.sort()
        for name in sorted(set(files) - _NOT_PART):
            path = Path(place) / name
            state = path.lstat()
            found.append((str(path.relative_to(folder)), state.st_size, state.st_ctime_ns))
    return found


def code_sha256() -> str:
    """Return the SHA-256 of the code that writes reports."""
    digest = hashlib.sha256(mnistlab.__version__.encode())
    package = Path(mnistlab.__file__).parent
    kinds = {".py", ".j2", ".css", ".js", ".typ"}
    for path in sorted(path for path in package.rglob("*") if path.suffix in kinds):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def sha256_of(path: Path) -> str:
    """Return a file's SHA-256; raise OSError where it cannot be read."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
