"""The largest learning rate that a run's data and setting can bear, for the answer to (e)."""

from dataclasses import dataclass

from mnistlab.core.losses import LOSSES
from mnistlab.core.models import MODELS
from mnistlab.core.objective import (
    REDUCTIONS,
    Objective,
    format_limit,
    largest_eigenvalue,
    stability_limit,
)
from mnistlab.core.optimizers import OPTIMIZERS
from mnistlab.datasets import Dataset
from mnistlab.report.answers.symbols import at
from mnistlab.report.collect import ReportRun
from mnistlab.report.formula import Formula, Part, fence, row


@dataclass(frozen=True)
class Limit:
    """How large a learning rate a run's data can bear.

    `eigenvalue` is the largest of the mean outer product of [x, 1] over the training split,
    `curvature` the loss' second derivative by an output, `images` by how many a step's gradient
    is larger than that of a mean (1 for a mean, the batch size for a sum), and `rate` the largest
    stable learning rate. `is_plain` says whether a step subtracts nothing but the gradient.
    """

    eigenvalue: float
    curvature: float
    images: float
    weight_decay: float
    rate: float
    is_plain: bool

    def factor(self, rate: float) -> float | None:
        """Return what a step multiplies the steepest distance by, None for one with a memory."""
        return 1 - 2 * rate / self.rate if self.is_plain else None

    @property
    def growth(self) -> Formula:
        """What the learning rate of plain descent is multiplied by: κ λ n + decay, in letters."""
        parts: list[Part] = ["κ", at("λ", "max")]
        parts += ["n"] if self.images != 1 else []
        parts += ["+", "d"] if self.weight_decay else []
        return fence(*parts)

    @property
    def equation(self) -> Formula:
        """The limit of plain descent with its own numbers: 2 / (κ · λ · n + decay) ≈ limit."""
        parts = [f"{self.curvature:g}", "·", f"{self.eigenvalue:.2f}"]
        parts += ["·", f"{self.images:g}"] if self.images != 1 else []
        parts += ["+", f"{self.weight_decay:g}"] if self.weight_decay else []
        return row(
            "2", "/", self.growth, "≈", "2", "/", fence(*parts), "≈", format_limit(self.rate)
        )


def find_limit(run: ReportRun | None) -> Limit | None:
    """Return the limit that a run's data and loss set, None where there is none or no data."""
    return find_limits(run)[0]


def find_limits(*runs: ReportRun | None) -> list[Limit | None]:
    """Return the limit of each run; the eigenvalue of data that they share is computed once."""
    known: list[tuple[Dataset, float]] = []
    found: list[Limit | None] = []
    for run in runs:
        dataset = None if run is None or run.checked_config is None else run.dataset
        if run is None or dataset is None:
            found.append(None)
            continue
        same = [eigenvalue for one, eigenvalue in known if one is dataset]
        if not same:
            same = [largest_eigenvalue(dataset.train, dataset.pixels)]
            known.append((dataset, same[0]))
        found.append(limit_at(run, same[0]))
    return found


def limit_at(run: ReportRun, eigenvalue: float, reduction: str | None = None) -> Limit | None:
    """Return the limit of a run whose data has this eigenvalue, under its or another reduction."""
    config, dataset = run.checked_config, run.dataset
    if config is None or dataset is None:
        return None
    reduced = REDUCTIONS[reduction or config.reduction]
    objective = Objective(MODELS[config.model], LOSSES[config.loss], reduced)
    optimizer, momentum = OPTIMIZERS[config.optimizer], config.momentum or 0.0
    batch_size = min(config.batch_size, len(dataset.train))
    rate = stability_limit(
        eigenvalue,
        objective,
        optimizer,
        momentum=momentum,
        weight_decay=config.weight_decay,
        batch_size=batch_size,
    )
    curvature = objective.loss.curvature
    if rate is None or curvature is None:
        return None
    return Limit(
        eigenvalue,
        curvature,
        reduced.weight(batch_size) * batch_size,
        config.weight_decay,
        rate,
        optimizer.stability(momentum) == 2,
    )
