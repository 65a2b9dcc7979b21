"""Question 1 (d), third part: the experiments, the best combination, and how sure that is."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from mnistlab.report.answers.needed import (
    list_in,
    say,
    setting,
    tell_lost,
    tell_missing,
    test_result,
)
from mnistlab.report.answers.pairs import pair_on_test, settings_apart, tell_settings
from mnistlab.report.collect import ReportRun, ReportSweep
from mnistlab.report.document import Block, Code, Piece
from mnistlab.report.numbers import number
from mnistlab.report.ranking import ranked_trials, ranking_table
from mnistlab.store.facts import flatten, is_number
from mnistlab.sweep.results import shown_value

_TRIED = {
    "grid": "We tried all combinations of these values",
    "random": "We drew combinations at random among these values",
    "halving": "We tried combinations of these values and stopped the worse ones early",
}
_MOST_VALUES = 12  # more are told by their ends
_ROUNDING = 1e-4  # of a loss, between a run alone and the same one in a stack


def best_combination(sweep: ReportSweep | None, linear: ReportRun | None) -> list[Block]:
    """Return what was tried, the best of it with its test result, and what it is better than."""
    blocks: list[Block] = list(tell_missing(sweep, "sweeps/assignment"))
    if sweep is None:
        return blocks
    best, document = sweep.best, sweep.document
    if best is None or document is None:
        return [*blocks, tell_lost(sweep, "the best combination")]
    blocks.append(say(*_tell_tried(sweep, document)))
    blocks.append(
        say(
            f"{_tell_choice(document)} The test split is looked at for the best alone: choosing by "
            "it would make its result too good. The best combination is ",
            *setting(best),
            ", with a validation accuracy of ",
            number(sweep, "validation.accuracy", "{:.2%}"),
            " and a training loss of ",
            number(sweep, "train.loss", "{:.4f}"),
            ". Its test result: ",
            *test_result(sweep, _images_of(document)),
            ".",
            *_tell_edges(sweep),
        )
    )
    table = ranking_table(sweep)
    blocks += [] if table is None else [table]
    blocks.append(say(*_tell_ties(sweep, document, linear)))
    told = [] if linear is None else _tell_against(best, linear, sweep)
    return [*blocks, *([say(*told)] if told else [])]


def values_tried(sweep: ReportSweep) -> dict[str, list[Any]]:
    """Return the values that the trials have of each parameter, numbers in their order."""
    values: dict[str, list[Any]] = {}
    for result in list_in(sweep.document, "results"):
        parameters = result.get("parameters") if isinstance(result, Mapping) else None
        for key, value in parameters.items() if isinstance(parameters, Mapping) else ():
            found = values.setdefault(str(key), [])
            if value not in found:
                found.append(value)
    return {
        key: sorted(found) if all(map(is_number, found)) else found for key, found in values.items()
    }


def _tell_tried(sweep: ReportSweep, document: Mapping[str, Any]) -> list[Piece]:
    tried = values_tried(sweep)
    told = "; ".join(f"{key.replace('_', ' ')} {_tell_values(tried[key])}" for key in tried)
    way = _TRIED.get(str(document.get("method")), "We tried these values")
    return [
        f"{way} (",
        Code("configs/sweeps/assignment.yaml"),
        f"): {told or 'the setting as it is'}. That makes ",
        number(sweep, "runs", "{:d}"),
        " runs.",
    ]


def _tell_values(values: list[Any]) -> str:
    if len(values) > _MOST_VALUES and all(map(is_number, values)):
        low, high = shown_value(values[0]), shown_value(values[-1])
        return f"{len(values)} values from {low} to {high}"
    return ", ".join(map(shown_value, values))


def _tell_choice(document: Mapping[str, Any]) -> str:
    metric = document.get("metric")
    metric = metric if isinstance(metric, Mapping) else {}
    way = "lowest" if metric.get("goal") == "minimize" else "highest"
    seeds = document.get("seeds")
    mean = f", in the mean over {seeds} seeds" if isinstance(seeds, int) and seeds > 1 else ""
    name = str(metric.get("name", "validation.accuracy")).replace(".", " ")
    return f"The best is the one with the {way} {name}{mean}."


def _tell_edges(sweep: ReportSweep) -> list[Piece]:
    """Return which of the best values lie at the edge of what was tried."""
    best = _settings_of(sweep)[:1]
    edges = [
        f"{key.replace('_', ' ')} ({shown_value(best[0].get(key))})"
        for key, values in values_tried(sweep).items()
        if best and len(values) > 1 and all(map(is_number, values))
        if best[0].get(key) in (values[0], values[-1])
    ]
    if not edges:
        return []
    where = " and ".join(edges)
    return [
        f" It lies at the edge of what was tried in {where}: there may be a better value beyond."
    ]


def _tell_ties(
    sweep: ReportSweep, document: Mapping[str, Any], linear: ReportRun | None
) -> list[Piece]:
    """Return how many trials are as good as the best, and whether (d)'s own is among them."""
    ties = list_in(document, "indistinguishable")
    others = max(len(list_in(document, "results")) - 1, 0)
    pieces: list[Piece] = [
        f"Of the other {others} trials, {len(ties)} cannot be told from it on these validation "
        "images (at 95 % for all comparisons together, image by image)"
        + (
            ": the best is one of many good ones rather than a setting that stands out. Among "
            "these the seed can decide which comes first: with another one, each trains on its "
            "batches in another order."
            if len(ties) > 1
            else "."
        )
    ]
    own = None if linear is None else _own_trial(sweep, linear)
    if own is None:
        return pieces
    if own == _best_trial(document):
        return [*pieces, " The best is the assignment's own setting."]
    if own in ties:
        return [*pieces, f" The assignment's own setting (trial {own}) is among them."]
    return [*pieces, f" The assignment's own setting (trial {own}) is not among them."]


def _own_trial(sweep: ReportSweep, linear: ReportRun) -> int | None:
    """Return the trial that has the assignment's own setting, None if there is none."""
    best = sweep.best
    apart = None if best is None else settings_apart(best, linear)
    own = dict(flatten(linear.config or {}))
    for trial in ranked_trials(sweep):
        parameters = trial["parameters"]
        same = all(own.get(key) == value for key, value in parameters.items())
        if same and apart is not None and set(apart) <= set(parameters):
            return int(trial["trial"])
    return None


def _tell_against(best: ReportRun, linear: ReportRun, sweep: ReportSweep) -> list[Piece]:
    """Return how the best compares with the assignment's setting, image by image."""
    apart, pair = settings_apart(best, linear), pair_on_test(best, linear)
    if not apart:
        return []
    told = f"The best combination has {tell_settings(apart)}. "
    if _is_shorter(best, linear, apart):
        told = (
            f"The best combination is the assignment's own run as it was after epoch "
            f"{apart['epochs'][0]}: nothing else differs, not even the seed. "
        )
    if pair is None:
        return [told]
    told += pair.tell("the best combination", "the assignment's setting", "test")
    if len(list_in((sweep.document or {}).get("best"), "runs")) > 1:
        told += " That compares the first seed of each."
    else:
        told += " That compares these two runs, each trained with one seed."
    return [told]


def _is_shorter(best: ReportRun, linear: ReportRun, apart: Mapping[str, Any]) -> bool:
    """Return whether one run is the beginning of the other, epoch by epoch."""
    if set(apart) != {"epochs"} or best.curves is None or linear.curves is None:
        return False
    ours, theirs = best.curves["train_loss"], linear.curves["train_loss"]
    same = len(ours) < len(theirs) and np.allclose(ours, theirs[: len(ours)], rtol=_ROUNDING)
    return bool(ours) and same


def _best_trial(document: Mapping[str, Any]) -> Any:
    best = document.get("best")
    return best.get("trial") if isinstance(best, Mapping) else None


def _settings_of(sweep: ReportSweep) -> list[Mapping[str, Any]]:
    return [trial["parameters"] for trial in ranked_trials(sweep)]


def _images_of(document: Mapping[str, Any]) -> int | None:
    try:
        images = document["best"]["test"]["images"]
    except (KeyError, TypeError):
        return None
    return images if isinstance(images, int) and images > 0 else None
