"""Two runs are told apart in config, environment, metrics, weights and answers, image by image."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnistlab.console.printed_runs import describe_flips as conclude
from mnistlab.datasets import load
from mnistlab.run_folders import RunFolder
from mnistlab.run_folders.weights import load_weights, read_predictions
from mnistlab.statistics import mcnemar_p
from mnistlab.store.compare import count_flips, find_differences
from mnistlab.store.facts import differing
from tests.store.folders import train

CLASSES = tuple("0123456789")


@pytest.fixture
def pair(tmp_path):
    """Two runs with different learning rates."""
    runs = tmp_path / "runs"
    return train(runs), train(runs, "learning_rate=0.02")


def copy_of(folder: RunFolder, name: str) -> RunFolder:
    copy = RunFolder(folder.path.with_name(name))
    shutil.copytree(folder.path, copy.path)
    return copy


def test_flips_by_hand():
    labels = np.array([0, 0, 1, 1, 1, 2])
    first = np.array([0, 0, 1, 9, 9, 5], np.uint8)
    second = np.array([0, 3, 9, 1, 1, 6], np.uint8)
    flips = count_flips(first, second, labels, CLASSES)
    assert (flips.both, flips.only_first, flips.only_second, flips.none) == (1, 2, 2, 1)
    assert flips.only_first_images == [1, 2]
    assert flips.only_second_images == [3, 4]
    assert flips.differing == 5
    assert flips.p == 1.0
    assert list(flips.classes[1].values()) == ["1", 3, 0, 1, 2, 0]
    assert flips.classes[9]["images"] == 0


@given(st.lists(st.tuples(*[st.integers(0, 9)] * 3), min_size=1, max_size=60))
def test_every_image_is_counted_once(rows):
    labels, first, second = (np.array(column, np.uint8) for column in zip(*rows, strict=True))
    flips = count_flips(first, second, labels, CLASSES)
    assert flips.both == sum(a == b == c for c, a, b in rows)
    assert flips.only_first_images == [at for at, (c, a, b) in enumerate(rows) if a == c != b]
    assert flips.only_second_images == [at for at, (c, a, b) in enumerate(rows) if b == c != a]
    assert flips.both + flips.only_first + flips.only_second + flips.none == len(rows)
    assert flips.p == mcnemar_p(flips.only_first, flips.only_second)
    for kind in ("images", "both", "only_first", "only_second", "none"):
        assert sum(one[kind] for one in flips.classes) == getattr(flips, kind)


def flips_of(only_first: int, only_second: int):
    """Return the flips of runs that differ on so many images of 1,000 and are else right."""
    labels = np.zeros(1000, np.uint8)
    first, second = labels.copy(), labels.copy()
    second[:only_first] = 1
    first[only_first : only_first + only_second] = 1
    return count_flips(first, second, labels, CLASSES)


def test_what_is_concluded():
    assert conclude(flips_of(187, 312)) == (
        "B is right on 312 images that A gets wrong, A on 187 that B gets wrong: p = 2e-8. So on "
        "these images the two sets of weights differ by more than chance; whether their settings "
        "differ takes several seeds (sweep --seeds 5)."
    )
    assert conclude(flips_of(8, 2)).startswith("A is right on 8 images that B gets wrong, B on 2")
    assert conclude(flips_of(8, 2)).endswith(
        "p = 0.11, so on these images they cannot be told apart."
    )
    assert conclude(flips_of(0, 1)).startswith("B is right on 1 image that A")
    assert conclude(flips_of(0, 0)) == "A and B are right on the same 1,000 of 1,000 test images."


def test_what_differs_is_told_with_both_values(pair):
    first, second = pair
    found = find_differences(first, second)
    assert found.config == {"learning_rate": (0.01, 0.02)}
    assert not found.same_run
    assert found.status == ("completed", "completed")
    assert found.first_epoch == 1
    assert not found.incomparable
    accuracies = tuple(run.read_summary()["test"]["accuracy"] for run in pair)
    assert found.metrics["test.accuracy"] == accuracies
    assert found.metrics["trained_epochs"] == (2, 2)
    flips = found.flips
    assert (flips.both + flips.only_first, flips.both + flips.only_second) == tuple(
        round(1000 * accuracy) for accuracy in accuracies
    )
    labels = load("mnist-mini", validation=0).test.labels
    at = flips.only_first_images[0]
    ours, theirs = (np.load(run.predictions)[at] for run in pair)
    assert ours == labels[at] != theirs
    apart = np.abs(load_weights(first.model) - load_weights(second.model)).max()
    assert found.weights.largest == pytest.approx(float(apart))
    assert not found.weights.identical


def test_a_repeated_run_differs_in_nothing_but_its_time(tmp_path):
    found = find_differences(train(tmp_path / "runs"), train(tmp_path / "runs"))
    assert found.config == {}
    assert found.first_epoch is None
    assert (found.weights.identical, found.weights.largest) == (True, 0.0)
    assert found.flips.differing == 0
    assert not found.same_run


def test_the_environment_tells_what_changed(pair):
    first, second = pair
    environment = second.read_environment()
    environment["packages"]["numpy"] = "9.9"
    environment["stack_width"] = 64
    environment["blas"][0]["num_threads"] = 99
    environment["blas"].append({"version": "another"})
    second.environment.write_text(json.dumps(environment))
    second.uncommitted_patch.write_text("+ another line")
    found = find_differences(first, second).environment
    assert found["packages.numpy"][1] == "9.9"
    assert found["stack_width"] == (1, 64)
    assert found["blas.num_threads"][1] == 99
    (extra,) = (key for key in found if key.startswith("blas.") and key.endswith(".version"))
    assert found[extra] == (None, "another")
    assert found["git.uncommitted_sha256"][0] != found["git.uncommitted_sha256"][1]
    assert found.keys() == {
        *("packages.numpy", "stack_width", "blas.num_threads", "git.uncommitted_sha256"),
        extra,
    }


def test_absent_keys_are_none():
    assert differing({"a": 1, "b": 2}, {"b": 2, "c": 3}) == {"a": (1, None), "c": (None, 3)}


@pytest.mark.parametrize(
    ("rows", "epoch"),
    [
        (None, None),  # as they were
        (lambda rows: rows[:-1], 2),  # only one run has the last epoch
        (lambda rows: [rows[0], rows[1].replace(rows[1].split(",")[1], "0.5")], 2),
        (lambda rows: [f"{rows[0].rpartition(',')[0]},99", rows[1]], None),  # another time
    ],
)
def test_the_first_epoch_that_differs(pair, rows, epoch):
    first = pair[0]
    copy = copy_of(first, "copy")
    header, *lines = copy.metrics.read_text().splitlines()
    copy.metrics.write_text("\n".join([header, *(rows(lines) if rows else lines)]) + "\n")
    copy.write_status("completed", checksums=copy.compute_checksums())
    assert find_differences(first, copy).first_epoch == epoch


def test_why_something_cannot_be_compared(pair):
    first, second = pair
    second.predictions.unlink()
    second.model.write_bytes(b"none")
    second.metrics.write_bytes(b"\xff\x00")
    found = find_differences(first, second)
    assert found.flips is found.weights is found.first_epoch is None
    assert found.incomparable["predictions"] == (
        f"{second.name} has no test predictions: it is completed"
    )
    assert "model.safetensors" in found.incomparable["weights"]
    assert "metrics.csv" in found.incomparable["metrics"]


def test_a_flipped_bit_is_not_compared(pair):
    first, second = pair
    for path in (second.predictions, second.model):
        content = bytearray(path.read_bytes())
        content[-1] ^= 1
        path.write_bytes(content)
    found = find_differences(first, second)
    assert found.flips is found.weights is None
    assert found.incomparable["predictions"] == f"{second.name}: predictions.npy is damaged"
    assert "model.safetensors is damaged" in found.incomparable["weights"]


def test_different_data_are_not_compared_image_by_image(pair):
    first, second = pair
    environment = second.read_environment() | {"data_sha256": "0" * 64}
    second.environment.write_text(json.dumps(environment))
    assert "different data" in find_differences(first, second).incomparable["predictions"]
    first.environment.write_text(json.dumps(environment))
    assert "has changed" in find_differences(first, second).incomparable["predictions"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x93NUMPY",
        np.lib.format.magic(1, 0) + b"\x40\x00" + b"{'descr': '|O', 'fortran_order': False, ",
    ],
)
def test_damaged_predictions_are_refused(tmp_path, content):
    path = tmp_path / "predictions.npy"
    path.write_bytes(content)
    with pytest.raises(Exception, match="is not the predicted class of 5 images"):
        read_predictions(path, 5)


@pytest.mark.parametrize("array", [np.zeros(6, np.uint8), np.zeros(5), np.zeros((5, 1), np.uint8)])
def test_predictions_of_another_form_are_refused(tmp_path, array):
    path = tmp_path / "predictions.npy"
    np.save(path, array)
    with pytest.raises(Exception, match="is not the predicted class of 5 images"):
        read_predictions(path, 5)


def test_the_command_tells_it_in_words(run, pair):
    code, out, err = run("runs", "diff", pair[0].name, pair[1].name)
    assert (code, err) == (0, "")
    assert "learning_rate  0.01  0.02" in out
    assert "environment: the same" in out
    assert "metrics.csv differs from epoch 1 on." in out
    assert "images that" in out
    assert "class  images  both right  only A  only B  neither" in out
    assert "weights: differ by at most" in out


def test_json_is_everything_in_one_document(run, pair):
    code, out, _ = run("runs", "diff", pair[0].name, pair[1].name, "--json")
    found = json.loads(out)
    assert code == 0
    assert found["config"] == {"learning_rate": [0.01, 0.02]}
    assert len(found["flips"]["only_first_images"]) == found["flips"]["only_first"]
    assert len(found["flips"]["classes"]) == 10


def test_a_run_and_itself(run, pair):
    code, out, _ = run("runs", "diff", pair[0].name, pair[0].path)
    assert code == 0
    assert "A and B are the same run." in out
    assert "weights: identical" in out


def test_a_diverged_run_is_compared_as_far_as_it_came(run, pair):
    lost = train(pair[0].path.parent, "learning_rate=0.2")
    code, out, _ = run("runs", "diff", pair[0].name, lost.name)
    assert code == 0
    assert f"weights: not compared: {lost.name} has no weights: it is diverged" in out
    assert f"test images: not compared: {lost.name} has no test predictions" in out


def test_runs_of_a_sweep_are_evaluated_and_a_sweep_is_refused(run, tmp_path):
    base = tmp_path / "base.yaml"
    base.write_text("epochs: 1\ndata: {dataset: mnist-mini, validation: 1000}\n")
    run("sweep", "-c", base, "learning_rate=0.001,0.005,0.01", "-q", "--no-plots")
    code, out, _ = run("runs", "diff", "latest/0", "latest/1", "--json")
    assert code == 0
    found = json.loads(out)
    assert found["flips"]["images"] == 1000
    assert None not in found["metrics"]["test.accuracy"]
    sweep = Path(found["runs"][0]).parent.name
    code, out, err = run("runs", "diff", "latest", "latest/1")
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert f"{sweep}/0" in err


def test_losses_of_two_kinds_have_no_difference(run, pair, tmp_path):
    other = train(tmp_path / "runs", "loss=softmax_cross_entropy")
    out = run("runs", "diff", pair[0].name, other.name)[1]
    rows = {line[:20].strip(): line[20:].split() for line in out.splitlines() if line[:2] == "  "}
    assert len(rows["test loss"]) == 2
    assert len(rows["test accuracy"]) == 4
    assert "not of the same thing, by loss: training loss, validation loss, test loss" in out
    assert "not of the same thing" not in run("runs", "diff", pair[0].name, pair[1].name)[1]
