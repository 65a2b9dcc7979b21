"""Which gradients of ours are checked, as problems: the code that trains against plain formulas.

Checked are the softmax, every pair of model and loss, or what a config trains. The values come from
models and losses applied to features and parameters written out plainly; the gradients come from
the very function that takes a training step.

Shapes: B batch, D features, C columns of a model (its classes, or their pairs), P evaluations at
once.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mnistlab.core.losses import LOSSES
from mnistlab.core.models import INITIALIZERS, MODELS
from mnistlab.core.objective import (
    REDUCTIONS,
    Objective,
    Products,
    batch_gradient,
    coding_of,
    trainable_pairs,
)
from mnistlab.core.samples import Samples
from mnistlab.gradcheck.check import BLOCK, Check, Options, Problem, Verdict, check
from mnistlab.gradcheck.differences import Floats
from mnistlab.gradcheck.mistakes import Anatomy, Case, Mistake
from mnistlab.gradcheck.verdicts import probe_softmax, probe_stability

if TYPE_CHECKING:
    from mnistlab.config.schema import Config
    from mnistlab.datasets import Progress

ANSWERS = {
    str(Case("linear", "squared_error", "weights")): "question 1 (a)",
    str(Case("linear", "squared_error", "biases")): "question 1 (a)",
    str(Case("linear", "squared_error", "weights", "sum")): "question 1 (b)",
    str(Case("linear", "squared_error", "biases", "sum")): "question 1 (b)",
    str(Case("sigmoid", "squared_error", "weights")): "question 1 (e)",
    str(Case("sigmoid", "squared_error", "biases")): "question 1 (e)",
    str(Case("linear", "softmax_cross_entropy")): "question 2 (a)",
}
"""Which questions of the assignment the gradients answer."""

_B, _D = 5, 12
"""Samples and features of random batches: enough to tell them from classes and from each other."""
_IMAGES = 16
"""Images of a config's data: a batch of 100 takes six times as long and proves no more."""


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
    point = A[0] if case.reduction is None else A
    return _problem(case, A, labels, point, np.eye(len(A)), np.zeros_like(A), None, mistake)


def parameters_problem(case: Case, batch: Batch, mistake: Mistake | None = None) -> Problem:
    """Return the gradient by the weights (D, C) or by the biases (C,), penalty included."""
    A, X, W, b = (
        batch.pre_activations(), batch.features(), batch.parameters[:-1], batch.parameters[-1]
    )  # fmt: skip
    objective = _objective(case, mistake)
    targets = objective.coding.targets(batch.samples.labels, len(b), np.float64)
    gradient = _step_gradient(objective, batch, targets, case.weight_decay)
    labels = batch.samples.labels
    if case.coordinates == "weights":
        return _problem(case, A, labels, W, X.T, b, gradient[:-1], mistake)
    return _problem(case, A, labels, b, np.ones((1, len(A))), X @ W, gradient[-1], mistake)


def _problem(
    case: Case,
    A: Floats,
    labels: NDArray[np.integer],
    point: Floats,
    moving: Floats,
    rest: Floats,
    gradient: Floats | None,
    mistake: Mistake | None,
) -> Problem:
    """Return the gradient at a point whose matrix (n, C) makes A = moving^T matrix + rest, (B, C).

    Without a `gradient` it is the objective's by A.
    """
    objective, (B, C) = _objective(case, mistake), A.shape
    targets = objective.coding.targets(labels, C, np.float64)
    weight = objective.reduction(B)
    # to the biases the penalty is a constant, in whose rounding they would drown
    decay = case.weight_decay if case.coordinates == "weights" else 0.0

    def loss(activations: NDArray[Any]) -> NDArray[Any]:
        """Return the losses (P,) of P batches of pre-activations (P, B, C), each reduced."""
        summed: NDArray[Any] = objective.values(activations.transpose(1, 0, 2), targets).sum(axis=0)
        return summed * weight

    def values(points: NDArray[Any]) -> NDArray[Any]:
        matrices = points.reshape(len(points), -1, C)
        value = loss(np.matmul(moving.T, matrices) + rest)
        value += 0.5 * decay * np.square(matrices).sum(axis=(1, 2))
        return value

    def line(coordinates: NDArray[np.intp], offsets: NDArray[Any]) -> NDArray[Any]:
        # One weight moves one column of pre-activations: 800 times cheaper than the product.
        rows, columns = np.divmod(coordinates, C)
        found = []
        for chosen in np.array_split(np.arange(len(rows)), max(1, len(rows) * B * C // BLOCK)):
            t, row, column = offsets[chosen], rows[chosen], columns[chosen]
            activations = np.repeat(A[None], len(chosen), 0).astype(t.dtype)
            activations[np.arange(len(chosen)), :, column] += t[:, None] * moving[row]
            # what the penalty changes by; the rest of it is a constant
            moved = 2 * point.reshape(-1, C)[row, column] + t if decay else 0.0
            found.append(loss(activations) + 0.5 * decay * t * moved)
        return np.concatenate(found)

    def backward(dA: Floats) -> Floats:
        return (moving @ (dA * weight)).reshape(point.shape)

    penalty = decay * point if decay else None
    anatomy = _anatomy(case, objective, A, targets, backward, penalty)
    right = backward(anatomy.per_sample) if gradient is None else gradient
    wrong = [] if mistake is None else mistake.distort(right, anatomy)
    return Problem(
        what=str(case),
        point=point,
        labels=labels,
        analytic=wrong[0] if wrong else right,
        line=line,
        values=values,
        anatomy=lambda _: anatomy,
        size=float(max(np.abs(A).max(), np.abs(point).max())),
    )


def _objective(case: Case, mistake: Mistake | None) -> Objective:
    loss = LOSSES[case.loss]
    if mistake is not None and mistake.loss is not None and case.loss == mistake.shown_by.loss:
        loss = mistake.loss
    return Objective(MODELS[case.model], loss, REDUCTIONS[case.reduction or "mean"])


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


def check_all(options: Options) -> Iterator[Check]:
    """Yield every model with every loss, by all coordinates, for a sample and for batches."""
    for (model, loss), coordinates, reduction in product(
        trainable_pairs(), ("pre-activations", "weights", "biases"), (None, "mean", "sum")
    ):
        yield from check_case(Case(model, loss, coordinates, reduction), options)


def check_config(config: "Config", options: Options, progress: "Progress") -> Iterator[Check]:
    """Yield the gradients that a config trains with, on images of its data, penalty included."""
    # a file of a stranger is judged in a process of its own, which needs none of this
    from mnistlab.experiment.prepare import open_data  # noqa: PLC0415

    dataset = open_data(config, progress)
    generator = np.random.default_rng(options.seed)
    C = coding_of(MODELS[config.model]).columns(len(dataset.classes))
    train = dataset.train
    init, scale = INITIALIZERS[config.init], config.init_scale or 0.0
    for _ in range(options.points):
        count = min(_IMAGES, config.batch_size, len(train))
        chosen = np.sort(generator.choice(len(train), count, replace=False))
        D = train.feature_count
        # Away from where training starts: at weights of zero too much is symmetric.
        weights = init.weights(D, C, scale, generator) + generator.normal(0, 0.05, (D, C))
        biases = generator.normal(0, 0.1, (1, C))
        batch = Batch(train.take(chosen), np.vstack((weights, biases)))
        case = Case(config.model, config.loss, reduction=config.reduction)
        A, labels = batch.pre_activations(), batch.samples.labels
        problem = activations_problem(case, A, labels, options.made())
        yield check(problem, options.method, generator)
        for coordinates in ("weights", "biases"):
            case = replace(case, coordinates=coordinates, weight_decay=config.weight_decay)
            problem = parameters_problem(case, batch, options.made())
            yield check(problem, options.method, generator)


def probe_ours(options: Options) -> list[Verdict]:
    """Return the properties of our softmax and its loss, a mistake of theirs included."""
    loss = _objective(Case(), options.made()).loss
    C, eye = options.classes, np.eye(options.classes)

    def value(a: Floats, label: int) -> float:
        return float(loss.value(a[None, None], eye[[label]][:, None])[0, 0])

    def gradient(a: Floats, label: int) -> Floats:
        derivative: Floats = loss.gradient(a[None, None], eye[[label]][:, None])[0, 0]
        return derivative

    def outputs(A: Floats) -> Floats:
        return np.stack([gradient(a, 0) + eye[0] for a in A])

    return [*probe_softmax(outputs, C, options.seed), *probe_stability(value, gradient, C)]


def check_case(case: Case, options: Options) -> Iterator[Check]:
    """Yield a case at random points; pre-activations have the spread that was asked for."""
    generator = np.random.default_rng(options.seed)
    C, P = options.classes, coding_of(MODELS[case.model]).columns(options.classes)
    B = 1 if case.reduction is None else _B
    for _ in range(options.points):
        if case.coordinates == "pre-activations":
            A = generator.normal(0, options.scale, (B, P))
            labels = generator.integers(C, size=B)
            problem = activations_problem(case, A, labels, options.made())
        else:
            images = generator.integers(0, 256, (B, _D)).astype(np.uint8)
            samples = Samples(images, generator.integers(C, size=B))
            parameters = generator.normal(0, options.scale / np.sqrt(_D / 3), (_D + 1, P))
            problem = parameters_problem(case, Batch(samples, parameters), options.made())
        yield check(problem, options.method, generator)
