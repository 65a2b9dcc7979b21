"""Opens the run folders of a report, each once, and gives each a name that no other has."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from mnistlab.report.one_run import Curves, ReportRun
from mnistlab.report.one_sweep import ReportSweep
from mnistlab.report.shelf import DataShelf
from mnistlab.runs import RunFolder
from mnistlab.runs.folder import SweepFolder

__all__ = ["Curves", "DataShelf", "ReportRun", "ReportSweep", "collect"]


def collect(folders: Sequence[RunFolder]) -> tuple[list[ReportRun], list[ReportSweep]]:
    """Return the runs and the sweeps of a report, each folder once, in their order.

    Folders of the same name in different places are told apart by where they lie, and a run with
    the key of one before it (the same config, data and code) names that one.
    """
    shelf = DataShelf()
    given = {folder.path.resolve(): folder for folder in reversed(folders)}
    unique = list(reversed(given.items()))
    labels = _labels([place for place, _ in unique])
    runs, sweeps = list[ReportRun](), list[ReportSweep]()
    for place, folder in unique:
        label = labels.get(place, "")
        if isinstance(folder, SweepFolder):
            sweeps.append(ReportSweep(folder, shelf, label))
        else:
            runs.append(ReportRun(folder, shelf, label))
    for run in runs:
        shelf.first_runs.setdefault(run.facts.get("key", run.name), run.name)
    return runs, sweeps


def _labels(places: Sequence[Path]) -> dict[Path, str]:
    """Return names for the folders whose own name another has too: with those of their parents."""
    labels: dict[Path, str] = {}
    names = {place: RunFolder(place).name for place in places}
    common = Counter(names.values())
    alike = [place for place in places if common[names[place]] > 1]
    for depth in range(1, 20):
        if not alike:
            break
        longer = {place: "/".join(place.parts[-depth - 1 :]) for place in alike}
        counts = Counter(longer.values())
        labels |= {place: label for place, label in longer.items() if counts[label] == 1}
        alike = [place for place in alike if counts[longer[place]] > 1]
    return labels
