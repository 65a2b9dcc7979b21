"""Trains a stack epoch by epoch and writes nothing, so that any process on any machine can do it.

Shapes: D features, C classes; the parameters of one configuration are (D+1, C).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from mnistlab.core.metrics import Metrics
from mnistlab.core.trainer import EpochRecord, Snapshot
from mnistlab.experiment.prepare import Plan
from mnistlab.sweeps.plan import Stack

Array = NDArray[np.floating]


@dataclass(frozen=True)
class TrainedEpoch:
    """An epoch of a stack, with all that is to be kept of the runs that end with it.

    `parameters` has the weights (D+1, C), and `losses` the batch losses before each step of an
    epoch that diverged; both by the column's position in the record. `snapshot` is the end of
    the epoch with all columns of the record, None where it has not been kept. `machine` has what
    a run's environment says of the machine that trained it, if that is another one.
    """

    record: EpochRecord
    parameters: Mapping[int, Array]
    losses: Mapping[int, NDArray[np.float64]]
    snapshot: Snapshot | None
    machine: Mapping[str, Any] = field(default_factory=dict)

    @property
    def staying(self) -> NDArray[np.bool_]:
        """Which of the record's columns go on after this epoch."""
        return ~(self.record.diverged | self.record.finished)


class TrainEpochs(Protocol):
    """What trains a stack, here or elsewhere."""

    def __call__(
        self,
        stack: Stack,
        plan: Plan,
        ends: Sequence[Sequence[int]],
        *,
        start: Snapshot | None,
        until: int | None,
        check: Callable[[], None],
    ) -> Iterator[TrainedEpoch]:
        """Yield the epochs of a stack after `start`, or all, the last one being `until`.

        `ends` has the epochs in which the runs of each column end. What `check` raises, which is
        called often, ends the training early.
        """


def train_epochs(
    stack: Stack,  # noqa: ARG001 - its name matters only where it is trained elsewhere
    plan: Plan,
    ends: Sequence[Sequence[int]],
    *,
    start: Snapshot | None,
    until: int | None,
    check: Callable[[], None],
) -> Iterator[TrainedEpoch]:
    """Train a stack in this process; see `TrainEpochs`."""
    trainer = plan.trainer(check)
    if start is not None:
        trainer.restore(start)
    for record in trainer.epochs():
        parameters, losses = {}, {}
        for position, column in enumerate(record.columns.tolist()):
            if record.diverged[position]:
                losses[position] = trainer.trace_last_epoch(column)
            elif record.finished[position] or record.epoch in ends[column]:
                one = trainer.parameters[:, position, :]
                parameters[position] = plan.with_all_pixels(one)
        yield TrainedEpoch(record, parameters, losses, trainer.snapshot)
        if record.epoch == until:
            return


def to_plain(epoch: TrainedEpoch, *, with_snapshot: bool) -> dict[str, Any]:
    """Return an epoch as dicts of arrays, numbers and texts, for the way to another process."""
    snapshot = epoch.snapshot if with_snapshot else None
    return {
        "record": asdict(epoch.record),
        "parameters": {key: np.ascontiguousarray(one) for key, one in epoch.parameters.items()},
        "losses": dict(epoch.losses),
        "snapshot": None if snapshot is None else asdict(snapshot),
    }


def from_plain(plain: Mapping[str, Any], machine: Mapping[str, Any]) -> TrainedEpoch:
    """Return the epoch that `to_plain` took apart, trained by this machine."""
    record = dict(plain["record"])
    for split in ("train", "validation"):
        record[split] = None if record[split] is None else Metrics(**record[split])
    return TrainedEpoch(
        record=EpochRecord(**record),
        parameters=plain["parameters"],
        losses=plain["losses"],
        snapshot=None if plain["snapshot"] is None else Snapshot(**plain["snapshot"]),
        machine=machine,
    )
