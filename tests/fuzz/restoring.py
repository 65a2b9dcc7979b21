"""Checkpoints with a right SHA-256 whose arrays and notes are anything, restored and trained on."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy

from mnistlab.core.trainer import Snapshot, Trainer
from mnistlab.experiment.recorder import check_notes
from mnistlab.run_folders.weights import _digest, load_checkpoint, save_checkpoint
from tests.core.helpers import random_weights, settings, trainer

_TYPES = ("u1", "i1", "i4", "i8", "f2", "f4", "f8", "?")
_ROW = {"epoch": 1, "learning_rate": 0.1, "seconds": 0.1}
_SECONDS = {"total": 1.0, "train": 0.5, "evaluate": 0.5}


def _new() -> Trainer:
    return trainer(settings(optimizer="adam", learning_rate=[0.01, 0.02]), random_weights(2))


def _seed(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the arrays of a real checkpoint and what it says of itself."""
    training = _new()
    next(training.epochs())
    save_checkpoint(path, training.snapshot, {"rows": [_ROW], "seconds": _SECONDS})
    with safetensors.safe_open(path, framework="numpy") as file:
        arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
        return arrays, json.loads(file.metadata()["snapshot"])


def restore(content: bytes, folder: Path) -> None:
    """Put `content` in place of some array, or of some of the notes; restore, train an epoch."""
    path = folder / "checkpoint.safetensors"
    arrays, about = _seed(path)
    drawn = np.random.default_rng(list(content[:16]))
    if content and drawn.random() < 0.5:
        name = drawn.choice([*arrays])
        kind = np.dtype(_TYPES[drawn.integers(len(_TYPES))])
        flat = np.frombuffer(content[: len(content) // 8 * 8] or bytes(8), kind)
        known = arrays[name].shape
        shapes = [(-1,), (1, -1), (-1, 1, 1), known, known[1:], (*known, 1)]
        shape = shapes[drawn.integers(len(shapes))]
        size = int(np.prod([length for length in shape if length > 0]))
        arrays[name] = (flat if -1 in shape else np.resize(flat, size)).reshape(shape)
    elif content:
        places = [about, about["generator"], about["generator"]["state"], about["notes"], _ROW]
        place = dict(places[drawn.integers(len(places))])
        text = content.decode("utf-8", "replace")
        values: list[Any] = [None, text, -1, 10**30, 1.5, [text], {text: text}, float("nan"), True]
        key = drawn.choice([*place])
        changed = {**place, str(key): values[drawn.integers(len(values))]}
        about = _with(about, place, changed)
    said = json.dumps(about)
    whole = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    metadata = {"snapshot": said, "sha256": _digest(whole, said)}
    path.write_bytes(safetensors.numpy.save(whole, metadata))
    training = _new()

    def check(snapshot: Snapshot, notes: Any) -> None:
        check_notes(notes, snapshot.epoch)
        training.restore(snapshot)

    load_checkpoint(path, check)
    next(training.epochs())


def _with(data: Any, old: Any, new: Any) -> Any:
    """Return a document with one of its objects replaced wherever it stands."""
    if data == old:
        return new
    if isinstance(data, dict):
        return {key: _with(value, old, new) for key, value in data.items()}
    return [_with(one, old, new) for one in data] if isinstance(data, list) else data
