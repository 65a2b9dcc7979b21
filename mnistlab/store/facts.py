"""What a run's folder says of it, as one flat mapping: a run's row in every table.

The keys are those that one types: a config's own, dotted where nested (`data.dataset`), those of
`train --json` (`validation.loss`), and a few about the folder. A filter, a column, an export and
a comparison all speak of these.
"""

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mnistlab.config.strict_yaml import MAX_SWEEP_BYTES, read_file
from mnistlab.errors import InputError
from mnistlab.runs import RunFolder
from mnistlab.runs.files import has_checksum
from mnistlab.runs.find import foreign_entries
from mnistlab.runs.folder import SweepFolder
from mnistlab.store.keys import (
    KEY,
    OF_ENVIRONMENT,
    OF_STATUS,
    RESULT_KEYS,
    SPLITS,
    STATE_KEYS,
    Facts,
    are_plain,
)

__all__ = ["SPLITS", "Facts", "flatten", "read_facts"]

_MOST_CONFIG_KEYS = 200  # a config has some thirty; what has more is none


def read_facts(folder: RunFolder, *, tolerant: bool = True) -> Facts:
    """Return what is known of a run or a sweep; what is missing or damaged has no key.

    A disk that fails makes a run a damaged one, or, if not `tolerant`, raises its OSError.

    Besides the keys of its config these are `keys.STATE_KEYS` and `keys.RESULT_KEYS`, the metrics
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
        facts["damaged"] = damaged
    return facts


def _altered(folder: RunFolder, files: Mapping[str, Any]) -> list[str]:
    """Return the names of files that are gone or, of those with facts, not what the run left.

    Weights and predictions are not looked into: of ten thousand runs that would take too long.
    """
    with_facts = (folder.config, folder.environment, folder.metrics, folder.summary)
    return [
        path.name
        for path in folder.checked_files
        if path.name in files and not _is_left(path, files[path.name], inside=path in with_facts)
    ]


def _is_left(path: Path, claim: object, *, inside: bool) -> bool:
    """Return whether a file is there as claimed; unless one looks `inside`, whether it is there."""
    return has_checksum(path, claim) if inside else path.exists() or not isinstance(claim, str)


def flatten(data: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the plain values of nested mappings under dotted keys; lists are plain."""
    for key, value in data.items():
        if isinstance(value, Mapping):
            yield from flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _of_metrics(folder: RunFolder) -> Facts:
    """Return what metrics.csv says of the last epoch of a run that was cut short."""
    try:
        columns = folder.read_metrics()
    except InputError:
        return {}
    if not columns["epoch"] or not math.isfinite(columns["epoch"][-1]):
        return {}
    last = {name: values[-1] for name, values in columns.items()}
    pairs = {
        f"{split}.{name}": last[f"{split}_{name}"]
        for split in ("train", "validation")
        for name in ("loss", "accuracy")
    }
    known = {key: value for key, value in pairs.items() if math.isfinite(value)}
    return {"trained_epochs": int(last["epoch"]), **known}


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
    if kind == "sweep":
        trials, seeds = summary.get("trials"), summary.get("seeds")
        if isinstance(trials, int) and isinstance(seeds, int):
            facts["runs"] = trials * seeds
        source = summary.get("best")
    else:
        facts["trained_epochs"] = summary.get("epochs")
        source = summary
    if not isinstance(source, Mapping):
        source = {}
    for split in SPLITS:
        numbers = source.get(split)
        if isinstance(numbers, Mapping):
            facts.update({f"{split}.{name}": numbers.get(name) for name in ("loss", "accuracy")})
    seconds = summary.get("seconds")
    if isinstance(seconds, Mapping):
        facts["seconds.total"] = seconds.get("total")
    return _plain(facts)
