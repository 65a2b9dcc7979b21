"""The keys under which a run's facts are known, in the order in which tables show them."""

import json
import re
from collections.abc import Iterable, Sequence
from typing import Any

from mnistlab.errors import harmless
from mnistlab.runs import folder

Facts = dict[str, Any]

SPLITS = ("train", "validation", "test")
"""The parts of a dataset in the order in which tables show them."""

METRICS = tuple(f"{split}.{name}" for split in SPLITS for name in ("loss", "accuracy"))

STATUSES = (*folder.STATUSES, "damaged")

STATE_KEYS = ("run", "kind", "status", "error", "stopped", "started", "ended")
"""What became of a run: the facts that stand before those of its config."""

RESULT_KEYS = (
    *("method", "runs", "trained_epochs", *METRICS, "seconds.total"),
    *("key", "data_sha256", "mnistlab", "damaged"),
)
"""What came out of it, and of what: the facts that stand after those of its config."""

KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,99}(?:\.[A-Za-z0-9_-]{1,99}){0,9}", re.ASCII)
"""What a key looks like: a word, dotted where nested."""

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


def in_order(keys: Iterable[str]) -> list[str]:
    """Return keys of facts in the order of tables: state, config as it comes, results."""
    given = dict.fromkeys(keys)
    return [
        *(key for key in STATE_KEYS if key in given),
        *(key for key in given if is_of_config(key)),
        *(key for key in RESULT_KEYS if key in given),
    ]


def csv_cell(value: Any) -> str:
    """Return a fact as a cell that a program reads: numbers in full, a list as JSON."""
    if value is None:
        return ""
    return json.dumps(value) if isinstance(value, bool | list) else harmless(str(value))
