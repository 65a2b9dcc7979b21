"""Feature steps: against scikit-learn and plain loops, fitted on training rows, kept in a cache."""

import itertools

import numpy as np
import pytest

from mnistlab.config.load import load_config
from mnistlab.datasets import (
    FEATURE_STEPS,
    FittedStep,
    Silent,
    computed_features,
    load,
    with_features,
)
from mnistlab.datasets.computed_features import read_steps
from mnistlab.errors import InputError

USUAL = {
    "standardize": {},
    "pca": {"components": 7},
    "polynomial": {"degree": 2},
    "random_fourier": {"features": 30, "gamma": 0.02},
    "random_relu": {"features": 30},
    "patches": {"size": 6, "filters": 9, "pool": 3},
}
BEFORE = {"polynomial": [{"pca": {"components": 4}}]}  # all products of 784 pixels are too many


@pytest.fixture(scope="module")
def data():
    return load("mnist-mini", validation=5000)


@pytest.fixture(scope="module")
def few(data):
    """Return the data with 400 images in each split."""
    return data.with_splits({name: one.take(slice(400)) for name, one in data.splits.items()})


def steps_of(name):
    return read_steps([*BEFORE.get(name, []), {name: USUAL[name]}])


def features(samples, dtype=np.float32):
    reader = samples.reader(len(samples), dtype)
    return reader.read(samples.inputs)[:, :-1] * reader.factor


def made(data, steps, seed=0, **where):
    return with_features(data, read_steps(steps), seed, progress=Silent(), **where)


def pixels(samples):
    return samples.rows.astype(np.float32) / 255


def test_every_step_is_tried_here():
    assert set(USUAL) == set(FEATURE_STEPS)


# each step against another implementation -----------------------------------------------------


def test_pca_is_that_of_scikit_learn(data):
    peer = pytest.importorskip("sklearn.decomposition").PCA(7, svd_solver="full")
    found = made(data, [{"pca": {"components": 7}}])
    peer.fit(pixels(data.train).astype(np.float64))
    for split, samples in found.splits.items():
        expected = peer.transform(pixels(data.splits[split]))
        np.testing.assert_allclose(features(samples), expected, atol=2e-5)


@pytest.mark.parametrize("degree", [1, 2, 3])
def test_polynomials_are_those_of_scikit_learn(data, degree):
    peers = pytest.importorskip("sklearn.preprocessing")
    peer = peers.PolynomialFeatures(degree, include_bias=False)
    few = features(made(data, [{"pca": {"components": 5}}]).test)
    found = features(
        made(data, [{"pca": {"components": 5}}, {"polynomial": {"degree": degree}}]).test
    )
    expected = peer.fit_transform(few)
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def test_standardized_features_are_those_of_scikit_learn(data):
    peers = pytest.importorskip("sklearn.preprocessing")
    steps = [{"pca": {"components": 5}}, "polynomial"]
    plain, found = made(data, steps), made(data, [*steps, "standardize"])
    peer = peers.StandardScaler().fit(features(plain.train, np.float64))
    spread = np.sqrt(np.mean(peer.var_))
    assert (peer.scale_ > 0.01 * spread).all()  # else the floor shows, see below
    expected = peer.transform(features(plain.test, np.float64))
    np.testing.assert_allclose(features(found.test), expected, rtol=1e-4, atol=1e-4)


def test_what_hardly_varies_in_training_cannot_blow_up(data):
    found = features(made(data, ["standardize"]).test)
    assert np.isfinite(found).all()
    assert np.abs(found).max() <= 1 / (0.01 * pixels(data.train).std(axis=0).mean())
    constant = pixels(data.train).std(axis=0) == 0
    assert constant.any()
    assert np.abs(features(made(data, ["standardize"]).train)[:, constant]).max() == 0


def test_random_fourier_features_are_those_of_scikit_learn_with_its_draws(data):
    peer = pytest.importorskip("sklearn.kernel_approximation").RBFSampler(
        gamma=0.02, n_components=30, random_state=0
    )
    expected = peer.fit_transform(pixels(data.test).astype(np.float64))
    arrays = {
        "projections": peer.random_weights_.astype(np.float32),
        "phases": peer.random_offset_.astype(np.float32),
    }
    step = FittedStep("random_fourier", USUAL["random_fourier"], arrays, 30)
    np.testing.assert_allclose(step(pixels(data.test)), expected, atol=2e-5)


@pytest.mark.parametrize(
    ("step", "kernel"),
    [
        (
            {"random_fourier": {"features": 20_000, "gamma": 0.02}},
            lambda a, b: np.exp(-0.02 * np.square(a - b).sum()),
        ),
        (
            {"random_relu": {"features": 20_000}},
            lambda a, b: _arc_cosine(np.append(a, 1), np.append(b, 1)),
        ),
    ],
)
def test_random_features_approach_their_kernel(data, step, kernel):
    few = data.with_splits({name: one.take(slice(4)) for name, one in data.splits.items()})
    x = features(made(few, [step]).test)
    rows = pixels(few.test).astype(np.float64)
    expected = np.array([[kernel(a, b) for b in rows] for a in rows])
    np.testing.assert_allclose(x @ x.T, expected, atol=0.04 * expected.max())


def _arc_cosine(a, b):
    """The kernel of degree 1 by its formula: |a||b| (sin t + (pi - t) cos t)/pi."""
    lengths = np.linalg.norm(a) * np.linalg.norm(b)
    angle = np.arccos(np.clip(a @ b / lengths, -1, 1))
    return lengths * (np.sin(angle) + (np.pi - angle) * np.cos(angle)) / np.pi


def test_patches_equal_plain_loops(data):
    options = USUAL["patches"]
    found = made(data, [{"patches": options}])
    (step,) = found.fitted_steps
    size, K, grid = options["size"], options["filters"], options["pool"]
    places = 28 - size + 1
    cell = [int(np.floor(g * places / grid + 0.5)) for g in range(grid)] + [places]
    for image, row in zip(
        pixels(data.test)[:3].reshape(3, 28, 28), features(found.test), strict=False
    ):
        expected = np.zeros((grid, grid, K))
        for i, j in itertools.product(range(grid), range(grid)):
            for y, x in itertools.product(range(*cell[i : i + 2]), range(*cell[j : j + 2])):
                patch = image[y : y + size, x : x + size].ravel().astype(np.float64)
                patch = (patch - patch.mean()) / np.sqrt(patch.var() + 0.03)
                likeness = patch @ step.arrays["filters"] + step.arrays["offset"]
                expected[i, j] += np.maximum(likeness, 0)
        np.testing.assert_allclose(row, expected.ravel(), rtol=1e-4, atol=1e-3)


def test_filters_are_whitened_training_patches_of_length_one(data):
    """Filters = W f with W W = (C + 0.3)^-1, so W^-1 filters has columns of length one."""
    (step,) = made(data, [{"patches": USUAL["patches"]}]).fitted_steps
    rng = np.random.default_rng(0)
    images = pixels(data.train).reshape(-1, 28, 28)
    cut = []
    for _ in range(20_000):
        n, y, x = rng.integers(len(images)), *rng.integers(0, 23, 2)
        patch = images[n, y : y + 6, x : x + 6].ravel()
        if patch.std() > 0.1:
            cut.append((patch - patch.mean()) / np.sqrt(patch.var() + 0.03))
    values, vectors = np.linalg.eigh(np.cov(np.array(cut).T))
    inverse = (vectors * np.sqrt(values + 0.3)) @ vectors.T
    lengths = np.linalg.norm(inverse @ step.arrays["filters"], axis=0)
    np.testing.assert_allclose(lengths, 1, atol=0.05)


# what holds for every step --------------------------------------------------------------------


@pytest.mark.parametrize("name", FEATURE_STEPS)
def test_no_step_sees_validation_or_test_rows(few, name):
    """With other images there it learns the same."""
    other = {
        split: samples
        if split == "train"
        else type(samples)(255 - samples.images[::-1], samples.labels, samples.features)
        for split, samples in few.splits.items()
    }
    ours, theirs = made(few, steps_of(name)), made(few.with_splits(other), steps_of(name))
    for one, same in zip(ours.fitted_steps, theirs.fitted_steps, strict=True):
        assert one.arrays.keys() == same.arrays.keys()
        for key in one.arrays:
            np.testing.assert_array_equal(one.arrays[key], same.arrays[key])


@pytest.mark.parametrize("name", FEATURE_STEPS)
def test_a_step_gives_a_row_the_same_whatever_is_beside_it(few, name):
    found = made(few, steps_of(name))
    whole = features(found.test)
    part = np.array([5, 370, 31])
    np.testing.assert_allclose(features(found.test.take(part)), whole[part], rtol=1e-5, atol=1e-5)
    apart = type(found.test)(few.test.images, few.test.labels, found.features)  # not computed
    np.testing.assert_allclose(features(apart), whole, rtol=1e-5, atol=1e-5)
    assert whole.shape == (400, found.train.feature_count)
    assert whole.dtype == np.float32


@pytest.mark.parametrize("name", FEATURE_STEPS)
def test_the_seed_decides_what_is_drawn(few, name):
    one, same, other = (made(few, steps_of(name), seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(features(one.test), features(same.test))
    differs = not np.array_equal(features(one.test), features(other.test))
    assert differs == FEATURE_STEPS[name].is_random


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ([{"pca": {"components": 785}}], "785 components of 784"),
        (["pca", "patches"], "must be the first step"),
        ([{"patches": {"size": 29}}], "do not fit images of 28x28"),
        (["polynomial"], "308,504 features of 784"),
        ([{"patches": {"filters": 60_000}}], "a whole number up to 50,000"),
        ([{"pca": {"components": 0}}], "above 0"),
        ([{"pca": {"components": 2.5}}], "a whole number"),
        ([{"pca": {"component": 2}}], "no option 'component'; it has components"),
        ([{"standardize": {"x": 2}}], "it has none"),
        ([{"random_fourier": {"gamma": float("inf")}}], "above 0"),
        ([{"random_fourier": {"gamma": True}}], "above 0"),
        (["pcs"], "did you mean 'pca'"),
        ([{"pca": 3}], "takes options by name"),
        ([{"pca": {}, "polynomial": {}}], "a step is its name or"),
        ([3], "a step is its name or"),
        ("pca", "a list of steps"),
    ],
)
def test_what_cannot_be_is_refused(data, steps, message):
    with pytest.raises(InputError, match=message):
        made(data, steps)


@pytest.mark.parametrize("wrong", ["shape", "type"])
def test_a_step_of_ones_own_that_breaks_its_word_is_named(data, monkeypatch, wrong):
    class Half:
        summary, options, is_random, is_kept, version = "halves", {}, False, False, 1

        def count(self, *_):
            return 392

        def fit(self, *_):
            return {}

        def apply(self, x, *_):
            return x[:, ::2].astype(np.float64) if wrong == "type" else x

    monkeypatch.setitem(FEATURE_STEPS, "half", Half())
    with pytest.raises(InputError, match=r"half makes float.. \(2, .*must be float32 \(2, 392\)"):
        made(data, ["half"])


def test_a_config_names_all_options_and_none_where_there_are_no_steps():
    config = load_config(None, ["features=[pca, {polynomial: null}, {random_relu: {features: 5}}]"])
    assert config.features == [
        {"pca": {"components": 40}},
        {"polynomial": {"degree": 2}},
        {"random_relu": {"features": 5}},
    ]
    assert "features" not in load_config(None, []).model_dump()


# the cache ------------------------------------------------------------------------------------

FOURIER = [{"random_fourier": {"features": 30}}]


def copies(cache):
    return sorted(cache.glob("features/*/*.float32"))


def test_features_are_worked_out_once_and_mapped(data, tmp_path, monkeypatch):
    first = made(data, FOURIER, cache=tmp_path)
    (copy,) = copies(tmp_path)
    assert copy.stat().st_size == 7000 * 30 * 4
    monkeypatch.setattr(computed_features, "_fill", None)  # not again
    again = made(data, FOURIER, cache=tmp_path)
    np.testing.assert_array_equal(first.test.computed, again.test.computed)
    np.testing.assert_array_equal(
        features(first.test),
        features(made(data, FOURIER, fitted=first.fitted_steps, cache=tmp_path).test),
    )


def test_other_rows_steps_or_draws_have_a_copy_of_their_own(data, tmp_path):
    made(data, FOURIER, cache=tmp_path)
    made(data, FOURIER, seed=1, cache=tmp_path)
    made(data, [{"random_fourier": {"features": 31}}], cache=tmp_path)
    made(load("mnist-mini", validation=4000), FOURIER, cache=tmp_path)
    made(load("mnist-mini", validation=5000, preprocess=["standardize"]), FOURIER, cache=tmp_path)
    assert len(copies(tmp_path)) == 5


@pytest.mark.parametrize("how", ["a bit", "cut", "another's"])
def test_a_damaged_copy_is_made_again(data, tmp_path, how):
    expected = made(data, FOURIER, cache=tmp_path).test.computed.copy()
    (copy,) = copies(tmp_path)
    content = bytearray(copy.read_bytes())
    if how == "a bit":
        content[-3] ^= 1
    elif how == "cut":
        del content[-4:]
    else:
        content = bytes(len(content))
    copy.unlink()
    copy.write_bytes(content)
    found = made(data, FOURIER, cache=tmp_path).test.computed
    np.testing.assert_array_equal(found, expected)
    assert copies(tmp_path) == [copy]


def test_copies_have_a_bound_and_the_oldest_go_first(data, tmp_path, monkeypatch):
    monkeypatch.setattr(computed_features, "MOST_BYTES", 2 * 7000 * 30 * 4)
    for seed in (0, 1):
        made(data, FOURIER, seed, cache=tmp_path)
    first, second = sorted(copies(tmp_path), key=lambda path: path.stat().st_mtime)
    made(data, FOURIER, 0, cache=tmp_path)  # used: it is the younger one now
    made(data, FOURIER, 2, cache=tmp_path)
    left = copies(tmp_path)
    assert len(left) == 2
    assert first in left
    assert second not in left
    # what is larger than all copies may be is worked out as it is read
    large = made(data, [{"random_fourier": {"features": 61}}], cache=tmp_path)
    assert large.train.computed is None
    assert features(large.test).shape == (1000, 61)


@pytest.mark.parametrize("why", ["no room", "no folder"])
def test_without_room_features_stay_in_memory(data, tmp_path, monkeypatch, why):
    expected = made(data, FOURIER).test.computed
    if why == "no folder":
        tmp_path = tmp_path / "file"
        tmp_path.write_text("")
    else:

        def full(*_):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(computed_features.os, "posix_fallocate", full)
    found = made(data, FOURIER, cache=tmp_path)
    np.testing.assert_array_equal(found.test.computed, expected)
    assert not copies(tmp_path)


def test_only_what_costs_more_than_it_weighs_is_kept(data, tmp_path):
    found = made(data, [{"pca": {"components": 5}}, "polynomial", "standardize"], cache=tmp_path)
    assert found.train.computed.shape[1] == 5
    assert found.train.done == 1
    assert found.train.feature_count == 20
