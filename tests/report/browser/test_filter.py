"""The page's filter: it means what `runs list --filter` means, and says what it cannot read."""

import json

import numpy as np
import pytest

from mnistlab.errors import InputError
from mnistlab.store.filters import parse
from mnistlab.store.selection import select
from tests.report.browser.looks import names

ALL = ["plain", "straight", "scaled", "squashed"]

# Asks the page's own filter; returns the runs that it keeps and its warning, or what is wrong.
ASK = """(filters) => {
  const { facts } = JSON.parse(document.getElementById("data").textContent);
  const rows = readRows(document.getElementById("runs-table"), facts);
  return filters.map((text) => {
    try {
      const { kept, warning } = applyFilter(text, rows, facts.keys);
      return [rows.filter((_, at) => kept[at]).map((one) => one.facts.get("run")), warning];
    } catch (error) {
      if (!(error instanceof FilterError)) throw error;
      return error.message;
    }
  });
}"""


def expected(text, runs):
    """Return what `runs list` makes of a filter, as the page says it."""
    try:
        chosen = select([run.facts for run in runs], parse(text))
    except InputError as error:
        return str(error)
    return [[facts["run"] for facts in chosen.runs], chosen.warning or ""]


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("", ALL),
        ("straight", ["straight"]),
        ("STRAIGHT", ["straight"]),
        ("adam", ["squashed"]),  # a fact that has no column
        ("softmax not deskewed", ["straight", "scaled"]),
        ("linear or adam", ALL),
        ("'softmax cross'", ["straight", "scaled"]),
        ("model = sigmoid", ["squashed"]),
        ("name=plain", ["plain"]),
        ("batch_size = 100 and epochs < 5", ["plain", "straight", "scaled"]),
        ("model!=sigmoid loss=squared_error", ["plain"]),
        ("learning_rate < 0.01", ["squashed"]),
        ("learning_rate>=1% status=completed", ["plain", "straight", "scaled"]),
        ("data.preprocess contains deskew or model = sigmoid", ["straight", "squashed"]),
        ("test.accuracy>99.9%", []),
        ("gap>-100 LINEAR", ["plain"]),
        ("nowhere", []),
    ],
)
def test_what_is_kept(page, text, kept):
    page.fill("#filter-text", text)
    assert names(page) == kept
    count = page.inner_text("#filter-count")
    assert count == ("4 shown" if text == "" else f"{len(kept)} of 4 shown")
    assert page.get_attribute("#filter-text", "aria-invalid") == "false"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("accuracy>0.9", "position 1: no such key: accuracy; did you mean test.accuracy?"),
        ("plain and lerning_rate > 1", "no such key: lerning_rate; did you mean learning_rate?"),
        ("zzzz = 1", "no such key: zzzz; the filter's help lists them all"),
        ("epochs >", "position 9: expected a value"),
        ("epochs ! 3", "unequal is written !="),
        ("(plain", "position 7: expected ')', but here is the end"),
        ("plain and", "expected a key, such as learning_rate, or a word, but here is the end"),
        ("<script>", "position 1: expected a key"),
        ("name = 'plain", "the quote ' is not closed"),
        ("model > 3", "model is text, which has no order with a number"),
        ("(" * 51 + "plain", "nested deeper than 50"),
        ("a" * 2001, "longer than 2000"),
        ("__proto__ = 1", "no such key: __proto__"),
    ],
)
def test_what_cannot_be_read_is_told_and_hides_nothing(page, text, told):
    page.fill("#filter-text", "sigmoid")
    page.fill("#filter-text", text)
    assert told in page.inner_text("#filter-count")
    assert names(page) == ALL
    assert page.get_attribute("#filter-text", "aria-invalid") == "true"
    page.fill("#filter-text", "sigmoid")
    assert page.inner_text("#filter-count") == "1 of 4 shown"
    assert page.get_attribute("#filter-text", "aria-invalid") == "false"


def test_a_thousand_filters_keep_the_runs_that_the_command_keeps(page, runs):
    generator = np.random.default_rng(0)
    facts = {key: value for run in runs for key, value in run.facts.items()}
    filters = [_draw(generator, facts, depth=3) for _ in range(1000)]
    answers = page.evaluate(ASK, filters)
    wanted = [expected(text, runs) for text in filters]
    for text, answer, want in zip(filters, answers, wanted, strict=True):
        assert answer == want, text
    kept = [len(want[0]) for want in wanted if isinstance(want, list)]
    assert min(map(kept.count, range(5))) > 10  # they tell the runs apart
    assert sum(isinstance(want, str) for want in wanted) > 30
    assert sum(isinstance(want, list) and want[1] != "" for want in wanted) > 10


def _draw(generator, facts, depth):
    """Return a filter of the command's grammar about these facts."""

    def one_of(values):
        return values[generator.integers(len(values))]

    kind = generator.random()
    if depth and kind < 0.5:
        inner = [_draw(generator, facts, depth - 1) for _ in range(generator.integers(1, 4))]
        joined = one_of([" and ", " or "]).join(inner)
        return one_of([joined, f"({joined})", f"not ({joined})"])
    key = one_of([*facts, "momentum", "schedule"])
    values = [_written(one_of([facts.get(key), one_of(list(facts.values()))])) for _ in range(3)]
    if kind < 0.6:
        return f"{key} in ({', '.join(values)})"
    if kind < 0.7:
        return f"{key} contains {one_of(['deskew', '1', 'linear', values[0]])}"
    sign = one_of(["=", "==", "!=", "<", "<=", ">", ">="])
    return f"{key}{one_of([sign, f' {sign} '])}{one_of([values[0], '50%', '2.5', 'null'])}"


def _written(value):
    """Return a fact as a filter's value."""
    if isinstance(value, list):
        return "deskew"
    return json.dumps(value)
