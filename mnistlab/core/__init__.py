"""The mathematics: models, losses, optimizers, schedules, and the one trainer.

Each part has a name in a `Registry`, which turns a name from a config into code, and is the only
place that does.
"""

from collections.abc import Callable
from typing import TypeVar

from mnistlab.errors import UnknownNameError

T = TypeVar("T")


class Registry(dict[str, T]):
    """The entries of one kind ("model", "loss", ...) by their names, in order.

    A missing name raises `UnknownNameError`, which lists the valid names and the nearest. With
    `types`, an entry is an instance of one of these.
    """

    def __init__(self, kind: str, *types: type) -> None:
        super().__init__()
        self.kind = kind
        self._types = types

    def add(self, name: str, entry: T) -> T:
        """Register `entry` under `name` and return it; a name can be taken only once.

        Raises ValueError for a name that is taken, TypeError for an entry of another type.
        """
        if name in self:
            raise ValueError(f"{self.kind} {name!r} is registered twice")
        if self._types and not isinstance(entry, self._types):
            wanted = " or ".join(kind.__name__ for kind in self._types)
            raise TypeError(f"{self.kind} {name!r} is no {wanted}, but {type(entry).__name__}")
        self[name] = entry
        return entry

    def register(self, name: str) -> Callable[[T], T]:
        """Return a decorator that registers what it decorates under `name`."""
        return lambda entry: self.add(name, entry)

    def __missing__(self, name: str) -> T:
        raise UnknownNameError(self.kind, name, self)
