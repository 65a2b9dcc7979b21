"""A sweep in the making: what the file and then the words on the command line have said."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mnistlab.config.load import Origins, set_key, shorten, shown, split_word, valid_keys
from mnistlab.config.strict_yaml import read_value
from mnistlab.errors import ConfigError, suggest
from mnistlab.sweep.spaces.settings import HALVING_KEYS, halving_value
from mnistlab.sweep.spaces.space import Axis
from mnistlab.sweep.spaces.trial_list import read_trial_list
from mnistlab.sweep.spaces.values import read_words

OPTIONS = ("method", "metric", "max_trials", "seeds", "random_seed")
"""Keys of a sweep file that are options on the command line."""

_NO_AXIS = {
    "name": "a name changes nothing; --name names the sweep",
    "data.dataset": "trials on different data cannot be compared; sweep each dataset by itself",
    "data.validation": "trials on different data cannot be compared; sweep each split by itself",
}


@dataclass
class Draft:
    """What is known of a sweep so far, none of it checked against the schema.

    `data` is the base with the fixed values, `origins` where they are from; `zips` are the keys
    that move together, each with where that was said.
    """

    source: str
    data: dict[str, Any]
    origins: Origins
    settings: dict[str, Any] = field(default_factory=dict)
    axes: dict[str, Axis] = field(default_factory=dict)
    zips: list[tuple[str, list[str]]] = field(default_factory=list)
    trial_list: str | None = None

    def fix(self, key: str, value: Any, where: str) -> None:
        """Give a key one value for all trials, whatever was said of it before."""
        set_key(self.data, self.origins, tuple(key.split(".")), value, where)
        if self.axes.pop(key, None):
            left = [(said, [k for k in keys if k != key]) for said, keys in self.zips]
            self.zips = [(said, keys) for said, keys in left if keys]

    def vary(self, axis: Axis) -> None:
        """Add an axis, or replace the one of its key."""
        where = f"{axis.where}, line 1" if axis.lines else axis.where
        check_key(axis.key, where)
        if axis.key in _NO_AXIS:
            raise ConfigError(f"{where}: {axis.key} is no axis: {_NO_AXIS[axis.key]}")
        self.axes[axis.key] = axis

    def list_trials(self, path: Path, where: str) -> None:
        """Take a list of trials; it replaces the one before and the axes of the same keys."""
        columns = read_trial_list(path, where)
        for key in [key for key, axis in self.axes.items() if axis.lines]:
            del self.axes[key]
        self.zips = [(said, keys) for said, keys in self.zips if said != self.trial_list]
        for axis in columns:
            self.vary(axis)
        self.zips.append((str(path), [axis.key for axis in columns]))
        self.trial_list = str(path)


def check_key(key: str, where: str) -> None:
    """Raise ConfigError for a key that no config has."""
    if key not in valid_keys():
        raise ConfigError(f"{where}: unknown key {key!r}{suggest(key, valid_keys())}")


def add_words(draft: Draft, words: Sequence[str]) -> None:
    """Add what words like `learning_rate=0.01,0.1`, `zip=a,b` and `@trials.csv` say."""
    seen: set[str] = set()
    for word in words:
        where = f"override {shorten(word)!r}"
        if word.startswith("@"):
            if len(word) == 1:
                raise ConfigError(f"{where}: a list of trials is given as @FILE.csv")
            _once("a list of trials", seen, where)
            draft.list_trials(Path(word[1:]), where)
            for key in draft.zips[-1][1]:
                _once(key, seen, where)
            continue
        key, text = split_word(word)
        if key == "zip":
            draft.zips.append((where, read_group(text.split(","), where)))
            continue
        _once(key, seen, where)
        if key.partition(".")[0] == "halving":
            name = key.partition(".")[2]
            if name not in HALVING_KEYS:
                valid = [f"halving.{known}" for known in HALVING_KEYS]
                raise ConfigError(f"{where}: unknown key {key!r}{suggest(key, valid)}")
            value = halving_value(name, read_value(text, where), where)
            draft.settings.setdefault("halving", {})[name] = value
            draft.settings["halving_word"] = where
        else:
            _add_value(draft, key, text, where)


def _add_value(draft: Draft, key: str, text: str, where: str) -> None:
    if key in OPTIONS:
        option = "--maximize or --minimize" if key == "metric" else f"--{key.replace('_', '-')}"
        raise ConfigError(f"{where}: is an option of the command: {option} {shorten(text)}")
    values = read_words(text, where)
    if values is None:
        draft.fix(key, read_value(text, where), where)
    else:
        draft.vary(Axis(key, where, values))


def read_group(keys: Any, where: str) -> list[str]:
    """Return the keys that move together, at least two."""
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        raise ConfigError(f"{where}: must be a list of keys, not {shown(keys)}")
    if len(keys) < 2:
        raise ConfigError(f"{where}: needs at least two keys, such as learning_rate,batch_size")
    return [key.strip() for key in keys]


def _once(what: str, seen: set[str], where: str) -> None:
    if what in seen:
        raise ConfigError(f"{where}: {what} is given twice")
    seen.add(what)
