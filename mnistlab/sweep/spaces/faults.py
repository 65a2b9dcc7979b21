"""Finds what is wrong with a sweep's values and trials, and says which of them it is."""

from collections.abc import Mapping, Sequence
from typing import Any

from mnistlab.config.load import shown, try_config, value_of
from mnistlab.config.schema import Config
from mnistlab.errors import ConfigError
from mnistlab.sweep.spaces.draft import Draft
from mnistlab.sweep.spaces.settings import Metric
from mnistlab.sweep.spaces.space import Axis, Group, Pick, values_at

_LOOKED_AT = 10_000
"""Of an axis with more values, only those that are picked are looked at."""


def check_values(draft: Draft, groups: Sequence[Group]) -> None:
    """Raise ConfigError for the first value that is wrong by itself or stands there twice."""
    for group in groups:
        if group.is_continuous or group.count > _LOOKED_AT:
            continue
        for axis in group.axes:
            for position in range(axis.count):
                _check_value(draft, axis, position)
        _check_twice(group)


def _check_value(draft: Draft, axis: Axis, position: int) -> None:
    value = axis.at(position)
    path = tuple(axis.key.split("."))
    config = try_config(_with(draft.data, {axis.key: value}))
    if not isinstance(config, Config):
        for fault in config:
            if fault.path == path:
                raise ConfigError(f"{axis.place(position)}: {fault.problem}")
        # several keys that do not go together may do so in a trial


def _check_twice(group: Group) -> None:
    seen: dict[str, int] = {}
    for position in range(group.count):
        values = [axis.at(position) for axis in group.axes]
        # 1 and 1.0 are one learning rate
        alike = repr([float(v) if type(v) is int and abs(v) < 2**53 else v for v in values])
        earlier = seen.setdefault(alike, position)
        if earlier != position:
            first = group.axes[0]
            told = ", ".join(shown(value) for value in values)
            raise ConfigError(f"{first.place(position)}: {told} {_before(first, earlier)}")


def _before(axis: Axis, position: int) -> str:
    if axis.lines:
        return f"stands in line {axis.lines[position]} too"
    return f"is value {position + 1:,} too"


def trial_config(
    draft: Draft, groups: Sequence[Group], pick: Pick
) -> tuple[Config, dict[str, Any]]:
    """Return a point's config and the values that its axes have in it.

    Raises ConfigError that names the faulty value, or all of the trial's.
    """
    given = values_at(groups, pick)
    config = try_config(_with(draft.data, given))
    if isinstance(config, Config):
        return config, {key: value_of(config, tuple(key.split("."))) for key in draft.axes}
    fault = config[0]
    for group, part in zip(groups, pick, strict=True):
        for axis in group.axes:
            if fault.path == tuple(axis.key.split(".")):
                raise ConfigError(f"{axis.place(part)}: {fault.problem}")
    told = ", ".join(f"{key}={shown(value)}" for key, value in given.items())
    raise ConfigError(f"{draft.source}: trial {told}: {fault}")


def check_comparable(draft: Draft, base: Config, configs: Sequence[Config], metric: Metric) -> None:
    """Raise ConfigError if there is nothing to choose a best trial by."""
    if base.data.validation == 0:
        where = draft.origins.get(("data", "validation"), draft.source)
        raise ConfigError(
            f"{where}: data.validation must be above 0: the best trial is chosen on that split"
        )
    if metric.name == "validation.loss" and len({config.loss for config in configs}) > 1:
        raise ConfigError(
            f"{draft.axes['loss'].where}: different losses cannot be compared by validation.loss; "
            "use validation.accuracy"
        )


def _with(data: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
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
