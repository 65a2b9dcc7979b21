"""Prints what a run takes images for to stdout, each output as a number and a bar."""

import math
import sys
from collections.abc import Iterator, Sequence

from mnistlab.store.predict import Prediction, Predictions

_WIDTH = 40  # letters of the longest bar
_EIGHTHS = " ▏▎▍▌▋▊▉█"


def print_predictions(predictions: Predictions) -> None:
    """Print each image's class and the outputs of all classes, with bars from zero."""
    lines = [f"{predictions.run}: the number of each class is its {predictions.outputs}"]
    full = 1.0 if predictions.are_probabilities else 0.0
    for one in predictions.images:
        lines += ["", f"{one.image}: {tell_prediction(one, predictions.classes)}"]
        lines += _bars(one, predictions.classes, full)
    sys.stdout.write("\n".join(lines) + "\n")


def tell_prediction(one: Prediction, classes: Sequence[str]) -> str:
    """Return "7", or of a test image "7, which is right" or "7, in truth 1"."""
    told = classes[one.predicted]
    if one.label is None:
        return told
    return f"{told}, which is right" if one.right else f"{told}, in truth {classes[one.label]}"


def _bars(one: Prediction, classes: Sequence[str], full: float) -> Iterator[str]:
    """Yield a line a class; where an output is below zero its bar runs left of the others' start.

    The width shows from the lowest output, or zero, to the highest, or `full`.
    """
    finite = [value for value in one.outputs if math.isfinite(value)]
    highest, lowest = max([full, *finite]), min([0.0, *finite])
    scale = _WIDTH / ((highest - lowest) or 1.0)
    left = math.ceil(-lowest * scale)
    name_width = max(map(len, classes))
    numbers = [_number(value) for value in one.outputs]
    number_width = max(map(len, numbers))
    for c, (name, value, number) in enumerate(zip(classes, one.outputs, numbers, strict=True)):
        mark = ">" if c == one.predicted else " "
        bar = _bar(value, scale, left)
        yield f"{mark} {name:{name_width}}  {number:>{number_width}}  {bar}".rstrip()


def _bar(value: float, scale: float, left: int) -> str:
    """Return a bar from column `left`, to the right of it in eighths of a letter."""
    if not math.isfinite(value):
        return ""
    if value < 0:
        return ("█" * round(-value * scale)).rjust(left)
    eighths = round(8 * value * scale)
    return " " * left + "█" * (eighths // 8) + _EIGHTHS[eighths % 8].strip()


def _number(value: float) -> str:
    if not math.isfinite(value):
        return str(value)
    return f"{value:.4f}" if abs(value) < 1e4 else f"{value:.3g}"
