"""One file from the web, through pooch, within bounds of time and size."""

import math
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO

import pooch
import requests

from mnistlab.datasets.files import DataFile
from mnistlab.datasets.progress import Progress
from mnistlab.datasets.sources import SourceError

TIMEOUT = (5, 20)  # seconds to connect, and to wait for the next bytes
CHUNK = 1 << 18

# requests' exceptions, the special before the general, in a few words each.
REASONS: tuple[tuple[type[requests.RequestException], str], ...] = (
    (requests.exceptions.SSLError, "its certificate cannot be trusted"),
    (requests.exceptions.ProxyError, "the proxy cannot be reached or refuses"),
    (requests.exceptions.ConnectTimeout, f"no connection within {TIMEOUT[0]} s"),
    (requests.exceptions.Timeout, f"no answer for {TIMEOUT[1]} s"),
    (requests.exceptions.ChunkedEncodingError, "the transfer broke off"),
    (requests.exceptions.ConnectionError, "no connection"),
)


def download(url: str, path: Path, file: DataFile, progress: Progress) -> None:
    """Write what `url` serves to `path`; raise SourceError when it cannot be had.

    The content is not verified here. More bytes than `file` can have end the transfer.
    """
    limit = math.prod(file.shape) + (1 << 16)  # gzip never grows data by more than a little
    try:
        with path.open("wb") as out, _receiver(out, file.name, limit, progress) as receiver:
            fetch = pooch.HTTPDownloader(progressbar=receiver, chunk_size=CHUNK, timeout=TIMEOUT)
            fetch(url, receiver, None)
    except requests.HTTPError as error:
        raise SourceError(f"{path.name}: {str(error).split(' for url')[0]}") from error
    except requests.RequestException as error:
        raise SourceError(_reason(error)) from error
    except ValueError as error:  # such as a Content-Length that is no number
        raise SourceError(f"its answer cannot be understood ({error})") from error


def _reason(error: requests.RequestException) -> str:
    if "NameResolutionError" in repr(error):  # requests has no class of its own for it
        return "its host name cannot be resolved"
    for kind, reason in REASONS:
        if isinstance(error, kind):
            return reason
    return type(error).__name__


class _Receiver:
    """What pooch writes to and reports to, in one.

    pooch reports whole chunks, also for parts of one, so the bytes are counted as they are
    written; all that is taken from its report is the total.
    """

    def __init__(self, out: BinaryIO, limit: int) -> None:
        self._out, self._limit, self._count = out, limit, 0
        self.total = 0
        self.show: Callable[[int], None] | None = None
        self.open_bar: Callable[[int], Callable[[int], None]]

    def write(self, chunk: bytes) -> int:
        self._count += len(chunk)
        if self._count > self._limit:
            raise SourceError("sends more bytes than the file can have")
        self.show = self.show or self.open_bar(self.total)
        self.show(len(chunk))
        return self._out.write(chunk)

    def flush(self) -> None:
        """Leave it to the closing of the file: pooch asks after every chunk."""

    def update(self, count: int) -> None:
        """Ignore pooch's own count."""

    def reset(self) -> None:
        """Keep what is shown: pooch resets only to fill the bar."""

    def close(self) -> None:
        """Nothing to close: the bar's context does."""


@contextmanager
def _receiver(out: BinaryIO, label: str, limit: int, progress: Progress) -> Iterator[_Receiver]:
    with ExitStack() as stack:
        receiver = _Receiver(out, limit)
        # The total is known only once the server has answered.
        receiver.open_bar = lambda total: stack.enter_context(progress.bar(label, total or None))
        yield receiver
