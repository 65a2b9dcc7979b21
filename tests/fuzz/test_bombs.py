"""Small files that would fill the memory are refused; large ones that are backed are read."""

import gzip
import io
import struct
import tracemalloc
import zipfile
import zlib
from contextlib import contextmanager

import numpy as np
import pytest

from mnistlab.datasets.data_files import FREE, GZIP_CAP, KEYS, most_unpacked, read_idx, read_npz
from mnistlab.errors import DataError
from tests.fuzz.limits import limits
from tests.fuzz.targets import idx, members, npy, npz

MEGABYTE = 1 << 20


def zeros_packed(head: bytes, megabytes: int) -> bytes:
    """Return a gzip file of `head` and so many MB of zeros, without packing them all."""
    packer = zlib.compressobj(9, wbits=31)
    start = packer.compress(head) + packer.flush(zlib.Z_FULL_FLUSH)
    block = packer.compress(bytes(MEGABYTE)) + packer.flush(zlib.Z_FULL_FLUSH)
    return start + block * megabytes + packer.flush()


@contextmanager
def memory(most: int):
    """Raise AssertionError if what runs inside asks Python for more than `most` bytes at once."""
    tracemalloc.start()
    try:
        with limits():
            yield
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < most


def refused(read, path, content, message, most=8 * MEGABYTE):
    path.write_bytes(content)
    with memory(most), pytest.raises(DataError, match=message) as caught:
        read(path)
    assert str(caught.value).startswith(str(path))
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("megabytes", [100, 600, 4000])
def test_a_gzip_file_too_small_for_what_it_promises_is_not_unpacked(tmp_path, megabytes):
    head = idx(megabytes << 10, 32, 32, data=b"")
    bomb = zeros_packed(head, megabytes)
    refused(read_idx, tmp_path / "images", bomb, r"promises .* bytes, too many .* gunzip first")


def test_a_gzip_file_is_not_unpacked_beyond_its_promise(tmp_path):
    bomb = zeros_packed(idx(10, data=b""), 1000)
    refused(read_idx, tmp_path / "labels", bomb, "10 bytes of data and more follow")


def test_many_empty_gzip_files_in_one_take_no_time(tmp_path):
    content = gzip.compress(b"", mtime=0) * 20_000
    refused(read_idx, tmp_path / "images", content, "ends within the IDX header")


def test_a_packed_file_may_be_large_if_it_is_backed(tmp_path):
    images = np.random.default_rng(0).integers(0, 2, (1000, 30, 30), np.uint8)
    path = tmp_path / "images"
    path.write_bytes(gzip.compress(idx(*images.shape, data=images.tobytes()), 1))
    assert (read_idx(path) == images).all()
    # MNIST's training images; EMNIST's by class, packed to a tenth; what images never shrink to
    assert most_unpacked(9_912_422) > 47_040_016
    assert most_unpacked(54_717_869) > 697_932 * 28 * 28
    assert most_unpacked(600_000) == FREE
    assert most_unpacked(10**12) == GZIP_CAP


def test_what_is_read_is_not_held_twice(tmp_path):
    path = tmp_path / "images"
    path.write_bytes(gzip.compress(idx(20 << 10, 32, 32, data=bytes(20 * MEGABYTE)), 1))
    with memory(35 * MEGABYTE):
        assert read_idx(path).shape == (20 << 10, 32, 32)


def test_an_npz_too_small_for_what_it_promises_is_not_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr("mnistlab.datasets.data_files.FREE", MEGABYTE)
    files = members() | {"x_test.npy": npy(np.zeros((3 << 10, 32, 32), np.uint8))}
    refused(read_npz, tmp_path / "a.npz", npz(**files), "would unpack to 3,1.*, too many")


def test_an_npz_is_not_unpacked_beyond_its_promise(tmp_path):
    """Neither the header nor the archive's list of contents says how much there is."""
    honest = npy(np.zeros((40 << 10, 32, 32), np.uint8))
    content = bytearray(npz(**members() | {"x_train.npy": honest}))
    small = npy(np.zeros((8, 32, 32), np.uint8))  # more than zipfile reads at once at least
    at = content.rindex(b"PK\x01\x02", 0, content.rindex(b"x_train.npy"))
    assert struct.unpack_from("<I", content, at + 24) == (len(honest),)
    struct.pack_into("<I", content, at + 24, len(small))
    refused(read_npz, tmp_path / "a.npz", bytes(content), "CRC.* damaged")
    lying = npz(**members() | {"x_train.npy": small + bytes(40 * MEGABYTE)})
    content = bytearray(lying)
    at = content.rindex(b"PK\x01\x02", 0, content.rindex(b"x_train.npy"))
    struct.pack_into("<I", content, at + 24, len(small))
    refused(read_npz, tmp_path / "a.npz", bytes(content), "CRC.* damaged")


def test_a_header_in_an_npz_decides_nothing_alone(tmp_path):
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "|u1", "fortran_order": False, "shape": (1 << 40, 28, 28)}
    )
    files = members() | {"x_train.npy": header.getvalue() + bytes(100)}
    refused(read_npz, tmp_path / "a.npz", npz(**files), "cannot reshape array of size 100 into")


@pytest.mark.parametrize("packing", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_an_npz_packed_as_numpy_packs_nothing_is_refused(tmp_path, packing):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", packing) as archive:
        for name, content in members().items():
            archive.writestr(name, content)
    refused(read_npz, tmp_path / "a.npz", buffer.getvalue(), "packed as NumPy packs nothing")


def test_an_encrypted_npz_is_refused(tmp_path):
    content = bytearray(npz(**members()))
    at = content.index(b"PK\x01\x02")
    content[at + 8] |= 1
    refused(read_npz, tmp_path / "a.npz", bytes(content), "is encrypted")


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros(4, "m8[s]"), "labels must be integers"),
        (np.zeros(4), "labels must be integers"),
        (np.zeros(4, bool), "labels must be integers"),
        (np.zeros(4, "i4,i4"), "labels must be integers"),
        (np.zeros(4, "U9000"), "labels must be integers"),
        (np.zeros((), int), "labels must be integers"),
        (np.zeros((2,) * 32, np.int8)[..., :0], "labels must be integers"),
    ],
)
def test_labels_that_are_none_are_refused(tmp_path, array, message):
    refused(read_npz, tmp_path / "a.npz", npz(**members() | {"y_train.npy": npy(array)}), message)


HEADERS = {
    "code": b"{'descr': __import__('os'), 'fortran_order': False, 'shape': (3,)}",
    "nested": b"(" * 190 + b")" * 190,
    "signs": b"-" * 9000 + b"1",
    "warning": b"{'descr': '|u1', 'fortran_order': 0if 1else 2, 'shape': (3,)}",
    "long number": b"{'descr': '|u1', 'fortran_order': False, 'shape': (" + b"9" * 9000 + b",)}",
    "negative": b"{'descr': '|u1', 'fortran_order': False, 'shape': (-3, -4, 1)}",
    "many dimensions": b"{'descr': '|u1', 'fortran_order': False, 'shape': ("
    + b"1," * 4000
    + b")}",
    "objects": b"{'descr': '|O', 'fortran_order': False, 'shape': (3,)}",
    "nested type": b"{'descr': " + b"[('a', " * 180 + b"'i1'" + b")]" * 180 + b"}",
    "empty": b"",
    "no literal": b"\x1b[31m\x00\n\n  \x80",
}


@pytest.mark.parametrize("header", HEADERS.values(), ids=HEADERS)
def test_a_header_that_is_none_is_refused(tmp_path, header):
    content = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + bytes(3)
    for key in KEYS[:2]:
        files = members() | {f"{key}.npy": content}
        refused(read_npz, tmp_path / "a.npz", npz(**files), f"{key} ")


def test_arrays_in_fortrans_order_are_read(tmp_path):
    files = members()
    images = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    files["x_train.npy"] = npy(np.asfortranarray(images))
    files["y_train.npy"] = npy(np.array([1, 2], ">i8"))
    path = tmp_path / "a.npz"
    path.write_bytes(npz(**files))
    found = read_npz(path)
    assert (found["x_train"] == images).all()
    assert found["y_train"].tolist() == [1, 2]
