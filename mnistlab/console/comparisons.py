"""Prints how runs compare: two side by side, several, or a run with itself trained again."""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from string import ascii_uppercase
from typing import TYPE_CHECKING, Any

from mnistlab.config.load import shown
from mnistlab.console.tables import MISSING, align, format_fact, print_lines, shorten, table
from mnistlab.store.facts import SPLIT_KEYS, is_comparable, is_number

if TYPE_CHECKING:
    from mnistlab.store.compare import Comparison
    from mnistlab.store.diff import Differences, Flips, Pair
    from mnistlab.store.verify import Verification

_LONG = 24  # letters of a value that gets a line of its own
_TOLD = 10  # images told by number
_LEVEL = 0.05
_NAMES = {"train": "training", "trained_epochs": "epochs trained", "seconds.total": "seconds"}
_HASH = re.compile("[0-9a-f]{40,}")  # of a commit or a file; so many letters say no more


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
    text = (
        f"{names[0]} is right on {_images(counts[0])} that {names[1]} gets wrong, "
        f"{names[1]} on {counts[1]:,} that {names[0]} gets wrong: p {_p(flips.p)}"
    )
    if flips.p < _LEVEL:
        return (
            f"{text}. So on these images the two sets of weights differ by more than chance; "
            "whether their settings differ takes several seeds (sweep --seeds 5)."
        )
    return f"{text}, so on these images they cannot be told apart."


def _images(count: int) -> str:
    return "1 image" if count == 1 else f"{count:,} images"


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
