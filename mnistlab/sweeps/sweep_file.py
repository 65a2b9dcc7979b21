"""Reads what a sweep is given: a sweep file or a plain config, a list of trials, and words."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from pydantic import ConfigDict, Field, field_validator, model_validator

from mnistlab.config.config_files import (
    MAX_BYTES,
    MAX_SWEEP_BYTES,
    find_config,
    read_file,
    read_value,
)
from mnistlab.config.data_schema import StrictModel, Whole
from mnistlab.config.load import Origins, is_sweep, read_config, set_key, settle_as, split_word
from mnistlab.config.validation import describe_unknown_key, shorten, shown, valid_keys, validate
from mnistlab.errors import ConfigError, UnknownNameError
from mnistlab.sweeps.functions import DISTRIBUTIONS
from mnistlab.sweeps.metric import check_metric
from mnistlab.sweeps.space import (
    Axis,
    axis_of_distribution,
    axis_of_items,
    axis_of_text,
    is_call,
)
from mnistlab.sweeps.trial_list import read_trial_list

METHODS = ("grid", "random", "halving", "tpe")
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


class Halving(StrictModel):
    """Trials begin with `min_epochs`; the best 1/`factor` of them go on `factor` times as long."""

    model_config = ConfigDict(frozen=True)

    factor: Whole = Field(default=3, ge=2)
    min_epochs: Whole = Field(default=1, ge=1)


class MetricEntry(StrictModel):
    """A metric as a sweep file writes it, where a goal left out means to minimize, as in W&B."""

    name: str
    goal: str | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        metric = check_metric(self.name, self.goal)
        if self.goal is None and metric.goal == "maximize":
            raise ValueError(f"without a goal {metric.name} would be minimised; say goal: maximize")
        return self


class Parameter(StrictModel):
    """The long form of a parameter, with the keys of W&B's sweep files."""

    value: Any = None
    values: list[Any] = Field(default_factory=list)
    min: Any = None
    max: Any = None
    distribution: str = ""

    @model_validator(mode="after")
    def _check(self) -> Self:
        """Settle which distribution is meant, and refuse keys that do not go with it."""
        given = self.model_fields_set - {"distribution"}
        name = self.distribution or self._usual_distribution(given)
        needed = {"constant": ("value",), "categorical": ("values",)}.get(name, ("min", "max"))
        if needed == ("min", "max") and name not in DISTRIBUTIONS:
            known = ["constant", "categorical", *DISTRIBUTIONS]
            raise ValueError(str(UnknownNameError("distribution", name, known)))
        if given != set(needed):
            wrong = " and ".join(sorted(given - set(needed)))
            other = f", not {wrong}" if wrong else ""
            raise ValueError(f"{name} needs {' and '.join(needed)}{other}")
        self.distribution = name
        return self

    def _usual_distribution(self, given: set[str]) -> str:
        """Return the distribution that is meant where none is named."""
        if not given:
            raise ValueError("needs a value, values, or min and max")
        if "value" in given:
            return "constant"
        if "values" in given:
            return "categorical"
        return "int_uniform" if type(self.min) is type(self.max) is int else "uniform"


class Published(StrictModel):
    """Figures from the literature, to stand beside those of the trials."""

    source: str = Field(min_length=1)
    test_error: list[float | None]
    """Per cent of the test images, one for each trial in their order; null where there is none."""


class SweepFile(StrictModel):
    """What a sweep file can say; a plain config is one that says its base alone."""

    base: Any = Field(default_factory=dict)
    method: str | None = None
    metric: MetricEntry = MetricEntry(name="validation.accuracy", goal="maximize")
    parameters: dict[str, Any] = Field(default_factory=dict)
    zip: list[list[str]] = Field(default_factory=list)
    trials: str | None = Field(default=None, min_length=1)
    seeds: Whole = Field(default=1, ge=1)
    folds: Whole | None = Field(default=None, ge=2)
    max_trials: Whole | None = Field(default=None, ge=1)
    random_seed: Whole = Field(default=0, ge=0)
    batch: Whole | None = Field(default=None, ge=1)
    halving: Halving = Halving()
    published: Published | None = None

    @field_validator("base")
    @classmethod
    def _check_base(cls, base: Any) -> Any:
        if not isinstance(base, dict) and not (isinstance(base, str) and base):
            raise ValueError(f"must be a config file or a mapping of keys, not {shown(base)}")
        return base

    @field_validator("zip", mode="before")
    @classmethod
    def _check_zip(cls, groups: Any) -> Any:
        if not isinstance(groups, list) or not all(isinstance(group, list) for group in groups):
            raise ValueError("must be a list of groups, like [[learning_rate, epochs]]")
        if any(len(group) < 2 for group in groups):
            raise ValueError("a group needs at least two keys")
        return groups

    @field_validator("method")
    @classmethod
    def _check_method(cls, name: str | None) -> str | None:
        if name is not None and name not in METHODS:
            raise ValueError(str(UnknownNameError("method", name, METHODS)))
        return name


@dataclass
class Draft:
    """What file and words say of a sweep's trials, none of it checked against the schema.

    `base` holds what all trials share, `origins` where each of its keys is from; `zips` are the
    keys that move together, each with where that was given.
    """

    source: str
    base: dict[str, Any]
    origins: Origins
    axes: dict[str, Axis] = field(default_factory=dict)
    zips: list[tuple[str, list[str]]] = field(default_factory=list)
    halving_word: str | None = None

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
) -> tuple[SweepFile, Draft]:
    """Return a sweep's own settings and its trials in the making: the file, then what wins over it.

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
        data[key], origins[key,] = value, f"--{key.replace('_', '-')}"
    file = settle_as(SweepFile, data, origins, str(path))
    draft = _draft(file, origins, path)
    if file.folds is not None:
        draft.divide(file.folds, origins["folds",])
    _add_words(draft, changes)
    return file, draft


def _read(path: Path) -> tuple[dict[str, Any], Origins]:
    """Return what a sweep file says, or a plain config as the base of one."""
    data, lines = read_file(path, MAX_SWEEP_BYTES)
    origins = {key: f"{path}, line {line}" for key, line in lines.items()}
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
    draft = Draft(str(path), dict(base), of_base)
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
        raise ConfigError(f"{where}: {describe_unknown_key(key, valid_keys())}")
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
