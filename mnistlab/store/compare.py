"""Several runs side by side: what differs among them, what they share, which is best at what.

A picture shows their curves together, each named by what sets it apart.

R is the number of runs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mnistlab.errors import InputError, RunFolderError
from mnistlab.run_folders import RunFolder
from mnistlab.run_folders.folder import METRICS_COLUMNS, SweepFolder
from mnistlab.store.diff import config_facts, differing, numbers_of, read_curves
from mnistlab.store.facts import SPLITS, Facts, is_comparable, is_number, read_facts
from mnistlab.store.opening import Given, single_runs

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from mnistlab.plots import RunCurves

MOST_RUNS = 12
"""More than these can neither be told apart in a picture nor be read beside each other."""

PHRASES = {
    "data.dataset": "{}",
    "data.preprocess": "{}",
    "model": "{} model",
    "loss": "{}",
    "optimizer": "{}",
    "learning_rate": "learning rate {}",
    "batch_size": "batch size {}",
}
"""How settings are told; those that all runs have in common are told in this order."""


@dataclass(frozen=True)
class Comparison:
    """R runs side by side; every list has a value a run, in their order.

    `config` holds the keys under which their configs (name aside), data or version of mnistlab
    differ; a run without the key has None. `metrics` are those of NUMBERS that a run has.
    `best` are the positions of the runs that have a metric's best value: none where only one run
    has the metric, or where the runs' values are not of the same thing. `shared` says in words
    what the runs have in common.
    """

    runs: list[str]
    status: list[str]
    config: dict[str, Sequence[Any]]
    metrics: dict[str, Sequence[Any]]
    best: dict[str, list[int]]
    shared: str


def choose_runs(given: Sequence[Given]) -> dict[str, RunFolder]:
    """Return the runs to compare by their labels, each once, a sweep's runs in its place.

    Raises InputError for fewer than two or more than MOST_RUNS.
    """
    chosen = {one.label: one.folder for one in single_runs(given) if one.folder is not None}
    sweeps = [one.name for one in given if isinstance(one.folder, SweepFolder)]
    if len(chosen) > MOST_RUNS:
        example = f", of a sweep by number: {sweeps[0]}/7" if sweeps else ""
        raise InputError(
            f"{len(chosen):,} runs cannot be compared at once, only {MOST_RUNS}; name those that "
            f"matter{example}"
        )
    if len(chosen) < 2:
        raise InputError("a comparison needs two different runs or more")
    return chosen


def compare_runs(runs: Mapping[str, RunFolder]) -> Comparison:
    """Return the runs, by their labels, side by side.

    Raises RunFolderError for a config that cannot be read.
    """
    facts = [read_facts(folder) for folder in runs.values()]
    configs = [_compared(folder, known) for folder, known in zip(runs.values(), facts, strict=True)]
    config, metrics = differing(*configs), numbers_of(facts)
    return Comparison(
        runs=list(runs),
        status=[one["status"] for one in facts],
        config=config,
        metrics=metrics,
        best={key: _best(key, row, set(config)) for key, row in metrics.items()},
        shared=_shared(configs[0], set(config)),
    )


def _compared(folder: RunFolder, facts: Facts) -> Facts:
    """Return what a run's result may depend on: its config, name aside, data and code."""
    config = {key: value for key, value in config_facts(folder).items() if key != "name"}
    return config | {key: facts[key] for key in ("data_sha256", "mnistlab") if key in facts}


def _best(key: str, values: Sequence[Any], differing: set[str]) -> list[int]:
    """Return where a metric has its best value, nowhere if the values are of different things."""
    split, _, name = key.partition(".")
    if split not in SPLITS or not is_comparable(key, differing):
        return []
    known = [value for value in values if is_number(value)]
    if len(known) < 2:
        return []
    best = min(known) if name == "loss" else max(known)
    return [at for at, value in enumerate(values) if is_number(value) and value == best]


def _shared(config: Facts, differing: set[str]) -> str:
    """Return dataset, model, loss and the like, as far as all runs have them in common."""
    keys = [key for key in PHRASES if key not in differing]
    return ", ".join(filter(None, (format_setting(key, config.get(key)) for key in keys)))


def format_setting(key: str, value: Any) -> str:
    """Return a setting as a person says it, nothing for one that is not there."""
    if value is None or value == []:
        return ""
    if key == "data.dataset":
        value = Path(str(value)).name
    words = value if isinstance(value, list) else [value]
    described = ", ".join(map(_spell, words))
    return PHRASES.get(key, f"{_spell(key.removeprefix('data.'))} {{}}").format(described)


def _spell(value: Any) -> str:
    """Return a name with spaces, a number to four digits."""
    return f"{value:.4g}" if isinstance(value, float) else str(value).replace("_", " ")


def draw_comparison(folders: Sequence[RunFolder], comparison: Comparison) -> "tuple[Figure, bool]":
    """Return the figure of the runs' curves, and whether any measured a finite loss to draw.

    `comparison` is theirs, in the same order. A run without any metrics has a line in the legend
    alone.
    """
    from mnistlab.plots import compared_curves  # noqa: PLC0415 - a comparison in words needs none

    runs = list(map(_curves, folders, run_labels(comparison), comparison.status))
    loss = None if "loss" in comparison.config else config_facts(folders[0]).get("loss")
    figure: Figure = compared_curves(
        runs,
        loss_name=None if loss is None else str(loss),
        title=f"Learning curves of {len(runs)} runs",
        details=comparison.shared,
    )
    return figure, any(np.isfinite(run.metrics["train_loss"]).any() for run in runs)


def run_labels(comparison: Comparison) -> list[str]:
    """Return what tells each run from the others: settings, or its name where that is not enough.

    A setting that a run does not have is left out.
    """
    labels = []
    for at in range(len(comparison.runs)):
        described = [
            format_setting(key, values[at])
            for key, values in comparison.config.items()
            if key != "data_sha256"  # the dataset's name says more
        ]
        labels.append(", ".join(filter(None, described)))
    return [
        label if label and labels.count(label) == 1 else f"{label} {name}".strip()
        for label, name in zip(labels, comparison.runs, strict=True)
    ]


def _curves(folder: RunFolder, label: str, status: str) -> "RunCurves":
    from mnistlab.plots import RunCurves  # noqa: PLC0415 - a comparison in words needs none

    try:
        metrics = read_curves(folder)
    except RunFolderError:
        metrics = {column: [] for column in METRICS_COLUMNS}
        label = f"{label} ({status}, no metrics)"
    return RunCurves(label, metrics, diverged=status == "diverged")
