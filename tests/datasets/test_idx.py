"""IDX files: what is written is read back, and what is broken is named."""

import gzip
import hashlib
import struct
import tracemalloc
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mnistlab.datasets import data_files, read_idx, write_idx
from mnistlab.datasets.data_files import content_sha256
from mnistlab.errors import DataError

IMAGES = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4)


def idx_bytes(*shape: int, data: bytes | None = None, code: int = 8) -> bytes:
    body = bytes(int(np.prod(shape))) if data is None else data
    return struct.pack(f">HBB{len(shape)}I", 0, code, len(shape), *shape) + body


@given(
    hnp.arrays(np.uint8, hnp.array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=5)),
    st.sampled_from(["", ".gz"]),
)
def test_round_trip(tmp_path_factory, array, suffix):
    path = tmp_path_factory.mktemp("idx") / f"a{suffix}"
    write_idx(path, array)
    back = read_idx(path)
    assert back.shape == array.shape
    assert back.dtype == np.uint8
    assert (back == array).all()
    assert not back.flags.writeable


def test_bytes_are_those_of_the_format(tmp_path):
    write_idx(tmp_path / "a", IMAGES)
    expected = bytes([0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4]) + bytes(range(24))
    assert (tmp_path / "a").read_bytes() == expected


def test_a_column_major_array_is_written_in_row_order(tmp_path):
    write_idx(tmp_path / "a", np.asfortranarray(IMAGES))
    assert (read_idx(tmp_path / "a") == IMAGES).all()


def test_gzip_is_the_same_each_time_and_known_by_content(tmp_path):
    write_idx(tmp_path / "a.gz", IMAGES)
    write_idx(tmp_path / "b.gz", IMAGES)
    assert (tmp_path / "a.gz").read_bytes() == (tmp_path / "b.gz").read_bytes()
    (tmp_path / "a.gz").rename(tmp_path / "no-suffix")
    assert (read_idx(tmp_path / "no-suffix") == IMAGES).all()


def test_content_hash_is_that_of_the_raw_file(tmp_path):
    write_idx(tmp_path / "a", IMAGES)
    assert content_sha256(IMAGES) == hashlib.sha256((tmp_path / "a").read_bytes()).hexdigest()


@pytest.mark.parametrize("array", [np.zeros(3), np.uint8(1), np.zeros(3, np.int8)])
def test_only_uint8_arrays_are_written(tmp_path, array):
    with pytest.raises(ValueError, match="IDX"):
        write_idx(tmp_path / "a", np.asarray(array))
    assert list(tmp_path.iterdir()) == []


def test_writing_replaces_the_whole_file_or_nothing(tmp_path, monkeypatch):
    path = tmp_path / "a"
    write_idx(path, IMAGES)
    monkeypatch.setattr("os.fsync", lambda _fd: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        write_idx(path, IMAGES[:1])
    assert [left.name for left in tmp_path.iterdir()] == ["a"]
    assert (read_idx(path) == IMAGES).all()


LARGE = gzip.compress(idx_bytes(3, 20, 20), mtime=0)  # longer than any header
PACKED = gzip.compress(idx_bytes(2, 3, 4), mtime=0)
BAD = {
    "empty": (b"", "ends within the IDX header"),
    "short header": (idx_bytes(2, 3, 4)[:9], r"ends within the IDX header \(9 of 16 bytes\)"),
    "wrong magic": (b"\x89PNG" + bytes(40), "not an IDX file: it starts with 89 50 4e 47"),
    "no dimensions": (struct.pack(">HBB", 0, 8, 0), "not an IDX file"),
    "too many dimensions": (struct.pack(">HBB", 0, 8, 65) + bytes(300), "not an IDX file"),
    "floats without data": (idx_bytes(2, code=0x0D), "2 = 8 bytes of data and only 2 follow"),
    "another type": (idx_bytes(2, code=0x0A), "not an IDX file: it starts with 00 00 0a"),
    "truncated data": (idx_bytes(2, 3, 4)[:-1], "2 x 3 x 4 = 24 bytes of data and only 23 follow"),
    "trailing bytes": (idx_bytes(2, 3, 4) + b"x", "24 bytes of data and more follow"),
    "overflowing dimensions": (
        idx_bytes(*[2**32 - 1] * 4, data=bytes(9)),
        r"= about 10\^38 bytes of data and only 9 follow",
    ),
    "overflow times zero": (idx_bytes(0, *[2**32 - 1] * 3, data=b""), "cannot be"),
    "web page": (b"\n<!DOCTYPE html><html>", "looks like a web page"),
    "gzipped web page": (gzip.compress(b"<html><body>Sign in"), "looks like a web page"),
    "cut gzip": (PACKED[:-9], "gzip file is cut short"),
    "gzip of two bytes": (PACKED[:2], "gzip file is cut short"),
    "gzip with wrong checksum": (
        PACKED[:-8] + bytes([PACKED[-8] ^ 1]) + PACKED[-7:],
        "gzip file is corrupt .*CRC",
    ),
    "large gzip with wrong checksum": (LARGE[:-8] + bytes(4) + LARGE[-4:], "corrupt .*CRC"),
    "large gzip without its end": (LARGE[:-8], "gzip file is cut short"),
    "gzip with wrong method": (PACKED[:2] + b"\x09" + PACKED[3:], "gzip file is corrupt"),
    "gzip with broken stream": (PACKED[:10] + b"\xff" * 20, "gzip file is corrupt"),
    "gzip of too much": (gzip.compress(idx_bytes(2, 3, 4) + b"x"), "and more follow"),
    "gzip of too little": (gzip.compress(idx_bytes(2, 3, 4)[:-1]), "only 23 follow"),
    "gzip promising 4 GB": (
        gzip.compress(idx_bytes(2**32 - 1, data=b"")),
        "promises 4,294,967,303 bytes, too many",
    ),
}


@pytest.mark.parametrize(("content", "message"), BAD.values(), ids=BAD.keys())
def test_bad_file_is_refused_by_name(tmp_path, content, message):
    path = tmp_path / "train-images-idx3-ubyte"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        read_idx(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


@given(st.binary(max_size=60), st.booleans())
def test_any_bytes_are_read_or_refused(tmp_path_factory, content, packed):
    path = tmp_path_factory.mktemp("any") / "a"
    path.write_bytes(gzip.compress(content) if packed else content)
    with suppress(DataError):
        read_idx(path)


@given(st.integers(0, len(PACKED) - 1), st.integers(1, 255))
def test_any_damaged_gzip_is_read_or_refused(tmp_path_factory, at, flip):
    path = tmp_path_factory.mktemp("any") / "a"
    path.write_bytes(PACKED[:at] + bytes([PACKED[at] ^ flip]) + PACKED[at + 1 :])
    with suppress(DataError):
        read_idx(path)


def test_a_gzip_bomb_does_not_fill_the_memory(tmp_path):
    path = tmp_path / "bomb"
    path.write_bytes(gzip.compress(idx_bytes(10, data=bytes(50_000_000))))
    tracemalloc.start()
    with pytest.raises(DataError, match="10 bytes of data and more follow"):
        read_idx(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2_000_000


def test_unpacking_is_capped(tmp_path, monkeypatch):
    monkeypatch.setattr(data_files, "GZIP_CAP", 20)
    (tmp_path / "a").write_bytes(PACKED)
    with pytest.raises(DataError, match="promises 40 bytes, too many"):
        read_idx(tmp_path / "a")


def test_images_need_three_dimensions_and_labels_one(tmp_path):
    write_idx(tmp_path / "a", IMAGES)
    assert read_idx(tmp_path / "a", 3).shape == (2, 3, 4)
    with pytest.raises(DataError, match=r"holds 3 dimension\(s\) where labels .* needs 1"):
        read_idx(tmp_path / "a", 1)


def test_what_is_no_file(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        read_idx(tmp_path / "a")
    with pytest.raises(DataError, match="not a file"):
        read_idx(tmp_path)


def test_an_unreadable_file(tmp_path, monkeypatch):
    (tmp_path / "a").write_bytes(b"x")
    monkeypatch.setattr("pathlib.Path.open", lambda *_: (_ for _ in ()).throw(OSError(13, "no")))
    with pytest.raises(DataError, match=r"cannot be read \(no\)"):
        read_idx(tmp_path / "a")


def test_large_plain_files_are_mapped_not_copied(tmp_path, monkeypatch):
    monkeypatch.setattr("mnistlab.core.samples.LARGE", 1_000_000)
    path = tmp_path / "a"
    write_idx(path, np.ones((3000, 28, 28), np.uint8))
    tracemalloc.start()
    images = read_idx(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert images.sum() == 3000 * 784
    assert peak < 100_000
