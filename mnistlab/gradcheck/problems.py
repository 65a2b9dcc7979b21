"""Gradients of ours as problems for the check: the code that trains against plain formulas.

Shapes: B batch, D features, C columns of a model (its classes, or their pairs), P evaluations at
once. The values come from models and
losses applied to features and parameters written out plainly; the gradients come from the very
function that takes a training step.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnistlab.core.losses import LOSSES
from mnistlab.core.models import MODELS
from mnistlab.core.objective import REDUCTIONS, Objective, Products, batch_gradient
from mnistlab.core.samples import Samples
from mnistlab.gradcheck.check import Problem
from mnistlab.gradcheck.differences import Line
from mnistlab.gradcheck.mistakes import Anatomy, Case, Mistake

Floats = NDArray[np.floating]

_BLOCK = 1 << 18
"""Numbers evaluated at once: 2 MB, which stays in the cache."""


@dataclass(frozen=True)
class Batch:
    """Samples and parameters (D+1, C) in float64 at which a gradient is checked."""

    samples: Samples
    parameters: Floats

    def features(self) -> Floats:
        """Return the features (B, D), written out plainly."""
        samples, pixels = self.samples, self.samples.features.pixels
        if samples.features.steps:  # to the gradient they are data, however they were made
            return samples.reader(len(samples), np.float64).read(samples.inputs)[:, :-1]
        features: Floats = samples.rows.astype(np.float64) * pixels.scale + pixels.shift
        return features

    def pre_activations(self) -> Floats:
        """Return A = X W + b, (B, C)."""
        A: Floats = self.features() @ self.parameters[:-1] + self.parameters[-1]
        return A


def activations_problem(
    case: Case, A: Floats, labels: NDArray[np.integer], mistake: Mistake | None = None
) -> Problem:
    """Return the gradient by pre-activations: of a sample (C,), or of a batch (B, C)."""
    objective = _objective(case, mistake)
    B, C = A.shape
    targets = objective.targets(labels, C, np.float64)
    weight = objective.reduction.weight(B)
    shape = (C,) if case.reduction is None else (B, C)

    def values(points: NDArray[Any]) -> NDArray[Any]:
        return np.concatenate([
            _values(objective, part.reshape(-1, B, C), targets) * weight
            for part in _parts(points, B * C)
        ])  # fmt: skip

    dA = objective.gradient(A[:, None, :], targets)[:, 0]

    def backward(gradient: Floats) -> Floats:
        return (gradient * weight).reshape(shape)

    anatomy = _anatomy(case, objective, A, targets, backward)
    point = A.reshape(shape)
    analytic = _distorted(backward(dA), anatomy, mistake)
    return Problem(
        what=describe(case),
        point=point,
        labels=labels,
        analytic=analytic,
        line=line_through(values, point),
        values=values,
        anatomy=lambda _: anatomy,
        size=float(np.abs(A).max()),
    )


def parameters_problem(case: Case, batch: Batch, mistake: Mistake | None = None) -> Problem:
    """Return the gradient by the weights (D, C) or by the biases (C,), penalty included."""
    objective = _objective(case, mistake)
    B, C = len(batch.samples), batch.parameters.shape[1]
    targets = objective.targets(batch.samples.labels, C, np.float64)
    weight = objective.reduction.weight(B)
    features, A = batch.features(), batch.pre_activations()
    by_weights = case.coordinates == "weights"
    W, b = batch.parameters[:-1], batch.parameters[-1]
    point = W if by_weights else b

    def values(points: NDArray[Any]) -> NDArray[Any]:
        found = []
        for part in _parts(points, point.size):
            weights = part if by_weights else np.broadcast_to(W, (len(part), *W.shape))
            biases = np.broadcast_to(b, (len(part), C)) if by_weights else part
            activations = np.matmul(features, weights) + biases[:, None, :]
            value = _values(objective, activations, targets) * weight
            if by_weights:  # to the biases it is a constant, in whose rounding they would drown
                value = value + 0.5 * case.weight_decay * np.square(weights).sum(axis=(1, 2))
            found.append(value)
        return np.concatenate(found)

    def line(coordinates: NDArray[np.intp], offsets: NDArray[Any]) -> NDArray[Any]:
        # One weight moves one column of pre-activations: 800 times cheaper than the product.
        d, c = np.divmod(coordinates, C)
        moving = features.T[d] if by_weights else np.ones((len(d), B))
        found = []
        for chosen in np.array_split(np.arange(len(d)), max(1, len(d) * B * C // _BLOCK)):
            t = offsets[chosen]
            activations = np.repeat(A[None], len(chosen), 0).astype(t.dtype)
            activations[np.arange(len(chosen)), :, c[chosen]] += t[:, None] * moving[chosen]
            value = _values(objective, activations, targets) * weight
            if by_weights and case.weight_decay:
                # what the penalty changes by; the rest of it is a constant
                value = value + 0.5 * case.weight_decay * t * (2 * W[d[chosen], c[chosen]] + t)
            found.append(value)
        return np.concatenate(found)

    def backward(gradient: Floats) -> Floats:
        gradient = gradient * weight
        return features.T @ gradient if by_weights else gradient.sum(axis=0)

    penalty = case.weight_decay * W if case.weight_decay and by_weights else None
    anatomy = _anatomy(case, objective, A, targets, backward, penalty)
    gradient = _step_gradient(objective, batch, targets, case.weight_decay)
    analytic = gradient[:-1] if by_weights else gradient[-1]
    return Problem(
        what=describe(case),
        point=point,
        labels=batch.samples.labels,
        analytic=_distorted(analytic, anatomy, mistake),
        line=line,
        values=values,
        anatomy=lambda _: anatomy,
        size=float(max(np.abs(A).max(), np.abs(point).max())),
    )


def describe(case: Case) -> str:
    """Return the name of a case, as tables and JSON show it."""
    over = "one sample" if case.reduction is None else f"batch {case.reduction}"
    penalty = f", weight decay {case.weight_decay:g}" if case.weight_decay else ""
    return f"{case.model}, {case.loss} by {case.coordinates}, {over}{penalty}"


def line_through(values: Callable[[NDArray[Any]], NDArray[Any]], point: NDArray[Any]) -> Line:
    """Return a function of whole points (P, *shape) as one along single coordinates."""
    flat = point.ravel()

    def line(coordinates: NDArray[np.intp], offsets: NDArray[Any]) -> NDArray[Any]:
        found = []
        pieces = max(1, len(coordinates) * flat.size // _BLOCK)
        for chosen in np.array_split(np.arange(len(coordinates)), pieces):
            points = np.repeat(flat[None], len(chosen), 0).astype(offsets.dtype)
            points[np.arange(len(chosen)), coordinates[chosen]] += offsets[chosen]
            found.append(values(points.reshape(-1, *point.shape)))
        return np.concatenate(found)

    return line


def _parts(points: NDArray[Any], width: int) -> list[NDArray[Any]]:
    return np.array_split(points, max(1, len(points) * width // _BLOCK))


def _objective(case: Case, mistake: Mistake | None) -> Objective:
    loss = LOSSES[case.loss]
    if mistake is not None and mistake.loss is not None and case.loss == mistake.shown_by.loss:
        loss = mistake.loss
    return Objective(MODELS[case.model], loss, REDUCTIONS[case.reduction or "mean"])


def _values(objective: Objective, A: NDArray[Any], targets: Floats) -> NDArray[Any]:
    """Return the losses (P,) of P batches of pre-activations (P, B, C), summed over each."""
    summed: NDArray[Any] = objective.values(A.transpose(1, 0, 2), targets).sum(axis=0)
    return summed


def _step_gradient(
    objective: Objective, batch: Batch, targets: Floats, weight_decay: float
) -> Floats:
    """Return the gradient (D+1, C) as a training step takes it."""
    B = len(batch.samples)
    parameters = batch.parameters[:, None, :]
    products = Products(parameters, B)
    reader = batch.samples.reader(B, np.float64)
    x = reader.read(batch.samples.inputs)
    A = products.pre_activations(x, reader.factor)
    decay = np.array([[weight_decay]]) if weight_decay else None
    gradient = batch_gradient(objective, products, x, reader.factor, A, targets, parameters, decay)
    return gradient[:, 0, :].copy()


def _anatomy(
    case: Case,
    objective: Objective,
    A: Floats,
    targets: Floats,
    backward: Callable[[Floats], Floats],
    penalty: Floats | None = None,
) -> Anatomy:
    outputs, pullback = objective.model.forward(A[:, None, :])
    nothing = np.zeros_like(targets)
    share = objective.loss.gradient(outputs, nothing) - objective.loss.gradient(outputs, targets)
    hit = targets != 0
    return Anatomy(
        coordinates=case.coordinates,
        backward=backward,
        per_sample=objective.gradient(A[:, None, :], targets)[:, 0],
        targets=targets[:, 0],
        target_weights=(float(np.median(share[hit] / targets[hit])),),
        slope=pullback(np.ones_like(outputs))[:, 0],
        averaged=None if case.reduction is None else case.reduction == "mean",
        penalty=penalty,
    )


def _distorted(right: Floats, anatomy: Anatomy, mistake: Mistake | None) -> Floats:
    """Return the gradient with the mistake made, or as it is where it cannot be made."""
    wrong = [] if mistake is None else mistake.distort(right, anatomy)
    return wrong[0] if wrong else right
