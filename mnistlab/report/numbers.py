"""Lists the numbers of a report with where each comes from, so that all can be checked."""

from collections.abc import Iterator
from typing import Any

from mnistlab.report.document import Block, Number, Paragraph, Picture, Pieces, Report, Table


def numbers_of(report: Report) -> list[dict[str, Any]]:
    """Return each number's `run`, `key`, `value` and `shown`, in the order of the report."""
    return [
        {"run": piece.run, "key": piece.key, "value": piece.value, "shown": piece.shown}
        for section in report.sections
        for block in section.blocks
        for pieces in _texts(block)
        for piece in pieces
        if isinstance(piece, Number)
    ]


def _texts(block: Block) -> Iterator[Pieces]:
    if isinstance(block, Paragraph):
        yield block.pieces
    elif isinstance(block, Picture):
        yield block.caption
    elif isinstance(block, Table):
        for row in block.rows:
            yield from row
