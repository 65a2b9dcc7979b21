"""Counts the tries of a stress run, and tells at once of the ones that broke a promise."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass

from tests.stress.figures import Figure

_TOLD = 10  # a fault that shows everywhere need not be told everywhere


@dataclass
class Tally:
    """The tries of one kind so far; those that never came to the point are not counted."""

    what: str
    tries: int = 0
    bad: int = 0

    def add(self, problems: Sequence[str] | None) -> None:
        """Count a try with what is wrong in it; None for one that never came to the point."""
        if problems is None:
            return
        self.tries += 1
        self.bad += bool(problems)
        if problems and self.bad <= _TOLD:
            for problem in problems:
                self.tell(f"BAD {problem}")

    def tell(self, text: str) -> None:
        """Say something on stderr."""
        sys.stderr.write(f"  {text}\n")
        sys.stderr.flush()

    def figure(self, note: str = "") -> Figure:
        """Return the line for tests/STRESS.md, and say it."""
        self.tell(f"{self.what}: {self.bad} bad of {self.tries}{note and f' ({note})'}")
        return Figure(self.what, self.tries, self.bad, note)
