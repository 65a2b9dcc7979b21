"""Data that can hardly be right is said to be so, and data that are right are left alone."""

import json
from pathlib import Path

import numpy as np
import pytest

from mnistlab.datasets import load, write_idx
from mnistlab.datasets.data_files import NAMES
from mnistlab.errors import DataError, InputError
from mnistlab.run_folders import RunFolder

RIGHT = "the data as they are"


def digits(N, seed, brightest=255, classes=10):
    """Return images whose class shows in a bright column, and their labels."""
    generator = np.random.default_rng(seed)
    labels = np.arange(N, dtype=np.uint8) % classes
    generator.shuffle(labels)
    images = generator.integers(0, 60, (N, 12, 12)).astype(np.uint8)
    images[np.arange(N), :, labels] = 255
    dither = generator.integers(0, 255, images.shape) if brightest < 255 else 0
    return ((images.astype(int) * brightest + dither) // 255).astype(np.uint8), labels


def write(folder: Path, train, test) -> Path:
    folder.mkdir(exist_ok=True)
    for name, array in zip(NAMES, (*train, *test), strict=True):
        write_idx(folder / name, array)
    return folder


def in_order(images, labels):
    order = np.argsort(labels, kind="stable")
    return images[order], labels[order]


def relabelled(images, labels):
    return np.concatenate([images, images]), np.concatenate([labels, (labels + 1) % 10])


def unlike(images, labels, classes):
    chosen = labels < classes
    return images[chosen], labels[chosen]


CASES = {
    RIGHT: (lambda: (digits(600, 0), digits(200, 1)), []),
    "sorted": (
        lambda: (in_order(*digits(600, 0)), digits(200, 1)),
        ["classes_missing_for_validation", "classes_missing_for_test"],
    ),
    "classes missing": (
        lambda: (unlike(*digits(900, 0), 6), digits(200, 1)),
        ["classes_missing_for_test"],
    ),
    "divided by 255": (lambda: (digits(600, 0, 1), digits(200, 1, 1)), ["pixels_too_dark"]),
    "dark": (lambda: (digits(600, 0, 20), digits(200, 1, 20)), ["pixels_too_dark"]),
    "test divided by 255": (
        lambda: (digits(600, 0), digits(200, 1, 1)),
        ["pixels_too_dark", "splits_on_different_scales"],
    ),
    "test at a fifth": (
        lambda: (digits(600, 0), digits(200, 1, 51)),
        ["splits_on_different_scales"],
    ),
    "inverted": (
        lambda: tuple(
            (255 - images, labels) for images, labels in (digits(600, 0), digits(200, 1))
        ),
        ["inverted"],
    ),
    "test is training": (
        lambda: (digits(600, 0), tuple(part[:200] for part in digits(600, 0))),
        ["test_images_in_training"],
    ),
    "two labels": (
        lambda: (relabelled(*digits(600, 0)), digits(200, 1)),
        ["one_image_two_labels"],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_each_oddity_is_found_and_nothing_else(name, tmp_path):
    make, names = CASES[name]
    data = load(str(write(tmp_path / "data", *make())), validation=100)
    assert [one.name for one in data.oddities] == names


def test_what_is_found_is_said_everywhere(tmp_path, run, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "data", *CASES["sorted"][0]())
    words = ("-c", "c.yaml", "--no-plots", "--runs-dir", "runs")
    Path("c.yaml").write_text("epochs: 1\nbatch_size: 50\ndata: {dataset: data, validation: 100}\n")
    warning = "is the file sorted by class? data.split=stratified"
    code, out, err = run("train", *words, "--json")
    assert (code, err.count(warning)) == (0, 1)
    assert sum(warning in one for one in json.loads(out)["warnings"]) == 1
    folder = RunFolder((tmp_path / "runs" / "latest").resolve())
    assert folder.log.read_text().count(warning) == 1
    assert warning in run("train", *words, "--dry-run")[1]
    assert warning in run("sweep", *words[:2], "learning_rate=0.1,0.2", "--dry-run")[1]
    code, out, err = run("sweep", *words, "learning_rate=0.001,0.002", "--json")
    assert (code, err.count(warning)) == (0, 1)
    assert sum(warning in one for one in json.loads(out)["warnings"]) == 1
    code, _, _ = run("report", folder.path, "runs/latest", "--format", "html", "--out", "report")
    report = json.loads(Path("report/report.json").read_text())
    for entry in (*report["runs"], *report["sweeps"]):
        assert sum(warning in remark for remark in entry["remarks"]) == 1
    assert (code, warning in Path("report/index.html").read_text()) == (0, True)
    code, out, err = run("data", "check", "data", "--validation", "100")
    assert (code, warning in out) == (1, True)
    assert err.endswith("data: 2 things can hardly be right\n")
    code, out, _ = run("data", "check", "data", "--validation", "100", "--json")
    document = json.loads(out)
    assert [one["name"] for one in document["oddities"]] == CASES["sorted"][1]
    assert sum(document["splits"]["train"]["classes"]) == 500
    stratified = ("data", "check", "data", "--validation", "0.2", "--split", "stratified")
    assert run(*stratified)[0] == 0
    code, out, _ = run("train", *words, "data.split=stratified", "--json")
    assert json.loads(out)["warnings"] == []


@pytest.mark.parametrize("split", ["tail", "random", "stratified"])
@pytest.mark.parametrize("validation", [0, 1, 97, 0.25])
def test_a_split_holds_out_what_it_says(split, validation):
    data = load("mnist-mini", validation=validation, split=split, split_seed=3)
    count = 1500 if validation == 0.25 else validation
    assert len(data.train) == 6000 - count
    assert (0 if data.validation is None else len(data.validation)) == count
    if not count:
        return
    whole = load("mnist-mini", validation=0)
    both = np.concatenate([data.train.rows, data.validation.rows])
    assert sorted(map(bytes, both)) == sorted(map(bytes, whole.train.rows)), "none twice"
    again = load("mnist-mini", validation=validation, split=split, split_seed=3)
    assert np.array_equal(again.validation.rows, data.validation.rows)
    other = load("mnist-mini", validation=validation, split=split, split_seed=4)
    assert np.array_equal(other.validation.rows, data.validation.rows) == (split == "tail")
    if split == "tail":
        assert np.array_equal(data.validation.rows, whole.train.rows[-count:])
    if split == "stratified":
        shares = np.bincount(data.validation.labels, minlength=10) / count
        assert np.abs(shares - 0.1).max() < 1 / count + 1e-9


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["data.validation=0.2"], {"validation": 0.2}),
        (["data.validation={count: 500, stratified: true}"],
         {"validation": 500, "split": "stratified"}),
        (["data.validation={fraction: 0.1}"], {"validation": 0.1}),
        (["data.split=random", "data.split_seed=7"], {"split": "random", "split_seed": 7}),
    ],
)  # fmt: skip
def test_how_a_split_is_written(words, expected, run):
    code, out, err = run("config", "show", "data.dataset=mnist-mini", *words, "--json")
    assert (code, err) == (0, "")
    data = json.loads(out)["data"]
    assert {key: data.get(key) for key in expected} == expected
    assert ("split" in data) == ("split" in expected), "the usual split is not written down"


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("data.validation=1.5", "a number of images or a fraction below 1, not 1.5"),
        ("data.validation=-1", "at least 0"),
        ("data.split=head", "unknown split 'head'"),
        ("data.validation={stratified: true}", "takes count or fraction"),
        ("data.validation={count: 3, part: 1}", "takes count or fraction"),
    ],
)
def test_what_is_no_split(word, message, run):
    code, _, err = run("config", "show", word)
    assert (code, message in err) == (2, True), err


@pytest.mark.parametrize("number", ["1.5", "inf"])
def test_a_check_holds_out_no_number_that_a_config_refuses(number, run):
    code, _, err = run("data", "check", "mnist-mini", "--validation", number)
    message = f"'--validation': must be a number of images or a fraction below 1, not {number}"
    assert (code, message in err) == (2, True), err


TYPES = {0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


def as_idx(array, code):
    head = bytes([0, 0, code, array.ndim]) + b"".join(n.to_bytes(4) for n in array.shape)
    return head + array.astype(TYPES.get(code, "u1")).tobytes()


@pytest.mark.parametrize("code", TYPES)
def test_other_types_of_idx_are_read_where_no_value_changes(code, tmp_path):
    train, test = digits(60, 0, 127), digits(20, 1, 127)
    plain = load(str(write(tmp_path / "plain", train, test)), validation=10)
    folder = tmp_path / "typed"
    folder.mkdir()
    for at, name in enumerate(NAMES):
        (folder / name).write_bytes(as_idx((*train, *test)[at], code))
    read = load(str(folder), validation=10)
    assert np.array_equal(read.train.rows, plain.train.rows)
    assert np.array_equal(read.test.labels, plain.test.labels)


@pytest.mark.parametrize(
    ("which", "array", "code", "message"),
    [
        (1, np.full(60, 10), 0x0C, "label 0 is 10; labels must be 0 to 9"),
        (1, np.full(60, -1), 0x09, "label 0 is -1; labels must be"),
        (1, np.full(60, 1.5), 0x0D, "label 0 is 1.5; labels must be"),
        (1, np.full(60, np.nan), 0x0E, "label 0 is nan; labels must be"),
        (0, np.full((60, 12, 12), 0.5), 0x0D, r"levels are \(x \* 255\).round\(\)"),
        (0, np.full((60, 12, 12), 9.5), 0x0D, r"levels are x.round\(\).astype\('uint8'\)"),
        (0, np.full((60, 12, 12), 300), 0x0B, "from 300 to 300, and pixels are whole numbers"),
        (0, np.zeros((60, 144)), 0x08, r"flat .* \(count, height, width\), here \(60, 12, 12\)"),
        (0, np.zeros((60, 12, 12, 1)), 0x08, r"images with channels.*here \(60, 12, 12\)"),
        (0, np.zeros(60), 0x08, "are images and labels swapped"),
        (1, np.zeros((60, 12, 12)), 0x08, "are images and labels swapped"),
    ],
)  # fmt: skip
def test_values_that_would_change_are_refused(which, array, code, message, tmp_path):
    folder = write(tmp_path / "data", digits(60, 0), digits(20, 1))
    (folder / NAMES[which]).write_bytes(as_idx(array, code))
    with pytest.raises(DataError, match=message):
        load(str(folder), validation=10)


@pytest.mark.parametrize("name", ["x.npy", "x.csv", "x.mat", NAMES[0], f"{NAMES[1]}.gz"])
def test_one_file_of_another_kind_is_told_what_a_dataset_is(name, tmp_path):
    (tmp_path / name).write_bytes(b"1,2,3\n")
    with pytest.raises(InputError, match=r"a folder of the four IDX files or an \.npz"):
        load(str(tmp_path / name))


def test_images_can_be_turned_and_inverted(tmp_path):
    (images, labels), test = digits(60, 0), digits(20, 1)
    plain = load(str(write(tmp_path / "a", (images, labels), test)), validation=10)
    turned = write(
        tmp_path / "b",
        (255 - images.transpose(0, 2, 1), labels),
        (255 - test[0].transpose(0, 2, 1), test[1]),
    )
    mended = load(str(turned), validation=10, preprocess=["transpose", "invert"])
    assert np.array_equal(mended.train.rows, plain.train.rows)
    assert np.array_equal(mended.test.rows, plain.test.rows)
