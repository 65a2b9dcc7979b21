"""What a sweep file can say: its keys, functions that give an axis its values, and metrics."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Self

import numpy as np
from pydantic import ConfigDict, Field, field_validator, model_validator

from mnistlab.config.load import shown
from mnistlab.config.schema import StrictModel, Whole
from mnistlab.errors import ConfigError, UnknownNameError, suggest

MOST_LISTED = 40_000
"""Values of an axis; so many still fit the file that `SweepDefinition.to_yaml` writes."""

Number = int | float


@dataclass(frozen=True)
class Distribution:
    """Numbers between two ends, drawn evenly or evenly in the logarithm."""

    low: float
    high: float
    logarithmic: bool = False

    def draw(self, generator: np.random.Generator) -> float:
        """Return a number of 12 significant digits between the ends."""
        if self.logarithmic:
            drawn = math.exp(generator.uniform(math.log(self.low), math.log(self.high)))
        else:
            drawn = generator.uniform(self.low, self.high)
        return self.nearest(drawn)

    def nearest(self, value: float) -> float:
        """Return the number of 12 significant digits between the ends that is nearest."""
        return min(max(_rounded(value), self.low), self.high)


Values = Sequence[Any] | Distribution
"""What an axis takes; whole numbers between two ends are Python's own range, never a list."""


def count_in_words(count: int) -> str:
    """Return a number of things as text, short however large it is."""
    return f"{count:,}" if count < 10**15 else f"about 10^{math.floor(math.log10(count))}"


def _numbers(*values: Any) -> list[Number]:
    for value in values:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError(f"{shown(value)} is not a number")
        try:
            finite = math.isfinite(float(value))
        except OverflowError:
            finite = False
        if not finite:
            raise ValueError(f"{shown(value)} is not a finite number")
    return list(values)


def _whole(value: Any, what: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float) or value % 1 != 0:
        raise ValueError(f"{what} must be a whole number, not {shown(value)}")
    return int(value)


def _positive(*values: Any) -> list[Number]:
    for number in _numbers(*values):
        if number <= 0:
            raise ValueError(f"{shown(number)} has no logarithm; it must be above 0")
    return list(values)


def _rounded(value: float) -> float:
    """Return a number without the noise of arithmetic: 12 significant digits."""
    return float(f"{value:.12g}")


def _exact(value: Number) -> Fraction:
    """Return the number that was typed: 0.1 is a tenth, not the nearest binary fraction."""
    return Fraction(repr(value))


def _check_count(count: int) -> None:
    if count > MOST_LISTED:
        raise ValueError(
            f"gives {count_in_words(count)} values, which is too many: {MOST_LISTED:,} at most; "
            "ask for fewer, or draw from uniform(a,b), log_uniform(a,b) or int_uniform(a,b)"
        )


def _range(*arguments: Any) -> Sequence[Number]:
    numbers = _numbers(*arguments)
    start, stop = (0, numbers[0]) if len(numbers) == 1 else numbers[:2]
    step = numbers[2] if len(numbers) == 3 else 1
    if step == 0:
        raise ValueError("the step must not be 0")
    count = math.ceil((_exact(stop) - _exact(start)) / _exact(step))
    if count < 1 and (stop - start) * step < 0:
        raise ValueError("gives no values: its step leads away from its end")
    if count < 1:
        raise ValueError("gives no values, as its end is excluded")
    if isinstance(start, int) and isinstance(stop, int) and isinstance(step, int):
        return _whole_numbers(start, start + (count - 1) * step, step)
    _check_count(count)
    between = [_rounded(float(_exact(start) + i * _exact(step))) for i in range(1, count)]
    return [float(start), *between]


def _whole_numbers(first: int, last: int, step: int = 1) -> range:
    values = range(first, last + (1 if step > 0 else -1), step)
    try:
        len(values)
    except OverflowError:
        count = count_in_words((last - first) // step + 1)
        raise ValueError(f"gives {count} values, which is too many: 2^63 - 1 at most") from None
    return values


def _linspace(first: Any, last: Any, count: Any) -> Sequence[Number]:
    first, last = _numbers(first, last)
    count = _point_count(count, first != last)
    gaps = max(count - 1, 1)
    if isinstance(first, int) and isinstance(last, int) and (last - first) % gaps == 0:
        return [first + i * (last - first) // gaps for i in range(count)]
    # in fractions, as numpy.linspace(-0.3, 0.3, 7) has 5e-17 in the place of its zero
    low, step = _exact(first), (_exact(last) - _exact(first)) / gaps
    return _with_ends(first, last, [float(low + i * step) for i in range(count)])


def _logspace(first: Any, last: Any, count: Any) -> Sequence[Number]:
    first, last = _positive(first, last)
    spaced = np.geomspace(float(first), float(last), _point_count(count, first != last)).tolist()
    values = _with_ends(first, last, spaced)
    if isinstance(first, int) and isinstance(last, int) and all(v.is_integer() for v in values):
        return [int(value) for value in values]
    return values


def _with_ends(first: Number, last: Number, values: Sequence[float]) -> list[float]:
    """Return values rounded, the first and the last one just as they were typed."""
    return [float(first), *map(_rounded, values[1:-1]), float(last)][: len(values)]


def _point_count(count: Any, has_two_ends: bool) -> int:
    number = _whole(count, "the number of points")
    if number == 1 and has_two_ends:
        raise ValueError("the number of points must be at least 2, as both ends are included")
    if number < 1:
        raise ValueError(f"the number of points must be at least 1, not {shown(count)}")
    _check_count(number)
    return number


def _ends(low: Any, high: Any) -> None:
    if low > high:
        raise ValueError(f"min {shown(low)} is above max {shown(high)}")


def _uniform(low: Any, high: Any) -> Values:
    low, high = (float(number) for number in _numbers(low, high))
    _ends(low, high)
    if not math.isfinite(high - low):
        raise ValueError("min and max are too far apart")
    return Distribution(low, high) if low < high else [low]


def _log_uniform_values(low: Any, high: Any) -> Values:
    low, high = (float(number) for number in _positive(low, high))
    _ends(low, high)
    return Distribution(low, high, logarithmic=True) if low < high else [low]


def _log_uniform(low: Any, high: Any) -> Values:
    """Return draws between e^low and e^high, as in W&B sweep files."""
    _ends(*_numbers(low, high))
    try:
        ends = math.exp(low), math.exp(high)
    except OverflowError:
        raise ValueError(f"max is an exponent, and e^{high:g} is not a finite number") from None
    if ends[0] == 0:
        raise ValueError(f"min is an exponent, and e^{low:g} is rounded to 0")
    return _log_uniform_values(*ends)


def _int_uniform(low: Any, high: Any) -> Values:
    low, high = _whole(low, "min"), _whole(high, "max")
    _ends(low, high)
    return _whole_numbers(low, high)


DISTRIBUTIONS: Mapping[str, Callable[[Any, Any], Values]] = {
    "int_uniform": _int_uniform,
    "uniform": _uniform,
    "log_uniform": _log_uniform,
    "log_uniform_values": _log_uniform_values,
}
"""Distributions between a min and a max, named as in W&B sweep files."""


@dataclass(frozen=True)
class Function:
    """How a function is written, how many arguments it takes, and what it gives."""

    usage: str
    lengths: range
    make: Callable[..., Values]
    distribution: str | None = None


FUNCTIONS: Mapping[str, Function] = {
    "range": Function("range(a,b,step), its end excluded", range(1, 4), _range),
    "linspace": Function("linspace(a,b,n), n values from a to b", range(3, 4), _linspace),
    "logspace": Function("logspace(a,b,n), n values from a to b", range(3, 4), _logspace),
    "choice": Function("choice(a,b,...)", range(1, 10_001), lambda *values: values),
    **{
        name: Function(f"{name}(min,max)", range(2, 3), DISTRIBUTIONS[meaning], meaning)
        for name, meaning in (
            ("uniform", "uniform"),
            ("log_uniform", "log_uniform_values"),
            ("int_uniform", "int_uniform"),
        )
    },
}


METHODS = ("grid", "random", "halving", "tpe")
METRICS = {"validation.accuracy": "maximize", "validation.loss": "minimize"}
"""What trials can be compared by, and which way is better."""
GOALS = ("maximize", "minimize")
_NOT_TO_CHOOSE_BY = {
    "test": "trials are chosen on the validation split only, so that the test split stays unseen",
    "train": "trials are chosen on the validation split only, as a good fit proves little",
}


@dataclass(frozen=True)
class Metric:
    """What trials are compared by, and whether more or less of it is better."""

    name: str
    goal: str


def metric_named(name: str, goal: str | None = None, where: str = "--metric") -> Metric:
    """Return the metric of that name; without a goal the better direction is its goal.

    Raises ConfigError that opens with `where`.
    """
    try:
        return check_metric(name, goal)
    except ValueError as error:
        raise ConfigError(f"{where}: {error}") from None


def check_metric(name: str, goal: str | None = None) -> Metric:
    """Return the metric of that name; raise ValueError for one that cannot choose a trial."""
    dotted = name if "." in name else name.replace("_", ".", 1)
    reason = _NOT_TO_CHOOSE_BY.get(dotted.partition(".")[0])
    if reason:
        raise ValueError(f"{name!r}: {reason}; use {' or '.join(METRICS)}")
    if dotted not in METRICS:
        raise ValueError(f"unknown metric {name!r}{suggest(name, METRICS)}")
    if goal is not None and goal not in GOALS:
        raise ValueError(f"unknown goal {goal!r}{suggest(goal, GOALS)}")
    if goal not in (None, METRICS[dotted]):
        raise ValueError(f"to {goal} {dotted} would choose the worst; {METRICS[dotted]} it")
    return Metric(dotted, METRICS[dotted])


class Halving(StrictModel):
    """Trials begin with `min_epochs`; the best 1/`factor` of them go on `factor` times as long."""

    model_config = ConfigDict(frozen=True)

    factor: Whole = Field(default=3, ge=2)
    min_epochs: Whole = Field(default=1, ge=1)


class MetricEntry(StrictModel):
    """A metric as a sweep file writes it, where a goal left out means to minimize, as in W&B."""

    name: str
    goal: str | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        metric = check_metric(self.name, self.goal)
        if self.goal is None and metric.goal == "maximize":
            raise ValueError(f"without a goal {metric.name} would be minimised; say goal: maximize")
        return self


class Parameter(StrictModel):
    """The long form of a parameter, with the keys of W&B's sweep files."""

    value: Any = None
    values: list[Any] = Field(default_factory=list)
    min: Any = None
    max: Any = None
    distribution: str = ""

    @model_validator(mode="after")
    def _check(self) -> Self:
        """Settle which distribution is meant, and refuse keys that do not go with it."""
        given = self.model_fields_set - {"distribution"}
        if not given and not self.distribution:
            raise ValueError("needs a value, values, or min and max")
        between = "int_uniform" if type(self.min) is type(self.max) is int else "uniform"
        listed = "categorical" if "values" in given else between
        name = self.distribution or ("constant" if "value" in given else listed)
        needed = {"constant": ("value",), "categorical": ("values",)}.get(name, ("min", "max"))
        if needed == ("min", "max") and name not in DISTRIBUTIONS:
            known = ["constant", "categorical", *DISTRIBUTIONS]
            raise ValueError(str(UnknownNameError("distribution", name, known)))
        if given != set(needed):
            wrong = " and ".join(sorted(given - set(needed)))
            other = f", not {wrong}" if wrong else ""
            raise ValueError(f"{name} needs {' and '.join(needed)}{other}")
        self.distribution = name
        return self


class Published(StrictModel):
    """Figures from the literature, to stand beside those of the trials."""

    source: str = Field(min_length=1)
    test_error: list[float | None]
    """Per cent of the test images, one for each trial in their order; null where there is none."""


class SweepFile(StrictModel):
    """What a sweep file can say; a plain config is one that says its base alone."""

    base: Any = Field(default_factory=dict)
    method: str | None = None
    metric: MetricEntry = MetricEntry(name="validation.accuracy", goal="maximize")
    parameters: dict[str, Any] = Field(default_factory=dict)
    zip: list[list[str]] = Field(default_factory=list)
    trials: str | None = Field(default=None, min_length=1)
    seeds: Whole = Field(default=1, ge=1)
    folds: Whole | None = Field(default=None, ge=2)
    max_trials: Whole | None = Field(default=None, ge=1)
    random_seed: Whole = Field(default=0, ge=0)
    batch: Whole | None = Field(default=None, ge=1)
    halving: Halving = Halving()
    published: Published | None = None

    @field_validator("base")
    @classmethod
    def _check_base(cls, base: Any) -> Any:
        if not isinstance(base, dict) and not (isinstance(base, str) and base):
            raise ValueError(f"must be a config file or a mapping of keys, not {shown(base)}")
        return base

    @field_validator("zip", mode="before")
    @classmethod
    def _check_zip(cls, groups: Any) -> Any:
        if not isinstance(groups, list) or not all(isinstance(group, list) for group in groups):
            raise ValueError("must be a list of groups, like [[learning_rate, epochs]]")
        if any(len(group) < 2 for group in groups):
            raise ValueError("a group needs at least two keys")
        return groups

    @field_validator("method")
    @classmethod
    def _check_method(cls, name: str | None) -> str | None:
        if name is not None and name not in METHODS:
            raise ValueError(str(UnknownNameError("method", name, METHODS)))
        return name
