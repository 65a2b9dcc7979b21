"""Finds the trials that cannot be told from the best one on the images they were chosen by."""

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from mnistlab.config.schema import Config
from mnistlab.core.metrics import score_images
from mnistlab.core.trainer import join_parameters
from mnistlab.datasets import Dataset
from mnistlab.experiment.prepare import data_key, objective_of, stack_key
from mnistlab.run_folders.folder import SweepFolder
from mnistlab.run_folders.weights import load_weights
from mnistlab.statistics import differs, paired_difference, pairs, z_quantile
from mnistlab.sweeps.metric import Metric
from mnistlab.sweeps.results import TrialResult, column_of
from mnistlab.sweeps.trials import Sweep, Trial

_TOGETHER = 64
"""Runs that are evaluated as one stack."""

Scores = NDArray[np.floating]


def indistinguishable(
    ranked: Sequence[TrialResult],
    sweep: Sweep,
    folder: SweepFolder,
    data_of: Callable[[Config], Dataset],
) -> list[int]:
    """Return the numbers of the trials, without the best, that cannot be told from it at 95 %.

    Trials differ when the interval of their difference, paired by validation image, leaves out
    zero, and with several seeds or folds the one paired by these does, too. The intervals are wide
    enough to hold for all pairs of trials together: the best is best because it was chosen among
    them.
    """
    if len(ranked) < 2:
        return []
    comparisons = pairs(len(ranked))
    count = _images(ranked[0].trial, sweep, data_of)
    best, *others = _within_reach(ranked, sweep.metric, count)
    images = _scores([best, *others], sweep, folder, data_of)
    ties = []
    for other in others:
        mine, winners = images[other.trial.number], images[best.trial.number]
        differ_by_images = differs(mine, winners, comparisons)
        if not (differ_by_images and _differ_by_runs(other, best, sweep, folder, comparisons)):
            ties.append(other.trial.number)
    return sorted(ties)


def _within_reach(ranked: Sequence[TrialResult], metric: Metric, images: int) -> list[TrialResult]:
    """Leave out what differs by more than any spread could explain: answers are 0 or 1."""
    if metric.name != "validation.accuracy":
        return list(ranked)
    reach = 1.01 * z_quantile(pairs(len(ranked))) / math.sqrt(images or 1)
    best = ranked[0].score(metric) or 0.0
    return [one for one in ranked if abs((one.score(metric) or 0.0) - best) <= reach]


def _images(trial: Trial, sweep: Sweep, data_of: Callable[[Config], Dataset]) -> int:
    """Return how many validation images a trial has, those of all its folds together."""
    folds = {config.data.fold: config for config in sweep.runs_of(trial).values()}
    return sum(len(data_of(config).validation or ()) for config in folds.values())


def _scores(
    results: Sequence[TrialResult],
    sweep: Sweep,
    folder: SweepFolder,
    data_of: Callable[[Config], Dataset],
) -> dict[int, Scores]:
    """Return for each trial every validation image's score.

    That is its mean over the seeds; with folds each image is in one of them, and those of the
    first fold come first.
    """
    alike: dict[str, list[tuple[int, int]]] = {}
    configs: dict[str, Config] = {}
    for result in results:
        for run, config in sweep.runs_of(result.trial).items():
            key = data_key(config) + stack_key(config.model_copy(update={"seed": 0}))
            configs.setdefault(key, config)
            alike.setdefault(key, []).append((result.trial.number, run))
    scores: dict[int, list[Scores]] = {result.trial.number: [] for result in results}
    for key, runs in alike.items():
        dataset, objective = data_of(configs[key]), objective_of(configs[key])
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


def _differ_by_runs(
    one: TrialResult, best: TrialResult, sweep: Sweep, folder: SweepFolder, comparisons: int
) -> bool:
    """Return whether the seeds or folds tell two trials apart; a single one has no say."""
    split, _, name = column_of(sweep.metric).partition("_")
    mine, other = (
        [folder.run(run).read_summary()[split][name] for run in result.runs]
        for result in (one, best)
    )
    mean, half = paired_difference(mine, other, comparisons)
    return sweep.repeats == 1 or abs(mean) > half
