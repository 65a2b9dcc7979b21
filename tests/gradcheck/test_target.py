"""Files of students: right ones pass in whichever form, faulty ones get a sentence to act on."""

import re

import pytest

from mnistlab.errors import InputError
from mnistlab.gradcheck.check import Options
from mnistlab.gradcheck.own_file import judge
from mnistlab.gradcheck.user_file import Names
from tests.gradcheck.odd_files import HEAD
from tests.gradcheck.students import FAULTY, GOOD, RIGHT, hand_in, verdict_of

QUICK = Options(points=1)


def report_on(folder, name, **options):
    (path,) = hand_in(folder, name)
    return judge(path, Options(**options))


@pytest.mark.parametrize("name", FAULTY)
def test_a_faulty_file_gets_its_sentence(tmp_path, name):
    report = report_on(tmp_path, name, points=1)  # tests/stress/gradients.py tries more seeds
    assert not report.passed
    assert report.verdict == verdict_of(name)
    wrong = [verdict.diagnosis for verdict in report.verdicts if not verdict.passed]
    assert wrong
    assert re.search(FAULTY[name][1], wrong[0]), wrong[0]


@pytest.mark.parametrize("seed", [23, 29])
def test_what_explains_it_exactly_goes_before_what_nearly_does(tmp_path, seed):
    report = report_on(
        tmp_path, "class_mean", seed=seed, points=1
    )  # temperature 10 fits to 0.9 per cent
    assert re.search(FAULTY["class_mean"][1], report.verdicts[0].diagnosis)


LARGE = {"scale": 30.0, "points": 1}
COMPLEX = {"classes": 3, "seed": 5, "method": "complex", "points": 1}


@pytest.mark.parametrize(
    ("name", "options"),
    [*((name, {"points": 1}) for name in RIGHT), *((name, COMPLEX) for name in [*RIGHT][::2]),
     *((name, LARGE) for name in [*RIGHT][1::2])],
)  # fmt: skip
def test_a_right_file_passes(tmp_path, name, options):
    report = report_on(tmp_path, name, **options)
    assert report.passed, report.to_dict()
    for wanted in RIGHT[name][1]:
        assert any(wanted in note for note in report.notes)


def test_an_unstable_softmax_is_right_but_told(tmp_path):
    report = report_on(tmp_path, "unshifted")
    assert all(verdict.passed for verdict in report.verdicts)
    broken = [probe for probe in report.probes if not probe.passed]
    assert {probe.what for probe in broken} == {
        "softmax is right at pre-activations of ±1000",
        "gradient is finite at pre-activations of ±1000",
    }
    assert all("exp overflows above 709" in probe.diagnosis for probe in broken)


def test_single_precision_is_told(tmp_path):
    (first, *_) = report_on(tmp_path, "right_float32").verdicts
    assert any("loss computes in float32" in note for note in first.notes)
    assert first.relative_error < 1e-5


def write(tmp_path, text):
    path = tmp_path / "mine.py"
    path.write_text(HEAD + text)
    return path


@pytest.mark.parametrize(
    ("text", "broken"),
    [
        (GOOD.replace("return e / e.sum()", "return e", 1), "softmax sums to one"),
        (GOOD.replace("e / e.sum()", "2 * e / e.sum() - 0.1"), "softmax lies between 0 and 1"),
        (GOOD.replace("a - a.max()", "a**2 / 100"), "when all pre-activations"),
    ],
)
def test_a_softmax_that_is_none_is_found_out(tmp_path, text, broken):
    report = judge(write(tmp_path, text), QUICK)
    failed = [probe.what for probe in report.probes if not probe.passed]
    assert any(broken in what for what in failed)


SHIFTED = "e = np.exp(a - a.max())"
BATCH = """
def softmax(A):
    E = np.exp(A - A.max(axis=1, keepdims=True))
    return E / E.sum(axis=1, keepdims=True)
def loss(A, y):
    return -np.log(softmax(A)[np.arange(len(y)), y]).mean()
def gradient(A, y):
    g = softmax(A)
    g[np.arange(len(y)), y] -= 1
    return g / len(y)
"""
POISSON = """
def loss(a, y):
    return np.exp(a).sum() - a[y]  # which may well overflow at 1000
def gradient(a, y):
    return np.exp(a) - np.eye(len(a))[y]
"""
ONE_HOT = """
def softmax(a):
    e = np.exp(a - a.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)
def loss(a, y):
    return -np.sum(y * np.log(softmax(a)))
def gradient(a, y):
    return softmax(a) - y
"""


@pytest.mark.parametrize(
    ("text", "note"),
    [
        (GOOD.replace("softmax(a)[y]", "softmax(a)[y] + 1e-12"), ""),
        (GOOD.replace("a - a.max()", "(a - a.max()).astype(np.longdouble)"), ""),
        (GOOD.replace("return softmax(a) - ", "return softmax(a)[:, None] - np.array([0]) - ")
         .replace("np.eye(len(a))[y]", "np.eye(len(a))[y][:, None]"), "one vector"),
        (ONE_HOT, "y as one-hot"),
        (POISSON, "loss is not the softmax cross-entropy"),
        (BATCH.replace("axis=1, keepdims=True", "axis=0").replace("[np.arange(len(y)), y]",
         "[y, np.arange(len(y))]"), "a batch of columns"),
        (GOOD.replace("def gradient", "def analytic_gradient")
         + "def numerical_gradient(f, a, y): pass\n", "one vector"),
        (GOOD.replace("def gradient(", "def grad(") + "gradient = lambda a, y: grad(a, y)\n", ""),
    ],
)  # fmt: skip
def test_right_files_of_many_styles_pass(tmp_path, text, note):
    report = judge(write(tmp_path, text), Options(points=1, classes=5))
    assert report.passed, report.to_dict()
    assert any(note in told for told in report.notes)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (GOOD.replace("a - a.max()", "a - a[0]"), "not stabilised"),
        (GOOD.replace("a - a.max()", "a - abs(a).max()"), "not stabilised"),
        (BATCH.replace("A.max(axis=1, keepdims=True)", "A.max()"), "not stabilised"),
        (GOOD.replace("- np.eye(len(a))[y]", "- (y > 0) * np.eye(len(a))[y]"), "^with label 0,"),
        (GOOD.replace("- np.eye(len(a))[y]", "- (y < 9) * np.eye(len(a))[y]"), "^with label 9,"),
        (GOOD.replace("-np.log", "globals().update(P=softmax(a)) or -np.log")
         .replace("return softmax(a) - ", "return P - "), "depends on where loss was called"),
        ("def loss(a, y): return 3.0\ndef gradient(a, y): return np.zeros_like(a)\n",
         "the same wherever it is looked at"),
        (BATCH.replace("return g / len(y)", "return g"), "it is summed over the batch although"),
        (ONE_HOT.replace("np.log(", "np.log2("), "must be the natural one, not to base 2"),
        (ONE_HOT.replace("return softmax(a) - y", "y *= -1; y += softmax(a); return y"),
         "gradient changes y in place in line 9"),
        (ONE_HOT.replace("return softmax(a) - y", "return (softmax(a) - y).T"), "transposed"),
        (GOOD.replace("return -np.log(softmax(a)[y])", "return -np.log(softmax(a)[y]), a"),
         "returns tuple, not numbers; return the one thing"),
        (GOOD.replace("+ 0", "").replace("softmax(a)[y]", "softmax(a)[y] + 1e-6"),
         "1e-06 seems to be added inside the logarithm"),
    ],
)  # fmt: skip
def test_faults_that_hide_are_found(tmp_path, text, sentence):
    report = judge(write(tmp_path, text), QUICK)
    assert not report.passed
    told = [found.diagnosis for found in (*report.verdicts, *report.probes) if not found.passed]
    assert re.search(sentence, told[0]), told


def test_the_softmax_is_not_blamed_for_a_division_by_its_output(tmp_path):
    by_outputs = "return -np.eye(len(a))[y] / softmax(a)"
    text = GOOD.replace("return softmax(a) - np.eye(len(a))[y]", by_outputs)
    report = judge(write(tmp_path, text), QUICK)
    (broken,) = [probe for probe in report.probes if not probe.passed]
    assert "look for a division by it" in broken.diagnosis


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = 1 / 0\n", "mine.py, line 2: ZeroDivisionError: division by zero"),
        ("def f(:\n", "mine.py, line 2: SyntaxError"),
        ("\0", "mine.py: SyntaxError: source code string cannot contain null bytes"),
        (
            "raise SystemExit(3)\n",
            "line 2: SystemExit: 3; what makes a program of the file belongs",
        ),
        (
            "import argparse\np = argparse.ArgumentParser()\np.add_argument('x')\np.parse_args()\n",
            "line 5: SystemExit: 2; what makes a program of the file belongs below `if __name__",
        ),
        ("", "which function is the gradient. name it with --gradient, .*; it has no functions"),
        ("def a(x): pass\ndef b(x): pass\n", r"which function is the gradient.*valid: a, b"),
        (
            GOOD.replace("def loss", "def verlust").replace("def gradient", "def ableitung"),
            r"which function is the gradient.*--gradient, .*--loss \(valid: ableitung, verlust\)",
        ),
        ("class A:\n    b = 1\n    def c(self): pass\n", r"which function.*\(valid: A\.c\)"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused(tmp_path, text, message):
    with pytest.raises(InputError, match=message):
        judge(write(tmp_path, text), Options())


def test_names_that_are_not_there_are_refused(tmp_path):
    path = write(tmp_path, GOOD)
    with pytest.raises(InputError, match="has no function 'los'; did you mean 'loss'"):
        judge(path, Options(), Names("los", "gradient"))
    with pytest.raises(InputError, match="there is no such file"):
        judge(tmp_path / "none.py", Options())


def test_a_file_may_import_its_neighbours_and_print(tmp_path, capsys):
    (tmp_path / "helper_of_mine.py").write_text("SCALE = 1.0\n")
    text = "from helper_of_mine import SCALE\nprint('hello')\n" + GOOD.replace(
        "e = ", "print('again'); e = SCALE * "
    )
    assert judge(write(tmp_path, text), QUICK).passed
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (("return -np.log(softmax(a)[y])", "return -np.log(softmax(a))"), "shape \\(10,\\)"),
        (("np.eye(len(a))[y]", "np.eye(len(a))[y] + 0j"), "complex numbers for real ones"),
        (("return softmax(a) - np.eye(len(a))[y]", "return 'none'"), "returns str, not numbers"),
        (("-np.log(softmax(a)[y])", "np.log(-softmax(a)[y])"), "loss is nan .*line 7"),
        (("np.eye(len(a))[y]", "np.eye(len(a) + 1)[y]"), "gradient fails in line 9: ValueError"),
    ],
)
def test_other_faults_name_function_and_line(tmp_path, change, sentence):
    report = judge(write(tmp_path, GOOD.replace(*change)), QUICK)
    assert not report.passed
    wrong = next(verdict for verdict in report.verdicts if not verdict.passed)
    assert re.search(sentence, wrong.diagnosis), wrong.diagnosis


SINGLE = """
def loss({args}):
    return np.mean(({output} - {y}) ** 2)
def gradient({args}):
    r = {output} - {y}
    return {gradient}
"""


@pytest.mark.parametrize(
    ("args", "output", "y", "gradient", "expected"),
    [
        ("w, X, y", "X @ w", "y", "2 * X.T @ r / len(y)", "right"),
        ("theta, X, y", "X @ theta", "y", "2 * X.T @ r / len(y)", "right"),
        ("w, b, X, y", "X @ w + b", "y", "(2 * X.T @ r / len(y), 2 * np.mean(r))", "right"),
        ("w, b, X, y", "X @ w + b", "y", "(2 * X.T @ r / len(y), 2 * np.sum(r))", "wrong"),
        ("w, X, y", "X @ w", "y", "X.T @ r / len(y)", "wrong"),
        ("W, X, Y", "X @ W", "Y", "2 * X.T @ r / Y.size", "right"),
        ("W, X, Y", "X @ W", "Y", "2 * X.T @ r / len(Y)", "wrong"),
        ("W, X, y", "X @ W", "y", "2 * X.T @ r / len(y)", "cannot be judged"),
    ],
)
def test_names_tell_a_vector_from_a_matrix(tmp_path, args, output, y, gradient, expected):
    text = SINGLE.format(args=args, output=output, y=y, gradient=gradient)
    report = judge(write(tmp_path, text), QUICK)
    assert report.verdict == expected, report.faults
    if expected == "cannot be judged":
        assert "for a single output it is right: call the weights w" in report.faults[0]
