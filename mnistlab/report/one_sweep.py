"""One sweep as a report sees it: what it found, and whether its runs are there."""

import shlex
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from mnistlab.errors import RunFolderError
from mnistlab.report.lacks import contradictions_of_sweep, lacks_of_sweep
from mnistlab.report.one_folder import ReportFolder
from mnistlab.report.one_run import ReportRun
from mnistlab.report.repeat import sweep_command
from mnistlab.runs.folder import SweepFolder


@dataclass(frozen=True)
class ReportSweep(ReportFolder):
    """One sweep as a report sees it."""

    folder: SweepFolder

    def holder(self, key: str) -> "ReportRun | ReportSweep":
        """Return whose fact is shown of the sweep: its own, else that of its best run."""
        return self if key in self.facts or self.best is None else self.best

    @cached_property
    def contradictions(self) -> list[str]:
        """What in the folder does not agree, a few words each."""
        return contradictions_of_sweep(self.document, self.best)

    @cached_property
    def document(self) -> dict[str, Any] | None:
        """What sweep.json holds."""
        with suppress(RunFolderError):
            return self.folder.read_summary()
        return None

    def run(self, number: int) -> ReportRun:
        """Return one of its runs."""
        return ReportRun(self.folder.run(number), self.shelf, f"{self.name}/{number}")

    @cached_property
    def best(self) -> ReportRun | None:
        """The best trial's first run, None where it is not there."""
        best = (self.document or {}).get("best")
        runs = best.get("runs") if isinstance(best, dict) else None
        if not isinstance(runs, list) or not runs or runs[0] not in self.folder.runs():
            return None
        return self.run(runs[0])

    @property
    def gap(self) -> float | None:
        """The gap of the best trial's first run."""
        return None if self.best is None else self.best.gap

    @cached_property
    def missing(self) -> list[str]:
        """What the folder lacks, and what in it does not agree, a few words each."""
        return lacks_of_sweep(self)

    @cached_property
    def command(self) -> str:
        """The command that repeats the sweep, "" where its file cannot be read."""
        if self.folder.config.name in self.facts.get("damaged", []):
            return ""
        near = sweep_command(self.text)
        return near or f"mnistlab sweep --config {shlex.quote(str(self.folder.config))}"

    @property
    def resume_command(self) -> str:
        """The command that goes on with a sweep that was cut short, "" for any other."""
        if self.facts["status"] != "interrupted":
            return ""
        return f"mnistlab sweep --resume {shlex.quote(str(self.folder.path))}"
