"""Writes what is known of runs into one file for other programs: a table, or whole documents."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mnistlab.errors import InputError, RunFolderError, UnknownNameError, shown
from mnistlab.run_folders import RunFolder
from mnistlab.run_folders.files import to_csv, to_json, write_bytes
from mnistlab.run_folders.folder import METRICS_COLUMNS
from mnistlab.run_folders.places import foreign_entries
from mnistlab.store.facts import Facts, csv_cell, in_order
from mnistlab.store.selection import varying_keys

FILES = ("csv", "json", "onnx")
"""The formats that are one file, by its ending; `predict` writes the last one."""

EVENTS = "tensorboard"
"""The format that is a folder, which `event_files` writes."""

_ENDINGS = f"{', '.join(f'.{ending}' for ending in FILES[:-1])} or .{FILES[-1]}"


def check_target(
    path: Path, given: str | None, *, epochs: bool = False, force: bool = False
) -> str:
    """Return the format that is asked for, by name or by the ending of a file.

    Raises InputError for an unknown one, for a place that cannot be exported to, and, without
    `force`, for a file that is there already.
    """
    if given not in (None, *FILES, EVENTS):
        raise UnknownNameError("format", given, (*FILES, EVENTS))
    form = given if given == EVENTS else path.suffix.removeprefix(".")
    if given not in (None, form):
        raise InputError(f"--to {shown(path)}: is no {given}; its name must end in .{given}")
    if form not in (*FILES, EVENTS):
        raise InputError(
            f"--to {shown(path)}: its name must end in {_ENDINGS}; --format {EVENTS} takes a folder"
        )
    if epochs and form != "csv":
        hint = f"; {form} holds the epochs anyway" if form in ("json", EVENTS) else ""
        raise InputError(f"--epochs goes with a .csv{hint}")
    if not path.parent.is_dir():
        raise InputError(f"--to {shown(path)}: there is no folder {shown(path.parent)}")
    if form == EVENTS:
        if path.exists() and not path.is_dir():
            raise InputError(f"--to {shown(path)}: is a file; --format {form} takes a folder")
        return form
    if path.is_dir():
        raise InputError(f"--to {shown(path)}: is a folder")
    if not force and (path.exists() or path.is_symlink()):
        raise InputError(f"--to {shown(path)}: is there already; --force replaces it")
    return form


def write(
    path: Path, folders: Sequence[RunFolder | None], runs: Sequence[Facts], *, epochs: bool
) -> dict[str, str]:
    """Write runs as .csv or .json, by the name of the file, with a row an epoch or a run.

    A folder is None where it is refused: then there are its facts only. Returns by run which of
    its files are missing or damaged, as text; none of a whole run.
    """
    damaged = {
        str(facts["run"]): ", ".join(map(str, facts["damaged"]))
        for facts in runs
        if facts.get("damaged")
    }
    # what holds links is not opened
    opened = [
        None if folder is None or any(foreign_entries(folder.path)) else folder
        for folder in folders
    ]
    if path.suffix == ".json":
        text = to_json([_document(*one) for one in zip(opened, runs, strict=True)]) + "\n"
    elif epochs:
        text, unread = _epochs(opened, runs)
        damaged |= unread
    else:
        columns = in_order(key for facts in runs for key in facts)
        rows = [{key: csv_cell(value) for key, value in facts.items()} for facts in runs]
        text = to_csv(columns, rows)
    # bytes of names that are no UTF-8 are written as escapes
    write_bytes(path, text.encode("utf-8", "backslashreplace"))
    return damaged


def _epochs(
    folders: Sequence[RunFolder | None], runs: Sequence[Facts]
) -> tuple[str, dict[str, str]]:
    """Return a CSV with a row an epoch and run, which names the run and what its config varies.

    The config's learning rate stands under `config.learning_rate`, as the epoch's has its name.
    Beside it stands "metrics.csv" by the names of the runs whose that is missing or damaged.
    """
    keys = {f"config.{key}" if key in METRICS_COLUMNS else key: key for key in varying_keys(runs)}
    rows: list[Facts] = []
    unread: dict[str, str] = {}
    whose = [key for key in ("run", "who") if any(key in facts for facts in runs)]
    for folder, facts in zip(folders, runs, strict=True):
        metrics = _metrics(folder)
        if metrics is None:
            if folder is not None:
                unread[str(facts["run"])] = folder.metrics.name
            continue
        known = {key: csv_cell(facts.get(key)) for key in whose} | {
            column: csv_cell(facts.get(key)) for column, key in keys.items()
        }
        rows += [
            known | {column: _number(value) for column, value in zip(metrics, values, strict=True)}
            for values in zip(*metrics.values(), strict=True)
        ]
    return to_csv([*whose, *keys, *METRICS_COLUMNS], rows), unread


def _document(folder: RunFolder | None, facts: Facts) -> dict[str, Any]:
    """Return a run's facts, epochs and environment, null if lost."""
    environment = None if folder is None else folder.read_environment() or None
    return {
        "run": facts["run"],
        "facts": facts,
        "metrics": _metrics(folder),
        "environment": environment,
    }


def _metrics(folder: RunFolder | None) -> dict[str, list[float]] | None:
    try:
        return None if folder is None else folder.read_metrics()
    except RunFolderError:
        return None


def _number(value: float) -> float | int | str:
    """Return a metric as it stands in metrics.csv: epochs whole, nothing for what is missing."""
    if value != value:  # noqa: PLR0124 - the definition of NaN
        return ""
    return int(value) if value.is_integer() else value
