"""What a person at a terminal sees: progress on stderr, results on stdout.

What the files of a user print must not reach stdout while a command's results go there.
"""

import contextlib
import sys
from collections.abc import Iterator
from typing import TextIO


class _Streams:
    results: TextIO | None = None


def results() -> TextIO:
    """Return the stream for results."""
    return _Streams.results or sys.stdout


@contextlib.contextmanager
def results_apart() -> Iterator[None]:
    """Send what is printed in the block to stderr, but for what is written to `results()`."""
    _Streams.results = sys.stdout
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    finally:
        _Streams.results = None
