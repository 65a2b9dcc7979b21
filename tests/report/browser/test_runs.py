"""The table of all runs, sorted and searched, and two runs side by side."""

from mnistlab.report.render import ReportRequest, write_report
from mnistlab.store.compare import count_flips
from mnistlab.store.opening import of_folders
from tests.report.browser.looks import column, names, overflow
from tests.store.folders import make_run

DASH = "\N{EN DASH}"
ALL = [
    "linear",
    "linear_overflow",
    "sigmoid",
    "sigmoid_sgd",
    "softmax",
    "best",
    "assignment",
    "seeds",
]


def heading(page, text):
    return page.locator("#runs-table th", has_text=text)


def test_a_click_on_a_heading_sorts_by_its_numbers_and_another_turns_it_around(page):
    accuracies = sorted(float(one) for one in column(page, "Test accuracy") if one != DASH)
    test = heading(page, "Test accuracy")
    test.locator("button").click()
    assert test.get_attribute("aria-sort") == "ascending"
    assert list(map(float, column(page, "Test accuracy")[:-1])) == accuracies
    test.locator("button").press("Enter")
    assert test.get_attribute("aria-sort") == "descending"
    assert list(map(float, column(page, "Test accuracy")[:-1])) == accuracies[::-1]
    assert column(page, "Test accuracy")[-1] == DASH  # what is missing comes last
    heading(page, "Model").locator("button").click()
    assert test.get_attribute("aria-sort") is None
    models = [one.split(",")[0] for one in column(page, "Model")]
    assert models == sorted(models)


SEARCHES = {
    "sigmoid": ["sigmoid", "sigmoid_sgd"],
    "SIGMOID": ["sigmoid", "sigmoid_sgd"],
    "diverged": ["linear_overflow"],
    "  squared   linear ": ["linear", "linear_overflow", "assignment", "seeds"],
    "sweep": ["assignment", "seeds"],
    "<b>": [],
    ".*": [],
    "": ALL,
}


def test_a_search_keeps_the_rows_with_every_word(page):
    for text, kept in SEARCHES.items():
        page.fill("#words", text)
        assert names(page) == kept, text
        count = f"{len(kept)} of {len(ALL)} shown"
        assert page.inner_text("#count") == count, text


def test_the_runs_name_stays_in_sight_however_long_it_is(open_page, tmp_path):
    folders = [make_run(tmp_path / name) for name in ("a-very-long-folder-name-" * 8, "short")]
    write_report(ReportRequest(of_folders(folders), ["html"], "T", ""), tmp_path, print, print)
    page = open_page((tmp_path / "index.html").as_uri())
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 900})
        assert overflow(page) == 0
        box = page.locator(".scroll:has(#runs-table)")
        box.evaluate("(box) => box.scrollTo(box.scrollWidth, 0)")
        left = box.bounding_box()["x"]
        for cell in page.locator("#runs-table :is(th, td):first-child").all():
            place = cell.bounding_box()
            assert left <= place["x"] < left + 2
            assert place["width"] < 260


def test_a_page_of_many_runs_is_sorted_and_searched(open_page, tmp_path):
    folders = [make_run(tmp_path / f"run-{at:03}", accuracy=at / 1000) for at in range(150)]
    write_report(ReportRequest(of_folders(folders), ["html"], "T", ""), tmp_path, print, print)
    page = open_page((tmp_path / "index.html").as_uri())
    button = heading(page, "Validation accuracy").locator("button")
    button.click()
    button.click()
    assert float(column(page, "Validation accuracy")[0]) == 0.149
    page.fill("#words", "run-09")
    assert len(column(page, "Run")) == 10


def test_two_runs_are_compared_as_mnistlab_compares_them(page, runs):
    page.select_option("#first-run", "0")
    page.select_option("#second-run", "4")
    first, second = runs[0], runs[4]
    data = first.dataset
    flips = count_flips(first.predictions, second.predictions, data.test.labels, data.classes)
    table = page.locator("#comparison table", has_text="both right")
    rows = [row.split("\t") for row in table.inner_text().splitlines()[2:]]
    counts = (flips.both, flips.only_first, flips.only_second, flips.none)
    assert rows[0] == ["all", *map(str, counts)]
    for row, one in zip(rows[1:], flips.classes, strict=True):
        assert row == [str(value) for key, value in one.items() if key != "images"]
    numbers = page.locator("#comparison data").all()
    assert len(numbers) == 12
    for number in numbers:
        run = next(run for run in runs if run.name == number.get_attribute("data-run"))
        key = number.get_attribute("data-key")
        assert float(number.get_attribute("value")) == run.facts[key]
    differing = page.locator("#comparison table", has_text="Config").inner_text()
    assert "data.preprocess" in differing
    assert "batch_size" not in differing
    shown = min(8, flips.only_first) + min(8, flips.only_second)
    assert page.locator("#comparison .tiles canvas").count() == shown > 8
    labels = page.locator("#comparison .tiles figure").all()
    for tile in labels[: min(8, flips.only_first)]:
        index = int(tile.locator("canvas").get_attribute("aria-label").split()[-1])
        right, wrong = data.test.labels[index], second.predictions[index]
        assert tile.inner_text().strip() == f"{right}, not {wrong}"
        assert first.predictions[index] == right
    page.select_option("#second-run", "0")
    assert "two different runs" in page.inner_text("#comparison")
