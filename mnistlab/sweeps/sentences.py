"""Says in sentences what sweep.json holds."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from mnistlab.run_folders.folder import repeats_of
from mnistlab.sweeps.results import describe_parameters

SHOWN = 10
"""Trials in the table of the best."""

_NAMED = 12

_OF_FOLDS = (
    "Each fold is training data of the others, so intervals over folds are approximate: the "
    "variance of cross-validation has no unbiased estimator (Bengio and Grandvalet, 2004)."
)

Document = Mapping[str, Any]


def sentences(document: Document) -> list[str]:
    """Return what sweep.json says, in sentences, with what helps to read the terminal's table."""
    return [*_notes(document), *findings(document)]


def findings(document: Document) -> list[str]:
    """Return what sweep.json says, in sentences that are true wherever they stand."""
    best, results, repeats = document["best"], document["results"], repeats_of(document)
    lines = []
    if best is not None:
        lines += _about_best(document, best)
    if "published" in document:
        lines.append(
            f"Published: {document['published']['source']}. Every trial was tested, as none was "
            f"chosen by it; the 95 % intervals are those of "
            f"{document['published']['images']:,} test images."
        )
    if repeats:
        lines.append(f"Numbers are means over {repeats}, ± the 95 % interval of the mean.")
    if document.get("folds"):
        lines.append(_OF_FOLDS)
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
    seconds, runs = document["seconds"], sum(len(one["runs"]) for one in results)
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
        more = "" if repeats_of(document) else "; --seeds 3 would show the chance of the seed"
        notes.append(f"~ marks what cannot be told from the best{more}.")
    return notes


def _about_best(document: Document, best: Document) -> list[str]:
    way = "highest" if document["metric"]["goal"] == "maximize" else "lowest"
    count, ties = len(document["results"]), document["indistinguishable"]
    _, _, repeated = repeats_of(document).partition(" ")
    name = document["metric"]["name"].replace(".", " ")
    first = f"Best{f' of {count} trials' if count > 1 else ''}, by the {way} {name}: trial "
    setting = describe_parameters(best["parameters"]) or "the config as it is"
    lines = [f"{first}{best['trial']}, {setting}."]
    if ties:
        chance = (
            f"neither these images nor the {repeated} tell them apart"
            if repeated
            else "the chance of the seed comes on top"
        )
        lines.append(
            f"{_trials(ties)} cannot be told from it on these validation images (at 95 % for "
            f"all pairs of trials together); {chance}."
        )
    test = best["test"]
    low, high = test["interval"]
    over = f", ± {test['half_width']:.2%} over the {repeated}" if "half_width" in test else ""
    lines.append(
        f"Test accuracy of the best: {test['accuracy']:.2%}{over} (with {test['images']:,} images "
        f"the 95 % interval is {low:.2%} to {high:.2%}), loss {test['loss']:.4f}. When the "
        "sweep ended, the test split had been looked at for it alone."
    )
    return lines


def _trials(numbers: Sequence[int]) -> str:
    lines = ", ".join(map(str, numbers[:_NAMED])) + (", …" if len(numbers) > _NAMED else "")
    return f"Trial {lines}" if len(numbers) == 1 else f"{len(numbers)} trials ({lines})"
