"""A registry turns a name from a config into code, and is the only place that does."""

from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

from mnistlab.errors import UnknownNameError

T = TypeVar("T")


class Registry(Mapping[str, T]):
    """An ordered mapping from names to entries of one kind ("model", "loss", ...).

    A missing name raises `UnknownNameError`, which lists the valid names and the nearest. With
    `types`, an entry is an instance of one of these.
    """

    def __init__(self, kind: str, *types: type) -> None:
        self.kind = kind
        self._types = types
        self._entries: dict[str, T] = {}

    def add(self, name: str, entry: T) -> T:
        """Register `entry` under `name` and return it; a name can be taken only once.

        Raises ValueError for a name that is taken, TypeError for an entry of another type.
        """
        if name in self._entries:
            raise ValueError(f"{self.kind} {name!r} is registered twice")
        if self._types and not isinstance(entry, self._types):
            wanted = " or ".join(kind.__name__ for kind in self._types)
            raise TypeError(f"{self.kind} {name!r} is no {wanted}, but {type(entry).__name__}")
        self._entries[name] = entry
        return entry

    def register(self, name: str) -> Callable[[T], T]:
        """Return a decorator that registers what it decorates under `name`."""
        return lambda entry: self.add(name, entry)

    def __getitem__(self, name: str) -> T:
        try:
            return self._entries[name]
        except KeyError:
            raise UnknownNameError(self.kind, name, self._entries) from None

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)
