"""What differs between two runs: config, environment, metrics, weights, and image by image.

C classes, D features, N test images.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnistlab.config.config_files import read_file
from mnistlab.datasets import Progress, load
from mnistlab.errors import InputError, MnistlabError, RunFolderError
from mnistlab.run_folders import RunFolder
from mnistlab.run_folders.files import sha256_of
from mnistlab.run_folders.weights import load_weights, read_predictions
from mnistlab.statistics import mcnemar_p
from mnistlab.store.facts import METRICS, Facts, flatten, read_facts

Pair = tuple[Any, Any]
"""The value in the first run and that in the second; None where a run has none."""

NUMBERS = (*METRICS, "trained_epochs", "seconds.total")
"""What runs are compared by, as `read_facts` calls it."""

_NOT_ENVIRONMENT = ("key", "command")  # the hash of all the rest, and how it was typed


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
    incomparable: dict[str, str] = {}
    found: dict[str, Any] = {}
    parts: dict[str, tuple[str, Callable[[], Any]]] = {
        "metrics": ("first_epoch", partial(_first_differing_epoch, first, second)),
        "predictions": ("flips", partial(_flips, first, second, environments, progress)),
        "weights": ("weights", partial(_compare_weights, first, second)),
    }
    for part, (name, compare) in parts.items():
        try:
            found[name] = compare()
        except MnistlabError as error:
            incomparable[part] = str(error)
    return Differences(
        runs=(first.name, second.name),
        same_run=first.path.resolve() == second.path.resolve(),
        status=(facts[0]["status"], facts[1]["status"]),
        config=differing(config_facts(first), config_facts(second)),
        environment=differing(*environments),
        metrics=numbers_of(facts),
        incomparable=incomparable,
        **found,
    )


def config_facts(folder: RunFolder) -> Facts:
    """Return a run's config under dotted keys; raise RunFolderError if it cannot be read."""
    try:
        return dict(flatten(read_file(folder.config)[0]))
    except InputError as error:
        raise RunFolderError(f"{folder.name}: its config cannot be read: {error}") from None


def differing(*mappings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keys under which flat mappings differ, each with all values; absent is None."""
    keys = dict.fromkeys(key for mapping in mappings for key in mapping)
    rows = {key: tuple(mapping.get(key) for mapping in mappings) for key in keys}
    return {key: row for key, row in rows.items() if any(value != row[0] for value in row)}


def numbers_of(facts: Sequence[Facts]) -> dict[str, Any]:
    """Return those of NUMBERS that a run has, each with all runs' values; absent is None."""
    known = [key for key in NUMBERS if any(key in one for one in facts)]
    return {key: tuple(one.get(key) for one in facts) for key in known}


def _environment(folder: RunFolder) -> Facts:
    """Return what a run was made with under dotted keys, its uncommitted code as a hash."""
    environment = dict(flatten(folder.read_environment()))
    libraries = environment.pop("blas", None)
    if isinstance(libraries, list):
        for at, library in enumerate(libraries):
            prefix = f"blas.{at + 1}." if at else "blas."
            environment.update(flatten(library, prefix) if isinstance(library, Mapping) else ())
    with suppress(OSError):
        patch = sha256_of(folder.uncommitted_patch)
        if patch is not None:  # else the code was that of its commit
            environment["git.uncommitted_sha256"] = patch
    return {key: value for key, value in environment.items() if key not in _NOT_ENVIRONMENT}


def read_curves(folder: RunFolder) -> dict[str, list[float]]:
    """Return metrics.csv column by column; raise RunFolderError unless it is what the run left."""
    if folder.metrics.name in folder.damaged_files():
        raise RunFolderError(f"{folder.name}: metrics.csv is not what the run left")
    return folder.read_metrics()


def _first_differing_epoch(first: RunFolder, second: RunFolder) -> int | None:
    ours, theirs = read_curves(first), read_curves(second)
    columns = [column for column in ours if column != "seconds"]  # no two runs take the same time
    rows, other_rows = (
        list(zip(*(curves[column] for column in columns), strict=True)) for curves in (ours, theirs)
    )
    for row, other in zip(rows, other_rows, strict=False):
        if not all(map(is_same, row, other)):
            return int(row[0])
    longer = max(rows, other_rows, key=len)
    shorter = min(len(rows), len(other_rows))
    return int(longer[shorter][0]) if len(longer) > shorter else None


def is_same(one: float, other: float) -> bool:
    """Return whether two numbers are equal, or neither is one."""
    return one == other or (math.isnan(one) and math.isnan(other))


def _flips(
    first: RunFolder,
    second: RunFolder,
    environments: tuple[Facts, Facts],
    progress: Progress | None,
) -> Flips:
    """Return how the runs answer on the same images; raise MnistlabError where they cannot."""
    _check_files("predictions", "test predictions", first, second)
    hashes = [environment.get("data_sha256") for environment in environments]
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
    by_class = {
        kind: np.bincount(labels[chosen], minlength=len(classes)) for kind, chosen in kinds.items()
    }
    totals = {kind: int(counts.sum()) for kind, counts in by_class.items()}
    rows = []
    for c, name in enumerate(classes):
        counts = {kind: int(by_class[kind][c]) for kind in kinds}
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
