"""What a part of the stress run has to tell: how much it tried, and how much of it failed."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """One line of tests/STRESS.md; `bad` counts the tries that broke a promise."""

    what: str
    tries: int
    bad: int
    note: str = ""
