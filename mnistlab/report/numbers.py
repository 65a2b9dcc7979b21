"""Takes the numbers of a report from its runs, and lists them with where each comes from."""

from collections.abc import Iterator
from typing import Any

from mnistlab.report.collect import ReportRun, ReportSweep
from mnistlab.report.document import (
    DASH,
    Block,
    Number,
    Paragraph,
    Picture,
    Pieces,
    Report,
    Table,
)
from mnistlab.store.facts import is_number


def number(run: ReportRun | ReportSweep, key: str, form: str) -> Number | str:
    """Return a number of a run in the form that is shown, a dash where the run has none.

    What all runs of a sweep do not have in common is that of its best trial's first run.
    """
    holder = run.holder(key)
    value = holder.facts.get(key)
    if not is_number(value):
        return DASH
    whole = isinstance(value, int) or not form.endswith("d}")
    return Number(holder.name, key, value, form.format(value) if whole else f"{value:g}")


def show_gap(gap: float | None) -> str:
    """Return a gap as it is shown everywhere, to three digits; a dash where there is none."""
    if gap is None:
        return DASH
    shown = f"{abs(gap):.3g}"
    return f"\N{MINUS SIGN}{shown}" if gap < 0 else shown


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
