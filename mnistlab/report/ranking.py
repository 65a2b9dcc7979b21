"""The table of a sweep's best trials, for the sweep's own section and for the answers."""

from collections.abc import Mapping, Sequence
from typing import Any

from mnistlab.report.collect import ReportSweep
from mnistlab.report.document import DASH, Number, Pieces, Table
from mnistlab.store.facts import is_number
from mnistlab.sweep.results import describe_parameters, shown_value
from mnistlab.sweep.sentences import SHOWN

_MOST_COLUMNS = 4  # parameters with a column each; more stand together in one
_METRICS = {
    "train.loss": ("training loss", "{:.4f}"),
    "validation.loss": ("validation loss", "{:.4f}"),
    "validation.accuracy": ("validation accuracy", "{:.2%}"),
}


def ranking_table(sweep: ReportSweep) -> Table | None:
    """Return the best trials with their settings, None where sweep.json does not list them.

    "~" stands beside each that cannot be told from the best one on the validation images.
    """
    document = sweep.document or {}
    ranked = ranked_trials(sweep)
    if not ranked:
        return None
    shown = ranked[:SHOWN]
    settings = _settings(shown)
    ties = document.get("indistinguishable")
    marks = ["best", *("~" if _is_tie(trial, ties) else "" for trial in shown[1:])]
    words = {
        "rank": [str(rank) for rank in range(1, len(shown) + 1)],
        "trial": [str(trial["trial"]) for trial in shown],
        **settings,
    }
    columns: dict[str, list[Pieces]] = {
        **{name: [[cell] for cell in cells] for name, cells in words.items()},
        **{
            heading: [_value(sweep, trial, key, form) for trial in shown]
            for key, (heading, form) in _METRICS.items()
        },
        "tie": [[mark] for mark in marks],
    }
    rows = [[cells[place] for cells in columns.values()] for place in range(len(shown))]
    flush_left = {"parameters", "tie"}
    numeric = frozenset(place for place, name in enumerate(columns) if name not in flush_left)
    return Table(list(columns), rows, _caption(sweep, ranked), numeric)


def ranked_trials(sweep: ReportSweep) -> list[Mapping[str, Any]]:
    """Return what sweep.json says of each trial that could be chosen, the best first."""
    document = sweep.document or {}
    numbers, results = document.get("ranking"), document.get("results")
    if not isinstance(numbers, list) or not isinstance(results, list):
        return []
    known = {one["trial"]: one for one in results if isinstance(one, dict) and _is_trial(one)}
    return [known[number] for number in numbers if isinstance(number, int) and number in known]


def _is_trial(result: Mapping[str, Any]) -> bool:
    return isinstance(result.get("trial"), int) and isinstance(result.get("parameters"), dict)


def _is_tie(trial: Mapping[str, Any], ties: Any) -> bool:
    return isinstance(ties, list) and trial.get("trial") in ties


def _settings(shown: Sequence[Mapping[str, Any]]) -> dict[str, list[str]]:
    """Return the columns that say what the trials are, by heading."""
    settings = [trial["parameters"] for trial in shown]
    keys = list(dict.fromkeys(key for one in settings for key in one))
    if len(keys) > _MOST_COLUMNS:
        columns = {"parameters": [describe_parameters(one) for one in settings]}
    else:
        columns = {
            str(key).replace("_", " "): [shown_value(one.get(key, DASH)) for one in settings]
            for key in keys
        }
    epochs = [str(trial.get("epochs", DASH)) for trial in shown]
    stopped = any(result.get("stopped") for result in shown)
    if "epochs" not in keys and (stopped or len(set(epochs)) > 1):
        columns["epochs"] = epochs
    return columns


def _value(sweep: ReportSweep, trial: Mapping[str, Any], key: str, form: str) -> Pieces:
    """Return a number of a trial: that of its run, or the mean over its seeds with its interval."""
    split, _, part = key.partition(".")
    numbers, runs = trial.get(split), trial.get("runs")
    value = numbers.get(part) if isinstance(numbers, dict) else None
    if not is_number(value):
        return [DASH]
    if isinstance(runs, list) and len(runs) == 1:
        return [Number(f"{sweep.name}/{runs[0]}", key, value, form.format(value))]
    widths = trial.get("half_width")
    half = widths.get(key) if isinstance(widths, dict) else None
    return [form.format(value) + (f" ± {form.format(half)}" if is_number(half) else "")]


def _caption(sweep: ReportSweep, ranked: Sequence[Mapping[str, Any]]) -> str:
    document = sweep.document or {}
    metric, results = document.get("metric"), document.get("results")
    metric = metric if isinstance(metric, dict) else {}
    name = str(metric.get("name", "the metric")).replace(".", " ")
    way = "lowest" if metric.get("goal") == "minimize" else "highest"
    count = len(results) if isinstance(results, list) else len(ranked)
    trials = f"The best {SHOWN} of {count} trials" if len(ranked) > SHOWN else "The trials"
    several = (document.get("seeds") or 1) != 1
    means = "; the numbers are means over the seeds" if several else ""
    return (
        f"{trials}, the {way} {name} first{means}. ~ stands for: not to be told from the best on "
        "these validation images, at 95 % for all comparisons together"
    )
