"""Chooses what the page's scripts need of the runs besides their facts, and packs it small.

Shapes: C classes, D features, N test images.
"""

import base64
import zlib
from collections.abc import Sequence
from contextlib import suppress
from itertools import permutations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnistlab.config.schema import Config
from mnistlab.core.losses import LOSSES, SoftmaxCrossEntropy
from mnistlab.core.samples import Samples
from mnistlab.datasets import PREPROCESSING, Dataset, MovePixels, describe_steps
from mnistlab.errors import MnistlabError
from mnistlab.report.run_record import RunRecord
from mnistlab.report.text import clean, clean_all

MOST_IMAGES = 800
"""Test images in the page: some 210 bytes each."""

_OF_A_PAIR = 8  # images that only one of two runs gets right, for each of the two

MODELS, MOVES, SHAPE = frozenset({"linear", "sigmoid"}), frozenset({"deskew"}), (28, 28)
"""The models, the steps that move pixels, and the size of images that the page's script knows."""


def embed(runs: Sequence[RunRecord]) -> dict[str, Any]:
    """Return what the page's script works with, as plain data.

    `sets` holds test images, `models` one entry for each run, with the number of its set. Arrays
    are packed by `pack`.
    """
    of_set: dict[str, list[RunRecord]] = {}
    for run in runs:
        if run.dataset is not None:
            of_set.setdefault(run.dataset.sha256, []).append(run)
    packed = {sha256: _embed_set(alike) for sha256, alike in of_set.items()}
    sets = {sha256: one for sha256, one in packed.items() if one is not None}
    models = []
    for run in runs:
        sha256 = None if run.dataset is None else run.dataset.sha256
        known = {
            "set": list(sets).index(sha256) if sha256 in sets else None,
            "predictions": None if run.predictions is None else pack(run.predictions),
        }
        models.append({"run": run.name, **known, **_weights(run)})
    return {"sets": list(sets.values()), "models": models}


def pack(array: NDArray[Any]) -> str:
    """Return an array's bytes, little-endian, deflated and in base64.

    Weights stay float32: as float16 they took 18 KB a run instead of 36, but of 10,000 test
    images one was classified otherwise.
    """
    ordered = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
    return base64.b64encode(zlib.compress(ordered.tobytes(), 9)).decode()


def _raw_test(run: RunRecord) -> Samples | None:
    """Return a run's test images without what its preprocessing moved."""
    if run.dataset is None or run.config is None:
        return None
    plain = run.config.data.model_copy(update={"preprocess": []})
    with suppress(MnistlabError):
        config = run.config.model_copy(update={"data": plain})
        return run.shared.dataset(config, run.dataset.sha256).test
    return None


def _weights(run: RunRecord) -> dict[str, Any]:
    """Return what classifies a drawing, or under `why` the reason why nothing can."""
    dataset, config, parameters = run.dataset, run.config, run.parameters
    if parameters is None:
        return {"why": "its weights are missing or damaged"}
    if config is None or dataset is None:
        return {"why": clean(run.config_problem) or "its data is missing or has changed"}
    moves = [name for name in dataset.preprocess if isinstance(PREPROCESSING[name], MovePixels)]
    if why := _why_not(config, dataset, parameters, moves):
        return {"why": why}
    pixels = dataset.features.pixels
    scale = np.broadcast_to(pixels.scale, len(parameters) - 1)
    shift = np.broadcast_to(pixels.shift, len(parameters) - 1)
    # a = W (s x + t) + b, so the map from bytes to features goes into weights and biases
    exact = parameters.astype(np.float64)
    folded = np.vstack([exact[:-1] * scale[:, None], exact[-1] + shift @ exact[:-1]])
    return {
        "weights": pack(folded.astype(np.float32)),
        "model": config.model,
        "moves": moves,
        "probabilities": isinstance(LOSSES[config.loss], SoftmaxCrossEntropy),
    }


def _why_not(
    config: Config, dataset: Dataset, parameters: NDArray[np.floating], moves: list[str]
) -> str | None:
    """Return why the page cannot compute what a run does, None if it can."""
    if config.features:
        return f"the page cannot compute its features ({clean(describe_steps(config.features))})"
    if config.model not in MODELS or not MOVES.issuperset(moves):
        return "the page cannot compute its model or its preprocessing"
    if dataset.test.images.shape[1:] != SHAPE or len(parameters) != SHAPE[0] * SHAPE[1] + 1:
        return "its images are not of 28 by 28 pixels"
    if parameters.shape[1] != len(dataset.classes) or not np.isfinite(parameters).all():
        return "its weights do not fit its data, or are not finite"
    return None


def _embed_set(alike: Sequence[RunRecord]) -> dict[str, Any] | None:
    raw, dataset = _raw_test(alike[0]), alike[0].dataset
    if raw is None or dataset is None:
        return None
    chosen = _choose_images(raw.labels, [run.predictions for run in alike])
    return {
        "height": raw.images.shape[1],
        "width": raw.images.shape[2],
        "classes": clean_all(dataset.classes),
        "labels": pack(raw.labels),
        "chosen": chosen,
        "images": pack(raw.images[chosen]),
    }


def _choose_images(
    labels: NDArray[np.integer], predictions: Sequence[NDArray[np.uint8] | None]
) -> list[int]:
    """Return the indices of the test images that are in the page.

    They are the first image of each class and, for each pair of runs, the first that only the
    one or only the other gets right.
    """
    chosen = dict.fromkeys(np.unique(labels, return_index=True)[1].tolist())
    right = [one == labels for one in predictions if one is not None]
    for first, second in permutations(right, 2):
        alone = np.flatnonzero(first & ~second).tolist()
        chosen.update(dict.fromkeys(alone[: min(_OF_A_PAIR, MOST_IMAGES - len(chosen))]))
    return list(chosen)
