"""A fetch takes seconds and must say so, yet this room prints nothing: it tells a Progress."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol


class Progress(Protocol):
    """What the datasets room needs of whoever shows progress."""

    def message(self, text: str) -> None:
        """Show one line of text."""

    def bar(self, label: str, total: int | None) -> AbstractContextManager[Callable[[int], None]]:
        """Return a context that shows a bar of `total` bytes (None when nobody knows how many).

        Entering it yields `advance`, which is called with the number of bytes that just came.
        """


class Silent:
    """The Progress of a caller who wants none."""

    def message(self, text: str) -> None:
        """Say nothing."""

    @contextmanager
    def bar(self, label: str, total: int | None) -> Iterator[Callable[[int], None]]:  # noqa: ARG002 - the Protocol's names
        """Show nothing."""
        yield lambda _count: None
