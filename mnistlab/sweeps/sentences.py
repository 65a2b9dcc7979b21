"""Says in sentences what sweep.json holds."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from mnistlab.sweeps.results import describe_parameters

SHOWN = 10
"""Trials in the table of the best."""

_NAMED = 12

Document = Mapping[str, Any]


def sentences(document: Document) -> list[str]:
    """Return what sweep.json says, in sentences, with what helps to read the terminal's table."""
    return [*_notes(document), *findings(document)]


def findings(document: Document) -> list[str]:
    """Return what sweep.json says, in sentences that are true wherever they stand."""
    best, seeds, results = document["best"], document["seeds"], document["results"]
    lines = []
    if best is not None:
        lines += _about_best(document, best)
    if seeds > 1:
        lines.append(f"Numbers are means over {seeds} seeds, ± the 95 % interval of the mean.")
    stopped = Counter(result["epochs"] for result in results if result["stopped"])
    if stopped:
        after = ", ".join(
            f"{count} after epoch {epoch}" for epoch, count in sorted(stopped.items())
        )
        lines.append(f"Halving stopped trials early, {after}: they are not compared with the rest.")
    for status in ("diverged", "failed", "interrupted"):
        numbers = [one["trial"] for one in results if one["status"] == status]
        if numbers:
            lines.append(f"{_trials(numbers)} {status}.")
    seconds, runs = document["seconds"], len(results) * seeds
    lines.append(
        f"{runs} {'run' if runs == 1 else 'runs'} in {seconds['total']:.2f} s (on each core: "
        f"training {seconds['train']:.2f} s, evaluation {seconds['evaluate']:.2f} s, writing "
        f"{seconds['write']:.2f} s)"
    )
    return lines


def _notes(document: Document) -> list[str]:
    """Return how the terminal's table is to be read, and which option would tell more."""
    notes = []
    if len(document["ranking"]) > SHOWN:
        notes.append(f"The table shows the first {SHOWN} trials, results.csv has all.")
    if document["best"] is not None and document["indistinguishable"]:
        more = "; --seeds 3 would show the chance of the seed" if document["seeds"] == 1 else ""
        notes.append(f"~ marks what cannot be told from the best{more}.")
    return notes


def _about_best(document: Document, best: Document) -> list[str]:
    way = "highest" if document["metric"]["goal"] == "maximize" else "lowest"
    count, seeds, ties = len(document["results"]), document["seeds"], document["indistinguishable"]
    name = document["metric"]["name"].replace(".", " ")
    first = f"Best{f' of {count} trials' if count > 1 else ''}, by the {way} {name}: trial "
    setting = describe_parameters(best["parameters"]) or "the config as it is"
    lines = [f"{first}{best['trial']}, {setting}."]
    if ties:
        chance = (
            "the chance of the seed comes on top"
            if seeds == 1
            else "neither these images nor the seeds tell them apart"
        )
        lines.append(
            f"{_trials(ties)} cannot be told from it on these validation images (at 95 % for "
            f"all pairs of trials together); {chance}."
        )
    test = best["test"]
    low, high = test["interval"]
    over = f", ± {test['half_width']:.2%} over the seeds" if "half_width" in test else ""
    lines.append(
        f"Test accuracy of the best: {test['accuracy']:.2%}{over} (with {test['images']:,} images "
        f"the 95 % interval is {low:.2%} to {high:.2%}), loss {test['loss']:.4f}. When the "
        "sweep ended, the test split had been looked at for it alone."
    )
    return lines


def _trials(numbers: Sequence[int]) -> str:
    lines = ", ".join(map(str, numbers[:_NAMED])) + (", …" if len(numbers) > _NAMED else "")
    return f"Trial {lines}" if len(numbers) == 1 else f"{len(numbers)} trials ({lines})"
