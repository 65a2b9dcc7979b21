"""Folds of cross-validation: a partition of the training file, and what no config may ask of it."""

import numpy as np
import pytest

from mnistlab.datasets import load
from mnistlab.errors import DataError
from tests.digits import TRAIN, VALIDATION, write_digits

FOLDS = 7  # does not divide the 1,200 images of the training file


@pytest.fixture(scope="module")
def marked(tmp_path_factory):
    """Digits of which each image carries its place in the file in its first two pixels."""
    with np.load(write_digits()) as found:
        arrays = dict(found)
    place = np.arange(TRAIN + VALIDATION)
    arrays["x_train"] = arrays["x_train"].copy()
    arrays["x_train"][:, 0, 0], arrays["x_train"][:, 0, 1] = place // 256, place % 256
    path = tmp_path_factory.mktemp("marked") / "marked.npz"
    np.savez(path, **arrays)
    return str(path)


def places(samples):
    """Return where the images stood in the training file."""
    return samples.images[:, 0, 0].astype(int) * 256 + samples.images[:, 0, 1]


def fold(path, number, split, **more):
    return load(path, split=split, folds=FOLDS, fold=number, **more)


@pytest.mark.parametrize("split", ["random", "stratified"])
def test_each_image_lies_in_exactly_one_fold(marked, split):
    held_out = []
    for number in range(FOLDS):
        data = fold(marked, number, split)
        mine = places(data.validation)
        assert sorted([*places(data.train), *mine]) == list(range(TRAIN + VALIDATION))
        held_out.append(mine)
    assert sorted(np.concatenate(held_out)) == list(range(TRAIN + VALIDATION))
    assert {len(one) for one in held_out} == {171, 172}
    assert not np.array_equal(held_out[0], np.arange(len(held_out[0])) * FOLDS)


def test_stratified_folds_hold_the_share_of_each_class(marked):
    whole = np.bincount(load(marked, validation=0).train.labels, minlength=10)
    for number in range(FOLDS):
        labels = fold(marked, number, "stratified").validation.labels
        assert np.all(np.abs(np.bincount(labels, minlength=10) - whole / FOLDS) <= 1)


@pytest.mark.parametrize("split", ["random", "stratified"])
def test_the_seed_draws_the_folds(marked, split):
    first, again, other = (
        places(fold(marked, 1, split, split_seed=seed).validation) for seed in (0, 0, 1)
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_preprocessing_is_fitted_on_the_other_folds(marked):
    data = fold(marked, 2, "stratified", preprocess=["standardize"])
    mean = data.train.rows.astype(float).mean(axis=0)
    lit = data.train.rows.std(axis=0) > 0
    pixels = data.train.features.pixels
    scaled = mean * pixels.scale + pixels.shift
    np.testing.assert_allclose(scaled[lit], 0, atol=1e-9)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"folds": 5}, "data.folds 5 needs data.fold, 0 to 4"),
        ({"folds": 5, "fold": 5}, "data.folds 5 needs data.fold, 0 to 4"),
        ({"folds": 1201, "fold": 0}, "1,201 folds .* 1,200 images"),
    ],
)
def test_folds_that_cannot_be_are_refused(marked, given, words):
    with pytest.raises(DataError, match=words):
        load(marked, split="random", **given)
