"""The table of what the shipped configs reach, at the end of Question 1 (d)."""

from collections.abc import Sequence

from mnistlab.report.answers.needed import (
    AssignmentRuns,
    count_test_images,
    interval,
    list_in,
    say,
    tell_missing,
    value_of,
)
from mnistlab.report.collect import ReportRun, ReportSweep
from mnistlab.report.document import DASH, Block, Code, Pieces, Table
from mnistlab.report.numbers import number


def other_models(runs: AssignmentRuns) -> list[Block]:
    """Return the table of what the shipped models reach, and what is missing of it."""
    shipped = [
        (runs.linear, "linear"),
        (runs.sweep, "sweeps/assignment"),
        (runs.sigmoid, "sigmoid"),
        (runs.softmax, "softmax"),
        (runs.best, "best"),
    ]
    rows = [_row(run, config) for run, config in shipped]
    header = ["config", "model, loss", "epochs", "test loss", "test accuracy", "95 % interval"]
    return [
        say(
            "What the other shipped configs reach, on the same test images. Accuracies can be "
            "compared across all rows, losses only between rows with the same loss. Softmax "
            "regression has the same linear pre-activations, but its loss does not punish an "
            "output for being right by too much, as the squared error does.",
            *_tell_straightened(runs),
        ),
        Table(header, rows, "What the shipped configs reach", frozenset({2, 3, 4, 5})),
        *(words for run, config in shipped[2:] for words in tell_missing(run, config)),
    ]


def _tell_straightened(runs: AssignmentRuns) -> list[str]:
    if runs.best is None or "deskew" not in list_in(runs.best.facts, "data.preprocess"):
        return []
    others = (runs.linear, runs.sweep, runs.sigmoid, runs.softmax)
    known = [value_of(run, "test.accuracy") for run in others if run is not None]
    best = value_of(runs.best, "test.accuracy")
    ahead = best is not None and all(best > (accuracy or 0.0) for accuracy in known)
    return [
        " The last row straightens the digits (deskewing) before it learns"
        + (", and no other row comes up to it." if ahead else ".")
    ]


def _row(run: ReportRun | ReportSweep | None, config: str) -> Sequence[Pieces]:
    name: Pieces = [Code(f"{config}.yaml")]
    if run is None:
        return [name, ["missing"], *[[DASH]] * 4]
    shown = run.best if isinstance(run, ReportSweep) else run
    what = [str(run.facts[key]).replace("_", " ") for key in ("model", "loss") if key in run.facts]
    what += map(str, list_in(run.facts, "data.preprocess"))
    best = "best trial: " if isinstance(run, ReportSweep) else ""
    return [
        name,
        [best + ", ".join(what) if what else DASH],
        [DASH if shown is None else number(shown, "trained_epochs", "{:d}")],
        [number(run, "test.loss", "{:.4f}")],
        [number(run, "test.accuracy", "{:.2%}")],
        [interval(value_of(run, "test.accuracy"), count_test_images(shown))],
    ]
