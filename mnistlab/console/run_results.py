"""Prints one run: what came of it, all that its folder says, and what it takes images for."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mnistlab.console.tables import align, describe_places, fill, format_loss, print_lines
from mnistlab.errors import RunFolderError, escape
from mnistlab.run_folders.folder import RunFolder, SweepFolder

if TYPE_CHECKING:
    from mnistlab.store.predict import Prediction, Predictions

_SPLITS = {"train": "training", "validation": "validation", "test": "test"}
_WIDTH = 40  # letters of the longest bar
_EIGHTHS = " ▏▎▍▌▋▊▉█"


def print_result(folder: RunFolder, summary: Mapping[str, Any], meaning: Sequence[str]) -> None:
    """Print a finished run: loss and accuracy of each split, what they mean, where it all is."""
    seconds = summary["seconds"]
    epochs = "1 epoch" if summary["epochs"] == 1 else f"{summary['epochs']} epochs"
    time = (
        f"{epochs} in {seconds['total']:.2f} s "
        f"(training {seconds['train']:.2f} s, evaluation {seconds['evaluate']:.2f} s)"
    )
    sentences = [line for sentence in meaning for line in fill(sentence)]
    print_lines([*_describe_splits(summary), "", *sentences, time, *describe_places(folder)])


def _describe_splits(summary: Mapping[str, Any]) -> list[str]:
    """Return a table with a line a split that has numbers."""
    rows = [["", "loss", "accuracy", "error rate"]]
    for split, label in _SPLITS.items():
        loss, accuracy = ((summary.get(split) or {}).get(name) for name in ("loss", "accuracy"))
        if loss is not None and accuracy is not None:
            rows.append([label, format_loss(loss), f"{accuracy:.2%}", f"{1 - accuracy:.2%}"])
    return align(rows, gap=3) if rows[1:] else []


def print_run(folder: RunFolder, facts: Mapping[str, Any]) -> None:
    """Print status, config, metrics and files of a run or a sweep, as far as they are known."""
    from mnistlab.config.config_files import dump  # noqa: PLC0415 - a listing reads no YAML

    status, summary = facts["status"], facts["summary"]
    lines = [f"{facts['run']}: {status['status']}"]
    lines += [f"  {status[key]}" for key in ("error",) if status.get(key)]
    if status.get("stopped"):
        lines.append(f"  stopped by {status['stopped']}")
    said = "is missing or is not what the run left"
    lines += [f"  {one}" if " is " in one else f"  {one} {said}" for one in facts["damaged"]]
    if status.get("started"):
        ended = f", ended {status['ended']}" if status.get("ended") else ""
        lines.append(f"  started {status['started']}{ended}")
    config = facts["config"]
    text = dump(config) if config is not None else "config.yaml is missing or damaged\n"
    lines += ["config:", *(f"  {line}" for line in text.splitlines())]
    if not isinstance(folder, SweepFolder):
        splits = _describe_splits(summary or {})
        lines += ["metrics:", *(f"  {line}" for line in splits or [_describe_last_loss(folder)])]
        print_lines(map(escape, [*lines, *describe_places(folder)]))
        return
    print_lines([*map(escape, lines), ""])
    if summary is None:
        print_lines(_describe_unfinished(folder))
    elif folder.summary.name not in facts["damaged"]:
        from mnistlab.console.sweeps import print_sweep  # noqa: PLC0415 - a sweep alone needs it

        print_sweep(folder, summary)


def _describe_unfinished(folder: SweepFolder) -> list[str]:
    done = len(folder.runs())
    resume = f"mnistlab sweep --resume {folder.name}"
    try:
        plan = folder.read_plan()
        if not plan:
            return [f"it was cut short before it began; to go on: {resume}"]
        runs = sum(len(column) for stack in plan["stacks"] for column in stack)
        if isinstance(plan.get("runs"), int):  # a search has planned only what it has asked for
            runs = plan["runs"]
    except (RunFolderError, KeyError, TypeError):
        return [f"{done} runs are done; plan.json is missing or damaged"]
    return [
        f"{done} of {max(runs, done)} runs are done; to go on: {resume}",
        f"sweep folder: {folder.path}",
    ]


def _describe_last_loss(folder: RunFolder) -> str:
    """Return the training loss of the last epoch in which it is finite."""
    try:
        metrics = folder.read_metrics()
    except RunFolderError:
        return "no metrics were measured"
    losses = [*zip(metrics["epoch"], metrics["train_loss"], strict=True)]
    finite = [(epoch, loss) for epoch, loss in losses if math.isfinite(loss)]
    if not finite:
        return "no metrics were measured"
    epoch, loss = finite[-1]
    which = "last" if len(finite) == len(losses) else "last finite"
    return f"the {which} training loss was {format_loss(loss)}, in epoch {epoch:.0f}"


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
        [">" if c == one.predicted else "", name, format_loss(value), _bar(value, scale, left)]
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
