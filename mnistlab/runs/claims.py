"""What a status says of the files beside it: their SHA-256 by name."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from mnistlab.runs.forms import sha256_of

Claim = str | list[str | None] | None
"""A file's SHA-256, None if there is none; a list of what it may be while it is replaced."""


def is_claim(files: object, paths: Iterable[Path]) -> bool:
    """Return whether a status vouches, if for anything, for files that it may vouch for."""
    if not isinstance(files, dict):
        return False
    digests = [one for claim in files.values() for one in _choices(claim)]
    return files.keys() <= {path.name for path in paths} and all(
        one is None or (isinstance(one, str) and len(one) == 64) for one in digests
    )


def is_as_claimed(path: Path, claim: object) -> bool:
    """Return whether a file is what a status vouches for, or one of those that it may be.

    Raises OSError where the disk fails.
    """
    return sha256_of(path) in _choices(claim)


def claim_while_replaced(path: Path, claim: Claim, new: str) -> Claim:
    """Return what to vouch for while a file is replaced: as it is now, or as it is to be.

    A file that is not as it was vouched for stays damaged until it is replaced. Raises OSError
    where the disk fails.
    """
    found = sha256_of(path)
    before = [found] if found in _choices(claim) else _choices(claim)
    return list(dict.fromkeys([*before, new]))


def _choices(claim: Any) -> list[str | None]:
    return claim if isinstance(claim, list) else [claim]
