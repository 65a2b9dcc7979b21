"""Computes what the answers to the assignment state beyond the numbers of its run folders.

Shapes: B batch, D features, C classes.
"""

from collections.abc import Mapping
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from mnistlab.core.objective import SUBSET_ROWS, format_limit
from mnistlab.experiment.prepare import Plan, plan_on
from mnistlab.optimum import evaluate_elsewhere
from mnistlab.report.proofs import check_derivations, check_softmax, show_stabilisation
from mnistlab.report.run_record import RunRecord
from mnistlab.report.sweep_record import SweepRecord
from mnistlab.report.text import show
from mnistlab.statistics import paired_difference, t_half_width
from mnistlab.store.diff import count_flips


def answer_facts(found: Mapping[str, RunRecord | SweepRecord | None]) -> dict[str, Any]:
    """Return what the answers need, as plain data; None stands for what cannot be had.

    `found` holds the records of `complete_assignment`, by its names.
    """
    runs = {name: one for name, one in found.items() if isinstance(one, RunRecord)}
    linear, sweep = runs.get("linear"), found.get("sweep")
    facts = {
        "runs": {name: one.name for name, one in found.items() if one is not None},
        "checks": check_derivations(),
        "softmax": check_softmax(),
        "stabilisation": show_stabilisation(),
        "control": largest_weight(runs.get("sigmoid_sgd")),
        **dict.fromkeys(("sizes", "optimum", "limit", "overflow", "comparison", "given", "seeds")),
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
        if isinstance(repeated := found.get("seeds"), SweepRecord):
            facts |= {"seeds": compare_over_seeds(repeated, sweep.best, linear)}
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
    """Return the least training loss, and what the weights that reach it are worth elsewhere.

    For validation and test split these are the optimum's accuracy and its difference from that of
    the run, with the interval over the same images.
    """
    best, data = run.optimum, run.dataset
    if best is None or run.gap is None or not best.loss > 0 or data is None:
        return None
    if run.config is None or run.parameters is None or data.validation is None:
        return None
    facts = {
        "loss": show("loss", best.loss),
        "gap": show("loss", run.gap),
        "share": f"{run.gap / best.objective:.1%}",
        "is_near": run.gap < 0.05 * best.objective,
    }
    own = evaluate_elsewhere(run.parameters, run.config, data)
    for split in ("validation", "test"):
        letters = getattr(best, f"{split}_right"), own[f"{split}_right"]
        right, ours = (np.array(list(one), float) for one in letters)
        facts[split] = {"accuracy": f"{right.mean():.2%}", **_difference(right, ours)}
    return facts


def _difference(first: ArrayLike, second: ArrayLike) -> dict[str, Any]:
    """Return by how many percentage points paired shares differ, with the 95 % interval.

    `sign` is that of the difference, 0 where the interval contains zero.
    """
    mean, half = (100 * one for one in paired_difference(first, second))
    shown = f"{mean:+.2f} ± {half:.2f}", f"{mean - half:+.2f} to {mean + half:+.2f}"
    value, interval = (one.replace("-", "\N{MINUS SIGN}") for one in shown)
    sign = 0 if abs(mean) <= half else 1 if mean > 0 else -1
    return {"shown": value, "interval": interval, "sign": sign}


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


def compare_over_seeds(
    sweep: SweepRecord, best: RunRecord, given: RunRecord
) -> dict[str, Any] | None:
    """Return what a sweep over seeds says of two settings; None if it has fewer than two seeds.

    For each split these are the accuracies of `best` and `given`, means with intervals, and the
    difference paired by seed. `excess` is by how many points the accuracy by which the best was
    chosen exceeds its mean. Of the `pairs` of runs that have the given setting and differ in the
    seed alone, McNemar's p is below 5 % in `unlike`.
    """
    keys = ("validation.accuracy", "test.accuracy")
    known = {"seed", *keys}
    done = [run for run in sweep.runs if run.status == "completed" and run.facts.keys() >= known]
    ours, theirs = (
        {run.facts["seed"]: run for run in done if run.setting == one.setting}
        for one in (best, given)
    )
    seeds = sorted(ours.keys() & theirs.keys())
    if len(seeds) < 2:
        return None
    facts: dict[str, Any] = {"count": len(seeds), "seeds": f"{seeds[0]} to {seeds[-1]}"}
    for key in keys:
        first, second = ([runs[seed].facts[key] for seed in seeds] for runs in (ours, theirs))
        means = {"best": _mean(first), "given": _mean(second)}
        facts[key.partition(".")[0]] = {**means, **_difference(first, second)}
        if key == "validation.accuracy":
            excess = 100 * (best.facts.get(key, np.nan) - float(np.mean(first)))
    pairs = [_compare(theirs[one], theirs[other]) for one, other in combinations(seeds, 2)]
    p = [float(pair["p"]) for pair in pairs if pair is not None]
    facts |= {"pairs": len(p), "unlike": sum(one < 0.05 for one in p)}
    is_same = best.setting == given.setting
    return {**facts, "is_same": is_same, "excess": f"{excess:.2f}", "fell": excess > 0}


def _mean(scores: list[float]) -> str:
    return f"{np.mean(scores):.2%} ± {t_half_width(scores):.2%}"


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
