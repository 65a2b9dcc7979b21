"""Tells whether a run that says it is over has all that this claims."""

from mnistlab.runs.folder import RunFolder
from mnistlab.runs.guard import foreign_entries

ENDS = frozenset({"completed", "diverged"})
"""What a run can come to that needs no second try."""


def is_whole(run: RunFolder, ends: frozenset[str] = ENDS) -> bool:
    """Return whether a run has ended in one of these ways and each file is as it was left.

    Whatever is missing or damaged makes it no run at all: it can be trained again.
    """
    if any(foreign_entries(run.path)):
        return False
    status = run.read_status()
    if status["status"] not in ends:
        return False
    needed = [run.config, run.environment, run.metrics, run.summary]
    if status["status"] == "completed":
        needed.append(run.model)
    files = run.vouched()
    return all(path.name in files for path in needed) and not run.damaged_files()
