"""Computes what the answers to the assignment state beyond the numbers of its run folders.

Shapes: B batch, D features, C classes.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from mnistlab.core.objective import SUBSET_ROWS, format_limit
from mnistlab.experiment.prepare import Plan, plan_on
from mnistlab.report.proofs import check_derivations, check_softmax, show_stabilisation
from mnistlab.report.run_record import RunRecord
from mnistlab.report.sweep_record import SweepRecord
from mnistlab.report.text import show
from mnistlab.store.diff import count_flips

NEEDED = ("linear", "linear_overflow", "sigmoid", "sigmoid_sgd", "softmax", "best", "sweep")
"""The runs that the answers rest on, by the names of their configs, and the sweep."""


def answer_facts(found: Mapping[str, RunRecord | SweepRecord | None]) -> dict[str, Any]:
    """Return what the answers need, as plain data; None stands for what cannot be had.

    `found` holds a record for each name of NEEDED that there is.
    """
    runs = {name: one for name, one in found.items() if isinstance(one, RunRecord)}
    linear, sweep = runs.get("linear"), found.get("sweep")
    facts = {
        "runs": {name: None if (one := found.get(name)) is None else one.name for name in NEEDED},
        "checks": check_derivations(),
        "softmax": check_softmax(),
        "stabilisation": show_stabilisation(),
        "control": largest_weight(runs.get("sigmoid_sgd")),
        **dict.fromkeys(("sizes", "optimum", "limit", "overflow", "comparison", "given")),
    }
    if linear is not None:
        facts |= {"sizes": _sizes(linear), "optimum": _optimum(linear)}
        if linear.config is not None and linear.dataset is not None:
            plan = plan_on(linear.dataset, [linear.config])
            facts |= {"limit": _limit(plan)}
            facts |= {"overflow": _overflow(runs.get("linear_overflow"), plan.curvature.largest)}
    if linear is not None and isinstance(sweep, SweepRecord) and sweep.best is not None:
        facts |= {"comparison": _compare(sweep.best, linear)}
        facts |= {"given": find_given(sweep, sweep.best, linear)}
    return facts


def _sizes(run: RunRecord) -> dict[str, Any] | None:
    """Return how many images there are, the steps of an epoch and the batch size."""
    if run.config is None or run.dataset is None:
        return None
    data, B = run.dataset, run.config.batch_size
    splits = {"train": data.train, "validation": data.validation or (), "test": data.test}
    sizes = {name: f"{len(split):,}" for name, split in splits.items()}
    steps = -(-len(data.train) // B)
    return {**sizes, "steps": steps, "B": B}


def _limit(plan: Plan) -> dict[str, str] | None:
    """Return the largest stable learning rates: for all images, for a batch's mean and its sum."""
    curve, limit, batch_size = plan.curvature, plan.limits[0], plan.configs[0].batch_size
    if limit is None:
        return None
    return {
        "full": format_limit(1 / curve.largest),
        "mean": format_limit(limit),
        "sum": format_limit(limit / batch_size),
        "eigenvalue": f"{curve.largest:.3g}",
        "single": f"{curve.single:.4g}",
        "images": f"{min(SUBSET_ROWS, len(plan.dataset.train)):,}",
    }


def _overflow(run: RunRecord | None, eigenvalue: float) -> dict[str, str] | None:
    """Return when a run's loss overflowed, and its growth a step, measured and predicted."""
    steps, losses = ([], []) if run is None else run.divergence
    lost = [step for step, loss in zip(steps, losses, strict=True) if not np.isfinite(loss)]
    finite = [loss for loss in losses if 0 < loss < np.inf]
    half = finite[len(finite) // 2 :]
    if run is None or run.config is None or not lost or len(half) < 2:
        return None
    times = run.config.learning_rate * eigenvalue
    factor = 1 - 2 * times
    return {
        "step": str(lost[0]),
        "dtype": run.config.dtype,
        "times": f"{times:.1f}",
        "factor": show("factor", round(factor, 1)),
        "predicted": f"{factor**2:.0f}",
        "measured": f"{(half[-1] / half[0]) ** (1 / (len(half) - 1)):.0f}",
    }


def _optimum(run: RunRecord) -> dict[str, Any] | None:
    """Return the least training loss and what the weights that reach it are worth."""
    best = run.optimum
    if best is None or run.gap is None or not best.loss > 0:
        return None
    return {
        "loss": show("loss", best.loss),
        "gap": show("loss", run.gap),
        "share": f"{run.gap / best.objective:.1%}",
        "is_near": run.gap < 0.05 * best.objective,
        "validation_accuracy": show("accuracy", best.validation_accuracy),
        "test_accuracy": show("accuracy", best.test_accuracy),
    }


def largest_weight(run: RunRecord | None) -> str | None:
    """Return the largest weight in size; biases are no weights."""
    if run is None or run.parameters is None:
        return None
    return f"{float(np.abs(run.parameters[:-1]).max()):.3g}"


def _compare(best: RunRecord, linear: RunRecord) -> dict[str, Any] | None:
    """Return on how many test images only one of two runs is right, and McNemar's p."""
    theirs, data = best.dataset, linear.dataset
    if theirs is None or data is None or theirs.sha256 != data.sha256:
        return None
    if best.predictions is None or linear.predictions is None:
        return None
    flips = count_flips(best.predictions, linear.predictions, data.test.labels, data.classes)
    only = {"only_best": flips.only_first, "only_given": flips.only_second}
    return {"images": f"{flips.images:,}", **only, "p": f"{flips.p:.2g}"}


def find_given(sweep: SweepRecord, best: RunRecord, linear: RunRecord) -> dict[str, Any] | None:
    """Return the trial that has the given setting and its rank, None if there is none.

    `is_tie` says whether the sweep could not tell it from its best trial.
    """
    own, other = ({**one.flat_config, "name": None} for one in (linear, best))
    apart = {key for key in {*own, *other} if own.get(key) != other.get(key)}
    for rank, trial in enumerate(sweep.ranked_trials, 1):
        parameters = trial["parameters"]
        if apart <= set(parameters) and all(own.get(key) == parameters[key] for key in parameters):
            is_tie = rank == 1 or trial["trial"] in sweep.ties
            return {"trial": trial["trial"], "rank": rank, "is_tie": is_tie}
    return None
