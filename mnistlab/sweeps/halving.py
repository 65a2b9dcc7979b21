"""Successive halving: the runs that look worst early on are not trained to the end.

Jamieson and Talwalkar, "Non-stochastic best arm identification and hyperparameter
optimization", AISTATS 2016: after each budget of epochs the best 1/factor of the trials stay.
"""

import math
from collections.abc import Mapping, Sequence, Set

from mnistlab.run_folders.folder import SweepFolder
from mnistlab.run_folders.weights import load_checkpoint
from mnistlab.sweeps.plan import Stack
from mnistlab.sweeps.results import column_of
from mnistlab.sweeps.sweep_file import Halving
from mnistlab.sweeps.trials import Sweep


def budgets(halving: Halving, epochs: int) -> list[int]:
    """Return the epochs after which trials leave: min_epochs times powers of the factor."""
    budget, found = halving.min_epochs, []
    while budget < epochs:
        found.append(budget)
        budget *= halving.factor
    return found


def choose_pruned(scores: Mapping[int, float], factor: int) -> set[int]:
    """Return the trials that leave, given the score of each that is left; the lowest is best.

    One in `factor` stays, rounded down, and never less than one; of equals the first stays. What
    has diverged has no score any more.
    """
    ranked = sorted(scores, key=lambda trial: (scores[trial], trial))
    return set(ranked[max(1, len(ranked) // factor) :])


def pruned_at(
    epoch: int, stacks: Sequence[Stack], folder: SweepFolder, sweep: Sweep, done: Set[int]
) -> frozenset[int]:
    """Return the runs of a sweep, or of a batch of its trials, that do not go on after this epoch.

    The values of runs that are `done` come from their folders, those of the others from
    checkpoints: a folder that was being written when the process died is not read.
    The same files give the same answer, so a sweep that is resumed decides as it did before.
    """
    assert sweep.halving is not None  # noqa: S101 - who calls this has budgets from it
    name = column_of(sweep.metric)
    values = _from_checkpoints(epoch, stacks, folder, name)
    values |= _from_folders(epoch, folder, name, done)
    sign = 1 if sweep.metric.goal == "minimize" else -1
    scores = {}
    for trial in sweep.trials:
        mine = [values.get(run, math.nan) for run in sweep.runs_of(trial)]
        if all(map(math.isfinite, mine)):
            scores[trial.number] = sign * sum(mine) / len(mine)
    pruned = choose_pruned(scores, sweep.halving.factor)
    return frozenset(
        run
        for trial in sweep.trials
        if trial.number in pruned or trial.number not in scores
        for run in sweep.runs_of(trial)
    )


def _from_checkpoints(
    epoch: int, stacks: Sequence[Stack], folder: SweepFolder, name: str
) -> dict[int, float]:
    values: dict[int, float] = {}
    for stack in stacks:
        path = folder.checkpoint_of(stack.name)
        if path.exists():
            _, notes = load_checkpoint(path)
            for column, note in zip(stack.columns, notes, strict=True):
                for row in note["rows"]:
                    if row["epoch"] == epoch:
                        values |= dict.fromkeys(column.runs, row.get(name, math.nan))
    return values


def _from_folders(epoch: int, folder: SweepFolder, name: str, done: Set[int]) -> dict[int, float]:
    """Return the values of runs that have ended, NaN for those that did not get there whole."""
    values: dict[int, float] = {}
    for number in done:
        run = folder.run(number)
        whole = run.read_status()["status"] == "completed"
        metrics = run.read_metrics() if whole else {"epoch": []}
        rows = [
            value
            for at, value in zip(metrics["epoch"], metrics.get(name, []), strict=True)
            if at == epoch
        ]
        values[number] = rows[0] if rows else math.nan
    return values
