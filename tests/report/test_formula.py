"""Formulas come out well-formed in all three notations."""

from xml.etree import ElementTree

import pytest

from mnistlab.report.formula import (
    Bold,
    Text,
    equation_mathml,
    fence,
    fraction,
    hat,
    norm,
    row,
    scripts,
)
from mnistlab.report.layouts import apply, cases, matrix

FORMULAS = {
    "letters that are part of a sign's name": row(
        scripts("a", "i"), scripts("x", above="2"), scripts("m", "j")
    ),
    "sums": row(scripts("∑", row("i", "=", "1"), "n"), scripts("max", "j")),
    "fences": fence("{", ";", left="[", right="]"),
    "norm": scripts(norm(Bold("x")), "2", "2"),
    "hats": fraction(hat(Bold("Y")), hat("y")),
    "bold": row(*map(Bold, "AZaz09")),
    "commas in arguments": cases((fraction("a", fence("b", ",", "c")), Text("if, or"))),
    "matrix": matrix(["a", "b"], [row("c", ",", "d"), "e"]),
    "functions": row(apply("log", "x"), apply("log", fence("x"))),
    "signs that mean something elsewhere": row(*"#$%&_^~<>{}[]/|,;"),
    "words that mean something elsewhere": Text(r'a_b & 50 % of {c} <d> "e" \ #f $g ~h^'),
    "greek": row(*"αβδηκλσ∂∇·⊗⊙≤≥≠≈∈→…∞−×ℝℒ"),  # noqa: RUF001 - meant
}


@pytest.fixture(params=FORMULAS.values(), ids=FORMULAS)
def formula(request):
    return request.param


def test_mathml_is_xml(formula):
    tree = ElementTree.fromstring(equation_mathml(formula, display=True))  # noqa: S314 - our own
    assert tree.tag == "math"
    counts = {"mfrac": 2, "msub": 2, "msup": 2, "msubsup": 3, "munder": 2, "munderover": 3}
    for element in tree.iter():
        assert len(element) == counts.get(element.tag, len(element))


def test_typst_takes_it(formula):
    typst = pytest.importorskip("typst", reason="typst, of the extra pdf, is not installed")
    typst.compile(f"$ {formula.typst()} $".encode(), format="svg")


def test_latex_has_balanced_braces(formula):
    assert is_balanced(formula.latex())


def is_balanced(latex):
    depth, escaped = 0, False
    for letter in latex:
        if not escaped:
            depth += (letter == "{") - (letter == "}")
        assert depth >= 0
        escaped = letter == "\\" and not escaped
    pairs = latex.count(r"\left") == latex.count(r"\right")
    return depth == 0 and pairs and latex.count(r"\begin") == latex.count(r"\end")


def test_a_space_between_two_formulas_is_kept_in_all_notations():
    formula = row("a", ",", Text("  "), "b")
    assert formula.typst() == r"a \, quad b"
    assert "<mtext>\N{NO-BREAK SPACE}\N{NO-BREAK SPACE}</mtext>" in formula.mathml()
    assert r"\text{  }" in formula.latex()


def test_an_index_below_a_letter_of_max_is_an_index():
    assert scripts("a", "i").mathml() == "<msub><mi>a</mi><mi>i</mi></msub>"
    assert scripts("a", "i").typst() == "a_(i)"
    assert scripts("max", "i").typst() == "max_(i)"
    assert scripts("max", "i").mathml() == "<munder><mi>max</mi><mi>i</mi></munder>"


def test_bold_takes_letters_and_digits():
    assert Bold("a").mathml() == '<mi mathvariant="normal">\N{MATHEMATICAL BOLD SMALL A}</mi>'
    assert Bold("W").mathml() == '<mi mathvariant="normal">\N{MATHEMATICAL BOLD CAPITAL W}</mi>'
    assert Bold("1").mathml() == '<mi mathvariant="normal">\N{MATHEMATICAL BOLD DIGIT ONE}</mi>'


def test_the_three_notations_of_a_gradient():
    error = fence(hat(Bold("y")), "−", Bold("y"))  # noqa: RUF001 - meant
    formula = row("2", error, scripts(Bold("x"), above="⊤"))  # noqa: RUF001 - meant
    assert formula.latex() == r"2 \left( \hat{\mathbf{y}} - \mathbf{y} \right) \mathbf{x}^{\top}"
    assert formula.typst() == (
        r"2 lr(\( hat(upright(bold(y))) − upright(bold(y)) \)) upright(bold(x))^(⊤)"  # noqa: RUF001
    )


def test_conditions_of_cases_stand_in_columns():
    formula = cases(("a", row(Text("if "), "i")), ("b", Text("else")))
    assert formula.latex() == r"\begin{cases} a & \text{if } i \\ b & \text{else} \end{cases}"
    assert formula.mathml().count("<mtd>") == 4
