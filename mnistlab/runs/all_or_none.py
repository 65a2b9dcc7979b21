"""Lets a change of several files happen as a whole or, where the disk fails, not at all."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from mnistlab.runs.atomic import aside_of, sync_folder, write_bytes


@contextmanager
def all_or_none(paths: Sequence[Path]) -> Iterator[None]:
    """Put these files back as they were before the block if it raises, the first of them last.

    They are to be replaced or removed in it, not written into. If one cannot be put back, the
    first stays as it is then, too. Raises OSError before the block where the disk has no room
    to set them aside. What a killed process has set aside, `clear_asides` finds.
    """
    asides: dict[Path, Path | None] = {}
    try:
        for path in paths:
            asides[path] = _set_aside(path)
        try:
            yield
        except BaseException:
            with suppress(OSError):  # what went wrong first is what is reported
                _put_back(asides)
            raise
    finally:
        for aside in asides.values():
            with suppress(OSError):
                if aside is not None:
                    aside.unlink(missing_ok=True)


def _set_aside(path: Path) -> Path | None:
    """Return a second name of a file, or a copy where there are no links; None if it is not."""
    aside = aside_of(path)
    try:
        os.link(path, aside, follow_symlinks=False)
    except FileNotFoundError:
        return None
    except (OSError, NotImplementedError):
        write_bytes(aside, path.read_bytes())
    return aside


def _put_back(asides: Mapping[Path, Path | None]) -> None:
    for at, (path, aside) in reversed([*enumerate(asides.items())]):
        if at == 0:
            with suppress(OSError):  # a disk that cannot promise it may have done it all the same
                sync_folder(path.parent)
        if aside is not None:
            aside.replace(path)
        elif os.path.lexists(path):
            path.unlink()
