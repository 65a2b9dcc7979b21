"""Names and numbers as they are written in figures: on one line, short, and in one style.

V is a number of values.
"""

from collections.abc import Sequence
from numbers import Real
from typing import Any

import numpy as np
from matplotlib.font_manager import FontProperties, findfont, get_font
from numpy.typing import NDArray

FONT = "DejaVu Sans"  # comes with matplotlib: the same letters on every machine
PERCENT = " %"

_MINUS = "\N{MINUS SIGN}"
_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_PLAIN = (0.9e-5, 1e5)  # numbers between these are written without a power of ten


def plain(text: str) -> str:
    """Return `text` on one line, with a `?` for each letter that the font does not have."""
    line = " ".join(str(text).split())
    if line.isascii() and line.isprintable():
        return line
    font = get_font(findfont(FontProperties(family=FONT)))
    return "".join(c if c.isprintable() and font.get_char_index(ord(c)) else "?" for c in line)


def cut(text: str, most: int) -> str:
    """Return `text` as `plain` gives it, cut with `…` to at most so many characters."""
    line = plain(text)
    return line if len(line) <= most else line[: most - 1] + "…"


def spell(name: str) -> str:
    """Return a name with spaces where the config has underscores."""
    return name.replace("_", " ")


def number(value: float) -> str:
    """Return a finite `value` to three digits, no coarser than whole, no finer than 0.0001.

    What would be longer is written as a power of ten.
    """
    if value == 0:
        return "0"
    mantissa, _, power = f"{value:.2e}".partition("e")
    magnitude = int(power)
    if -3 <= magnitude < 5:
        return f"{value:.{min(max(0, 2 - magnitude), 4)}f}".replace("-", _MINUS)
    mantissa = mantissa.rstrip("0").rstrip(".").replace("-", _MINUS)
    ten = f"10{str(magnitude).translate(_SUPERSCRIPT)}"
    return ten if mantissa == "1" else f"{mantissa}·{ten}"


def short(value: float) -> str:
    """Return what `number` does, without the zeros at its end: for round values, as on axes."""
    text = number(value)
    return text.rstrip("0").rstrip(".") if "." in text else text


def format_error(error: float, unit: str) -> str:
    """Return an error as the table of a sweep has it: a percentage with two decimals."""
    if unit == PERCENT and 0 <= error < 1000:
        return f"{error:.2f}{unit}"
    return f"{number(error)}{unit}"


def format_values(values: Sequence[Any]) -> list[str]:
    """Return the values (V,) of one parameter as labels, its numbers in one style."""
    sizes = [abs(size) for value in values if (size := _as_number(value))]
    is_plain = all(_PLAIN[0] <= size < _PLAIN[1] for size in sizes)
    return [_format(value, is_plain=is_plain) for value in values]


def format_ticks(ticks: NDArray[np.float64], *, log: bool) -> list[str]:
    """Return the labels of an axis' ticks (V,): with equal decimals, unless it is logarithmic."""
    if len(ticks) == 1:
        return [short(float(ticks[0]))]
    largest = np.abs(ticks).max(initial=0)
    if log or largest >= _PLAIN[1] or largest < 1e-3:
        return format_values(ticks.tolist())
    off = 1e-6 * np.ptp(ticks)
    decimals = next(d for d in range(17) if np.allclose(ticks.round(d), ticks, rtol=0, atol=off))
    return [f"{tick:.{decimals}f}".replace("-", _MINUS) for tick in ticks]


def numeric(values: Sequence[Any]) -> NDArray[np.float64] | None:
    """Return `values` (V,) as numbers; None if one of them is a name, a flag or not finite."""
    if not all(isinstance(value, Real) and not isinstance(value, bool) for value in values):
        return None
    try:
        numbers = np.array([float(value) for value in values], dtype=float)
    except OverflowError:  # a whole number of hundreds of digits
        return None
    return numbers if np.isfinite(numbers).all() else None


def distinct(values: Sequence[Any]) -> list[Any]:
    """Return each of the values (V,) once, numbers by size and all else as it comes."""
    once = list({repr(value): value for value in values}.values())
    return sorted(once) if numeric(once) is not None else once


def spans_decades_from_zero(numbers: NDArray[np.float64]) -> bool:
    """Return whether neither a linear nor a logarithmic axis could tell the numbers (V,) apart."""
    above = numbers[numbers > 0]
    return bool((numbers == 0).any() and len(above) and above.max() / 10 >= above.min())


def _as_number(value: Any) -> float | None:
    numbers = numeric([value])
    return None if numbers is None else float(numbers[0])


def _format(value: Any, *, is_plain: bool) -> str:
    if isinstance(value, list | tuple):
        return f"[{', '.join(_format(item, is_plain=is_plain) for item in value)}]"
    size = _as_number(value)
    if size is None:
        words = {"None": "none", "True": "true", "False": "false"}
        return spell(words.get(repr(value), str(value)))
    if not is_plain or size == 0 or abs(size) >= 100:
        return short(size)
    return np.format_float_positional(
        size, precision=3, unique=False, fractional=False, trim="-"
    ).replace("-", _MINUS)
