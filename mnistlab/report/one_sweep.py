"""One sweep as a report sees it: what it found, and whether its runs are there."""

import shlex
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from mnistlab.errors import RunFolderError
from mnistlab.report.lacks import (
    changed_files,
    contradictions_of_sweep,
    lacks_of_sweep,
    shown_status,
    text_of,
)
from mnistlab.report.one_run import ReportRun
from mnistlab.report.repeat import sweep_command
from mnistlab.report.shelf import DataShelf
from mnistlab.runs.sweep_folder import SweepFolder
from mnistlab.store.facts import Facts, read_facts


@dataclass(frozen=True)
class ReportSweep:
    """One sweep as a report sees it."""

    folder: SweepFolder
    shelf: DataShelf
    label: str = ""

    @property
    def name(self) -> str:
        """The sweep's name."""
        return self.label or self.folder.name

    def holder(self, key: str) -> "ReportRun | ReportSweep":
        """Return whose fact is shown of the sweep: its own, else that of its best run."""
        return self if key in self.facts or self.best is None else self.best

    @cached_property
    def facts(self) -> Facts:
        """The sweep's row in every table."""
        return read_facts(self.folder)

    @property
    def title(self) -> str:
        """The name that it was given, or the folder's."""
        return str(self.facts.get("name") or self.name)

    @property
    def status(self) -> str:
        """The status as tables show it, as of a run."""
        return shown_status(self)

    @cached_property
    def changed(self) -> list[str]:
        """The files that are there, but are not those that the status vouches for."""
        return changed_files(self)

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
    def text(self) -> str:
        """The sweep's own file, "" where it cannot be read."""
        return text_of(self)

    @property
    def resume_command(self) -> str:
        """The command that goes on with a sweep that was cut short, "" for any other."""
        if self.facts["status"] != "interrupted":
            return ""
        return f"mnistlab sweep --resume {shlex.quote(str(self.folder.path))}"
