"""Checkpoints that somebody has changed and signed again, so that their digest is right."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy

from mnistlab.run_folders.weights import _digest

Forgery = Callable[[dict[str, Any], dict[str, Any]], None]
"""A change of a checkpoint's arrays and of what it says: epoch, generator, notes."""


def forge(path: Path, change: Forgery) -> None:
    """Change a checkpoint and sign it."""
    with safetensors.safe_open(path, framework="numpy") as file:
        arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
        about = json.loads(file.metadata()["snapshot"])
    change(arrays, about)
    said = json.dumps(about)
    contiguous = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    metadata = {"snapshot": said, "sha256": _digest(contiguous, said)}
    path.write_bytes(safetensors.numpy.save(contiguous, metadata))


def _note(about: dict[str, Any]) -> dict[str, Any]:
    """Return the notes of a run, or of the first column of a stack."""
    notes = about["notes"]
    return notes[0] if isinstance(notes, list) else notes


def _set(name: str, value: Callable[[Any], Any]) -> Forgery:
    return lambda arrays, _: arrays.update({name: value(arrays[name])})


def _say(key: str, value: Any) -> Forgery:
    return lambda _, about: about.update({key: value})


def _row(**values: Any) -> Forgery:
    return lambda _, about: _note(about)["rows"][-1].update(values)


def _generator(change: Callable[[dict[str, Any]], None]) -> Forgery:
    def forgery(_: dict[str, Any], about: dict[str, Any]) -> None:
        change(about["generator"])

    return forgery


FORGERIES: dict[str, Forgery] = {
    "no columns": lambda arrays, _: arrays.update(
        columns=arrays["columns"][:0],
        parameters=arrays["parameters"][:, :0],
        best_loss=arrays["best_loss"][:0],
        best_epoch=arrays["best_epoch"][:0],
        **{
            name: array.take([], axis=-2)
            for name, array in arrays.items()
            if name.startswith("state.")
        },
    ),
    "columns of another stack": _set("columns", lambda array: array + 64),
    "columns below zero": _set("columns", lambda array: array - 64),
    "columns that are no numbers": _set("columns", lambda array: array.astype(np.float64)),
    "columns in two dimensions": _set("columns", lambda array: array[None]),
    "fewer parameters": _set("parameters", lambda array: array[:-1]),
    "flat parameters": _set("parameters", np.ravel),
    "parameters of another type": _set("parameters", lambda array: array.astype(np.float16)),
    "parameters without an end": _set("parameters", lambda array: np.full_like(array, np.inf)),
    "parameters that are bytes": _set("parameters", lambda array: array.astype(np.uint8)),
    "another shape of what is best": _set("best_loss", lambda array: array[..., None]),
    "another type of what is best": _set("best_epoch", lambda array: array.astype(np.int8)),
    "no best epoch": lambda arrays, _: arrays.pop("best_epoch"),
    "a state too many": lambda arrays, _: arrays.update({"state.x": arrays["parameters"]}),
    "no state": lambda arrays, _: [arrays.pop(one) for one in [*arrays] if one[:6] == "state."],
    "a state of another shape": _set("state.velocity", lambda array: array[1:]),
    "an epoch that was not trained": _say("epoch", 1000),
    "an epoch of a googol": _say("epoch", 10**100),
    "an epoch below zero": _say("epoch", -1),
    "epoch zero": _say("epoch", 0),
    "an epoch that is none": _say("epoch", "second"),
    "no generator": _say("generator", None),
    "another generator": _generator(lambda state: state.update(bit_generator="MT19937")),
    "an empty generator": _generator(dict.clear),
    "a generator's state that is none": _generator(lambda state: state.update(state=[1, 2])),
    "a generator's number too large": _generator(lambda s: s["state"].update(state=1 << 200)),
    "a generator's number below zero": _generator(lambda s: s["state"].update(inc=-1)),
    "a generator's number as text": _generator(lambda s: s["state"].update(state="x")),
    "a generator that says more": _generator(lambda state: state.update(more=1)),
    "no notes": _say("notes", None),
    "empty notes": _say("notes", []),
    "notes that are a text": _say("notes", "rows"),
    "no rows": lambda _, about: _note(about).update(rows=None),
    "rows that are numbers": lambda _, about: _note(about).update(rows=[1, 2]),
    "a row too few": lambda _, about: _note(about)["rows"].pop(),
    "a row twice": lambda _, about: _note(about)["rows"].append(
        copy.deepcopy(_note(about)["rows"][-1])
    ),
    "rows in another order": lambda _, about: _note(about)["rows"].reverse(),
    "a row of another epoch": _row(epoch=77),
    "a row's epoch as text": _row(epoch="2"),
    "a loss that is a text": _row(train_loss="low"),
    "a loss that is a list": _row(train_loss=[1]),
    "a loss that is missing": lambda _, about: _note(about)["rows"][-1].pop("train_loss"),
    "no loss": _row(validation_loss=None),
    "a row that says more": _row(test_loss=0.1),
    "no learning rate": lambda _, about: _note(about)["rows"][-1].pop("learning_rate"),
    "no seconds": lambda _, about: _note(about).pop("seconds"),
    "seconds that are a number": lambda _, about: _note(about).update(seconds=3),
    "seconds that are texts": lambda _, about: _note(about)["seconds"].update(total="1"),
    "seconds below zero": lambda _, about: _note(about)["seconds"].update(train=-1.0),
    "seconds without an end": lambda _, about: _note(about)["seconds"].update(train=1e999),
    "seconds of another kind": lambda _, about: _note(about)["seconds"].update(sleep=1.0),
}
"""Each of these makes a checkpoint that no run has written; it takes momentum and two epochs."""
