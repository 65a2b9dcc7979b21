"""Formulas that set their parts out in rows and columns, and functions with long names."""

from collections.abc import Sequence
from dataclasses import dataclass

from mnistlab.report.formula import Fence, Formula, Part, as_formula


@dataclass(frozen=True)
class Applied:
    """A function with a name of several letters, such as log, and what it is taken of."""

    name: str
    argument: Formula

    def mathml(self) -> str:
        """Return name and argument, with a narrow space unless a fence opens."""
        space = "" if isinstance(self.argument, Fence) else '<mspace width="0.1667em"></mspace>'
        return f"<mrow><mi>{self.name}</mi>{space}{self.argument.mathml()}</mrow>"

    def typst(self) -> str:
        """Return an operator and its argument."""
        return f'op("{self.name}") {self.argument.typst()}'

    def latex(self) -> str:
        """Return an operator and its argument."""
        return rf"\operatorname{{{self.name}}} {self.argument.latex()}"


@dataclass(frozen=True)
class Cases:
    """Values below each other, each with its condition, behind a brace."""

    branches: tuple[tuple[Formula, Formula], ...]

    def mathml(self) -> str:
        """Return a table of class "cases", whose cells the page sets flush left."""
        rows = "".join(
            f"<mtr><mtd>{value.mathml()}</mtd><mtd>{condition.mathml()}</mtd></mtr>"
            for value, condition in self.branches
        )
        brace = '<mo fence="true" stretchy="true">{</mo>'
        return f'<mrow>{brace}<mtable class="cases" columnalign="left">{rows}</mtable></mrow>'

    def typst(self) -> str:
        """Return a cases()."""
        rows = ", ".join(
            f"{value.typst()} &quad {condition.typst()}" for value, condition in self.branches
        )
        return f"cases({rows})"

    def latex(self) -> str:
        """Return an environment of cases."""
        rows = r" \\ ".join(
            f"{value.latex()} & {condition.latex()}" for value, condition in self.branches
        )
        return rf"\begin{{cases}} {rows} \end{{cases}}"


@dataclass(frozen=True)
class Matrix:
    """Parts in rows and columns between brackets."""

    rows: tuple[tuple[Formula, ...], ...]

    def mathml(self) -> str:
        """Return a table between two fences."""
        rows = "".join(
            f"<mtr>{''.join(f'<mtd>{cell.mathml()}</mtd>' for cell in cells)}</mtr>"
            for cells in self.rows
        )
        left, right = (f'<mo fence="true" stretchy="true">{mark}</mo>' for mark in "[]")
        return f"<mrow>{left}<mtable>{rows}</mtable>{right}</mrow>"

    def typst(self) -> str:
        """Return a mat()."""
        rows = "; ".join(", ".join(cell.typst() for cell in cells) for cells in self.rows)
        return f'mat(delim: "[", {rows})'

    def latex(self) -> str:
        """Return a bmatrix."""
        rows = r" \\ ".join(" & ".join(cell.latex() for cell in cells) for cells in self.rows)
        return rf"\begin{{bmatrix}} {rows} \end{{bmatrix}}"


def apply(name: str, argument: Part) -> Formula:
    """Return a named function, such as log, of an argument."""
    return Applied(name, as_formula(argument))


def cases(*branches: tuple[Part, Part]) -> Formula:
    """Return values, each with the condition under which it holds."""
    return Cases(tuple((as_formula(value), as_formula(when)) for value, when in branches))


def matrix(*rows: Sequence[Part]) -> Formula:
    """Return parts in rows and columns between brackets."""
    return Matrix(tuple(tuple(map(as_formula, cells)) for cells in rows))
