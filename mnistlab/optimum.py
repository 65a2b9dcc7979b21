"""The least loss that a linear model can reach on its data, exactly or by L-BFGS.

Shapes: D features, C classes, N samples; features with a constant one last, parameters (D+1, C)
with the biases in the last row.
"""

import hashlib
import json
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, Field, TypeAdapter

import mnistlab
from mnistlab.config.schema import Config
from mnistlab.core.least_squares import least_squares, measure_moments
from mnistlab.core.losses import LOSSES, softmax
from mnistlab.core.metrics import score_images
from mnistlab.core.models import MODELS
from mnistlab.core.objective import REDUCTIONS, Objective, join_parameters
from mnistlab.core.optimizers import OPTIMIZERS
from mnistlab.core.samples import Samples
from mnistlab.datasets import Dataset, data_dir, is_random
from mnistlab.errors import MnistlabError
from mnistlab.run_folders.files import write_json

Matrix = NDArray[np.float64]

LARGEST_GRADIENT = 1e-6
"""No coordinate of the gradient is larger at what is called the optimum.

What that promises: the objective f is convex, and its penalty makes it strongly convex in the
weights W though not in the biases b. So against any optimum (W*, b*)

    f(W, b) - f* <= <f_W, W - W*> - ridge/2 ||W - W*||^2 + <f_b, b - b*>
                 <= ||f_W||^2 / (2 ridge) + ||f_b||_1 max|b - b*| .

With no coordinate above G the first term is at most D C G^2 / (2 ridge), 3.9e-9 / ridge for
MNIST's 7,840 weights, the second at most C G times how far a bias is off, 1e-5 for a whole unit.
"""

_ROWS = 4000
_MOST_STEPS = 20_000


def softmax_optimum(samples: Samples, C: int, ridge: float) -> tuple[Matrix, float, float]:
    """Return the parameters that minimise mean cross-entropy + ridge / 2 ||W||^2, and its value.

    The third number is the largest coordinate of the gradient there. L-BFGS: Liu
    and Nocedal, "On the limited memory BFGS method for large scale optimization", Math. Programming
    45, 1989. Raises MnistlabError where SciPy is missing, or the gradient does not get small.
    """
    try:
        from scipy.optimize import minimize  # noqa: PLC0415 - an extra, and slow to import
    except ImportError:
        raise MnistlabError(
            "the optimum of a softmax needs SciPy: pip install 'mnistlab[report]'"
        ) from None
    D, N = samples.feature_count, len(samples)
    reader = samples.reader(min(_ROWS, N), np.float64)

    def value(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        """Return the objective over the whole split and its gradient, in float64."""
        P = flat.reshape(D + 1, C)
        total, gradient = 0.0, np.zeros_like(P)
        for start in range(0, N, _ROWS):
            labels = samples.labels[start : start + _ROWS]
            x = reader.read(samples.inputs[start : start + _ROWS])
            logits = x @ P * reader.factor
            shifted = logits - logits.max(axis=1, keepdims=True)
            rows = np.arange(len(labels))
            total += float((np.log(np.exp(shifted).sum(axis=1)) - shifted[rows, labels]).sum())
            errors = softmax(logits)
            errors[rows, labels] -= 1
            gradient += x.T @ errors
        gradient *= reader.factor / N
        gradient[:-1] += ridge * P[:-1]
        return total / N + ridge / 2 * float(np.square(P[:-1]).sum()), gradient.ravel()

    found = minimize(
        value,
        np.zeros((D + 1) * C),
        jac=True,
        method="L-BFGS-B",
        options={
            "maxcor": 20, "gtol": LARGEST_GRADIENT, "ftol": 0.0,
            "maxiter": _MOST_STEPS, "maxfun": 2 * _MOST_STEPS,
        },
    )  # fmt: skip
    steepest = float(np.abs(found.jac).max())
    if not steepest <= LARGEST_GRADIENT:
        raise MnistlabError(
            f"the optimum of the softmax was not found: after {found.nit} steps its gradient is "
            f"still {steepest:.1e}"
        )
    return found.x.reshape(D + 1, C), float(found.fun), steepest


_FORMAT = 3
"""Counts up with the fields of an optimum: what an older one kept is found anew."""


_Right = Annotated[str, Field(pattern="^[01]*$")]


@dataclass(frozen=True)
class Optimum:
    """The least that the training split allows, and what the parameters that reach it are worth.

    `loss` is the mean training loss at the optimum of the whole objective, `objective` adds the
    penalty to it; both are over a sample. `steepest` is the largest coordinate of the gradient
    there, None for a solution in closed form. `validation_...` and `test_...` are what the
    optimum's parameters come to on the other splits, None without a validation split: the mean
    loss, and a letter for each image, "1" where they classify it correctly and "0" where not.
    """

    __pydantic_config__ = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)

    loss: float
    objective: float
    ridge: float
    test_loss: float
    test_right: _Right
    validation_loss: float | None = None
    validation_right: _Right | None = None
    steepest: float | None = None


def ridge_of(config: Config) -> float:
    """Return the penalty's factor in units of the mean loss: a summed batch weakens it."""
    per_step = REDUCTIONS[config.reduction](config.batch_size) * config.batch_size
    return config.weight_decay / per_step


def has_optimum(config: Config) -> bool:
    """Return whether the config's objective has an optimum that can be known."""
    decoupled = getattr(OPTIMIZERS[config.optimizer], "decouples_decay", False)
    if config.model != "linear" or (decoupled and config.weight_decay):
        return False  # where decay is no part of the objective, training ends elsewhere
    # without a penalty the least cross-entropy may lie at infinity
    return config.loss in _FINDERS and (config.weight_decay > 0 or config.loss == "squared_error")


def find_optimum(config: Config, dataset: Dataset) -> Optimum | None:
    """Return the optimum of a config on its data, None where the objective has none.

    What is found is kept in the data folder. Raises MnistlabError where it cannot be found.
    """
    if not has_optimum(config):
        return None
    place = _place(config, dataset.sha256)
    if known := _kept(place, dataset):
        return known
    found = _FINDERS[config.loss](config, dataset)
    with suppress(OSError):  # a cache only
        place.parent.mkdir(parents=True, exist_ok=True)
        write_json(place, asdict(found))
    return found


def _kept(place: Path, dataset: Dataset) -> Optimum | None:
    """Return what a file of the cache says, None unless it is what is written there."""
    try:
        found: Optimum = TypeAdapter(Optimum).validate_json(place.read_bytes())
    except (OSError, ValueError):
        return None
    images = len(dataset.test), len(dataset.validation or ())
    known = tuple(len(right or "") for right in (found.test_right, found.validation_right))
    return found if known == images else None


def _by_normal_equations(config: Config, dataset: Dataset) -> Optimum:
    rows, ridge = dataset.train, ridge_of(config)
    ((_, moments),) = measure_moments(rows, len(dataset.classes))
    found = least_squares(moments, ridge)
    elsewhere = evaluate_elsewhere(found.parameters, config, dataset)
    return Optimum(found.loss, found.objective, ridge, **elsewhere)


def _by_descent(config: Config, dataset: Dataset) -> Optimum:
    rows, ridge = dataset.train, ridge_of(config)
    parameters, objective, steepest = softmax_optimum(rows, len(dataset.classes), ridge)
    penalty = ridge / 2 * float(np.square(parameters[:-1]).sum())
    elsewhere = evaluate_elsewhere(parameters, config, dataset)
    return Optimum(objective - penalty, objective, ridge, steepest=steepest, **elsewhere)


def evaluate_elsewhere(
    parameters: NDArray[np.floating], config: Config, dataset: Dataset
) -> dict[str, Any]:
    """Return what parameters (D+1, C) come to on validation and test split, by `Optimum`'s fields.

    Those of a validation split are left out where there is none.
    """
    objective = Objective(MODELS[config.model], LOSSES[config.loss], REDUCTIONS[config.reduction])
    stack, found = join_parameters([parameters]), dict[str, Any]()
    for name, split in (("validation", dataset.validation), ("test", dataset.test)):
        if split is not None:
            losses, right = score_images(stack, objective, split)
            found[f"{name}_loss"] = float(losses.mean())
            found[f"{name}_right"] = "".join("1" if one else "0" for one in right[:, 0])
    return found


_FINDERS = {"squared_error": _by_normal_equations, "softmax_cross_entropy": _by_descent}


def _place(config: Config, data_sha256: str) -> Path:
    """Return where the optimum is kept: by all that decides it, and the version of the code."""
    decides: dict[str, Any] = {
        "data": data_sha256,
        "splits": config.data.model_dump(exclude={"dataset"}),
        "loss": config.loss,
        "ridge": ridge_of(config),
        "code": mnistlab.__version__,
        "format": _FORMAT,
    }
    if config.features:
        decides["features"] = [config.features, config.seed if is_random(config.features) else None]
    name = hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()
    return data_dir() / "optima" / f"{name[:32]}.json"
