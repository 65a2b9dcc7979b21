"""What the tests of the page in a real browser share: Chromium, and the assignment's page."""

import shutil
from dataclasses import dataclass

import pytest

from mnistlab.report.records import RunRecord
from mnistlab.report.report_facts import read_records
from mnistlab.store.opening import of_folders
from tests.report.helpers import folders


@dataclass(frozen=True)
class Built:
    """The page's runs that can be tried, as a report sees them, and its address."""

    runs: list[RunRecord]
    url: str


@pytest.fixture(scope="package")
def built(reported):
    known = folders(reported.runs)
    featured = [known[name] for name in reported.facts["featured"]]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MNISTLAB_DATA_DIR", str(reported.data))
        runs, _ = read_records(of_folders(featured))
        for run in runs:  # read now, while the data folder is this one
            assert run.dataset is not None
            assert run.predictions is not None
    return Built(runs, (reported.folder / "index.html").as_uri())


@pytest.fixture
def runs(built):
    return built.runs


@pytest.fixture
def url(built):
    return built.url


@pytest.fixture(scope="package")
def browser():
    """Return Chromium; skip where it, or what drives it, is not there."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("there is no chromium")
    with playwright.sync_playwright() as started:
        launched = started.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield launched
        launched.close()


@pytest.fixture
def open_page(browser, url):
    """Return a function that opens the page; at the end, nothing may have gone wrong in it."""
    contexts, said, asked = [], [], []

    def open_page(address=url, **options):
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(address)
        if options.get("java_script_enabled", True):
            page.wait_for_selector("html[data-ready]")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert said == []
    assert [one for one in asked if not one.startswith(("file:", "data:", "blob:"))] == []
    assert len([one for one in asked if one.startswith("file:")]) == len(contexts)


@pytest.fixture
def page(open_page):
    return open_page()
