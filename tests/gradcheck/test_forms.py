"""Files in the forms that courses use: a right one passes in each, each mistake gets its name.

Here each form is right in one spelling and has one mistake, so that each spelling comes several
times and each mistake once at least, always the same; tests/stress/gradients.py judges all forms in
all spellings with all mistakes.
"""

import re
from collections import Counter
from itertools import cycle

import pytest

from mnistlab.errors import InputError
from mnistlab.gradcheck.check import Options
from mnistlab.gradcheck.mistakes import MISTAKES
from mnistlab.gradcheck.own_file import judge
from mnistlab.gradcheck.user_file import Names
from tests.gradcheck.homework import CHANGES, FORMS, SPELLINGS, Form, write

QUICK = Options(points=1, classes=4)


def impossible(form, name):
    """Return why a mistake cannot be made in a form, or nothing where it can."""
    roles = form.takes.split(", ")
    of_one = form.reduction is None
    reasons = {
        "batch_division_missing": form.reduction != "mean" and "nothing is averaged",
        "averaged_not_summed": form.reduction != "sum" and "nothing is summed over a batch",
        "transposed": of_one and "W" not in roles and "a vector has no transpose",
        "sigmoid_derivative_missing": form.model != "sigmoid" and "there is no sigmoid",
        "sigmoid_derivative_twice": form.model != "sigmoid" and "there is no sigmoid",
        "penalty_missing": "reg" not in roles and "there is no penalty",
        "bias_missing": "b" not in roles and "there are no biases",
        "unshifted_softmax": form.model != "softmax" and "there is no softmax",
    }
    return reasons.get(name) or ""


PAIRS = [(form, name) for form in FORMS for name in MISTAKES if not impossible(FORMS[form], name)]


def covering():
    """Return pairs in which each form comes once, with the mistake that came least so far."""
    counts = Counter()
    for form in FORMS:
        possible = [name for other, name in PAIRS if other == form]
        for name in sorted(possible, key=lambda name: counts[name])[:1]:
            counts[name] += 1
            yield form, name


COVERING = list(covering())
SPELT = list(zip(FORMS, cycle(SPELLINGS)))


def report_on(tmp_path, text, names=Names(), options=QUICK):  # noqa: B008 - it is frozen
    path = tmp_path / "mine.py"
    path.write_text(text)
    return judge(path, options, names)


def problems_of_a_right_file(path, form, spelling, options=QUICK):
    path.write_text(write(FORMS[form], spelling))
    report = judge(path, options, Names())
    is_right = report.passed and not any("is not the softmax" in note for note in report.notes)
    return [] if is_right else [f"{form}, {spelling}: {report.to_dict()}"]


def problems_of_a_mistake(path, form, spelling, name, options=QUICK):
    path.write_text(write(FORMS[form], spelling, name))
    report = judge(path, options, Names())
    is_named = MISTAKES[name].sentence in "; ".join(report.faults)
    is_right = report.verdict == "wrong" and is_named
    return [] if is_right else [f"{form}, {spelling}, {name}: {report.to_dict()}"]


def test_every_mistake_can_be_written_and_stands_in_a_form():
    assert CHANGES.keys() == set(MISTAKES)
    counts = Counter(name for _, name in COVERING)
    assert all(counts[name] >= 1 for name in MISTAKES), counts


def test_each_spelling_is_right_by_weights_and_by_pre_activations():
    kinds = {(spelling, "W" in FORMS[form].takes) for form, spelling in SPELT}
    assert len(kinds) == 2 * len(SPELLINGS)


@pytest.mark.parametrize(("form", "spelling"), SPELT)
def test_a_right_file_passes_in_each_form(tmp_path, form, spelling):
    assert problems_of_a_right_file(tmp_path / "mine.py", form, spelling) == []


@pytest.mark.parametrize(("form", "name"), COVERING)
def test_each_mistake_gets_its_name(tmp_path, form, name):
    spelling = list(SPELLINGS)[COVERING.index((form, name)) % len(SPELLINGS)]
    assert problems_of_a_mistake(tmp_path / "mine.py", form, spelling, name) == []


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ("one vector", "takes one vector, y as class numbers (softmax cross-entropy)"),
        ("one vector, y first", "takes y, then one vector, y as class numbers"),
        ("one vector, from one", "takes one vector, y as class numbers from 1"),
        ("rows, sum, one-hot", "takes a batch of rows, y as one-hot"),
        ("rows, mean, from one", "takes a batch of rows, y as class numbers from 1"),
        ("columns, mean", "takes a batch of columns, y as class numbers"),
        ("linear regression, columns",
         ("takes weights and features: a batch of columns, (W, b, X, y) with W (C, D), "
          "y as one-hot (squared error)")),
        ("linear regression, one",
         ("takes weights and features: one vector, (W, b, X, y) with W (D, C), y as one-hot "
          "(squared error)")),
        ("sigmoid regression, rows", "y as one-hot (squared error of a sigmoid)"),
        ("softmax by weights", "(W, X, y) with W (D, C), y as class numbers (softmax cross-"),
    ],
)  # fmt: skip
def test_the_form_is_told(tmp_path, form, words):
    notes = report_on(tmp_path, write(FORMS[form], "two functions")).notes
    assert any(words in note for note in notes), notes


TWICE = [
    ("rows, mean", "sign", "batch_division_missing"),
    ("rows, sum, one-hot", "factor_two", "averaged_not_summed"),
    ("rows, mean", "transposed", "sign"),
    ("rows, mean", "one_hot_added", "batch_division_missing"),
    ("one vector", "sign", "one_hot_missing"),
    ("softmax by weights, penalty", "penalty_missing", "batch_division_missing"),
    ("softmax by weights, penalty", "penalty_missing", "sign"),
    ("sigmoid regression, rows", "sigmoid_derivative_missing", "factor_two"),
    ("linear regression, rows", "transposed", "factor_two"),
]


@pytest.mark.parametrize(("form", "one", "other"), TWICE)
def test_two_mistakes_are_both_named(tmp_path, form, one, other):
    report = report_on(tmp_path, write(FORMS[form], "two functions", one, other))
    told = "; ".join(report.faults)
    assert MISTAKES[one].sentence in told, told
    assert MISTAKES[other].sentence in told, told


def test_what_nobody_knows_may_be_more_than_one_mistake(tmp_path):
    strange = [("dA = (P - T)", "dA = (P - T) ** 2 + P * A")]
    text = write(FORMS["one vector"], "two functions", changes=strange)
    (told, *_) = report_on(tmp_path, text).faults
    assert "no known mistake explains it, there may be more than one" in told


def test_weights_and_biases_with_different_mistakes_are_both_told(tmp_path):
    text = write(
        FORMS["linear regression, rows"],
        "two functions",
        "bias_missing",
        changes=[("np.asarray(G)", "2 * np.asarray(G)")],
    )
    told = report_on(tmp_path, text).faults
    assert [one.partition(":")[0] for one in told] == ["by weights", "by biases"]
    assert MISTAKES["factor_two"].sentence in told[0]
    assert MISTAKES["bias_missing"].sentence in told[1]


@pytest.mark.parametrize("form", ["one vector, from one", "rows, mean, from one"])
def test_a_gradient_that_counts_from_0_where_the_loss_counts_from_1_is_wrong(tmp_path, form):
    right = write(FORMS[form], "two functions")
    loss, gradient = right.split("def gradient")
    for text in (
        f"{loss}def gradient{gradient.replace('(y) - 1', '(y)')}",
        f"{loss.replace('(y) - 1', '(y)')}def gradient{gradient}",
    ):
        report = report_on(tmp_path, text, options=Options(points=1))
        assert report.verdict == "wrong", report.to_dict()
        assert "the target is subtracted at the wrong class, one beside" in report.faults[0]


def test_the_loss_may_be_at_fault(tmp_path):
    faults = {
        "-(T * np.log(P))": ("(T * np.log(P))", "the minus sign is missing"),
        "np.log(P)": ("np.log2(P)", "must be the natural one, not to base 2"),
        "T * np.log(P)": ("T * P", "the logarithm is missing"),
    }
    for form in ("one vector", "rows, mean", "softmax by weights"):
        right = write(FORMS[form], "two functions")
        loss, gradient = right.split("def gradient")
        for old, (new, sentence) in faults.items():
            report = report_on(tmp_path, f"{loss.replace(old, new)}def gradient{gradient}")
            assert report.verdict == "wrong"
            assert "gradient is right (softmax cross-entropy), loss is not" in report.faults[0]
            assert sentence in report.faults[0]


def test_a_loss_and_a_gradient_that_are_both_wrong_are_both_told(tmp_path):
    right = write(FORMS["one vector"], "two functions")
    loss, gradient = right.split("def gradient")
    wrong = gradient.replace("dA = ", "dA = 2 * ")
    report = report_on(tmp_path, f"{loss.replace('-(T', '(T')}def gradient{wrong}")
    assert "the minus sign is missing" in report.faults[0]
    assert MISTAKES["factor_two"].sentence in report.faults[0]


@pytest.mark.parametrize(
    ("right", "wrong", "sentence"),
    [
        ("reg / 2 *", "reg *", "the penalty's part is 0.5 times what it should be"),
        ("L.mean()", "L.mean() / 2", "loss is not: .*: it is half of what it should be"),
    ],
)
def test_what_is_wrong_beside_the_data_is_found(tmp_path, right, wrong, sentence):
    text = write(FORMS["softmax by weights, penalty"], "two functions", changes=[(right, wrong)])
    assert re.search(sentence, report_on(tmp_path, text).faults[0])


SWAPPED = """
import numpy as np
def loss({0}, {1}):
    p = np.exp({2} - {2}.max()); p = p / p.sum()
    return -np.log(p[{3}])
def gradient({0}, {1}):
    p = np.exp({2} - {2}.max()); p = p / p.sum()
    {4}p[{3}] -= 1
    return p
"""


def test_a_signature_settles_what_the_names_do_not_tell(tmp_path):
    for first, second, a, y in (("u", "v", "u", "v"), ("u", "v", "v", "u"), ("y", "t", "y", "t")):
        assert report_on(tmp_path, SWAPPED.format(first, second, a, y, "")).passed
    unknown = """
import numpy as np
def loss(u, v): return (u ** 4).sum() + (u * v).sum()
def gradient(u, v): return 4 * u ** 3 - v
"""
    report = report_on(tmp_path, unknown)
    assert report.verdict == "cannot be judged"
    assert '--signature "y, a"' in report.faults[0]
    assert report_on(tmp_path, unknown, Names(signature="a, y")).verdict == "wrong"


THREE = """
import numpy as np
def loss(p, q, r): return ((p @ q - r) ** 2).sum()
def gradient(p, q, r): return 2 * p.T @ (p @ q - r)
"""


def test_functions_of_unknown_arguments_are_told_the_signature_that_would_help(tmp_path):
    report = report_on(tmp_path, THREE)
    assert report.verdict == "cannot be judged"
    hint = 'loss takes (p, q, r); say what they are, such as --signature "W, X, y"'
    assert hint in report.faults[0]
    report = report_on(tmp_path, THREE, Names(signature="X, W, y"))
    assert report.passed, report.to_dict()


@pytest.mark.parametrize(
    ("signature", "message"),
    [
        ("y, q", "'y, q' must name y, and either a or both W and X, out of a, y, W, b, X, reg"),
        ("y, y", "'y, y' must name y"),
        ("a", "'a' must name y"),
        ("W, y", "must name y, and either a or both W and X"),
        ("a, W, X, y", "must name y, and either a or both W and X"),
        ("", "'' must name y"),
    ],
)
def test_a_signature_that_says_nothing_is_refused(tmp_path, signature, message):
    with pytest.raises(InputError, match=re.escape(message)):
        report_on(tmp_path, THREE, Names(signature=signature))


@pytest.mark.parametrize(
    "names",
    [
        Names("Criterion.forward", "Criterion.backward"),
        Names("Criterion.forward"),
        Names(gradient="Criterion.backward"),
        Names("Criterion"),
    ],
)
def test_methods_are_found_by_their_names(tmp_path, names):
    text = write(Form(), "forward and backward") + "\n\n" + write(Form(), "two functions", "sign")
    report = report_on(tmp_path, text, names)
    assert report.passed
    assert "Criterion.backward against Criterion.forward" in report.title
    assert report_on(tmp_path, text).verdict == "wrong"


def test_each_of_several_losses_in_a_file_is_judged(tmp_path):
    one = write(FORMS["rows, mean"], "a pair").replace("loss_function", "loss_naive")
    two = write(FORMS["rows, mean"], "a pair", "sign").replace("loss_function", "loss_fast")
    report = report_on(tmp_path, one + "\n\n" + two)
    (wrong,) = {found.what for found in report.verdicts if not found.passed}
    assert "loss_fast" in wrong
    assert report_on(tmp_path, one + two, Names("loss_naive", "loss_naive")).passed
    related = "".join(
        write(FORMS["rows, mean"], "two functions", *mistakes)
        .replace("def loss", f"def {name}_loss")
        .replace("def gradient", f"def d_{name}_loss")
        for name, mistakes in (("plain", ()), ("other", ("sign",)))
    )
    report = report_on(tmp_path, related)
    (wrong,) = {found.what for found in report.verdicts if not found.passed}
    assert "d_other_loss" in wrong


def test_a_batch_is_not_taken_for_one_vector_with_a_strange_loss(tmp_path):
    text = """
import numpy as np
def loss(a, y):
    z = a - a.max(axis=-1, keepdims=True)
    return -(y * (z - np.log(np.exp(z).sum(axis=-1, keepdims=True)))).sum() / len(a)
def gradient(a, y):
    e = np.exp(a - a.max(axis=-1, keepdims=True))
    return (e / e.sum(axis=-1, keepdims=True) - y) / len(a)
"""
    for one, name in (
        (text, "softmax cross-entropy"),
        (write(FORMS["sigmoid of rows"], "two functions"), "squared error of a sigmoid"),
    ):
        report = report_on(tmp_path, one)
        assert report.passed
        taken = [note for note in report.notes if note.startswith("takes")]
        assert taken == [f"takes a batch of rows, y as one-hot ({name})"]


def test_gradients_by_weights_and_by_biases_may_be_two_functions(tmp_path):
    form = FORMS["linear regression, rows"]
    lines = form.body()
    for wrong in ("", "2 * "):
        text = "import numpy as np\n" + "".join(
            f"def {name}({form.takes}):\n"
            + "".join(f"    {line}\n" for line in lines)
            + f"    return {result}\n"
            for name, result in (("loss", "loss"), ("grad_W", "G"), ("bias_gradient", f"{wrong}g"))
        )
        report = report_on(tmp_path, text)
        assert {one.what.rpartition(" ")[2] for one in report.verdicts} == {"weights", "biases"}
        assert [one.passed for one in report.verdicts] == [True, not wrong]


def test_a_binary_regression_is_judged(tmp_path):
    text = """
import numpy as np
def sigmoid(z): return 1 / (1 + np.exp(-z))
def costFunction(theta, X, y):
    h = sigmoid(X @ theta)
    return (-y * np.log(h) - (1 - y) * np.log(1 - h)).mean()
def gradient(theta, X, y):
    return X.T @ (sigmoid(X @ theta) - y) / len(y)
"""
    report = report_on(tmp_path, text)
    assert report.passed, report.to_dict()
    assert any("with W (D,), y as 0 or 1" in note for note in report.notes)
    report = report_on(tmp_path, text.replace("- y) / len(y)", "- y)"))
    assert MISTAKES["batch_division_missing"].sentence in report.faults[0]


def test_functions_of_probabilities_are_told_as_such(tmp_path):
    text = "import numpy as np\ndef cross_entropy(p, y): return -np.log(p[y])\n"
    by_outputs = "def gradient(p, y):\n    g = 0 * p\n    g[y] = {0}1 / p[y]\n    return g\n"
    by_inputs = "def gradient(p, y):\n    g = p.copy()\n    g[y] {0}= 1\n    return g\n"
    inside = (
        "def gradient(a, y):\n    g = np.exp(a) / np.exp(a).sum()\n    g[y] {0}= 1\n    return g\n"
    )
    for gradient, right, wrong, note in (
        (by_outputs, "-", "+", "takes one vector of probabilities, y"),
        (by_inputs, "-", "+", "of probabilities, with the gradient by the pre-activations"),
        (inside, "-", "+", "of pre-activations, of which the loss takes the softmax"),
    ):
        report = report_on(tmp_path, text + gradient.format(right))
        assert all(one.passed for one in report.verdicts), report.to_dict()
        assert any(note in told for told in report.notes), report.notes
        assert report_on(tmp_path, text + gradient.format(wrong)).verdict == "wrong"


@pytest.mark.parametrize(
    ("dtype", "verdict"), [("float32", "right"), ("float16", "cannot be judged")]
)
def test_short_numbers_are_judged_as_such(tmp_path, dtype, verdict):
    cast = [
        ("E = np.exp(A", f"A = A.astype(np.{dtype}); E = np.exp(A"),
        ("P - T", f"P - T.astype(np.{dtype})"),
    ]
    report = report_on(tmp_path, write(Form(), "two functions", changes=cast))
    assert report.verdict == verdict, report.to_dict()
    if verdict != "right":
        assert "computes in float16" in report.verdicts[0].diagnosis


def test_the_argument_that_is_changed_in_place_is_named(tmp_path):
    spoiled = [("dA /= len(A)", "dA /= len(A); y[:] = 0")]
    report = report_on(tmp_path, write(FORMS["rows, mean"], "two functions", changes=spoiled))
    assert re.search(
        r"loss changes y in place in line \d+: work on a copy, such as y = y.copy\(\)",
        report.verdicts[0].diagnosis,
    )
