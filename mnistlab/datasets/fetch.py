"""Brings a named dataset into the cache: sources in order, each file verified, none half there."""

import hashlib
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mnistlab.datasets.cache import (
    Content,
    Progress,
    Silent,
    data_dir,
    recorded_sha256,
    replacing,
    sha256_of,
    state_of,
)
from mnistlab.datasets.catalog import DATASETS, ArrayDataset, NamedDataset
from mnistlab.datasets.idx import (
    NAMES,
    DataFile,
    find,
    find_all,
    is_there,
    parse,
    read_content,
)
from mnistlab.datasets.npz import find_npy
from mnistlab.datasets.preprocess import verify_copies
from mnistlab.datasets.sources import Folder, Source, SourceError
from mnistlab.errors import DataError, FetchError, InputError

OK, MISSING, DIFFERS, UNKNOWN = "ok", "missing", "differs", "unknown"
WORK = ".incoming-"


def dataset_of_files(name: str) -> NamedDataset:
    """Return a dataset of files; raise UnknownNameError, or DataError for one of arrays."""
    dataset = DATASETS[name]
    if isinstance(dataset, ArrayDataset):
        raise DataError(f"{name}: is made of a plugin's arrays; it has no files")
    return dataset


def home_of(name: str, cache: Path | None = None) -> Path:
    """Return the folder that holds, or would hold, the files of the named dataset."""
    return dataset_of_files(name).packaged or (cache or data_dir()) / name


def verify(name: str, cache: Path | None = None) -> dict[str, str]:
    """Return "ok", "missing", "differs" or "unknown" for each file of a dataset, hashed anew.

    So does it for each copy with moved pixels in the cache, by its whole path: these are made anew
    and compared. The files of a folder have a hash to compare with if they are mapped and were
    hashed before; the others are "unknown", and the hash of those that are mapped is kept.
    """
    if name not in DATASETS and Path(name).is_dir():
        return _verify_folder(Path(name))
    dataset, home = dataset_of_files(name), home_of(name, cache)
    contents, problems = open_files(dataset, home)
    found = {
        (path or Path(file.stored_name)).name: problems.get(file.name, OK)
        for file, path in paths_of(dataset, home).items()
    }
    for file in dataset.files:
        if len(file.shape) == 3 and file.name in contents:
            content = contents[file.name]
            images, sha256 = parse(content, file.name, 3), hashlib.sha256(content).hexdigest()
            copies = verify_copies(images, sha256, cache or data_dir())
            found |= {str(path): OK if same else DIFFERS for path, same in copies.items()}
    return found


def _verify_folder(folder: Path) -> dict[str, str]:
    found = {}
    for path in (find_npy(folder) or find_all(folder)).values():
        known, state = recorded_sha256(path), state_of(path)
        content = read_content(path)
        digest = sha256_of(path, content, None if known else state, anew=True)
        found[path.name] = UNKNOWN if known is None else OK if known == digest else DIFFERS
    return found


def is_present(name: str) -> bool:
    """Return whether all files of the named dataset are there, without hashing them."""
    return all(paths_of(dataset_of_files(name), home_of(name)).values())


def open_files(dataset: NamedDataset, home: Path) -> tuple[dict[str, Content], dict[str, str]]:
    """Return the raw content of each file in `home` that is verified, and what ails the others."""
    contents: dict[str, Content] = {}
    problems: dict[str, str] = {}
    for file, path in paths_of(dataset, home).items():
        if path is None:
            problems[file.name] = MISSING
            continue
        try:
            _, contents[file.name] = file.open(path)
        except DataError:
            problems[file.name] = DIFFERS
    return contents, problems


def paths_of(dataset: NamedDataset, home: Path) -> dict[DataFile, Path | None]:
    """Return where each file of a dataset is in `home`, None for one that is missing."""
    if dataset.packaged:
        return {file: find(home, file.name) for file in dataset.files}
    paths = {file: home / file.stored_name for file in dataset.files}
    return {file: path if is_there(path) else None for file, path in paths.items()}


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
        progress.message(f"fetching {name} from {source.label}")
        try:
            for file in _take(source, tuple(wanted), home, progress):
                wanted.remove(file)
        except SourceError as error:
            failures.append(f"{source.label}: {error}")
            progress.message(f"{source.label}: {error}")
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
