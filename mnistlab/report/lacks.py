"""Says what is to be known of a run or a sweep before one believes its numbers."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mnistlab.store.facts import is_number

if TYPE_CHECKING:
    from mnistlab.report.collect import ReportRun, ReportSweep

_TOLD = 8  # numbers of runs that are named


def lacks_of_run(run: "ReportRun") -> list[str]:
    """Return what a run lacks of what its status promises, and what in it does not agree."""
    words = [f"{name} is missing or damaged" for name in run.facts.get("damaged", [])]
    words += [f"{name} is not what the run left" for name in run.changed]
    words += [*run.contradictions, *_end(run), *_missing_pieces(run)]
    if run.checked_config is None and "config.yaml" not in run.facts.get("damaged", []):
        words.append(f"its config is none that this mnistlab knows: {run.config_problem}")
    if run.twin:
        words.append(f"its config, data and code are those of {run.twin}")
    return list(dict.fromkeys(words))


def _end(run: "ReportRun") -> list[str]:
    error = run.facts.get("error")
    words = {
        "interrupted": "it was interrupted, and has no result yet",
        "running": "it is still running",
        "failed": f"it failed: {error or 'no reason is given'}",
        "diverged": f"it diverged: {error or 'the loss overflowed'}",
    }
    return [words[status]] if (status := str(run.facts["status"])) in words else []


def _missing_pieces(run: "ReportRun") -> list[str]:
    """Return which of the files are not there that a completed run has, vouched for or not."""
    if run.facts["status"] != "completed":
        return []
    known = {*run.facts.get("damaged", []), *run.changed}
    # what the status vouches for was looked at; to read ten thousand weights too takes long
    known.update(run.folder.checksums())
    words = []
    if "metrics.csv" not in known and run.curves is None:
        words.append("metrics.csv is missing or damaged")
    if "model.safetensors" not in known and run.parameters is None:
        words.append("model.safetensors is missing or damaged")
    if "test.accuracy" not in run.facts:
        words.append("the test split was not evaluated")
    return words


def contradictions(run: "ReportRun", told: Any, source: str) -> list[str]:
    """Return whether a test accuracy that a file tells is not that of the run's predictions.

    So is a number shown for what it is that somebody has written into the file afterwards.
    """
    predicted = run.predicted_accuracy
    if predicted is None or not is_number(told) or run.dataset is None:
        return []
    if abs(told - predicted) * len(run.dataset.test) < 0.5:
        return []
    return [f"{source} says that the test accuracy is {told:.2%}, the predictions {predicted:.2%}"]


def lacks_of_sweep(sweep: "ReportSweep") -> list[str]:
    """Return what a sweep lacks, its runs among it, and what in it does not agree."""
    named = sweep.facts.get("damaged", [])
    words = [f"{name} is missing or damaged" for name in named]
    words += [f"{name} is not what the sweep left" for name in sweep.changed]
    status, there = sweep.facts["status"], sweep.folder.runs()
    if status in ("interrupted", "running", "failed"):
        words.append(f"it is {status}: {len(there)} runs are begun or done")
    elif status == "completed":
        words += _missing_runs(sweep, there)
    return list(dict.fromkeys([*words, *sweep.contradictions]))


def _missing_runs(sweep: "ReportSweep", there: list[int]) -> list[str]:
    count = sweep.facts.get("runs")
    if not isinstance(count, int) or count > 1_000_000:  # nobody's sweep: a file says anything
        return []
    lost = sorted(set(range(count)) - set(there))
    told = ", ".join(map(str, lost[:_TOLD])) + (", …" if len(lost) > _TOLD else "")
    words = [f"{len(lost)} of its {count} runs are not there: {told}"] if lost else []
    best = sweep.best
    if best is not None:
        of_best = [*best.facts.get("damaged", []), *best.changed]
        words += [f"{name} of its best run, {best.name}, is not as it was left" for name in of_best]
    return words


def contradictions_of_sweep(
    document: Mapping[str, Any] | None, best: "ReportRun | None"
) -> list[str]:
    """Return whether sweep.json tells of another test accuracy than its best run's predictions."""
    if document is None or best is None or document.get("seeds") != 1:
        return []
    told = document.get("best")
    test = told.get("test") if isinstance(told, Mapping) else None
    accuracy = test.get("accuracy") if isinstance(test, Mapping) else None
    return contradictions(best, accuracy, "sweep.json")
