"""PyTorch at its best with an optimizer: all in memory, batches by a random permutation."""

# ruff: noqa: E402 - the clock starts before the imports, which are part of what is measured

import time

started = time.perf_counter()

from collections.abc import Callable
from functools import partial

import torch
from clock import Clock
from data import load_mnist
from torch import nn
from torch_common import (
    BATCH,
    LEARNING_RATE,
    Tensors,
    new_optimizer,
    squared_error,
    to_tensors,
    train_and_report,
)


def prepare(model: nn.Module, train: Tensors, rate: float) -> Callable[[], None]:
    """Return the function that trains a model for one epoch."""
    optimizer = new_optimizer(model, rate)

    def run_epoch() -> None:
        for chosen in torch.randperm(len(train.images)).split(BATCH):
            # faster here than images[chosen], and than shuffling all images once an epoch
            images = train.images.index_select(0, chosen)
            targets = train.targets.index_select(0, chosen)
            optimizer.zero_grad(set_to_none=True)
            squared_error(model(images), targets).backward()
            optimizer.step()

    return run_epoch


def main() -> None:
    """Train and evaluate as `configs/linear.yaml` does, and print the result as JSON."""
    clock = Clock(started)
    clock.charge("import")
    splits = [to_tensors(split) for split in load_mnist()]
    train_and_report(clock, partial(prepare, train=splits[0], rate=LEARNING_RATE), *splits)


if __name__ == "__main__":
    main()
