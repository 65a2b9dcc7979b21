"""Decides which trials a sweep trains next, and which of them are not trained to the end.

Successive halving: Jamieson and Talwalkar, "Non-stochastic best arm identification and
hyperparameter optimization", AISTATS 2016: after each budget of epochs the best 1/factor of the
trials stay, and those that look worst end early.
"""

import math
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import replace
from pathlib import Path
from typing import Any

from mnistlab.run_folders.folder import SweepFolder
from mnistlab.run_folders.weights import load_checkpoint
from mnistlab.sweeps.plan import PreparedSweep, Stack, prepare_sweep
from mnistlab.sweeps.storage import extend
from mnistlab.sweeps.sweep_schema import Halving
from mnistlab.sweeps.trial_results import column_of, describe_parameters
from mnistlab.sweeps.trials import SweepDefinition
from mnistlab.sweeps.workers import SweepReporter


def check_sampler(sweep: SweepDefinition) -> None:
    """Raise InputError if a sweep needs a sampler that is not installed."""
    if sweep.drawn is not None:
        import mnistlab.sweeps.tpe  # noqa: F401, PLC0415 - an extra


def batches(
    prepared: PreparedSweep,
    folder: SweepFolder,
    done: set[int],
    reporter: SweepReporter,
    take_from: Path | None = None,
) -> Iterator[tuple[PreparedSweep, SweepDefinition]]:
    """Yield the sweep with all trials that are known, and as a second one the batch to train.

    A search goes by what the folder has of the batches before, so each must be trained when the
    next one is asked for. Its trials are in the plan before they are yielded. Those of its runs
    that are finished in the runs folder `take_from` are taken over, and `done` gains them.
    """
    sweep, size = prepared.sweep, prepared.sweep.settings.batch
    if size is None:
        yield prepared, sweep
        return
    from mnistlab.sweeps.tpe import Study  # noqa: PLC0415 - an extra

    study = Study(folder, sweep)
    first = 0
    while True:
        batch = replace(sweep, trials=sweep.trials[first : first + size])
        yield prepared, batch
        study.tell(batch)
        first += size
        if first >= sweep.wanted:
            return
        if first >= len(sweep.trials):
            points = [trial.point for trial in sweep.trials]
            sweep = sweep.at([*points, *study.ask(sweep)])
            prepared = prepare_sweep(sweep, earlier=prepared)
            done |= extend(folder, prepared, take_from)
            labels = labels_of(sweep)
            reporter.extend({run: labels[run] for run in labels if run >= first * sweep.repeats})


def labels_of(sweep: SweepDefinition) -> dict[int, str]:
    """Return what is special about each run, by its number."""
    labels = {}
    for trial in sweep.trials:
        for run, config in sweep.runs_of(trial).items():
            repeat: dict[str, Any] = {"seed": config.seed} if sweep.settings.seeds > 1 else {}
            if sweep.folds is not None:
                repeat = {"data.fold": config.data.fold}
            labels[run] = describe_parameters({**trial.parameters, **repeat})
    return labels


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
    epoch: int, stacks: Sequence[Stack], folder: SweepFolder, sweep: SweepDefinition, done: Set[int]
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
