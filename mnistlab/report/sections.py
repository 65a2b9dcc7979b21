"""What a report says of any runs: a table of all, and the best ones one by one."""

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from matplotlib.figure import Figure

from mnistlab.plots.gallery import PLOTS
from mnistlab.plots.sweep_gallery import SWEEP_PLOTS
from mnistlab.plots.sweep_view import SweepView
from mnistlab.plots.view import RunView
from mnistlab.report.collect import ReportRun, ReportSweep
from mnistlab.report.document import Block, Code, Number, Paragraph, Picture, Pieces, Section, Table
from mnistlab.runs.sweep_folder import SweepFolder
from mnistlab.store.differences import Differences, find_differences
from mnistlab.store.facts import Facts
from mnistlab.sweep.telling import sentences

FEATURED = 12
"""So many runs are shown one by one; a table holds them all."""

DASH = "\N{EN DASH}"

_COLUMNS = (
    ("learning rate", "learning_rate", "{:.4g}"),
    ("epochs", "trained_epochs", "{:d}"),
    ("training loss", "train.loss", "{:.4f}"),
    ("validation accuracy", "validation.accuracy", "{:.2%}"),
    ("test accuracy", "test.accuracy", "{:.2%}"),
)
_PICTURES = {
    "learning_curves": "Loss and error rate by epoch",
    "weights": "What the model has learned about each class",
    "confusion_matrix": "Which class was taken for which",
    "mistakes": "The mistakes that it was most sure of",
}
_SWEEP_PICTURES = {
    "learning_rate": "Validation error against the learning rate",
    "parameter": "Validation error against the value",
    "heat_map": "Validation error over the two parameters",
    "parallel_coordinates": "All trials, one line each",
    "all_learning_curves": "The curves of all trials",
}


def featured(runs: Sequence[ReportRun]) -> list[ReportRun]:
    """Return the runs that are shown one by one: all, or the best by validation accuracy."""
    shown = [run for run in runs if run.facts["status"] in ("completed", "diverged")]
    if len(shown) <= FEATURED:
        return shown
    return sorted(shown, key=lambda run: -_accuracy(run.facts))[:FEATURED]


def number(run: ReportRun | ReportSweep, key: str, form: str) -> Number | str:
    """Return a number of a run in the form that is shown, a dash where the run has none."""
    value = run.facts.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return DASH
    whole = isinstance(value, int) or not form.endswith("d}")
    return Number(run.name, key, value, form.format(value) if whole else f"{value:g}")


def table_of_runs(runs: Sequence[ReportRun], sweeps: Sequence[ReportSweep]) -> Section:
    """Return the table of all runs and sweeps, with what each lacks."""
    header = ["run", "what", "status", *(heading for heading, _, _ in _COLUMNS), "gap"]
    rows: list[Sequence[Pieces]] = []
    everything: list[ReportRun | ReportSweep] = [*runs, *sweeps]
    for run in everything:
        what = " ".join(str(run.facts.get(key, "")) for key in ("model", "loss")).strip()
        kind = f"sweep of {run.facts['runs']}: " if "runs" in run.facts else ""
        rows.append(
            [
                [run.name],
                [f"{kind}{what}" or DASH],
                [str(run.facts["status"])],
                *([number(run, key, form)] for _, key, form in _COLUMNS),
                [_gap(run) if isinstance(run, ReportRun) else DASH],
            ]
        )
    numeric = frozenset(range(3, len(header)))
    blocks: list[Block] = [
        Paragraph(
            [
                (
                    "The gap is the last training loss minus the least that the model can come to "
                    "on this data, where that can be computed. A sweep shows the numbers of its "
                    "best trial."
                )
            ]
        ),
        Table(header, rows, "All runs of this report", numeric),
    ]
    incomplete = [run for run in everything if run.missing]
    if incomplete:
        lacking: list[Sequence[Pieces]] = [
            [[run.name], ["; ".join(run.missing)]] for run in incomplete
        ]
        blocks.append(Table(["run", "what is to be said of it"], lacking))
    return Section("The runs", blocks)


def section_of_run(run: ReportRun, pictures: Sequence[str] = tuple(_PICTURES)) -> Section:
    """Return a run's own section: its result, the pictures of these names, how to repeat it."""
    blocks: list[Block] = [Paragraph(_result(run))]
    blocks += [Paragraph([_sentence(words)]) for words in run.missing]
    if run.checked_config is not None and run.facts["status"] in ("completed", "diverged"):
        view = RunView(run.folder)
        blocks += [
            Picture(
                f"{_file_name(run.name)}-{name}",
                partial(_draw, PLOTS[name], view),
                [f"{caption}: {run.title}"],
                f"{caption}, of the run {run.name}",
            )
            for name, caption in _PICTURES.items()
            if name in pictures and _has(run, name)
        ]
    blocks.append(Paragraph(["To repeat it: ", Code(run.command)]))
    return Section(run.title if run.title == run.name else f"{run.title} ({run.name})", blocks, 2)


def section_of_sweep(sweep: ReportSweep) -> Section:
    """Return a sweep's own section: what it found, its pictures, and how to repeat it."""
    blocks: list[Block] = [Paragraph([_sentence(words)]) for words in sweep.missing]
    if sweep.document is not None:
        blocks += [Paragraph([sentence]) for sentence in _told(sweep.document)]
        if sweep.facts["status"] == "completed":
            blocks += [
                Picture(
                    f"{_file_name(sweep.name)}-{name}",
                    partial(_draw_sweep, SWEEP_PLOTS[name], sweep.folder),
                    [f"{_SWEEP_PICTURES.get(name, name)}: {sweep.title}"],
                    f"{_SWEEP_PICTURES.get(name, name)}, of the sweep {sweep.name}",
                )
                for name in SWEEP_PLOTS
                if sweep.folder.plot(name).exists()
            ]
    blocks.append(Paragraph(["To repeat it: ", Code(sweep.command)]))
    return Section(f"The sweep {sweep.title} ({sweep.name})", blocks, 2)


def section_of_comparison(one: ReportRun, other: ReportRun) -> Section:
    """Return two runs side by side: what differs, and the images on which they disagree."""
    found = find_differences(one.folder, other.folder)
    header = ["", one.title, other.title]
    rows: list[Sequence[Pieces]] = [
        [[key], [_tell(pair[0])], [_tell(pair[1])]] for key, pair in found.config.items()
    ]
    for heading, key, form in _COLUMNS[2:]:
        rows.append([[heading], [number(one, key, form)], [number(other, key, form)]])
    blocks: list[Block] = [
        Table(header, rows, "What differs", frozenset({1, 2})),
        Paragraph([_disagreement(found, one.title, other.title)]),
    ]
    return Section(f"{one.title} and {other.title} side by side", blocks, 2)


def _disagreement(found: Differences, one: str, other: str) -> str:
    flips = found.flips
    if flips is None:
        reason = found.incomparable.get("predictions", "there are no predictions")
        return f"Their answers cannot be compared: {reason}."
    told = (
        f"Of {flips.images:,} test images both get {flips.both:,} right and {flips.none:,} wrong; "
        f"{flips.only_first:,} only {one} gets right, {flips.only_second:,} only {other}. "
    )
    chance = "may well be" if flips.p >= 0.05 else "is not"
    return f"{told}By McNemar's exact test p = {flips.p:.2g}: such a difference {chance} chance."


def _result(run: ReportRun) -> Pieces:
    config = run.config or {}
    setting = (
        f"{config.get('model', 'unknown')} model, {str(config.get('loss', '')).replace('_', ' ')}, "
        f"{config.get('optimizer', '')}, learning rate {_tell(config.get('learning_rate'))}, "
        f"batch size {_tell(config.get('batch_size'))}: "
    )
    pieces: list[Any] = [setting, number(run, "trained_epochs", "{:d}"), " epochs. "]
    for split in ("train", "validation", "test"):
        name = "training" if split == "train" else split
        loss, accuracy = (
            number(run, f"{split}.{part}", form)
            for part, form in (("loss", "{:.4f}"), ("accuracy", "{:.2%}"))
        )
        if accuracy != DASH:
            pieces += [f"{name.capitalize()} loss ", loss, ", accuracy ", accuracy, ". "]
    if run.yardstick is not None and run.facts["status"] == "completed":
        pieces.append(
            f"The least training loss of such a model on this data is {run.yardstick.loss:.4f}; "
            f"the gap is {_gap(run)}."
        )
    return pieces


def _gap(run: ReportRun) -> str:
    gaps = [gap for gap in run.gaps or [] if math.isfinite(gap)]
    return f"{gaps[-1]:.4f}" if gaps and run.facts["status"] == "completed" else DASH


def _accuracy(facts: Facts) -> float:
    value = facts.get("validation.accuracy")
    return float(value) if isinstance(value, int | float) else -1.0


def _has(run: ReportRun, name: str) -> bool:
    """Return whether a run has what a picture shows; those of plugins are left to the plot."""
    needs = {
        "learning_curves": run.curves,
        "weights": run.parameters,
        "confusion_matrix": run.predictions,
        "mistakes": run.predictions if run.parameters is not None else None,
    }
    return needs[name] is not None


def _draw(plot: Callable[[RunView], Figure | None], view: RunView) -> Figure:
    figure = plot(view)
    if figure is None:
        raise ValueError("the run has no data for it")
    return figure


def _draw_sweep(plot: Callable[[SweepView], Figure | None], folder: SweepFolder) -> Figure:
    figure = plot(SweepView(folder))
    if figure is None:
        raise ValueError("the sweep has no data for it")
    return figure


def _told(document: dict[str, Any]) -> list[str]:
    try:
        return sentences(document)
    except (KeyError, TypeError, ValueError, AttributeError):  # somebody else's sweep.json
        return ["sweep.json is damaged."]


def _tell(value: Any) -> str:
    if value is None:
        return DASH
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _sentence(words: str) -> str:
    return f"{words[0].upper()}{words[1:]}."


def _file_name(name: str) -> str:
    return "".join(letter if letter.isalnum() or letter in "-_" else "-" for letter in name)
