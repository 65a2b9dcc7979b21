"""A fault is one call on the disk that fails; a command is tried with all of its faults."""

import errno
from collections.abc import Iterator
from dataclasses import dataclass

from tests.faults.harness import ERRNOS


@dataclass(frozen=True)
class Fault:
    """Which call fails, with which error, once or from then on."""

    kind: str
    at: int
    number: int
    for_good: bool

    def __str__(self) -> str:
        often = "for good from" if self.for_good else "at"
        return f"{self.kind} {errno.errorcode[self.number]} {often} call {self.at}"


def faults_of(counts: dict[str, int], every: int = 1) -> Iterator[Fault]:
    """Yield every fault of a command that makes so many calls, or one in `every` of them.

    Those are spread over calls, kinds and errors alike: `every` should have no factor of 2.
    """
    index = 0
    for kind, count in counts.items():
        for at in range(1, count + 1):
            for for_good in (False, True):
                for number in ERRNOS:
                    if index % every == 0:
                        yield Fault(kind, at, number, for_good)
                    index += 1
