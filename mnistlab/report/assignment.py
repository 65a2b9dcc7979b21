"""Finds or trains the runs that the assignment rests on, and computes what its answers state.

The numerical checks of the derivations are among it: they are computed anew for each report.

Shapes: B batch, D features, C classes.
"""

from collections.abc import Callable, Mapping
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from mnistlab.config.config_files import shipped_configs
from mnistlab.config.load import load_config
from mnistlab.core.losses import LOSSES
from mnistlab.core.losses import softmax as our_softmax
from mnistlab.core.models import ONE_HOT
from mnistlab.core.objective import SUBSET_ROWS, format_limit
from mnistlab.experiment import Reporter, prepare, train_run
from mnistlab.experiment.prepare import Plan, open_data, plan_on, with_absolute_data
from mnistlab.experiment.recorder import find_run_of
from mnistlab.experiment.training import evaluate_test
from mnistlab.gradcheck.check import Options
from mnistlab.gradcheck.differences import COMPLEX_STEP, FIRST_STEP, LEVELS
from mnistlab.gradcheck.mistakes import Case
from mnistlab.gradcheck.suites import check_case, probe_ours
from mnistlab.optimum import evaluate_elsewhere
from mnistlab.plots.drawing import Painter
from mnistlab.report.records import DASH, RunRecord, SweepRecord, show
from mnistlab.run_folders import RunFolder
from mnistlab.run_folders.folder import SweepFolder
from mnistlab.statistics import paired_difference, t_half_width
from mnistlab.store.compare import count_flips
from mnistlab.sweeps.plan import configs_of_runs
from mnistlab.sweeps.run import complete_sweep
from mnistlab.sweeps.storage import best_run
from mnistlab.sweeps.sweep_schema import Metric
from mnistlab.sweeps.trials import load_sweep, repeat_settings
from mnistlab.sweeps.workers import SweepReporter

RUNS = ("linear", "linear_overflow", "sigmoid", "sigmoid_sgd", "softmax", "best")
"""The configs of the assignment's runs; `sweeps/assignment` looks for the best combination."""

FRESH_SEEDS = 10
"""Seeds by which the sweep's winner and the given setting are compared; none chose the winner."""

CASES = (
    *(Case("linear", "squared_error", by, over)
      for by in ("weights", "biases") for over in (None, "sum", "mean")),
    *(Case("sigmoid", "squared_error", by, over)
      for by in ("weights", "biases") for over in (None, "sum")),
    Case("linear", "softmax_cross_entropy"),
)  # fmt: skip
"""The gradients that the assignment derives; all that there are would take a second more."""

EXAMPLES = ((1000.0, 1001.0, 1002.0), (88.0, 89.0, 90.0), (-1000.0, 0.0, 1000.0))
"""Pre-activations at which the definition of the softmax, computed as written, fails."""


def complete_assignment(
    runs_dir: Path,
    reporter: Reporter,
    sweep_reporter: Callable[[Metric], SweepReporter],
    start_painter: Callable[[], Painter],
) -> dict[str, RunFolder]:
    """Return the assignment's runs by the names of their configs, and its sweeps.

    `sweep` looks for the best combination. `seeds` repeats its winner and the given setting; it is
    left out where the sweep has no winner. Those that the runs folder does not hold are trained
    first. A run is there if one with the same config, data and code has ended and is whole.
    Raises what cuts a training short.
    """
    shipped = shipped_configs()
    configs = {name: with_absolute_data(load_config(shipped[name])) for name in RUNS}
    sweep = load_sweep(shipped["sweeps/assignment"])
    folders: dict[str, RunFolder] = {}
    for name, config in configs.items():
        found = find_run_of(config, runs_dir)
        if found is None:
            reporter.message(f"training {name} ({config.epochs} epochs)")
            with start_painter() as painter:
                plan = prepare([config], reporter)
                run = train_run(plan, runs_dir=runs_dir, reporter=reporter, painter=painter)
            found = run.folder
        folders[name] = found
    complete = partial(
        complete_sweep, runs_dir=runs_dir, reporter=reporter,
        sweep_reporter=sweep_reporter, start_painter=start_painter,
    )  # fmt: skip
    folders["sweep"] = searched = complete(sweep)
    for winner in best_run(searched):
        best = configs_of_runs(sweep)[int(winner.path.name)]
        repeated = complete(repeat_settings(configs["linear"], best, FRESH_SEEDS, "seeds"))
        folders["seeds"] = repeated
        _evaluate_all(repeated)
    return folders


def _evaluate_all(folder: SweepFolder) -> None:
    """Evaluate the test split for every run; the sweep did so for its best trial's alone."""
    for run in map(folder.run, folder.runs()):
        is_tested = isinstance(run.checksums().get(run.predictions.name), str)
        if run.read_status()["status"] == "completed" and not is_tested:
            config = load_config(run.config)
            evaluate_test(run, config, open_data(config))


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
        means = {
            name: f"{np.mean(scores):.2%} ± {t_half_width(scores):.2%}"
            for name, scores in (("best", first), ("given", second))
        }
        facts[key.partition(".")[0]] = {**means, **_difference(first, second)}
        if key == "validation.accuracy":
            excess = 100 * (best.facts.get(key, np.nan) - float(np.mean(first)))
    pairs = [_compare(theirs[one], theirs[other]) for one, other in combinations(seeds, 2)]
    p = [float(pair["p"]) for pair in pairs if pair is not None]
    facts |= {"pairs": len(p), "unlike": sum(one < 0.05 for one in p)}
    is_same = best.setting == given.setting
    return {**facts, "is_same": is_same, "excess": f"{excess:.2f}", "fell": excess > 0}


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


def check_derivations() -> dict[str, dict[str, Any]]:
    """Return what `mnistlab gradcheck --all` finds for CASES, by the name of the gradient.

    Each entry holds `points`, `coordinates`, `passed`, and, shown to two digits, the largest
    `error` and `tolerance` as a part of the largest coordinate.
    """
    facts = {}
    for case in CASES:
        checks = list(check_case(case, Options()))
        allowed = [one.tolerance.max() / np.abs(one.problem.analytic).max() for one in checks]
        facts[checks[0].what] = {
            "points": len(checks),
            "coordinates": sum(check.problem.point.size for check in checks),
            "error": _short(max(check.relative_error for check in checks)),
            "tolerance": _short(float(max(allowed))),
            "passed": all(check.passed for check in checks),
        }
    return facts


def check_softmax() -> dict[str, Any]:
    """Return what `mnistlab gradcheck` finds at three random points, and the options it had.

    `points` has an entry for each point: the true class, the loss, errors, the verdict and
    every coordinate. `properties` are those that any softmax must have.
    """
    options = Options()
    points = []
    for number, check in enumerate(check_case(Case(), options), 1):
        analytic, errors = check.problem.analytic, abs(check.problem.analytic - check.numerical)
        point: dict[str, Any] = {
            "point": number,
            "verdict": "passed" if check.passed else f"failed: {check.diagnosis}",
            "label": int(check.problem.labels[0]),
            "loss": f"{check.loss:.6f}",
            "absolute_error": _short(check.max_abs_error),
            "relative_error": _short(check.relative_error),
            "complex_step": _short(check.complex_error),
            "coordinates": [
                {
                    "class": int(index[-1]),
                    "at": f"{check.problem.point[index]:.6f}",
                    "analytic": f"{analytic[index]:.9f}",
                    "error": _short(float(errors[index])),
                }
                for index in np.ndindex(check.problem.point.shape)
            ],
        }
        points.append(point)
    return {
        "seed": options.seed,
        "scale": options.scale,
        "classes": max(len(one["coordinates"]) for one in points),
        "first_step": FIRST_STEP,
        "levels": LEVELS,
        "complex_step": f"{COMPLEX_STEP:g}",
        "points": points,
        "properties": [{"what": one.what, "passed": one.passed} for one in probe_ours(options)],
    }


def show_stabilisation() -> list[dict[str, str]]:
    """Return what the formulas as written, and what our functions, make of large numbers.

    The true class is the first one.
    """
    rows = []
    for example in EXAMPLES:
        logits = np.array(example, np.float32)
        with np.errstate(all="ignore"):
            exponentials = np.exp(logits)
            written = exponentials / exponentials.sum()
            written_loss = -np.log(written[0])
        target = ONE_HOT.targets(np.array([0]), len(logits), np.float32)
        loss = LOSSES["softmax_cross_entropy"].value(logits[None, None], target)[0, 0]
        rows.append(
            {
                "logits": ", ".join(f"{value:g}" for value in example),
                "written": ", ".join(f"{value:.4g}" for value in written),
                "ours": ", ".join(f"{value:.4g}" for value in our_softmax(logits)),
                "written_loss": f"{written_loss:.4g}",
                "our_loss": f"{loss:.4g}",
            }
        )
    return rows


def _short(value: float | None) -> str:
    return DASH if value is None else f"{value:.1e}"
