"""Prepares a sweep: its data, which runs train together, and what that will take.

A run is one trial with one seed or fold. Runs that differ only in their number of epochs share a
column where the schedule allows it: the shorter ones are taken on the way. Columns that may train
together are dealt out to stacks of a few dozen, each of which one thread trains.
"""

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import threadpoolctl

from mnistlab.config.schema import Config
from mnistlab.core.objective import format_limit
from mnistlab.core.samples import available_cores
from mnistlab.core.schedules import SCHEDULES
from mnistlab.core.trainer import Settings, Trainer
from mnistlab.datasets import Dataset, Progress
from mnistlab.experiment.prepare import (
    data_key,
    open_data,
    plan_on,
    stack_key,
    with_absolute_data,
)
from mnistlab.sweeps.trials import SweepDefinition

MOST_COLUMNS = 64
"""The widest stack. On MNIST with batches of 100 a column's epoch took 48 ms in a stack of 4 on one
core, 40 in 8, 34 in 16, 31 in 32, and 32 in 64 and in 128."""

COMPACT_FROM = 100
"""Epochs of all columns together from which on leaving out the dark pixels pays: on MNIST the copy
takes 0.27 s and saves 3 ms of each column's epoch."""

_MOST_ROUNDS = 4
"""Stacks a worker, so that they end at about the same time; more only make them narrower."""

_TIMED_STEPS = 30
_PROCESS_BYTES = 165e6
"""A process with NumPy, mapped MNIST and its evaluation buffers took 160 to 170 MB."""
_RUN_BYTES = 28_000
"""A run folder without its weights: seven files, each in blocks of 4 KB."""
_PLOT_BYTES = 700_000

_PER_IMAGE = 0.3e-6
_PER_STEP = 60e-6
_PER_STEP_AND_COLUMN = 8e-6
"""Seconds a column's image, a step, and a column's part of a step cost on one core: rough, they
only balance the stacks."""


@dataclass(frozen=True)
class Column:
    """Runs that are one and the same training up to the epochs in which they end.

    `runs` are their numbers, the shortest first; `config` is that of the longest.
    """

    runs: tuple[int, ...]
    config: Config


@dataclass(frozen=True)
class Stack:
    """Columns that one thread trains together; `name` names its checkpoint."""

    name: str
    columns: tuple[Column, ...]

    @property
    def runs(self) -> list[int]:
        """The numbers of all its runs."""
        return [run for column in self.columns for run in column.runs]

    @property
    def is_compact(self) -> bool:
        """Whether it has so much to do that it is trained without the dark pixels."""
        return sum(last_epoch(column.config) for column in self.columns) >= COMPACT_FROM

    def cost(self, images: int) -> float:
        """Return roughly the seconds that training on so many images takes on one core."""
        lasts = sorted(last_epoch(column.config) for column in self.columns)
        steps = -(-images // self.columns[0].config.batch_size)
        each = _PER_IMAGE * images + _PER_STEP_AND_COLUMN * steps
        return lasts[-1] * steps * _PER_STEP + sum(lasts) * each

    def split(self) -> tuple["Stack", "Stack"]:
        """Return two halves."""
        half = (len(self.columns) + 1) // 2
        first, second = self.columns[:half], self.columns[half:]
        return Stack(f"{self.name}a", first), Stack(f"{self.name}b", second)


def configs_of_runs(sweep: SweepDefinition) -> list[Config]:
    """Return the config of every run: trial by trial, and for each by its seeds or its folds."""
    return [config for trial in sweep.trials for config in sweep.runs_of(trial).values()]


def last_epoch(config: Config) -> int:
    """Return the epoch after which a run ends unless it is stopped early."""
    return config.stop_after or config.epochs


def plan_stacks(configs: Mapping[int, Config], workers: int, images: int) -> list[Stack]:
    """Return stacks for these runs, the most expensive first, none wider than MOST_COLUMNS.

    There are as many as so many `workers` can share evenly, so that all end at about the same
    time. `images` is the number of training images.
    """
    together: dict[str, list[Column]] = {}
    for column in _columns(configs):
        together.setdefault(stack_key(column.config), []).append(column)
    groups = [Stack("", tuple(columns)) for columns in together.values()]
    tried = [_cut(groups, rounds * workers, images) for rounds in range(_MOST_ROUNDS + 1)]
    stacks = min(tried, key=lambda some: end_of_last((one.cost(images) for one in some), workers))
    stacks.sort(key=lambda stack: -stack.cost(images))
    return [Stack(str(number), stack.columns) for number, stack in enumerate(stacks)]


def _cut(groups: Sequence[Stack], parts: int, images: int) -> list[Stack]:
    """Return the groups cut into about so many stacks of the same cost."""
    whole = sum(group.cost(images) for group in groups)
    stacks = []
    for group in groups:
        wanted = round(parts * group.cost(images) / whole)
        least = -(-len(group.columns) // MOST_COLUMNS)
        count = min(max(wanted, least), len(group.columns))
        ends = [round(len(group.columns) * part / count) for part in range(count + 1)]
        stacks += [Stack("", group.columns[start:end]) for start, end in itertools.pairwise(ends)]
    return stacks


def _columns(configs: Mapping[int, Config]) -> list[Column]:
    """Return the columns, those with most epochs first, so that columns end together."""
    same: dict[str, list[int]] = {}
    for run, config in configs.items():
        key = config.model_dump_json(exclude={"epochs", "stop_after", "name", "checkpoint_every"})
        if SCHEDULES[config.schedule].counts_epochs or config.evaluate_every > 1:
            key = str(run)  # with evaluations only now and then, each run has its own last one
        same.setdefault(key, []).append(run)
    columns = []
    for members in same.values():
        runs = sorted(members, key=lambda run: last_epoch(configs[run]))
        columns.append(Column(tuple(runs), configs[runs[-1]]))
    return sorted(columns, key=lambda column: -last_epoch(column.config))


def end_of_last(seconds: Iterable[float], workers: int) -> float:
    """Return when the last of so many workers ends that take the longest of the stacks first."""
    ends = [0.0] * workers
    for cost in sorted(seconds, reverse=True):
        ends[ends.index(min(ends))] += cost
    return max(ends)


RunNumbers = Sequence[Sequence[Sequence[int]]]
"""Stacks of columns of run numbers, as plan.json has them."""


def to_plan(stacks: Sequence[Stack]) -> RunNumbers:
    """Return the stacks as run numbers, for plan.json."""
    return [[list(column.runs) for column in stack.columns] for stack in stacks]


def from_plan(plan: RunNumbers, configs: Mapping[int, Config]) -> list[Stack]:
    """Return the stacks that `to_plan` wrote."""
    return [
        Stack(str(number), tuple(Column(tuple(runs), configs[runs[-1]]) for runs in columns))
        for number, columns in enumerate(plan)
    ]


@dataclass(frozen=True)
class PreparedSweep:
    """A sweep with its data: the config and the learning-rate limit of each run."""

    sweep: SweepDefinition
    configs: Mapping[int, Config]
    data_of: Callable[[Config], Dataset]
    limits: Mapping[int, float | None]
    workers: int

    @property
    def data(self) -> Dataset:
        """The first trial's data; the images are the same for all."""
        return self.data_of(self.configs[0])

    def stacks(self, runs: Sequence[int] | None = None) -> list[Stack]:
        """Return how these runs (all of them) are best trained together, each batch by itself."""
        batches: dict[int, dict[int, Config]] = {}
        for run in self.configs if runs is None else runs:
            batches.setdefault(self.sweep.batch_of(run), {})[run] = self.configs[run]
        images = len(self.data.train)
        planned = [plan_stacks(one, self.workers, images) for one in batches.values()]
        stacks = itertools.chain.from_iterable(planned)
        return [replace(stack, name=str(number)) for number, stack in enumerate(stacks)]

    @property
    def common_limit(self) -> float | None:
        """The largest stable learning rate, where it is the same for all runs of a fold.

        Of several folds, whose images differ, it is the smallest one.
        """
        of_folds: dict[int | None, set[float | None]] = {}
        for run, limit in self.limits.items():
            of_folds.setdefault(self.configs[run].data.fold, set()).add(limit)
        if any(len(limits) > 1 for limits in of_folds.values()):
            return None
        known = [limit for limits in of_folds.values() for limit in limits if limit is not None]
        return min(known, default=None)

    def warnings(self) -> list[str]:
        """Return warnings of values and data that are odd and of runs beyond their limit."""
        found = [*self.sweep.notes, *(oddity.message for oddity in self.data.oddities)]
        beyond = [
            run
            for run, limit in self.limits.items()
            if limit is not None and self.configs[run].learning_rate > limit
        ]
        if beyond:
            limits = sorted({format_limit(self.limits[run] or 0.0) for run in beyond}, key=float)
            limit = limits[0] if len(limits) == 1 else f"{limits[0]} to {limits[-1]}"
            of = len(self.configs)
            which = "the run" if of == 1 else f"{len(beyond)} of {of} runs"
            is_, its = ("is", "its") if len(beyond) == 1 else ("are", "their")
            found.append(
                f"{which} {is_} beyond the stability limit of this data, a learning rate of about "
                f"{limit}: {its} loss is likely to grow until it overflows"
            )
        return found


def prepare_sweep(
    sweep: SweepDefinition,
    progress: Progress | None = None,
    *,
    exact_limit: bool = False,
    earlier: PreparedSweep | None = None,
    workers: int | None = None,
) -> PreparedSweep:
    """Load the data of a sweep and check every run against it; raise InputError or FetchError.

    With `earlier`, which has some of its trials, the data and limits of those are taken from there.
    `workers` is how many stacks are trained at once, by default one on each core.
    """
    configs = {run: with_absolute_data(one) for run, one in enumerate(configs_of_runs(sweep))}
    data_of = _opener(progress) if earlier is None else earlier.data_of
    limits: dict[int, float | None] = {} if earlier is None else dict(earlier.limits)
    alike: dict[str, list[int]] = {}
    for run, config in configs.items():
        if run not in limits:
            alike.setdefault(stack_key(config), []).append(run)
    for runs in alike.values():
        plan = plan_on(
            data_of(configs[runs[0]]), [configs[run] for run in runs], exact_limit=exact_limit
        )
        limits |= dict(zip(runs, plan.limits, strict=True))
    if workers is None:
        workers = available_cores() if earlier is None else earlier.workers
    return PreparedSweep(sweep, configs, data_of, limits, workers)


def _opener(progress: Progress | None) -> Callable[[Config], Dataset]:
    """Return a function that opens the data of a config, each only once."""
    opened: dict[str, Dataset] = {}

    def data_of(config: Config) -> Dataset:
        config = with_absolute_data(config)
        key = data_key(config)
        if key not in opened:
            opened[key] = open_data(config, progress)
        return opened[key]

    return data_of


@dataclass(frozen=True)
class Estimate:
    """Seconds to the end, peak memory and disk in bytes."""

    seconds: float
    memory: float
    disk: float


def estimate(prepared: PreparedSweep, stacks: Sequence[Stack]) -> Estimate:
    """Return what training these stacks will take on this machine."""
    timed: dict[tuple[int, int], tuple[float, float]] = {}
    seconds = [_stack_seconds(stack, prepared, timed) for stack in stacks]
    sizes = [len(one.columns) * _weight_bytes(prepared, one.columns[0].config) for one in stacks]
    weights = sum(_weight_bytes(prepared, column.config) * len(column.runs)
                  for stack in stacks for column in stack.columns)  # fmt: skip
    runs = sum(len(stack.runs) for stack in stacks)
    return Estimate(
        end_of_last(seconds, prepared.workers),
        # parameters, gradient, optimizer state, two snapshots, and a copy at each end
        _PROCESS_BYTES
        + _copied_bytes(prepared, stacks)
        + 6 * sum(sorted(sizes, reverse=True)[: prepared.workers]),
        weights + runs * _RUN_BYTES + _PLOT_BYTES,
    )


def _copied_bytes(prepared: PreparedSweep, stacks: Sequence[Stack]) -> int:
    """Return the bytes of images and features that are not those of a mapped file.

    A split that is drawn, each fold for example, is a copy, and so is what stacks with much to do
    train on: the images without dark pixels.
    """
    copies: dict[int, int] = {}
    for stack in stacks:
        data = prepared.data_of(stack.columns[0].config)
        for part in filter(None, (data.train, data.validation)):
            for one in (part.images, part.computed):
                if one is not None and one.flags.owndata:
                    copies[id(one)] = one.nbytes
        if stack.is_compact:
            copies[id(data)] = data.train.images.nbytes
    return sum(copies.values())


def _stack_seconds(
    stack: Stack, prepared: PreparedSweep, timed: dict[tuple[int, int], tuple[float, float]]
) -> float:
    """Return a stack's seconds; the first one of about its width stands for the others."""
    config = stack.columns[0].config
    kind = config.batch_size, len(stack.columns).bit_length()
    if kind not in timed:
        timed[kind] = _time_steps(stack, prepared)
    train, evaluate = timed[kind]
    dataset = prepared.data_of(config)
    images, held_out = len(dataset.train), len(dataset.validation or ())
    every = evaluate * (images + held_out) / config.evaluate_every
    return sum(last_epoch(column.config) for column in stack.columns) * (train * images + every)


def _time_steps(stack: Stack, prepared: PreparedSweep) -> tuple[float, float]:
    """Return the seconds that training and evaluation take a column's image, by two epochs."""
    configs = [column.config for column in stack.columns]
    plan = plan_on(prepared.data_of(configs[0]), configs)
    count = min(len(plan.dataset.train), max(3000, _TIMED_STEPS * configs[0].batch_size))
    whole, two = plan.trainer(), np.full(len(configs), 2.0)
    hyper = {**plan.settings.hyper, "last_epoch": two}
    settings: Settings = replace(plan.settings, hyper=hyper, evaluate_every=1)
    samples = plan.dataset.train.take(slice(count))
    trainer = Trainer(settings, whole.parameters, samples, None, np.random.default_rng(0))
    with threadpoolctl.threadpool_limits(1, "blas"):
        records = list(trainer.epochs())  # one is enough where all columns diverge in it
    train = min(record.train_seconds for record in records)
    evaluate = min(record.evaluate_seconds for record in records)
    return train / count / len(configs), evaluate / count / len(configs)


def _weight_bytes(prepared: PreparedSweep, config: Config) -> int:
    """Return the bytes that the parameters of one configuration take."""
    data = prepared.data
    return (data.train.feature_count + 1) * len(data.classes) * np.dtype(config.dtype).itemsize
