"""The set of the benchmarks that is larger than memory, on a small scale."""

import hashlib
import json
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

from harness.large import A_MILLION, PRIVATE, large_contestants, read_large, write_shifted
from harness.measure import BenchmarkError, Finished

from mnistlab.datasets import load, read_idx


def test_rows_are_mnists_again_and_again_in_other_orders_and_shifted(tmp_path):
    data = load("mnist-mini", validation=0).train
    write_shifted(tmp_path, 15_000, data.images, data.labels)
    images = read_idx(tmp_path / "train-images-idx3-ubyte", 3)
    labels = read_idx(tmp_path / "train-labels-idx1-ubyte", 1)
    assert (images.shape, labels.shape) == ((15_000, 28, 28), (15_000,))
    assert np.bincount(labels[:6000]).tolist() == np.bincount(data.labels).tolist()
    assert images[:6000].sum() == data.images.sum() == images[6000:12_000].sum()
    assert not np.array_equal(images[:6000], images[6000:12_000])
    # the file does not depend on how it is cut: the large one's beginning is the small one
    write_shifted(tmp_path / "few", 7000, data.images, data.labels)
    few = read_idx(tmp_path / "few" / "train-images-idx3-ubyte", 3)
    np.testing.assert_array_equal(images[:6000], few[:6000])
    one = hashlib.sha256((tmp_path / "few" / "train-images-idx3-ubyte").read_bytes())
    write_shifted(tmp_path / "few", 7000, data.images, data.labels)
    assert hashlib.sha256((tmp_path / "few" / "train-images-idx3-ubyte").read_bytes()).digest() == (
        one.digest()
    )


def test_what_was_not_done_is_no_measurement():
    report = {"process": 9.0, "training": 4.0, "private": 5e6, "status": "completed"}
    measured = read_large(Finished(9.5, 1, json.dumps(report)), 500_000)
    assert (measured[A_MILLION], measured[PRIVATE]) == (8.0, 5e6)
    for wrong in ({"status": "diverged"}, {"private": 0}):
        with pytest.raises(BenchmarkError, match="500,000 rows"):
            read_large(Finished(9.5, 1, json.dumps({**report, **wrong})), 500_000)


def test_everyone_is_asked_for_the_set_of_its_size():
    for one in large_contestants():
        assert one.command[-1].endswith(one.name.rpartition("_")[2])
