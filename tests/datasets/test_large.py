"""Sets larger than memory: mapped, hashed once, shuffled in blocks, never copied; here small."""

import hashlib
import json
import os

import numpy as np
import pytest

from mnistlab.core import samples as core
from mnistlab.core.metrics import evaluate, measure
from mnistlab.core.objective import curvature
from mnistlab.core.samples import Samples
from mnistlab.datasets import data_dir, load, loading, reading, verify, write_idx
from mnistlab.datasets.reading import _kept_hash
from mnistlab.datasets.sanity import find_oddities
from mnistlab.errors import DataError
from tests.core.helpers import random_samples, random_weights, settings, trainer
from tests.core.helpers import run as train


@pytest.fixture
def large(monkeypatch):
    """Take everything above 100 kB for a large set."""
    monkeypatch.setattr(core, "LARGE", 100_000)


@pytest.fixture
def folder(tmp_path):
    data = load("mnist-mini", validation=0)
    folder = tmp_path / "digits"
    folder.mkdir()
    for name, split in (("train", data.train), ("t10k", data.test)):
        write_idx(folder / f"{name}-images-idx3-ubyte", split.images)
        write_idx(folder / f"{name}-labels-idx1-ubyte", split.labels)
    return folder


@pytest.mark.usefixtures("large")
@pytest.mark.parametrize("N", [300, 50_000, 4096 * 40])
def test_each_row_comes_once_from_blocks_in_a_drawn_order(N):
    samples = Samples(np.zeros((N, 400), np.uint8), np.zeros(N, np.uint8))
    order = samples.draw_order(np.random.default_rng(3))
    np.testing.assert_array_equal(np.sort(order), np.arange(N))
    np.testing.assert_array_equal(order, samples.draw_order(np.random.default_rng(3)))
    assert not np.array_equal(order, samples.draw_order(np.random.default_rng(4)))
    window = core._BLOCK_ROWS * core._WINDOW_BLOCKS
    blocks = len(np.unique(order[:window] // core._BLOCK_ROWS))
    assert blocks <= core._WINDOW_BLOCKS + 1  # rows of few stretches at a time
    assert (np.diff(order[:window]) != 1).mean() > 0.9  # which are mixed


def test_a_set_that_fits_into_memory_is_shuffled_as_ever():
    samples = random_samples(N=500)
    expected = np.random.default_rng(3).permutation(500)
    np.testing.assert_array_equal(samples.draw_order(np.random.default_rng(3)), expected)


def test_targets_made_in_stretches_change_no_bit(monkeypatch):
    chosen, weights = settings(batch_size=30, learning_rate=[0.01, 0.02]), random_weights(2)
    _, whole = train(trainer(chosen, weights))
    monkeypatch.setattr("mnistlab.core.trainer._TARGETS", 70)  # stretches of two batches
    _, stretched = train(trainer(chosen, weights))
    monkeypatch.setattr("mnistlab.core.trainer._TARGETS", 7)  # fewer than a batch
    _, single = train(trainer(chosen, weights))
    for k in range(2):
        np.testing.assert_array_equal(stretched[k], whole[k])
        np.testing.assert_array_equal(single[k], whole[k])


@pytest.mark.parametrize("K", [1, 9])
def test_metrics_alone_are_those_of_an_evaluation(K):
    training = trainer(settings(), random_weights(K))
    samples = random_samples(N=2345)
    whole = evaluate(training.parameters, settings().objective, samples).metrics
    alone = measure(training.parameters, settings().objective, samples)
    np.testing.assert_array_equal(alone.loss, whole.loss)
    np.testing.assert_array_equal(alone.accuracy, whole.accuracy)


@pytest.mark.usefixtures("large")
def test_a_large_file_is_mapped_and_hashed_once(folder, monkeypatch):
    hash_of = reading.content_sha256
    first = load(str(folder), validation=1000)
    assert first.lit_pixels is None  # a copy with fewer pixels would be as large
    path = folder / "train-images-idx3-ubyte"
    assert not _kept_hash(path)  # nothing has asked for it yet
    assert first.sha256
    assert _kept_hash(path)[-1] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert not _kept_hash(folder / "train-labels-idx1-ubyte")  # small: it is read
    with monkeypatch.context() as patch:
        hashed = []
        patch.setattr(reading, "content_sha256", lambda one: hashed.append(one) or hash_of(one))
        again = load(str(folder), validation=1000)
        assert again.sha256 == first.sha256
        assert [one.nbytes for one in hashed] == [6000, 1000]  # the labels
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)
    assert load(str(folder), validation=1000).sha256 != first.sha256


@pytest.mark.usefixtures("large")
@pytest.mark.parametrize("broken", [b"", b"1 2 3", b"1 2 3 4", b"\xff 2 3 4"])
def test_a_broken_record_costs_a_hash(folder, broken):
    first = load(str(folder), validation=1000)
    assert first.sha256
    for record in (data_dir() / "hashes").iterdir():
        record.write_bytes(broken)
    assert load(str(folder), validation=1000).sha256 == first.sha256
    assert _kept_hash(folder / "train-images-idx3-ubyte")[-1] == first.hashes()[0]


@pytest.mark.parametrize("mapped", [False, True])
def test_a_folder_of_npy_files_is_a_dataset(tmp_path, monkeypatch, mapped):
    if mapped:
        monkeypatch.setattr(core, "LARGE", 100_000)
    data = load("mnist-mini", validation=0)
    for name, split in (("train", data.train), ("test", data.test)):
        np.save(tmp_path / f"x_{name}.npy", split.images)
        np.save(tmp_path / f"y_{name}.npy", split.labels.astype(np.int64))
    found = load(str(tmp_path), validation=1000)
    assert found.sha256 == data.sha256
    np.testing.assert_array_equal(found.train.images, data.train.images[:5000])
    np.testing.assert_array_equal(found.test.labels, data.test.labels)
    assert bool(_kept_hash(tmp_path / "x_train.npy")) == mapped
    assert load(str(tmp_path), validation=0).sha256 == found.sha256


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda path: (path / "y_test.npy").unlink(), r"y_test\.npy: no such file"),
        (lambda path: (path / "x_test.npy").write_bytes(b"PK"), "cannot be read as"),
        (lambda path: _cut(path / "x_train.npy"), "or get the file again"),
        (lambda path: np.save(path / "x_test.npy", np.zeros((5, 784))), "images must be uint8"),
        (lambda path: np.save(path / "y_test.npy", np.array([{}])), "OBJECT array"),
        (lambda path: np.save(path / "y_train.npy", np.full(6000, 256)), "is 256"),
    ],
)
def test_npy_files_that_are_no_dataset_are_refused(tmp_path, change, message):
    data = load("mnist-mini", validation=0)
    for name, split in (("train", data.train), ("test", data.test)):
        np.save(tmp_path / f"x_{name}.npy", split.images)
        np.save(tmp_path / f"y_{name}.npy", split.labels)
    change(tmp_path)
    with pytest.raises(DataError, match=message):
        load(str(tmp_path), validation=1000)


def _cut(path):
    path.write_bytes(path.read_bytes()[:-3])


@pytest.mark.usefixtures("large")
def test_a_split_that_would_copy_it_is_refused(folder, monkeypatch):
    looked_at = []
    monkeypatch.setattr(loading, "check_images", lambda images, _: looked_at.append(images))
    with pytest.raises(DataError, match=r"is mapped.*use data\.split=tail"):
        load(str(folder), validation=1000, split="random")
    assert not any(images.flags.owndata for images in looked_at)  # nothing was copied for that


@pytest.mark.usefixtures("large")
def test_oddities_are_looked_for_in_a_part(folder):
    images = load("mnist-mini", validation=0).train.images // 255
    write_idx(folder / "train-images-idx3-ubyte", images)
    data = load(str(folder), validation=1000)
    found = find_oddities(data.train, data.validation, data.test, data.classes)
    assert "pixels_too_dark" in [one.name for one in found]


@pytest.mark.usefixtures("large")
def test_what_was_never_hashed_is_unknown_and_then_known(folder):
    assert set(verify(str(folder)).values()) == {"unknown"}
    assert verify(str(folder))["train-images-idx3-ubyte"] == "ok"


@pytest.mark.usefixtures("large")
def test_it_trains_and_is_verified(folder, run):
    words = [f"data.dataset={folder}", "data.validation=1000", "epochs=2", "--no-plots", "--json"]
    code, out, err = run("train", "-c", "linear", *words)
    assert code == 0, err
    name = json.loads(out)["run"]
    code, out, _ = run("runs", "verify", name, "--json")
    assert (code, json.loads(out)[0]["verdict"]) == (0, "identical")
    code, out, err = run("data", "verify", folder, "--json")
    said = {name: "ok" if "images" in name else "unknown" for name in json.loads(out)["files"]}
    assert (code, json.loads(out)["files"]) == (0, said), err  # small files have no hash kept
    path = folder / "train-images-idx3-ubyte"
    state = path.stat()
    with path.open("r+b") as file:
        file.seek(-7, os.SEEK_END)
        file.write(b"\x55")
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    code, out, _ = run("data", "verify", folder, "--json")
    assert code == 1
    assert json.loads(out)["files"]["train-images-idx3-ubyte"] == "differs"


@pytest.mark.usefixtures("large")
def test_a_dry_run_reads_no_large_file_whole(folder, run):
    words = ["--dry-run", "--json", f"data.dataset={folder}", "data.validation=1000"]
    code, out, err = run("train", "-c", "linear", *words)
    assert code == 0, err
    assert json.loads(out)["data_sha256"] is None
    assert not _kept_hash(folder / "train-images-idx3-ubyte")


@pytest.mark.usefixtures("large")
def test_a_large_file_that_changes_before_it_is_hashed_is_refused(folder):
    data = load(str(folder), validation=1000)
    path = folder / "train-images-idx3-ubyte"
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match="has changed since it was opened"):
        _ = data.sha256


@pytest.mark.usefixtures("large")
def test_a_few_stretches_stand_for_a_large_set(folder):
    train = load(str(folder), validation=1000).train
    part = train.subset(1000)
    assert len(part) == 1000
    starts = np.flatnonzero((part.rows[:, None, :] == train.rows[None, :1, :]).all(axis=2))
    assert starts.tolist() == [0]  # in the order of the file, from its beginning
    assert curvature(train, 1000).largest == pytest.approx(curvature(train).largest, rel=0.02)
    assert len(train.subset(10**6)) == 50 * len(train)  # no stretch is longer than the set
