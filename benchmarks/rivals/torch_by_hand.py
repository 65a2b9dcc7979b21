"""PyTorch without its optimizers, whose import costs more than a second: the update by hand."""

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
    squared_error,
    to_tensors,
    train_and_report,
)


def prepare(model: nn.Module, train: Tensors, rate: float) -> Callable[[], None]:
    """Return the function that trains a model for one epoch."""
    parameters = list(model.parameters())

    def run_epoch() -> None:
        for chosen in torch.randperm(len(train.images)).split(BATCH):
            images = train.images.index_select(0, chosen)
            targets = train.targets.index_select(0, chosen)
            model.zero_grad(set_to_none=True)
            squared_error(model(images), targets).backward()
            with torch.no_grad():
                for parameter in parameters:
                    parameter.sub_(parameter.grad, alpha=rate)

    return run_epoch


def main() -> None:
    """Train and evaluate as `configs/linear.yaml` does, and print the result as JSON."""
    clock = Clock(started)
    clock.charge("import")
    splits = [to_tensors(split) for split in load_mnist()]
    train_and_report(clock, partial(prepare, train=splits[0], rate=LEARNING_RATE), *splits)


if __name__ == "__main__":
    main()
