"""What a report says of any runs: a table of all, and runs and sweeps one by one."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

from matplotlib.figure import Figure

from mnistlab.plots.run_plots import PLOTS, RunView
from mnistlab.plots.sweep_plots import SWEEP_PLOTS, SweepView
from mnistlab.report.collect import ReportRun, ReportSweep
from mnistlab.report.document import (
    DASH,
    Block,
    Code,
    Listing,
    Paragraph,
    Picture,
    Piece,
    Pieces,
    Section,
    Table,
)
from mnistlab.report.numbers import number, show_gap
from mnistlab.report.ranking import ranking_table
from mnistlab.report.settings import format_setting, tell_optimum, why_no_gap
from mnistlab.runs.folder import SweepFolder
from mnistlab.sweep.sentences import findings

__all__ = ["DASH", "number"]

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
_LONG_COMMAND = 200  # letters; of so many changes the whole config is easier to read


def table_of_runs(runs: Sequence[ReportRun], sweeps: Sequence[ReportSweep]) -> Section:
    """Return the table of all runs and sweeps, with what is to be said of each."""
    header = ["run", "what", "status", *(heading for heading, _, _ in _COLUMNS), "gap"]
    everything: list[ReportRun | ReportSweep] = [*runs, *sweeps]
    blocks: list[Block] = [
        Paragraph(
            [
                (
                    "The gap is the last training loss, with its penalty if it has one, minus the "
                    "least that the model can come to on this data, where that can be computed. "
                    "A sweep shows the numbers of its best trial, of several seeds the first "
                    "run's where they have no mean."
                )
            ]
        ),
        Table(
            header, [*map(_row, everything)], "All runs of this report",
            frozenset(range(3, len(header))),
        ),
    ]  # fmt: skip
    reasons = why_no_gap([*runs, *filter(None, (sweep.best for sweep in sweeps))])
    if reasons:
        blocks.append(Paragraph([reasons]))
    remarks: list[Sequence[Pieces]] = [
        [[one.name], ["; ".join(one.missing)]] for one in everything if one.missing
    ]
    if remarks:
        blocks.append(Table(["run", "remarks"], remarks))
    return Section("The runs", blocks)


def _row(one: ReportRun | ReportSweep) -> Sequence[Pieces]:
    words = (one.holder(key).facts.get(key) for key in ("model", "loss"))
    what = " ".join(str(word).replace("_", " ") for word in words if word is not None)
    kind = f"sweep of {one.facts['runs']}: " if "runs" in one.facts else ""
    numbers: list[Pieces] = [[number(one, key, form)] for _, key, form in _COLUMNS]
    return [[one.name], [f"{kind}{what}" or DASH], [one.status], *numbers, [show_gap(one.gap)]]


def section_of_run(run: ReportRun, pictures: Sequence[str] = tuple(_PICTURES)) -> Section:
    """Return a run's own section: its result, the pictures of these names, how to repeat it."""
    blocks: list[Block] = [Paragraph([*format_setting(run), *_result(run), *tell_optimum(run)])]
    blocks += _remarks(run.missing)
    if run.checked_config is not None:
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
    blocks += _repetition(run)
    title = run.title if run.title == run.name else f"{run.title} ({run.name})"
    return Section(title, blocks, 2, run.title)


def section_of_sweep(sweep: ReportSweep) -> Section:
    """Return a sweep's own section: what it found, its pictures, and how to repeat it."""
    blocks = _remarks(sweep.missing)
    if sweep.document is not None:
        blocks += [Paragraph([sentence]) for sentence in _told(sweep.document)]
        table = ranking_table(sweep)
        blocks += [] if table is None else [table]
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
    blocks += _repetition(sweep)
    return Section(f"The sweep {sweep.title} ({sweep.name})", blocks, 2, f"The sweep {sweep.title}")


def section_of_the_rest(rest: Sequence[ReportRun], shown: int) -> Section:
    """Return what there is of the runs that have no section of their own: how to repeat each."""
    rows: list[Sequence[Pieces]] = [
        [[run.name], [Code(run.resume_command or run.command)] if run.command else [DASH]]
        for run in rest
    ]
    words = (
        f"The {shown} runs above are the best by validation accuracy, of which each has a section "
        f"of its own; the other {len(rest)} are in the table of all runs, and are repeated (or, "
        "where they were interrupted, gone on with) by these commands."
    )
    table = Table(["run", "to repeat it"], rows)
    return Section("The other runs", [Paragraph([words]), table], 2)


def _repetition(one: ReportRun | ReportSweep) -> list[Block]:
    blocks: list[Block] = []
    if one.resume_command:
        blocks.append(Paragraph(["To go on with it: ", Code(one.resume_command)]))
    if not one.command:
        return blocks
    blocks.append(Paragraph(["To repeat it: ", Code(one.command)]))
    if len(one.command) > _LONG_COMMAND or str(one.folder.config) in one.command:
        blocks.append(Listing(one.text, f"{one.folder.config.name} of {one.name}"))
    return blocks


def _remarks(words: Iterable[str]) -> list[Block]:
    return [Paragraph([_sentence(one)]) for one in words]


def _result(run: ReportRun) -> Pieces:
    pieces: list[Piece] = []
    for split in ("train", "validation", "test"):
        name = "training" if split == "train" else split
        loss, accuracy = (
            number(run, f"{split}.{part}", form)
            for part, form in (("loss", "{:.4f}"), ("accuracy", "{:.2%}"))
        )
        if accuracy != DASH:
            pieces += [f"{name.capitalize()} loss ", loss, ", accuracy ", accuracy, ". "]
    return pieces


def _has(run: ReportRun, name: str) -> bool:
    """Return whether a run has what a picture shows, for each of _PICTURES."""
    is_over = run.facts["status"] in ("completed", "diverged")
    has_curves = run.curves is not None and len(run.curves["epoch"]) > 0
    if name == "learning_curves":
        return has_curves
    needs = {
        "weights": run.parameters,
        "confusion_matrix": run.predictions,
        "mistakes": run.predictions if run.parameters is not None else None,
    }
    return is_over and needs[name] is not None


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
        return findings(document)
    except (KeyError, TypeError, ValueError, AttributeError):  # somebody else's sweep.json
        return ["sweep.json is damaged."]


def _sentence(words: str) -> str:
    """Return words as a sentence; the name of a file stays as it is written."""
    first = words.split(maxsplit=1)[0]
    return f"{words if '.' in first else words[0].upper() + words[1:]}."


def _file_name(name: str) -> str:
    return "".join(letter if letter.isalnum() or letter in "-_" else "-" for letter in name)
