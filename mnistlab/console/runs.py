"""Prints a run or a sweep that is there to stdout."""

import sys
from collections.abc import Mapping
from typing import Any

from mnistlab.runs import RunFolder

_SHOWN = 10


def print_run(folder: RunFolder, facts: Mapping[str, Any]) -> None:
    """Print status, config, metrics and files, as far as they are known."""
    status, summary = facts["status"], facts["summary"] or {}
    lines = [f"{facts['run']}: {status['status']}"]
    if status.get("error"):
        lines.append(f"  {status['error']}")
    if status.get("started"):
        ended = f", ended {status['ended']}" if status.get("ended") else ""
        lines.append(f"  started {status['started']}{ended}")
    lines += _config(facts["config"])
    lines += _trials(summary) if "results" in summary else _splits(summary)
    lines.append(f"run folder: {folder.path}")
    lines += [f"plot: {plot}" for plot in facts["plots"]]
    sys.stdout.write("\n".join(lines) + "\n")


def _config(config: Mapping[str, Any] | None) -> list[str]:
    if config is None:
        return ["  config.yaml is missing or damaged"]
    flat: dict[str, Any] = {}
    for key, value in config.items():
        nested = value if isinstance(value, dict) else {"": value}
        flat |= {f"{key}.{inner}".rstrip("."): one for inner, one in nested.items()}
    width = max(map(len, flat), default=0)
    return ["config:", *(f"  {key:{width}}  {value}" for key, value in flat.items())]


def _splits(summary: Mapping[str, Any]) -> list[str]:
    lines = []
    for split, label in (("train", "training"), ("validation", "validation"), ("test", "test")):
        loss, accuracy = ((summary.get(split) or {}).get(name) for name in ("loss", "accuracy"))
        if loss is not None and accuracy is not None:
            lines.append(f"  {label:10}  loss {loss:.4f}  accuracy {accuracy:.2%}")
    return ["metrics:", *lines] if lines else ["  no metrics were measured"]


def _trials(summary: Mapping[str, Any]) -> list[str]:
    counts = [f"{summary[status]} {status}" for status in ("completed", "diverged", "failed")]
    lines = [f"trials: {summary['trials']} ({', '.join(counts)})"]
    best = summary.get("best")
    if best is not None:
        parameters = " ".join(f"{key}={value}" for key, value in best["parameters"].items())
        lines += [f"best: trial {best['trial']} {parameters}", *_splits(best)[1:]]
    return lines
