"""Computes what the answers to the assignment state beyond the numbers of its run folders.

Shapes: B batch, D features, C classes.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from mnistlab.core.losses import LOSSES
from mnistlab.core.models import MODELS
from mnistlab.core.objective import REDUCTIONS, Objective
from mnistlab.core.optimizers import OPTIMIZERS
from mnistlab.core.stability import (
    SUBSET_ROWS,
    format_limit,
    largest_eigenvalue,
    stability_limit,
)
from mnistlab.datasets import Dataset
from mnistlab.report.listings import read_listings
from mnistlab.report.proofs import check_derivations, check_softmax, show_stabilisation
from mnistlab.report.run_record import RunRecord
from mnistlab.report.sweep_record import SweepRecord
from mnistlab.report.text import show
from mnistlab.statistics import mcnemar_p

NEEDED = ("linear", "linear_overflow", "sigmoid", "sigmoid_sgd", "softmax", "best", "sweep")
"""The runs that the answers rest on, by the names of their configs, and the sweep."""


def answer_facts(found: Mapping[str, RunRecord | SweepRecord | None]) -> dict[str, Any]:
    """Return what the answers need, as plain data; None stands for what cannot be had.

    `found` holds a record for each name of NEEDED that there is.
    """
    linear, overflow, control, sweep = (
        found.get(name) for name in ("linear", "linear_overflow", "sigmoid_sgd", "sweep")
    )
    linear, overflow, control = map(_run, (linear, overflow, control))
    best = sweep.best if isinstance(sweep, SweepRecord) else None
    names = {name: None if (one := found.get(name)) is None else one.name for name in NEEDED}
    return {
        "runs": names,
        "listings": read_listings(),
        "checks": check_derivations(),
        "softmax": check_softmax(),
        "stabilisation": show_stabilisation(),
        "sizes": _sizes(linear),
        "limit": _limit(linear),
        "overflow": _overflow(overflow),
        "optimum": _optimum(linear),
        "comparison": _compare(best, linear),
        "given": _given(sweep, best, linear),
        "control": largest_weight(control),
    }


def _run(record: RunRecord | SweepRecord | None) -> RunRecord | None:
    return record if isinstance(record, RunRecord) else None


def _sizes(run: RunRecord | None) -> dict[str, int] | None:
    """Return how many images there are, and the letters of the shapes in the run."""
    if run is None or run.config is None or run.dataset is None:
        return None
    data, B = run.dataset, run.config.batch_size
    return {
        "train": len(data.train),
        "validation": len(data.validation or ()),
        "test": len(data.test),
        "B": B,
        "D": data.train.images[0].size,
        "C": len(data.classes),
        "steps": -(-len(data.train) // B),
    }


def _limit(run: RunRecord | None) -> dict[str, str] | None:
    """Return the largest eigenvalue of a run's data and the learning rates that it allows.

    It is estimated from as many images as the warning before a training, so both say the same.
    """
    if run is None or run.config is None or run.dataset is None:
        return None
    eigenvalue = _eigenvalue(run.dataset)
    mean, added = (_stable_rate(run, eigenvalue, name) for name in ("mean", "sum"))
    if mean is None or added is None:
        return None
    return {
        "images": f"{min(SUBSET_ROWS, len(run.dataset.train)):,}",
        "eigenvalue": f"{eigenvalue:.1f}",
        "mean": format_limit(mean),
        "sum": format_limit(added),
    }


def _eigenvalue(dataset: Dataset) -> float:
    return largest_eigenvalue(dataset.train, dataset.pixels, SUBSET_ROWS)


def _stable_rate(run: RunRecord, eigenvalue: float, reduction: str) -> float | None:
    """Return the largest stable learning rate of a run's setting under a reduction."""
    config = run.config
    assert config is not None  # noqa: S101 - asked for runs with a config only
    objective = Objective(MODELS[config.model], LOSSES[config.loss], REDUCTIONS[reduction])
    return stability_limit(
        eigenvalue,
        objective,
        OPTIMIZERS[config.optimizer],
        momentum=config.momentum or 0.0,
        weight_decay=config.weight_decay,
        batch_size=config.batch_size,
    )


def _overflow(run: RunRecord | None) -> dict[str, str] | None:
    """Return when a run's loss overflowed, and its growth a step, measured and predicted."""
    if run is None or run.config is None or run.dataset is None:
        return None
    steps, losses = run.divergence
    lost = [step for step, loss in zip(steps, losses, strict=True) if not np.isfinite(loss)]
    finite = [loss for loss in losses if 0 < loss < np.inf]
    half = finite[len(finite) // 2 :]
    rate = _stable_rate(run, _eigenvalue(run.dataset), run.config.reduction)
    if rate is None or not lost or len(half) < 2:
        return None
    factor = 1 - 2 * run.config.learning_rate / rate
    measured = np.exp((np.log(half[-1]) - np.log(half[0])) / (len(half) - 1))
    return {
        "step": str(lost[0]),
        "dtype": run.config.dtype,
        "times": f"{run.config.learning_rate / rate:.1f}",
        "factor": f"{factor:.1f}",
        "predicted": f"{factor**2:.0f}",
        "measured": f"{measured:.0f}",
    }


def _optimum(run: RunRecord | None) -> dict[str, Any] | None:
    """Return the least training loss and what the weights that reach it are worth."""
    if run is None or run.optimum is None or run.gap is None or not run.optimum.loss > 0:
        return None
    best, own = run.optimum, largest_weight(run)
    return {
        "loss": f"{best.loss:.4f}",
        "gap": f"{run.gap:.4f}",
        "share": f"{run.gap / best.objective:.1%}",
        "validation_accuracy": show("accuracy", best.validation_accuracy),
        "test_accuracy": show("accuracy", best.test_accuracy),
        "test_loss": f"{best.test_loss:.2f}" if best.test_loss is not None else None,
        "largest_weight": None if best.largest_weight is None else f"{best.largest_weight:.3g}",
        "own_largest_weight": own,
    }


def largest_weight(run: RunRecord | None) -> str | None:
    """Return the largest weight in size; biases are no weights."""
    if run is None or run.parameters is None:
        return None
    return f"{float(np.abs(run.parameters[:-1]).max()):.3g}"


def _compare(best: RunRecord | None, linear: RunRecord | None) -> dict[str, Any] | None:
    """Return on how many test images only one of two runs is right, and McNemar's p."""
    if best is None or linear is None or best.dataset is None or linear.dataset is None:
        return None
    if best.dataset.sha256 != linear.dataset.sha256:
        return None
    if best.predictions is None or linear.predictions is None:
        return None
    labels = linear.dataset.test.labels
    ours, theirs = best.predictions == labels, linear.predictions == labels
    only_best, only_linear = int((ours & ~theirs).sum()), int((theirs & ~ours).sum())
    return {
        "images": f"{len(labels):,}",
        "only_best": only_best,
        "only_given": only_linear,
        "p": f"{mcnemar_p(only_best, only_linear):.2g}",
    }


def _given(
    sweep: RunRecord | SweepRecord | None, best: RunRecord | None, linear: RunRecord | None
) -> dict[str, Any] | None:
    """Return the trial that has the given setting and its rank, None if there is none.

    `is_tie` says whether the sweep could not tell it from its best trial.
    """
    if not isinstance(sweep, SweepRecord) or best is None or linear is None:
        return None
    own, other = ({**one.flat_config, "name": None} for one in (linear, best))
    apart = {key for key in {*own, *other} if own.get(key) != other.get(key)}
    for rank, trial in enumerate(sweep.ranked_trials, 1):
        parameters = trial["parameters"]
        if apart <= set(parameters) and all(own.get(key) == parameters[key] for key in parameters):
            is_tie = rank == 1 or trial["trial"] in sweep.ties
            return {"trial": trial["trial"], "rank": rank, "is_tie": is_tie}
    return None
