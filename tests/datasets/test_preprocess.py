"""Preprocessing: digits set upright, pixels standardized, copies kept and mended."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mnistlab.datasets import (
    PREPROCESSING,
    MapPixels,
    MovePixels,
    check_steps,
    load,
    read_idx,
    verify,
    write_idx,
)
from mnistlab.datasets.data_files import content_sha256
from mnistlab.datasets.preprocess import LOOKED_AT, SPREAD_FLOOR, deskew, slant, standardize
from mnistlab.datasets.sources import Folder
from mnistlab.errors import DataError, InputError, UnknownNameError
from tests.datasets.conftest import tiny_arrays, tiny_dataset, write_folder
from tests.late import Late

ndimage = Late("scipy.ndimage")


@pytest.fixture(scope="module")
def digits():
    return load("mnist-mini", validation=0).train.images[:1500]


def test_slant_by_hand():
    image = np.zeros((1, 4, 5), np.uint8)
    image[0, 0, 1] = image[0, 1, 2] = image[0, 2, 3] = 10  # each row down goes one to the right
    alpha, mean_x, mean_y = slant(image)
    assert (alpha[0], mean_x[0], mean_y[0]) == (1, 2, 1)


def test_a_diagonal_becomes_a_column_in_the_centre():
    image = np.zeros((1, 5, 5), np.uint8)
    image[0, range(3), range(3)] = 200
    expected = np.zeros((5, 5), np.uint8)
    expected[1:4, 2] = 200
    assert (deskew(image)[0] == expected).all()


def reference(image: np.ndarray) -> np.ndarray:
    """The same affine map by scipy, one image at a time."""
    (alpha,), (mean_x,), (mean_y,) = slant(image[None])
    centre_y, centre_x = (np.array(image.shape) - 1) / 2
    offset = [mean_y - centre_y, mean_x - centre_x - alpha * centre_y]
    upright = ndimage.affine_transform(
        image.astype(float), [[1, 0], [alpha, 1]], offset, order=1, mode="grid-constant"
    )
    return np.rint(upright)


def test_equals_scipy_on_digits(digits):
    ours = deskew(digits)
    for image, upright in zip(digits[:300], ours[:300], strict=True):
        assert np.abs(reference(image) - upright).max() <= 1


@given(
    hnp.arrays(
        np.uint8,
        st.tuples(st.just(1), st.integers(1, 9), st.integers(1, 9)),
        elements=st.sampled_from([0, 0, 0, 1, 128, 255]),
        fill=st.just(0),
    )
)
def test_equals_scipy_on_anything(images):
    assert np.abs(reference(images[0]) - deskew(images)[0]).max() <= 1


def test_digits_stand_upright_and_centred(digits):
    before, _, _ = slant(digits)
    alpha, mean_x, mean_y = slant(deskew(digits))
    assert np.abs(before).mean() > 0.2
    assert np.abs(alpha).max() < 0.1
    assert np.abs(alpha).mean() < 0.005
    assert np.abs(mean_x - 13.5).mean() < 0.02
    assert np.abs(mean_y - 13.5).mean() < 0.02


def test_deskewing_again_changes_next_to_nothing(digits):
    once = deskew(digits).astype(int)
    twice = deskew(once.astype(np.uint8)).astype(int)
    assert np.abs(twice - once).mean() < 0.2


def test_blank_images_stay_blank_and_the_input_is_left_alone(digits):
    images = digits[:3].copy()
    images[1] = 0
    kept = images.copy()
    upright = deskew(images)
    assert not upright[1].any()
    assert upright[0].any()
    assert (images == kept).all()
    assert upright.dtype == np.uint8


def test_chunks_do_not_show(digits):
    together = deskew(digits[:1100])
    assert (together[700:703] == deskew(digits[700:703])).all()


def features(images, pixels):
    return images.reshape(len(images), -1) * pixels.scale + pixels.shift


def test_standardize_is_fitted_on_the_training_part_alone():
    data = load("mnist-mini", validation=1000, preprocess=["standardize"])
    plain = data.train.images.reshape(5000, -1) / 255
    x = features(data.train.images, data.features.pixels)
    spread = plain.std(axis=0)
    varied = spread > SPREAD_FLOOR
    assert varied.sum() > 400
    np.testing.assert_allclose(x.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(x[:, varied].std(axis=0), 1, rtol=1e-10)
    np.testing.assert_allclose(x, (plain - plain.mean(0)) / np.maximum(spread, SPREAD_FLOOR))
    assert data.preprocess == ("standardize",)


def test_a_pixel_constant_in_training_cannot_blow_up():
    images = np.zeros((10, 2, 2), np.uint8)
    images[0, 0, 0] = 255
    images[:, 1, 1] = 77
    pixels = standardize(images)
    assert np.abs(features(images, pixels)[:, [1, 2, 3]]).max() < 1e-12
    other = features(np.array([[[0, 255], [255, 255]]], np.uint8), pixels)
    assert np.abs(other).max() <= 1 / SPREAD_FLOOR


def test_standardize_does_not_depend_on_its_chunks():
    images = np.random.default_rng(3).integers(0, 256, (2500, 3, 3), dtype=np.uint8)
    pixels = standardize(images)
    plain = images.reshape(2500, 9) / 255
    np.testing.assert_allclose(pixels.scale, 1 / (255 * plain.std(0)))
    np.testing.assert_allclose(pixels.shift, -plain.mean(0) / plain.std(0))


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        (["deskew", "deskew"], "deskew is named twice"),
        (["standardize", "standardize"], "standardize is named twice"),
        (["standardize", "deskew"], "put deskew before standardize"),
    ],
)
def test_orders_that_cannot_be(steps, message):
    for refuse in (check_steps, lambda steps: load("mnist-mini", preprocess=steps)):
        with pytest.raises(InputError, match=message):
            refuse(steps)


def test_two_maps_cannot_both_be(monkeypatch):
    monkeypatch.setitem(PREPROCESSING, "other", MapPixels("other", standardize))
    with pytest.raises(DataError, match=r"other cannot follow standardize.*keep one"):
        check_steps(["standardize", "other"])


def test_an_unknown_step():
    with pytest.raises(UnknownNameError, match="preprocessing step 'deskw'; did you mean 'deskew'"):
        load("mnist-mini", preprocess=["deskw"])


@pytest.mark.parametrize("name", PREPROCESSING)
def test_every_step_works_on_images_of_any_size(tmp_path, name):
    arrays = tiny_arrays(size=9)
    folder = write_folder(tmp_path / "f", arrays)
    data = load(str(folder), validation=10, preprocess=[name])
    assert data.train.images.shape == (30, 9, 9)
    assert PREPROCESSING[name].summary
    assert np.isfinite(features(data.test.images, data.features.pixels)).all()


@pytest.fixture
def counting(monkeypatch):
    """Count how often deskew really runs."""
    calls = []
    step = PREPROCESSING["deskew"]

    def move(images):
        if len(images) > LOOKED_AT:  # else they are only looked at
            calls.append(len(images))
        return step.move(images)

    counted = dataclasses.replace(step, move=move)
    monkeypatch.setitem(PREPROCESSING, "deskew", counted)
    return calls


def deskewed(folder, **options):
    return load(str(folder), validation=10, preprocess=["deskew"], **options)


def copies(cache):
    return sorted((cache / "preprocessed").glob("*-deskew-1/*.idx"))


def test_the_copy_is_made_once(tiny_folder, counting, cache):
    first, second = deskewed(tiny_folder), deskewed(tiny_folder)
    assert counting == [40, 20]
    arrays = list(tiny_arrays().values())
    for data in (first, second):
        whole = np.concatenate([data.train.images, data.validation.images])
        assert (whole == deskew(arrays[0])).all()
        assert (data.test.images == deskew(arrays[2])).all()
        assert not data.train.images.flags.writeable
    assert first.sha256 == load(str(tiny_folder), validation=10).sha256
    assert len(copies(cache)) == 2


@pytest.mark.parametrize(
    "damage", [lambda b: b[:-1] + bytes([b[-1] ^ 1]), lambda b: b[:50], lambda _: b""]
)
def test_a_damaged_copy_is_made_again(tiny_folder, counting, cache, messages, damage):
    good = deskewed(tiny_folder).test.images.copy()
    for path in copies(cache):
        path.write_bytes(damage(path.read_bytes()))
    assert (deskewed(tiny_folder, progress=messages).test.images == good).all()
    assert counting == [40, 20, 40, 20]
    assert "is damaged; making it again" in str(messages)
    deskewed(tiny_folder)
    assert counting == [40, 20, 40, 20]


def test_other_data_and_other_versions_have_their_own_copies(
    tiny_folder, tmp_path, counting, monkeypatch
):
    deskewed(tiny_folder)
    other = tiny_arrays()
    other["train-images-idx3-ubyte"][0] = 0
    deskewed(write_folder(tmp_path / "other", other))
    assert counting == [40, 20, 40]  # the test images are the same
    newer = dataclasses.replace(PREPROCESSING["deskew"], version=2)
    monkeypatch.setitem(PREPROCESSING, "deskew", newer)
    deskewed(tiny_folder)
    assert counting == [40, 20, 40, 40, 20]


def test_a_cache_that_cannot_be_written_is_done_without(tiny_folder, cache, messages):
    cache.write_text("a file stands where the folder should be")
    data = deskewed(tiny_folder, progress=messages)
    assert (data.test.images == deskew(list(tiny_arrays().values())[2])).all()
    assert "cannot keep the copy" in str(messages)


def test_steps_apply_in_order(tiny_folder, monkeypatch):
    invert = MovePixels("invert", lambda images: 255 - images, 1)
    monkeypatch.setitem(PREPROCESSING, "invert", invert)
    images = tiny_arrays()["t10k-images-idx3-ubyte"]
    for _ in range(2):  # made, then from the cache
        one = load(str(tiny_folder), validation=0, preprocess=["deskew", "invert"])
        other = load(str(tiny_folder), validation=0, preprocess=["invert", "deskew"])
        assert (one.test.images == 255 - deskew(images)).all()
        assert (other.test.images == deskew(255 - images)).all()


def test_standardize_sees_deskewed_images(tiny_folder):
    data = load(str(tiny_folder), validation=10, preprocess=["deskew", "standardize"])
    expected = standardize(deskew(tiny_arrays()["train-images-idx3-ubyte"])[:30])
    np.testing.assert_array_equal(data.features.pixels.scale, expected.scale)
    np.testing.assert_array_equal(data.features.pixels.shift, expected.shift)


def test_a_step_that_returns_nonsense_is_named(tiny_folder, monkeypatch):
    step = MovePixels("halve", lambda images: images[::2], 1)
    monkeypatch.setitem(PREPROCESSING, "halve", step)
    with pytest.raises(DataError, match="halve returned uint8"):
        load(str(tiny_folder), validation=0, preprocess=["halve"])


def forged(cache, change):
    """Put other images in place of each copy, under the hash that they have."""
    for path in copies(cache):
        images = change(read_idx(path).copy())
        write_idx(path.with_name(f"{content_sha256(images)}.idx"), images)
        if images.shape != read_idx(path).shape or (images != read_idx(path)).any():
            path.unlink()


def noise(images):
    return np.random.default_rng(0).integers(0, 256, images.shape, dtype=np.uint8)


def one_image_of_noise(images):
    images[len(images) // 2 + 1] = noise(images[0])
    return images


@pytest.mark.parametrize(
    "change", [noise, lambda images: images[:-1], lambda images: np.repeat(images, 2, axis=1)]
)
def test_a_copy_of_other_images_is_not_used(tiny_folder, cache, messages, change):
    good = deskewed(tiny_folder)
    forged(cache, change)
    again = deskewed(tiny_folder, progress=messages)
    assert (again.test.images == good.test.images).all()
    assert (again.train.images == good.train.images).all()
    assert "is damaged; making it again" in str(messages)


def test_one_other_image_in_a_copy_is_found_by_who_makes_it_anew(tiny_folder, cache):
    good = deskewed(tiny_folder).train.images.copy()
    forged(cache, one_image_of_noise)
    assert (deskewed(tiny_folder).train.images != good).any()
    assert (deskewed(tiny_folder, anew=True).train.images == good).all()


def test_data_verify_makes_the_copies_anew_and_compares(register, tiny_folder, cache):
    register(tiny_dataset(tiny_folder, Folder(tiny_folder)))
    steps = ["deskew", "invert"]
    load("tiny", validation=10, preprocess=steps)
    assert list(verify("tiny").values()) == ["ok"] * 8
    (path,) = (path for path in (cache / "preprocessed").glob("*-invert-1/*.idx")
               if len(read_idx(path)) == 40)  # fmt: skip
    images = one_image_of_noise(read_idx(path).copy())
    other = path.with_name(f"{content_sha256(images)}.idx")
    write_idx(other, images)
    path.unlink()
    assert verify("tiny")[str(other)] == "differs"
    assert list(verify("tiny").values()).count("ok") == 7
