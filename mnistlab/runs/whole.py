"""Tells whether a run that says it is over has all that this claims."""

from mnistlab.errors import RunFolderError
from mnistlab.runs.folder import RunFolder

ENDS = frozenset({"completed", "diverged"})
"""What a run can come to that needs no second try."""


def is_whole(run: RunFolder, ends: frozenset[str] = ENDS) -> bool:
    """Return whether a run has ended in one of these ways and its files can be read.

    Whatever is missing or damaged makes it no run at all: it can be trained again.
    """
    from mnistlab.runs.weights import load_weights  # noqa: PLC0415 - takes NumPy

    try:
        status = run.read_status()["status"]
        if status not in ends or not run.config.is_file() or not run.read_environment():
            return False
        summary = run.read_summary()
        for split in ("train", "validation", "test"):
            summary[split]["loss"], summary[split]["accuracy"]
        epochs = len(run.read_metrics()["epoch"])
        if status == "completed":
            load_weights(run.model)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RunFolderError):
        return False
    return bool(summary["epochs"] == epochs)
