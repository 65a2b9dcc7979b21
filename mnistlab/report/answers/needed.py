"""Which runs the answers rest on, and the words for those that are not there."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mnistlab.report.collect import ReportRun, ReportSweep
from mnistlab.report.document import DASH, Code, Paragraph, Piece
from mnistlab.report.numbers import number
from mnistlab.statistics import wilson_interval
from mnistlab.store.facts import is_number


@dataclass(frozen=True)
class AssignmentRuns:
    """The runs of the shipped configs, each under its config's name, and the shipped sweep.

    What is None, or lacks some of its files, is named in the answers that need it.
    """

    linear: ReportRun | None = None
    linear_overflow: ReportRun | None = None
    sigmoid: ReportRun | None = None
    sigmoid_sgd: ReportRun | None = None
    softmax: ReportRun | None = None
    best: ReportRun | None = None
    sweep: ReportSweep | None = None


def say(*pieces: Piece) -> Paragraph:
    """Return a paragraph of these pieces."""
    return Paragraph(pieces)


def tell_absent(config: str) -> Paragraph:
    """Return what to say where no run of a shipped config is there."""
    command = "sweep" if config.startswith("sweeps/") else "train"
    return say(
        "Missing here: there is no run of ",
        Code(f"configs/{config}.yaml"),
        ". To make it: ",
        Code(f"mnistlab {command} --config configs/{config}.yaml"),
        ".",
    )


def tell_missing(run: ReportRun | ReportSweep | None, config: str) -> list[Paragraph]:
    """Return what a run lacks, nothing for one that is whole."""
    if run is None:
        return [tell_absent(config)]
    if not run.missing:
        return []
    return [say("Missing here: of the run ", run.name, ": ", "; ".join(run.missing), ".")]


def tell_lost(run: ReportRun | ReportSweep, what: str) -> Paragraph:
    """Return what to say where a run is there and one thing about it cannot be had."""
    return say("Missing here: ", what, f", for the run {run.name}.")


def value_of(run: ReportRun | ReportSweep, key: str) -> float | None:
    """Return a number of a run, None where it has none."""
    value = run.facts.get(key)
    return float(value) if is_number(value) else None


def value_in(sweep: ReportSweep | None, key: str) -> float | None:
    """Return a number above zero out of sweep.json, None where it has none."""
    value = None if sweep is None or sweep.document is None else sweep.document.get(key)
    return float(value) if is_number(value) and value > 0 else None


def setting(run: ReportRun) -> list[Piece]:
    """Return learning rate, epochs and batch size of a run in a few words."""
    return [
        "learning rate ",
        number(run, "learning_rate", "{:g}"),
        ", ",
        number(run, "epochs", "{:d}"),
        " epochs, batch size ",
        number(run, "batch_size", "{:d}"),
    ]


def test_result(run: ReportRun | ReportSweep, images: int | None) -> list[Piece]:
    """Return test loss, accuracy and error rate with the interval that `images` allow."""
    accuracy = value_of(run, "test.accuracy")
    if accuracy is None:
        return ["no test result (the test split was not evaluated)"]
    return [
        "test loss ",
        number(run, "test.loss", "{:.4f}"),
        ", test accuracy ",
        number(run, "test.accuracy", "{:.2%}"),
        f" (so {1 - accuracy:.2%} of the test images are classified wrongly)",
        f"; {tell_interval(accuracy, images)}",
    ]


def tell_interval(accuracy: float, images: int | None) -> str:
    """Return Wilson's interval for an accuracy over so many images, in words."""
    if images is None:
        return "its interval is not known, as the data is not at hand"
    return f"with {images:,} images the 95 % interval is {interval(accuracy, images)}"


def interval(accuracy: float | None, images: int | None) -> str:
    """Return Wilson's interval for an accuracy over so many images, a dash where it is unknown."""
    if accuracy is None or images is None or not 0 <= accuracy <= 1:
        return DASH
    low, high = wilson_interval(accuracy, images)
    return f"{low:.2%} to {high:.2%}"


def count_test_images(run: ReportRun | None) -> int | None:
    """Return the number of test images, None where the data is not at hand."""
    return None if run is None or run.dataset is None else len(run.dataset.test)


def list_in(document: Any, key: str) -> list[Any]:
    """Return a list out of a document that may be damaged, an empty one where it is not there."""
    found = document.get(key) if isinstance(document, Mapping) else None
    return found if isinstance(found, list) else []
