"""Trains a run once more from what its folder records, and says whether the same comes out."""

import math
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from mnistlab.config.load import load_config
from mnistlab.errors import MnistlabError, RunFolderError
from mnistlab.experiment import Reporter, prepare, train_run
from mnistlab.run_folders import RunFolder
from mnistlab.run_folders.provenance import FINAL
from mnistlab.run_folders.safeguards import held_while_open, is_locked
from mnistlab.store.compare import Differences, Pair, find_differences, is_same

IDENTICAL, WITHIN_TOLERANCE, DIFFERS = "identical", "within tolerance", "differs"
IMPOSSIBLE = "cannot be verified"

ROUNDINGS = 1000
"""Units of rounding by which losses may differ, relative to the larger one. A stack of 64 and the
same run alone were at most 4 units of float32 apart after ten epochs."""

ACCURACY_TOLERANCE = 0.001
"""By how much an accuracy may differ: where two outputs are nearly equal, rounding decides."""

_LOSSES = ("train_loss", "validation_loss")
_ACCURACIES = ("train_accuracy", "validation_accuracy")


@dataclass(frozen=True)
class Verification:
    """What came of training a run again; `reason` says why nothing did, if it could not be.

    `epoch` is the first whose metrics are beyond the tolerance, None where none is. `loss` is the
    largest relative difference of a loss and `tolerance` what is allowed; `weight` the largest
    absolute one of a weight. `summary` holds the results that summary.json tells otherwise, and
    `changed` what of the environment is another one now, each by its dotted key. `damaged` names
    the files that are not what the run left; without `vouched` its status vouches for none.
    """

    run: str
    verdict: str
    reason: str | None = None
    status: Pair = (None, None)
    epochs: int = 0
    epoch: int | None = None
    loss: float = 0.0
    tolerance: float = 0.0
    weight: float | None = None
    predictions: int | None = None
    summary: Mapping[str, Pair] = field(default_factory=dict)
    changed: Mapping[str, Pair] = field(default_factory=dict)
    damaged: Sequence[str] = ()
    vouched: bool = True


def verify(folder: RunFolder, reporter: Reporter) -> Verification:
    """Train a finished run again, beside the runs folder, and compare the two.

    A run that has not ended, lacks its metrics, or whose config or data cannot be had, cannot be
    verified, which is a verdict too.
    """
    try:
        _check_verifiable(folder)
        known = folder.read_metrics()
        config = load_config(folder.config)
        plan = prepare([config], reporter, anew=True)
    except MnistlabError as error:
        return Verification(folder.name, IMPOSSIBLE, reason=str(error))
    with _folder_aside() as aside:
        again = train_run(plan, runs_dir=Path(aside), reporter=reporter, resume_options=None).folder
        differences = find_differences(folder, again, reporter)
        curves = again.read_metrics()
    tolerance = ROUNDINGS * float(np.finfo(config.dtype).eps)
    weights, flips = differences.weights, differences.flips
    damaged = folder.damaged_files()
    found = Verification(
        run=folder.name,
        verdict=IDENTICAL,
        status=differences.status,
        epochs=len(known["epoch"]),
        epoch=first_epoch_beyond(known, curves, tolerance),
        loss=largest_difference(known, curves),
        tolerance=tolerance,
        weight=None if weights is None else weights.largest,
        predictions=None if flips is None else flips.differing,
        summary={
            key: pair
            for key, pair in differences.metrics.items()
            if key != "seconds.total" and folder.summary.name not in damaged
            if not _agree(key, pair, tolerance)
        },
        changed=differences.environment,
        damaged=damaged,
        vouched=bool(folder.checksums()),
    )
    return replace(found, verdict=_verdict(found, differences))


_ASIDE = "mnistlab-verify-"
_OLD = 60  # seconds: a folder that is younger may not have its lock yet


@contextmanager
def _folder_aside() -> Iterator[str]:
    """Yield a folder that is removed in the end, or by the next one if this process is killed."""
    for left in Path(tempfile.gettempdir()).glob(f"{_ASIDE}*"):
        with suppress(OSError):
            state = left.lstat()
            is_ours = stat.S_ISDIR(state.st_mode) and state.st_uid == os.getuid()
            if is_ours and time.time() - state.st_mtime > _OLD and not is_locked(left):
                shutil.rmtree(left)
    with tempfile.TemporaryDirectory(prefix=_ASIDE) as aside, held_while_open(Path(aside)):
        yield aside


def _check_verifiable(folder: RunFolder) -> None:
    """Raise RunFolderError for what has no result."""
    status = folder.read_status()["status"]
    if status == "damaged":
        raise RunFolderError("its status.json is missing or damaged")
    if status not in FINAL:
        raise RunFolderError(
            f"it is {status}, so there is no result; to go on with it: "
            f"mnistlab runs resume {folder.name}"
        )


def _agree(key: str, pair: Pair, tolerance: float) -> bool:
    """Return whether a result, of summary.json or of an epoch, is what came out again.

    A run of a sweep need not have seen the test split.
    """
    then, now = pair
    if not isinstance(then, int | float) or not isinstance(now, int | float):
        return then == now or (then is None and key.startswith("test."))
    if key.endswith("accuracy"):
        return is_same(then, now) or abs(then - now) <= ACCURACY_TOLERANCE
    return _apart(then, now) <= tolerance


def first_epoch_beyond(
    known: Mapping[str, Sequence[float]], again: Mapping[str, Sequence[float]], tolerance: float
) -> int | None:
    """Return the first epoch whose metrics differ by more than is allowed, or that one lacks.

    Both are columns of metrics.csv; losses may differ by `tolerance`, relative to the larger.
    """
    epochs, others = known["epoch"], again["epoch"]
    for at in range(min(len(epochs), len(others))):
        pairs = {name: (known[name][at], again[name][at]) for name in (*_LOSSES, *_ACCURACIES)}
        if not all(_agree(name, pair, tolerance) for name, pair in pairs.items()):
            return at + 1
    return None if len(epochs) == len(others) else min(len(epochs), len(others)) + 1


def largest_difference(
    known: Mapping[str, Sequence[float]], again: Mapping[str, Sequence[float]]
) -> float:
    """Return the largest relative difference of two runs' losses, in the epochs that both have."""
    pairs = [pair for name in _LOSSES for pair in zip(known[name], again[name], strict=False)]
    return max((_apart(*pair) for pair in pairs), default=0.0)


def _apart(one: float, other: float) -> float:
    """Return the difference of two numbers relative to the larger; infinite if one is no number."""
    if is_same(one, other):
        return 0.0
    if not (math.isfinite(one) and math.isfinite(other)):
        return math.inf
    return abs(one - other) / max(abs(one), abs(other))


def _verdict(found: Verification, differences: Differences) -> str:
    """Return the verdict; weights that differ where the metrics do not were changed afterwards."""
    if found.epoch is not None or found.damaged or found.summary:
        return DIFFERS
    if found.status[0] != found.status[1]:
        return DIFFERS
    same_rows = differences.first_epoch is None
    same_weights = differences.weights is None or differences.weights.identical
    same_answers = differences.flips is None or differences.flips.differing == 0
    if same_rows and same_weights and same_answers:
        return IDENTICAL
    return WITHIN_TOLERANCE if not same_rows else DIFFERS
