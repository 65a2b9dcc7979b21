"""Draws the curves of compared runs together, each named by what sets it apart."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from mnistlab.errors import RunFolderError
from mnistlab.plots import RunCurves, compared_curves
from mnistlab.run_folders import RunFolder
from mnistlab.run_folders.folder import METRICS_COLUMNS
from mnistlab.store.compare import Comparison, format_setting
from mnistlab.store.diff import config_facts, read_curves

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_NOT_SPOKEN = ("data_sha256",)  # says nothing to a person; the dataset's name does


def draw_comparison(folders: Sequence[RunFolder], comparison: Comparison) -> "Figure":
    """Return the figure of the runs' curves; `comparison` is theirs, in the same order.

    A run without any metrics has a line in the legend alone.
    """
    runs = [
        _curves(folder, label, status)
        for folder, label, status in zip(
            folders, run_labels(comparison), comparison.status, strict=True
        )
    ]
    loss = None if "loss" in comparison.config else config_facts(folders[0]).get("loss")
    figure: Figure = compared_curves(
        runs,
        loss_name=None if loss is None else str(loss),
        title=f"Learning curves of {len(runs)} runs",
        details=comparison.shared,
    )
    return figure


def has_curves(folders: Sequence[RunFolder]) -> bool:
    """Return whether any of the runs measured a finite loss, so that there is a curve to draw."""
    curves = [_curves(folder, "", "").metrics["train_loss"] for folder in folders]
    return any(np.isfinite(losses).any() for losses in curves)


def run_labels(comparison: Comparison) -> list[str]:
    """Return what tells each run from the others: settings, or its name where that is not enough.

    A setting that a run does not have is left out.
    """
    labels = []
    for at in range(len(comparison.runs)):
        described = [
            format_setting(key, values[at])
            for key, values in comparison.config.items()
            if key not in _NOT_SPOKEN
        ]
        labels.append(", ".join(filter(None, described)))
    return [
        label if label and labels.count(label) == 1 else f"{label} {name}".strip()
        for label, name in zip(labels, comparison.runs, strict=True)
    ]


def _curves(folder: RunFolder, label: str, status: str) -> RunCurves:
    try:
        metrics = read_curves(folder)
    except RunFolderError:
        metrics = {column: [] for column in METRICS_COLUMNS}
        label = f"{label} ({status}, no metrics)"
    return RunCurves(label, metrics, diverged=status == "diverged")
