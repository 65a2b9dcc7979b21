"""Chooses the runs that a listing shows, sorts them, and names the columns that tell most."""

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mnistlab.errors import InputError, UnknownNameError, suggest
from mnistlab.run_folders import folder
from mnistlab.store.facts import RESULT_KEYS, STATE_KEYS, Facts, differing, is_number, is_of_config
from mnistlab.store.filters import Filter
from mnistlab.store.opening import REFUSED

_LISTED = 8  # values that a hint lists

STATUSES = (*folder.STATUSES, "damaged", REFUSED)

_OF_RUNS = (
    *("who", "run", "status", "runs", "model", "loss", "optimizer", "learning_rate", "epochs"),
    *("validation.accuracy", "test.accuracy", "started", "damaged"),
)
_OF_A_SWEEP = (
    *("train.loss", "validation.loss", "validation.accuracy", "test.accuracy", "damaged"),
)

_NO_RUNS = {"latest", "report"}
"""What mnistlab itself puts beside the runs."""


def least_telling(*, of_sweep: bool) -> Sequence[str]:
    """Return the default columns that give way where a terminal is narrow, the first one first."""
    if of_sweep:
        return ("train.loss", "validation.loss", "test.accuracy")
    return (
        *("optimizer", "started", "epochs", "runs", "validation.accuracy", "learning_rate"),
        *("loss", "model", "test.accuracy"),
    )


@dataclass(frozen=True)
class Selection:
    """The runs that were chosen, and why some could not be judged, if any."""

    runs: list[Facts]
    warning: str | None = None


def select(
    runs: Iterable[Facts], condition: Filter | None = None, status: str | None = None
) -> Selection:
    """Return the runs with this status that meet the condition, in their order.

    A run with a value of the wrong kind, as a damaged one may have, is left out. Raises
    InputError if that leaves nothing, for an unknown status, and for an unknown key.
    """
    if status is not None and status not in STATUSES:
        raise UnknownNameError("status", status, STATUSES)
    runs = list(runs)
    if condition is not None:
        for key, position in condition.keys.items():
            check_key(key, runs, f"filter, position {position}")
    chosen, refused = [], []
    for facts in runs:
        is_hurt = status == "damaged" and facts.get("damaged")  # whatever else it is
        if status not in (None, facts["status"]) and not is_hurt:
            continue
        try:
            if condition is None or condition.matches(facts):
                chosen.append(facts)
        except InputError as error:
            refused.append(error)
    if refused and not chosen:
        raise refused[0]
    count = "a run is" if len(refused) == 1 else f"{len(refused):,} runs are"
    return Selection(chosen, f"{count} left out: {refused[0]}" if refused else None)


def explain_no_match(condition: Filter, runs: Sequence[Facts]) -> list[str]:
    """Return what may be wrong with the values of a condition that no run meets."""
    hints = []
    for key, value, is_part in condition.values:
        if key.endswith("accuracy") and is_number(value) and value > 1:
            hints.append(f"{key} lies between 0 and 1: write {value / 100:g} or {value:g}%")
        elif isinstance(value, str | bool) and _is_numeric(key, runs):
            hints.append(
                f"{key} is a number, and null where there is none: write 0.01, several as in "
                "(0.01, 0.1)"
            )
        elif isinstance(value, str):
            known = _known_texts(key, runs)
            found = any(value in one for one in known) if is_part else value in known
            if known and not found:
                shown = sorted(known)[:_LISTED]
                more = ", …" if len(known) > _LISTED else ""
                near = suggest(value, known).partition(" (valid")[0]
                hints.append(f"{key}: there is no {value!r}{near} ({', '.join(shown)}{more})")
    return hints


def _is_numeric(key: str, runs: Sequence[Facts]) -> bool:
    """Return whether a key has numbers in these runs and nothing else."""
    values = [run[key] for run in runs if key in run]
    return bool(values) and all(map(is_number, values))


def _known_texts(key: str, runs: Sequence[Facts]) -> set[str]:
    """Return the texts that a key has in these runs, and those that it can have."""
    from mnistlab.config.load import names_for  # noqa: PLC0415 - slow to import

    values = [run.get(key) for run in runs]
    known = {one for value in values for one in (value if isinstance(value, list) else [value])}
    valid = STATUSES if key == "status" else names_for(key)
    return {one for one in known if isinstance(one, str)} | set(valid)


def other_entries(runs_dir: Path, runs: Iterable[Facts]) -> list[str]:
    """Return the names of folders and links among runs that are none of them, sorted."""
    known = {str(facts["run"]).rpartition("/")[2] for facts in runs}
    try:
        with os.scandir(runs_dir) as entries:
            names = [
                entry.name
                for entry in entries
                if (entry.is_symlink() or entry.is_dir()) and not entry.name.startswith(".")
            ]
    except OSError:
        return []
    return sorted(set(names) - known - _NO_RUNS)


def check_key(key: str, runs: Sequence[Facts], where: str) -> None:
    """Raise InputError, with the nearest valid one, for a key that no run and no config has."""
    if key in STATE_KEYS or key in RESULT_KEYS or any(key in facts for facts in runs):
        return
    from mnistlab.config.load import valid_keys  # noqa: PLC0415 - slow to import

    known = {*STATE_KEYS, *RESULT_KEYS, *valid_keys(), *(key for facts in runs for key in facts)}
    if key not in known:
        raise InputError(f"{where}: unknown key {key!r}{suggest(key, known)}")


def arrange(runs: Iterable[Facts], sort: str | None = None) -> list[Facts]:
    """Return the runs sorted by a key, from the largest with a `-` before it; else newest first.

    `a,-b` sorts by `a`, and by `b` what has the same `a`. Numbers come before text; runs without
    the key, or with no number in it, are last either way. The runs inside a sweep are in the
    order of their numbers. Raises InputError for an unknown key.
    """
    runs = sorted(runs, key=lambda facts: facts["run"], reverse=True)
    if all("/" in facts["run"] for facts in runs):
        runs.sort(key=lambda facts: _number_last(facts["run"]))
    keys = [] if sort is None else [key.strip() for key in sort.split(",")]
    for key in keys:
        check_key(key.removeprefix("-"), runs, "--sort")
    for key in reversed(keys):  # each sorting keeps the order of equals
        name = key.removeprefix("-")
        known: list[Facts] = []
        unknown: list[Facts] = []
        for facts in runs:
            value = facts.get(name)
            is_known = value is not None and value == value  # noqa: PLR0124 - NaN is not
            (known if is_known else unknown).append(facts)
        known.sort(key=lambda facts: _rank(facts[name]), reverse=key.startswith("-"))
        runs = known + unknown
    return runs


def columns_of(runs: Sequence[Facts], *, of_sweep: bool) -> list[str]:
    """Return the columns that tell most of these runs; those without any value are left out.

    Of a sweep's runs these are the keys of the config that differ.
    """
    wanted = ["run", "status", *varying_keys(runs), *_OF_A_SWEEP] if of_sweep else [*_OF_RUNS]
    if any(facts["status"] == REFUSED for facts in runs):
        wanted.append("error")
    return [key for key in wanted if key in ("run", "status") or any(key in run for run in runs)]


def varying_keys(runs: Sequence[Facts]) -> list[str]:
    """Return the keys of the runs' configs that do not have the same value in all of them."""
    opened = [facts for facts in runs if facts.get("status") != REFUSED]
    return [key for key in differing(*opened) if key != "name" and is_of_config(key)]


def parse_columns(text: str, runs: Sequence[Facts]) -> list[str]:
    """Return the keys that `a,b,c` names; raise InputError for an unknown one or none at all."""
    keys = list(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    if not keys:
        raise InputError("--columns: name at least one key, such as run,status,test.accuracy")
    for key in keys:
        check_key(key, runs, "--columns")
    return keys


def _number_last(name: str) -> tuple[bool, int | str]:
    """Return what sorts SWEEP/10 behind SWEEP/9."""
    number = name.rpartition("/")[2]
    return (False, int(number)) if re.fullmatch(r"[0-9]{1,9}", number) else (True, number)


def _rank(value: Any) -> tuple[int, Any]:
    if isinstance(value, int | float):
        return 0, value
    return (1, value) if isinstance(value, str) else (2, list(map(str, value)))
