"""Two runs side by side on paper: what differs, and the images on which they disagree."""

from collections.abc import Sequence
from typing import Any

from mnistlab.report.collect import ReportRun
from mnistlab.report.document import DASH, Block, Paragraph, Pieces, Section, Table
from mnistlab.report.numbers import number
from mnistlab.store.diff import Differences, find_differences

_METRICS = (
    ("training loss", "train.loss", "{:.4f}"),
    ("validation accuracy", "validation.accuracy", "{:.2%}"),
    ("test accuracy", "test.accuracy", "{:.2%}"),
)


def section_of_comparison(one: ReportRun, other: ReportRun) -> Section:
    """Return two runs side by side: what differs, and the images on which they disagree."""
    found = find_differences(one.folder, other.folder)
    names = (one.title, other.title) if one.title != other.title else (one.name, other.name)
    rows: list[Sequence[Pieces]] = [
        [[key], [_tell(pair[0])], [_tell(pair[1])]] for key, pair in found.config.items()
    ]
    for heading, key, form in _METRICS:
        rows.append([[heading], [number(one, key, form)], [number(other, key, form)]])
    blocks: list[Block] = [
        Table(["", *names], rows, "What differs", frozenset({1, 2})),
        Paragraph([_disagreement(found, *names)]),
    ]
    return Section(f"{names[0]} and {names[1]} side by side", blocks, 2)


def _disagreement(found: Differences, one: str, other: str) -> str:
    flips = found.flips
    if flips is None:
        reason = found.incomparable.get("predictions", "there are no predictions")
        return f"Their answers cannot be compared: {reason}."
    told = (
        f"Of {flips.images:,} test images both get {flips.both:,} right and {flips.none:,} wrong; "
        f"{flips.only_first:,} only {one} gets right, {flips.only_second:,} only {other}. "
    )
    chance = "may well be chance" if flips.p >= 0.05 else "would be rare by chance"
    return f"{told}By McNemar's exact test such a difference {chance} (p = {flips.p:.3g})."


def _tell(value: Any) -> str:
    if value is None:
        return DASH
    return f"{value:.4g}" if isinstance(value, float) else str(value)
