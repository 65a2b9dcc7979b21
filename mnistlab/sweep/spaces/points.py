"""What gives an axis its values: functions that space them out, distributions to draw from."""

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from mnistlab.config.load import shown
from mnistlab.core.registry import Registry

MOST_VALUES = 2**63
_ALL_LOOKED_AT = 10_000  # values up to which a function looks whether all of them are whole

Number = int | float


@dataclass(frozen=True)
class Points:
    """So many values, each worked out when it is asked for: 10^12 of them cost nothing."""

    count: int
    at: Callable[[int], Any]


@dataclass(frozen=True)
class Draw:
    """Numbers without end: `sample` draws one."""

    sample: Callable[[np.random.Generator], float]


@dataclass(frozen=True)
class Values:
    """What an axis can take, and how a sweep file writes it down."""

    source: Points | Draw
    entry: Mapping[str, Any]


def listed(values: Sequence[Any]) -> Points:
    """Return the points that are just these values."""
    return Points(len(values), values.__getitem__)


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
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"{what} must be a whole number, not {shown(value)}")
    return value


def _round(value: float) -> float:
    """Return a number without the noise of arithmetic: 12 significant digits."""
    return float(f"{value:.12g}")


def _exact(value: Number) -> Fraction:
    """Return the number that was typed: 0.1 is a tenth, not the nearest binary fraction."""
    return Fraction(repr(value))


def _range(*arguments: Any) -> Points:
    numbers = _numbers(*arguments)
    start, stop = (0, numbers[0]) if len(numbers) == 1 else numbers[:2]
    step = numbers[2] if len(numbers) == 3 else 1
    if step == 0:
        raise ValueError("the step must not be 0")
    count = math.ceil((_exact(stop) - _exact(start)) / _exact(step))
    if count < 1:
        raise ValueError("gives no values, as its end is excluded")
    if all(isinstance(number, int) for number in numbers):
        return Points(count, lambda position: start + position * step)
    return _spaced(start, None, count, lambda i: float(_exact(start) + i * _exact(step)))


def _linspace(first: Any, last: Any, count: Any) -> Points:
    first, last = _numbers(first, last)
    count = _count(count)
    gaps = max(count - 1, 1)
    span = _exact(last) - _exact(first)
    if isinstance(first, int) and isinstance(last, int) and (last - first) % gaps == 0:
        return Points(count, lambda i: first + i * (last - first) // gaps)
    return _spaced(first, last, count, lambda i: float(_exact(first) + i * span / gaps))


def _logspace(first: Any, last: Any, count: Any) -> Points:
    first, last = _positive(first, last)
    count = _count(count)
    low, span = math.log(first), math.log(last) - math.log(first)
    points = _spaced(first, last, count, lambda i: math.exp(low + span * i / max(count - 1, 1)))
    if isinstance(first, int) and isinstance(last, int) and count <= _ALL_LOOKED_AT:
        values = [points.at(i) for i in range(count)]
        if all(value == int(value) for value in values):
            return listed([int(value) for value in values])
    return points


def _spaced(
    first: Number, last: Number | None, count: int, between: Callable[[int], float]
) -> Points:
    """Return points that start at `first` exactly and end at `last`, where one is given."""

    def at(position: int) -> float:
        if position == 0:
            return float(first)
        if position == count - 1 and last is not None:
            return float(last)
        return _round(between(position))

    return Points(count, at)


def _count(count: Any) -> int:
    if _whole(count, "the number of points") < 1:
        raise ValueError(f"the number of points must be at least 1, not {shown(count)}")
    return int(count)


def _positive(low: Any, high: Any) -> list[Number]:
    for number in _numbers(low, high):
        if number <= 0:
            raise ValueError(f"{shown(number)} has no logarithm; it must be above 0")
    return [low, high]


def _choice(*values: Any) -> Points:
    return listed(values)


def _ordered(low: Number, high: Number) -> None:
    if low > high:
        raise ValueError(f"min {shown(low)} is above max {shown(high)}")


def _uniform(low: Any, high: Any) -> Points | Draw:
    low, high = (float(number) for number in _numbers(low, high))
    _ordered(low, high)
    if not math.isfinite(high - low):
        raise ValueError("min and max are too far apart")
    return _between(low, high, lambda generator: generator.uniform(low, high))


def _log_uniform_values(low: Any, high: Any) -> Points | Draw:
    low, high = (float(number) for number in _positive(low, high))
    _ordered(low, high)
    ends = math.log(low), math.log(high)
    return _between(low, high, lambda generator: math.exp(generator.uniform(*ends)))


def _log_uniform(low: Any, high: Any) -> Points | Draw:
    """Return draws between e^low and e^high, as in W&B sweep files."""
    _ordered(*_numbers(low, high))
    try:
        ends = math.exp(low), math.exp(high)
    except OverflowError:
        raise ValueError(f"max is an exponent, and e^{high:g} is not a finite number") from None
    if ends[0] == 0:
        raise ValueError(f"min is an exponent, and e^{low:g} is rounded to 0")
    return _log_uniform_values(*ends)


def _between(
    low: float, high: float, draw: Callable[[np.random.Generator], float]
) -> Points | Draw:
    if low == high:
        return listed([low])
    return Draw(lambda generator: min(max(_round(draw(generator)), low), high))


def _int_uniform(low: Any, high: Any) -> Points:
    low, high = _whole(low, "min"), _whole(high, "max")
    _ordered(low, high)
    return Points(high - low + 1, lambda position: low + position)


DISTRIBUTIONS: Registry[Callable[[Any, Any], Points | Draw]] = Registry("distribution")
"""Distributions between a min and a max, named as in W&B sweep files."""
DISTRIBUTIONS.add("int_uniform", _int_uniform)
DISTRIBUTIONS.add("uniform", _uniform)
DISTRIBUTIONS.add("log_uniform", _log_uniform)
DISTRIBUTIONS.add("log_uniform_values", _log_uniform_values)


def distribution(name: str, low: Any, high: Any) -> Values:
    """Return the values between `low` and `high`; raise ValueError for ends that cannot be."""
    source = DISTRIBUTIONS[name](low, high)
    if isinstance(source, Points) and source.count > MOST_VALUES:
        raise ValueError(f"holds {count_in_words(source.count)} values, which is too many")
    return Values(source, {"distribution": name, "min": low, "max": high})


@dataclass(frozen=True)
class Function:
    """How a function is written, how many arguments it takes, and what it gives."""

    usage: str
    lengths: range
    make: Callable[..., Points | Values]


_ONE, _TWO, _THREE = range(1, 2), range(2, 3), range(3, 4)
FUNCTIONS: Registry[Function] = Registry("function")
FUNCTIONS.add("range", Function("range(a,b,step), its end excluded", range(1, 4), _range))
FUNCTIONS.add("linspace", Function("linspace(a,b,n), n values from a to b", _THREE, _linspace))
FUNCTIONS.add("logspace", Function("logspace(a,b,n), n values from a to b", _THREE, _logspace))
FUNCTIONS.add("choice", Function("choice(a,b,...)", range(1, 10_001), _choice))
for _name, _meaning in {
    "uniform": "uniform",
    "log_uniform": "log_uniform_values",
    "int_uniform": "int_uniform",
}.items():
    FUNCTIONS.add(
        _name, Function(f"{_name}(min,max)", _TWO, functools.partial(distribution, _meaning))
    )
