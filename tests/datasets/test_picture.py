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


# Photographs: each way to take one must leave the digit that a clean picture shows.


def enlarged(image, side=280):
    """Return the ink of an image, 0 to 1, as that of a picture with so many rows and columns."""
    large = Image.fromarray(image).resize((side, side), Image.Resampling.BICUBIC)
    return np.asarray(large, float) / 255


def photographed(ink, light, noise=5.0):
    """Return a picture of dark ink on paper in this light, of 255, with noise."""
    generator = np.random.default_rng(0)
    return light * (1 - 0.8 * ink) + generator.normal(0, noise, ink.shape)


def framed(ink, width=5, margin=0):
    """Return a black drawing in a ruled frame, with a margin of paper around it."""
    drawn = np.pad(255 * (1 - ink), width)
    drawn[:width] = drawn[-width:] = drawn[:, :width] = drawn[:, -width:] = 0
    return np.pad(drawn, margin, constant_values=255)


def dusty(ink):
    picture = photographed(ink, 230.0)
    for y, x in ((8, 9), (30, 260), (270, 20), (265, 266)):
        picture[y : y + 3, x : x + 3] = 60
    return picture


Y, X = np.mgrid[:280, :280] / 279
FROM_CENTRE = 2 * ((X - 0.5) ** 2 + (Y - 0.5) ** 2)
PHOTOGRAPHS = {
    "light from one side": lambda ink: photographed(ink, 120 + 100 * X + 20 * Y),
    "a dark corner": lambda ink: photographed(ink, 220 - 120 * X * Y, 8.0),
    "a vignette": lambda ink: photographed(ink, 230 * (1 - 0.85 * FROM_CENTRE)),
    "a lamp": lambda ink: photographed(
        ink, 90 + 150 * np.exp(-2 * ((X - 0.2) ** 2 + (Y - 0.1) ** 2))
    ),
    "chalk on a board": lambda ink: photographed(1 - ink, 60 + 120 * X),
    "a frame": framed,
    "a thin frame": lambda ink: framed(ink, width=1),
    "a frame on a page": lambda ink: framed(ink, margin=40),
    "dust": dusty,
}


@pytest.fixture(scope="module")
def enlarged_digits(digits):
    """Return the ink of two large digits, and what their clean pictures become."""
    inks = [enlarged(image) for image in digits[:40:20]]
    return [
        (ink, as_digit(np.rint(255 * (1 - ink)).clip(0, 255).astype(np.uint8), SHAPE))
        for ink in inks
    ]


@pytest.mark.parametrize(("at", "kind"), [*enumerate(PHOTOGRAPHS)])
def test_a_photograph_gives_the_digit_of_a_clean_picture(tmp_path, enlarged_digits, at, kind):
    """Of one digit and the other in turn, as JPEG and as PNG."""
    ink, clean = enlarged_digits[at % 2]
    name = ("photo.jpg", "photo.png")[at // 2 % 2]
    picture = PHOTOGRAPHS[kind](ink).clip(0, 255).astype(np.uint8)
    seen = as_digit(read_picture(saved(tmp_path, picture, name)), SHAPE)
    assert likeness(seen, clean) > 0.93


def likeness(seen, known):
    """Return the correlation of two images where one is moved by at most a pixel."""
    moves = [(down, right) for down in (-1, 0, 1) for right in (-1, 0, 1)]
    moved = [np.roll(seen, move, (0, 1)).ravel() for move in moves]
    return max(np.corrcoef(one, known.ravel())[0, 1] for one in moved)


def test_a_hard_shadow_is_refused_with_what_to_do(digits):
    light = 230 - 130 * (X + 0.4 * Y > 0.9)
    picture = photographed(enlarged(digits[3]), light).clip(0, 255).astype(np.uint8)
    with pytest.raises(DataError, match=r"uneven.*crop closer"):
        as_digit(picture, SHAPE)


def test_a_digit_in_a_box_of_strokes_is_no_frame(digits):
    """A zero has nothing in it, and a digit cropped to its strokes has no paper around it."""
    zero = framed(np.zeros((60, 40)), width=8, margin=20).astype(np.uint8)
    assert as_digit(zero, SHAPE)[:, 9:19].any()
    ink = enlarged(digits[0])
    rows, columns = (np.flatnonzero((ink > 0.2).any(axis=axis)) for axis in (1, 0))
    tight = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    images = [as_digit(np.rint(255 * (1 - one)).astype(np.uint8), SHAPE) for one in (ink, tight)]
    assert np.corrcoef(*(image.ravel() for image in images))[0, 1] > 0.95


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


def test_light_ink_on_transparent_ground_shows_on_black(tmp_path):
    colors = np.full((60, 40, 4), 255, np.uint8)
    colors[..., 3] = 255 - stroke()
    read = read_picture(saved(tmp_path, colors))
    np.testing.assert_array_equal(as_digit(read, SHAPE), as_digit(stroke(), SHAPE))


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
