"""The page as a whole: nothing from elsewhere, by keyboard, in the dark, small, on paper."""

import shutil
import subprocess
import tarfile

import pytest

from tests.report.browser.looks import overflow
from tests.report.helpers import the_run

AXE = "axe-core@4.14.1"
PHONE = {"viewport": {"width": 390, "height": 844}}


def test_the_page_opens_without_an_error_and_asks_for_nothing(page, runs):
    assert page.title() == "Classification with linear regression and softmax"
    assert page.locator(".card").count() == len(runs)


def test_an_inline_script_that_is_not_the_pages_own_is_refused(browser, url):
    context = browser.new_context()
    page = context.new_page()
    refused = []
    page.on("console", lambda message: refused.append(message.text))
    page.goto(url)
    page.evaluate(
        """() => {
          const script = document.createElement("script");
          script.textContent = "window.taken = true";
          document.body.append(script);
          document.body.insertAdjacentHTML("beforeend", '<img src=x onerror="window.taken=true">');
        }"""
    )
    page.wait_for_timeout(100)
    assert page.evaluate("window.taken") is None
    assert any("Content Security Policy" in text for text in refused)
    context.close()


def test_the_keyboard_alone_reaches_every_control(page):
    wanted = page.evaluate(
        """() => [...document.querySelectorAll(
            "a[href], button, input, select, summary, canvas[tabindex], .scroll, pre")]
          .filter((one) => one.checkVisibility())
          .filter((one) => !one.closest("details:not([open]) > :not(summary)"))
          .map((one, at) => one.dataset.at = String(at))"""
    )
    reached = []
    for _ in range(len(wanted) + 5):
        page.keyboard.press("Tab")
        at = page.evaluate("document.activeElement?.dataset.at ?? null")
        if at is None:
            break
        reached.append(at)
    assert reached == wanted  # in the order of the page
    assert len(reached) > 60


def test_the_page_is_light_or_dark_as_the_system_is(page):
    def look(scheme):
        page.emulate_media(color_scheme=scheme)
        return page.evaluate(
            """[getComputedStyle(document.body).backgroundColor,
                getComputedStyle(document.querySelector("figure > img")).filter]"""
        )

    light, dark = look("light"), look("dark")
    assert light[0] != dark[0]
    assert (light[1], "invert" in dark[1]) == ("none", True)


def test_without_scripts_the_page_tells_everything_but_what_is_computed(open_page):
    page = open_page(java_script_enabled=False)
    assert page.locator("#runs-table tbody tr").count() == 8
    assert page.locator("figure > img").count() > 20
    assert not page.locator("#search").is_visible()
    for note in ("#compare-note", "#draw-note"):
        assert page.locator(note).is_visible()


def test_the_page_does_not_scroll_sideways(page):
    page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
    for width in (1280, 768, 390, 320):
        page.set_viewport_size({"width": width, "height": 844})
        assert overflow(page) == 0, width


def test_equations_stand_below_each_other_at_their_relations(page):
    steps = page.locator(".steps").first
    edges = "(all) => all.map((one) => one.getBoundingClientRect()).map((b) => [b.left, b.right])"
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 900})
        relations = {round(left) for left, _ in steps.locator(".right math").evaluate_all(edges)}
        sides = {round(right) for _, right in steps.locator(".left math").evaluate_all(edges)}
        assert len(relations) == len(sides) == 1
        assert sides.pop() <= relations.pop()
        reason = steps.locator("p").first.bounding_box()
        formula = steps.locator(".right").first.bounding_box()
        assert (reason["y"] < formula["y"] + formula["height"]) == (width == 1280)


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


def test_on_paper_all_is_shown_in_black_on_white(open_page, reported):
    page = open_page(color_scheme="dark")
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.locator("img").evaluate_all("(all) => all.every((one) => one.alt)")
    for hidden in (".contents", "#draw", "#search"):
        assert not page.locator(hidden).is_visible()
    assert the_run(reported.runs, "linear").name in page.inner_text("#runs-table")


@pytest.fixture(scope="module")
def axe(tmp_path_factory):
    """Return axe-core's script, fetched by npm; skip where npm cannot."""
    folder = tmp_path_factory.mktemp("axe")
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("axe-core comes by npm, which is not there")
    command = [npm, "pack", AXE, "--silent", "--pack-destination", str(folder)]
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=60, cwd=folder)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
        pytest.skip(f"npm could not fetch {AXE}")
    (archive,) = folder.glob("*.tgz")
    with tarfile.open(archive) as tar:
        return tar.extractfile("package/axe.min.js").read().decode()


# colours depend on the scheme alone, and what is where on the width
@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_axe_finds_no_fault(browser, url, axe, scheme, width):
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme, bypass_csp=True
    )
    page = context.new_page()
    page.goto(url)
    page.wait_for_selector("html[data-ready]")
    page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
    page.locator("#samples button").nth(4).click()
    page.add_script_tag(content=axe)
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
    context.close()
    faults = [
        (fault["id"], fault["impact"], node["html"][:200], node.get("failureSummary"))
        for fault in found
        for node in fault["nodes"][:2]
    ]
    assert faults == []
