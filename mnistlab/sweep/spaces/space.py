"""A sweep's space: axes that move together or by themselves, and the points picked from it."""

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mnistlab.errors import ConfigError
from mnistlab.sweep.spaces.points import Points, Values

Pick = tuple[Any, ...]
"""A point of the space: for each group a position, or for a continuous one the number drawn."""


@dataclass(frozen=True)
class Axis:
    """A config's key and the values it takes; `where` says who gave them.

    `lines` are the lines of a list's rows, for an axis that is a column of one.
    """

    key: str
    where: str
    values: Values
    lines: tuple[int, ...] = ()

    @property
    def is_continuous(self) -> bool:
        """Whether values can only be drawn."""
        return not isinstance(self.values.source, Points)

    @property
    def count(self) -> int:
        """How many values there are; 0 for a continuous axis."""
        return self.values.source.count if isinstance(self.values.source, Points) else 0

    def at(self, pick: Any) -> Any:
        """Return the value that a pick stands for."""
        return self.values.source.at(pick) if isinstance(self.values.source, Points) else pick

    def place(self, pick: Any) -> str:
        """Return where the value that a pick stands for was given."""
        if self.is_continuous:
            return f"{self.where}, {pick} drawn"
        if self.lines:
            return f"{self.where}, line {self.lines[pick]}: {self.key}"
        return f"{self.where}, value {pick + 1:,}"


@dataclass(frozen=True)
class Group:
    """Axes that move together, mostly just one; `where` says who tied them."""

    where: str
    axes: tuple[Axis, ...]

    @property
    def count(self) -> int:
        """How many positions there are; 0 for a continuous axis."""
        return self.axes[0].count

    @property
    def is_continuous(self) -> bool:
        """Whether values can only be drawn."""
        return self.axes[0].is_continuous

    def draw(self, generator: np.random.Generator) -> Any:
        """Return a pick, each as likely as the next."""
        source = self.axes[0].values.source
        if isinstance(source, Points):
            return int(generator.integers(0, source.count - 1, endpoint=True))
        return source.sample(generator)


def tie(axes: Mapping[str, Axis], zips: Sequence[tuple[str, Sequence[str]]]) -> list[Group]:
    """Return the groups of all axes, in the order of their first keys.

    `zips` are the keys that move together, each with where that was said. Raises ConfigError.
    """
    group_of: dict[str, Group] = {}
    for where, keys in zips:
        for key in keys:
            if key not in axes:
                raise ConfigError(
                    f"{where}: {key!r} is no axis of this sweep; the axes are {', '.join(axes)}"
                )
            if key in group_of or keys.count(key) > 1:
                raise ConfigError(f"{where}: {key!r} can move together with others only once")
            if axes[key].is_continuous:
                raise ConfigError(f"{where}: {key!r} is drawn; only listed values move together")
        first, *others = (axes[key] for key in keys)
        for other in others:
            if other.count != first.count:
                raise ConfigError(
                    f"{where}: {first.key} has {first.count:,} values and {other.key} "
                    f"{other.count:,}; what moves together needs equally many"
                )
        group = Group(where, (first, *others))
        group_of.update(dict.fromkeys(keys, group))
    groups = (group_of.get(key) or Group(axis.where, (axis,)) for key, axis in axes.items())
    return list({id(group): group for group in groups}.values())


def size(groups: Sequence[Group]) -> int | None:
    """Return how many points the space has; None for a continuous one."""
    if any(group.is_continuous for group in groups):
        return None
    return math.prod(group.count for group in groups)


def pick_all(groups: Sequence[Group]) -> Iterator[Pick]:
    """Yield every point, the first axis slowest."""
    return itertools.product(*(range(group.count) for group in groups))


def pick_some(groups: Sequence[Group], wanted: int, random_seed: int) -> list[Pick]:
    """Return `wanted` different points in the order drawn, without going through the space.

    Raises ValueError where a continuous axis is so narrow that it has not got so many.
    """
    generator = np.random.default_rng(random_seed)
    picks: dict[Pick, None] = {}
    points = size(groups)
    # the last of 10,000 points is found in 100,000 draws; only a narrow axis needs a limit
    left = 20 * wanted + 1000 if points is None else -1
    while len(picks) < wanted:
        if left == 0:
            raise ValueError(f"only {len(picks):,} different points were found, not {wanted:,}")
        picks[tuple(group.draw(generator) for group in groups)] = None
        left -= 1
    return list(picks)


def values_at(groups: Sequence[Group], pick: Pick) -> dict[str, Any]:
    """Return the value of every axis's key at a point."""
    return {
        axis.key: axis.at(part)
        for group, part in zip(groups, pick, strict=True)
        for axis in group.axes
    }
