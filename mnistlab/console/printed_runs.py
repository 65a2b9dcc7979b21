"""Prints one run, what it takes images for, and how several runs or two trainings compare."""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from string import ascii_uppercase
from typing import TYPE_CHECKING, Any

from mnistlab.console.tables import (
    MISSING,
    align,
    describe_places,
    fill,
    format_fact,
    format_loss,
    print_lines,
    shorten,
    table,
)
from mnistlab.errors import RunFolderError, escape
from mnistlab.run_folders.folder import RunFolder, SweepFolder
from mnistlab.store.facts import SPLIT_KEYS, is_comparable, is_number

if TYPE_CHECKING:
    from mnistlab.store.compare import Comparison, Differences, Flips, Pair
    from mnistlab.store.predict import Prediction, Predictions
    from mnistlab.store.verify import Verification

_SPLITS = {"train": "training", "validation": "validation", "test": "test"}
_WIDTH = 40  # letters of the longest bar
_EIGHTHS = " ▏▎▍▌▋▊▉█"

_LONG = 24  # letters of a value that gets a line of its own
_TOLD = 10  # images told by number
_LEVEL = 0.05
_NAMES = {"train": "training", "trained_epochs": "epochs trained", "seconds.total": "seconds"}
_HASH = re.compile("[0-9a-f]{40,}")  # of a commit or a file; so many letters say no more


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


def print_differences(found: "Differences") -> None:
    """Print two runs side by side: settings, environment, metrics, weights, and test images."""
    lines = _lettered(found.runs, found.status)
    if found.same_run:
        lines.append("A and B are the same run.")
    lines += ["", *_pairs("config", found.config), *_pairs("environment", found.environment)]
    lines += _metrics(found)
    if found.weights is not None:
        apart = f"differ by at most {found.weights.largest:.3g}"
        lines.append(f"weights: {'identical' if found.weights.identical else apart}")
    else:
        lines.append(f"weights: not compared: {found.incomparable['weights']}")
    lines.append("")
    if found.flips is not None:
        lines += _flips(found.flips)
    else:
        lines.append(f"test images: not compared: {found.incomparable['predictions']}")
    print_lines(lines)


def _lettered(runs: Sequence[str], status: Sequence[str]) -> list[str]:
    """Return a line a run, with the letter that stands for it."""
    return align([*zip(ascii_uppercase, runs, status, strict=False)], left=(0, 1, 2))


def describe_flips(flips: "Flips") -> str:
    """Return in a sentence which run is right more often and whether that may be chance."""
    a, b = flips.only_first, flips.only_second
    if a == b == 0:
        return f"A and B are right on the same {flips.both:,} of {flips.images:,} test images."
    names, counts = ("AB", (a, b)) if a > b else ("BA", (b, a))
    images = "1 image" if counts[0] == 1 else f"{counts[0]:,} images"
    text = (
        f"{names[0]} is right on {images} that {names[1]} gets wrong, "
        f"{names[1]} on {counts[1]:,} that {names[0]} gets wrong: p {_p(flips.p)}"
    )
    if flips.p < _LEVEL:
        return (
            f"{text}. So on these images the two sets of weights differ by more than chance; "
            "whether their settings differ takes several seeds (sweep --seeds 5)."
        )
    return f"{text}, so on these images they cannot be told apart."


def _p(p: float) -> str:
    """Return "= 0.032", "= 2e-8" or "< 1e-300"."""
    if p < 1e-300:
        return "< 1e-300"
    if p >= 1e-3:
        return f"= {p:.2g}"
    digit, _, power = f"{p:.0e}".partition("e")
    return f"= {digit}e{int(power)}"


def _pairs(title: str, pairs: "Mapping[str, Pair]") -> list[str]:
    """Return a section of keys with both values, long ones below each other."""
    if not pairs:
        return [f"{title}: the same", ""]
    text = {key: tuple(map(_show, pair)) for key, pair in pairs.items()}
    short = {key: pair for key, pair in text.items() if max(map(len, pair)) <= _LONG}
    rows = [(f"  {key}", *pair) for key, pair in short.items()]
    lines = table((title, "A", "B"), rows) if short else [title]
    for key, pair in text.items():
        if key not in short:
            lines += [f"  {key}", f"    A  {pair[0]}", f"    B  {pair[1]}"]
    return [*lines, ""]


def _show(value: Any) -> str:
    from mnistlab.config.load import shown  # noqa: PLC0415 - to show one run needs no schema

    if value is None:
        return MISSING
    return value[:12] if isinstance(value, str) and _HASH.fullmatch(value) else shown(value)


def _metrics(found: "Differences") -> list[str]:
    differing = {*found.config, *found.environment}
    unlike = [_name(key) for key in found.metrics if not is_comparable(key, differing)]
    rows = []
    for key, pair in found.metrics.items():
        gain = "" if _name(key) in unlike else _gain(key, pair)
        rows.append([f"  {_name(key)}", *(format_fact(key, value) for value in pair), gain])
    lines = table(("metrics", "A", "B", "B \N{MINUS SIGN} A"), rows) if rows else []
    if unlike:
        why = [key for key in ("loss", "data_sha256", *SPLIT_KEYS) if key in differing]
        lines.append(f"not of the same thing, by {', '.join(why)}: {', '.join(unlike)}")
    if "metrics" in found.incomparable:
        lines.append(f"epochs: not compared: {found.incomparable['metrics']}")
    elif found.first_epoch is None:
        lines.append("metrics.csv is the same in every epoch.")
    else:
        lines.append(f"metrics.csv differs from epoch {found.first_epoch} on.")
    return lines


def _name(key: str) -> str:
    split, _, name = key.partition(".")
    return _NAMES.get(key) or f"{_NAMES.get(split, split)} {name}"


def _gain(key: str, pair: "Pair") -> str:
    """Return by how much the second value is larger."""
    if not all(map(is_number, pair)):
        return ""
    gain = pair[1] - pair[0]
    if key.endswith("accuracy"):
        return f"{100 * gain:+.2f} points"
    return ("+" if gain >= 0 else "") + format_fact(key, gain)


def _flips(flips: "Flips") -> list[str]:
    lines = [describe_flips(flips)]
    if not flips.differing:
        return [*lines, "They name the same class for every test image."]
    lines.append(
        f"Both are right on {flips.both:,} of {flips.images:,}, neither on {flips.none:,}; they "
        f"name different classes for {flips.differing:,}.\n"
    )
    rows = [
        [name, *map("{:,}".format, counts)] for name, *counts in map(dict.values, flips.classes)
    ]
    lines += table(("class", "images", "both right", "only A", "only B", "neither"), rows)
    for name, images in (("A", flips.only_first_images), ("B", flips.only_second_images)):
        if images:
            more = ", …" if len(images) > _TOLD else ""
            lines.append(f"only {name} right on: {', '.join(map(str, images[:_TOLD]))}{more}")
    return lines


def print_comparison(comparison: "Comparison") -> None:
    """Print the runs by letter, then what differs and the metrics, the best marked with `*`."""
    lines = _lettered(comparison.runs, comparison.status)
    lines += [f"all: {comparison.shared}"] if comparison.shared else []
    rows = [
        [key, *(shorten(_show(value), _LONG) for value in row)]
        for key, row in comparison.config.items()
    ]
    for key, row in comparison.metrics.items():
        if key == "trained_epochs" and all(epochs == row[0] for epochs in row):
            continue
        best = comparison.best[key]
        # where one value has a mark the others get room for it, so that digits stay aligned
        marks = ["*" if at in best else " " for at in range(len(row))] if best else [""] * len(row)
        texts = [format_fact(key, value) for value in row]
        rows.append([_name(key), *map("".join, zip(texts, marks, strict=True))])
    lines += table(["", *ascii_uppercase[: len(comparison.runs)]], rows, split=True)
    if not comparison.config:
        lines.append("Their configs are the same.")
    if any(comparison.best.values()):
        lines.append("* the best of these runs")
    print_lines(lines)


_CODE = ("git.commit", "git.dirty", "git.uncommitted_sha256")
"""What says that the code is not the same; its numbers tell a person nothing."""


def describe_verification(found: "Verification") -> str:
    """Return the verdict, what it rests on, and what has changed since the run was made."""
    heading = found.verdict if found.epoch is None else f"differs from epoch {found.epoch}"
    if found.reason is not None:  # why it could not be trained again
        return f"{found.run}: {heading}: {found.reason}"
    lines = [f"{found.run}: {heading}", *_reasons(found)]
    if not found.vouched:
        lines.append("its status vouches for no file: they may all have been exchanged")
    return "\n  ".join(lines)


def _reasons(found: "Verification") -> Iterator[str]:
    from mnistlab.config.load import shown  # noqa: PLC0415 - as above
    from mnistlab.store.verify import IDENTICAL, WITHIN_TOLERANCE  # noqa: PLC0415 - it can train

    epochs = "1 epoch" if found.epochs == 1 else f"{found.epochs} epochs"
    for name in found.damaged:
        yield f"{name} is missing or is not what the run left"
    if found.status[0] != found.status[1]:
        yield f"the run is said to be {found.status[0]}; trained again it is {found.status[1]}"
    for key, (then, now) in found.summary.items():
        yield f"summary.json says {key} {shown(then)}; trained again it is {shown(now)}"
    if found.verdict == IDENTICAL:
        parts = ["the predictions"] if found.predictions is not None else []
        parts = ["the weights", *parts] if found.weight is not None else parts
        text = " and ".join([", ".join([f"the metrics of {epochs}", *parts[:-1]]), *parts[-1:]])
        yield f"{text} are the same to the bit"
    else:
        if math.isfinite(found.loss):
            yield (
                f"over {epochs} the losses are at most {found.loss:.2g} apart, relative to the "
                f"larger ({found.tolerance:.2g} is allowed)"
            )
        if found.verdict == WITHIN_TOLERANCE and found.weight is not None:
            yield f"the weights are at most {found.weight:.2g} apart"
        if found.predictions is not None:
            images = "image is" if found.predictions == 1 else "images are"
            yield f"{found.predictions} test {images} taken for another class"
    for key, (then, now) in found.changed.items():
        if key not in _CODE:
            yield f"since then: {key} was {shown(then)}, now it is {shown(now)}"
    if any(key in _CODE for key in found.changed):
        yield "since then: the code is not the same (git)"
    if found.verdict != IDENTICAL and not found.changed:
        yield "nothing that the run recorded of its environment has changed since"
