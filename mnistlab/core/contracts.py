"""Tells what a newly registered part lacks before a training run stumbles over it.

Shapes: 4 samples, 2 configurations, 3 classes stand for (B, K, C) of a real run.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from mnistlab.core.initializers import INITIALIZERS
from mnistlab.core.losses import LOSSES
from mnistlab.core.models import MODELS
from mnistlab.core.optimizers import OPTIMIZERS
from mnistlab.core.registry import Registry
from mnistlab.core.samples import one_hot
from mnistlab.core.schedules import SCHEDULES

_B, _K, _C = 4, 2, 3
_STACK = (_B, _K, _C)

REQUIRED: Mapping[str, tuple[str, ...]] = {
    "model": ("is_linear", "forward"),
    "loss": ("curvature", "value", "gradient"),
    "optimizer": ("options", "stability", "init", "update"),
    "schedule": ("options", "counts_epochs", "factor"),
    "init": ("options", "weights"),
}
"""What each kind of part must have."""

REGISTRIES: tuple[Registry[Any], ...] = (MODELS, LOSSES, OPTIMIZERS, SCHEDULES, INITIALIZERS)


class ContractError(Exception):
    """A part does not do what its kind has to; the message says what."""


def check_part(kind: str, part: Any) -> None:
    """Use a part once on a tiny stack.

    Raises ContractError for a class in place of an instance, a missing attribute or a wrong
    shape, and whatever the part itself raises.
    """
    if isinstance(part, type):
        raise ContractError(f"is a class; register an instance: {part.__name__}()")
    for attribute in REQUIRED[kind]:
        if not hasattr(part, attribute):
            raise ContractError(f"has no `{attribute}`")
    with np.errstate(all="ignore"):
        _TRIALS[kind](part)


def _try_model(model: Any) -> None:
    A = np.linspace(-1, 1, _B * _K * _C).reshape(_STACK)
    answer = model.forward(A)
    if not isinstance(answer, tuple) or len(answer) != 2 or not callable(answer[1]):
        raise ContractError("forward(A) must return the outputs and a function for the way back")
    _expect("forward(A)", answer[0], _STACK)
    _expect("the way back", answer[1](np.ones(_STACK)), _STACK)


def _try_loss(loss: Any) -> None:
    outputs = np.linspace(0.1, 0.9, _B * _K * _C).reshape(_STACK)
    targets = one_hot(np.array([0, 1, 2, 0]), _C, np.float64)
    _expect("value(outputs, targets)", loss.value(outputs.copy(), targets), (_B, _K))
    gradient = loss.gradient(outputs, targets)
    _expect("gradient(outputs, targets)", gradient, _STACK)
    if np.shares_memory(gradient, outputs) or np.shares_memory(gradient, targets):
        raise ContractError("gradient(outputs, targets) must return a new array")


def _try_optimizer(optimizer: Any) -> None:
    parameters = np.ones((5, _K, _C))
    hyper = {name: np.full((_K, 1), usual) for name, usual in optimizer.options.items()}
    hyper["learning_rate"] = np.full((_K, 1), 0.1)
    state = optimizer.init(parameters)
    step = optimizer.update(np.ones_like(parameters), state, hyper)
    _expect("update(gradient, state, hyper)", step, parameters.shape)
    optimizer.stability(0.0)


def _try_schedule(schedule: Any) -> None:
    hyper = {name: np.full(_K, usual) for name, usual in schedule.options.items()}
    _expect("factor(epoch, epochs, hyper)", schedule.factor(0, np.full(_K, 9.0), hyper), (_K,))


def _try_initializer(initializer: Any) -> None:
    weights = initializer.weights(5, _C, 0.1, np.random.default_rng(0))
    _expect("weights(D, C, scale, generator)", weights, (5, _C))


_TRIALS: dict[str, Callable[[Any], None]] = {
    "model": _try_model,
    "loss": _try_loss,
    "optimizer": _try_optimizer,
    "schedule": _try_schedule,
    "init": _try_initializer,
}


def _expect(what: str, array: Any, shape: tuple[int, ...]) -> None:
    letters = {_B: "B", _K: "K", _C: "C", 5: "D"}
    if np.shape(array) != shape:
        wanted = ", ".join(letters[length] for length in shape)
        raise ContractError(
            f"{what} must have the shape ({wanted}), here {shape}, and has {np.shape(array)}"
        )
