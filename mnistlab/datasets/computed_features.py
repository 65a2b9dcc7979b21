"""Features of a dataset: fitted on its training split, and worked out once where that pays.

A copy lies in features/KEY/ of the cache, named by the rows and the steps that it was made of,
under its own SHA-256 as its name; it is mapped, not read. The copies together take at most
`MOST_BYTES`: the ones that were used longest ago go first. What would take more than that alone is
worked out batch by batch.

Shapes: N samples of all splits, D features.
"""

import contextlib
import hashlib
import json
import math
import os
import secrets
import shutil
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import threadpoolctl

from mnistlab.core.samples import FeatureMap, Samples, available_cores
from mnistlab.datasets.features import (
    BLOCK,
    FEATURE_STEPS,
    Array,
    FittedStep,
    Options,
    Shape,
    TrainingRows,
)
from mnistlab.datasets.loading import Dataset
from mnistlab.datasets.sources import Progress
from mnistlab.errors import DataError, check_interrupted

MOST_BYTES = 4 << 30
"""What all copies together may take."""

_SUFFIX = ".float32"

MOST_FEATURES = 50_000
"""A linear model of ten classes on more would have half a million weights."""

Steps = Sequence[Mapping[str, Options]]


def read_steps(given: Any) -> list[dict[str, dict[str, int | float]]]:
    """Return the steps of a config as `[{name: options}, …]`, with all of their options.

    A step is written as its name or as `{name: {option: value, …}}`. Raises DataError for what is
    neither, for an option that the step does not have, and for a value out of its range.
    """
    if not isinstance(given, list | tuple):
        raise DataError("must be a list of steps, such as [{pca: {components: 40}}]")
    return [_read_step(one) for one in given]


def _read_step(given: Any) -> dict[str, dict[str, int | float]]:
    if isinstance(given, str):
        given = {given: None}
    if not isinstance(given, Mapping) or len(given) != 1:
        raise DataError(f"a step is its name or {{name: {{option: value}}}}, not {given!r}")
    ((name, options),) = given.items()
    usual, options = FEATURE_STEPS[str(name)].options, options or {}
    if not isinstance(options, Mapping):
        raise DataError(f"{name} takes options by name, not {options!r}")
    if unknown := [key for key in options if key not in usual]:
        known = f"it has {', '.join(usual)}" if usual else "it has none"
        raise DataError(f"{name} has no option {unknown[0]!r}; {known}")
    return {
        str(name): {
            key: _read_option(f"{name}.{key}", options.get(key, value), value)
            for key, value in usual.items()
        }
    }


def _read_option(label: str, value: Any, usual: int | float) -> int | float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not math.isfinite(value) or value <= 0:
        raise DataError(f"{label} must be a number above 0, not {value!r}")
    if isinstance(usual, float):
        return float(value)
    if value != int(value) or value > MOST_FEATURES:
        raise DataError(f"{label} must be a whole number up to {MOST_FEATURES:,}, not {value!r}")
    return int(value)


def describe_steps(steps: Sequence[Any]) -> str:
    """Return steps on one line, such as `pca (components 40), standardize`, whatever they are."""
    return ", ".join(
        f"{name} ({', '.join(f'{key} {value}' for key, value in options.items())})"
        if isinstance(options, Mapping) and options
        else str(name)
        for step in steps
        for name, options in (step.items() if isinstance(step, Mapping) else [(step, None)])
    )


def schema_of_steps() -> dict[str, Any]:
    """Return the JSON Schema of a feature step: its name, or its name with its options."""
    named = [
        {
            "type": "object",
            "additionalProperties": False,
            "required": [name],
            "properties": {
                name: {
                    "description": step.summary,
                    "type": ["object", "null"],
                    "additionalProperties": False,
                    "properties": {
                        key: {
                            "type": "number" if isinstance(usual, float) else "integer",
                            "exclusiveMinimum": 0,
                            "default": usual,
                        }
                        for key, usual in step.options.items()
                    },
                }
            },
        }
        for name, step in FEATURE_STEPS.items()
    ]
    return {"anyOf": [{"enum": list(FEATURE_STEPS)}, *named]}


def with_features(
    dataset: Dataset,
    steps: Steps,
    seed: int,
    *,
    fitted: Sequence[FittedStep] | None = None,
    cache: Path | None = None,
    progress: Progress,
) -> Dataset:
    """Return the dataset with the steps of a config between its pixels and the model.

    What a step draws follows from `seed`. With `fitted` they are not fitted again. Without a
    `cache`, or where it cannot be written, what is worked out stays in memory. Raises DataError
    for steps that these images cannot go through.
    """
    _check_counts(dataset, steps)
    if fitted is not None and [{step.name: dict(step.options)} for step in fitted] != list(steps):
        raise DataError("features: what was fitted is not what the config names")
    for position, one in enumerate(steps):
        ((name, options),) = one.items()
        if fitted is not None:
            step = fitted[position]
        else:
            step = _fit(dataset.train, name, options, np.random.default_rng([seed, 2, position]))
        dataset = with_fitted_steps(dataset, [step])
        if FEATURE_STEPS[name].is_kept:
            dataset = _with_copy(dataset, cache, progress)
    return dataset


def with_fitted_steps(dataset: Dataset, fitted: Sequence[FittedStep]) -> Dataset:
    """Return the dataset with steps that are applied only to the rows that somebody looks at."""
    known = dataset.features
    features = FeatureMap(known.pixels, (*known.steps, *fitted))
    return dataset.with_splits(
        {name: replace(samples, features=features) for name, samples in dataset.splits.items()}
    )


def is_random(steps: Steps) -> bool:
    """Return whether the features depend on the seed."""
    return any(FEATURE_STEPS[name].is_random for one in steps for name in one)


def _check_counts(dataset: Dataset, steps: Steps) -> None:
    """Raise DataError for a step that cannot follow what is before it."""
    shape: Shape = dataset.train.images.shape[1:]
    for one in steps:
        ((name, options),) = one.items()
        count = FEATURE_STEPS[name].count(shape, options)
        if count > MOST_FEATURES:
            raise DataError(
                f"features: {name} would make {count:,} features of {math.prod(shape):,}; the most "
                f"is {MOST_FEATURES:,}"
            )
        shape = (count,)


def _fit(train: Samples, name: str, options: Options, generator: np.random.Generator) -> FittedStep:
    """Return a step fitted on the training split; one thread gives the same on all machines."""
    rows, step = TrainingRows(train), FEATURE_STEPS[name]
    with threadpoolctl.threadpool_limits(1, "blas"):
        arrays = step.fit(rows, options, generator)
        fitted = FittedStep(name, options, arrays, step.count(rows.shape, options))
        few = np.array(rows.take(np.arange(min(2, len(rows)))))
        found = np.asarray(fitted(few))
    if found.shape != (len(few), fitted.count) or found.dtype != np.float32:
        raise DataError(
            f"features: {name} makes {found.dtype} {found.shape} of {len(few)} rows; by its count "
            f"it must be float32 {(len(few), fitted.count)}"
        )
    return fitted


def _with_copy(dataset: Dataset, cache: Path | None, progress: Progress) -> Dataset:
    """Return the dataset with the features of all steps so far worked out, if they fit."""
    splits = dataset.splits
    shape = sum(map(len, splits.values())), dataset.train.feature_count
    if shape[0] * shape[1] * 4 > MOST_BYTES:
        return dataset
    folder = None if cache is None else cache / "features" / _key(dataset)
    found = _read(folder, shape, dataset, progress)
    if found is None:
        found = _make(folder, shape, dataset, progress)
    done = len(dataset.features.steps)
    changed, start = {}, 0
    for name, samples in splits.items():
        part = found[start : start + len(samples)]
        changed[name] = replace(samples, computed=part, done=done)
        start += len(samples)
    return dataset.with_splits(changed)


def _key(dataset: Dataset) -> str:
    """Return what names the features: the rows of each split, and the map with its steps."""
    features, digest = dataset.features, hashlib.sha256()
    for samples in dataset.splits.values():
        digest.update(f"{samples.images.shape}".encode())
        digest.update(np.ascontiguousarray(samples.images).data)
    for value in (features.pixels.scale, features.pixels.shift):
        digest.update(np.asarray(value, np.float64).tobytes())
    for step in dataset.fitted_steps:
        version = FEATURE_STEPS[step.name].version
        digest.update(json.dumps([step.name, version, dict(step.options)]).encode())
        for name, array in sorted(step.arrays.items()):
            digest.update(f"{name} {array.shape}".encode())
            digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()[:32]


def _read(
    folder: Path | None, shape: tuple[int, int], dataset: Dataset, progress: Progress
) -> Array | None:
    """Return the features of a copy, None where there is none that can be these."""
    for path in [] if folder is None else sorted(folder.glob(f"*{_SUFFIX}")):
        with contextlib.suppress(OSError, ValueError):
            if path.stat().st_size == shape[0] * shape[1] * 4:
                found: Array = np.asarray(np.memmap(path, np.float32, "r", shape=shape))
                with threadpoolctl.threadpool_limits(1, "blas"):
                    first = TrainingRows(dataset.train).take(slice(0, BLOCK))
                is_alike = np.array_equal(found[: len(first)], first)
                if is_alike and hashlib.sha256(found.data).hexdigest() == path.stem:
                    os.utime(path)
                    return found
        progress.message(f"{path} is damaged; making it again")
        with contextlib.suppress(OSError):
            path.unlink()
    return None


def _make(
    folder: Path | None, shape: tuple[int, int], dataset: Dataset, progress: Progress
) -> Array:
    """Work out the features of all splits, into the cache if that can be."""
    names = " and ".join(step.name for step in dataset.features.steps)
    progress.message(f"{names}: {shape[0]:,} images, {shape[1]:,} features each")
    if folder is not None:
        try:
            return _make_copy(folder, shape, dataset, progress)
        except OSError as error:
            progress.message(f"{folder}: cannot keep the features ({error.strerror or error})")
    found: Array = np.empty(shape, np.float32)
    _fill(found, dataset, progress)
    return found


def _make_copy(folder: Path, shape: tuple[int, int], dataset: Dataset, progress: Progress) -> Array:
    """Return the features, mapped from a new file that has their hash as its name.

    Raises OSError where there is no room, before anything is worked out.
    """
    folder.mkdir(parents=True, exist_ok=True)
    aside = folder / f".{secrets.token_hex(4)}"
    try:
        with aside.open("xb+") as file:
            size = shape[0] * shape[1] * 4
            if hasattr(os, "posix_fallocate"):  # to write into a hole of a full disk ends by SIGBUS
                os.posix_fallocate(file.fileno(), 0, size)
            else:
                file.truncate(size)
            found = np.memmap(file, np.float32, "r+", shape=shape)
            _fill(found, dataset, progress)
            found.flush()
        path = folder / f"{hashlib.sha256(found.data).hexdigest()}{_SUFFIX}"
        aside.rename(path)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise
    _drop_old_copies(folder)
    return np.asarray(np.memmap(path, np.float32, "r", shape=shape))


def _drop_old_copies(newest: Path) -> None:
    """Remove what was used longest ago until all copies together have room."""
    with contextlib.suppress(OSError):
        copies = [path for path in newest.parent.glob(f"*/*{_SUFFIX}") if path.parent != newest]
        copies.sort(key=lambda path: path.stat().st_mtime, reverse=True)
        taken = sum(path.stat().st_size for path in newest.glob(f"*{_SUFFIX}"))
        for path in copies:
            taken += path.stat().st_size
            if taken > MOST_BYTES:
                shutil.rmtree(path.parent)


def _fill(found: Array, dataset: Dataset, progress: Progress) -> None:
    """Write the features of all splits into `found` (N, D), on all cores."""
    parts: list[tuple[Samples, slice, int]] = []
    at = 0
    for samples in dataset.splits.values():
        for start in range(0, len(samples), BLOCK):
            part = slice(start, min(start + BLOCK, len(samples)))
            parts.append((samples, part, at + start))
        at += len(samples)

    def work_out(samples: Samples, part: slice, to: int) -> int:
        features = TrainingRows(samples).take(part)
        found[to : to + len(features)] = features
        return features.nbytes

    with (
        threadpoolctl.threadpool_limits(1, "blas"),
        progress.bar("features", found.nbytes) as advance,
        ThreadPoolExecutor(available_cores()) as threads,
    ):
        futures = [threads.submit(work_out, *one) for one in parts]
        try:
            for future in futures:
                advance(future.result())
                check_interrupted()
        except BaseException:
            threads.shutdown(wait=True, cancel_futures=True)
            raise
