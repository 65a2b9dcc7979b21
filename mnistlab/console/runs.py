"""Prints a run or a sweep that is there to stdout."""

import math
import sys
from collections.abc import Mapping
from typing import Any

from mnistlab.config.strict_yaml import dump
from mnistlab.console.sweeps import print_conclusion
from mnistlab.errors import RunFolderError, harmless
from mnistlab.runs import RunFolder
from mnistlab.runs.folder import SweepFolder


def print_run(folder: RunFolder, facts: Mapping[str, Any]) -> None:
    """Print status, config, metrics and files, as far as they are known."""
    status, summary = facts["status"], facts["summary"]
    lines = [f"{facts['run']}: {status['status']}"]
    lines += [f"  {status[key]}" for key in ("error",) if status.get(key)]
    if status.get("stopped"):
        lines.append(f"  stopped by {status['stopped']}")
    lines += [f"  {name} is missing or is not what the run left" for name in facts["damaged"]]
    if status.get("started"):
        ended = f", ended {status['ended']}" if status.get("ended") else ""
        lines.append(f"  started {status['started']}{ended}")
    config = facts["config"]
    told = dump(config) if config is not None else "config.yaml is missing or damaged\n"
    lines += ["config:", *(f"  {line}" for line in told.splitlines())]
    if not isinstance(folder, SweepFolder):
        lines += [*_splits(folder, summary or {}), f"run folder: {folder.path}"]
        lines += [f"plot: {plot}" for plot in facts["plots"]]
        sys.stdout.write("\n".join(map(harmless, lines)) + "\n")
        return
    sys.stdout.write("\n".join(map(harmless, lines)) + "\n\n")
    if summary is None:
        sys.stdout.write(_unfinished(folder))
    elif folder.summary.name not in facts["damaged"]:
        _print_sweep(folder, summary)


def _print_sweep(folder: SweepFolder, document: Mapping[str, Any]) -> None:
    """Print what sweep.json says, if it says what a sweep's does."""
    try:
        print_conclusion(folder, document)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError):
        raise RunFolderError(f"{folder.summary}: is damaged: it is no sweep's") from None


def _unfinished(folder: SweepFolder) -> str:
    done = len(folder.runs())
    try:
        runs = sum(len(column) for stack in folder.read_plan()["stacks"] for column in stack)
    except (RunFolderError, KeyError, TypeError):
        return f"{done} runs are done; plan.json is missing or damaged\n"
    return (
        f"{done} of {max(runs, done)} runs are done; to go on: mnistlab sweep --resume "
        f"{folder.name}\nsweep folder: {folder.path}\n"
    )


def _splits(folder: RunFolder, summary: Mapping[str, Any]) -> list[str]:
    """Return a line a split, of the last epoch that has finite numbers."""
    lines = []
    for split, label in (("train", "training"), ("validation", "validation"), ("test", "test")):
        loss, accuracy = ((summary.get(split) or {}).get(name) for name in ("loss", "accuracy"))
        if loss is not None and accuracy is not None:
            lines.append(f"  {label:10}  loss {loss:.4f}  accuracy {accuracy:.2%}")
    if lines:
        return ["metrics:", *lines]
    try:
        metrics = folder.read_metrics()
    except RunFolderError:
        return ["  no metrics were measured"]
    finite = [
        (epoch, loss)
        for epoch, loss in zip(metrics["epoch"], metrics["train_loss"], strict=True)
        if math.isfinite(loss)
    ]
    if not finite:
        return ["  no metrics were measured"]
    epoch, loss = finite[-1]
    which = "last" if len(finite) == len(metrics["epoch"]) else "last finite"
    return [f"  the {which} training loss was {loss:.4g}, in epoch {epoch:.0f}"]
