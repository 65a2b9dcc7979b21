"""The page's table of all runs and sweeps: a row each, a column for what one sorts by."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from mnistlab.report.collect import ReportRun, ReportSweep

DASH = "\N{EN DASH}"


@dataclass(frozen=True)
class Column:
    """A column: the key that a filter names it by, its heading, and how its numbers are shown."""

    key: str
    heading: str
    form: str = ""


@dataclass(frozen=True)
class Value:
    """A cell: what is shown and, for a number, its exact value and the key of the fact it is.

    `numeric` says whether its column is one of numbers, which stand flush right.
    """

    shown: str
    exact: str | None = None
    key: str | None = None
    numeric: bool = True


@dataclass(frozen=True)
class Row:
    """A run or a sweep: its cells in the order of COLUMNS, what it lacks, how it is repeated."""

    name: str
    title: str
    kind: str
    status: str
    values: Sequence[Value]
    missing: str
    command: str


COLUMNS = (
    Column("model", "Model"),
    Column("loss", "Loss"),
    Column("learning_rate", "Learning rate", "{:g}"),
    Column("trained_epochs", "Epochs", "{:g}"),
    Column("train.loss", "Training loss", "{:.4f}"),
    Column("validation.loss", "Validation loss", "{:.4f}"),
    Column("test.loss", "Test loss", "{:.4f}"),
    Column("validation.accuracy", "Validation accuracy", "{:.2%}"),
    Column("test.accuracy", "Test accuracy", "{:.2%}"),
)
"""The columns that are facts of a run; name, status, gap, what is missing and command are more."""


def rows_of(runs: Sequence[ReportRun], sweeps: Sequence[ReportSweep]) -> list[Row]:
    """Return the rows of all runs, then of all sweeps; a sweep's numbers are its best trial's."""
    return [*map(_row, runs), *map(_row, sweeps)]


def _row(one: ReportRun | ReportSweep) -> Row:
    facts = one.facts
    of = f" of {facts['runs']}" if "runs" in facts else ""
    return Row(
        name=one.name,
        title=one.title,
        kind=f"{facts['kind']}{of}",
        status=str(facts["status"]),
        values=[*(_value(one, column) for column in COLUMNS), _gap(one)],
        missing="; ".join(one.missing),
        command=one.command,
    )


def _value(one: ReportRun | ReportSweep, column: Column) -> Value:
    value = one.facts.get(column.key)
    if value is None:
        return Value(DASH, numeric=bool(column.form))
    if isinstance(value, bool) or not isinstance(value, int | float):
        return Value(str(value), numeric=False)
    shown = column.form.format(value) if column.form else str(value)
    return Value(shown, repr(value), column.key)


def _gap(one: ReportRun | ReportSweep) -> Value:
    """Return by how much the last training loss lies above the least possible one."""
    gaps = one.gaps if isinstance(one, ReportRun) else None
    if not gaps or not math.isfinite(gaps[-1]):
        return Value(DASH)
    return Value(f"{gaps[-1]:.2g}", repr(gaps[-1]))
