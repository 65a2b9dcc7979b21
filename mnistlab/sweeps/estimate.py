"""Estimates what a sweep will take, from a few timed steps of each kind of stack."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import threadpoolctl

from mnistlab.config.schema import Config
from mnistlab.core.trainer import Settings, Trainer
from mnistlab.experiment.prepare import Plan, plan_on
from mnistlab.sweeps.plan import PreparedSweep, Stack, end_of_last, last_epoch

_STEPS = 30
_KINDS = 8
"""Widths that are timed at most; of more, the nearest one stands for the others."""
_PROCESS_BYTES = 165e6
"""A process with NumPy, mapped MNIST and its evaluation buffers took 160 to 170 MB."""
_RUN_BYTES = 28_000
"""A run folder without its weights: seven files, each in blocks of 4 KB."""
_PLOT_BYTES = 700_000


@dataclass(frozen=True)
class Estimate:
    """Seconds to the end, peak memory and disk in bytes."""

    seconds: float
    memory: float
    disk: float


def estimate(prepared: PreparedSweep, stacks: Sequence[Stack]) -> Estimate:
    """Return what training these stacks will take on this machine."""
    timed: dict[tuple[int, int], tuple[float, float]] = {}
    seconds = [_seconds(stack, prepared, timed) for stack in stacks]
    sizes = [len(one.columns) * _weights(prepared, one.columns[0].config) for one in stacks]
    weights = sum(_weights(prepared, column.config) * len(column.runs)
                  for stack in stacks for column in stack.columns)  # fmt: skip
    runs = sum(len(stack.runs) for stack in stacks)
    return Estimate(
        end_of_last(seconds, prepared.workers),
        # parameters, gradient, optimizer state, two snapshots, and a copy at each end
        _PROCESS_BYTES
        + _copied_bytes(prepared, stacks)
        + 6 * sum(sorted(sizes, reverse=True)[: prepared.workers]),
        weights + runs * _RUN_BYTES + _PLOT_BYTES,
    )


def _copied_bytes(prepared: PreparedSweep, stacks: Sequence[Stack]) -> int:
    """Return the bytes of images and features that are not those of a mapped file.

    A split that is drawn, each fold for example, is a copy, and so is what stacks with much to do
    train on: the images without dark pixels.
    """
    copies: dict[int, int] = {}
    for stack in stacks:
        data = prepared.data_of(stack.columns[0].config)
        for part in filter(None, (data.train, data.validation)):
            for one in (part.images, part.computed):
                if one is not None and one.flags.owndata:
                    copies[id(one)] = one.nbytes
        if stack.is_compact:
            copies[id(data)] = data.train.images.nbytes
    return sum(copies.values())


def _seconds(
    stack: Stack, prepared: PreparedSweep, timed: dict[tuple[int, int], tuple[float, float]]
) -> float:
    """Return a stack's seconds; its columns are taken to stay as long as each one does."""
    config = stack.columns[0].config
    kind = (config.batch_size, len(stack.columns))
    if kind not in timed:
        near = [known for known in timed if known[0] == config.batch_size]
        if len(timed) >= _KINDS and near:
            kind = min(near, key=lambda known: abs(known[1] - len(stack.columns)))
        else:
            timed[kind] = _time(stack, prepared)
    train, evaluate = timed[kind]
    dataset = prepared.data_of(config)
    images, held_out = len(dataset.train), len(dataset.validation or ())
    epochs = [last_epoch(column.config) for column in stack.columns]
    share = np.mean(epochs) / max(epochs)
    scale = len(stack.columns) / kind[1] * share * max(epochs)
    every = evaluate * (images + held_out) / config.evaluate_every
    return float(scale * (train * images + every))


def _time(stack: Stack, prepared: PreparedSweep) -> tuple[float, float]:
    """Return the seconds that training and evaluation take an image."""
    configs = [column.config for column in stack.columns]
    plan = plan_on(prepared.data_of(configs[0]), configs)
    count = min(len(plan.dataset.train), max(3000, _STEPS * configs[0].batch_size))
    trainer = _short_trainer(plan, count)
    with threadpoolctl.threadpool_limits(1, "blas"):
        records = list(trainer.epochs())  # one is enough where all columns diverge in it
    train = min(record.train_seconds for record in records)
    return train / count, min(record.evaluate_seconds for record in records) / count


def _short_trainer(plan: Plan, count: int) -> Trainer:
    """Return a trainer for two epochs on the first `count` images."""
    samples = plan.dataset.train.take(slice(count))
    whole = plan.trainer()
    two = np.full(len(plan.configs), 2.0)
    settings: Settings = replace(
        plan.settings, hyper={**plan.settings.hyper, "last_epoch": two}, evaluate_every=1
    )
    generator = np.random.default_rng(0)
    return Trainer(settings, whole.parameters, samples, None, generator)


def _weights(prepared: PreparedSweep, config: Config) -> int:
    """Return the bytes that the parameters of one configuration take."""
    data = prepared.data
    return (data.train.feature_count + 1) * len(data.classes) * np.dtype(config.dtype).itemsize
