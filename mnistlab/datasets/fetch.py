"""Brings a named dataset into the cache: sources in order, each file verified, none half there."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mnistlab.datasets.catalog import (
    DIFFERS,
    DataFile,
    NamedDataset,
    dataset_of_files,
    home_of,
    open_files,
)
from mnistlab.datasets.data_files import (
    NAMES,
    Progress,
    Silent,
    replacing,
)
from mnistlab.datasets.sources import Folder, Source, SourceError
from mnistlab.errors import DataError, FetchError, InputError

WORK = ".incoming-"


def fetch(
    name: str,
    *,
    cache: Path | None = None,
    folder: Path | None = None,
    progress: Progress | None = None,
) -> Path:
    """Return the folder with the verified files of the named dataset; fetch what is missing.

    `folder` is a place to look first; its files are copied. Raises FetchError, with each source
    and its reason, when no source has the files, and DataError when the cache cannot be written.
    """
    dataset, home = dataset_of_files(name), home_of(name, cache)
    if folder is not None and not folder.is_dir():
        raise InputError(f"{folder}: no such folder; name one that holds {', '.join(NAMES)}")
    _, problems = open_files(dataset, home)
    progress = progress or Silent()
    if not problems:
        if folder is not None:
            progress.message(f"{name} is whole in the cache already; {folder} was not needed")
        return home
    if dataset.packaged:
        raise DataError(f"{home}: the packaged files are damaged; install mnistlab again")
    named = () if folder is None else (Folder(folder),)
    try:
        home.mkdir(parents=True, exist_ok=True)
        with _alone_in(home, progress):
            _try_sources(name, dataset, (*named, *dataset.sources), home, progress)
    except OSError as error:
        raise DataError(
            f"{home}: the cache cannot be written ({error.strerror or error}); "
            "set MNISTLAB_DATA_DIR to a folder that can"
        ) from error
    return home


@contextmanager
def _alone_in(home: Path, progress: Progress) -> Iterator[None]:
    """Hold the lock of `home`, and clear away what a killed fetch left there."""
    import filelock  # noqa: PLC0415 - needed only by a fetch

    lock = filelock.FileLock(home / ".lock")
    try:
        lock.acquire(blocking=False)
    except filelock.Timeout:
        progress.message(f"waiting for another process that is fetching into {home}")
        lock.acquire()
    try:
        for left in home.glob(f"{WORK}*"):
            shutil.rmtree(left, ignore_errors=True)
        yield
    finally:
        lock.release()


def _try_sources(
    name: str, dataset: NamedDataset, sources: tuple[Source, ...], home: Path, progress: Progress
) -> None:
    _, problems = open_files(dataset, home)  # another process may have filled it meanwhile
    for file in dataset.files:
        if problems.get(file.name) == DIFFERS:
            progress.message(f"{home / file.stored_name} is damaged; fetching it again")
    wanted = [file for file in dataset.files if file.name in problems]
    failures: list[str] = []
    for source in sources:
        if not wanted:
            return
        progress.message(f"fetching {name} from {source}")
        try:
            for file in _take(source, tuple(wanted), home, progress):
                wanted.remove(file)
        except SourceError as error:
            failures.append(f"{source}: {error}")
            progress.message(f"{source}: {error}")
    if wanted:
        raise FetchError(
            "\n  ".join([f"no source could hand over {name}:", *failures])
            + f"\nput {', '.join(file.stored_name for file in wanted)} into a folder "
            f"and run: mnistlab data fetch {name} --from FOLDER"
        )


def _take(
    source: Source, wanted: tuple[DataFile, ...], home: Path, progress: Progress
) -> Iterator[DataFile]:
    """Store each file that `source` offers once it is verified, then yield it."""
    with tempfile.TemporaryDirectory(dir=home, prefix=WORK) as work:
        for file, candidate in source.offer(wanted, Path(work), progress):
            try:
                kept, _ = file.open(candidate, label=candidate.name)
            except DataError as error:
                raise SourceError(str(error)) from error
            with replacing(home / file.stored_name) as out:
                out.write(kept)
            yield file
