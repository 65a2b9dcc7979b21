"""Compares runs: two of them down to single images, or several side by side, with their curves.

C classes, D features, N test images; R is the number of runs side by side.
"""

import math
from collections.abc import Callable, Container, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mnistlab.datasets import Progress, load
from mnistlab.errors import InputError, MnistlabError, RunFolderError
from mnistlab.run_folders import RunFolder
from mnistlab.run_folders.files import sha256_of
from mnistlab.run_folders.folder import METRICS_COLUMNS, SweepFolder
from mnistlab.run_folders.weights import load_weights, read_predictions
from mnistlab.statistics import mcnemar_p
from mnistlab.store.facts import (
    METRICS,
    SPLITS,
    Facts,
    config_facts,
    differing,
    flatten,
    is_comparable,
    is_number,
    read_facts,
)
from mnistlab.store.opening import Given, single_runs

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Pair = tuple[Any, Any]
"""The value in the first run and that in the second; None where a run has none."""

NUMBERS = (*METRICS, "trained_epochs", "seconds.total")
"""What runs are compared by, as `read_facts` calls it."""


@dataclass(frozen=True)
class Flips:
    """How two runs answer on the same test images.

    `differing` counts the images on which they name different classes, both wrong ones included.
    `only_first_images` and `only_second_images` are the indices, from 0 and ascending, of the
    images that only the one run gets right. `p` is McNemar's. `classes` has a mapping a class, with
    its `name` and the first five counts of its own images.
    """

    images: int
    both: int
    only_first: int
    only_second: int
    none: int
    differing: int
    p: float
    classes: list[dict[str, Any]]
    only_first_images: list[int]
    only_second_images: list[int]


@dataclass(frozen=True)
class WeightsDifference:
    """Whether weights and biases are the same numbers, and how far they lie apart at most."""

    identical: bool
    largest: float


@dataclass(frozen=True)
class Differences:
    """Two runs side by side.

    `config` and `environment` hold what differs only, `metrics` all of NUMBERS that one of the
    two has. `first_epoch` is the first whose row in metrics.csv differs, seconds aside, or that
    only one run has; None where there is none. `incomparable` says of metrics, predictions and
    weights why they cannot be compared, where they cannot.
    """

    runs: tuple[str, str]
    same_run: bool
    status: tuple[str, str]
    config: dict[str, Pair]
    environment: dict[str, Pair]
    metrics: dict[str, Pair]
    first_epoch: int | None = None
    flips: Flips | None = None
    weights: WeightsDifference | None = None
    incomparable: dict[str, str] = field(default_factory=dict)


def find_differences(
    first: RunFolder, second: RunFolder, progress: Progress | None = None
) -> Differences:
    """Return what differs between two runs.

    Loads the data, for its test labels, where both runs have predictions for the same. Raises
    RunFolderError for a config that cannot be read: without it nothing can be said.
    """
    facts = read_facts(first), read_facts(second)
    environments = _environment(first), _environment(second)
    hashes = environments[0].get("data_sha256"), environments[1].get("data_sha256")
    incomparable: dict[str, str] = {}

    def attempt(part: str, compare: Callable[..., Any], *more: Any) -> Any:
        try:
            return compare(first, second, *more)
        except MnistlabError as error:
            incomparable[part] = str(error)
            return None

    return Differences(
        runs=(first.name, second.name),
        same_run=first.path.resolve() == second.path.resolve(),
        status=(facts[0]["status"], facts[1]["status"]),
        config=differing(config_facts(first), config_facts(second)),
        environment=differing(*environments),
        metrics=numbers_of(facts),
        first_epoch=attempt("metrics", _first_differing_epoch),
        flips=attempt("predictions", _flips, hashes, progress),
        weights=attempt("weights", _compare_weights),
        incomparable=incomparable,
    )


def numbers_of(facts: Sequence[Facts]) -> dict[str, Any]:
    """Return those of NUMBERS that a run has, each with all runs' values; absent is None."""
    known = [key for key in NUMBERS if any(key in one for one in facts)]
    return {key: tuple(one.get(key) for one in facts) for key in known}


def _environment(folder: RunFolder) -> Facts:
    """Return what a run was made with under dotted keys, its uncommitted code as a hash."""
    environment = dict(flatten(folder.read_environment()))
    libraries = environment.pop("blas", None)
    for at, library in enumerate(libraries if isinstance(libraries, list) else ()):
        prefix = f"blas.{at + 1}." if at else "blas."
        environment.update(flatten(library, prefix) if isinstance(library, Mapping) else ())
    with suppress(OSError):
        patch = sha256_of(folder.uncommitted_patch)
        if patch is not None:  # else the code was that of its commit
            environment["git.uncommitted_sha256"] = patch
    for key in ("key", "command"):  # the hash of all the rest, and how it was typed
        environment.pop(key, None)
    return environment


def read_curves(folder: RunFolder) -> dict[str, list[float]]:
    """Return metrics.csv column by column; raise RunFolderError unless it is what the run left."""
    if folder.metrics.name in folder.damaged_files():
        raise RunFolderError(f"{folder.name}: metrics.csv is not what the run left")
    return folder.read_metrics()


def _first_differing_epoch(first: RunFolder, second: RunFolder) -> int | None:
    ours, theirs = read_curves(first), read_curves(second)
    columns = [column for column in ours if column != "seconds"]  # no two runs take the same time
    rows, other_rows = (
        zip(*(curves[column] for column in columns), strict=True) for curves in (ours, theirs)
    )
    for row, other in zip_longest(rows, other_rows):
        if row is None or other is None or not all(map(is_same, row, other)):
            return int((row or other)[0])
    return None


def is_same(one: float, other: float) -> bool:
    """Return whether two numbers are equal, or neither is one."""
    return one == other or (math.isnan(one) and math.isnan(other))


def _flips(first: RunFolder, second: RunFolder, hashes: Pair, progress: Progress | None) -> Flips:
    """Return how the runs answer on the same images; raise MnistlabError where they cannot."""
    _check_files("predictions", "test predictions", first, second)
    if hashes[0] is None or hashes[0] != hashes[1]:
        raise RunFolderError("the runs were made on different data")
    data = config_facts(first).get("data.dataset")
    dataset = load(str(data), validation=0, progress=progress)
    if dataset.sha256 != hashes[0]:
        raise RunFolderError(f"{data} has changed since the runs were made")
    labels = dataset.test.labels
    ours, theirs = (read_predictions(folder.predictions, len(labels)) for folder in (first, second))
    return count_flips(ours, theirs, labels, dataset.classes)


def count_flips(
    first: NDArray[np.uint8],
    second: NDArray[np.uint8],
    labels: NDArray[np.integer],
    classes: tuple[str, ...],
) -> Flips:
    """Return how two runs' predictions (N,) compare on images with these labels (N,)."""
    first_right, second_right = first == labels, second == labels
    kinds = {
        "both": first_right & second_right,
        "only_first": first_right & ~second_right,
        "only_second": ~first_right & second_right,
        "none": ~first_right & ~second_right,
    }
    totals = {kind: int(chosen.sum()) for kind, chosen in kinds.items()}
    rows = []
    for c, name in enumerate(classes):
        counts = {kind: int(chosen[labels == c].sum()) for kind, chosen in kinds.items()}
        rows.append({"name": name, "images": sum(counts.values()), **counts})
    return Flips(
        images=len(labels),
        differing=int((first != second).sum()),
        p=mcnemar_p(totals["only_first"], totals["only_second"]),
        classes=rows,
        only_first_images=np.flatnonzero(kinds["only_first"]).tolist(),
        only_second_images=np.flatnonzero(kinds["only_second"]).tolist(),
        **totals,
    )


def _compare_weights(first: RunFolder, second: RunFolder) -> WeightsDifference:
    """Return how far the weights lie apart; raise RunFolderError where they cannot be compared."""
    _check_files("model", "weights", first, second)
    ours, theirs = load_weights(first.model), load_weights(second.model)
    if ours.shape != theirs.shape:
        sizes = " and ".join(f"{W.shape[0] - 1} x {W.shape[1]}" for W in (ours, theirs))
        raise RunFolderError(f"the weights are of different sizes: {sizes}")
    with np.errstate(invalid="ignore"):
        apart = np.abs(ours.astype(np.float64) - theirs.astype(np.float64))
    return WeightsDifference(bool(np.array_equal(ours, theirs)), float(apart.max(initial=0.0)))


def _check_files(file: str, content: str, *folders: RunFolder) -> None:
    """Raise RunFolderError for the first run that lacks a file or has it damaged."""
    for folder in folders:
        path: Path = getattr(folder, file)
        if not path.exists():
            status = folder.read_status()["status"]
            raise RunFolderError(f"{folder.name} has no {content}: it is {status}")
        if path.name in folder.damaged_files():
            raise RunFolderError(f"{folder.name}: {path.name} is damaged")


# Several runs side by side

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
    configs = []
    for folder, known in zip(runs.values(), facts, strict=True):
        made_with = {key: known[key] for key in ("data_sha256", "mnistlab") if key in known}
        configs.append(config_facts(folder) | made_with)
        configs[-1].pop("name", None)
    config, metrics = differing(*configs), numbers_of(facts)
    shared = (format_setting(key, configs[0].get(key)) for key in PHRASES if key not in config)
    return Comparison(
        runs=list(runs),
        status=[one["status"] for one in facts],
        config=config,
        metrics=metrics,
        best={key: _best(key, row, config) for key, row in metrics.items()},
        shared=", ".join(filter(None, shared)),
    )


def _best(key: str, values: Sequence[Any], varied: Container[str]) -> list[int]:
    """Return where a metric has its best value, nowhere if the values are of different things."""
    split, _, name = key.partition(".")
    if split not in SPLITS or not is_comparable(key, varied):
        return []
    known = [value for value in values if is_number(value)]
    if len(known) < 2:
        return []
    best = min(known) if name == "loss" else max(known)
    return [at for at, value in enumerate(values) if is_number(value) and value == best]


def format_setting(key: str, value: Any) -> str:
    """Return a setting as a person says it, nothing for one that is not there."""
    if value is None or value == []:
        return ""
    if key == "data.dataset":
        value = Path(str(value)).name
    described = ", ".join(map(_spell, value if isinstance(value, list) else [value]))
    return PHRASES.get(key, f"{_spell(key.removeprefix('data.'))} {{}}").format(described)


def _spell(value: Any) -> str:
    """Return a name with spaces, a number to four digits."""
    return f"{value:.4g}" if isinstance(value, float) else str(value).replace("_", " ")


def draw_comparison(folders: Sequence[RunFolder], comparison: Comparison) -> "tuple[Figure, bool]":
    """Return the figure of the runs' curves, and whether any measured a finite loss to draw.

    `comparison` is theirs, in the same order. A run without any metrics has a line in the legend
    alone.
    """
    from mnistlab.plots import RunCurves, compared_curves  # noqa: PLC0415 - words need none

    runs, labels = [], run_labels(comparison)
    for at, (folder, status) in enumerate(zip(folders, comparison.status, strict=True)):
        curves: dict[str, list[float]] = {column: [] for column in METRICS_COLUMNS}
        try:
            curves = read_curves(folder)
        except RunFolderError:
            labels[at] += f" ({status}, no metrics)"
        runs.append(RunCurves(labels[at], curves, diverged=status == "diverged"))
    loss = None if "loss" in comparison.config else config_facts(folders[0]).get("loss")
    figure: Figure = compared_curves(
        runs,
        loss_name=None if loss is None else str(loss),
        title=f"Learning curves of {len(runs)} runs",
        details=comparison.shared,
    )
    return figure, any(np.isfinite(run.metrics["train_loss"]).any() for run in runs)


def run_labels(comparison: Comparison) -> list[str]:
    """Return what tells each run from the others: its settings, its name where they do not."""
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
