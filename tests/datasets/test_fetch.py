"""Fetching: sources in order, each verified; bad ones named; nothing half there, ever."""

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

import mnistlab
from mnistlab.datasets import DATASETS, fetch, load, verify
from mnistlab.datasets.data_files import NAMES
from mnistlab.datasets.sources import Folder, Mirror
from mnistlab.errors import DataError, FetchError, InputError, UnknownNameError
from tests.datasets.conftest import send, tiny_arrays, tiny_dataset, write_folder

REPOSITORY = Path(mnistlab.__file__).parents[1]


@pytest.fixture
def mirror(server, tmp_path):
    """The address of a mirror of the tiny dataset."""
    return server.serve("good", tiny_arrays(), tmp_path / "served")


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name != ".lock")


def test_a_mirror_fills_the_cache_once(register, server, mirror, tiny_folder, cache, messages):
    register(tiny_dataset(tiny_folder, Mirror(mirror)))
    assert fetch("tiny", progress=messages) == cache / "tiny"
    assert names_in(cache / "tiny") == sorted(NAMES)
    for name in NAMES:
        assert (cache / "tiny" / name).read_bytes() == (tiny_folder / name).read_bytes()
        total, shown = messages.bars[name]
        assert total == shown == len(server.answers[f"/good/{name}.gz"])
    data = load("tiny", validation=5)
    assert data.sha256 == load(str(tiny_folder), validation=5).sha256
    assert set(server.counts.values()) == {1}


def test_loading_fetches_what_is_missing(register, mirror, tiny_folder, cache):
    register(tiny_dataset(tiny_folder, Mirror(mirror)))
    assert len(load("tiny", validation=5).train) == 35
    assert verify("tiny") == dict.fromkeys(NAMES, "ok")
    assert names_in(cache / "tiny") == sorted(NAMES)


def web_page(handler):
    send(handler, b"<!DOCTYPE html><title>Please sign in</title>")


def truncated(handler):
    send(handler, b"\x1f\x8b" + bytes(50), promised=500)


def endless(handler):
    """Send on for as long as the client listens, but no more than a bounded client can take."""
    handler.send_response(200)
    handler.end_headers()
    for _ in range(1000):
        try:
            handler.wfile.write(bytes(1 << 16))
        except OSError:  # the client has hung up, as it should
            return
    raise AssertionError("the client took 64 MB")


def senseless(handler):
    handler.send_response(200)
    handler.send_header("Content-Length", "many")
    handler.end_headers()


FAILURES = {
    "404": (404, "train-images-idx3-ubyte.gz: 404 Client Error: Not Found"),
    "500": (500, "train-images-idx3-ubyte.gz: 500 Server Error"),
    "web page": (web_page, "looks like a web page"),
    "truncated": (truncated, "the transfer broke off"),
    "not data": (b"hello", "not an IDX file|differs"),
    "senseless": (senseless, "its answer cannot be understood"),
    "endless": (endless, "sends more bytes than the file can have"),
}


@pytest.mark.parametrize(("answer", "reason"), FAILURES.values(), ids=FAILURES.keys())
def test_a_failing_mirror_is_named_and_the_next_one_tried(
    register, server, mirror, tiny_folder, cache, messages, answer, reason
):
    server.answers[f"/bad/{NAMES[0]}.gz"] = answer
    bad = f"{server.url}bad/"
    register(tiny_dataset(tiny_folder, Mirror(bad), Mirror(mirror)))
    fetch("tiny", progress=messages)
    assert re.search(f"{re.escape(bad)}: .*({reason})", str(messages))
    assert set(verify("tiny").values()) == {"ok"}
    assert names_in(cache / "tiny") == sorted(NAMES)
    assert sum(count for path, count in server.counts.items() if path.startswith("/bad/")) == 1


def test_wrong_content_is_refused(register, server, tiny_folder, tmp_path, cache):
    other = {name: np.roll(array, 1, axis=0) for name, array in tiny_arrays().items()}
    wrong = server.serve("wrong", other, tmp_path / "other")
    register(tiny_dataset(tiny_folder, Mirror(wrong)))
    with pytest.raises(FetchError, match=rf"{wrong}: .*SHA-256 differs"):
        fetch("tiny")
    assert names_in(cache / "tiny") == []


def test_what_the_first_mirror_gave_is_kept(register, server, mirror, tiny_folder, tmp_path):
    half = server.serve("half", tiny_arrays(), tmp_path / "half")
    server.answers[f"/half/{NAMES[2]}.gz"] = 503
    register(tiny_dataset(tiny_folder, Mirror(half), Mirror(mirror)))
    fetch("tiny")
    asked = {path for path in server.counts if path.startswith("/good/")}
    assert asked == {f"/good/{NAMES[2]}.gz", f"/good/{NAMES[3]}.gz"}


@pytest.fixture
def no_names(monkeypatch):
    """No host name can be resolved, whatever the network here makes of unknown ones."""
    look_up = socket.getaddrinfo

    def refuse(host, *arguments, **options):
        if host.endswith(".invalid"):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return look_up(host, *arguments, **options)

    monkeypatch.setattr("socket.getaddrinfo", refuse)


@pytest.mark.usefixtures("no_names")
def test_all_sources_failing_lists_each_with_its_reason(register, tiny_folder, tmp_path):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # bound but not listening: connections are refused
        nobody = f"http://127.0.0.1:{unused.getsockname()[1]}/"
        unknown = "http://no-such-host.invalid/"
        folders = Folder(tmp_path), Folder(tmp_path / "nowhere")
        register(tiny_dataset(tiny_folder, Mirror(nobody), Mirror(unknown), *folders))
        started = time.monotonic()
        with pytest.raises(FetchError) as caught:
            fetch("tiny")
    text = str(caught.value)
    assert time.monotonic() - started < 15
    assert f"{nobody}: no connection" in text
    assert f"{unknown}: its host name cannot be resolved" in text
    assert f"{tmp_path}: holds no {NAMES[0]}" in text
    assert f"{tmp_path / 'nowhere'}: no such folder" in text
    assert "mnistlab data fetch tiny --from FOLDER" in text
    assert caught.value.exit_code == 1


def test_a_mirror_that_never_answers_is_given_up(
    register, server, mirror, tiny_folder, monkeypatch
):
    released = threading.Event()
    server.answers[f"/slow/{NAMES[0]}.gz"] = lambda _handler: released.wait(20)
    monkeypatch.setattr("mnistlab.datasets.sources.WEB_SECONDS", (1, 0.2))
    register(tiny_dataset(tiny_folder, Mirror(f"{server.url}slow/"), Mirror(mirror)))
    started = time.monotonic()
    fetch("tiny")
    took = time.monotonic() - started
    released.set()
    assert took < 15  # it would have answered after 20


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_a_named_folder_is_copied_and_verified(register, tmp_path, tiny_folder, cache, suffix):
    register(tiny_dataset(tiny_folder))
    given = write_folder(tmp_path / "given", tiny_arrays(), suffix)
    fetch("tiny", folder=given)
    for path in given.iterdir():
        path.unlink()
    assert len(load("tiny", validation=5).train) == 35
    assert names_in(cache / "tiny") == sorted(NAMES)


def test_a_named_folder_of_other_data_is_refused(register, tmp_path, tiny_folder):
    register(tiny_dataset(tiny_folder))
    arrays = tiny_arrays()
    arrays[NAMES[3]][0] ^= 1
    given = write_folder(tmp_path / "given", arrays)
    with pytest.raises(FetchError, match=rf"given: {NAMES[3]}: not the published file"):
        fetch("tiny", folder=given)


def test_a_named_folder_that_is_not_there(register, tmp_path, tiny_folder):
    register(tiny_dataset(tiny_folder))
    with pytest.raises(InputError, match="no such folder"):
        fetch("tiny", folder=tmp_path / "nowhere")


def test_an_unknown_name():
    with pytest.raises(UnknownNameError, match="did you mean 'mnist'"):
        fetch("mnits")


def test_bit_rot_is_noticed_and_repaired(register, server, mirror, tiny_folder, cache, messages):
    register(tiny_dataset(tiny_folder, Mirror(mirror)))
    fetch("tiny")
    path = cache / "tiny" / NAMES[0]
    content = bytearray(path.read_bytes())
    content[100] ^= 1
    path.write_bytes(content)
    assert verify("tiny") == dict.fromkeys(NAMES, "ok") | {NAMES[0]: "differs"}
    data = load("tiny", validation=0, progress=messages)
    assert f"{path} is damaged; fetching it again" in str(messages)
    assert (data.train.images == tiny_arrays()[NAMES[0]]).all()
    assert server.counts == {f"/good/{name}.gz": 1 + (name == NAMES[0]) for name in NAMES}


def test_bit_rot_without_a_source_is_an_error(register, tiny_folder, cache):
    register(tiny_dataset(tiny_folder))
    fetch("tiny", folder=tiny_folder)
    (cache / "tiny" / NAMES[1]).write_bytes(b"rotten")
    with pytest.raises(FetchError):
        load("tiny", validation=0)


def test_where_only_the_gzip_is_known_it_is_kept(register, server, mirror, tmp_path, cache):
    """As for kmnist: the published .gz is what the hash is of."""
    register(tiny_dataset(tmp_path / "served", Mirror(mirror), of_gzip=True))
    data = load("tiny", validation=5)
    assert names_in(cache / "tiny") == sorted(f"{name}.gz" for name in NAMES)
    raw = write_folder(tmp_path / "raw", tiny_arrays())
    same = load(str(raw), validation=5)
    assert data.sha256 == same.sha256
    assert data.hashes() == same.hashes()
    assert (data.test.images == same.test.images).all()
    path = cache / "tiny" / f"{NAMES[0]}.gz"
    path.write_bytes(path.read_bytes()[:-1] + b"\x01")
    assert verify("tiny")[path.name] == "differs"
    load("tiny", validation=5)
    assert server.counts[f"/good/{path.name}"] == 2


def test_where_only_the_gzip_is_known_raw_files_are_refused(register, tmp_path, tiny_folder):
    packed = write_folder(tmp_path / "packed", tiny_arrays(), ".gz")
    register(tiny_dataset(packed, of_gzip=True))
    with pytest.raises(FetchError, match=r"unpacked; give the published train-images.*\.gz"):
        fetch("tiny", folder=tiny_folder)


def test_where_only_the_gzip_is_known_it_is_found_beside_a_raw_file(register, tmp_path):
    packed = write_folder(tmp_path / "packed", tiny_arrays(), ".gz")
    register(tiny_dataset(packed, of_gzip=True))
    write_folder(packed, tiny_arrays())
    fetch("tiny", folder=packed)
    assert set(verify("tiny").values()) == {"ok"}


def test_a_cache_that_cannot_be_written(register, mirror, tiny_folder, cache):
    register(tiny_dataset(tiny_folder, Mirror(mirror)))
    cache.write_text("a file stands where the folder should be")
    with pytest.raises(DataError, match=r"cannot be written .* MNISTLAB_DATA_DIR"):
        fetch("tiny")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_cache_without_permission(register, mirror, tiny_folder, cache):
    register(tiny_dataset(tiny_folder, Mirror(mirror)))
    (cache / "tiny").mkdir(parents=True, mode=0o500)
    with pytest.raises(DataError, match="cannot be written"):
        fetch("tiny")


def test_a_full_disk(register, mirror, tiny_folder, cache, monkeypatch):
    register(tiny_dataset(tiny_folder, Mirror(mirror)))

    def full(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(DataError, match="No space left on device"):
        fetch("tiny")
    assert names_in(cache / "tiny") == []


def test_a_whole_cache_is_read_without_a_lock(register, tiny_folder, monkeypatch):
    register(tiny_dataset(tiny_folder))
    fetch("tiny", folder=tiny_folder)
    monkeypatch.setattr("filelock.FileLock", None)
    assert len(load("tiny", validation=0).train) == 40


def test_packaged_files_that_are_damaged(register, tiny_folder):
    entry = tiny_dataset(tiny_folder)
    register(type(entry)("d", "l", entry.files, packaged=tiny_folder))
    assert fetch("tiny") == tiny_folder
    (tiny_folder / NAMES[0]).unlink()
    with pytest.raises(DataError, match="install mnistlab again"):
        load("tiny")


CHILD = """
import sys
from mnistlab.datasets import DATASETS, DataFile, NamedDataset, load
from mnistlab.datasets.sources import Mirror
DATASETS.add("tiny", NamedDataset("tiny", "none", {files!r}, (Mirror({url!r}),)))
print(load("tiny", validation=5).sha256)
"""


def child(folder: Path, url: str, cache: Path) -> subprocess.Popen:
    code = CHILD.format(files=tiny_dataset(folder).files, url=url)
    return subprocess.Popen(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": str(REPOSITORY), "MNISTLAB_DATA_DIR": str(cache)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_four_processes_fetch_each_file_once(server, mirror, tiny_folder, cache):
    for name in NAMES:
        content = server.answers[f"/good/{name}.gz"]

        def slowly(handler, content=content):
            time.sleep(0.1)  # long enough for all four to want it
            send(handler, content)

        server.answers[f"/good/{name}.gz"] = slowly
    children = [child(tiny_folder, mirror, cache) for _ in range(4)]
    results = [process.communicate(timeout=60) for process in children]
    assert [process.returncode for process in children] == [0] * 4, results
    assert {out.strip() for out, _ in results} == {load(str(tiny_folder), validation=5).sha256}
    assert server.counts == {f"/good/{name}.gz": 1 for name in NAMES}
    assert names_in(cache / "tiny") == sorted(NAMES)


def stalled_download(begun, ended):
    def stall(handler):
        send(handler, b"\x1f\x8b" + bytes(20), promised=500)
        begun.set()
        ended.wait(30)

    return stall


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGKILL])
def test_a_fetch_cut_short_leaves_no_file_and_can_be_done_again(
    register, server, mirror, tiny_folder, cache, signum
):
    started, ended = threading.Event(), threading.Event()
    good = server.answers[f"/good/{NAMES[1]}.gz"]
    server.answers[f"/good/{NAMES[1]}.gz"] = stalled_download(started, ended)
    process = child(tiny_folder, mirror, cache)
    assert started.wait(30)
    time.sleep(0.1)
    process.send_signal(signum)
    process.communicate(timeout=30)
    ended.set()
    assert process.returncode == -signum
    left = names_in(cache / "tiny")
    assert NAMES[0] in left
    assert NAMES[1] not in left
    if signum == signal.SIGINT:
        assert left == [NAMES[0]]

    server.answers[f"/good/{NAMES[1]}.gz"] = good
    register(tiny_dataset(tiny_folder, Mirror(mirror)))
    fetch("tiny")
    assert names_in(cache / "tiny") == sorted(NAMES)
    assert server.counts[f"/good/{NAMES[0]}.gz"] == 1


@pytest.mark.parametrize("name", DATASETS)
def test_every_entry_of_the_catalog_is_whole(name):
    dataset = DATASETS[name]
    assert [file.name for file in dataset.files] == list(NAMES)
    assert all(re.fullmatch("[0-9a-f]{64}", file.sha256) for file in dataset.files)
    assert len({file.sha256 for file in dataset.files}) == 4
    assert dataset.files[0].shape[0] == dataset.files[1].shape[0]
    assert dataset.files[2].shape[0] == dataset.files[3].shape[0]
    assert len(set(dataset.classes)) == 10
    assert dataset.description
    assert dataset.licence
    assert bool(dataset.sources) != bool(dataset.packaged)
    for source in dataset.sources:
        assert str(source)
        if isinstance(source, Mirror):
            assert source.url.endswith("/")
