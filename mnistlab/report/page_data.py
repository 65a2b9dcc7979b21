"""Chooses what the page's interactive parts need of the runs, and packs it small.

Shapes: C classes, D = H * W features, M embedded images, N test images.
"""

import base64
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnistlab.core.losses import LOSSES, SoftmaxCrossEntropy
from mnistlab.core.samples import Samples
from mnistlab.datasets import PREPROCESSING, MovePixels
from mnistlab.errors import MnistlabError
from mnistlab.report.collect import ReportRun
from mnistlab.store.diff import METRICS
from mnistlab.store.facts import flatten

MOST_IMAGES = 800
"""Test images in the page: some 210 bytes each."""

_FLIPS_OF_A_PAIR = 8  # images that only one of two runs gets right, for each of the two

MODELS = frozenset({"linear", "sigmoid"})
"""The models that the page's script can evaluate."""

MOVES = frozenset({"deskew"})
"""The preprocessing steps that move pixels and that the page's script can make."""

SHAPE = (28, 28)
"""The images that the page's script can make of a drawing."""


@dataclass(frozen=True, eq=False)
class TestSet:
    """The test images that some runs share, as they were before any preprocessing."""

    sha256: str
    raw: Samples
    classes: tuple[str, ...]


def title_of(run: ReportRun) -> str:
    """Return a run's title, with its number if it is one of a sweep, as all of these share one."""
    sweep, _, number = run.name.rpartition("/")
    return f"{run.title}, run {number}" if sweep else run.title


def find_test_sets(runs: Sequence[ReportRun]) -> dict[str, TestSet]:
    """Return the test images of the runs by the SHA-256 of their data, where these are there."""
    found: dict[str, TestSet] = {}
    for run in runs:
        if run.dataset is None or run.dataset.sha256 in found:
            continue
        raw = _raw_test(run)
        if raw is not None:
            sha256 = run.dataset.sha256
            found[sha256] = TestSet(sha256, raw, run.dataset.classes)
    return found


def test_set_of(run: ReportRun, sets: dict[str, TestSet]) -> TestSet | None:
    """Return the test images of a run, None where they are not there."""
    return None if run.dataset is None else sets.get(run.dataset.sha256)


def embed(runs: Sequence[ReportRun], sets: dict[str, TestSet]) -> dict[str, Any]:
    """Return what the page's script works with, as plain data.

    `sets` holds the test images, `models` one entry for each run. Arrays are packed by `pack`.
    """
    order = list(sets)
    models = []
    for run in runs:
        known = test_set_of(run, sets)
        models.append(
            {
                "run": run.name,
                "title": title_of(run),
                "set": None if known is None else order.index(known.sha256),
                "predictions": None if run.predictions is None else pack(run.predictions),
                "metrics": {key: run.facts[key] for key in METRICS if key in run.facts},
                "config": _config(run),
                **_weights(run),
            }
        )
    return {"sets": [_test_set(one, runs) for one in sets.values()], "models": models}


def pack(array: NDArray[Any]) -> str:
    """Return an array's bytes, little-endian, deflated and in base64.

    Weights stay float32: as float16 they took 18 KB a run instead of 36, but of 10,000 test
    images one was classified otherwise.
    """
    ordered = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
    return base64.b64encode(zlib.compress(ordered.tobytes(), 9)).decode()


def _raw_test(run: ReportRun) -> Samples | None:
    """Return a run's test images without what its preprocessing moved."""
    dataset, config = run.dataset, run.checked_config
    if dataset is None or config is None:
        return None
    if not any(_moves(name) for name in dataset.preprocess):
        return dataset.test
    plain = config.data.model_copy(update={"preprocess": []})
    try:
        raw = run.shelf.dataset(config.model_copy(update={"data": plain}), dataset.sha256)
    except MnistlabError:
        return None
    return raw.test


def _moves(name: str) -> bool:
    return isinstance(PREPROCESSING[name], MovePixels)


def _config(run: ReportRun) -> dict[str, Any]:
    return dict(flatten(run.config)) if isinstance(run.config, dict) else {}


def _weights(run: ReportRun) -> dict[str, Any]:
    """Return what classifies a drawing, or under `why` the reason why nothing can."""
    dataset, config, parameters = run.dataset, run.checked_config, run.parameters
    if parameters is None:
        return {"why": "its weights are missing or damaged"}
    if config is None or dataset is None:
        problem = run.config_problem
        lost = "its data are not there, or have changed"
        return {"why": f"its config cannot be used: {problem}" if problem else lost}
    moves = [name for name in dataset.preprocess if _moves(name)]
    if dataset.test.images.shape[1:] != SHAPE or len(parameters) != SHAPE[0] * SHAPE[1] + 1:
        return {"why": "its images are not of 28 × 28 pixels"}  # noqa: RUF001 - meant
    if config.model not in MODELS or not MOVES.issuperset(moves):
        return {"why": "the page cannot compute its model or its preprocessing"}
    if parameters.shape[1] != len(dataset.classes) or not np.isfinite(parameters).all():
        return {"why": "its weights do not fit its data, or are not finite"}
    scale = np.broadcast_to(dataset.pixels.scale, len(parameters) - 1)
    shift = np.broadcast_to(dataset.pixels.shift, len(parameters) - 1)
    # a = W (s x + t) + b, so the map from bytes to features goes into weights and biases
    exact = parameters.astype(np.float64)
    folded = np.vstack([exact[:-1] * scale[:, None], exact[-1] + shift @ exact[:-1]])
    return {
        "weights": pack(folded.astype(np.float32)),
        "model": config.model,
        "moves": moves,
        "probabilities": isinstance(LOSSES[config.loss], SoftmaxCrossEntropy),
    }


def _test_set(one: TestSet, runs: Sequence[ReportRun]) -> dict[str, Any]:
    alike = [run for run in runs if run.dataset is not None and run.dataset.sha256 == one.sha256]
    chosen = _choose_images(one.raw.labels, [run.predictions for run in alike])  # type: ignore[arg-type]
    return {
        "height": one.raw.images.shape[1],
        "width": one.raw.images.shape[2],
        "classes": list(one.classes),
        "labels": pack(one.raw.labels),
        "chosen": chosen,
        "images": pack(one.raw.images[chosen]),
    }


def _choose_images(
    labels: NDArray[np.uint8], predictions: Sequence[NDArray[np.uint8] | None]
) -> list[int]:
    """Return the indices of the test images that are in the page.

    They are the first image of each class and, for each pair of runs, the first that only the
    one or only the other gets right.
    """
    chosen = dict.fromkeys(int(at) for at in np.unique(labels, return_index=True)[1])
    for flips in _flips(labels, [one for one in predictions if one is not None]):
        shown = [at for at in flips if at in chosen][:_FLIPS_OF_A_PAIR]
        fresh = [at for at in flips if at not in chosen]
        room = min(_FLIPS_OF_A_PAIR - len(shown), MOST_IMAGES - len(chosen))
        chosen.update(dict.fromkeys(fresh[:room]))
    return list(chosen)


def _flips(
    labels: NDArray[np.uint8], predictions: Sequence[NDArray[np.uint8]]
) -> Iterator[list[int]]:
    """Yield, for each pair of runs, the images that only the one and only the other gets right."""
    right = [one == labels for one in predictions]
    for first, second in combinations(right, 2):
        yield np.flatnonzero(first & ~second).tolist()
        yield np.flatnonzero(second & ~first).tolist()
