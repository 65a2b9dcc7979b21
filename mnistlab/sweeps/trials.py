"""A sweep, settled: all of its trials, each with its config checked, before anything runs."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from mnistlab.config.config_files import dump
from mnistlab.config.load import name_from, settle, shown, try_config, valid_keys, value_of
from mnistlab.config.schema import Config, config_type
from mnistlab.errors import ConfigError
from mnistlab.sweeps.space import Axis, Point, count_points, draw_points
from mnistlab.sweeps.sweep_file import Draft, Trial, check_value, read_sweep, with_values
from mnistlab.sweeps.sweep_schema import (
    MOST_LISTED,
    Halving,
    Metric,
    SweepFile,
    count_in_words,
    metric_named,
)

MOST_RUNS = 10_000
_LOOKED_AT = 10_000
"""Of an axis with more values, only those that are picked are looked at."""
_DRAWN = 64  # trials of a random sweep that does not say how many
_BATCH = 16
"""Trials that a sampler is asked for at a time: on two cores 256 on mnist-mini took 13 s so, 11 s
with 32 at a time, but in 48 trials 32 found a little less in each of three problems."""


@dataclass(frozen=True)
class SweepDefinition:
    """Everything that decides what a sweep does.

    `base` holds what all trials share; where it is valid only together with the axes' values, it
    is the first trial's config. `draft` makes trials of points, and has the settings that the file
    leaves open filled in. `notes` say what is worth a second look before it starts.

    Where a sampler is asked for the trials, a batch at a time, `trials` are those that are known so
    far. `drawn` are then as many different ones as there will be, in the order in which `--method
    random` draws them: the first batch is taken from them, and so is what stands in for a trial
    that the sampler repeats.
    """

    base: Config
    metric: Metric
    halving: Halving | None
    trials: tuple[Trial, ...]
    draft: Draft = field(repr=False, compare=False)
    drawn: tuple[Trial, ...] | None = field(repr=False, compare=False)
    notes: tuple[str, ...] = field(repr=False)
    document: Mapping[str, Any] = field(repr=False)
    """The sweep as a sweep file says it, base and lists of trials included."""

    @property
    def settings(self) -> SweepFile:
        """What the sweep file and the options say, with what they leave open filled in."""
        return self.draft.settings

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys of the axes."""
        return tuple(self.draft.axes)

    @property
    def folds(self) -> int | None:
        """K where each trial is trained K times, with each of K folds as the validation split."""
        return self.base.data.folds if self.base.data.fold is None else None

    @property
    def repeats(self) -> int:
        """How many runs each trial has: they differ in the seed or in the fold."""
        return self.folds or self.settings.seeds

    def runs_of(self, trial: Trial) -> dict[int, Config]:
        """Return the config of each of a trial's runs by the run's number."""
        first, config = trial.number * self.repeats, trial.config
        if self.folds is None:
            seeds = range(config.seed, config.seed + self.settings.seeds)
            configs = [config.model_copy(update={"seed": seed}) for seed in seeds]
        else:
            data = [config.data.model_copy(update={"fold": one}) for one in range(self.folds)]
            configs = [config.model_copy(update={"data": one}) for one in data]
        return dict(enumerate(configs, first))

    @property
    def wanted(self) -> int:
        """How many trials there are in the end."""
        return len(self.trials if self.drawn is None else self.drawn)

    def batch_of(self, run: int) -> int:
        """Return the number of the batch that a run is of, from 0."""
        return run // self.repeats // (self.settings.batch or MOST_RUNS)

    def at(self, points: Sequence[Point]) -> "SweepDefinition":
        """Return the sweep with the trials at these points in place of those that are known.

        Raises ConfigError for points whose configs are wrong or the same, and TypeError,
        IndexError or ValueError for what is no point of this space.
        """
        return replace(self, trials=self.draft.trials(points))

    def to_yaml(self) -> str:
        """Return a sweep file that `load_sweep` reads back to an equal sweep."""
        return dump(self.document)


def load_sweep(
    source: Path | Mapping[str, Any],
    words: Sequence[str] = (),
    *,
    metric: Metric | None = None,
    name: str | None = None,
    **options: Any,
) -> SweepDefinition:
    """Return the sweep of a sweep file or of a plain config, with what the words add to it.

    In place of a file there may be a mapping of its keys. The options are keys of a sweep file,
    which win over it unless they are None. Every trial's config has passed the schema. Raises
    ConfigError that names file and line, or the word.
    """
    options["metric"] = metric and {"name": metric.name, "goal": metric.goal}
    draft = read_sweep(source, words, {k: v for k, v in options.items() if v is not None})
    if name is not None:
        draft.fix("name", name, "--name")
    elif draft.base.get("name") is None:
        draft.base["name"] = name_from(source) if isinstance(source, Path) else "sweep"
    draft.settings = settings = _settled(draft)
    base = _base(draft)
    _check_size(draft)
    _check_values(draft)
    trials = draft.trials(_points(draft))
    if base is None:
        base = trials[0].config
    _check_comparable(draft, base, trials)
    _check_seeds(draft, trials)
    is_asked = settings.method == "tpe" and "halving" in settings.model_fields_set
    halving = settings.halving if settings.method == "halving" or is_asked else None
    if halving is not None:
        _check_halving(draft, base, halving)
    return SweepDefinition(
        base=base,
        metric=metric_named(settings.metric.name, settings.metric.goal),
        halving=halving,
        trials=trials[: settings.batch],
        draft=draft,
        drawn=None if settings.batch is None else trials,
        notes=tuple(filter(None, map(_note, draft.axes.values()))),
        document=_document(draft, halving),
    )


def repeat_settings(first: Config, second: Config, seeds: int, name: str) -> SweepDefinition:
    """Return the sweep that repeats two settings over seeds, each of them a trial.

    Both get the same seeds, which begin after the first config's. Settings that are the same make
    one trial. Raises ConfigError where their data differ.
    """
    axes = {}
    for key in sorted(set(valid_keys()) - {"name", "seed"}):
        values = [value_of(config, tuple(key.split("."))) for config in (first, second)]
        if values[0] != values[1]:
            axes[key] = values
    base = {**first.model_dump(exclude_none=True), "seed": first.seed + 1}
    zipped = {"zip": [list(axes)]} if len(axes) > 1 else {}
    return load_sweep({"base": base, "parameters": axes, **zipped}, seeds=seeds, name=name)


def _settled(draft: Draft) -> SweepFile:
    """Return the settings with the method, and the number of trials to draw, filled in."""
    file, drawn = draft.settings, next((a for a in draft.axes.values() if a.count is None), None)
    method = file.method or ("random" if drawn else "grid")
    if method == "grid" and drawn:
        raise ConfigError(
            f"{drawn.where}: a grid cannot list a continuous distribution; use --method random"
        )
    if method not in ("halving", "tpe") and draft.halving_word:
        raise ConfigError(f"{draft.halving_word}: has no effect with method {method}")
    if method != "tpe" and file.batch is not None:
        where = draft.batch_from
        raise ConfigError(f"{where}: batch {file.batch} has no effect with method {method}")
    is_random = method in ("random", "tpe") or (method == "halving" and drawn)
    most = file.max_trials or (_DRAWN if is_random else None)
    batch = file.batch or _BATCH if method == "tpe" else None
    return file.model_copy(update={"method": method, "max_trials": most, "batch": batch})


def _base(draft: Draft) -> Config | None:
    """Return the checked base, or None if its keys go together only with an axis's values."""
    base = try_config(draft.base)
    if draft.axes and not isinstance(base, Config) and not any(fault.path for fault in base):
        return None
    return settle(config_type(), draft.base, draft.origins, draft.source)


def _check_size(draft: Draft) -> None:
    """Refuse a sweep of nothing, one of more runs than anybody starts, and seeds with folds."""
    data = draft.base.get("data")
    data = data if isinstance(data, dict) else {}
    folds = data.get("folds") if data.get("fold") is None else None
    if draft.settings.folds not in (None, folds):
        raise ConfigError(
            f"{draft.source}: folds {draft.settings.folds} trains every trial on all folds; leave "
            "out data.folds and data.fold"
        )
    if folds and draft.settings.seeds > 1:
        raise ConfigError(
            f"{draft.source}: seeds and folds exclude each other: their runs are no independent "
            "repeats of a trial; choose one of them"
        )
    repeats, what = (draft.settings.seeds, "seeds") if folds is None else (folds, "folds")
    most, points = draft.settings.max_trials, count_points(draft.groups)
    if not draft.axes and repeats == 1:
        raise ConfigError(
            f"{draft.source}: nothing to sweep; give an axis, such as learning_rate=0.01,0.1, "
            "or --seeds 5 or --folds 5 to repeat one trial"
        )
    listed = sum(len(axis.entry.get("values", ())) for axis in draft.axes.values())
    if listed > MOST_LISTED:
        raise ConfigError(f"{draft.source}: lists {listed:,} values, {MOST_LISTED:,} at most")
    if most is None and points is not None and points > MOST_RUNS:
        raise ConfigError(
            f"{draft.source}: the grid has {count_in_words(points)} points, {MOST_RUNS:,} at most; "
            "give fewer values, or --max-trials N to take N of them, or --method random "
            "--max-trials N"
        )
    count = min(n for n in (points, most) if n is not None)
    if count * repeats > MOST_RUNS:
        raise ConfigError(
            f"{draft.source}: {count_in_words(count)} trials x {count_in_words(repeats)} {what} "
            f"are {count_in_words(count * repeats)} runs, {MOST_RUNS:,} at most"
        )


def _check_values(draft: Draft) -> None:
    """Raise ConfigError for the first value that is wrong by itself or stands there twice."""
    for group in draft.groups:
        first, count = group[0], group[0].count
        if count is None or count > _LOOKED_AT:
            continue
        seen: dict[str, int] = {}
        for position in range(count):
            values = [axis.at(position) for axis in group]
            for axis, value in zip(group, values, strict=True):
                # several keys that do not go together by themselves may do so in a trial
                check_value(axis, position, try_config(with_values(draft.base, {axis.key: value})))
            # 1 and 1.0 are one learning rate
            alike = repr([float(v) if type(v) is int and abs(v) < 2**53 else v for v in values])
            earlier = seen.setdefault(alike, position)
            if earlier != position:
                given = ", ".join(map(shown, values))
                line = f"stands in line {first.lines[earlier]}" if first.lines else ""
                also = line or f"is value {earlier + 1:,}"
                raise ConfigError(f"{first.place(position)}: {given} {also} too")


def _points(draft: Draft) -> Sequence[Point]:
    """Return the points to try: all of them, or as many of them as were asked for."""
    groups, settings = draft.groups, draft.settings
    points, wanted = count_points(groups), settings.max_trials
    is_whole = points is not None and (wanted is None or points <= wanted)
    if is_whole and settings.batch is None:
        return list(itertools.product(*(range(axes[0].count or 0) for axes in groups)))
    assert wanted is not None, "what is drawn has a limit"  # noqa: S101 - for the types
    wanted = wanted if points is None else min(points, wanted)
    try:
        drawn = draw_points(groups, wanted, settings.random_seed)
    except ValueError as error:
        raise ConfigError(f"{draft.source}: {error}; ask for fewer by --max-trials") from None
    in_order = settings.method in ("random", "tpe") or points is None
    return drawn if in_order else sorted(drawn)


def _check_comparable(draft: Draft, base: Config, trials: Sequence[Trial]) -> None:
    """Raise ConfigError if there is nothing to choose a best trial by."""
    settings = draft.settings
    if settings.published is not None:
        figures = len(settings.published.test_error)
        if settings.method != "grid" or figures != len(trials):
            raise ConfigError(
                f"{draft.source}: published has {figures} figures for {len(trials)} trials by "
                f"{settings.method}; it needs a grid and a figure or null for each trial"
            )
        return  # nothing is chosen, so all are tested
    if base.data.validation == 0:
        where = draft.origins.get(("data", "validation"), draft.source)
        raise ConfigError(
            f"{where}: data.validation must be above 0: the best trial is chosen on that split"
        )
    losses = {trial.config.loss for trial in trials}
    if settings.metric.name == "validation.loss" and len(losses) > 1:
        raise ConfigError(
            f"{draft.axes['loss'].where}: different losses cannot be compared by validation.loss; "
            "use validation.accuracy"
        )


def _check_seeds(draft: Draft, trials: Sequence[Trial]) -> None:
    seeds = draft.settings.seeds
    if seeds > 1 and "seed" in draft.axes:
        raise ConfigError(f"{draft.axes['seed'].where}: seed is an axis, so seeds must be 1")
    largest = max(trial.config.seed for trial in trials)
    if largest + seeds > 2**63:
        raise ConfigError(f"{draft.source}: seed {largest} leaves no room for {seeds} seeds")


def _check_halving(draft: Draft, base: Config, halving: Halving) -> None:
    """Refuse what halving decides itself: for how long, and that each epoch is evaluated."""
    for key, usual in (("epochs", None), ("stop_after", None), ("evaluate_every", 1)):
        if key in draft.axes:
            raise ConfigError(f"{draft.axes[key].where}: {key} is no axis where halving chooses it")
        if key != "epochs" and getattr(base, key) != usual:
            where = draft.origins.get((key,), draft.source)
            raise ConfigError(f"{where}: {key} must be {usual or 'null'} for halving")
    if halving.min_epochs >= base.epochs:
        raise ConfigError(
            f"{draft.source}: halving.min_epochs must be less than epochs, {base.epochs}, not "
            f"{halving.min_epochs}"
        )


_REAL = ("learning_rate", "weight_decay", "momentum", "init_scale")


def _note(axis: Axis) -> str | None:
    """Return a warning of bounds that look like others: in W&B too they draw something else."""
    if axis.entry.get("distribution") == "int_uniform" and axis.key in _REAL:
        bounds = f"{axis.entry['min']} to {axis.entry['max']}"
        return f"{axis.key} is {axis.describe()}: of {bounds} only whole numbers are drawn"
    if axis.entry.get("distribution") != "log_uniform" or axis.entry["min"] <= 0:
        return None
    return (
        f"{axis.key} is {axis.describe()}: log_uniform takes exponents of e; for values from "
        f"{shown(axis.entry['min'])} to {shown(axis.entry['max'])} use log_uniform_values"
    )


def _document(draft: Draft, halving: Halving | None) -> dict[str, Any]:
    """Return the sweep as a sweep file says it."""
    settings = draft.settings
    defaults = Config().model_dump(exclude_none=True)
    base = {**defaults, **draft.base}
    if isinstance(draft.base.get("data"), dict):
        base["data"] = {**defaults["data"], **draft.base["data"]}
        if base["data"].get("folds") is not None:
            del base["data"]["validation"]  # the schema has let only null pass
    limit = {} if settings.max_trials is None else {"max_trials": settings.max_trials}
    zips = [list(keys) for _, keys in draft.zips if len(keys) > 1]
    return {
        "base": base,
        "method": settings.method,
        "metric": settings.metric.model_dump(),
        "parameters": {key: dict(axis.entry) for key, axis in draft.axes.items()},
        **({"zip": zips} if zips else {}),
        **({"published": settings.published.model_dump()} if settings.published else {}),
        "seeds": settings.seeds,
        **limit,
        "random_seed": settings.random_seed,
        **({"batch": settings.batch} if settings.batch else {}),
        **({"halving": halving.model_dump()} if halving else {}),
    }
