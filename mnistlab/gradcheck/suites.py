"""Which gradients of ours are checked: the softmax, every pair of model and loss, or a config.

Shapes: B batch, D features, C classes.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mnistlab.core.losses import LOSSES, softmax
from mnistlab.core.models import INITIALIZERS, MODELS
from mnistlab.core.objective import coding_of, trainable_pairs
from mnistlab.core.samples import Samples
from mnistlab.gradcheck.check import check
from mnistlab.gradcheck.mistakes import MISTAKES, Case, Mistake
from mnistlab.gradcheck.problems import Batch, activations_problem, describe, parameters_problem
from mnistlab.gradcheck.verdicts import Probe, Verdict, probe_softmax, probe_stability

if TYPE_CHECKING:
    from mnistlab.config.schema import Config
    from mnistlab.datasets.cache import Progress

Floats = NDArray[np.floating]

COORDINATES = ("pre-activations", "weights", "biases")
REDUCTIONS = (None, "mean", "sum")

ANSWERS = {
    describe(Case("linear", "squared_error", "weights")): "question 1 (a)",
    describe(Case("linear", "squared_error", "biases")): "question 1 (a)",
    describe(Case("linear", "squared_error", "weights", "sum")): "question 1 (b)",
    describe(Case("linear", "squared_error", "biases", "sum")): "question 1 (b)",
    describe(Case("sigmoid", "squared_error", "weights")): "question 1 (e)",
    describe(Case("sigmoid", "squared_error", "biases")): "question 1 (e)",
    describe(Case("linear", "softmax_cross_entropy")): "question 2 (a)",
}
"""Which questions of the assignment the gradients answer."""

_B, _D = 5, 12
"""Samples and features of random batches: enough to tell them from classes and from each other."""
_IMAGES = 16
"""Images of a config's data: a batch of 100 takes six times as long and proves no more."""


@dataclass(frozen=True)
class Options:
    """How gradients are checked, whichever they are.

    Attributes:
        scale: the standard deviation of random pre-activations.
        mistake: the name of a mistake to make on purpose.
    """

    points: int = 3
    classes: int = 10
    seed: int = 0
    scale: float = 1.0
    method: str = "central"
    mistake: str | None = None

    def made(self) -> Mistake | None:
        """Return the mistake to make, None for none; raise UnknownNameError for one unheard of."""
        return None if self.mistake is None else MISTAKES[self.mistake]


def default_case(options: Options) -> Case:
    """Return the softmax cross-entropy, or the case in which a mistake shows."""
    mistake = options.made()
    return Case() if mistake is None else mistake.shown_by


def check_default(options: Options) -> Iterator[Verdict]:
    """Yield the default case's gradient at random points."""
    yield from check_case(default_case(options), options)


def check_all(options: Options) -> Iterator[Verdict]:
    """Yield every model with every loss, by all coordinates, for a sample and for batches."""
    for (model, loss), coordinates, reduction in product(
        trainable_pairs(), COORDINATES, REDUCTIONS
    ):
        yield from check_case(Case(model, loss, coordinates, reduction), options)


def check_config(config: "Config", options: Options, progress: "Progress") -> Iterator[Verdict]:
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
        for coordinates in COORDINATES:
            decay = 0.0 if coordinates == "pre-activations" else config.weight_decay
            case = Case(config.model, config.loss, coordinates, config.reduction, decay)
            yield _check_batch(case, batch, options, generator)


def probe_ours(options: Options) -> list[Probe]:
    """Return the properties of our softmax and its loss, a mistake of theirs included."""
    mistake = options.made()
    loss = LOSSES["softmax_cross_entropy"]
    if mistake is not None and mistake.loss is not None:
        loss = mistake.loss
    C, eye = options.classes, np.eye(options.classes)

    def value(a: Floats, label: int) -> float:
        return float(loss.value(a[None, None], eye[[label]][:, None])[0, 0])

    def gradient(a: Floats, label: int) -> Floats:
        derivative: Floats = loss.gradient(a[None, None], eye[[label]][:, None])[0, 0]
        return derivative

    def outputs(A: Floats) -> Floats:
        unshifted = mistake is not None and mistake.loss is not None
        rows = [gradient(a, 0) + eye[0] for a in A]
        probabilities: Floats = np.stack(rows) if unshifted else softmax(A)
        return probabilities

    return [*probe_softmax(outputs, C, options.seed), *probe_stability(value, gradient, C)]


def check_case(case: Case, options: Options) -> Iterator[Verdict]:
    """Yield a case at random points; pre-activations have the spread that was asked for."""
    generator = np.random.default_rng(options.seed)
    C, P = options.classes, coding_of(MODELS[case.model]).columns(options.classes)
    B = 1 if case.reduction is None else _B
    for _ in range(options.points):
        if case.coordinates == "pre-activations":
            A = generator.normal(0, options.scale, (B, P))
            labels = generator.integers(C, size=B)
            problem = activations_problem(case, A, labels, options.made())
            yield Verdict.of(check(problem, options.method, generator))
        else:
            batch = _random_batch(B, C, P, options.scale, generator)
            yield _check_batch(case, batch, options, generator)


def _random_batch(B: int, C: int, P: int, scale: float, generator: np.random.Generator) -> Batch:
    """Return random images and parameters (D+1, P) whose pre-activations have this spread."""
    samples = Samples(
        generator.integers(0, 256, (B, _D)).astype(np.uint8), generator.integers(C, size=B)
    )
    parameters = generator.normal(0, scale / np.sqrt(_D / 3), (_D + 1, P))
    return Batch(samples, parameters)


def _check_batch(
    case: Case, batch: Batch, options: Options, generator: np.random.Generator
) -> Verdict:
    if case.coordinates == "pre-activations":
        labels = batch.samples.labels
        problem = activations_problem(case, batch.pre_activations(), labels, options.made())
    else:
        problem = parameters_problem(case, batch, options.made())
    return Verdict.of(check(problem, options.method, generator))
