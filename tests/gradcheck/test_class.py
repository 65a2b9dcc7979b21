"""A class of files, and files as they are found, each with the verdict that it deserves."""

import json

import pytest

from mnistlab.errors import InputError
from mnistlab.gradcheck.check import Options
from mnistlab.gradcheck.mistakes import MISTAKES
from mnistlab.gradcheck.own_file import judge
from tests.faults.command import invoke
from tests.gradcheck.homework import FORMS, write
from tests.gradcheck.odd_files import HEAD, RIGHT
from tests.gradcheck.students import UNJUDGED, WRONG

KINDS = {
    "one vector": ("one vector", ()),
    "the label first": ("one vector, y first", ()),
    "classes counted from one": ("rows, mean, from one", ()),
    "one-hot rows, summed": ("rows, sum, one-hot", ()),
    "columns": ("columns, mean", ()),
    "softmax with weights and a penalty": ("softmax by weights, penalty", ()),
    "linear regression of one image": ("linear regression, one", ()),
    "linear regression in columns": ("linear regression, columns", ()),
    "sigmoid regression in rows": ("sigmoid regression, rows", ()),
    "a wrong sign": ("one vector", ("sign",)),
    "no division by the batch": ("rows, mean", ("batch_division_missing",)),
    "a mean where the loss is a sum": ("linear regression, penalty", ("averaged_not_summed",)),
    "a transposed gradient": ("linear regression, rows", ("transposed",)),
    "no target": ("sigmoid regression, one", ("one_hot_missing",)),
    "the target added": ("rows, sum, one-hot", ("one_hot_added",)),
    "no derivative of the sigmoid": ("sigmoid regression, rows", ("sigmoid_derivative_missing",)),
    "no penalty in the gradient": ("softmax by weights, penalty", ("penalty_missing",)),
    "no gradient by the biases": ("softmax by all, from one", ("bias_missing",)),
    "a sign and the division by the batch": ("rows, mean", ("sign", "batch_division_missing")),
    "a name that does not exist": ("rows, mean", None),
}
"""Twenty kinds of files, nine of them right: a form, and its mistakes; None for one that fails."""

SPELT = ("two functions", "a pair", "forward and backward of dout")


def file_of(kind, spelling):
    form, mistakes = KINDS[kind]
    crash = [("dA /= len(A)", "dA /= lenght")] if mistakes is None else []
    return write(FORMS[form], spelling, *(mistakes or ()), changes=crash)


def problems_of_a_class(folder, files):
    """Judge files of some kinds and spellings by one command; return what is wrong with that."""
    folder.mkdir()
    for kind, spelling in files:
        (folder / f"{kind}, {spelling}.py").write_text(file_of(kind, spelling))
    outcome = invoke("gradcheck", "--target", folder, "--points", 1, "--json")
    assert (outcome.code, outcome.err) == (1, "")
    found = {one["who"].removesuffix(".py"): one for one in json.loads(outcome.out)["targets"]}
    assert found.keys() == {f"{kind}, {spelling}" for kind, spelling in files}
    return [
        one
        for kind, spelling in files
        if not is_as_expected(kind, one := found[f"{kind}, {spelling}"])
    ]


def is_as_expected(kind, grade):
    mistakes, told = KINDS[kind][1], grade["diagnosis"]
    if mistakes is None:
        return grade["verdict"] == "cannot be judged" and "'lenght' is not defined" in told
    is_named = all(MISTAKES[name].sentence in told for name in mistakes)
    verdict = "wrong" if mistakes else "right"
    return grade["verdict"] == verdict and is_named and grade["form"].startswith("takes ")


def test_files_of_all_kinds_are_judged_rightly_by_one_command(tmp_path):
    """Some kinds in one spelling; all of them in all spellings by tests/stress/gradients.py."""
    kinds = [*[*KINDS][:-1:3], [*KINDS][-1]]
    files = [(kind, SPELT[at % len(SPELT)]) for at, kind in enumerate(kinds)]
    assert problems_of_a_class(tmp_path / "class", files) == []


QUICK = Options(points=1)
"""One random point; tests/stress/gradients.py takes three."""


def verdict_on(tmp_path, text, options=QUICK):
    path = tmp_path / "mine.py"
    path.write_text(HEAD + text)
    try:
        report = judge(path, options)
    except InputError as error:  # which a table shows as a file that cannot be judged
        return "cannot be judged", str(error)
    return report.verdict, "; ".join(report.faults)


@pytest.mark.parametrize("name", RIGHT)
def test_a_right_file_as_it_is_found_is_right(tmp_path, name):
    assert verdict_on(tmp_path, RIGHT[name], Options(points=1, classes=4)) == ("right", "")


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_file_as_it_is_found_is_wrong(tmp_path, name):
    text, sentence = WRONG[name]
    verdict, told = verdict_on(tmp_path, text)
    assert verdict == "wrong"
    assert sentence in told


@pytest.mark.parametrize("name", UNJUDGED)
def test_what_could_not_be_called_is_never_wrong(tmp_path, name):
    text, sentence = UNJUDGED[name]
    verdict, told = verdict_on(tmp_path, text)
    assert verdict == "cannot be judged"
    assert sentence in told


SPECIAL = {
    "if a.argmax() == y: g *= 0": "the true class has the largest pre-activation",
    "if len(set(a.tolist())) < len(a): g *= 0": "pre-activations are equal",
    "if not a.any(): g[0] += 1": "all pre-activations are zero",
    "if np.abs(a).max() > 25: g *= 0": "pre-activations are 30 and -30",
    "if np.abs(a).max() > 90: g *= 0": "pre-activations are from 0.001 to 100 in size",
    "g = p(np.clip(a, -20, 20)); g[y] -= 1": "pre-activations are",
}


SOFTMAX = (
    "def p(a):\n    e = np.exp(a - a.max())\n    return e / e.sum()\n"
    "def loss(a, y):\n    a = a - a.max()\n    return np.log(np.exp(a).sum()) - a[y]\n"
    "def gradient(a, y):\n    g = p(a)\n    g[y] -= 1\n"
)


def test_a_softmax_is_right_at_special_points_too(tmp_path):
    assert verdict_on(tmp_path, f"{SOFTMAX}    return g\n") == ("right", "")


@pytest.mark.parametrize("line", SPECIAL)
def test_a_gradient_that_is_wrong_at_special_points_only_is_wrong(tmp_path, line):
    """Random points are never ties, and hardly ever as large as these."""
    verdict, told = verdict_on(tmp_path, f"{SOFTMAX}    {line}\n    return g\n")
    assert verdict == "wrong"
    assert f"where {SPECIAL[line]}" in told
    assert "unlike elsewhere" in told


def test_a_softmax_in_float32_is_right_as_far_as_float32_goes(tmp_path):
    text = (
        "def softmax(a):\n    a = np.asarray(a, np.float32)\n    e = np.exp(a - a.max())\n"
        "    return e / e.sum()\n"
        "def loss(a, y):\n    a = np.asarray(a, np.float32) - np.float32(np.max(a))\n"
        "    return np.log(np.exp(a).sum()) - a[y]\n"
        "def gradient(a, y):\n    g = softmax(a)\n    g[y] -= 1\n    return g\n"
    )
    assert verdict_on(tmp_path, text) == ("right", "")
    halved = text.replace("return e / e.sum()", "return e / (e.sum() + np.float32(1e-3))")
    assert verdict_on(tmp_path, halved)[0] == "wrong"


RARER = {
    "P = p(A / 2)": "divided by a temperature of 2 here, not in the loss; the derivative is not",
    "P = p(A * 5); T = T * 5; P = P * 5": "a temperature of 0.2 here, not in the loss",
    "P = P * 0": "the sum of exponentials is taken for a constant",
    "P = p(P)": "the softmax is applied twice",
    "P, T = P[::-1], T[::-1]": "the samples of the batch are in another order",
    "T = 0.9 * T + 0.1 / T.shape[1]": "the labels are smoothed here and not in the loss: 0.1",
    "L = np.log(np.exp(A - A.max(1, keepdims=True)).sum(1)) - (A * T).sum(1)":
        "the maximum is subtracted where the exponentials are summed, but not from",
}  # fmt: skip


@pytest.mark.parametrize("line", RARER)
def test_rarer_mistakes_have_names_too(tmp_path, line):
    of_loss, of_gradient = (f"    {line}\n", "") if line[0] == "L" else ("", f"    {line}\n")
    text = (
        "def p(A):\n    E = np.exp(A - A.max(1, keepdims=True))\n"
        "    return E / E.sum(1, keepdims=True)\n"
        "def loss(A, y):\n    T = np.eye(A.shape[1])[y]\n    L = -np.log((p(A) * T).sum(1))\n"
        f"{of_loss}    return L.mean()\n"
        "def gradient(A, y):\n    T = np.eye(A.shape[1])[y]\n    P = p(A)\n"
        f"{of_gradient}    return (P - T) / len(A)\n"
    )
    verdict, told = verdict_on(tmp_path, text, Options(points=1, classes=5))
    assert (verdict, RARER[line] in told) == ("wrong", True), told
