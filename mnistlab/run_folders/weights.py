"""Weights, checkpoints and predictions as files: arrays only, nothing that could be executed."""

import hashlib
import io
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy
from numpy.typing import NDArray

from mnistlab.core.trainer import Snapshot
from mnistlab.datasets import FittedStep
from mnistlab.datasets.computed_features import read_steps
from mnistlab.errors import InputError, RunFolderError, describe_error, shown
from mnistlab.run_folders import files
from mnistlab.run_folders.safeguards import is_oversized

Array = NDArray[Any]


def save_weights(path: Path, parameters: Array) -> None:
    """Write one configuration's parameters (D+1, C) as weights W (D, C) and biases b (C,).

    The same parameters give the same bytes.
    """
    arrays = {
        "W": np.ascontiguousarray(parameters[:-1]),
        "b": np.ascontiguousarray(parameters[-1]),
    }
    files.write_bytes(path, safetensors.numpy.save(arrays))


def load_weights(path: Path) -> Array:
    """Return the parameters (D+1, C) that `save_weights` wrote."""
    arrays, _ = _load(path)
    W, b = arrays.get("W"), arrays.get("b")
    if W is None or b is None or W.ndim != 2 or b.shape != W.shape[1:] or W.dtype.kind != "f":
        raise RunFolderError(f"{path}: does not hold W (D, C) and b (C,)")
    return np.concatenate([W, b[None]])


def save_features(path: Path, steps: Sequence[FittedStep]) -> None:
    """Write what the feature steps of a run have learned; the same steps give the same bytes."""
    arrays = {
        f"{position}.{name}": np.ascontiguousarray(array)
        for position, step in enumerate(steps)
        for name, array in step.arrays.items()
    }
    about = [[step.name, dict(step.options), step.count] for step in steps]
    files.write_bytes(path, safetensors.numpy.save(arrays, {"steps": json.dumps(about)}))


def load_features(path: Path) -> tuple[FittedStep, ...]:
    """Return what `save_features` wrote; raise RunFolderError if the file holds anything else."""
    arrays, metadata = _load(path)
    try:
        about = json.loads(metadata["steps"])
        steps = read_steps([{name: options} for name, options, _ in about])
        return tuple(
            FittedStep(name, options, _below(f"{position}.", arrays), int(about[position][2]))
            for position, step in enumerate(steps)
            for name, options in step.items()
        )
    except (KeyError, TypeError, ValueError, IndexError, RecursionError, InputError) as error:
        reason = shown(describe_error(error))
        raise RunFolderError(f"{path}: does not hold the features of a run: {reason}") from None


def predictions_as_bytes(predictions: NDArray[np.uint8]) -> bytes:
    """Return the content of predictions.npy for the predicted classes (N,)."""
    buffer = io.BytesIO()
    np.save(buffer, predictions, allow_pickle=False)
    return buffer.getvalue()


def read_predictions(path: Path, N: int) -> NDArray[np.uint8]:
    """Return the predicted classes (N,); raise RunFolderError if the file holds anything else."""
    try:
        # mapped, so that a header which claims terabytes takes no memory
        predictions = np.load(path, mmap_mode="r", allow_pickle=False)
        if predictions.shape != (N,) or predictions.dtype != np.uint8:
            raise ValueError(f"{predictions.dtype} {predictions.shape}")
    except (OSError, ValueError, EOFError, AttributeError, TypeError, OverflowError):
        raise RunFolderError(f"{path}: is not the predicted class of {N:,} images") from None
    return np.array(predictions)


def save_checkpoint(path: Path, snapshot: Snapshot, notes: Any = None) -> None:
    """Write all that training needs to go on from the end of an epoch, and plain `notes`."""
    arrays = {
        "parameters": snapshot.parameters,
        "columns": snapshot.columns,
        "best_loss": snapshot.best_loss,
        "best_epoch": snapshot.best_epoch,
        **{f"state.{name}": array for name, array in snapshot.state.items()},
    }
    contiguous = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    about = json.dumps({"epoch": snapshot.epoch, "generator": snapshot.generator, "notes": notes})
    metadata = {"snapshot": about, "sha256": _digest(contiguous, about)}
    files.write_bytes(path, safetensors.numpy.save(contiguous, metadata))


def load_checkpoint(
    path: Path, check: Callable[[Snapshot, Any], None] = lambda _snapshot, _notes: None
) -> tuple[Snapshot, Any]:
    """Return what `save_checkpoint` wrote; raise RunFolderError if it is damaged.

    Its digest only shows that nobody changed it by chance: `check` is given snapshot and notes, and
    raises ValueError, TypeError, KeyError or AttributeError where they are of no use to the caller.
    """
    arrays, metadata = _load(path)
    try:
        if _digest(arrays, metadata["snapshot"]) != metadata["sha256"]:
            raise RunFolderError(f"{path}: is damaged: its SHA-256 is not the one it names")
        about = json.loads(metadata["snapshot"])
        snapshot = Snapshot(
            epoch=int(about["epoch"]),
            columns=arrays["columns"],
            parameters=arrays["parameters"],
            state=_below("state.", arrays),
            best_loss=arrays["best_loss"],
            best_epoch=arrays["best_epoch"],
            generator=about["generator"],
        )
        notes = about.get("notes")
        check(snapshot, notes)
    except (
        *(KeyError, TypeError, ValueError, AttributeError, IndexError),
        *(OverflowError, RecursionError),
    ) as error:
        reason = shown(describe_error(error))
        raise RunFolderError(f"{path}: is no checkpoint of this run: {reason}") from None
    return snapshot, notes


def _below(prefix: str, arrays: Mapping[str, Array]) -> dict[str, Array]:
    """Return the arrays whose names begin so, by the rest of their names."""
    named = {name: array for name, array in arrays.items() if name.startswith(prefix)}
    return {name.removeprefix(prefix): array for name, array in named.items()}


def _digest(arrays: Mapping[str, Array], about: str) -> str:
    """Return the SHA-256 of everything a checkpoint says: a flipped bit must not go unseen."""
    digest = hashlib.sha256(about.encode())
    for name in sorted(arrays):
        array = arrays[name]
        digest.update(f"{name} {array.dtype.str} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def _load(path: Path) -> tuple[dict[str, Array], Mapping[str, Any]]:
    try:
        if is_oversized(path):
            raise RunFolderError(f"{path}: is larger than that of any run")
        with safetensors.safe_open(path, framework="numpy") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118 - not a dict
    except (OSError, safetensors.SafetensorError) as error:
        reason = getattr(error, "strerror", None) or shown(error)
        raise RunFolderError(f"{path}: cannot be read as safetensors: {reason}") from None
