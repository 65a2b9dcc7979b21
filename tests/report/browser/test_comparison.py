"""Two runs compared in the page, as mnistlab compares them."""

import numpy as np

from mnistlab.statistics import mcnemar_p
from mnistlab.store.diff import count_flips


def test_two_runs_are_compared_as_mnistlab_compares_them(page, runs):
    page.select_option("#first-run", "1")
    page.select_option("#second-run", "3")
    first, second = runs[1], runs[3]
    data = first.dataset
    flips = count_flips(first.predictions, second.predictions, data.test.labels, data.classes)
    said = page.inner_text("#flips")
    assert f"{flips.only_first} only straight gets right, {flips.only_second} only" in said
    assert f"such a difference would be rare by chance (p = {flips.p:.2e})." in said.replace(
        "e-", "e-0"
    )
    table = page.locator("#comparison table", has_text="both right")
    rows = [row.split("\t") for row in table.inner_text().splitlines()[2:]]
    assert rows[0] == [
        "all",
        *map(str, (flips.both, flips.only_first, flips.only_second, flips.none)),
    ]
    for row, one in zip(rows[1:], flips.classes, strict=True):
        assert row == [one.name, *map(str, (one.both, one.only_first, one.only_second, one.none))]
    for number in page.locator("#comparison data").all():
        run = next(run for run in runs if run.name == number.get_attribute("data-run"))
        key = number.get_attribute("data-key")
        assert float(number.get_attribute("value")) == run.facts[key]
    differing = page.locator("#comparison table", has_text="Config").inner_text()
    assert "data.preprocess" in differing
    assert "batch_size" not in differing
    assert page.locator("#comparison .tiles canvas").count() == 16
    page.select_option("#second-run", "1")
    assert "two different runs" in page.inner_text("#comparison")


def test_mcnemars_p_is_mnistlabs_own_to_six_digits(page):
    pairs = [(0, 0), (0, 1), (1, 1), (3, 9), (25, 10), (122, 780), (900, 1000), (0, 900), (5, 4000)]
    computed = page.evaluate("(pairs) => pairs.map(([one, other]) => mcnemarP(one, other))", pairs)
    expected = [mcnemar_p(*pair) for pair in pairs]
    np.testing.assert_allclose(computed, expected, rtol=1e-7)


def test_what_may_well_be_chance_is_called_so(page):
    flips = {"total": {"onlyFirst": 20, "onlySecond": 25}, "p": 0.55146}
    said = page.evaluate("(flips) => sayFlips(flips, ['one', 'other'])", flips)
    assert said == (
        "45 test images flip: 20 only one gets right, 25 only other. By McNemar's exact test such "
        "a difference may well be chance (p = 0.551)."
    )


def test_accuracies_differ_by_percentage_points(page, runs):
    page.select_option("#first-run", "0")
    page.select_option("#second-run", "1")
    points = 100 * (runs[1].facts["test.accuracy"] - runs[0].facts["test.accuracy"])
    row = page.locator("#comparison tr", has_text="test accuracy").inner_text()
    assert row.split("\t")[-1] == f"{points:+.2f} pp".replace("-", "\N{MINUS SIGN}")
    loss = page.locator("#comparison tr", has_text="test loss").inner_text()
    assert "%" not in loss.split("\t")[-1]
    assert "pp" not in loss
