"""How the page is laid out: aligned derivations, figures that fit, boxes that show they scroll."""

import pytest

from tests.report.browser.looks import overflow, wait_for_frames

PHONE = {"viewport": {"width": 390, "height": 844}}


def edges(page, selector):
    """Return left and right edge of each element, in pixels."""
    return page.locator(selector).evaluate_all(
        "(all) => all.map((one) => one.getBoundingClientRect()).map((box) => [box.left, box.right])"
    )


@pytest.mark.parametrize("width", [1280, 390])
def test_a_derivations_equations_stand_below_each_other_at_their_relations(open_page, width):
    page = open_page(viewport={"width": width, "height": 900})
    relations = {left for left, _ in edges(page, ".derivation:first-of-type .right math")}
    assert len(relations) == 1
    sides = edges(page, ".derivation:first-of-type .left math")
    assert len(sides) == 2  # the last goes on without a left side
    assert {right for _, right in sides} == {sides[0][1]}
    assert sides[0][1] <= relations.pop() < sides[0][1] + 12
    reason = page.locator(".derivation .step p").first.bounding_box()
    formula = page.locator(".derivation .step .right").first.bounding_box()
    is_beside = reason["y"] < formula["y"] + formula["height"]
    assert is_beside == (width == 1280)
    assert overflow(page) == 0


@pytest.mark.parametrize("width", [390, 320])
def test_a_long_formula_in_a_sentence_breaks_at_its_relations(open_page, width):
    page = open_page(viewport={"width": width, "height": 844})
    assert overflow(page) == 0
    lines = {left for left, _ in edges(page, "p:first-of-type math")}
    assert len(lines) > 3


def test_a_box_that_scrolls_sideways_shows_where_it_goes_on(open_page):
    page = open_page(**PHONE)
    box = page.locator(".scroll:has(#runs-table)")
    wait_for_frames(page)
    assert box.get_attribute("data-more") == "right"
    assert "gradient" in box.evaluate("(box) => getComputedStyle(box).maskImage")
    box.evaluate("(box) => box.scrollTo(60, 0)")
    wait_for_frames(page)
    assert box.get_attribute("data-more") == "left right"
    box.evaluate("(box) => box.scrollTo(box.scrollWidth, 0)")
    wait_for_frames(page)
    assert box.get_attribute("data-more") == "left"
    compared = page.locator("#comparison .scroll", has_text="both right")  # built by the script
    page.set_viewport_size({"width": 320, "height": 844})
    wait_for_frames(page)
    assert compared.get_attribute("data-more") == "right"
    page.set_viewport_size({"width": 1280, "height": 900})
    wait_for_frames(page)
    assert compared.get_attribute("data-more") == ""


def test_a_box_is_scrolled_by_keyboard(open_page):
    page = open_page(**PHONE)
    box = page.locator(".scroll:has(#runs-table)")
    box.focus()
    page.keyboard.press("ArrowRight")
    for _ in range(100):
        if box.evaluate("(box) => box.scrollLeft") > 10:
            break
        page.wait_for_timeout(20)
    assert box.evaluate("(box) => box.scrollLeft") > 10


def test_on_a_phone_a_figure_is_seen_whole_and_can_be_enlarged(open_page):
    page = open_page(**PHONE)
    picture, button = page.locator(".drawing").first, page.locator(".enlarge").first
    assert picture.bounding_box()["width"] <= 390
    button.click()
    assert picture.bounding_box()["width"] > 600
    assert button.get_attribute("aria-pressed") == "true"
    assert overflow(page) == 0  # its box scrolls, and not the page
    button.press("Enter")
    assert picture.bounding_box()["width"] <= 390
    page.set_viewport_size({"width": 1280, "height": 900})
    assert not button.is_visible()


def test_figures_do_not_glare_in_the_dark(open_page):
    for options, is_turned in (
        ({"color_scheme": "light"}, False),
        ({"color_scheme": "dark"}, True),
    ):
        page = open_page(**options)
        turned = page.locator(".drawing").first.evaluate("(one) => getComputedStyle(one).filter")
        assert ("invert" in turned) == is_turned
