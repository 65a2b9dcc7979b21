"""Says in words what a run was told to do, and how far it came of what can be reached."""

import math
from collections.abc import Sequence
from typing import Any

from mnistlab.report.collect import ReportRun
from mnistlab.report.document import DASH, Piece, Pieces
from mnistlab.report.numbers import number, show_gap

_ALWAYS = ("learning_rate", "batch_size", "seed")
_IF_SET = ("momentum", "beta1", "beta2", "weight_decay", "step_epochs", "step_factor")
_IF_OTHER = {"schedule": "constant", "reduction": "mean", "init": "zeros", "dtype": "float32"}
"""Settings that are told where they are not the usual ones, here beside them."""


def format_setting(run: ReportRun) -> Pieces:
    """Return a run's setting and how many epochs it has done, nothing of what is not known."""
    facts = run.facts
    words = [f"{facts['model']} model"] if "model" in facts else []
    words += [str(facts[key]).replace("_", " ") for key in ("loss", "optimizer") if key in facts]
    words += [_tell(key, facts[key]) for key in _ALWAYS if key in facts]
    words += [_tell(key, facts[key]) for key in _IF_SET if facts.get(key)]
    words += [_tell(key, facts[key]) for key, usual in _IF_OTHER.items()
              if facts.get(key, usual) != usual]  # fmt: skip
    steps = facts.get("data.preprocess")
    words += [", ".join(map(str, steps))] if isinstance(steps, list) and steps else []
    if not words:
        return []
    told = ", ".join(words)
    pieces: list[Piece] = [f"{told[0].upper()}{told[1:]}"]
    return [*pieces, *_epochs(run), ". "]


def _epochs(run: ReportRun) -> Pieces:
    """Return how many epochs are done; the one in which a run diverged is not done."""
    if run.facts["status"] == "diverged":
        losses = (run.curves or {}).get("train_loss", [])
        done = sum(map(math.isfinite, losses))
        return [f": {done} complete {'epoch' if done == 1 else 'epochs'}"]
    shown = number(run, "trained_epochs", "{:d}")
    if shown == DASH:
        return []
    return [": ", shown, " epoch" if run.facts["trained_epochs"] == 1 else " epochs"]


def tell_optimum(run: ReportRun) -> Pieces:
    """Return how far a completed run is from the least that its model can come to."""
    if run.optimum is None or run.gap is None:
        return []
    gap, least = show_gap(run.gap), run.optimum.objective
    if not run.optimum.ridge:
        told = f"The least training loss of such a model on this data is {least:.4f}"
    else:
        told = (
            f"Loss plus penalty are {least + run.gap:.4f}, and the least loss plus penalty of such "
            f"a model on this data {least:.4f}"
        )
    return [f"{told}; the gap is {gap}."]


def why_no_gap(runs: Sequence[ReportRun]) -> str:
    """Return in sentences why completed runs have no gap, "" where all have one."""
    without = [run for run in runs if run.facts["status"] == "completed" and run.gap is None]
    return " ".join(dict.fromkeys(filter(None, map(_reason, without))))


def _reason(run: ReportRun) -> str:
    config = run.checked_config
    if config is None:
        return ""
    if config.model == "sigmoid":
        return (
            "No gap is known of a sigmoid model: its loss is not convex, so that no method is "
            "sure to find the least there is."
        )
    if config.loss == "softmax_cross_entropy" and not config.weight_decay:
        return (
            "No gap is known of a cross-entropy without penalty, which may come down for ever "
            "and have its least value nowhere."
        )
    if run.dataset is None:
        return "No gap is known where the data is not there or has changed."
    return "No gap is known where the optimum or a file of the run could not be had."


def _tell(key: str, value: Any) -> str:
    shown = f"{value:g}" if isinstance(value, float) else str(value)
    return f"{key.removeprefix('data.').replace('_', ' ')} {shown}"
