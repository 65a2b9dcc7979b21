"""Writes a report as Markdown for a README or a wiki, its pictures as files beside it.

The dialect is GitHub's (github.github.com/gfm, and docs.github.com on writing mathematics):
formulas stand in $`…`$ and ```math, the forms in which Markdown itself leaves a formula alone.
"""

import re
import string
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from mnistlab.errors import MnistlabError
from mnistlab.report.document import (
    Block,
    Code,
    Derivation,
    Listing,
    Math,
    Number,
    Paragraph,
    Picture,
    Pieces,
    Report,
    Table,
)
from mnistlab.report.pictures import Pictures
from mnistlab.report.plain import visible
from mnistlab.report.relations import are_aligned, at_relation
from mnistlab.runs.files import write_bytes

FIGURES = "figures"
"""The folder of the pictures, beside the report."""

_MARKS = {ord(mark): f"\\{mark}" for mark in "\\`*_[]#~"}
# a backslash does not keep these from tables, HTML, and the steps that GitHub takes afterwards
_MARKS |= {ord(mark): f"&#{ord(mark)};" for mark in "|&<>$@"}
_ENTITIES = {ord(mark): f"&#{ord(mark)};" for mark in string.punctuation}
# what would begin a list, a rule or a heading if it stood first in a line
_BEGINNING = re.compile(r"\A\d+(?=[.)](\s|\Z))|\A(?=[-+=]([-+=\s]|\Z))")
_LINK = re.compile(r"(?<=\w)(?=://)|(?<=www)(?=\.)", re.IGNORECASE)
_SIMPLE_CODE = re.compile(r"[^\s`|\\$]([^`|\\$]*[^\s`|\\$])?")
# within \text{…} only mathematics has a spelling of these that every renderer knows
_IN_TEXT = {ord(mark): rf"$\{mark}$" for mark in "{}$&#_%"} | {
    ord("\\"): r"$\backslash$",
    ord("^"): r"$\wedge$",
    ord("~"): r"$\sim$",
}


def render_markdown(report: Report, pictures: Pictures, folder: Path) -> str:
    """Return a report as Markdown that is to lie in `folder`; write its pictures beside it.

    Raises MnistlabError where the pictures cannot be written.
    """
    figures = _Figures(pictures, folder / FIGURES)
    byline = ", ".join(_tell(words).strip() for words in (report.author, report.date) if words)
    blocks = [f"# {_tell(report.title).strip()}", _line(byline)]
    for section in report.sections:
        blocks.append(f"{'#' * (section.level + 1)} {_tell(section.title).strip()}")
        blocks += [_render_block(block, figures) for block in section.blocks]
    return "\n\n".join(filter(None, blocks)) + "\n"


class _Figures:
    """Writes pictures as files, each under a name of its own."""

    def __init__(self, pictures: Pictures, folder: Path) -> None:
        self._pictures = pictures
        self._folder = folder
        self._names: set[str] = set()

    def write(self, picture: Picture) -> str | None:
        """Return the name of the file that now holds a picture, None if it cannot be drawn."""
        drawn = self._pictures.svg(picture)
        if drawn is None:
            return None
        name = self._free_name(picture.name)
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            write_bytes(self._folder / name, drawn)
        except OSError as error:
            place = self._folder / name
            raise MnistlabError(f"{place}: cannot be written ({error.strerror})") from None
        return name

    def failure(self, picture: Picture) -> str:
        """Return why a picture could not be drawn."""
        return self._pictures.failure(picture)

    def _free_name(self, wanted: str) -> str:
        stem = re.sub(r"[^A-Za-z0-9_-]+", "-", wanted)[:80].strip("-") or "figure"
        name, count = f"{stem}.svg", 1
        while name.lower() in self._names:  # some file systems take a.svg and A.svg for one
            count += 1
            name = f"{stem}-{count}.svg"
        self._names.add(name.lower())
        return name


def _render_block(block: Block, figures: _Figures) -> str:
    if isinstance(block, Picture):
        return _render_picture(block, figures)
    return _BLOCKS[type(block)](block)


def _render_paragraph(block: Paragraph) -> str:
    return _line(_render_pieces(block.pieces))


def _render_derivation(block: Derivation) -> str:
    aligned = are_aligned(block.steps)
    lines = []
    for step in block.steps:
        left, right = at_relation(step.formula)
        equation = f"{left.latex() if left else ''} &{right.latex()}".strip()
        words = visible(step.reason).translate(_IN_TEXT)
        reason = rf" && \text{{{words}}}" if words else ""
        lines.append((equation if aligned else f"&{step.formula.latex()}") + reason)
    body = " \\\\\n".join(lines)
    return f"```math\n\\begin{{aligned}}\n{body}\n\\end{{aligned}}\n```"


def _render_listing(block: Listing) -> str:
    code = visible(block.code, lines=True).strip("\n")
    longest = max(map(len, re.findall("`+", code)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{_line(_tell(block.source))}:\n\n{fence}python\n{code}\n{fence}"


def _render_table(block: Table) -> str:
    rules = ["---:" if at in block.numeric else "---" for at in range(len(block.header))]
    lines = [
        _row(_tell(word) for word in block.header),
        _row(rules),
        *(_row(map(_render_pieces, row)) for row in block.rows),
    ]
    caption = f"**{_tell(block.caption).strip()}**\n\n" if block.caption.strip() else ""
    return caption + "\n".join(lines)


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cell.strip() for cell in cells)} |"


def _render_picture(block: Picture, figures: _Figures) -> str:
    name, caption = figures.write(block), _line(_render_pieces(block.caption))
    if name is None:
        reason = _tell(figures.failure(block))
        return f"A figure is missing here: {caption} (it could not be drawn: {reason})"
    return f"![{_tell(block.alternative).strip()}]({FIGURES}/{name})\n\n{caption}"


def _render_pieces(pieces: Pieces) -> str:
    return "".join(_PIECES[type(piece)](piece) for piece in pieces)


def _render_code(piece: Code) -> str:
    code = visible(piece.text)
    if _SIMPLE_CODE.fullmatch(code):
        return f"`{code}`"
    # within a table even code is not safe from bars, and nowhere from backticks
    return f"<code>{code.translate(_ENTITIES)}</code>"


def _tell(text: str) -> str:
    """Return text as Markdown that shows just this text."""
    return _LINK.sub(r"\\", visible(text).translate(_MARKS))


def _line(told: str) -> str:
    """Return Markdown as a line of its own, which is no list, rule or heading."""
    return _BEGINNING.sub(r"\g<0>\\", told.strip())


_BLOCKS: dict[type, Callable[[Any], str]] = {
    Paragraph: _render_paragraph,
    Derivation: _render_derivation,
    Listing: _render_listing,
    Table: _render_table,
}
_PIECES: dict[type, Callable[[Any], str]] = {
    str: _tell,
    Number: lambda piece: _tell(piece.shown),
    Math: lambda piece: f"$`{piece.formula.latex()}`$",
    Code: _render_code,
}
