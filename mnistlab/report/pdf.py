"""Sets a report as a PDF through typst, which sees the report as data and never as markup."""

import json
import re
import tempfile
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import Any, cast

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
from mnistlab.report.formula import Formula
from mnistlab.report.numbers import numbers_of
from mnistlab.report.pictures import Pictures
from mnistlab.report.plain import breakable, visible
from mnistlab.report.relations import at_relation
from mnistlab.runs.files import to_json

_TEMPLATE = Path(__file__).parent / "templates" / "report.typ"
_RUNNING = 90  # letters of title and author at the foot of each page
_HEAD = 200  # letters of a column's head, which stands on each page of the table
_LONG_NUMBER = 30  # letters
_CODE_LINE = 90  # letters
_LONG_COMMAND = 40  # letters; beside a longer one, words would be torn apart to fill the line
_LETTERS_TOGETHER = 1000  # of a table or a caption: what may not fit on a page must be broken
_WIDE = 6  # columns; a table of more has little room for each
_LONGEST, _LONGEST_IN_WIDE = 16, 8  # letters of a word that need not be broken

# PDF/UA promises that a screen reader can read it all out, and typst refuses to make it with a
# letter that no font has. The fonts in typst itself are the same on every machine, so they come
# first; a name in Chinese, say, is then looked for in the machine's own, and at last set as a box.
_ATTEMPTS: Sequence[tuple[bool, list[Any]]] = ((True, ["ua-1"]), (False, ["ua-1"]), (False, []))

_LETTERS = b"""#set document(title: "letters")
#set text(font: ("Libertinus Serif", "DejaVu Sans Mono"))
#text(sys.inputs.report)"""
_NAMED_LETTERS = 20  # each takes typst a moment

_Data = dict[str, Any]


def render_pdf(
    report: Report, pictures: Pictures, warn: Callable[[str], None] = lambda _: None
) -> bytes:
    """Return a report as PDF; the same report gives the same bytes.

    numbers.json in its attachments names the run and the key that each number comes from. `warn`
    hears which letters no font has. Raises MnistlabError where typst is not installed.
    """
    try:
        import typst  # noqa: PLC0415 - an extra
    except ImportError:
        raise MnistlabError(
            "a PDF needs typst, which is not installed: pip install 'mnistlab[pdf]'"
        ) from None
    described = json.dumps(_describe(report, pictures))
    problem = None
    for only_its_own_fonts, standards in _ATTEMPTS:
        try:
            made = _compile(_TEMPLATE.read_bytes(), described, only_its_own_fonts, standards)
        except typst.TypstError as error:
            problem = error.message
            continue
        if not standards:
            letters = _letters_without_font(described)
            warn(f"the PDF shows boxes: no font here has {' '.join(letters) or 'a letter of it'}")
        return made
    raise MnistlabError(f"typst could not set the report: {problem}")


def _compile(template: bytes, report: str, only_its_own_fonts: bool, standards: list[Any]) -> bytes:
    import typst  # noqa: PLC0415 - an extra

    # typst can read what lies below its root and nothing else; there is nothing
    with tempfile.TemporaryDirectory() as nothing:
        compiler = typst.Compiler(
            template,
            root=nothing,
            package_path=nothing,
            package_cache_path=nothing,
            ignore_system_fonts=only_its_own_fonts,
            sys_inputs={"report": report},
        )
        # a PDF is one file; only pictures are a list
        return cast("bytes", compiler.compile(format="pdf", pdf_standards=standards))


def _letters_without_font(described: str) -> list[str]:
    """Return the letters of a report that no font has, as far as typst names them, in order.

    It names one at a time, so a page of nothing but letters is set again without those named.
    """
    import typst  # noqa: PLC0415 - an extra

    letters = sorted({letter for letter in _texts_of(json.loads(described)) if letter > "~"})
    missing: list[str] = []
    while len(missing) < _NAMED_LETTERS:
        try:
            _compile(_LETTERS, " ".join(letters), False, ["ua-1"])
        except typst.TypstError as error:
            found = [letter for letter in _named(error.message) if letter in letters]
            if not found:
                break
            missing += found
            letters = [letter for letter in letters if letter not in found]
        else:
            break
    return missing


def _named(message: str) -> str:
    """Return the text that typst says it could not display, "" where it says something else."""
    found = re.search(r'the text `"(.+?)"`', message)
    return "" if found is None else found[1]


def _texts_of(data: Any) -> str:
    if isinstance(data, dict):
        return "".join(_texts_of(value) for key, value in data.items() if key != "svg")
    if isinstance(data, list):
        return "".join(map(_texts_of, data))
    return data if isinstance(data, str) else ""


def _describe(report: Report, pictures: Pictures) -> _Data:
    """Return a report as the template reads it."""
    title, author = visible(report.title).strip(), visible(report.author).strip()
    running = ", ".join(filter(None, (author, title)))
    return {
        "title": title or "Report",  # without one it would be no accessible document
        "author": author,
        "shown-title": breakable(title or "Report", _LONGEST),
        "shown-author": breakable(author, _LONGEST),
        "date": _day(report.date),
        "shown-date": _tell(report.date),
        "running": _cut(running, _RUNNING),
        "numbers": to_json(numbers_of(report)),
        "sections": [
            {
                "title": _tell(section.title),
                "level": section.level,
                "blocks": [_describe_block(block, pictures) for block in section.blocks],
            }
            for section in report.sections
        ],
    }


def _describe_block(block: Block, pictures: Pictures) -> _Data:
    if isinstance(block, Picture):
        return _describe_picture(block, pictures)
    return _BLOCKS[type(block)](block)


def _describe_paragraph(block: Paragraph) -> _Data:
    last = block.pieces[-1] if block.pieces else ""
    commands = [piece for piece in block.pieces if isinstance(piece, Code)]
    return {
        "kind": "paragraph",
        "pieces": _describe_pieces(block.pieces, _LONGEST),
        "leads": isinstance(last, str) and last.rstrip().endswith(":"),
        "justify": all(len(command.text) <= _LONG_COMMAND for command in commands),
    }


def _describe_derivation(block: Derivation) -> _Data:
    steps = []
    for step in block.steps:
        before, _ = at_relation(step.formula)
        formula = _describe_formula(step.formula)
        left = before and _describe_formula(before)
        steps.append({"formula": formula, "left": left, "reason": _tell(step.reason)})
    return {"kind": "derivation", "steps": steps}


def _describe_listing(block: Listing) -> _Data:
    code = visible(block.code, lines=True)
    softened = "\n".join(breakable(line, _LONGEST) for line in code.split("\n"))
    height = sum(1 + len(line) // _CODE_LINE for line in code.split("\n"))
    return {"kind": "listing", "code": softened, "height": height, "source": _tell(block.source)}


def _describe_table(block: Table) -> _Data:
    is_wide = len(block.header) > _WIDE
    longest = _LONGEST_IN_WIDE if is_wide else _LONGEST
    letters = sum(_count_letters(cell) for row in block.rows for cell in row)
    return {
        "kind": "table",
        "header": [breakable(_cut(visible(word), _HEAD), longest) for word in block.header],
        "rows": [[_describe_pieces(cell, longest) for cell in row] for row in block.rows],
        "caption": _tell(block.caption),
        "numeric": sorted(block.numeric),
        "wide": is_wide,
        "breakable": letters > _LETTERS_TOGETHER,
    }


def _describe_picture(block: Picture, pictures: Pictures) -> _Data:
    drawn = pictures.svg(block)
    caption = _describe_pieces(block.caption, _LONGEST)
    if drawn is None:
        return {"kind": "failure", "caption": caption, "reason": _tell(pictures.failure(block))}
    alternative = visible(block.alternative) or "no description"
    return {
        "kind": "picture",
        "svg": drawn.decode(),
        "caption": caption,
        "alternative": alternative,
        "breakable": _count_letters(block.caption) > _LETTERS_TOGETHER,
    }


def _describe_pieces(pieces: Pieces, longest: int) -> list[list[str]]:
    return [_PIECES[type(piece)](piece, longest) for piece in pieces]


def _count_letters(pieces: Pieces) -> int:
    return sum(len(part) for piece in _describe_pieces(pieces, _LONGEST) for part in piece[1:])


def _describe_number(piece: Number, longest: int) -> list[str]:
    """Return a number that is not torn apart, unless it is as long as no number is."""
    shown = visible(piece.shown)
    if len(shown) < _LONG_NUMBER:
        return ["number", shown]
    return ["text", breakable(shown, longest)]


def _describe_formula(formula: Formula) -> list[str]:
    """Return a formula as typst reads it, and as it is read out."""
    return [
        "".join(
            letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in source
        )
        for source in (formula.typst(), formula.latex())
    ]


def _tell(text: str, longest: int = _LONGEST) -> str:
    return breakable(visible(text), longest)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _day(shown: str) -> dict[str, int] | None:
    """Return the day that a report's date names; a date in words is shown, and no more.

    It is the only time in the file: that of writing would differ each time.
    """
    try:
        day = date.fromisoformat(shown[:10])
    except ValueError:
        return None
    return {"year": day.year, "month": day.month, "day": day.day}


_BLOCKS: dict[type, Callable[[Any], _Data]] = {
    Paragraph: _describe_paragraph,
    Derivation: _describe_derivation,
    Listing: _describe_listing,
    Table: _describe_table,
}
_PIECES: dict[type, Callable[[Any, int], list[str]]] = {
    str: lambda piece, longest: ["text", _tell(piece, longest)],
    Number: _describe_number,
    Math: lambda piece, _: ["math", *_describe_formula(piece.formula)],
    Code: lambda piece, longest: ["code", _tell(piece.text, longest)],
}
