"""The table of all runs in the page: sorted, copied from, and readable where it is narrow."""

import json

from mnistlab.report.collect import collect
from mnistlab.report.page import render_page
from tests.report.browser.looks import column, overflow
from tests.report.pages import Stub, report_of
from tests.store.folders import make_run

DASH = "\N{EN DASH}"


def test_a_click_on_a_heading_sorts_by_its_numbers_and_another_turns_it_around(page, runs):
    accuracies = sorted(run.facts["test.accuracy"] for run in runs)
    heading = page.locator("#runs-table th[data-key='test.accuracy']")
    heading.locator("button").click()
    assert heading.get_attribute("aria-sort") == "ascending"
    assert list(map(float, column(page, "test.accuracy"))) == accuracies
    heading.locator("button").press("Enter")
    assert heading.get_attribute("aria-sort") == "descending"
    assert list(map(float, column(page, "test.accuracy"))) == accuracies[::-1]
    page.locator("#runs-table th[data-key='gap'] button").click()
    gaps = column(page, "gap")
    assert heading.get_attribute("aria-sort") is None
    assert gaps[0] != DASH
    assert gaps[-1] == DASH  # what is missing comes last
    page.locator("#runs-table th[data-key='gap'] button").click()
    assert column(page, "gap")[-1] == DASH


def test_the_command_of_a_run_is_copied(open_page, runs):
    page = open_page(permissions=["clipboard-read", "clipboard-write"])
    button = page.locator(".command button").first
    button.click()
    page.locator(".command button", has_text="Copied").wait_for()
    assert page.evaluate("navigator.clipboard.readText()") == runs[0].command


def test_the_runs_name_stays_in_sight_and_is_no_wider_for_being_long(open_page, tmp_path):
    name = "a-very-long-folder-name-" * 8
    runs, _ = collect([make_run(tmp_path / name), make_run(tmp_path / "short")])
    path = tmp_path / "index.html"
    path.write_text(render_page(report_of(runs), runs, [], Stub()))
    for width in (1280, 390):
        page = open_page(path.as_uri(), viewport={"width": width, "height": 900})
        assert overflow(page) == 0
        box = page.locator(".scroll:has(#runs-table)")
        box.evaluate("(box) => box.scrollTo(box.scrollWidth, 0)")
        left = box.bounding_box()["x"]
        for cell in page.locator("#runs-table th:first-child").all():
            place = cell.bounding_box()
            assert left <= place["x"] < left + 2
            assert place["width"] < 260
        for told in page.locator("#runs-table th small").all():
            assert told.bounding_box()["height"] < 70


def test_what_matters_of_a_run_is_seen_without_scrolling_at_a_desk(page):
    edge = page.locator(".scroll:has(#runs-table)").bounding_box()
    for key in ("run", "status", "model", "learning_rate", "test.accuracy", "gap", "command"):
        heading = page.locator(f"#runs-table th[data-key='{key}']")
        if heading.count() == 0:
            continue  # it is the same in all runs
        place = heading.bounding_box()
        assert place["x"] + place["width"] <= edge["x"] + edge["width"], key


def test_columns_that_are_less_telling_come_when_they_are_asked_for(page, runs):
    heading = page.locator("#runs-table th[data-key='test.loss']")
    assert not heading.is_visible()
    page.click("#all-columns")
    assert heading.is_visible()
    heading.locator("button").click()
    losses = [run.facts["test.loss"] for run in runs]
    assert list(map(float, column(page, "test.loss"))) == sorted(losses)
    page.click("#all-columns")
    assert not heading.is_visible()


def test_a_page_of_a_thousand_runs_is_sorted_and_filtered(open_page, tmp_path):
    folders = [make_run(tmp_path / f"run-{at:04}", accuracy=at / 100) for at in range(100)]
    hundred, _ = collect(folders)
    path = tmp_path / "index.html"
    path.write_text(render_page(report_of(hundred), hundred * 10, [], Stub()))
    page = open_page(path.as_uri())
    button = page.locator("#runs-table th[data-key='validation.accuracy'] button")
    button.click()
    button.click()
    assert float(column(page, "validation.accuracy")[0]) == 0.99
    page.fill("#filter-text", "validation.accuracy >= 0.99")
    assert len(column(page, "run")) == 10
    assert json.loads(page.text_content("#data"))["models"]
