"""Digits drawn in the page by mouse, finger and keyboard, and what the models make of them."""

import base64
import io

import numpy as np
from PIL import Image

from mnistlab.core.metrics import pre_activations
from mnistlab.datasets import load as load_data
from mnistlab.datasets.picture import as_digit
from mnistlab.datasets.preprocess import deskew
from tests.report.browser.looks import overflow, wait_for_frames

SIDE = 280  # pixels of the drawing field


def predicted(run, seen):
    """Return the class that mnistlab finds for an image as the run's model sees it."""
    rows = seen.reshape(1, -1)
    return int(pre_activations(run.parameters, rows, run.dataset.features).argmax())


def moved(run, image):
    return deskew(image[None])[0] if "deskew" in run.dataset.preprocess else image


def answers(page):
    """Return the leading class on each model's card."""
    wait_for_frames(page)
    return [int(text) for text in page.locator(".card output").all_inner_texts()]


def ink(page):
    """Return the drawing field's ink (280, 280)."""
    wait_for_frames(page)
    url = page.evaluate("document.getElementById('canvas').toDataURL()")
    picture = Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2])))
    assert picture.size == (SIDE, SIDE)
    return np.asarray(picture)[..., 3]


def test_a_drawing_becomes_the_digit_that_mnistlab_makes_of_it(page):
    generator = np.random.default_rng(0)
    for height, width in ((280, 280), (60, 90), (28, 28), (40, 17)):
        drawn = np.zeros((height, width), np.uint8)
        for _ in range(4):
            y, x = generator.integers(2, [height - 6, width - 6])
            tall, wide = generator.integers(1, [max(2, height // 3), max(2, width // 3)])
            part = drawn[y : min(y + tall, height - 2), x : min(x + wide, width - 2)]
            part[:] = np.maximum(part, generator.integers(1, 256, part.shape))
        arguments = [drawn.ravel().tolist(), height, width]
        made = page.evaluate(
            "([ink, height, width]) => [...asDigit(Uint8Array.from(ink), height, width)]", arguments
        )
        expected = as_digit(255 - drawn, (28, 28))
        np.testing.assert_array_equal(np.reshape(made, (28, 28)), expected)
    assert page.evaluate("asDigit(new Uint8Array(100), 10, 10)") is None
    halves = [0.5, 1.5, 2.5, -0.5, -1.5, 0.4999, 7.0]
    rounded = page.evaluate("(values) => values.map(roundEven)", halves)
    assert rounded == np.rint(halves).tolist()


def test_digits_are_set_upright_as_mnistlab_does(page):
    images = np.concatenate(
        [
            load_data("mnist-mini", validation=0).test.images[::40],
            np.zeros((1, 28, 28), np.uint8),
            np.eye(28, dtype=np.uint8)[None] * 200,
            np.pad(np.full((1, 1, 20), 255, np.uint8), ((0, 0), (3, 24), (8, 0))),
        ]
    )
    made = page.evaluate(
        "(images) => images.map((image) => [...deskew(Uint8Array.from(image))])",
        images.reshape(len(images), -1).tolist(),
    )
    np.testing.assert_array_equal(np.reshape(made, images.shape), deskew(images))


def test_painted_digits_are_classified_as_mnistlab_does(open_page, runs):
    # small and without motion, as each move of the mouse paints the page anew
    page = open_page(viewport={"width": 700, "height": 420}, reduced_motion="reduce")
    page.focus("#width")
    page.keyboard.press("Home")
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    assert page.input_value("#width") == "20"  # two pixels of the image
    page.locator("#canvas").scroll_into_view_if_needed()
    box = page.locator("#canvas").bounding_box()
    test = load_data("mnist-mini", validation=0).test

    def at(point):
        row, column = np.multiply(point, box["width"] / 28)
        return box["x"] + column, box["y"] + row

    agreed = []
    for digit in (0, 2, 4, 5):
        image = test.images[_clearest(runs, digit)]
        page.click("#clear")
        for stroke in _strokes_of(image):
            page.mouse.move(*at(stroke[0]))
            page.mouse.down()
            for point in stroke[1:]:
                page.mouse.move(*at(point))
            page.mouse.up()
        seen = as_digit(255 - ink(page), (28, 28))
        said = answers(page)
        assert said == [predicted(run, moved(run, seen)) for run in runs]
        agreed += [
            one == predicted(run, moved(run, image)) for one, run in zip(said, runs, strict=True)
        ]
    assert sum(agreed) >= 0.85 * len(agreed)  # what is painted in black and white is the digit


def _strokes_of(image):
    """Return the strokes of a pen two pixels wide that paint a digit, as points (row, column).

    Two rows are painted at a time, from one end of what is lit to the other, and the pen goes on
    without being lifted as long as the next two are lit below it: each move takes a frame.
    """
    strokes, going = [], []
    for row, lit in enumerate(image.reshape(14, 2, 28).mean(axis=1) >= 100):
        continued = []
        for start, end in np.flatnonzero(np.diff(np.pad(lit, 1))).reshape(-1, 2):
            near = [one for one in going if start <= one[-1][1] <= end]
            stroke = near[0] if near else []
            if near:
                going.remove(stroke)
            else:
                strokes.append(stroke)
            middle = (start + end) / 2
            ends = {min(start + 1, middle), max(end - 1, middle)}
            here = stroke[-1][1] if stroke else start
            stroke += [(2 * row + 1, side) for side in sorted(ends, key=lambda to: abs(to - here))]
            continued.append(stroke)
        going = continued
    return strokes


def _clearest(runs, digit):
    """Return the test image of a digit that the runs are surest of.

    Painted in black and white, an image in doubt may become another digit.
    """
    leads = []
    for run in runs:
        rows = run.dataset.test
        A = pre_activations(run.parameters, rows.rows, run.dataset.features)
        lead = A[:, digit] - np.delete(A, digit, axis=1).max(axis=1)
        leads.append(np.where(rows.labels == digit, lead / A.std(), -np.inf))
    return int(np.min(leads, axis=0).argmax())


def test_a_test_image_is_answered_as_the_run_answered_it(page, runs):
    labels = runs[0].dataset.test.labels
    for digit in range(10):
        page.locator("#samples button").nth(digit).click()
        first = int(np.flatnonzero(labels == digit)[0])
        assert answers(page) == [int(run.predictions[first]) for run in runs]
    before = ink(page)
    page.locator("#samples button").nth(9).click()
    assert (ink(page) != before).any()  # the next image of that class


def test_a_test_image_can_be_drawn_on_and_all_be_cleared(page):
    page.locator("#canvas").scroll_into_view_if_needed()
    box = page.locator("#canvas").bounding_box()
    page.locator("#samples button").first.click()
    loaded = ink(page)
    page.mouse.move(box["x"] + 50, box["y"] + 60)
    page.mouse.down()
    page.mouse.move(box["x"] + 50, box["y"] + 200, steps=5)
    page.mouse.up()
    assert (ink(page) >= loaded).all()
    assert (ink(page) > loaded).any()
    page.click("#clear")
    assert not ink(page).any()
    assert page.inner_text("#said") == "Nothing is drawn yet."


def test_a_digit_is_drawn_by_the_keyboard_alone(page, runs):
    page.focus("#canvas")
    page.keyboard.press("Space")
    for _ in range(11):
        page.keyboard.press("ArrowDown")
    page.keyboard.press("Shift+ArrowLeft")
    page.keyboard.press("Space")
    page.keyboard.press("ArrowRight")  # the pen is up
    drawn = ink(page)
    rows, columns = np.nonzero(drawn)
    assert np.ptp(rows) > 140
    assert np.ptp(columns) < 40
    seen = as_digit(255 - drawn, (28, 28))
    assert answers(page) == [predicted(run, moved(run, seen)) for run in runs]
    assert f"linear: {answers(page)[0]}" in page.inner_text("#said")
    assert page.locator("#pen").is_visible()
    page.keyboard.press("Delete")
    assert not ink(page).any()
    page.locator("#samples button").nth(3).press("Enter")
    assert ink(page).any()
    page.locator("#clear").press("Space")
    assert not ink(page).any()


def test_a_finger_draws_on_a_phone_and_the_page_does_not_scroll_sideways(open_page):
    page = open_page(viewport={"width": 320, "height": 640}, has_touch=True, is_mobile=True)
    assert overflow(page) == 0
    page.locator("#canvas").scroll_into_view_if_needed()
    box = page.locator("#canvas").bounding_box()
    assert box["width"] > 260
    page.touchscreen.tap(box["x"] + 100, box["y"] + 100)
    assert ink(page).any()
