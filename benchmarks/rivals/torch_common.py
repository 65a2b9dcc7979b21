"""What all PyTorch processes do alike: model, optimizer, evaluation and the report at the end."""

import json
from collections.abc import Callable
from typing import NamedTuple

import torch
from clock import Clock
from data import Split
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the name its documentation uses

EPOCHS = 10
BATCH = 100
CLASSES = 10
LEARNING_RATE = 0.01


class Tensors(NamedTuple):
    """A split in memory: images (N, 784), one-hot targets (N, 10) and classes (N,)."""

    images: Tensor
    targets: Tensor
    labels: Tensor


def to_tensors(split: Split) -> Tensors:
    """Return a split as tensors; the images share the memory of the arrays."""
    labels = torch.from_numpy(split.labels)
    return Tensors(torch.from_numpy(split.images), F.one_hot(labels, CLASSES).float(), labels)


def squared_error(outputs: Tensor, targets: Tensor) -> Tensor:
    """Return the squared error summed over classes and averaged over samples."""
    return F.mse_loss(outputs, targets, reduction="sum") / len(outputs)


def new_optimizer(model: nn.Module, rate: float) -> torch.optim.Optimizer:
    """Return plain gradient descent.

    For two parameters the plain optimizer, foreach=True and fused=True took the same time
    within the noise. The first optimizer of a process imports a good part of PyTorch that
    `import torch` leaves out.
    """
    return torch.optim.SGD(model.parameters(), lr=rate)


def evaluate(model: nn.Module, split: Tensors) -> dict[str, float]:
    """Return mean loss and accuracy over a whole split in one pass, the fastest block size."""
    with torch.inference_mode():
        outputs = model(split.images)
        loss = squared_error(outputs, split.targets)
        correct = outputs.argmax(dim=1) == split.labels
        return {"loss": loss.item(), "accuracy": correct.float().mean().item()}


def train_and_report(
    clock: Clock,
    prepare: Callable[[nn.Module], Callable[[], None]],
    train: Tensors,
    validation: Tensors,
    test: Tensors,
) -> None:
    """Train, evaluate after every epoch, test once, and print it all as JSON.

    `prepare` takes the model and returns the function that trains it for one epoch.
    """
    clock.charge("load")
    torch.manual_seed(0)
    results = train_model(clock, nn.Linear(784, CLASSES), prepare, train, validation, test)
    print(json.dumps({**results, "seconds": clock.seconds}))


def train_model(
    clock: Clock,
    model: nn.Module,
    prepare: Callable[[nn.Module], Callable[[], None]],
    train: Tensors,
    validation: Tensors,
    test: Tensors,
) -> dict[str, dict[str, float]]:
    """Train as `train_and_report` does and return loss and accuracy by split."""
    run_epoch = prepare(model)
    clock.charge("model")
    results: dict[str, dict[str, float]] = {}
    for _ in range(EPOCHS):
        run_epoch()
        clock.charge("steps")
        results["train"] = evaluate(model, train)
        results["validation"] = evaluate(model, validation)
        clock.charge("evaluate")
    results["test"] = evaluate(model, test)
    clock.charge("test")
    return results
