"""Asks Optuna's sampler for a sweep's next trials, and keeps what came of all as a study.

The sampler is a tree-structured Parzen estimator: Bergstra et al., "Algorithms for
hyper-parameter optimization", NeurIPS 2011. It takes the trials of its batch that have no result
yet for bad ones (a constant liar), so that a batch is spread out: Ginsbourger et al., "Kriging is
well-suited to parallelize optimization", 2010.
"""

import json
import math
import statistics
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

from mnistlab.config.load import shown
from mnistlab.errors import ConfigError, InputError
from mnistlab.experiment.recorder import now
from mnistlab.run_folders.files import write_text
from mnistlab.run_folders.folder import SweepFolder
from mnistlab.sweeps.space import Group, Point
from mnistlab.sweeps.sweep_schema import Distribution
from mnistlab.sweeps.trial_results import TrialResult, column_of, read_rows, summarize
from mnistlab.sweeps.trials import SweepDefinition

try:
    import optuna
    from optuna.distributions import (
        BaseDistribution,
        CategoricalDistribution,
        FloatDistribution,
        IntDistribution,
    )
    from optuna.storages.journal import BaseJournalBackend
    from optuna.trial import FrozenTrial, TrialState
except ImportError:  # an extra, and this module is imported only where a sampler is asked
    raise InputError(
        "method tpe needs optuna, which is not installed: pip install 'mnistlab[optuna]'"
    ) from None

_ASKS = 10
"""Asks for each trial of a batch, as a sampler may repeat itself: of few points it has to."""


class Study:
    """A sweep's trials as Optuna knows them; all that it knows stands in the sweep's folder."""

    def __init__(self, folder: SweepFolder, sweep: SweepDefinition) -> None:
        self._folder = folder
        self._parameters = [_Parameter(group) for group in sweep.draft.groups]
        self._direction = optuna.study.StudyDirection[sweep.metric.goal.upper()]
        self._journal = _Journal()
        self._log = self._study(optuna.storages.JournalStorage(self._journal), None)

    def tell(self, batch: SweepDefinition) -> None:
        """Add the trials of a batch with what came of them, and write the study to optuna.log."""
        for result in summarize(read_rows(self._folder, batch), batch):
            self._log.add_trial(self._frozen(result, batch))
        write_text(self._folder.study, self._journal.to_text())

    def ask(self, sweep: SweepDefinition) -> list[Point]:
        """Return the points of the next batch, all of them new.

        The same trials and results give the same points: the sampler's seed is the sweep's
        `random_seed` and the number of the batch together.
        """
        tried, size = {trial.point for trial in sweep.trials}, sweep.settings.batch or 1
        seed = (sweep.settings.random_seed + len(tried) // size) % 2**32
        sampler = optuna.samplers.TPESampler(seed=seed, multivariate=True, constant_liar=True)
        study = self._study(optuna.storages.InMemoryStorage(), sampler)
        study.add_trials(self._log.get_trials(deepcopy=False))
        count = min(size, sweep.wanted - len(tried))
        found: dict[Point, None] = {}
        for _ in range(_ASKS * count):
            point = self._ask_one(study)
            with suppress(ConfigError):
                if point not in tried and sweep.draft.trial(0, point):
                    found[point] = None
            if len(found) == count:
                break
        others = (trial.point for trial in sweep.drawn or ())
        left = [point for point in others if point not in tried and point not in found]
        return [*found, *left[: count - len(found)]]

    def _ask_one(self, study: optuna.Study) -> Point:
        trial = study.ask({one.name: one.distribution for one in self._parameters})
        return tuple(one.part_of(trial.params[one.name]) for one in self._parameters)

    def _study(self, storage: Any, sampler: Any) -> optuna.Study:
        name, pruner = self._folder.name, optuna.pruners.NopPruner()
        verbosity = optuna.logging.get_verbosity()
        optuna.logging.set_verbosity(optuna.logging.WARNING)  # else it says that it made a study
        try:
            storage.create_new_study([self._direction], name)
            return optuna.Study(name, storage, sampler=sampler, pruner=pruner)
        finally:
            optuna.logging.set_verbosity(verbosity)

    def _frozen(self, result: TrialResult, sweep: SweepDefinition) -> FrozenTrial:
        """Return a trial as Optuna keeps it: its value is the mean over its runs."""
        folders = [self._folder.run(run) for run in result.runs]
        name = column_of(sweep.metric)
        value = result.means[name]
        state = TrialState.FAIL
        if result.status == "completed" and value is not None:
            state = TrialState.PRUNED if result.stopped else TrialState.COMPLETE
        states = [folder.read_status() for folder in folders]
        started, ended = (
            [datetime.fromisoformat(one.get(key) or now()) for one in states]
            for key in ("started", "ended")
        )
        parts = zip(self._parameters, result.trial.point, strict=True)
        return FrozenTrial(
            number=result.trial.number,
            trial_id=result.trial.number,
            state=state,
            value=None if state == TrialState.FAIL else value,
            datetime_start=min(started),
            datetime_complete=max(ended),
            params={one.name: one.value_at(part) for one, part in parts},
            distributions={one.name: one.distribution for one in self._parameters},
            user_attrs={"run": ", ".join(folder.name for folder in folders)},
            system_attrs={},
            intermediate_values=_values_by_epoch([one.read_metrics() for one in folders], name),
        )


class _Parameter:
    """A group of axes as one parameter of Optuna's, named after its keys.

    Of a distribution the value is the number itself, of listed values the value, or a text where
    Optuna could not keep it: a list, or the values of several keys.
    """

    def __init__(self, group: Group) -> None:
        self.name = ",".join(axis.key for axis in group)
        self._drawn: Distribution | None = None
        self._values: Sequence[Any] = ()
        self.distribution: BaseDistribution
        values = group[0].values
        if isinstance(values, Distribution):
            self._drawn = values
            self.distribution = FloatDistribution(values.low, values.high, log=values.logarithmic)
        elif isinstance(values, range) and values.step > 0 and len(group) == 1:
            self._values = values
            self.distribution = IntDistribution(values[0], values[-1], step=values.step)
        else:
            places = range(len(values))
            self._values = [_choice([axis.at(place) for axis in group]) for place in places]
            self.distribution = CategoricalDistribution(self._values)

    def part_of(self, value: Any) -> Any:
        """Return the part of a point that a value stands for."""
        return self._values.index(value) if self._drawn is None else self._drawn.nearest(value)

    def value_at(self, part: Any) -> Any:
        """Return the value that stands for a part of a point."""
        return self._values[part] if self._drawn is None else part


def _choice(values: Sequence[Any]) -> Any:
    """Return what stands for the values of a group of axes: the one, if Optuna can keep it."""
    (first, *others) = values
    if not others and (first is None or isinstance(first, bool | int | float | str)):
        return first
    return ", ".join(map(shown, values))


def _values_by_epoch(metrics: Sequence[Mapping[str, list[float]]], name: str) -> dict[int, float]:
    """Return the mean of a metric over the runs after each epoch in which all of them have it."""
    found: dict[int, list[float]] = {}
    for one in metrics:
        for epoch, value in zip(one["epoch"], one[name], strict=True):
            if math.isfinite(value):
                found.setdefault(int(epoch), []).append(value)
    return {
        epoch: statistics.fmean(values)
        for epoch, values in found.items()
        if len(values) == len(metrics)
    }


class _Journal(BaseJournalBackend):
    """Optuna's journal in memory, as its lines: in a file each of them would wait for the disk."""

    def __init__(self) -> None:
        self._lines: list[str] = []

    def read_logs(self, log_number_from: int) -> list[dict[str, Any]]:
        """Return the entries from this one on."""
        return [json.loads(line) for line in self._lines[log_number_from:]]

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Add entries."""
        self._lines += [json.dumps(log, separators=(",", ":")) + "\n" for log in logs]

    def to_text(self) -> str:
        """Return what Optuna's JournalFileBackend reads: a line of JSON for each entry."""
        return "".join(self._lines)
