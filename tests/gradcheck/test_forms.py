"""Files in the forms that courses use: a right one passes in each, a mistake is found in each."""

import re

import pytest

from mnistlab.gradcheck.own_file import judge
from mnistlab.gradcheck.suites import Options

SINGLE = """
    e = np.exp(a - a.max())
    p = e / e.sum()
    loss, g = -np.log(p[y]), p.copy()
    g[y] -= 1
"""
BATCH = """
    n = len(a)
    e = np.exp(a - a.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    loss, g = -np.log(p[range(n), y]).mean(), p.copy()
    g[range(n), y] -= 1
    g /= n
"""
WEIGHTS = BATCH.replace("n = len(a)", "a = X @ W; n = len(a)").replace("g /= n", "g = X.T @ g / n")
COLUMNS = """
    a = W @ X
    n = a.shape[1]
    e = np.exp(a - a.max(axis=0))
    p = e / e.sum(axis=0)
    loss, g = -np.log(p[y, range(n)]).mean(), p.copy()
    g[y, range(n)] -= 1
    g = g @ X.T / n
"""
PENALTY = WEIGHTS + "    loss += reg * np.sum(W * W); g += 2 * reg * W\n"


def two(parameters, body):
    return "".join(
        f"def {name}({parameters}):{body}    return {result}\n"
        for name, result in (("loss", "loss"), ("gradient", "g"))
    )


def pair(parameters, body, name="softmax_loss"):
    return f"def {name}({parameters}):{body}    return loss, g\n"


FORMS = {
    "(a, y)": (two("a, y", SINGLE), "one vector, y as class numbers"),
    "(y, a)": (two("y, a", SINGLE), "takes y, then one vector"),
    "a batch of (y, a)": (two("y, a", BATCH), "takes y, then a batch of rows"),
    "both of one vector": (pair("a, y", SINGLE), "one vector"),
    "both of a batch": (pair("a, y", BATCH), "a batch of rows"),
    "both of (y, a)": (pair("y, a", BATCH), "takes y, then a batch of rows"),
    "a gradient with the loss": (pair("a, y", BATCH, "loss_and_grad"), "a batch of rows"),
    "weights": (two("W, X, y", WEIGHTS), "weights and features: a batch of rows"),
    "both by weights": (pair("W, X, y", WEIGHTS), "weights and features: a batch of rows"),
    "weights in columns": (pair("W, X, y", COLUMNS), "weights and features: a batch of columns"),
    "weights with a penalty": (pair("W, X, y, reg", PENALTY), "weights and features"),
}


def report_on(tmp_path, text, *names):
    path = tmp_path / "mine.py"
    path.write_text(f"import numpy as np\n{text}")
    return judge(path, *(names or (None, None)), Options())


@pytest.mark.parametrize("form", FORMS)
def test_a_right_file_passes_in_each_form(tmp_path, form):
    text, note = FORMS[form]
    report = report_on(tmp_path, text)
    assert report.passed, report.to_dict()
    assert any(note in told for told in report.notes), report.notes
    assert not any("is not the softmax" in told for told in report.notes)


MISTAKES = {
    "no one-hot": (r"g\[.*y.*\] -= 1", "pass", "the one-hot target is not subtracted"),
    "sign": (
        r"loss, g = (.*), p.copy\(\)",
        r"loss, g = -\1, p.copy()",
        "the minus sign is missing",
    ),
    "base two": (r"np.log\(", "np.log2(", "must be the natural one, not to base 2"),
    "factor": (r"return (loss, )?g\n", r"return \g<1>2 * g\n", "2 times what it should be"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
@pytest.mark.parametrize("form", FORMS)
def test_a_mistake_is_found_and_named_in_each_form(tmp_path, form, mistake):
    pattern, instead, sentence = MISTAKES[mistake]
    text, changes = re.subn(pattern, instead, FORMS[form][0])
    assert changes
    report = report_on(tmp_path, text)
    wrong = [verdict.diagnosis for verdict in report.verdicts if not verdict.passed]
    assert wrong
    assert re.search(sentence, wrong[0]), wrong


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("g += 2 * reg * W", "g += reg * W"),
        ("g += 2 * reg * W", "pass"),
        ("X.T @ g / n", "X @ g / n"),
        ("X.T @ g / n", "X.T @ g"),
    ],
)
def test_what_is_wrong_with_the_weights_alone_is_found(tmp_path, right, wrong):
    assert right in PENALTY
    text = pair("W, X, y, reg", PENALTY.replace(right, wrong))
    assert not report_on(tmp_path, text).passed


def test_each_function_that_returns_both_is_judged(tmp_path):
    text = pair("a, y", BATCH, "loss_naive") + pair("a, y", BATCH, "loss_vectorized")
    report = report_on(tmp_path, text)
    assert report.passed
    assert "the gradient of loss_vectorized" in report.title
    second = "pass".join(text.rsplit("g /= n", 1))
    report = report_on(tmp_path, second)
    (wrong,) = {one.what for one in report.verdicts if not one.passed}
    assert "loss_vectorized" in wrong
    assert report_on(tmp_path, second, "loss_naive", "loss_naive").passed


def test_one_function_that_returns_no_pair_is_told_what_to_return(tmp_path):
    report = report_on(tmp_path, f"def loss(a, y):{SINGLE}    return loss\n")
    (verdict,) = report.verdicts
    assert "must return (loss, gradient), or name one with --gradient" in verdict.diagnosis


def test_functions_of_probabilities_are_told_as_such(tmp_path):
    text = "def cross_entropy(p, y): return -np.log(p[y])\ndef gradient(p, y):\n    g = 0 * p\n"
    report = report_on(tmp_path, f"{text}    g[y] = -1 / p[y]\n    return g\n")
    assert report.passed, report.to_dict()
    assert any("takes probabilities" in note for note in report.notes)
    report = report_on(tmp_path, f"{text}    g[y] = 1 / p[y]\n    return g\n")
    assert not report.passed


@pytest.mark.parametrize(("dtype", "passes"), [("float32", True), ("float16", False)])
def test_short_numbers_are_judged_as_such(tmp_path, dtype, passes):
    cast = SINGLE.replace("e = np.exp", f"a = a.astype(np.{dtype})\n    e = np.exp")
    report = report_on(tmp_path, two("a, y", cast))
    assert report.passed is passes
    assert not any("is not the softmax" in note for note in report.notes)
    if not passes:
        assert "loss computes in float16" in report.verdicts[0].diagnosis


def test_the_argument_that_is_changed_in_place_is_named(tmp_path):
    spoiled = BATCH.replace("g /= n", "g /= n\n    y[:] = 0")
    report = report_on(tmp_path, two("a, y", spoiled))
    assert "loss changes y in place in line 9: work on a copy, such as y = y.copy()" in (
        report.verdicts[0].diagnosis
    )
