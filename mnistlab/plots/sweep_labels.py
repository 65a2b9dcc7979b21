"""How the plots of a sweep name parameters and write their values and the errors.

V is a number of values.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnistlab.plots import style, words
from mnistlab.plots.axes import Scale, label, numeric

PERCENT = " %"
_DECIMALS = (0.9e-5, 1e5)  # numbers between these are written without a power of ten


def spell(name: str) -> str:
    """Return a name as a person writes it: with spaces, where the config has underscores."""
    return name.replace("_", " ")


def tell_error(error: float, unit: str) -> str:
    """Return an error as the table of the results has it: a percentage with two decimals."""
    if unit == PERCENT and 0 <= error < 1000:
        return f"{error:.2f}{unit}"
    return f"{words.number(error)}{unit}"


def tell_values(values: Sequence[Any]) -> list[str]:
    """Return the values (V,) of one parameter as labels, its numbers in one style."""
    sizes = [abs(number) for value in values if (number := _number(value))]
    plain = all(_DECIMALS[0] <= size < _DECIMALS[1] for size in sizes)
    return [_tell(value, plain=plain) for value in values]


def tell_value(value: Any) -> str:
    """Return one value of a parameter as a label."""
    return tell_values([value])[0]


def with_one_style(scale: Scale) -> Scale:
    """Return `scale` with all its ticks as decimals or all as `words.short` has them."""
    if not any("10" in text and "·" in text for text in scale.labels) and not scale.log:
        return scale
    return replace(scale, labels=tell_values(scale.ticks.tolist()))


def in_lines(sentences: Sequence[str]) -> list[str]:
    """Return the sentences on as few of a figure's small lines as hold them."""
    room = style.WIDTH - 2 * style.MARGIN
    lines: list[str] = []
    for sentence in filter(None, sentences):
        longer = f"{lines[-1]} {sentence}" if lines else ""
        if lines and words.text_width(words.plain(longer), style.SMALL) <= room:
            lines[-1] = longer
        else:
            lines.append(sentence)
    return lines


def distinct(values: Sequence[Any]) -> list[Any]:
    """Return each of the values (V,) once, numbers by size and all else as it comes."""
    once = list({repr(value): value for value in values}.values())
    return sorted(once) if numeric(once) is not None else once


def spans_decades_from_zero(numbers: NDArray[np.float64]) -> bool:
    """Return whether neither a linear nor a logarithmic axis could tell the numbers (V,) apart."""
    above = numbers[numbers > 0]
    return bool((numbers == 0).any() and len(above) and above.max() >= 10 * above.min())


def in_order(errors: NDArray[Any]) -> NDArray[np.float64]:
    """Return how many errors are lower than each of `errors`, of any shape; NaN where none is."""
    lower = np.searchsorted(np.sort(errors[np.isfinite(errors)]), errors)
    return np.where(np.isfinite(errors), lower, np.nan)


def _number(value: Any) -> float | None:
    numbers = numeric([value])
    return None if numbers is None else float(numbers[0])


def _tell(value: Any, *, plain: bool) -> str:
    if isinstance(value, list | tuple):
        return f"[{', '.join(_tell(item, plain=plain) for item in value)}]"
    number = _number(value)
    if number is None:
        return spell(label(value))
    text = f"{number:.3g}"
    if not plain or number == 0 or abs(number) >= 100:
        return words.short(number)
    if "e" in text:
        mantissa, power = text.split("e")
        text = f"{number:.{len(mantissa.strip('-').replace('.', '')) - 1 - int(power)}f}"
    return text.replace("-", "\N{MINUS SIGN}")
