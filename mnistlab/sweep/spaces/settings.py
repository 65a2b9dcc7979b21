"""What a sweep is told besides its axes: the method, the metric, and how many trials."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mnistlab.config.load import shown
from mnistlab.errors import ConfigError, suggest

METHODS = ("grid", "random", "halving")
METRICS = {"validation.accuracy": "maximize", "validation.loss": "minimize"}
"""What trials can be compared by, and which way is better."""
GOALS = ("maximize", "minimize")
HALVING_KEYS = ("factor", "min_epochs")
_NOT_TO_CHOOSE_BY = {
    "test": "trials are chosen on the validation split only, so that the test split stays unseen",
    "train": "trials are chosen on the validation split only, as a good fit proves little",
}


@dataclass(frozen=True)
class Metric:
    """What trials are compared by, and whether more or less of it is better."""

    name: str
    goal: str


@dataclass(frozen=True)
class Halving:
    """Trials begin with `min_epochs`; the best 1/`factor` of them go on `factor` times as long."""

    factor: int = 3
    min_epochs: int = 1


def metric_named(name: str, goal: str | None = None, where: str = "--metric") -> Metric:
    """Return the metric of that name; without a goal the better direction is its goal.

    Raises ConfigError that opens with `where`.
    """
    dotted = name if "." in name else name.replace("_", ".", 1)
    reason = _NOT_TO_CHOOSE_BY.get(dotted.partition(".")[0])
    if reason:
        raise ConfigError(f"{where}: {name!r}: {reason}; use {' or '.join(METRICS)}")
    if dotted not in METRICS:
        raise ConfigError(f"{where}: unknown metric {name!r}{suggest(name, METRICS)}")
    if goal is not None and goal not in GOALS:
        raise ConfigError(f"{where}: unknown goal {goal!r}{suggest(goal, GOALS)}")
    if goal not in (None, METRICS[dotted]):
        raise ConfigError(
            f"{where}: to {goal} {dotted} would choose the worst; {METRICS[dotted]} it"
        )
    return Metric(dotted, METRICS[dotted])


def read_metric(given: Any, where: str) -> Metric:
    """Return the metric of a sweep file, where a goal left out means to minimise."""
    given = mapping(given, ("name", "goal"), where)
    for key, value in given.items():
        if not isinstance(value, str):
            raise ConfigError(f"{where}.{key}: must be text, not {shown(value)}")
    if "name" not in given:
        raise ConfigError(f"{where}: needs a name, {' or '.join(METRICS)}")
    metric = metric_named(given["name"], given.get("goal"), where)
    if "goal" not in given and metric.goal == "maximize":
        raise ConfigError(
            f"{where}: without a goal {metric.name} would be minimised; say goal: maximize"
        )
    return metric


def read_halving(given: Any, where: str) -> dict[str, int]:
    """Return the settings of halving that a sweep file gives."""
    given = mapping(given, HALVING_KEYS, where)
    return {key: halving_value(key, value, f"{where}.{key}") for key, value in given.items()}


def halving_value(key: str, value: Any, where: str) -> int:
    """Return one setting of halving, checked."""
    return whole_number(value, where, 2 if key == "factor" else 1)


def method_named(name: Any, where: str) -> str:
    """Return the name of a method, checked."""
    if name not in METHODS:
        raise ConfigError(f"{where}: unknown method {shown(name)!r}{suggest(str(name), METHODS)}")
    return str(name)


def whole_number(value: Any, where: str, least: int) -> int:
    """Return a whole number that is not below `least`, checked."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise ConfigError(f"{where}: must be a whole number, not {shown(value)}")
    if value < least:
        raise ConfigError(f"{where}: must be at least {least}, not {shown(value)}")
    return value


def mapping(given: Any, keys: tuple[str, ...], where: str) -> Mapping[str, Any]:
    """Return a mapping whose keys are among `keys`, checked."""
    if not isinstance(given, dict):
        raise ConfigError(f"{where}: must be a mapping of {', '.join(keys)}, not {shown(given)}")
    for key in given:
        if key not in keys:
            raise ConfigError(f"{where}: unknown key {key!r}{suggest(key, keys)}")
    return given
