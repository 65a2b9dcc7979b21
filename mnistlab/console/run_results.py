"""Prints what came of a run: its numbers and what they mean, or what it takes images for."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mnistlab.console.tables import align, fill, print_lines

if TYPE_CHECKING:
    from mnistlab.store.predict import Prediction, Predictions

_WIDTH = 40  # letters of the longest bar
_EIGHTHS = " ▏▎▍▌▋▊▉█"


def print_result(
    summary: Mapping[str, Any], meaning: Sequence[str], *, plots: Sequence[str]
) -> None:
    """Print a finished run: loss and accuracy of each split, what they mean, where it all is."""
    rows = [["", "loss", "accuracy", "error rate"]]
    for split, label in (("train", "training"), ("validation", "validation"), ("test", "test")):
        loss, accuracy = summary[split]["loss"], summary[split]["accuracy"]
        if loss is not None:
            shown = f"{loss:.4f}" if loss < 1e6 else f"{loss:.4g}"
            rows.append([label, shown, f"{accuracy:.2%}", f"{1 - accuracy:.2%}"])
    seconds = summary["seconds"]
    epochs = "1 epoch" if summary["epochs"] == 1 else f"{summary['epochs']} epochs"
    time = (
        f"{epochs} in {seconds['total']:.2f} s "
        f"(training {seconds['train']:.2f} s, evaluation {seconds['evaluate']:.2f} s)"
    )
    sentences = [line for sentence in meaning for line in fill(sentence)]
    print_lines([*align(rows, gap=3), "", *sentences, time])
    print_folder(summary["path"], plots)


def print_folder(path: str, plots: Sequence[str]) -> None:
    """Print where the run folder and its plots are, one path a line, never wrapped."""
    print_lines([f"run folder: {path}", *(f"plot: {path}/plots/{plot}" for plot in plots)])


def print_predictions(predictions: "Predictions") -> None:
    """Print each image's class and the outputs of all classes, with bars from zero."""
    lines = [f"{predictions.run}: the number of each class is its {predictions.outputs}"]
    full = 1.0 if predictions.are_probabilities else 0.0
    for one in predictions.images:
        lines += ["", f"{one.image}: {describe_prediction(one, predictions.classes)}"]
        lines += _bars(one, predictions.classes, full)
    print_lines(lines)


def describe_prediction(one: "Prediction", classes: Sequence[str]) -> str:
    """Return "7", or of a test image "7, which is right" or "7, in truth 1"."""
    predicted = classes[one.predicted]
    if one.label is None:
        return predicted
    return f"{predicted}, {'which is right' if one.right else f'in truth {classes[one.label]}'}"


def _bars(one: "Prediction", classes: Sequence[str], full: float) -> Iterator[str]:
    """Yield a line a class; where an output is below zero its bar runs left of the others' start.

    The width shows from the lowest output, or zero, to the highest, or `full`.
    """
    finite = [value for value in one.outputs if math.isfinite(value)]
    highest, lowest = max([full, *finite]), min([0.0, *finite])
    scale = _WIDTH / ((highest - lowest) or 1.0)
    left = math.ceil(-lowest * scale)
    rows = [
        [">" if c == one.predicted else "", name, _number(value), _bar(value, scale, left)]
        for c, (name, value) in enumerate(zip(classes, one.outputs, strict=True))
    ]
    marks, *others = zip(*rows, strict=True)
    lines = align([*zip(*others, strict=True)], left=(0, 2))
    yield from (f"{mark:1} {line}" for mark, line in zip(marks, lines, strict=True))


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
