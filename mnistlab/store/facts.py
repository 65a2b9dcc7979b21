"""What the folder of a run says of it, as one flat mapping: the row of the run in every table.

The keys are those that one types: those of a config, dotted where nested (`data.dataset`), those
of `train --json` (`validation.loss`), and a few about the folder. Filters, columns, export and
comparisons use these names. A new fact is named here alone: one of status.json or environment.json
is then read too; a fact that is not named here counts as one of the config.
"""

import json
import math
import re
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeGuard

from mnistlab.errors import InputError, RunFolderError, escape
from mnistlab.run_folders import RunFolder
from mnistlab.run_folders.files import has_checksum
from mnistlab.run_folders.folder import SweepFolder
from mnistlab.run_folders.places import foreign_entries
from mnistlab.run_folders.safeguards import describe_damage

Facts = dict[str, Any]

SPLITS = ("train", "validation", "test")
"""The parts of a dataset in the order in which tables show them."""

SPLIT_KEYS = tuple(f"data.{key}" for key in ("validation", "split", "split_seed", "folds", "fold"))
"""The keys of a config that decide which images training and validation split hold."""

METRICS = tuple(f"{split}.{name}" for split in SPLITS for name in ("loss", "accuracy"))

OF_STATUS = {
    "error": "why it failed",
    "stopped": "what stopped it early",
    "started": "",
    "ended": "",
}
OF_ENVIRONMENT = {
    "key": "the hash by which equal runs are found",
    "data_sha256": "",
    "mnistlab": "the version",
}
"""The facts that status.json and environment.json hold under their own names."""

STATE_KEYS = {
    "run": "its name",
    "who": "whose it is: what tells its path from those of the others",
    "kind": "run or sweep",
    "status": "",
    **OF_STATUS,
}
"""What became of a run: the facts that stand before those of its config, with what they say."""

RESULT_KEYS = {
    "method": "of a sweep",
    "runs": "of a sweep: how many it has",
    "trained_epochs": "how many were trained",
    **dict.fromkeys(METRICS, ""),
    "seconds.total": "",
    "warnings": "what looked wrong about its data or settings",
    **OF_ENVIRONMENT,
    "damaged": "the files that are missing, cannot be read or are not what the run left",
}
"""What came out of it, and of what: the facts that stand after those of its config."""

KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,99}(?:\.[A-Za-z0-9_-]{1,99}){0,9}", re.ASCII)
"""What a key looks like: a word, dotted where nested."""

_FORMULA = ("=", "+", "-", "@")
"""What a spreadsheet takes for the beginning of a formula; controls are escaped anyway."""

_MOST_CONFIG_KEYS = 200  # a config has some thirty; what has more is none

_OF_RUNS = (
    *("who", "run", "status", "runs", "model", "loss", "optimizer", "learning_rate", "epochs"),
    *("validation.accuracy", "test.accuracy", "started", "damaged"),
)
_OF_A_SWEEP = (
    *("train.loss", "validation.loss", "validation.accuracy", "test.accuracy", "damaged"),
)
"""The columns of a table of runs, and those of a sweep's beside what varies."""

REFUSED = "refused"
"""The status of a folder that is not opened."""

PLAIN = frozenset({str, int, float, bool})
"""What a fact is, or a list of these."""


def are_plain(values: Sequence[Any]) -> bool:
    """Return whether all values can be facts: text, numbers, true or false, or lists of these."""
    kinds = set(map(type, values))
    if list in kinds:
        kinds.remove(list)
        for value in values:
            if type(value) is list:
                kinds.update(map(type, value))
    return kinds <= PLAIN


def is_of_config(key: str) -> bool:
    """Return whether a fact is one of the run's config."""
    return key not in STATE_KEYS and key not in RESULT_KEYS


def is_comparable(metric: str, differing: Container[str]) -> bool:
    """Return whether a metric is of the same thing in runs whose config or data differ so.

    Metrics of a split are if it holds the same images, and losses if they are of the same kind.
    """
    split, _, name = metric.partition(".")
    if split not in SPLITS:
        return True
    decisive = ("data_sha256",) if split == "test" else ("data_sha256", *SPLIT_KEYS)
    if any(key in differing for key in decisive):
        return False
    return name != "loss" or "loss" not in differing


def in_order(keys: Iterable[str]) -> list[str]:
    """Return keys of facts in the order of tables: state, config as it comes, results."""
    given = dict.fromkeys(keys)
    return [
        *(key for key in STATE_KEYS if key in given),
        *(key for key in given if is_of_config(key)),
        *(key for key in RESULT_KEYS if key in given),
    ]


def differing(*mappings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keys under which flat mappings differ, each with all values; absent is None."""
    keys = dict.fromkeys(key for mapping in mappings for key in mapping)
    rows = {key: tuple(mapping.get(key) for mapping in mappings) for key in keys}
    return {key: row for key, row in rows.items() if any(value != row[0] for value in row)}


def least_telling(*, of_sweep: bool) -> Sequence[str]:
    """Return the default columns that give way where a terminal is narrow, the first one first."""
    if of_sweep:
        return ("train.loss", "validation.loss", "test.accuracy")
    return (
        *("optimizer", "started", "epochs", "runs", "validation.accuracy", "learning_rate"),
        *("loss", "model", "test.accuracy"),
    )


def columns_of(runs: Sequence[Facts], *, of_sweep: bool) -> list[str]:
    """Return the columns that tell most of these runs; those without any value are left out.

    Of a sweep's runs these are the keys of the config that differ.
    """
    wanted = ["run", "status", *varying_keys(runs), *_OF_A_SWEEP] if of_sweep else [*_OF_RUNS]
    if any(facts["status"] == REFUSED for facts in runs):
        wanted.append("error")
    return [key for key in wanted if key in ("run", "status") or any(key in run for run in runs)]


def varying_keys(runs: Sequence[Facts]) -> list[str]:
    """Return the keys of the runs' configs that do not have the same value in all of them."""
    opened = [facts for facts in runs if facts.get("status") != REFUSED]
    return [key for key in differing(*opened) if key != "name" and is_of_config(key)]


def describe_keys() -> str:
    """Return the keys that no config has in a sentence's order, each with what it says."""
    metrics = f"{METRICS[0]} to {METRICS[-1]}"
    described = {
        key: says for key, says in {**STATE_KEYS, **RESULT_KEYS}.items() if key not in METRICS
    }
    return ", ".join(
        [*(f"{key} ({says})" if says else key for key, says in described.items()), metrics]
    )


def is_number(value: Any) -> TypeGuard[int | float]:
    """Return whether a value, from a file that anybody may have written, is a finite number.

    True and false are none, and neither is a whole number too large to reckon with.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number of hundreds of digits
        return False


def csv_cell(value: Any) -> str:
    """Return a fact as a cell that a program reads: numbers in full, a list as JSON.

    A text that a spreadsheet would take for a formula has an apostrophe before it.
    """
    if value is None:
        return ""
    if isinstance(value, bool | list):
        return json.dumps(value)
    cell = escape(str(value))
    return f"'{cell}" if isinstance(value, str) and cell.startswith(_FORMULA) else cell


def read_facts(folder: RunFolder, *, tolerant: bool = True) -> Facts:
    """Return what is known of a run or a sweep; what is missing or damaged has no key.

    A disk that fails makes a run a damaged one, or, if not `tolerant`, raises its OSError.

    Besides the keys of its config these are STATE_KEYS and RESULT_KEYS, the metrics
    of a sweep those of its best trial. `damaged` lists the files that are missing, cannot be
    read, are no plain files, or, of those that facts come from, are not what the run left; no
    fact is taken from these. Whatever the folder holds, a value is text, a number, true or
    false, or a list of these.
    """
    kind = "sweep" if isinstance(folder, SweepFolder) else "run"
    lost: Facts = {"run": folder.name, "kind": kind, "status": "damaged"}
    try:
        foreign = [entry.name for entry in foreign_entries(folder.path)]
        return lost | {"damaged": foreign} if foreign else _read(folder, kind)
    except RecursionError:  # nested without end
        return lost | {"damaged": [folder.status.name]}
    except OSError:
        if not tolerant:
            raise
        return lost | {"damaged": [folder.status.name]}


def _read(folder: RunFolder, kind: str) -> Facts:
    from mnistlab.config.config_files import (  # noqa: PLC0415 - a warm listing reads no YAML
        MAX_SWEEP_BYTES,
        read_file,
    )

    status, files = folder.read_status(), folder.checksums()
    facts: Facts = {
        "run": folder.name,
        "kind": kind,
        **_plain({key: status.get(key) for key in ("status", *OF_STATUS)}),
    }
    damaged = [folder.status.name] if status["status"] == "damaged" else []
    damaged += _altered(folder, files)  # nothing is read from these
    try:
        if folder.config.name not in damaged:
            facts.update(_of_config(read_file(folder.config, MAX_SWEEP_BYTES)[0], kind))
    except InputError as error:
        if isinstance(error.__cause__, OSError):
            raise error.__cause__ from None
        damaged.append(folder.config.name)
    try:
        if folder.summary.name not in damaged:
            facts.update(_of_summary(folder.read_summary(), kind))
    except InputError:
        if status["status"] in ("completed", "diverged"):
            damaged.append(folder.summary.name)
    if folder.environment.name not in damaged:
        environment = folder.read_environment()
        facts.update(_plain({key: environment.get(key) for key in OF_ENVIRONMENT}))
        if not environment:
            damaged.append(folder.environment.name)
    is_cut_short = status["status"] in ("interrupted", "running")
    if is_cut_short and "trained_epochs" not in facts and folder.metrics.name not in damaged:
        facts.update(_of_metrics(folder))
    if damaged:
        facts["damaged"] = [describe_damage(folder.path / name) for name in damaged]
    return facts


def _altered(folder: RunFolder, files: Mapping[str, Any]) -> list[str]:
    """Return the names of files that are gone or, of those with facts, not what the run left.

    Weights and predictions are not looked into: of ten thousand runs that would take too long.
    """
    with_facts = (folder.config, folder.environment, folder.metrics, folder.summary)
    altered = []
    for path in folder.checked_files:
        if path.name not in files:
            continue
        claim = files[path.name]
        is_there = path.exists() or not isinstance(claim, str)
        if not (has_checksum(path, claim) if path in with_facts else is_there):
            altered.append(path.name)
    return altered


def flatten(data: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the plain values of nested mappings under dotted keys; lists are plain."""
    for key, value in data.items():
        if isinstance(value, Mapping):
            yield from flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def config_facts(folder: RunFolder) -> Facts:
    """Return a run's config under dotted keys; raise RunFolderError if it cannot be read."""
    from mnistlab.config.config_files import read_file  # noqa: PLC0415 - see `_read`

    try:
        return dict(flatten(read_file(folder.config)[0]))
    except InputError as error:
        raise RunFolderError(f"{folder.name}: its config cannot be read: {error}") from None


def _of_metrics(folder: RunFolder) -> Facts:
    """Return what metrics.csv says of the last epoch of a run that was cut short."""
    try:
        columns = folder.read_metrics()
    except InputError:
        return {}
    if not columns["epoch"] or not math.isfinite(columns["epoch"][-1]):
        return {}
    last = {
        key: columns[key.replace(".", "_")][-1] for key in METRICS if not key.startswith("test")
    }
    known = {key: value for key, value in last.items() if math.isfinite(value)}
    return {"trained_epochs": int(columns["epoch"][-1]), **known}


def _plain(facts: Mapping[str, Any]) -> Facts:
    """Return the facts without what no fact is; empty texts and nulls say nothing."""
    return {
        key: value
        for key, value in facts.items()
        if value != "" and are_plain([value]) and KEY.fullmatch(key)
    }


def _of_config(config: Mapping[str, Any], kind: str) -> Facts:
    """Return a config's own keys, for a sweep those that all of its runs have in common.

    Raises InputError for what has more keys than any config.
    """
    shown = _of_sweep(config) if kind == "sweep" else dict(flatten(config))
    if len(shown) > _MOST_CONFIG_KEYS:
        raise InputError("more keys than a config can have")
    if isinstance(steps := shown.get("features"), list):
        from mnistlab.datasets import describe_steps  # noqa: PLC0415 - a warm listing reads no YAML

        shown["features"] = describe_steps(steps)
    ours = {*STATE_KEYS, *RESULT_KEYS} - {"method"}
    return _plain({key: value for key, value in shown.items() if key not in ours})


def _of_sweep(config: Mapping[str, Any]) -> Facts:
    """Return the keys that all runs of a sweep have in common."""
    base, parameters = config.get("base"), config.get("parameters")
    common = dict(flatten(base)) if isinstance(base, Mapping) else {}
    varied = set(parameters) if isinstance(parameters, Mapping) else set()
    facts = {key: value for key, value in common.items() if key not in varied}
    return facts | {key: config[key] for key in ("name", "method") if key in config}


def _of_summary(summary: Mapping[str, Any], kind: str) -> Facts:
    """Return the metrics of a run, or those of a sweep's best trial."""
    facts: Facts = {}
    told = dict(flatten(summary))
    if kind == "sweep":
        trials, seeds, folds = (summary.get(key) for key in ("trials", "seeds", "folds"))
        if isinstance(trials, int) and isinstance(seeds, int):
            facts["runs"] = trials * (folds if isinstance(folds, int) else seeds)
    else:
        facts["trained_epochs"] = summary.get("epochs")
    best = "best." if kind == "sweep" else ""
    facts.update({key: told.get(f"{best}{key}") for key in METRICS})
    if isinstance(warnings := summary.get("warnings"), list) and warnings:
        facts["warnings"] = warnings
    facts["seconds.total"] = told.get("seconds.total")
    return _plain(facts)
