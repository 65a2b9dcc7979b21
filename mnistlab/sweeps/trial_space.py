"""Makes a sweep's trials: each is a point of the axes, with its config checked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mnistlab.config.load import value_of
from mnistlab.config.schema import Config
from mnistlab.config.validation import Fault, shown, try_config
from mnistlab.errors import ConfigError
from mnistlab.sweeps.space import Axis, Group, Point, values_at
from mnistlab.sweeps.sweep_file import Draft


@dataclass(frozen=True)
class Trial:
    """One config of a sweep: its number from 0, the axes' values by key, and the whole of it.

    `point` is where in the space it lies.
    """

    number: int
    parameters: Mapping[str, Any]
    config: Config
    point: Point


@dataclass(frozen=True)
class TrialSpace:
    """What trials share and what varies: the draft of a sweep, and its axes in groups."""

    draft: Draft
    groups: Sequence[Group]

    def trials(self, points: Sequence[Point]) -> tuple[Trial, ...]:
        """Return the trials at these points; raise ConfigError for a wrong one or one twice."""
        trials: list[Trial] = []
        same: dict[str, int] = {}
        for number, point in enumerate(points):
            trial = self.trial(number, point)
            earlier = same.setdefault(trial.config.model_dump_json(), number)
            if earlier != number:
                both = ", ".join(f"{key}={value}" for key, value in trial.parameters.items())
                raise ConfigError(
                    f"{self.draft.source}: trials {earlier:,} and {number:,} are the same: {both}"
                )
            trials.append(trial)
        return tuple(trials)

    def trial(self, number: int, point: Point) -> Trial:
        """Return the trial at a point; raise ConfigError that names what is wrong with it."""
        config = self._config_at(point)
        parameters = {key: value_of(config, tuple(key.split("."))) for key in self.draft.axes}
        return Trial(number, parameters, config, point)

    def _config_at(self, point: Point) -> Config:
        given = values_at(self.groups, point)
        found = try_config(with_values(self.draft.base, given))
        if isinstance(found, Config):
            return found
        for group, part in zip(self.groups, point, strict=True):
            for axis in group:
                check_value(axis, part, found)
        values = ", ".join(f"{key}={shown(value)}" for key, value in given.items())
        raise ConfigError(f"{self.draft.source}: trial {values}: {found[0]}")


def check_value(axis: Axis, part: Any, found: Config | list[Fault]) -> None:
    """Raise ConfigError if an axis's own value is what is wrong with a config."""
    for fault in [] if isinstance(found, Config) else found:
        if fault.path == tuple(axis.key.split(".")):
            raise ConfigError(f"{axis.place(part)}: {fault.problem}")


def with_values(data: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return a config's data with dotted keys set, `data` itself left as it is."""
    changed = dict(data)
    for key, value in values.items():
        parent, dot, last = key.rpartition(".")
        if dot:
            nested = changed.get(parent, {})
            changed[parent] = {**nested, last: value} if isinstance(nested, dict) else nested
        else:
            changed[last] = value
    return changed


@dataclass(frozen=True)
class Search:
    """How a sampler is asked for a sweep's trials: `batch` at a time, from a space.

    `drawn` are as many different trials as there will be, in the order in which `--method random`
    draws them. The first batch is taken from them, and so is what stands in for a trial that the
    sampler repeats.
    """

    batch: int
    space: TrialSpace
    drawn: tuple[Trial, ...]
