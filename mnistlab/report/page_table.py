"""The page's table of all runs and sweeps: a row each, a column for what one sorts by."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from mnistlab.config.load import valid_keys
from mnistlab.report.collect import ReportRun, ReportSweep
from mnistlab.report.document import DASH
from mnistlab.report.numbers import show_gap
from mnistlab.store.facts import RESULT_KEYS, STATE_KEYS, Facts, in_order, is_number

GAP, REMARKS = "gap", "remarks"
"""What the page knows of a run besides its facts."""


@dataclass(frozen=True)
class Value:
    """A cell: what is shown and, for a number, its exact value and whose fact it is.

    `run` and `key` name that fact. `note` stands small below.
    """

    shown: str
    exact: str | None = None
    key: str | None = None
    note: str = ""
    run: str = ""


@dataclass(frozen=True)
class Column:
    """A column: the key that sorts it, its heading, and what it shows of a run.

    One that `may_go` is left out where all runs have the same; one that is `extra` is shown
    when the reader asks for it.
    """

    key: str
    heading: str
    show: Callable[[ReportRun | ReportSweep, str], Value]
    numeric: bool = True
    may_go: bool = False
    extra: bool = False


@dataclass(frozen=True)
class Row:
    """A run or a sweep: its cells in the order of the table's columns, and how it is repeated."""

    name: str
    title: str
    kind: str
    values: Sequence[Value]
    command: str


@dataclass(frozen=True)
class RunsTable:
    """The columns that tell the runs apart, the rows, and by heading what is the same in all."""

    columns: Sequence[Column]
    rows: Sequence[Row]
    same: Sequence[tuple[str, str]]


def build_table(runs: Sequence[ReportRun], sweeps: Sequence[ReportSweep]) -> RunsTable:
    """Return the table of all runs, then of all sweeps; a sweep's numbers are its best trial's."""
    everything: list[ReportRun | ReportSweep] = [*runs, *sweeps]
    cells = {column: [column.show(one, column.key) for one in everything] for column in COLUMNS}
    same = [column for column in COLUMNS if column.may_go and _are_alike(cells[column])]
    kept = [
        column
        for column in COLUMNS
        if column not in same and any(cell.shown != DASH for cell in cells[column])
    ]
    rows = [
        Row(one.name, one.title, _kind(one), [cells[column][at] for column in kept], one.command)
        for at, one in enumerate(everything)
    ]
    told = [(column.heading.lower(), _in_words(cells[column][0])) for column in same]
    return RunsTable(kept, rows, told)


def known_keys(facts: Sequence[Facts]) -> list[str]:
    """Return the keys that a filter may name, in the order of tables."""
    found = (key for one in facts for key in one)
    return [*in_order([*STATE_KEYS, *valid_keys(), *found, *RESULT_KEYS]), GAP, REMARKS]


def embed_facts(runs: Sequence[ReportRun], sweeps: Sequence[ReportSweep]) -> dict[str, Any]:
    """Return what a filter asks of, in the order of the table's rows, as plain data.

    `keys` are those that a filter may name; `same` holds the facts that are the same in all rows,
    `varied` the others as a list by key, with None where a row has none.
    """
    everything: list[ReportRun | ReportSweep] = [*runs, *sweeps]
    facts = [_all_facts(one) for one in everything]
    keys = known_keys([one.facts for one in everything])
    columns = {key: [one.get(key) for one in facts] for key in keys}
    same = {key: values[0] for key, values in columns.items() if _are_equal(values)}
    return {
        "keys": keys,
        "same": {key: value for key, value in same.items() if value is not None},
        "varied": {key: values for key, values in columns.items() if key not in same and values},
    }


def _all_facts(one: ReportRun | ReportSweep) -> Facts:
    own = {GAP: None if one.gap is None else float(one.gap), REMARKS: _remarks(one)}
    return {**one.facts, **{key: value for key, value in own.items() if value not in (None, "")}}


def _are_equal(values: Sequence[Any]) -> bool:
    """Return whether all values are the same, true and 1 being two."""
    return len({repr(value) for value in values}) == 1


def _are_alike(cells: Sequence[Value]) -> bool:
    shown = {_in_words(cell) for cell in cells}
    return len(cells) > 1 and len(shown) == 1 and cells[0].shown != DASH


def _in_words(cell: Value) -> str:
    return f"{cell.shown}, {cell.note}" if cell.note else cell.shown


def _kind(one: ReportRun | ReportSweep) -> str:
    kind = str(one.facts["kind"])
    return f"{kind} of {one.facts['runs']}" if "runs" in one.facts else kind


def _text(one: ReportRun | ReportSweep, key: str) -> Value:
    value = one.facts.get(key)
    # without underscores a line can break between the words
    return Value(DASH if value is None else str(value).replace("_", " "))


def _model(one: ReportRun | ReportSweep, key: str) -> Value:
    return Value(_text(one, key).shown, note=_text(one, "loss").shown.replace(DASH, ""))


def _number(form: str) -> Callable[[ReportRun | ReportSweep, str], Value]:
    def show(one: ReportRun | ReportSweep, key: str) -> Value:
        holder = one.holder(key)
        value = holder.facts.get(key)
        if not is_number(value):
            return Value(DASH if value is None else str(value))
        return Value(form.format(value), repr(value), key, run=holder.name)

    return show


def _status(one: ReportRun | ReportSweep, _key: str) -> Value:
    return Value(one.status)


def _gap(one: ReportRun | ReportSweep, _key: str) -> Value:
    return Value(show_gap(one.gap), None if one.gap is None else repr(one.gap))


def _told(one: ReportRun | ReportSweep, _key: str) -> Value:
    return Value(_remarks(one) or DASH)


def _remarks(one: ReportRun | ReportSweep) -> str:
    return "; ".join(one.missing)


COLUMNS = (
    Column("status", "Status", _status, numeric=False, may_go=True),
    Column("model", "Model", _model, numeric=False, may_go=True),
    Column("learning_rate", "Learning rate", _number("{:g}"), may_go=True),
    Column("trained_epochs", "Epochs", _number("{:g}"), may_go=True),
    Column("train.loss", "Training loss", _number("{:.4f}")),
    Column("validation.loss", "Validation loss", _number("{:.4f}"), extra=True),
    Column("test.loss", "Test loss", _number("{:.4f}"), extra=True),
    Column("validation.accuracy", "Validation accuracy", _number("{:.2%}")),
    Column("test.accuracy", "Test accuracy", _number("{:.2%}")),
    Column(GAP, "Gap", _gap),
    Column(REMARKS, "Remarks", _told, numeric=False),
)
"""What is shown of each run between its name and the command that repeats it."""
