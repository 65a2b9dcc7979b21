"""One sweep as a report sees it: its trials, the best of them, and whether its runs are there."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from mnistlab.errors import RunFolderError
from mnistlab.report.run_record import FolderRecord, RunRecord
from mnistlab.run_folders.folder import SweepFolder, repeats_of

_MOST_RUNS = 1_000_000  # of a sweep that anybody has made


@dataclass(frozen=True)
class SweepRecord(FolderRecord):
    """One sweep; nothing that sweep.json says is trusted to have the right form."""

    folder: SweepFolder

    @cached_property
    def document(self) -> dict[str, Any]:
        """What sweep.json holds, empty where it cannot be read."""
        with suppress(RunFolderError):
            return self.folder.read_summary()
        return {}

    @cached_property
    def contradictions(self) -> list[str]:
        """Statements of its files that cannot all be true."""
        if self.best is None or repeats_of(self.document):
            return []
        test = self.document["best"].get("test")
        claimed = test.get("accuracy") if isinstance(test, dict) else None
        return self.contradiction(claimed, self.best.predicted_accuracy, "sweep.json")

    @cached_property
    def best(self) -> RunRecord | None:
        """The best trial's first run, None where it is not there."""
        best = self.document.get("best")
        runs = best.get("runs") if isinstance(best, dict) else None
        if not isinstance(runs, list) or not runs:
            return None
        return next((run for run in self.runs if run.folder.path.name == str(runs[0])), None)

    @cached_property
    def runs(self) -> list[RunRecord]:
        """Its runs that are there, in the order of their numbers."""
        numbers = self.folder.runs()
        folders = {f"{self.name}/{number}": self.folder.run(number) for number in numbers}
        return [RunRecord(one, self.shared, name, self.who) for name, one in folders.items()]

    @cached_property
    def ranked_trials(self) -> list[Mapping[str, Any]]:
        """What sweep.json says of each trial that could be chosen, the best first."""
        ranking, results = self.document.get("ranking"), self.document.get("results")
        if not isinstance(ranking, list) or not isinstance(results, list):
            return []
        entries = [one for one in results if isinstance(one, dict)]
        trials = [one for one in entries if isinstance(one.get("trial"), int)]
        known = {one["trial"]: one for one in trials if isinstance(one.get("parameters"), dict)}
        return [known[trial] for trial in ranking if isinstance(trial, int) and trial in known]

    @cached_property
    def ties(self) -> set[int]:
        """The trials that the sweep could not tell from its best one."""
        found = self.document.get("indistinguishable")
        return {one for one in found if isinstance(one, int)} if isinstance(found, list) else set()

    @cached_property
    def remarks(self) -> list[str]:
        """What one should know before one believes its numbers, a few words each."""
        words, status = self.damage(), self.facts["status"]
        there = self.folder.runs()
        if status in ("interrupted", "running", "failed"):
            words.append(f"it is {status}: {len(there)} runs are begun or done")
        elif status == "completed":
            words += self._missing_runs(there)
        return list(dict.fromkeys(words))

    def _missing_runs(self, there: list[int]) -> list[str]:
        count = self.facts.get("runs")
        if not isinstance(count, int) or count > _MOST_RUNS:
            return []
        lost = sorted(set(range(count)) - set(there))
        named = ", ".join(map(str, lost[:8])) + (", …" if len(lost) > 8 else "")
        words = [f"{len(lost)} of its {count} runs are missing: {named}"] if lost else []
        return words + ([] if self.best is None else [f"best run: {w}" for w in self.best.damage()])
