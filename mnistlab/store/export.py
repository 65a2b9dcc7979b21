"""Writes what is known of runs into one file for other programs: a table, or whole documents."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from mnistlab.errors import InputError, RunFolderError, shown
from mnistlab.run_folders import RunFolder
from mnistlab.run_folders.files import to_csv, to_json, write_text
from mnistlab.run_folders.folder import METRICS_COLUMNS, SweepFolder, is_sweep
from mnistlab.run_folders.places import foreign_entries, run_paths
from mnistlab.store.facts import Facts, csv_cell, in_order, read_facts
from mnistlab.store.selection import varying_keys

FORMATS = (".csv", ".json")


def check_target(path: Path, *, epochs: bool, force: bool) -> None:
    """Raise InputError for a file that cannot be exported to, or is there already."""
    if path.suffix not in FORMATS:
        raise InputError(f"--to {shown(path)}: its name must end in {' or '.join(FORMATS)}")
    if epochs and path.suffix != ".csv":
        raise InputError("--epochs goes with a .csv; a .json holds the epochs anyway")
    if path.is_dir():
        raise InputError(f"--to {shown(path)}: is a folder")
    if not path.parent.is_dir():
        raise InputError(f"--to {shown(path)}: there is no folder {shown(path.parent)}")
    if not force and (path.exists() or path.is_symlink()):
        raise InputError(f"--to {shown(path)}: is there already; --force replaces it")


def single_runs(folders: Iterable[RunFolder]) -> list[RunFolder]:
    """Return each run once, a sweep standing for the runs inside it."""
    runs: dict[Path, RunFolder] = {}
    for folder in folders:
        if isinstance(folder, SweepFolder):
            runs |= {run.path: run for run in map(folder.run, folder.runs())}
        else:
            runs[folder.path] = folder
    return list(runs.values())


def all_runs(runs_dir: Path) -> list[RunFolder]:
    """Return every run of a runs folder, those of sweeps included, the oldest first.

    A folder with links in it is left out: nothing in it is opened.
    """
    paths = [path for path in sorted(run_paths(runs_dir)) if not any(foreign_entries(path))]
    return single_runs(SweepFolder(path) if is_sweep(path) else RunFolder(path) for path in paths)


def write(
    path: Path, folders: Sequence[RunFolder], runs: Sequence[Facts], *, epochs: bool
) -> dict[str, str]:
    """Write runs, in the form that the name of the file asks for, with a row an epoch or a run.

    Returns by run which of its files are missing or damaged, as text; none of a whole run.
    """
    damaged = {
        folder.name: ", ".join(map(str, facts["damaged"]))
        for folder, facts in zip(folders, runs, strict=True)
        if facts.get("damaged")
    }
    if path.suffix == ".json":
        write_documents(path, folders, runs)
    elif epochs:
        damaged |= write_epochs(path, folders, runs)
    else:
        write_table(path, runs)
    return damaged


def write_table(path: Path, runs: Sequence[Facts]) -> None:
    """Write a CSV with a row a run: state, config, results, all keys that any of them has."""
    columns = in_order(key for facts in runs for key in facts)
    rows = [{key: csv_cell(value) for key, value in facts.items()} for facts in runs]
    write_text(path, _storable(to_csv(columns, rows)))


def write_epochs(path: Path, folders: Sequence[RunFolder], runs: Sequence[Facts]) -> dict[str, str]:
    """Write a CSV with a row an epoch and run, which names the run and what its config varies.

    The config's learning rate stands under `config.learning_rate`, as the epoch's has its name.
    Returns "metrics.csv" by the names of the runs whose that is missing or cannot be read.
    """
    keys = {f"config.{key}" if key in METRICS_COLUMNS else key: key for key in varying_keys(runs)}
    rows: list[Facts] = []
    unread: dict[str, str] = {}
    for folder, facts in zip(folders, runs, strict=True):
        metrics = _metrics(folder)
        if metrics is None:
            unread[folder.name] = folder.metrics.name
            continue
        known = {"run": csv_cell(facts["run"])} | {
            column: csv_cell(facts.get(key)) for column, key in keys.items()
        }
        rows += [
            known | {column: _number(value) for column, value in zip(metrics, values, strict=True)}
            for values in zip(*metrics.values(), strict=True)
        ]
    write_text(path, _storable(to_csv(["run", *keys, *METRICS_COLUMNS], rows)))
    return unread


def write_documents(path: Path, folders: Sequence[RunFolder], runs: Sequence[Facts]) -> None:
    """Write a JSON list with an object a run: its facts, epochs and environment, null if lost."""
    documents = [
        {
            "run": facts["run"],
            "facts": facts,
            "metrics": _metrics(folder),
            "environment": (folder.read_environment() or None) if _is_open(folder) else None,
        }
        for folder, facts in zip(folders, runs, strict=True)
    ]
    write_text(path, _storable(to_json(documents) + "\n"))


def facts_of(folders: Iterable[RunFolder]) -> list[Facts]:
    """Return the facts of each run; raise OSError where the disk fails."""
    return [read_facts(folder, tolerant=False) for folder in folders]


def _metrics(folder: RunFolder) -> dict[str, list[float]] | None:
    if not _is_open(folder):
        return None
    try:
        return folder.read_metrics()
    except RunFolderError:
        return None


def _is_open(folder: RunFolder) -> bool:
    """Return whether a run's folder holds plain files only, so that it may be opened."""
    return not any(foreign_entries(folder.path))


def _number(value: float) -> float | int | str:
    """Return a metric as it stands in metrics.csv: epochs whole, nothing for what is missing."""
    if value != value:  # noqa: PLR0124 - the definition of NaN
        return ""
    return int(value) if value.is_integer() else value


def _storable(text: str) -> str:
    """Return a text with those bytes of names that are no UTF-8 written as escapes."""
    return text.encode("utf-8", "backslashreplace").decode()
