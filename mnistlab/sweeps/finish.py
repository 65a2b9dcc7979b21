"""Names the best trial of a sweep and its ties, tests it once, and writes down what all came to."""

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnistlab.config.schema import Config
from mnistlab.core.metrics import score_images
from mnistlab.core.objective import join_parameters
from mnistlab.experiment.prepare import data_key, objective_of, stack_key
from mnistlab.experiment.training import evaluate_test
from mnistlab.run_folders.files import to_csv, write_json, write_text
from mnistlab.run_folders.folder import SweepFolder
from mnistlab.run_folders.weights import load_weights
from mnistlab.statistics import (
    differs,
    paired_difference,
    pairs,
    t_half_width,
    wilson_interval,
    z_quantile,
)
from mnistlab.sweeps.plan import PreparedSweep
from mnistlab.sweeps.sweep_schema import Metric
from mnistlab.sweeps.trial_results import (
    TEST,
    TrialResult,
    name_trials,
    rank,
    read_rows,
    shown_value,
    summarize,
)
from mnistlab.sweeps.trials import SweepDefinition

_TOGETHER = 64
"""Runs that are evaluated as one stack."""

Scores = NDArray[np.floating]


@dataclass(frozen=True)
class SweepResult:
    """What a sweep came to; `document` is what sweep.json holds.

    `ranked` are the trials that can be chosen, the best first. `not_drawn` says why the plots that
    it should have are not there.
    """

    folder: SweepFolder
    results: Sequence[TrialResult]
    ranked: Sequence[TrialResult]
    document: Mapping[str, Any]
    not_drawn: str | None = None

    @property
    def status(self) -> str:
        """How it ended."""
        return str(self.document["status"])

    @property
    def best(self) -> TrialResult | None:
        """The best trial, None where not one has finished."""
        return self.ranked[0] if self.ranked else None


def finish_sweep(
    prepared: PreparedSweep, folder: SweepFolder, seconds: Mapping[str, float], started: float
) -> SweepResult:
    """Read the runs, choose by the validation split, test the winner, write the results.

    The test split is looked at once, for the winner: choosing by it would make its numbers too
    good. Where the trials stand beside published figures none is chosen, and all are tested.
    `seconds` are those of the training, `started` when all began (time.perf_counter).
    """
    sweep = prepared.sweep
    rows = [{**row, **dict.fromkeys(TEST)} for row in read_rows(folder, sweep)]
    ranked = _ranked(summarize(rows, sweep), sweep)
    chosen = ranked[0].runs if ranked else ()
    if sweep.settings.published is not None:
        chosen = [row["run"] for row in rows if row["status"] == "completed"]
    for number in chosen:
        config = prepared.configs[number]
        numbers = evaluate_test(folder.run(number), config, prepared.data_of(config))
        rows[number].update({f"test_{name}": value for name, value in numbers.items()})
    results = summarize(rows, sweep)
    ranked = _ranked(results, sweep)

    status, error = _status(results)
    shown = [
        {key: shown_value(one) if isinstance(one, list) else one for key, one in row.items()}
        for row in rows
    ]
    write_text(folder.results, to_csv(list(rows[0]), shown))
    document = {
        "sweep": folder.name,
        "path": str(folder.path),
        "status": status,
        "error": error,
        "method": sweep.settings.method,
        "metric": {"name": sweep.metric.name, "goal": sweep.metric.goal},
        "parameters": list(sweep.keys),
        "trials": len(results),
        "seeds": sweep.settings.seeds,
        "folds": sweep.folds,
        **{
            status: sum(result.status == status for result in results)
            for status in ("completed", "diverged", "failed", "interrupted")
        },
        "learning_rate_limit": prepared.common_limit,
        "warnings": prepared.warnings(),
        "best": _best(prepared, folder, ranked[0], rows) if ranked else None,
        "ranking": [result.trial.number for result in ranked],
        "indistinguishable": indistinguishable(ranked, prepared, folder),
        "results": [_describe(result, sweep.metric.name) for result in results],
        **_beside_the_literature(prepared, results),
        "seconds": {"total": time.perf_counter() - started, **seconds},
    }
    write_json(folder.summary, document)
    return SweepResult(folder, results, ranked, document)


def _ranked(results: Sequence[TrialResult], sweep: SweepDefinition) -> list[TrialResult]:
    return [] if sweep.settings.published is not None else rank(results, sweep.metric)


def _beside_the_literature(
    prepared: PreparedSweep, results: Sequence[TrialResult]
) -> dict[str, Any]:
    """Return the published figures with ours, each with its 95 % interval; errors are shares."""
    published = prepared.sweep.settings.published
    if published is None:
        return {}
    images = len(prepared.data.test)
    rows = []
    for result, percent in zip(results, published.test_error, strict=True):
        accuracy = result.means["test_accuracy"]
        low, high = (None, None) if accuracy is None else wilson_interval(accuracy, images)
        rows.append(
            {
                "trial": result.trial.number,
                "published": None if percent is None else percent / 100,
                "error": None if accuracy is None else 1 - accuracy,
                "interval": None if low is None or high is None else [1 - high, 1 - low],
            }
        )
    return {"published": {"source": published.source, "images": images, "trials": rows}}


def _best(
    prepared: PreparedSweep,
    folder: SweepFolder,
    best: TrialResult,
    rows: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    run = folder.run(best.runs[0])
    images = len(prepared.data.test)
    accuracies = [rows[run]["test_accuracy"] for run in best.runs]
    mean = best.means["test_accuracy"] or 0.0
    low, high = wilson_interval(mean, images)
    over_runs = t_half_width(accuracies)
    test = {
        "loss": best.means["test_loss"],
        "accuracy": mean,
        "interval": [low, high],
        "images": images,
    }
    return {
        **_describe(best, prepared.sweep.metric.name),
        "run": run.name,
        "path": str(run.path),
        "test": test if over_runs is None else {**test, "half_width": over_runs},
    }


def _describe(result: TrialResult, metric: str) -> dict[str, Any]:
    shown = {
        "trial": result.trial.number,
        "runs": list(result.runs),
        "parameters": dict(result.trial.parameters),
        "status": result.status,
        "epochs": result.epochs,
        "stopped": result.stopped,
        **{
            split: {name: result.means[f"{split}_{name}"] for name in ("loss", "accuracy")}
            for split in ("train", "validation")
        },
    }
    return (
        shown if result.half_width is None else {**shown, "half_width": {metric: result.half_width}}
    )


def _status(results: Sequence[TrialResult]) -> tuple[str, str | None]:
    """Return the sweep's status: a run that diverges is a result, one that fails is not."""
    failed = [result.trial.number for result in results if result.status == "failed"]
    left = [result.trial.number for result in results if result.status == "interrupted"]
    if failed:
        return "failed", f"{name_trials(failed, 5)} failed"
    if left:
        return "failed", f"{name_trials(left, 5)} could not be finished"
    if all(result.status == "diverged" for result in results):
        return "diverged", "every trial diverged"
    return "completed", None


def indistinguishable(
    ranked: Sequence[TrialResult], prepared: PreparedSweep, folder: SweepFolder
) -> list[int]:
    """Return the numbers of the trials, without the best, that cannot be told from it at 95 %.

    Trials differ when the interval of their difference, paired by validation image, leaves out
    zero, and with several seeds or folds the one paired by these does, too. The intervals are wide
    enough to hold for all pairs of trials together: the best is best because it was chosen among
    them.
    """
    if len(ranked) < 2:
        return []
    sweep, comparisons = prepared.sweep, pairs(len(ranked))
    folds = {one.data.fold: one for one in sweep.runs_of(ranked[0].trial).values()}
    count = sum(len(prepared.data_of(config).validation or ()) for config in folds.values())
    best, *others = _within_reach(ranked, sweep.metric, count)
    images = _scores([best, *others], prepared, folder)
    ties = []
    for other in others:
        mine, winners = images[other.trial.number], images[best.trial.number]
        differ_by_images = differs(mine, winners, comparisons)
        if not (differ_by_images and _differ_by_runs(other, best, comparisons)):
            ties.append(other.trial.number)
    return sorted(ties)


def _within_reach(ranked: Sequence[TrialResult], metric: Metric, images: int) -> list[TrialResult]:
    """Leave out what differs by more than any spread could explain: answers are 0 or 1."""
    if metric.name != "validation.accuracy":
        return list(ranked)
    reach = 1.01 * z_quantile(pairs(len(ranked))) / math.sqrt(images or 1)
    best = ranked[0].score(metric) or 0.0
    return [one for one in ranked if abs((one.score(metric) or 0.0) - best) <= reach]


def _scores(
    results: Sequence[TrialResult], prepared: PreparedSweep, folder: SweepFolder
) -> dict[int, Scores]:
    """Return for each trial every validation image's score.

    That is its mean over the seeds; with folds each image is in one of them, and those of the
    first fold come first.
    """
    sweep = prepared.sweep
    alike: dict[str, list[tuple[int, int]]] = {}
    configs: dict[str, Config] = {}
    for result in results:
        for run, config in sweep.runs_of(result.trial).items():
            key = data_key(config) + stack_key(config.model_copy(update={"seed": 0}))
            configs.setdefault(key, config)
            alike.setdefault(key, []).append((result.trial.number, run))
    scores: dict[int, list[Scores]] = {result.trial.number: [] for result in results}
    for key, runs in alike.items():
        dataset, objective = prepared.data_of(configs[key]), objective_of(configs[key])
        assert dataset.validation is not None  # noqa: S101 - load_sweep refuses a sweep without
        for start in range(0, len(runs), _TOGETHER):
            part = runs[start : start + _TOGETHER]
            weights = [load_weights(folder.run(run).model) for _, run in part]
            losses, right = score_images(join_parameters(weights), objective, dataset.validation)
            chosen = losses if sweep.metric.name == "validation.loss" else right
            for position, (trial, _) in enumerate(part):
                scores[trial].append(chosen[:, position].astype(float))
    if sweep.folds is not None:
        return {trial: np.concatenate(found) for trial, found in scores.items()}
    return {trial: np.asarray(np.mean(found, axis=0)) for trial, found in scores.items()}


def _differ_by_runs(one: TrialResult, best: TrialResult, comparisons: int) -> bool:
    """Return whether the seeds or folds tell two trials apart; a single one has no say."""
    mean, half = paired_difference(one.values, best.values, comparisons)
    return len(one.values) == 1 or abs(mean) > half
