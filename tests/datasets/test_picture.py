"""Pictures of digits become images like MNIST's, whatever they were drawn with."""

import io
import zlib
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from mnistlab.datasets import load
from mnistlab.datasets import picture as drawing
from mnistlab.datasets.picture import as_digit, find_ink, read_picture
from mnistlab.errors import DataError

SHAPE = (28, 28)


@pytest.fixture(scope="module")
def digits():
    """A hundred test images."""
    return load("mnist-mini", validation=0).test.images[::10]


def stroke(height=60, width=40, *, paper=255, ink=0, bar=(10, 50, 15, 21)):
    """Return a picture of one upright stroke."""
    picture = np.full((height, width), paper, np.uint8)
    top, bottom, left, right = bar
    picture[top:bottom, left:right] = ink
    return picture


def saved(tmp_path, picture, name="digit.png", **options):
    path = tmp_path / name
    picture = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    picture.save(path, **options)
    return path


def test_a_stroke_by_hand():
    """40 x 6 pixels in a box of 20: 20 x 3, and its middle on pixel 14."""
    image = as_digit(stroke(), SHAPE)
    assert image.dtype == np.uint8
    rows, columns = (np.flatnonzero(image.any(axis=axis)) for axis in (1, 0))
    assert (rows[0], rows[-1], columns[0], columns[-1]) == (4, 23, 13, 15)
    assert (image[rows[0] : 24, 13:16] == 255).all()


def test_mnists_own_images_come_out_as_they_went_in(digits):
    for image in digits:
        again = as_digit(image, SHAPE)
        assert np.abs(again.astype(int) - image).max() <= 16  # the palest pixels of an edge
        np.testing.assert_array_equal(as_digit(255 - image, SHAPE), again)  # dark on light


def test_contrast_paper_and_place_do_not_matter():
    known = as_digit(stroke(), SHAPE)
    for other in (
        stroke(paper=0, ink=255),
        stroke(paper=200, ink=120),
        stroke(paper=90, ink=140),
        stroke(height=200, width=120, bar=(150, 190, 5, 11)),
    ):
        np.testing.assert_array_equal(as_digit(other, SHAPE), known)


@given(
    size=st.tuples(st.integers(1, 70), st.integers(1, 70)),
    place=st.tuples(st.integers(1, 60), st.integers(1, 60)),
)
def test_every_digit_fits_the_box_and_keeps_its_proportions(size, place):
    (height, width), (top, left) = size, place
    picture = np.full((top + height + 60, left + width + 60), 255, np.uint8)
    picture[top : top + height, left : left + width] = 0
    image = as_digit(picture, SHAPE)
    rows, columns = (np.flatnonzero(image.any(axis=axis)) for axis in (1, 0))
    extents = rows[-1] - rows[0] + 1, columns[-1] - columns[0] + 1
    assert max(extents) == 20
    assert abs(extents[0] - max(1, 20 * height / max(size))) <= 1
    assert abs(extents[1] - max(1, 20 * width / max(size))) <= 1
    assert image.max() == 255


def test_other_sizes_of_image_keep_the_proportions():
    image = as_digit(stroke(), (56, 56))
    assert image.shape == (56, 56)
    assert len(np.flatnonzero(image.any(axis=1))) == 40
    assert as_digit(stroke(), (8, 8)).any()
    assert as_digit(stroke(), (1, 1)).shape == (1, 1)


def test_a_noisy_photo_with_a_shadow(tmp_path):
    generator = np.random.default_rng(0)
    y, x = np.mgrid[:900, :1200]
    paper = 170 + 30 * x / 1200 - 20 * y / 900 + generator.normal(0, 6, x.shape)
    paper[200:700, 550:620] -= 100
    path = saved(tmp_path, np.clip(paper, 0, 255).astype(np.uint8), "photo.jpg")
    image = as_digit(read_picture(path), SHAPE)
    columns = np.flatnonzero((image > 64).any(axis=0))
    assert len(columns) <= 4
    assert len(np.flatnonzero((image > 64).any(axis=1))) == 20


@pytest.mark.parametrize("level", [0, 128, 255])
def test_a_blank_picture_shows_no_digit(level):
    with pytest.raises(DataError, match="shows no digit"):
        as_digit(np.full((30, 30), level, np.uint8), SHAPE)


def test_noise_alone_is_no_ink():
    noise = np.random.default_rng(0).normal(128, 12, (200, 200)).clip(0, 255).astype(np.uint8)
    with pytest.raises(DataError, match="shows no digit"):
        find_ink(noise)


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "RGB", "RGBA"])
def test_every_kind_of_png_is_read_alike(tmp_path, mode):
    path = saved(tmp_path, Image.fromarray(stroke()).convert(mode))
    np.testing.assert_array_equal(read_picture(path), stroke())


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_every_kind_of_jpeg_is_read_alike(tmp_path, mode):
    path = saved(tmp_path, Image.fromarray(stroke()).convert(mode), "a.jpg", quality=95)
    assert np.abs(read_picture(path).astype(int) - stroke()).mean() < 3


def test_sixteen_bits_are_not_cut_off(tmp_path):
    path = saved(tmp_path, stroke().astype(np.uint16) * 257)
    np.testing.assert_array_equal(read_picture(path), stroke())


def test_transparent_pixels_are_white_paper(tmp_path):
    colors = np.zeros((60, 40, 4), np.uint8)  # black throughout, seen where it is opaque
    colors[..., 3] = 255 - stroke()
    np.testing.assert_array_equal(read_picture(saved(tmp_path, colors)), stroke())
    palette = Image.fromarray(stroke()).convert("P")
    path = saved(tmp_path, palette, transparency=palette.getpixel((0, 0)))
    np.testing.assert_array_equal(read_picture(path), stroke())


def test_a_photo_is_turned_as_its_camera_says(tmp_path):
    picture = Image.fromarray(stroke())
    exif = picture.getexif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    path = saved(tmp_path, picture, "a.jpg", exif=exif)
    assert read_picture(path).shape == (40, 60)


def test_a_large_picture_is_averaged_down(tmp_path):
    path = saved(tmp_path, stroke(3000, 2000, bar=(500, 2500, 800, 1200)))
    levels = read_picture(path)
    assert max(levels.shape) < 800
    assert len(np.flatnonzero(as_digit(levels, SHAPE).any(axis=1))) == 20


def content(kind="PNG"):
    file = io.BytesIO()
    Image.fromarray(stroke()).save(file, kind)
    return file.getvalue()


@pytest.mark.parametrize(
    ("name", "data", "told"),
    [
        ("text.png", b"hello", "is no PNG or JPEG picture"),
        ("empty.png", b"", "is no PNG or JPEG picture"),
        ("short.png", content()[:-30], "is broken"),
        ("short.jpg", content("JPEG")[:300], "is broken"),
        ("other.png", content("GIF"), "is no PNG or JPEG picture"),
        ("a\0.png", None, "cannot be read"),
        ("missing.png", None, "cannot be read: No such file"),
        ("w" * 300, None, "cannot be read"),
    ],
)
def test_what_is_no_whole_picture_is_refused_in_a_sentence(tmp_path, name, data, told):
    path = tmp_path / name
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(DataError, match=told) as caught:
        read_picture(path)
    assert "\n" not in str(caught.value)


def test_a_folder_is_no_picture(tmp_path):
    with pytest.raises(DataError, match="is no file"):
        read_picture(tmp_path)


@pytest.mark.parametrize("size", [(6000, 5000), (60_000, 60_000)])
def test_a_picture_with_too_many_pixels_is_not_unpacked(tmp_path, size):
    """A header alone claims them; the second is more than Pillow itself would open."""
    data = bytearray(content())
    data[16:24] = b"".join(side.to_bytes(4, "big") for side in size)
    data[29:33] = zlib.crc32(bytes(data[12:29])).to_bytes(4, "big")
    (tmp_path / "bomb.png").write_bytes(data)
    with pytest.raises(DataError, match="too many pixels"):
        read_picture(tmp_path / "bomb.png")


def test_a_file_that_is_too_large_is_not_opened(tmp_path, monkeypatch):
    monkeypatch.setattr(drawing, "MOST_BYTES", 100)
    with pytest.raises(DataError, match="a picture may have 100"):
        read_picture(saved(tmp_path, stroke()))


@given(st.data())
def test_a_damaged_picture_is_read_or_refused(tmp_path_factory, data):
    original = content(data.draw(st.sampled_from(["PNG", "JPEG"])))
    damaged = bytearray(original[: data.draw(st.integers(0, len(original)))])
    for _ in range(data.draw(st.integers(0, 4))):
        if damaged:
            damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("fuzz") / "x"
    path.write_bytes(damaged)
    with suppress(DataError):
        as_digit(read_picture(path), SHAPE)
