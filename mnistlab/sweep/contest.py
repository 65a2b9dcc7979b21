"""Compares the trials of a sweep at the end of a budget, from what is on disk."""

import math
from collections.abc import Sequence, Set

from mnistlab.runs.folder import SweepFolder
from mnistlab.runs.weights import load_checkpoint
from mnistlab.sweep.halving import choose_losers
from mnistlab.sweep.results import column_of
from mnistlab.sweep.spaces.trials import Sweep
from mnistlab.sweep.stacks import Stack


def losers_at(
    epoch: int, stacks: Sequence[Stack], folder: SweepFolder, sweep: Sweep, done: Set[int]
) -> frozenset[int]:
    """Return the runs that do not go on after this epoch.

    Runs that are `done` speak through their folders, the others through checkpoints: what is
    left of a folder that was being written when the process died says nothing.
    The same files give the same answer, so a sweep that is resumed decides as it did before.
    """
    assert sweep.halving is not None  # noqa: S101 - who calls this has budgets from it
    name = column_of(sweep.metric)
    values = _from_checkpoints(epoch, stacks, folder, name)
    values |= _from_folders(epoch, folder, name, done)
    sign = 1 if sweep.metric.goal == "minimize" else -1
    scores = {}
    for trial in sweep.trials:
        runs = _runs_of(trial.number, sweep)
        mine = [values.get(run, math.nan) for run in runs]
        if all(map(math.isfinite, mine)):
            scores[trial.number] = sign * sum(mine) / len(mine)
    losing = choose_losers(scores, sweep.halving.factor)
    going_on = {run for trial in scores.keys() - losing for run in _runs_of(trial, sweep)}
    return frozenset(set(range(len(sweep.trials) * sweep.seeds)) - going_on)


def _runs_of(trial: int, sweep: Sweep) -> range:
    return range(trial * sweep.seeds, (trial + 1) * sweep.seeds)


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
                        values |= dict.fromkeys(column.runs, row[name])
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
