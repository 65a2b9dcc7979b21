"""A sweep and its trials: each is a point of the axes, with its config checked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from mnistlab.config.config_files import dump
from mnistlab.config.load import ConfigFault, shown, try_config, value_of
from mnistlab.config.schema import Config
from mnistlab.errors import ConfigError
from mnistlab.sweeps.space import Axis, Group, Point, values_at
from mnistlab.sweeps.sweep_file import Draft
from mnistlab.sweeps.sweep_schema import Halving, Metric, Published


@dataclass(frozen=True)
class Trial:
    """One config of a sweep: its number from 0, the axes' values by key, and the whole of it.

    `point` is where in the space it lies.
    """

    number: int
    parameters: Mapping[str, Any]
    config: Config
    point: Point


@dataclass(frozen=True)
class TrialSpace:
    """What trials share and what varies: the draft of a sweep, and its axes in groups."""

    draft: Draft
    groups: Sequence[Group]

    def trials(self, points: Sequence[Point]) -> tuple[Trial, ...]:
        """Return the trials at these points; raise ConfigError for a wrong one or one twice."""
        trials: list[Trial] = []
        same: dict[str, int] = {}
        for number, point in enumerate(points):
            trial = self.trial(number, point)
            earlier = same.setdefault(trial.config.model_dump_json(), number)
            if earlier != number:
                both = ", ".join(f"{key}={value}" for key, value in trial.parameters.items())
                raise ConfigError(
                    f"{self.draft.source}: trials {earlier:,} and {number:,} are the same: {both}"
                )
            trials.append(trial)
        return tuple(trials)

    def trial(self, number: int, point: Point) -> Trial:
        """Return the trial at a point; raise ConfigError that names what is wrong with it."""
        config = self._config_at(point)
        parameters = {key: value_of(config, tuple(key.split("."))) for key in self.draft.axes}
        return Trial(number, parameters, config, point)

    def _config_at(self, point: Point) -> Config:
        given = values_at(self.groups, point)
        found = try_config(with_values(self.draft.base, given))
        if isinstance(found, Config):
            return found
        for group, part in zip(self.groups, point, strict=True):
            for axis in group:
                check_value(axis, part, found)
        values = ", ".join(f"{key}={shown(value)}" for key, value in given.items())
        raise ConfigError(f"{self.draft.source}: trial {values}: {found[0]}")


def check_value(axis: Axis, part: Any, found: Config | list[ConfigFault]) -> None:
    """Raise ConfigError if an axis's own value is what is wrong with a config."""
    for fault in [] if isinstance(found, Config) else found:
        if fault.path == tuple(axis.key.split(".")):
            raise ConfigError(f"{axis.place(part)}: {fault.problem}")


def with_values(data: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return a config's data with dotted keys set, `data` itself left as it is."""
    changed = dict(data)
    for key, value in values.items():
        parent, dot, last = key.rpartition(".")
        if dot:
            nested = changed.get(parent, {})
            changed[parent] = {**nested, last: value} if isinstance(nested, dict) else nested
        else:
            changed[last] = value
    return changed


@dataclass(frozen=True)
class Search:
    """How a sampler is asked for a sweep's trials: `batch` at a time, from a space.

    `drawn` are as many different trials as there will be, in the order in which `--method random`
    draws them. The first batch is taken from them, and so is what stands in for a trial that the
    sampler repeats.
    """

    batch: int
    space: TrialSpace
    drawn: tuple[Trial, ...]


@dataclass(frozen=True)
class SweepDefinition:
    """Everything that decides what a sweep does; `keys` are those of its axes.

    `base` holds what all trials share; where it is valid only together with the axes' values, it
    is the first trial's config. `ranges` describes the values of each axis, `notes` what is worth
    a second look before it starts. With a `search` the trials are those that are known so far.
    """

    base: Config
    name: str
    method: str
    metric: Metric
    seeds: int
    max_trials: int | None
    random_seed: int
    halving: Halving | None
    published: Published | None
    trials: tuple[Trial, ...]
    keys: tuple[str, ...]
    ranges: Mapping[str, str] = field(repr=False)
    notes: tuple[str, ...] = field(repr=False)
    search: Search | None = field(repr=False, compare=False)
    document: Mapping[str, Any] = field(repr=False)
    """The sweep as a sweep file says it, base and lists of trials included."""

    @property
    def folds(self) -> int | None:
        """K where each trial is trained K times, with each of K folds as the validation split."""
        return self.base.data.folds if self.base.data.fold is None else None

    @property
    def repeats(self) -> int:
        """How many runs each trial has: they differ in the seed or in the fold."""
        return self.folds or self.seeds

    def runs_of(self, trial: Trial) -> dict[int, Config]:
        """Return the config of each of a trial's runs by the run's number."""
        first, config = trial.number * self.repeats, trial.config
        if self.folds is None:
            seeds = range(config.seed, config.seed + self.seeds)
            configs = [config.model_copy(update={"seed": seed}) for seed in seeds]
        else:
            data = [config.data.model_copy(update={"fold": one}) for one in range(self.folds)]
            configs = [config.model_copy(update={"data": one}) for one in data]
        return dict(enumerate(configs, first))

    @property
    def wanted(self) -> int:
        """How many trials there are in the end."""
        return len(self.trials if self.search is None else self.search.drawn)

    def batch_of(self, run: int) -> int:
        """Return the number of the batch that a run is of, from 0."""
        return 0 if self.search is None else run // self.repeats // self.search.batch

    def with_all_trials(self) -> "SweepDefinition":
        """Return the sweep with as many trials as there will be; those of a search are random."""
        return self if self.search is None else replace(self, trials=self.search.drawn)

    def at(self, points: Sequence[Point]) -> "SweepDefinition":
        """Return the sweep with the trials at these points in place of those that are known.

        Raises ConfigError for points whose configs are wrong or the same, and TypeError,
        IndexError or ValueError for what is no point of this space.
        """
        assert self.search is not None  # noqa: S101 - of all other sweeps the trials are known
        return replace(self, trials=self.search.space.trials(points))

    def to_yaml(self) -> str:
        """Return a sweep file that `load_sweep` reads back to an equal sweep."""
        return dump(self.document)
