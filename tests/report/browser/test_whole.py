"""The page as a whole: nothing from elsewhere, by keyboard, in the dark, without scripts."""


def test_the_page_opens_without_an_error_and_asks_for_nothing(page, runs):
    assert page.title() == "Title a word"
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
    assert len(reached) > 40


def test_the_theme_is_the_systems_until_the_reader_chooses(open_page):
    def background(page):
        return page.evaluate("getComputedStyle(document.body).backgroundColor")

    light, dark = open_page(color_scheme="light"), open_page(color_scheme="dark")
    assert background(light) != background(dark)
    dark.click("#theme")
    assert background(dark) == background(light)
    dark.click("#theme")
    light.click("#theme")
    light.click("#theme")
    assert background(light) == background(dark)


def test_without_scripts_the_page_still_tells_everything_but_what_is_computed(open_page):
    page = open_page(java_script_enabled=False)
    assert page.locator("#runs-table tbody tr").count() == 4
    assert page.locator("img.pixels").count() >= 4 * 30
    assert not page.locator("#filter").is_visible()
    assert page.locator("noscript p").count() == 2
