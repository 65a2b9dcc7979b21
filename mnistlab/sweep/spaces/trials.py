"""Settles a sweep: all of its trials, each with its config checked, before anything runs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mnistlab.config.load import name_from, settle, try_config
from mnistlab.config.schema import Config
from mnistlab.config.strict_yaml import dump
from mnistlab.errors import ConfigError
from mnistlab.sweep.spaces.draft import Draft, add_words
from mnistlab.sweep.spaces.faults import check_comparable, check_values, trial_config
from mnistlab.sweep.spaces.points import count_in_words
from mnistlab.sweep.spaces.settings import (
    Halving,
    Metric,
    method_named,
    metric_named,
    whole_number,
)
from mnistlab.sweep.spaces.space import Group, Pick, pick_all, pick_some, size, tie
from mnistlab.sweep.spaces.sweep_file import read_draft

__all__ = ["Halving", "Metric", "Sweep", "Trial", "load_sweep"]


MOST_RUNS = 10_000
_MOST_LISTED = 40_000  # so many fit the file that `Sweep.to_yaml` writes
_DRAWN = 64  # trials of a random sweep that does not say how many


@dataclass(frozen=True)
class Trial:
    """One config of a sweep: its number from 0, the axes' values by key, and the whole of it."""

    number: int
    parameters: Mapping[str, Any]
    config: Config


@dataclass(frozen=True)
class Sweep:
    """Everything that decides what a sweep does; `keys` are those of its axes.

    `base` holds what all trials share; where it is valid only together with the axes' values, it
    is the first trial's config.
    """

    base: Config
    name: str
    method: str
    metric: Metric
    seeds: int
    max_trials: int | None
    random_seed: int
    halving: Halving | None
    trials: tuple[Trial, ...]
    keys: tuple[str, ...]
    document: Mapping[str, Any] = field(repr=False)
    """The sweep as a sweep file says it, base and lists of trials included."""

    def to_yaml(self) -> str:
        """Return a sweep file that `load_sweep` reads back to an equal sweep."""
        return dump(self.document)


@dataclass(frozen=True)
class _Plan:
    """How trials are picked, after the options have had their say."""

    method: str
    metric: Metric
    seeds: int
    max_trials: int | None
    random_seed: int
    halving: Halving | None


def load_sweep(
    path: Path,
    words: Sequence[str] = (),
    *,
    method: str | None = None,
    max_trials: int | None = None,
    seeds: int | None = None,
    random_seed: int | None = None,
    metric: Metric | None = None,
    name: str | None = None,
) -> Sweep:
    """Return the sweep of a sweep file or of a plain config, with what the words add to it.

    Options win over the file. Every trial's config has passed the schema. Raises ConfigError that
    names file and line, or the word.
    """
    draft = read_draft(path)
    add_words(draft, words)
    if name is not None:
        draft.fix("name", name, "--name")
    elif draft.data.get("name") is None:
        draft.data["name"] = name_from(path)
    options = {
        "method": method,
        "max_trials": max_trials,
        "seeds": seeds,
        "random_seed": random_seed,
        "metric": metric,
    }
    groups = tie(draft.axes, draft.zips)
    plan = _plan(draft, groups, {key: given for key, given in options.items() if given is not None})
    return _settle(draft, groups, plan)


def _settle(draft: Draft, groups: Sequence[Group], plan: _Plan) -> Sweep:
    """Return the sweep after everything about it has been checked, the quick checks first."""
    base = _base(draft)
    _check_size(draft, groups, plan)
    check_values(draft, groups)
    trials = _trials(draft, groups, plan)
    if base is None:
        base = trials[0].config
    check_comparable(draft, base, [trial.config for trial in trials], plan.metric)
    _check_seeds(draft, trials, plan)
    if plan.halving:
        _check_halving(draft, base, plan.halving)
    return Sweep(
        base=base,
        name=str(base.name),
        **vars(plan),
        trials=trials,
        keys=tuple(draft.axes),
        document=_document(draft, plan),
    )


def _plan(draft: Draft, groups: Sequence[Group], options: Mapping[str, Any]) -> _Plan:
    for key, least in (("seeds", 1), ("max_trials", 1), ("random_seed", 0)):
        if key in options:
            whole_number(options[key], f"--{key.replace('_', '-')}", least)
    if "method" in options:
        method_named(options["method"], "--method")
    if "metric" in options:
        metric_named(options["metric"].name, options["metric"].goal)
    said = {**draft.settings, **options}
    continuous = next((group for group in groups if group.is_continuous), None)
    method = said.get("method", "random" if continuous else "grid")
    if method == "grid" and continuous:
        raise ConfigError(
            f"{continuous.where}: a grid cannot list a continuous distribution; use --method random"
        )
    if method != "halving" and "halving_word" in said:
        raise ConfigError(f"{said['halving_word']}: has no effect with method {method}")
    is_random = method == "random" or (method == "halving" and continuous)
    return _Plan(
        method=method,
        metric=said.get("metric", metric_named("validation.accuracy")),
        seeds=said.get("seeds", 1),
        max_trials=said.get("max_trials", _DRAWN if is_random else None),
        random_seed=said.get("random_seed", 0),
        halving=Halving(**said.get("halving", {})) if method == "halving" else None,
    )


def _check_size(draft: Draft, groups: Sequence[Group], plan: _Plan) -> None:
    """Refuse a sweep of nothing, and one of more runs than anybody means to start."""
    if not groups and plan.seeds == 1:
        raise ConfigError(
            f"{draft.source}: nothing to sweep; give an axis, such as learning_rate=0.01,0.1, "
            "or --seeds 5 to repeat one trial"
        )
    listed = sum(len(axis.values.entry.get("values", ())) for axis in draft.axes.values())
    if listed > _MOST_LISTED:
        raise ConfigError(f"{draft.source}: lists {listed:,} values, {_MOST_LISTED:,} at most")
    points = size(groups)
    if plan.max_trials is None and points is not None and points > MOST_RUNS:
        raise ConfigError(
            f"{draft.source}: the grid has {count_in_words(points)} points, {MOST_RUNS:,} at most; "
            "give fewer values, or --max-trials N to take N of them, or --method random "
            "--max-trials N"
        )
    count = min(n for n in (points, plan.max_trials) if n is not None)
    if count * plan.seeds > MOST_RUNS:
        raise ConfigError(
            f"{draft.source}: {count_in_words(count)} trials x {count_in_words(plan.seeds)} seeds "
            f"are {count_in_words(count * plan.seeds)} runs, {MOST_RUNS:,} at most"
        )


def _base(draft: Draft) -> Config | None:
    """Return the checked base, or None if its keys go together only with an axis's values."""
    base = try_config(draft.data)
    if draft.axes and not isinstance(base, Config) and not any(fault.path for fault in base):
        return None
    return settle(draft.data, draft.origins, draft.source)


def _trials(draft: Draft, groups: Sequence[Group], plan: _Plan) -> tuple[Trial, ...]:
    trials: list[Trial] = []
    same: dict[str, int] = {}
    for number, pick in enumerate(_picks(draft, groups, plan)):
        config, parameters = trial_config(draft, groups, pick)
        earlier = same.setdefault(config.model_dump_json(), number)
        if earlier != number:
            told = ", ".join(f"{key}={value}" for key, value in parameters.items())
            raise ConfigError(
                f"{draft.source}: trials {earlier:,} and {number:,} are the same: {told}"
            )
        trials.append(Trial(number, parameters, config))
    return tuple(trials)


def _picks(draft: Draft, groups: Sequence[Group], plan: _Plan) -> Sequence[Pick]:
    """Return the points to try: all of them, or as many of them as were asked for."""
    points, wanted = size(groups), plan.max_trials
    if points is not None and (wanted is None or points <= wanted):
        return list(pick_all(groups))
    assert wanted is not None, "a space without end has a limit"  # noqa: S101 - for the types
    try:
        picks = pick_some(groups, wanted, plan.random_seed)
    except ValueError as error:
        raise ConfigError(f"{draft.source}: {error}; ask for fewer by --max-trials") from None
    return picks if plan.method == "random" or points is None else sorted(picks)


def _check_seeds(draft: Draft, trials: Sequence[Trial], plan: _Plan) -> None:
    if plan.seeds > 1 and "seed" in draft.axes:
        raise ConfigError(f"{draft.axes['seed'].where}: seed is an axis, so seeds must be 1")
    largest = max(trial.config.seed for trial in trials)
    if largest + plan.seeds > 2**63:
        raise ConfigError(f"{draft.source}: seed {largest} leaves no room for {plan.seeds} seeds")


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


def _document(draft: Draft, plan: _Plan) -> dict[str, Any]:
    """Return the sweep as a sweep file says it."""
    defaults = Config().model_dump(exclude_none=True)
    base = {**defaults, **draft.data}
    if isinstance(draft.data.get("data"), dict):
        base["data"] = {**defaults["data"], **draft.data["data"]}
    limit = {} if plan.max_trials is None else {"max_trials": plan.max_trials}
    tied = [list(keys) for _, keys in draft.zips if len(keys) > 1]
    return {
        "base": base,
        "method": plan.method,
        "metric": dict(vars(plan.metric)),
        "parameters": {key: dict(axis.values.entry) for key, axis in draft.axes.items()},
        **({"zip": tied} if tied else {}),
        "seeds": plan.seeds,
        **limit,
        "random_seed": plan.random_seed,
        **({"halving": dict(vars(plan.halving))} if plan.halving else {}),
    }
