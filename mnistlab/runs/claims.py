"""What a status says of the files beside it: their SHA-256 by name."""

from collections.abc import Iterable
from pathlib import Path

from mnistlab.runs.forms import sha256_of


def is_claim(files: object, paths: Iterable[Path]) -> bool:
    """Return whether a status vouches, if for anything, for files that it may vouch for."""
    if not isinstance(files, dict):
        return False
    listed = [value if isinstance(value, list) else [value] for value in files.values()]
    digests = [one for claims in listed for one in claims]
    return files.keys() <= {path.name for path in paths} and all(
        one is None or (isinstance(one, str) and len(one) == 64) for one in digests
    )


def is_as_claimed(path: Path, claim: object) -> bool:
    """Return whether a file is what a status vouches for, or one of the two that it may be.

    Raises OSError where the disk fails.
    """
    return sha256_of(path) in (claim if isinstance(claim, list) else [claim])
