"""Formulas as small trees, so that page, PDF and Markdown typeset the very same ones.

`mathml` is for the page (MathML Core), `typst` for the PDF, `latex` for Markdown.
"""

from dataclasses import dataclass
from html import escape
from typing import Protocol


class Formula(Protocol):
    """A formula or a part of one."""

    def mathml(self) -> str:
        """Return MathML without the surrounding <math>."""
        ...

    def typst(self) -> str:
        """Return the inside of a typst equation."""
        ...

    def latex(self) -> str:
        """Return LaTeX without the surrounding dollars."""
        ...


Part = Formula | str
"""Text is a variable if it is one letter, a number if it begins with a digit, else an operator."""

# the letters and signs that LaTeX has names for
_LATEX = {
    "α": r"\alpha",  # noqa: RUF001 - meant
    "β": r"\beta",
    "δ": r"\delta",
    "η": r"\eta",
    "κ": r"\kappa",
    "λ": r"\lambda",
    "σ": r"\sigma",  # noqa: RUF001 - meant
    "∂": r"\partial",
    "∇": r"\nabla",
    "·": r"\cdot",
    "⊗": r"\otimes",
    "⊙": r"\odot",
    "′": r"\prime",  # noqa: RUF001 - meant
    "⊤": r"\top",  # noqa: RUF001 - meant
    "≤": r"\le",
    "≥": r"\ge",
    "≠": r"\ne",
    "≈": r"\approx",
    "∈": r"\in",
    "→": r"\to",
    "…": r"\dots",
    "∞": r"\infty",
    "−": "-",  # noqa: RUF001 - meant
    "×": r"\times",  # noqa: RUF001 - meant
    "ℝ": r"\mathbb{R}",  # noqa: RUF001 - meant
    "ℒ": r"\mathcal{L}",  # noqa: RUF001 - meant
    "%": r"\%",
}
# what means something to typst, and a comma, which would end the argument of a function
_TYPST = {mark: f"\\{mark}" for mark in r',;()[]{}/#$&_^"' + "\\"} | {"|": "bar.v"}
# what means something to LaTeX
_LATEX_TEXT = {mark: f"\\{mark}" for mark in "{}%#&_$"} | {
    "\\": r"\textbackslash{}",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
}
# signs that stand for things, though Unicode counts them among the operators
_LETTERS = "∂∇∞"
# what has its bounds under and over it, by its names in typst and LaTeX
_LARGE = {"∑": ("sum", r"\sum"), "max": ("max", r"\max")}


@dataclass(frozen=True)
class Symbol:
    """A variable of one or a few letters, a number or an operator."""

    text: str

    def mathml(self) -> str:
        """Return it as <mi>, <mn> or <mo>."""
        if self.text[0].isdigit():
            return f"<mn>{escape(self.text)}</mn>"
        if self.text.isalpha() or self.text in _LETTERS:
            return f"<mi>{escape(self.text)}</mi>"
        return f"<mo>{escape(self.text)}</mo>"

    def typst(self) -> str:
        """Return it as typst writes it; several letters are one upright word."""
        if self.text.isalpha() and len(self.text) > 1:
            return f'"{self.text}"'
        return _TYPST.get(self.text, self.text)

    def latex(self) -> str:
        """Return it as LaTeX writes it."""
        if self.text in _LATEX:
            return _LATEX[self.text]
        if self.text.isalpha() and len(self.text) > 1:
            return rf"\mathrm{{{self.text}}}"
        return _LATEX_TEXT.get(self.text, self.text)


@dataclass(frozen=True)
class Text:
    """Words inside a formula."""

    text: str

    def mathml(self) -> str:
        """Return it as <mtext>, with its spaces kept."""
        return f"<mtext>{escape(self.text).replace(' ', chr(0xA0))}</mtext>"

    def typst(self) -> str:
        """Return it as a string; the spaces at its ends are those that typst sets around text.

        Spaces alone, which typst would drop, are a wide one.
        """
        if not self.text.strip():
            return "quad"
        return '"' + self.text.strip().replace("\\", "\\\\").replace('"', '\\"') + '"'

    def latex(self) -> str:
        """Return it as text."""
        return rf"\text{{{''.join(_LATEX_TEXT.get(mark, mark) for mark in self.text)}}}"


@dataclass(frozen=True)
class Bold:
    """A vector or a matrix, named by one letter or digit."""

    letter: str

    def mathml(self) -> str:
        """Return the letter from Unicode's bold ones, upright as <mi> of several letters is."""
        return f'<mi mathvariant="normal">{_bold(self.letter)}</mi>'

    def typst(self) -> str:
        """Return it as bold and upright."""
        return f"upright(bold({self.letter}))"

    def latex(self) -> str:
        """Return it as bold."""
        return rf"\mathbf{{{self.letter}}}"


@dataclass(frozen=True)
class Row:
    """Parts that stand one after the other."""

    parts: tuple[Formula, ...]

    def mathml(self) -> str:
        """Return an <mrow>."""
        return f"<mrow>{''.join(part.mathml() for part in self.parts)}</mrow>"

    def typst(self) -> str:
        """Return the parts with spaces between them."""
        return " ".join(part.typst() for part in self.parts)

    def latex(self) -> str:
        """Return the parts with spaces between them."""
        return " ".join(part.latex() for part in self.parts)


@dataclass(frozen=True)
class Fraction:
    """One part over another."""

    above: Formula
    below: Formula

    def mathml(self) -> str:
        """Return an <mfrac>."""
        return f"<mfrac>{self.above.mathml()}{self.below.mathml()}</mfrac>"

    def typst(self) -> str:
        """Return a frac()."""
        return f"frac({self.above.typst()}, {self.below.typst()})"

    def latex(self) -> str:
        """Return a frac."""
        return rf"\frac{{{self.above.latex()}}}{{{self.below.latex()}}}"


@dataclass(frozen=True)
class Scripts:
    """A base with what stands below and above at its right, or, for sums, under and over it."""

    base: Formula
    below: Formula | None = None
    above: Formula | None = None

    @property
    def _large(self) -> tuple[str, str] | None:
        return _LARGE.get(self.base.text) if isinstance(self.base, Symbol) else None

    def mathml(self) -> str:
        """Return <msub>, <msup> or <msubsup>; for a sum <munder>, <mover> or <munderover>."""
        below, above = ("under", "over") if self._large else ("sub", "sup")
        tag = f"m{below if self.below else ''}{above if self.above else ''}"
        parts = [part.mathml() for part in (self.base, self.below, self.above) if part]
        return f"<{tag}>{''.join(parts)}</{tag}>"

    def typst(self) -> str:
        """Return base_(below)^(above)."""
        below = f"_({self.below.typst()})" if self.below else ""
        above = f"^({self.above.typst()})" if self.above else ""
        base = self._large[0] if self._large else self.base.typst()
        return f"{base}{below}{above}"

    def latex(self) -> str:
        """Return base_{below}^{above}."""
        below = f"_{{{self.below.latex()}}}" if self.below else ""
        above = f"^{{{self.above.latex()}}}" if self.above else ""
        base = self._large[1] if self._large else self.base.latex()
        return f"{base}{below}{above}"


@dataclass(frozen=True)
class Fence:
    """A part between fences that grow with it."""

    inside: Formula
    left: str = "("
    right: str = ")"

    def mathml(self) -> str:
        """Return the part between two <mo> that are fences."""
        left, right = (
            f'<mo fence="true" stretchy="true">{escape(mark)}</mo>'
            for mark in (self.left, self.right)
        )
        return f"<mrow>{left}{self.inside.mathml()}{right}</mrow>"

    def typst(self) -> str:
        """Return an lr()."""
        names = {"‖": "bar.v.double", "|": "bar.v"}
        left, right = (names.get(mark, f"\\{mark}") for mark in (self.left, self.right))
        return f"lr({left} {self.inside.typst()} {right})"

    def latex(self) -> str:
        """Return left and right."""
        names = {"‖": r"\|", "{": r"\{", "}": r"\}"}
        left, right = (names.get(mark, mark) for mark in (self.left, self.right))
        return rf"\left{left} {self.inside.latex()} \right{right}"


@dataclass(frozen=True)
class Hat:
    """An estimate."""

    base: Formula

    def mathml(self) -> str:
        """Return an accent."""
        return f'<mover accent="true">{self.base.mathml()}<mo>^</mo></mover>'

    def typst(self) -> str:
        """Return a hat()."""
        return f"hat({self.base.typst()})"

    def latex(self) -> str:
        """Return a hat."""
        return rf"\hat{{{self.base.latex()}}}"


def row(*parts: Part) -> Formula:
    """Return parts one after the other; plain text becomes a symbol."""
    return Row(tuple(map(as_formula, parts)))


def fraction(above: Part, below: Part) -> Formula:
    """Return `above` over `below`."""
    return Fraction(as_formula(above), as_formula(below))


def scripts(base: Part, below: Part | None = None, above: Part | None = None) -> Formula:
    """Return a base with an index and an exponent, or a sum with its bounds."""
    under = None if below is None else as_formula(below)
    over = None if above is None else as_formula(above)
    return Scripts(as_formula(base), under, over)


def fence(*parts: Part, left: str = "(", right: str = ")") -> Formula:
    """Return parts between parentheses, or other fences."""
    return Fence(row(*parts), left, right)


def norm(*parts: Part) -> Formula:
    """Return the length of a vector."""
    return fence(*parts, left="‖", right="‖")


def hat(base: Part) -> Formula:
    """Return an estimate of `base`."""
    return Hat(as_formula(base))


def as_formula(part: Part) -> Formula:
    """Return plain text as a symbol, anything else as it is."""
    return Symbol(part) if isinstance(part, str) else part


def equation_mathml(formula: Formula, *, display: bool) -> str:
    """Return a whole <math> element."""
    kind = ' display="block"' if display else ""
    return f"<math{kind}>{formula.mathml()}</math>"


def _bold(letter: str) -> str:
    """Return a letter or a digit from Unicode's bold mathematical ones."""
    blocks = (("a", 0x1D41A), ("A", 0x1D400), ("0", 0x1D7CE))
    first, start = next(block for block in blocks if letter >= block[0])
    return chr(start + ord(letter) - ord(first))
