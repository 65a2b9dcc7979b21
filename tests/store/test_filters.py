"""Filters mean what they say, and nothing but our own errors comes out of them."""

from contextlib import suppress
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnistlab.errors import InputError
from mnistlab.store.selection import MAX_DEPTH, MAX_LENGTH, parse

RUN = {
    "run": "20261123-174312-softmax-bf6e",
    "model": "linear",
    "learning_rate": 0.01,
    "epochs": 10,
    "early": True,
    "data.dataset": "mnist-mini",
    "data.preprocess": ["deskew", "standardize"],
    "validation.loss": 0.36,
    "started": "2026-11-23T17:43:12.739+00:00",
    "odd": "it's",
    "empty": [],
}


@pytest.mark.parametrize(
    "text",
    [
        "learning_rate = 0.01",
        "learning_rate == 1e-2",
        "learning_rate=+.01",
        "learning_rate != 0.02",
        "learning_rate < 1",
        "learning_rate <= 0.01 and learning_rate >= 0.01",
        "epochs = 10.0",
        "epochs > 9.5",
        "model = linear",
        "model = 'linear'",
        'odd = "it\'s"',
        "model != softmax",
        "data.dataset = mnist-mini",
        "early = true",
        "early != false",
        "model in (softmax, linear)",
        "epochs in (5, 10)",
        "missing in (null, 3)",
        "missing = null",
        "validation.loss = 36%",
        "validation.loss > 35.9% and validation.loss < +36.1%",
        "early = true and not odd = 36%",
        "model != null",
        "run contains softmax",
        "data.preprocess contains deskew",
        "started > 2026-11-01",
        "started < 2026-11-23T17:43:13",
        "not model = softmax",
        "not not model = linear",
        "not (missing > 1)",
        "(((epochs = 10)))",
        # and binds closer than or, not closer than and
        "model = linear or epochs = 1 and epochs = 2",
        "not epochs = 1 and model = linear",
        "not (epochs = 1 or epochs = 10) or model = linear",
    ],
)
def test_met(text):
    assert parse(text).matches(RUN)


@pytest.mark.parametrize(
    "text",
    [
        "learning_rate = 0.02",
        "learning_rate > 0.01",
        "model = '10'",
        "epochs = '10'",
        "epochs = true",
        "early = 1",
        "model = Linear",
        "model in (softmax)",
        # a run without the key meets no comparison with a value
        *("missing = 1", "missing != 1", "missing < 1", "missing contains a", "missing in (1)"),
        *("missing != null", "model = null"),
        "data.preprocess contains desk",
        "empty contains deskew",
        "(model = linear or epochs = 1) and epochs = 2",
        "not epochs = 10 or epochs = 1",
        "not model = linear and epochs = 10",
    ],
)
def test_not_met(text):
    assert not parse(text).matches(RUN)


@pytest.mark.parametrize("share", ["0.7", "0.28", "58.3", "0.1", "-7", ".5", "12.", "100"])
def test_a_percentage_is_the_nearest_number(share):
    assert parse(f"x = {share}%").matches({"x": float(Decimal(share) / 100)})
    assert parse(f"x = '{share}%'").matches({"x": f"{share}%"})


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "position 1: it ends too early; a filter is written like"),
        ("  ", "position 3: it ends too early"),
        ("epochs", "position 7: it ends too early"),
        ("epochs =", "position 9: it ends too early"),
        ("epochs = = 3", "position 10: '=' has no place here"),
        ("epochs > 3 learning_rate < 1", "position 12: 'learning_rate' has no place here"),
        ("(epochs > 3", r"position 1: \( is not closed"),
        ("epochs > 3)", r"position 11: '\)' has no place here"),
        ("epochs > 3, model = a", "position 11: ',' has no place here"),
        ("1 < epochs < 3", "position 12: '<' has no place here"),
        ("epochs in (1, model = a)", "position 15: 'model' has no place here"),
        ("epochs = 'a' 'b'", "position 14: \"'b'\" has no place here"),
        ("(epochs = 3) = 3", "position 2: 'epochs' has no place here"),
        ("epochs in ()", r"position 12: '\)' has no place here"),
        ("epochs in (3 4)", "position 14: '4' has no place here"),
        ("model = 'linear", "position 9: the quote ' is not closed"),
        ("epochs ! 3", "position 8: '!' has no place here; unequal is written !="),
        ("model = a\x1bb", r"position 10: '\\x1b' has no place here"),
        ("3 = epochs", "position 1: '3' has no place here"),
        ("and = 3", "position 1: 'and' has no place here"),
        ("'epochs' = 3", "position 1: \"'epochs'\" has no place here"),
        ("epochs < null", "position 8: true, false and null have no order"),
        ("model contains null", "nothing contains null"),
        ("__import__('os').system('true')", "position 17: '.system' has no place here"),
        ("a" * (MAX_LENGTH + 1), "longer than 2,000"),
        ("(" * 500 + "epochs = 1", "nested deeper than 50"),
        ("not " * (MAX_DEPTH + 1) + "epochs = 1", "nested deeper than 50"),
    ],
)
def test_what_is_no_filter(text, told):
    with pytest.raises(InputError, match=told):
        parse(text)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("model > 3", "position 7: model is text, which has no order with a number"),
        ("started > 2026", "as text it is '2026'"),
        ("epochs < ten", "epochs is a number, which has no order with text"),
        ("early < 3", "early is true or false"),
        ("data.preprocess = deskew", "is a list; write data.preprocess contains VALUE"),
        ("data.preprocess > 1", "is a list, which has no order"),
        ("epochs contains 1", "is a number, which contains nothing"),
    ],
)
def test_values_that_cannot_be_compared(text, told):
    with pytest.raises(InputError, match=told):
        parse(text).matches(RUN)


def test_the_keys_are_known_with_their_positions():
    keys = parse("epochs > 3 and (model = a or epochs = 1)").keys
    assert keys == {"epochs": 1, "model": 17}


def test_as_deep_as_allowed():
    text = "(" * (MAX_DEPTH - 1) + "epochs = 10" + ")" * (MAX_DEPTH - 1)
    assert parse(text).matches(RUN)
    assert parse(" or ".join(["epochs = 10"] * 100)).matches(RUN)


PIECES = st.sampled_from(
    [
        *("and", "or", "not", "in", "contains", "(", ")", ",", "=", "==", "!=", "<", "<=", ">"),
        *("true", "null", "'a", "b'", '""', "epochs", "learning_rate", "model", "missing", "early"),
        *("data.preprocess", "1", "1e-3", "-2.5", "1e999", "nan", "linear", "85%"),
        *("'", '"', "!", "é", "\x00", "\x9b"),
    ]
)


@given(st.one_of(st.text(max_size=60), st.lists(PIECES, max_size=30).map(" ".join)))
def test_only_our_own_errors_come_out(text):
    told = None
    try:
        condition = parse(text)
        assert condition.matches({}) in (True, False)
        assert condition.matches(RUN) in (True, False)
    except InputError as error:
        told = str(error)
    assert told is None or (told.startswith("filter") and told.isprintable())


SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5))


@given(
    st.dictionaries(st.sampled_from(["epochs", "model"]), SCALARS | st.lists(SCALARS, max_size=2)),
    st.sampled_from(["epochs", "model"]),
    st.sampled_from(["= 3", "!= a", "< 3", ">= a", "in (3, a, null)", "contains 3", "= 1e999"]),
)
def test_whatever_a_folder_says(facts, key, rest):
    with suppress(InputError):
        assert parse(f"{key} {rest}").matches(facts) in (True, False)
