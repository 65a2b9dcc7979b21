"""PyTorch as its tutorials write it: batches come from a DataLoader over a TensorDataset."""

# ruff: noqa: E402 - the clock starts before the imports, which are part of what is measured

import time

started = time.perf_counter()

from collections.abc import Callable

from clock import Clock
from data import load_mnist
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from torch_common import (
    BATCH,
    LEARNING_RATE,
    new_optimizer,
    squared_error,
    to_tensors,
    train_and_report,
)


def main() -> None:
    """Train and evaluate as `configs/linear.yaml` does, and print the result as JSON.

    Only the training batches come from the loader. Evaluation takes whole tensors, as in
    `torch_memory.py`, which favours this process.
    """
    clock = Clock(started)
    clock.charge("import")
    train, validation, test = map(to_tensors, load_mnist())
    batches = DataLoader(
        TensorDataset(train.images, train.targets), batch_size=BATCH, shuffle=True, num_workers=0
    )

    def prepare(model: nn.Module) -> Callable[[], None]:
        optimizer = new_optimizer(model, LEARNING_RATE)

        def run_epoch() -> None:
            for images, targets in batches:
                optimizer.zero_grad(set_to_none=True)
                squared_error(model(images), targets).backward()
                optimizer.step()

        return run_epoch

    train_and_report(clock, prepare, train, validation, test)


if __name__ == "__main__":
    main()
