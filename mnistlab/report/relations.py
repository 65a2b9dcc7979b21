"""Finds where the equations of a derivation are set one below the other: at their relation."""

from collections.abc import Sequence
from itertools import pairwise

from mnistlab.report.document import Equation
from mnistlab.report.formula import Formula, Row, Symbol

_RELATIONS = frozenset("=≈≤≥<>≠∈→")


def at_relation(formula: Formula) -> tuple[Formula | None, Formula]:
    """Return what stands before a formula's first relation, None if nothing, and the rest."""
    parts = formula.parts if isinstance(formula, Row) else ()
    for place, part in enumerate(parts):
        if isinstance(part, Symbol) and part.text in _RELATIONS:
            return (Row(parts[:place]) if place else None), Row(parts[place:])
    return None, formula


def split_at_relations(formula: Formula) -> list[Formula]:
    """Return a formula in pieces, each but the first from one relation to the next.

    Between these a line of text may break.
    """
    parts = formula.parts if isinstance(formula, Row) else ()
    places = [
        place
        for place, part in enumerate(parts)
        if place and isinstance(part, Symbol) and part.text in _RELATIONS
    ]
    if not places:
        return [formula]
    return [Row(parts[start:end]) for start, end in pairwise([0, *places, len(parts)])]


def are_aligned(steps: Sequence[Equation]) -> bool:
    """Return whether at least one of several equations has something before its relation."""
    return len(steps) > 1 and any(at_relation(step.formula)[0] is not None for step in steps)
