"""Reads what a sweep is given: a sweep file or a plain config, a list of trials, and words."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mnistlab.config.config_files import (
    MAX_BYTES,
    MAX_SWEEP_BYTES,
    Origins,
    find_config,
    read_file,
    read_value,
    shorten,
    split_word,
)
from mnistlab.config.load import (
    ConfigFault,
    describe_unknown_key,
    is_sweep,
    read_config,
    set_key,
    settle,
    shown,
    try_config,
    valid_keys,
    validate,
    value_of,
)
from mnistlab.config.schema import Config
from mnistlab.errors import ConfigError
from mnistlab.errors import shown as escaped
from mnistlab.sweeps.space import (
    Axis,
    Group,
    Point,
    axis_of_distribution,
    axis_of_items,
    axis_of_text,
    group_axes,
    is_call,
    read_trial_list,
)
from mnistlab.sweeps.sweep_schema import Parameter, SweepFile

OPTIONS = ("method", "metric", "max_trials", "seeds", "folds", "random_seed", "batch")
"""Keys of a sweep file that are options on the command line."""

_NO_AXIS = {
    "name": "a name changes nothing; --name names the sweep",
    "data.dataset": "trials on different data cannot be compared; sweep each dataset by itself",
    **dict.fromkeys(
        ("data.validation", "data.split", "data.split_seed"),
        "trials on different data cannot be compared; sweep each split by itself",
    ),
    **dict.fromkeys(("data.folds", "data.fold"), "--folds K trains every trial on all of K folds"),
}


@dataclass(frozen=True)
class Trial:
    """One config of a sweep: its number from 0, the axes' values by key, and the whole of it.

    `point` is where in the space it lies.
    """

    number: int
    parameters: Mapping[str, Any]
    config: Config
    point: Point


@dataclass
class Draft:
    """What file and words say of a sweep and its trials, of which only `settings` are checked.

    `base` holds what all trials share, `origins` where each of its keys is from, `batch_from` where
    the batch is; `zips` are the keys that move together, each with where that was given, and
    `groups` all axes, each with those that move with it.
    """

    source: str
    settings: SweepFile
    base: dict[str, Any]
    origins: Origins
    axes: dict[str, Axis] = field(default_factory=dict)
    zips: list[tuple[str, list[str]]] = field(default_factory=list)
    groups: Sequence[Group] = ()
    halving_word: str | None = None
    batch_from: str = ""

    def fix(self, key: str, value: Any, where: str) -> None:
        """Give a key one value for all trials, whatever it was before."""
        set_key(self.base, self.origins, tuple(key.split(".")), value, where)
        if self.axes.pop(key, None):
            left = [(given, [k for k in keys if k != key]) for given, keys in self.zips]
            self.zips = [(given, keys) for given, keys in left if keys]

    def divide(self, folds: int, where: str) -> None:
        """Have all trials validated by so many folds, in place of what the base says of that."""
        data = self.base.get("data")
        if isinstance(data, dict):
            kept = {key: data[key] for key in data if key not in ("validation", "fold")}
            self.base["data"] = kept
        self.fix("data.folds", folds, where)

    def vary(self, axis: Axis) -> None:
        """Add an axis, or replace the one of its key."""
        where = f"{axis.where}, line 1" if axis.lines else axis.where
        if axis.key not in valid_keys():
            raise ConfigError(f"{where}: {describe_unknown_key(axis.key, valid_keys())}")
        if axis.key in _NO_AXIS:
            raise ConfigError(f"{where}: {axis.key} is no axis: {_NO_AXIS[axis.key]}")
        self.axes[axis.key] = axis

    def list_trials(self, path: Path, where: str) -> list[str]:
        """Take a list of trials in place of the one before; return its keys."""
        columns = read_trial_list(path, where)
        earlier = {key for key, axis in self.axes.items() if axis.lines}
        for key in earlier:
            del self.axes[key]
        self.zips = [(given, keys) for given, keys in self.zips if not earlier.issuperset(keys)]
        for axis in columns:
            self.vary(axis)
        keys = [axis.key for axis in columns]
        self.zips.append((str(path), keys))
        return keys

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
                    f"{self.source}: trials {earlier:,} and {number:,} are the same: {both}"
                )
            trials.append(trial)
        return tuple(trials)

    def trial(self, number: int, point: Point) -> Trial:
        """Return the trial at a point; raise ConfigError that names what is wrong with it."""
        placed = [*zip(self.groups, point, strict=True)]
        given = {axis.key: axis.at(part) for group, part in placed for axis in group}
        config = try_config(with_values(self.base, given))
        if not isinstance(config, Config):
            for group, part in placed:
                for axis in group:
                    check_value(axis, part, config)
            values = ", ".join(f"{key}={shown(value)}" for key, value in given.items())
            raise ConfigError(f"{self.source}: trial {values}: {config[0]}")
        parameters = {key: value_of(config, tuple(key.split("."))) for key in self.axes}
        return Trial(number, parameters, config, point)


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


def is_sweep_file(path: Path) -> bool:
    """Return whether a YAML file is a sweep rather than a config; raise ConfigError if neither."""
    return is_sweep(read_file(path, MAX_SWEEP_BYTES)[0])


def check_own_file(path: Path) -> None:
    """Raise ConfigError unless a sweep's config in its folder holds all that it needs itself."""
    if not path.exists():
        raise ConfigError(
            f"{path}: is missing, so there is nothing to go on with; to clear the sweep away: "
            f"mnistlab runs delete {path.parent.name}"
        )
    data, _ = read_file(path, MAX_SWEEP_BYTES)
    for key in ("base", "trials"):
        if isinstance(data.get(key), str):
            raise ConfigError(
                f"{path}: {key!r} names another file, which no sweep's own config does; begin a "
                "new sweep with --config"
            )


def read_sweep(
    source: Path | Mapping[str, Any], words: Sequence[str], options: Mapping[str, Any]
) -> Draft:
    """Return what a sweep is to be: the file, then what wins over it.

    In place of a file there may be a mapping of its keys. Raises ConfigError that names file and
    line, the word or the option.
    """
    path = source if isinstance(source, Path) else Path("sweep")
    data, origins = _read(source) if isinstance(source, Path) else _take(source)
    if data.get("method") == "bayes":  # as W&B calls it
        data["method"] = "tpe"
    changes = [_split(word) for word in words]
    halving = [change for change in changes if change[1].partition(".")[0] == "halving"]
    for where, key, text in halving:
        set_key(data, origins, tuple(key.split(".")), read_value(text, where), where)
    for key, value in options.items():
        name = f"--{key.replace('_', '-')}" if isinstance(source, Path) else key
        data[key], origins[key,] = value, name
    file = settle(SweepFile, data, origins, str(path))
    draft = _draft(file, origins, path)
    if file.folds is not None:
        draft.divide(file.folds, origins["folds",])
    _add_words(draft, changes)
    draft.groups = group_axes(draft.axes, draft.zips)
    return draft


def _read(path: Path) -> tuple[dict[str, Any], Origins]:
    """Return what a sweep file says, or a plain config as the base of one."""
    data, origins = read_file(path, MAX_SWEEP_BYTES)
    if is_sweep(data):
        for key in [key for key in data if key not in SweepFile.model_fields]:
            unknown = describe_unknown_key(key, SweepFile.model_fields)
            where = f"{origins[key,]}: {unknown}"
            raise ConfigError(f"{where}; a config's keys stand below base or parameters")
        return data, origins
    if path.stat().st_size > MAX_BYTES:
        raise ConfigError(f"{path}: larger than {MAX_BYTES // 1024} KB, so it is no config")
    return {"base": data}, {("base", *key): where for key, where in origins.items()}


def _take(given: Mapping[str, Any]) -> tuple[dict[str, Any], Origins]:
    """Return a mapping in place of what a sweep file says, each key where it is from itself."""
    data = copy.deepcopy(dict(given))
    origins: Origins = {(key,): key for key in data}
    for part in ("base", "parameters"):
        inner = data.get(part)
        for key in inner if isinstance(inner, dict) else ():
            origins[part, key] = key if part == "base" else part
    return data, origins


def _draft(file: SweepFile, origins: Origins, path: Path) -> Draft:
    """Return the trials that a sweep file asks for, its base and its list read."""
    base, of_base = file.base, {key[1:]: at for key, at in origins.items() if key[:1] == ("base",)}
    of_base.pop((), None)
    if isinstance(base, str):
        try:
            beside = path.parent / base
            base, of_base = read_config(beside if beside.exists() else find_config(Path(base)))
        except ConfigError as error:
            raise ConfigError(f"{origins['base',]}: base: {error}") from None
        except OSError as error:  # of a name that is too long, say
            raise ConfigError(
                f"{origins['base',]}: base: {escaped(base)}: {error.strerror}"
            ) from None
    where = origins.get(("batch",), str(path))
    draft = Draft(str(path), file, dict(base), of_base, batch_from=where)
    for key, given in file.parameters.items():
        where = origins["parameters", key]
        _add_parameter(draft, key, given, where)
    draft.zips = [(f"{origins['zip',]}: zip", keys) for keys in file.zip]
    if file.trials:
        where, parameters = f"{origins['trials',]}: trials", set(draft.axes)
        for key in draft.list_trials(path.parent / file.trials, where):
            if key in parameters:
                raise ConfigError(f"{where}: {key!r} stands in {file.trials} and in parameters too")
    return draft


def _add_parameter(draft: Draft, key: str, given: Any, line: str) -> None:
    where = f"{line}: parameters.{key}"
    if key not in valid_keys():
        raise ConfigError(f"{line}: parameters: {describe_unknown_key(key, valid_keys())}")
    if isinstance(given, list) or is_call(given):
        given = {"values": given if isinstance(given, list) else [given]}
    elif not isinstance(given, dict):
        given = {"value": given}
    parameter = validate(Parameter, given)
    if not isinstance(parameter, Parameter):
        raise ConfigError(f"{where}: {parameter[0]}")
    if parameter.distribution == "constant":
        draft.fix(key, parameter.value, line)
    elif parameter.distribution == "categorical":
        draft.vary(axis_of_items(key, where, parameter.values))
    else:
        ends = (parameter.min, parameter.max)
        draft.vary(axis_of_distribution(key, where, parameter.distribution, *ends))


# Words on the command line


def _split(word: str) -> tuple[str, str, str]:
    """Return where a word is from, its key and its value's text; `@` is the key of a list."""
    where = f"override {shorten(word)!r}"
    if not word.startswith("@"):
        return where, *split_word(word)
    if len(word) == 1:
        raise ConfigError(f"{where}: a list of trials is given as @FILE.csv")
    return where, "@", word[1:]


def _add_words(draft: Draft, words: Sequence[tuple[str, str, str]]) -> None:
    """Add what words like `learning_rate=0.01,0.1`, `zip=a,b` and `@trials.csv` say."""
    seen: set[str] = set()
    for where, key, text in words:
        given = [key]
        if key == "@":
            given += draft.list_trials(Path(text), where)
        elif key == "zip":
            keys, given = [one.strip() for one in text.split(",")], []
            if len(keys) < 2:
                raise ConfigError(
                    f"{where}: needs at least two keys, such as learning_rate,batch_size"
                )
            draft.zips.append((where, keys))
        elif key in OPTIONS:
            option = "--maximize or --minimize" if key == "metric" else f"--{key.replace('_', '-')}"
            raise ConfigError(f"{where}: is an option of the command: {option} {shorten(text)}")
        elif key.partition(".")[0] == "halving":
            draft.halving_word = where
        elif axis := axis_of_text(key, where, text):
            draft.vary(axis)
        else:
            draft.fix(key, read_value(text, where), where)
        for one in given:
            if one in seen:
                what = "a list of trials" if one == "@" else one
                raise ConfigError(f"{where}: {what} is given twice")
        seen.update(given)
