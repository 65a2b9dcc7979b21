"""What a run's folder says of it, as one flat mapping: a run's row in every table.

The keys are those that one types: a config's own, dotted where nested (`data.dataset`), those of
`train --json` (`validation.loss`), and a few about the folder. A filter, a column, an export and
a comparison all speak of these.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from mnistlab.config.strict_yaml import MAX_SWEEP_BYTES, read_file
from mnistlab.errors import InputError
from mnistlab.runs import RunFolder
from mnistlab.runs.guard import foreign_entries
from mnistlab.runs.sweep_folder import SweepFolder

Facts = dict[str, Any]

SPLITS = ("train", "validation", "test")
"""The parts of a dataset in the order in which tables show them."""


def read_facts(folder: RunFolder) -> Facts:
    """Return what is known of a run or a sweep; what is missing or damaged has no key.

    Besides the keys of its config: `run`, `kind` (run or sweep), `status`, `error`, `started`,
    `ended`, `trained_epochs`, `train.loss` … `test.accuracy`, `seconds.total`, `key`,
    `data_sha256`, `mnistlab` (the version), and for a sweep `method` and `runs`. `damaged` lists
    the files that are missing, cannot be read, or are no plain files.
    """
    kind = "sweep" if isinstance(folder, SweepFolder) else "run"
    foreign = [entry.name for entry in foreign_entries(folder.path)]
    if foreign:
        return {"run": folder.name, "kind": kind, "status": "damaged", "damaged": foreign}
    status = folder.read_status()
    facts: Facts = {
        "run": folder.name,
        "kind": kind,
        "status": status["status"],
        **{key: status[key] for key in ("error", "started", "ended", "stopped") if status.get(key)},
    }
    damaged = [folder.status.name] if status["status"] == "damaged" else []
    try:
        config = read_file(folder.config, MAX_SWEEP_BYTES)[0]
        facts.update(_of_sweep(config) if kind == "sweep" else flatten(config))
    except InputError:
        damaged.append(folder.config.name)
    environment = folder.read_environment()
    if environment:
        known = ("key", "data_sha256", "mnistlab")
        facts.update({key: environment[key] for key in known if key in environment})
    else:
        damaged.append(folder.environment.name)
    try:
        facts.update(_of_summary(folder.read_summary(), kind))
    except InputError:
        if status["status"] in ("completed", "diverged"):
            damaged.append(folder.summary.name)
    if damaged:
        facts["damaged"] = damaged
    return facts


def flatten(data: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the plain values of nested mappings under dotted keys; lists are plain."""
    for key, value in data.items():
        if isinstance(value, Mapping):
            yield from flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


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
        facts["runs"] = summary.get("runs")
        source = summary.get("best") or {}
    else:
        facts["trained_epochs"] = summary.get("epochs")
        source = summary
    for split in SPLITS:
        numbers = source.get(split)
        if isinstance(numbers, Mapping):
            facts.update({f"{split}.{name}": numbers.get(name) for name in ("loss", "accuracy")})
    seconds = summary.get("seconds")
    if isinstance(seconds, Mapping):
        facts["seconds.total"] = seconds.get("total")
    return {key: value for key, value in facts.items() if value is not None}
