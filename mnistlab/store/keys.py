"""The keys under which a run's facts are known, in the order in which tables show them.

A new fact is named here alone: one of status.json or environment.json is then read too, what any
other file says is read in `facts`. A fact that is not named here counts as one of the config.
"""

import json
import math
import re
from collections.abc import Container, Iterable, Sequence
from typing import Any, TypeGuard

from mnistlab.errors import harmless

Facts = dict[str, Any]

SPLITS = ("train", "validation", "test")
"""The parts of a dataset in the order in which tables show them."""

METRICS = tuple(f"{split}.{name}" for split in SPLITS for name in ("loss", "accuracy"))

OF_STATUS = {
    "error": "why it failed",
    "stopped": "what stopped it early",
    "started": "",
    "ended": "",
}
OF_ENVIRONMENT = {
    "key": "the hash by which equal runs are found",
    "data_sha256": "",
    "mnistlab": "the version",
}
"""The facts that status.json and environment.json hold under their own names."""

STATE_KEYS = {"run": "its name", "kind": "run or sweep", "status": "", **OF_STATUS}
"""What became of a run: the facts that stand before those of its config, with what they say."""

RESULT_KEYS = {
    "method": "of a sweep",
    "runs": "of a sweep: how many it has",
    "trained_epochs": "how many were trained",
    **dict.fromkeys(METRICS, ""),
    "seconds.total": "",
    **OF_ENVIRONMENT,
    "damaged": "the files that are missing, cannot be read or are not what the run left",
}
"""What came out of it, and of what: the facts that stand after those of its config."""

KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,99}(?:\.[A-Za-z0-9_-]{1,99}){0,9}", re.ASCII)
"""What a key looks like: a word, dotted where nested."""

_FORMULA = ("=", "+", "-", "@")
"""What a spreadsheet takes for the beginning of a formula; controls are escaped anyway."""

PLAIN = frozenset({str, int, float, bool})
"""What a fact is, or a list of these."""


def are_plain(values: Sequence[Any]) -> bool:
    """Return whether all values can be facts: text, numbers, true or false, or lists of these."""
    kinds = set(map(type, values))
    if list in kinds:
        kinds.remove(list)
        for value in values:
            if type(value) is list:
                kinds.update(map(type, value))
    return kinds <= PLAIN


def is_of_config(key: str) -> bool:
    """Return whether a fact is one of the run's config."""
    return key not in STATE_KEYS and key not in RESULT_KEYS


def is_comparable(metric: str, differing: Container[str]) -> bool:
    """Return whether a metric is of the same thing in runs whose config or data differ so.

    Metrics of a split are if it holds the same images, and losses if they are of the same kind.
    """
    split, _, name = metric.partition(".")
    if split not in SPLITS:
        return True
    if "data_sha256" in differing or (split != "test" and "data.validation" in differing):
        return False
    return name != "loss" or "loss" not in differing


def in_order(keys: Iterable[str]) -> list[str]:
    """Return keys of facts in the order of tables: state, config as it comes, results."""
    given = dict.fromkeys(keys)
    return [
        *(key for key in STATE_KEYS if key in given),
        *(key for key in given if is_of_config(key)),
        *(key for key in RESULT_KEYS if key in given),
    ]


def told_keys() -> str:
    """Return the keys that no config has in a sentence's order, each with what it says."""
    metrics = f"{METRICS[0]} \N{HORIZONTAL ELLIPSIS} {METRICS[-1]}"
    told = {key: says for key, says in {**STATE_KEYS, **RESULT_KEYS}.items() if key not in METRICS}
    return ", ".join([*(f"{key} ({says})" if says else key for key, says in told.items()), metrics])


def is_number(value: Any) -> TypeGuard[int | float]:
    """Return whether a value, from a file that anybody may have written, is a finite number.

    True and false are none, and neither is a whole number too large to reckon with.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number of hundreds of digits
        return False


def csv_cell(value: Any) -> str:
    """Return a fact as a cell that a program reads: numbers in full, a list as JSON.

    A text that a spreadsheet would take for a formula has an apostrophe before it.
    """
    if value is None:
        return ""
    if isinstance(value, bool | list):
        return json.dumps(value)
    cell = harmless(str(value))
    return f"'{cell}" if isinstance(value, str) and cell.startswith(_FORMULA) else cell
