"""load(): names, folders and .npz files, and every kind of data that cannot be used."""

import gzip
import hashlib
import io
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import platformdirs
import pytest

import mnistlab
from mnistlab.core.samples import PixelMap
from mnistlab.datasets import DATASETS, data_dir, load, resolve
from mnistlab.datasets.data_files import KEYS, NAMES
from mnistlab.errors import DataError, UnknownNameError
from tests.datasets.conftest import tiny_arrays, write_folder

TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS = NAMES


def write_npz(path: Path, **replaced: np.ndarray) -> Path:
    arrays = dict(zip(KEYS, tiny_arrays().values(), strict=True))
    np.savez_compressed(path, **(arrays | replaced))
    return path


def test_a_folder(tiny_folder):
    data = load(str(tiny_folder), validation=10)
    arrays = tiny_arrays()
    assert (len(data.train), len(data.validation), len(data.test)) == (30, 10, 20)
    assert (data.train.images == arrays[TRAIN_IMAGES][:30]).all()
    assert (data.validation.images == arrays[TRAIN_IMAGES][30:]).all()
    assert (data.validation.labels == arrays[TRAIN_LABELS][30:]).all()
    assert (data.test.labels == arrays[TEST_LABELS]).all()
    assert data.name == str(tiny_folder)
    assert data.hashes() == tuple(
        hashlib.sha256((tiny_folder / name).read_bytes()).hexdigest() for name in NAMES
    )
    assert data.classes == tuple("0123456789")
    assert data.features.pixels == PixelMap()
    assert data.preprocess == ()


def test_nothing_can_be_written_to(tiny_folder, tmp_path):
    for name in (str(tiny_folder), str(write_npz(tmp_path / "a.npz"))):
        data = load(name, validation=10)
        for split in (data.train, data.validation, data.test):
            assert not split.images.flags.writeable
            assert not split.labels.flags.writeable


def test_no_validation(tiny_folder):
    data = load(str(tiny_folder), validation=0)
    assert data.validation is None
    assert len(data.train) == 40


@pytest.mark.parametrize("validation", [40, 10_000])
def test_a_validation_as_large_as_the_file_is_refused(tiny_folder, validation):
    with pytest.raises(DataError, match=f"{validation:,} images cannot be held out .* file of 40"):
        load(str(tiny_folder), validation=validation)


def test_a_share_of_no_image_is_refused(tiny_folder):
    with pytest.raises(DataError, match=r"data.validation 0.001 of 40 images is not one"):
        load(str(tiny_folder), validation=0.001)


def test_a_negative_validation_is_refused(tiny_folder):
    with pytest.raises(DataError, match="0 or more"):
        load(str(tiny_folder), validation=-1)


def test_every_container_of_the_same_data_has_the_same_hash(tiny_folder, tmp_path):
    arrays = tiny_arrays()
    packed = write_folder(tmp_path / "packed", arrays, ".gz")
    dotted = write_folder(
        tmp_path / "dotted", {k.replace("-idx", ".idx"): v for k, v in arrays.items()}
    )
    npz = write_npz(tmp_path / "a.npz", y_train=arrays[TRAIN_LABELS].astype(np.int64))
    loaded = [load(str(path), validation=5) for path in (tiny_folder, packed, dotted, npz)]
    assert len({data.sha256 for data in loaded}) == 1
    for data in loaded:
        assert (data.train.images == loaded[0].train.images).all()
        assert data.test.labels.dtype == np.uint8
    arrays[TEST_IMAGES][0, 0, 0] ^= 1
    assert load(str(write_folder(tmp_path / "b", arrays)), validation=5).sha256 != data.sha256


@pytest.mark.parametrize("name", ["mnst", "a" * 5000])
def test_an_unknown_name(name):
    with pytest.raises(UnknownNameError, match=r"folder of IDX files or of an \.npz") as caught:
        load(name)
    assert all(known in str(caught.value) for known in DATASETS)
    with pytest.raises(UnknownNameError):
        resolve(name)


@pytest.mark.parametrize("name", ["no/such/folder", "../data", "digits.npz"])
def test_a_relative_path_that_leads_nowhere_says_from_where(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError) as caught:
        resolve(name)
    place = f"there is no such file or folder in {tmp_path}, the current folder"
    assert str(caught.value) == f"{name}: {place}"


@pytest.mark.parametrize("name", ["/no/such/folder", "~nobody-of-that-name/x"])
def test_any_other_path_that_leads_nowhere(name):
    with pytest.raises(DataError, match=r"no such file or folder$"):
        resolve(name)


def test_the_nearest_name_is_suggested():
    with pytest.raises(UnknownNameError, match="did you mean 'fashion-mnist'"):
        load("fashon-mnist")


def test_a_folder_without_the_files(tmp_path):
    with pytest.raises(DataError, match="lacks") as caught:
        load(str(tmp_path))
    assert all(name in str(caught.value) for name in NAMES)


def test_a_folder_above_the_one_with_the_files_names_it(tiny_folder, tmp_path):
    inside = tmp_path / "torch" / "MNIST" / "raw"
    shutil.copytree(tiny_folder, inside)
    with pytest.raises(DataError, match=f"; there is one in {inside}$"):
        load(str(tmp_path / "torch"))


@pytest.mark.parametrize("other", [f"{TEST_LABELS}.gz", TEST_LABELS.replace("-idx", ".idx")])
def test_two_spellings_of_a_file_must_hold_the_same(tiny_folder, other):
    content = (tiny_folder / TEST_LABELS).read_bytes()
    pack = gzip.compress if other.endswith(".gz") else bytes
    (tiny_folder / other).write_bytes(pack(content))
    load(str(tiny_folder), validation=0)
    (tiny_folder / other).write_bytes(pack(content[:-1] + bytes([content[-1] ^ 1])))
    with pytest.raises(DataError, match=f"{other}: is not what {TEST_LABELS} beside it holds"):
        load(str(tiny_folder))


def test_a_folder_that_lacks_one(tiny_folder):
    (tiny_folder / TEST_LABELS).unlink()
    with pytest.raises(DataError, match=rf"{tiny_folder}: lacks {TEST_LABELS};"):
        load(str(tiny_folder))


def changed(**by_position: np.ndarray) -> dict[str, np.ndarray]:
    names = dict(zip(("x_train", "y_train", "x_test", "y_test"), NAMES, strict=True))
    return tiny_arrays() | {names[key]: array for key, array in by_position.items()}


UNUSABLE = {
    "label above 9": (
        {"y_test": np.r_[np.arange(19), 10].astype(np.uint8)},
        "label 19 is 10|is 18",
    ),
    "counts differ": ({"y_train": np.arange(39, dtype=np.uint8) % 10}, "40 images but 39 labels"),
    "no images": (
        {"x_test": np.zeros((0, 6, 6), np.uint8), "y_test": np.zeros(0, np.uint8)},
        "empty",
    ),
    "no labels": ({"y_test": np.zeros(0, np.uint8)}, "empty"),
    "no pixels": ({"x_test": np.zeros((20, 0, 6), np.uint8)}, "empty"),
    "all blank": ({"x_train": np.zeros((40, 6, 6), np.uint8)}, "every image is blank"),
    "one class": ({"y_train": np.full(40, 3, np.uint8)}, "all 40 labels are 3"),
    "sizes differ": (
        {"x_test": np.ones((20, 6, 7), np.uint8)},
        "training images are 6x6 pixels but test images 6x7",
    ),
}


@pytest.mark.parametrize(("arrays", "message"), UNUSABLE.values(), ids=UNUSABLE.keys())
@pytest.mark.parametrize("kind", ["folder", "npz"])
def test_unusable_data(tmp_path, arrays, message, kind):
    path = (
        write_folder(tmp_path / "f", changed(**arrays))
        if kind == "folder"
        else write_npz(tmp_path / "a.npz", **arrays)
    )
    with pytest.raises(DataError, match=message) as caught:
        load(str(path), validation=5)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_swapped_files(tiny_folder):
    (tiny_folder / TEST_LABELS).write_bytes((tiny_folder / TEST_IMAGES).read_bytes())
    with pytest.raises(DataError, match=r"t10k-labels.*holds 3 dimension.*swapped"):
        load(str(tiny_folder), validation=5)


def test_a_web_page_in_a_folder(tiny_folder):
    (tiny_folder / TEST_LABELS).write_bytes(b"<!doctype html><title>Not found</title>")
    with pytest.raises(DataError, match="looks like a web page"):
        load(str(tiny_folder), validation=5)


BAD_ARRAYS = {
    "object array": (
        {"y_train": np.array([None] * 40)},
        "y_train cannot be read as plain numbers",
    ),
    "float images": (
        {"x_train": np.zeros((40, 6, 6))},
        r"x_train is float64.*\(x \* 255\).round\(\).astype\('uint8'\)",
    ),
    "wide images": (
        {"x_train": np.zeros((40, 6, 6), np.int16)},
        r"x_train is int16.* levels are x.astype\('uint8'\)",
    ),
    "bytes as floats": (
        {"x_train": np.full((40, 6, 6), 254.6, np.float32)},
        r"whole grey levels are x.round\(\).astype\('uint8'\)$",
    ),
    "negative levels": (
        {"x_train": np.full((40, 6, 6), -3, np.int8)},
        "width\\); they lie from -3 to -3, and pixels are whole numbers from 0 to 255$",
    ),
    "levels above 255": (
        {"x_train": np.full((40, 6, 6), 255.0001)},
        "; they lie from 255.0001 to 255.0001, and pixels are whole numbers from 0 to 255$",
    ),
    "levels of nan": (
        {"x_train": np.full((40, 6, 6), np.nan)},
        "; they lie from nan to nan, and",
    ),
    "complex levels": (
        {"x_train": np.ones((40, 6, 6), complex)},
        r"width\); pixels are whole numbers from 0 to 255$",
    ),
    "black and white": ({"x_train": np.ones((40, 6, 6), bool)}, r"levels are \(x \* 255\).round"),
    "no images": ({"x_train": np.ones((0, 6, 6))}, r"width\); pixels are whole numbers"),
    "labels between": (
        {"y_test": np.full(20, 3.5)},
        r"\(count,\); they lie from 3.5 to 3.5, and classes are whole numbers from 0 to 9$",
    ),
    "text as labels": ({"y_test": np.full(20, "3")}, "; classes are whole numbers from 0 to 9$"),
    "labels in a column": ({"y_test": np.zeros((20, 1), int)}, r"; y.ravel\(\) has it"),
    "held out": ({"x_val": np.zeros(3), "y_val": np.zeros(3)}, "x_val, y_val would not be used"),
    "flat images": (
        {"x_test": np.ones((20, 36), np.uint8)},
        r"x_test is uint8 of shape \(20, 36\)",
    ),
    "float labels": ({"y_test": np.zeros(20)}, r"y_test is float64.*y.astype\('uint8'\) makes"),
    "one-hot labels": (
        {"y_test": np.eye(20, 10, dtype=np.uint8)},
        r"of shape \(20, 10\).*y.argmax\(axis=1\), if they are one-hot",
    ),
    "negative label": ({"y_train": np.r_[-1, np.arange(39) % 10]}, "label 0 is -1"),
    "labels from 1": (
        {"y_train": np.arange(40) % 10 + 1},
        "label 9 is 10; labels must be 0 to 9; these count from 1: subtract it",
    ),
    "label 256": ({"y_train": np.r_[np.arange(39) % 10, 256]}, "label 39 is 256"),
}


@pytest.mark.parametrize(("arrays", "message"), BAD_ARRAYS.values(), ids=BAD_ARRAYS.keys())
def test_bad_arrays_in_an_npz(tmp_path, arrays, message):
    path = write_npz(tmp_path / "a.npz", **arrays)
    with pytest.raises(DataError, match=message) as caught:
        load(str(path), validation=5)
    assert str(path) in str(caught.value)


def test_an_object_array_runs_no_code(tmp_path):
    class Trap:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "sprung",))

    path = write_npz(tmp_path / "a.npz", y_train=np.array([Trap()] * 40))
    with pytest.raises(DataError):
        load(str(path))
    assert not (tmp_path / "sprung").exists()


def npz_bytes(**members: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


HEADER = b"{'descr': '|u1', 'fortran_order': False, 'shape': (4611686018427387904, 28, 28)}"
HUGE = b"\x93NUMPY\x01\x00\x76\x00" + HEADER.ljust(0x76)

BAD_NPZ = {
    "not a zip": (b"\x93NUMPY and so on", "cannot be read as an .npz"),
    "empty": (b"", "cannot be read as an .npz"),
    "web page": (b"<html>", r"cannot be read as an \.npz .*not a zip file"),
    "no keys": (npz_bytes(other=b"x"), "lacks x_train, y_train, x_test, y_test;.* this one other"),
    "no arrays": (
        npz_bytes(**dict.fromkeys(KEYS, b"text")),
        "x_train cannot be read as plain numbers",
    ),
    "huge header": (
        npz_bytes(**{f"{key}.npy": HUGE for key in KEYS}),
        "x_train cannot be read as plain numbers",
    ),
}


@pytest.mark.parametrize(("content", "message"), BAD_NPZ.values(), ids=BAD_NPZ.keys())
def test_bad_npz_files(tmp_path, content, message):
    path = tmp_path / "a.npz"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        load(str(path))
    assert str(path) in str(caught.value)


def test_a_damaged_npz(tmp_path):
    path = write_npz(tmp_path / "a.npz")
    content = bytearray(path.read_bytes())
    content[200:260] = bytes(60)
    path.write_bytes(content)
    with pytest.raises(DataError, match="damaged"):
        load(str(path))


def test_an_npz_that_would_fill_the_memory(tmp_path, monkeypatch):
    path = write_npz(tmp_path / "a.npz")
    monkeypatch.setattr("mnistlab.datasets.data_files.GZIP_CAP", 1000)
    with pytest.raises(DataError, match="would unpack to"):
        load(str(path))


def test_a_single_idx_file_is_no_dataset(tiny_folder):
    with pytest.raises(DataError, match=r"a dataset is a folder of the four IDX files"):
        load(str(tiny_folder / TRAIN_IMAGES))


@pytest.mark.parametrize("size", [1, 20])
def test_images_of_any_size_will_do(tmp_path, size):
    folder = write_folder(tmp_path / "f", tiny_arrays(size=size))
    assert load(str(folder), validation=5).train.images.shape == (35, size, size)


def test_mnist_mini_needs_no_cache(cache):
    data = load("mnist-mini", validation=1000)
    assert data.train.images.shape == (5000, 28, 28)
    assert data.test.images.shape == (1000, 28, 28)
    assert not cache.exists()


def test_importing_and_loading_stay_light():
    code = (
        "import sys; from mnistlab.datasets import load; load('mnist-mini', validation=0); "
        "heavy = 'pooch requests filelock platformdirs matplotlib scipy rich pydantic yaml typer';"
        "print([name for name in heavy.split() if name in sys.modules])"
    )
    environment = os.environ | {"PYTHONPATH": str(Path(mnistlab.__file__).parents[1])}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_without_the_variable_the_platform_chooses(monkeypatch):
    monkeypatch.setenv("MNISTLAB_DATA_DIR", "")
    assert data_dir() == Path(platformdirs.user_cache_dir("mnistlab"))
    monkeypatch.setenv("MNISTLAB_DATA_DIR", "~/x")
    assert data_dir() == Path.home() / "x"


def test_files_are_hashed_by_their_raw_content(tmp_path):
    arrays = tiny_arrays()
    folder = write_folder(tmp_path / "f", arrays)
    content = (folder / TRAIN_LABELS).read_bytes()
    (folder / TRAIN_LABELS).unlink()
    (folder / f"{TRAIN_LABELS}.gz").write_bytes(gzip.compress(content, 1, mtime=7))
    assert load(str(folder), validation=5).hashes()[1] == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize("what", ["mnist", "folder", "npz"])
def test_a_closed_folder_is_told_as_not_readable(tiny_folder, tmp_path, monkeypatch, what):
    """As root one may look everywhere, so the system's answer is put in here."""
    closed = {"mnist": data_dir(), "folder": tiny_folder, "npz": tmp_path / "closed"}[what]
    exists = Path.exists

    def closed_to_us(path):
        if closed in path.parents:
            raise PermissionError(13, "Permission denied", str(path))
        return exists(path)

    monkeypatch.setattr(Path, "exists", closed_to_us)
    name = {"mnist": "mnist", "folder": str(tiny_folder), "npz": str(closed / "a.npz")}[what]
    with pytest.raises(DataError, match=r"is not readable \(Permission denied\)"):
        load(name)
