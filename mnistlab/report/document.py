"""What a report says, before it becomes a page, a PDF or Markdown.

A report is made of sections, these of blocks, these of pieces of text. Every number that comes
from a run names the run and the key it stands under there, so that it can be checked.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mnistlab.report.formula import Formula

if TYPE_CHECKING:
    from matplotlib.figure import Figure


DASH = "\N{EN DASH}"
"""What stands where a run has no number."""


@dataclass(frozen=True)
class Number:
    """A number of a run, as `read_facts` calls it (`test.accuracy`), and how it is shown."""

    run: str
    key: str
    value: float
    shown: str


@dataclass(frozen=True)
class Math:
    """A formula inside a line of text."""

    formula: Formula


@dataclass(frozen=True)
class Code:
    """A piece of code or a command inside a line of text."""

    text: str


Piece = str | Number | Math | Code
Pieces = Sequence[Piece]


@dataclass(frozen=True)
class Paragraph:
    """A few sentences."""

    pieces: Pieces


@dataclass(frozen=True)
class Equation:
    """One step of a derivation, with the reason why it follows from the one before."""

    formula: Formula
    reason: str = ""


@dataclass(frozen=True)
class Derivation:
    """Equations one below the other."""

    steps: Sequence[Equation]


@dataclass(frozen=True)
class Listing:
    """Lines of code, and where they stand (`mnistlab/core/losses.py, line 57`)."""

    code: str
    source: str


@dataclass(frozen=True)
class Table:
    """Rows of cells under a header; `numeric` are the columns that are set flush right."""

    header: Sequence[str]
    rows: Sequence[Sequence[Pieces]]
    caption: str = ""
    numeric: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Picture:
    """A figure, drawn when it is needed; `name` is its file's, `alternative` says what it shows."""

    name: str
    draw: "Callable[[], Figure]"
    caption: Pieces
    alternative: str


Block = Paragraph | Derivation | Listing | Table | Picture


@dataclass(frozen=True)
class Section:
    """Blocks under a heading; `level` is 1 for a question, 2 for a part of it.

    `label` is the title in short, for the page's table of contents.
    """

    title: str
    blocks: Sequence[Block]
    level: int = 1
    label: str = ""


@dataclass(frozen=True)
class Report:
    """A whole report, before it is rendered."""

    title: str
    author: str
    date: str
    sections: Sequence[Section]
