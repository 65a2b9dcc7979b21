"""From a name or a path to the raw images and labels of a dataset, wherever they are kept.

On another machine of a cluster they come with a task, and are kept in its cache: as IDX files in a
folder that has the SHA-256 of all four arrays as its name.
"""

import hashlib
import itertools
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnistlab.datasets.catalog import (
    DATASETS,
    DIGITS,
    NamedDataset,
    dataset_of_files,
    fetch,
    home_of,
)
from mnistlab.datasets.data_files import (
    KEYS,
    NAMES,
    as_bytes,
    content_sha256,
    is_large,
    is_there,
    parse,
    read_content,
    read_idx,
    read_npy,
    read_npz,
    replacing,
    unpack,
    write_idx,
)
from mnistlab.datasets.preprocess import verify_copies
from mnistlab.datasets.sanity import check_images, check_labels
from mnistlab.datasets.sources import DIFFERS, Progress, data_dir, find, spelt
from mnistlab.errors import DataError, InputError, UnknownNameError, shown

OK, UNKNOWN = "ok", "unknown"

DIMENSIONS = (3, 1, 3, 1)  # of training images and labels, test images and labels

Arrays = Sequence[NDArray[np.uint8]]
State = tuple[int, int, int] | None
"""A file's time of change in nanoseconds, size and inode, None where there is none."""


@dataclass
class WatchedFiles:
    """Files as they were before they were read; `is_same` reads them again and compares hashes.

    While somebody trains on files, what is in memory is still what was hashed, but nobody could
    repeat the run with changed ones; and of files that are too large to be read, and so are
    mapped, not even that is sure.
    """

    states: Mapping[Path, State]
    is_same: Callable[[], bool]

    def check(self) -> None:
        """Raise DataError if the content of a file is another one now.

        Files are read again only where one was written, moved or replaced since the last time.
        """
        now = _states_of(self.states)
        changed = [path for path, state in now.items() if state != self.states[path]]
        if changed and not self.is_same():
            raise DataError(
                f"{shown(changed[0])}: has changed while it was being trained on, so nobody could "
                "repeat this; put it back as it was to go on"
            )
        self.states = now


def _states_of(paths: Iterable[Path]) -> dict[Path, State]:
    states: dict[Path, State] = dict.fromkeys(paths)
    for path in states:
        with suppress(OSError):
            found = path.stat()
            states[path] = found.st_ctime_ns, found.st_size, found.st_ino
    return states


@dataclass(frozen=True, eq=False)
class RawData:
    """Training images (N, H, W) and labels (N,), then those of the test file, all uint8.

    `hashes` returns the SHA-256 of the raw IDX file that would hold each array; a mapped one is
    read whole for that, so it is left until they are needed. `classes` are the ten class names.
    """

    arrays: Arrays
    hashes: Callable[[], tuple[str, ...]]
    watched: WatchedFiles
    classes: tuple[str, ...]

    @property
    def sha256(self) -> str:
        """What stands for the four arrays, whatever files they came from."""
        return hashlib.sha256("".join(self.hashes()).encode()).hexdigest()


def read_raw(
    name: str,
    cache: Path | None = None,
    progress: Progress | None = None,
    *,
    may_fetch: bool = True,
) -> RawData:
    """Return the arrays of a registered dataset, a folder of IDX or .npy files, or an .npz.

    A named dataset is fetched, if it may be, when the `cache` (default: `data_dir()`) lacks it, and
    verified against the catalog's hashes. Raises UnknownNameError for a name that is neither,
    DataError for data that cannot be used, and FetchError when no source could hand a named
    dataset over.
    """
    resolve(name)
    classes, published = DIGITS, None
    if name in DATASETS:
        dataset = DATASETS[name]
        classes = dataset.classes
        if isinstance(dataset, NamedDataset):
            published = dataset.sha256
            refetch = partial(fetch, name, cache=cache, progress=progress) if may_fetch else None
            files, labels, read = _find_named(dataset, home_of(name, cache), refetch)
        else:
            files, labels, read = [], [f"{name}: {key}" for key in KEYS], dataset.arrays.values
    else:
        files, labels, read = _find_own(Path(os.path.expanduser(name)))
    states = _states_of(files)
    arrays = [as_bytes(array, label) for array, label in zip(read(), labels, strict=True)]
    for at in (0, 2):
        check_images(arrays[at], labels[at])
        check_labels(arrays[at + 1], labels[at + 1])
        if len(arrays[at]) != len(arrays[at + 1]):
            raise DataError(
                f"{labels[at]}: {len(arrays[at]):,} images but {len(arrays[at + 1]):,} labels; "
                "the two files do not belong together"
            )
    train, test = ("x".join(map(str, arrays[at].shape[1:])) for at in (0, 2))
    if train != test:
        raise DataError(
            f"{name}: training images are {train} pixels but test images {test}; give both the "
            "same size"
        )
    hashes = _hashes_of(arrays, states) if published is None else lambda: published

    def is_same() -> bool:
        with suppress(InputError):
            return read_raw(name, cache, may_fetch=False).hashes() == hashes()
        return False

    return RawData(arrays, hashes, WatchedFiles(states, is_same), classes)


_Found = tuple[list[Path], list[str], Callable[[], Iterable[NDArray[Any]]]]
"""The files of a dataset, what messages call its four arrays, and what reads these."""


def _find_named(dataset: NamedDataset, home: Path, refetch: Callable[[], Path] | None) -> _Found:
    places = [path or home / file.stored_name for file, path in dataset.paths(home).items()]
    labels = [str(place) for place in places]

    def read() -> Iterator[NDArray[Any]]:
        contents, problems = dataset.open(home)
        if problems and refetch is not None:
            refetch()
            contents, problems = dataset.open(home)
        if problems:
            raise DataError(f"{home}: {', '.join(problems)} changed while being read; try again")
        return map(parse, (contents[one] for one in NAMES), labels, DIMENSIONS)

    return places, labels, read


def _find_own(path: Path) -> _Found:
    """Return where the arrays of a folder or an .npz are."""
    if not path.is_dir():
        return [path], [f"{path}: {key}" for key in KEYS], lambda: read_npz(path).values()
    npy = [path / f"{key}.npy" for key in KEYS]
    if any(map(is_there, npy)):
        return npy, [*map(str, npy)], lambda: map(read_npy, npy, KEYS)
    files = [*find_all(path).values()]
    return files, [*map(str, files)], lambda: map(read_idx, files, DIMENSIONS)


def find_all(folder: Path) -> dict[str, Path]:
    """Return where `folder` holds each of the files NAMES; DataError names those it lacks.

    So it does a file that is there in two spellings which do not hold the same.
    """
    found = {name: spelt(folder, name) for name in NAMES}
    if missing := [name for name, paths in found.items() if not paths]:
        raise DataError(
            f"{folder}: lacks {', '.join(missing)}; a folder of IDX files holds {', '.join(NAMES)} "
            f"(also spelt with .idx, also with .gz){_where_else(folder, missing[0])}"
        )
    for paths in found.values():
        for path in paths[1:]:
            ours, theirs = (unpack(read_content(one), str(one)) for one in (paths[0], path))
            if hashlib.sha256(ours).digest() != hashlib.sha256(theirs).digest():
                raise DataError(f"{path}: is not what {paths[0].name} beside it holds; remove one")
    return {name: paths[0] for name, paths in found.items()}


def _where_else(folder: Path, name: str) -> str:
    """Return "; there is one in FOLDER" where a folder below has the file."""
    below = itertools.chain(folder.glob("*/"), folder.glob("*/*/"))
    with suppress(OSError):  # a hint is not worth an error
        for place in itertools.islice(below, 200):  # it may be the root of a disk
            if find(place, name) is not None:
                return f"; there is one in {shown(place)}"
    return ""


def _hashes_of(arrays: Arrays, states: Mapping[Path, State]) -> Callable[[], tuple[str, ...]]:
    """Return a function that returns the hash of each array; it hashes what is mapped."""
    if not any(is_large(array.nbytes) for array in arrays):
        found = tuple(map(content_sha256, arrays))
        return lambda: found
    files = list(states.items()) if len(states) == len(arrays) else [(None, None)] * len(arrays)
    return cache(
        lambda: tuple(_hash_once(array, *file) for array, file in zip(arrays, files, strict=True))
    )


def _hash_once(array: NDArray[np.uint8], path: Path | None, state: State) -> str:
    """Return the hash of an array, which the cache keeps for a large file in this state.

    Raises DataError where the file has changed since it was opened.
    """
    if path is None or state is None or not is_large(array.nbytes):
        return content_sha256(array)
    kept, now = _kept_hash(path), [*map(str, state)]
    if kept[:-1] == now:
        return kept[-1]
    digest = content_sha256(array)
    if _states_of([path])[path] != state:
        raise DataError(f"{shown(path)}: has changed since it was opened; try again")
    with suppress(OSError):  # it is hashed each time then
        _hash_file(path).parent.mkdir(parents=True, exist_ok=True)
        with replacing(_hash_file(path)) as file:
            file.write(" ".join([*now, digest]).encode())
    return digest


def _kept_hash(path: Path) -> list[str]:
    """Return a large file's time of change, size, inode and hash when it was last hashed, or []."""
    with suppress(OSError, UnicodeDecodeError):
        words = _hash_file(path).read_text("ascii").split()
        return words if len(words) == 4 else []
    return []


def _hash_file(path: Path) -> Path:
    return data_dir() / "hashes" / hashlib.sha256(os.fsencode(path.resolve())).hexdigest()


def verify(name: str, cache: Path | None = None) -> dict[str, str]:
    """Return "ok", "missing", "differs" or "unknown" for each file of a dataset, hashed anew.

    So does it for each copy with moved pixels in the cache, by its whole path: these are made anew
    and compared. The files of a folder have a hash to compare with if they are mapped and were
    hashed before; the others are "unknown", and the hash of those that are mapped is kept.
    """
    if name not in DATASETS and Path(name).is_dir():
        return dict(_verify_folder(Path(name)))
    dataset, home = dataset_of_files(name), home_of(name, cache)
    contents, problems = dataset.open(home)
    found = {
        (path or Path(file.stored_name)).name: problems.get(file.name, OK)
        for file, path in dataset.paths(home).items()
    }
    for file in dataset.files:
        if len(file.shape) == 3 and file.name in contents:
            images = parse(contents[file.name], file.name, 3)
            copies = verify_copies(images, content_sha256(images), cache or data_dir())
            found |= {str(path): OK if same else DIFFERS for path, same in copies.items()}
    return found


def _verify_folder(folder: Path) -> Iterator[tuple[str, str]]:
    files, labels, read = _find_own(folder)
    states, arrays = _states_of(files), iter(read())
    for path, label in zip(files, labels, strict=True):
        kept = _kept_hash(path)
        try:
            array = as_bytes(next(arrays), label)
        except DataError:
            if not kept:
                raise
            yield path.name, DIFFERS
            continue
        if kept:
            yield path.name, OK if content_sha256(array) == kept[-1] else DIFFERS
        else:
            _hash_once(array, path, states[path])
            yield path.name, UNKNOWN


def resolve(name: str) -> str:
    """Return a name that is a registered dataset or an existing path, else raise InputError."""
    if name in DATASETS:
        return name
    try:
        if is_there(Path(os.path.expanduser(name))):
            return name
    except DataError:
        raise
    except (OSError, ValueError, RuntimeError):
        pass  # a name too long for a path or with a NUL in it; a ~user who is not there
    if "/" in name or Path(name).suffix:
        where = (
            "" if name.startswith(("/", "~")) else f" in {shown(Path.cwd())}, the current folder"
        )
        raise DataError(f"{shown(name)}: there is no such file or folder{where}")
    error = UnknownNameError("dataset", name, DATASETS)
    error.args = (f"{error}; the path of a folder of IDX files or of an .npz works too",)
    raise error


def find_data(name: str, sha256: str) -> str | None:
    """Return the name or path under which this machine has the data with this SHA-256, if any.

    It looks at the dataset of that name, then at what was received. Nothing is fetched.
    """
    for candidate in (name, str(_folder(sha256))):
        with suppress(InputError, OSError):
            if read_raw(candidate, may_fetch=False).sha256 == sha256:
                return candidate
    return None


def keep_received(arrays: Arrays, sha256: str) -> str:
    """Write the arrays into the cache; return the path to load them from.

    Raises DataError where the cache cannot be written.
    """
    folder = _folder(sha256)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, array in zip(NAMES, arrays, strict=True):
            write_idx(folder / name, array)
    except OSError as error:
        raise DataError(
            f"{folder}: the cache cannot be written ({error.strerror or error}); "
            "set MNISTLAB_DATA_DIR to a folder that can"
        ) from error
    return str(folder)


def _folder(sha256: str) -> Path:
    return data_dir() / "received" / sha256
