"""Yields the batches of trials that a sweep trains: one of all, or those that a search asks for."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from mnistlab.config.schema import Config
from mnistlab.run_folders.folder import SweepFolder
from mnistlab.sweeps.plan import PreparedSweep, prepare_sweep
from mnistlab.sweeps.results import describe_parameters
from mnistlab.sweeps.storage import extend
from mnistlab.sweeps.trials import Sweep
from mnistlab.sweeps.workers import SweepReporter


def check_sampler(sweep: Sweep) -> None:
    """Raise InputError if a sweep needs a sampler that is not installed."""
    if sweep.search is not None:
        import mnistlab.sweeps.tpe  # noqa: F401, PLC0415 - an extra


def batches(
    prepared: PreparedSweep,
    folder: SweepFolder,
    done: set[int],
    reporter: SweepReporter,
    take_from: Path | None = None,
) -> Iterator[tuple[PreparedSweep, Sweep]]:
    """Yield the sweep with all trials that are known, and as a second one the batch to train.

    A search goes by what the folder has of the batches before, so each must be trained when the
    next one is asked for. Its trials are in the plan before they are yielded. Those of its runs
    that are finished in the runs folder `take_from` are taken over, and `done` gains them.
    """
    search, sweep = prepared.sweep.search, prepared.sweep
    if search is None:
        yield prepared, sweep
        return
    from mnistlab.sweeps.tpe import Study  # noqa: PLC0415 - an extra

    study = Study(folder, sweep)
    first = 0
    while True:
        batch = replace(sweep, trials=sweep.trials[first : first + search.batch])
        yield prepared, batch
        study.tell(batch)
        first += search.batch
        if first >= sweep.wanted:
            return
        if first >= len(sweep.trials):
            points = [trial.point for trial in sweep.trials]
            sweep = sweep.at([*points, *study.ask(sweep)])
            prepared = prepare_sweep(sweep, earlier=prepared)
            done |= extend(folder, prepared, take_from)
            labels = labels_of(sweep)
            reporter.extend({run: labels[run] for run in labels if run >= first * sweep.repeats})


def labels_of(sweep: Sweep) -> dict[int, str]:
    """Return what is special about each run, by its number."""
    return {
        run: describe_parameters({**trial.parameters, **_repeat(config, sweep)})
        for trial in sweep.trials
        for run, config in sweep.runs_of(trial).items()
    }


def _repeat(config: Config, sweep: Sweep) -> dict[str, Any]:
    """Return what tells a run from the others of its trial."""
    if sweep.folds is not None:
        return {"data.fold": config.data.fold}
    return {"seed": config.seed} if sweep.seeds > 1 else {}
