"""Gathers all that a report says into one JSON document, `report.json`.

Its keys: `files`, `title`, `author`, `date`, `version`; `runs` and `sweeps`, an entry a folder;
`refused`, the folders that were not opened (`who`, `name`, `why`); `people`, whether it is told
whose the runs are; `best_runs`, the first run of each sweep's best trial; `featured`, the names of
the runs that are shown one by one; `completed`, of how many these are the best; `origins`, which
software, machine and data made which runs; `answers`, for the assignment (see
`assignment.answer_facts`) or None.

Each entry has `name`, `who`, `title`, `kind`, `status`, `remarks`, `what`, `numbers`, `gap`,
`error` (rate on the test images), `interval` (of the test accuracy, 95 %), `config` and `pictures`.
A number of a run folder is {"run", "key", "value", "shown"}: whose it is, under which key it stands
there, its exact value and the text that is shown. Texts without these keys are computed for the
report.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import mnistlab
from mnistlab.report.assignment import answer_facts
from mnistlab.report.attachments import Pictures, embed
from mnistlab.report.records import (
    DASH,
    RunRecord,
    SweepRecord,
    as_a,
    clean,
    clean_all,
    number,
    show,
)
from mnistlab.run_folders import RunFolder
from mnistlab.run_folders.files import to_json
from mnistlab.run_folders.folder import SweepFolder, repeats_of
from mnistlab.statistics import wilson_interval
from mnistlab.store.facts import METRICS, flatten, is_number, is_of_config
from mnistlab.store.opening import Given

FEATURED = 12
"""So many runs are shown one by one; a table holds them all."""

_NUMBERS = (*METRICS, "trained_epochs", "learning_rate", "batch_size", "epochs", "seed")
_FIGURES = {"linear": "learning_curves", "linear_overflow": "learning_curves",
            "sweep": "heat_map"}  # fmt: skip
_ENVIRONMENT = {"mnistlab": "mnistlab", "git.commit": "commit",
                "python": "Python", "packages.numpy": "NumPy", "platform": "on"}  # fmt: skip

Record = RunRecord | SweepRecord


@dataclass(frozen=True)
class Facts:
    """The document, the pictures that it names by file, and the data of the page's scripts."""

    document: dict[str, Any]
    pictures: Mapping[str, bytes]
    page: dict[str, Any]

    @cached_property
    def record(self) -> bytes:
        """The document as JSON, on one line: indented, 1,000 runs took four times as long."""
        return to_json(self.document, indent=None).encode()


def gather(
    given: Sequence[Given],
    assignment: Mapping[str, RunFolder] | None,
    words: Mapping[str, Any],
) -> Facts:
    """Return the facts of a report about these folders.

    `assignment` names those that the assignment's answers rest on by their config; None for a
    report about any other runs. `words` are title, author, date and the report's files.
    """
    runs, sweeps = read_records(given)
    records: list[Record] = [*runs, *sweeps]
    best = [sweep.best for sweep in sweeps if sweep.best is not None]
    featured, completed = _choose([*runs, *best])
    chosen = {run.name for run in featured}
    pictures, answers = Pictures(), None
    if assignment is not None:
        places = {one.folder.path: one for one in records}
        needed = {name: places.get(one.path) for name, one in assignment.items()}
        figures = {
            name: pictures.sharp(record.folder, plot, record.title)
            for name, plot in _FIGURES.items()
            if (record := needed.get(name)) is not None
        }
        answers = {**answer_facts(needed), "figures": figures}
    document = {
        **words,
        "version": mnistlab.__version__,
        "people": any(one.who for one in given),
        "refused": [
            {"who": one.who, "name": one.name, "why": one.reason} for one in given if one.refused
        ],
        "runs": [_run(one, pictures if one.name in chosen else None) for one in runs],
        "best_runs": [_run(one, pictures if one.name in chosen else None) for one in best],
        "sweeps": [_sweep(one, pictures) for one in sweeps],
        "featured": [run.name for run in featured],
        "completed": completed,
        "origins": _origins(records),
    }
    _name_copies(document["runs"], runs)
    document = {**clean_all(document), "answers": answers}
    return Facts(document, pictures.files, _page(document, featured))


def read_records(given: Sequence[Given]) -> tuple[list[RunRecord], list[SweepRecord]]:
    """Return the runs and the sweeps of a report, each folder once, in their order.

    Runs of the same name are told apart by whose they are, and else by a number.
    """
    shared: dict[object, Any] = {}
    opened = {one.folder.path.resolve(): one for one in reversed(given) if one.folder is not None}
    names: dict[str, int] = {}
    runs, sweeps = list[RunRecord](), list[SweepRecord]()
    counts = Counter(clean(one.name) for one in opened.values())
    for one in reversed(opened.values()):
        name = clean(one.name)
        name = clean(one.label) if counts[name] > 1 else name
        names[name] = names.get(name, 0) + 1
        name = name if names[name] == 1 else f"{name} ({names[name]})"
        if isinstance(one.folder, SweepFolder):
            sweeps.append(SweepRecord(one.folder, shared, name, clean(one.who)))
        elif one.folder is not None:
            runs.append(RunRecord(one.folder, shared, name, clean(one.who)))
    return runs, sweeps


def _page(document: Mapping[str, Any], featured: Sequence[RunRecord]) -> dict[str, Any]:
    """Return the data of the page's scripts: the runs that are featured, with their arrays."""
    data = embed(featured)
    entries = {one["name"]: one for one in [*document["runs"], *document["best_runs"]]}
    for model in data["models"]:
        model |= {key: entries[model["run"]][key] for key in ("title", "numbers", "config")}
    return data


def _choose(runs: Sequence[RunRecord]) -> tuple[list[RunRecord], int]:
    """Return the completed runs, or the best of them by validation accuracy, and their number."""

    def rank(run: RunRecord) -> float:
        accuracy = run.facts.get("validation.accuracy")
        return accuracy if is_number(accuracy) else -1.0

    known = {run.folder.path.resolve(): run for run in reversed(runs)}
    completed = [run for run in reversed(known.values()) if run.facts["status"] == "completed"]
    if len(completed) <= FEATURED:
        return completed, len(completed)
    return sorted(completed, key=rank, reverse=True)[:FEATURED], len(completed)


def _common(record: Record, run: RunRecord | None) -> dict[str, Any]:
    """Return what runs and sweeps are both told by; `run` has what a sweep does not say itself."""
    facts = record.facts
    numbers = {}
    for key in _NUMBERS:
        holder = record if key in facts or run is None else run
        numbers[key] = number(holder.name, key, holder.facts.get(key))
    gap = None if run is None else run.gap
    accuracy = facts["test.accuracy"] if is_number(facts.get("test.accuracy")) else None
    interval = None
    if run is not None and run.dataset is not None and accuracy is not None and 0 <= accuracy <= 1:
        low, high = wilson_interval(accuracy, len(run.dataset.test))
        interval = f"{low:.2%} to {high:.2%}"
    what = [show("", facts[key]) for key in ("model", "loss") if key in facts]
    return {
        "name": record.name,
        "who": record.who,
        "title": record.title,
        "status": record.status,
        "remarks": record.remarks,
        "what": ", ".join(what),
        "numbers": {key: value for key, value in numbers.items() if value is not None},
        "gap": None if gap is None else f"{gap:.3g}".replace("-", "\N{MINUS SIGN}"),
        "error": None if accuracy is None else f"{1 - accuracy:.2%}",
        "interval": interval,
    }


def _run(run: RunRecord, pictures: Pictures | None) -> dict[str, Any]:
    config = {key: show(key, value) for key, value in run.flat_config.items()}
    drawn = pictures.of(run.folder, run.title) if pictures and run.config else []
    return {**_common(run, run), "kind": "run", "config": config, "pictures": drawn}


def _sweep(sweep: SweepRecord, pictures: Pictures) -> dict[str, Any]:
    """Return a sweep: besides the common keys what was tried, and its trials, the best first."""
    document, ranked = sweep.document, sweep.ranked_trials
    metric, tried = as_a(dict, document.get("metric")), _tried(sweep.results)
    is_over = sweep.facts["status"] == "completed"
    return {
        **_common(sweep, sweep.best),
        "kind": f"sweep of {sweep.facts.get('runs', 'unknown size')}",
        "best": None if sweep.best is None else sweep.best.name,
        "metric": show("", str(metric.get("name", "the metric")).replace(".", " ")),
        "goal": "lowest" if metric.get("goal") == "minimize" else "highest",
        "seeds": document.get("seeds") if isinstance(document.get("seeds"), int) else 1,
        "repeats": repeats_of(document),
        "trials": [_trial(sweep, rank, one, list(tried)) for rank, one in enumerate(ranked, 1)],
        "count": len(sweep.results),
        "ties": len(sweep.ties),
        "tried": [
            {"key": show("", key), "values": [show(key, value) for value in values]}
            for key, values in tried.items()
        ],
        "edges": _edges(ranked, tried),
        "published": _published(document, list(tried)),
        "config": {key: show(key, one) for key, one in sweep.facts.items() if is_of_config(key)},
        "pictures": pictures.of(sweep.folder, sweep.title) if is_over else [],
    }


def _published(document: Mapping[str, Any], keys: Sequence[str]) -> dict[str, Any] | None:
    """Return the published test errors beside those of the trials, None where there are none."""
    try:
        results, given = document["results"], document["published"]
        rows = [
            {
                "values": [show(key, results[one["trial"]]["parameters"][key]) for key in keys],
                "theirs": DASH if one["published"] is None else f"{one['published']:.1%}",
                "ours": DASH if one["error"] is None else f"{one['error']:.2%}",
                "interval": " to ".join(f"{end:.2%}" for end in one["interval"] or ()) or DASH,
            }
            for one in given["trials"]
        ]
        return {"source": str(given["source"]), "images": f"{int(given['images']):,}", "rows": rows}
    except (KeyError, IndexError, TypeError, ValueError, AttributeError):
        return None


def _tried(results: Sequence[Any]) -> dict[str, list[Any]]:
    """Return the values that the trials have of each parameter, numbers in their order."""
    values: dict[str, list[Any]] = {}
    for result in results:
        for key, value in as_a(dict, as_a(dict, result).get("parameters")).items():
            found = values.setdefault(str(key), [])
            if value not in found:
                found.append(value)
    return {
        key: sorted(found) if all(map(is_number, found)) else found for key, found in values.items()
    }


def _edges(ranked: Sequence[Mapping[str, Any]], tried: Mapping[str, list[Any]]) -> list[str]:
    """Return which values of the best trial are the smallest or the largest that was tried."""
    best = ranked[0]["parameters"] if ranked else {}
    return [
        f"{show('', key)} {show(key, best[key])}"
        for key, values in tried.items()
        if len(values) > 1 and all(map(is_number, values)) and key in best
        if best[key] in (values[0], values[-1])
    ]


def _trial(
    sweep: SweepRecord, rank: int, trial: Mapping[str, Any], keys: Sequence[str]
) -> dict[str, Any]:
    """Return a trial; the numbers of one with several runs are means, and no run's own."""
    runs, widths = as_a(list, trial.get("runs")), as_a(dict, trial.get("half_width"))
    name = f"{sweep.name}/{runs[0]}" if len(runs) == 1 else None
    values = dict(flatten({key: trial.get(key) for key in ("train", "validation", "test")}))
    cells: dict[str, Any] = {}
    for key in METRICS:
        value = values.get(key)
        if not is_number(value):
            continue
        half = f" ± {show(key, widths[key])}" if is_number(widths.get(key)) else ""
        cells[key] = number(name, key, value) if name else {"shown": show(key, value) + half}
    return {
        "rank": rank,
        "trial": trial["trial"],
        "run": name,
        "values": [show(key, trial["parameters"].get(key)) for key in keys],
        "numbers": cells,
        "tie": "best" if rank == 1 else "~" if trial["trial"] in sweep.ties else "",
    }


def _name_copies(entries: list[dict[str, Any]], runs: Sequence[RunRecord]) -> None:
    """Add a remark to each run that has a copy among the others: which is which, nobody can tell.

    That is one with the same name, which holds the time and a random number, and the same start;
    or with weights that are equal to the last bit although the seeds differ. Two runs of one
    config and seed are equal anyway.
    """
    started, trained = (defaultdict[Any, list[RunRecord]](list) for _ in range(2))
    for run in runs:
        if run.facts.get("started") is not None:
            started[run.folder.name, run.facts["started"]].append(run)
        if run.weights_sha256 is not None:
            trained[run.weights_sha256].append(run)
    for entry, run in zip(entries, runs, strict=True):
        start, seed = run.facts.get("started"), run.facts.get("seed")
        copies = [one.name for one in started[run.folder.name, start] if one is not run]
        twins = [one.name for one in trained[run.weights_sha256] if one.facts.get("seed") != seed]
        same = (
            f"it has the name and the start time of {', '.join(copies)}: they are copies of one run"
        )
        equal = f"its weights are those of {', '.join(twins)} although the seeds differ"
        remarks = [*([same] if copies else []), *([equal] if twins else [])]
        entry["remarks"] = [*entry["remarks"], *remarks]


def _origins(records: Sequence[Record]) -> list[dict[str, Any]]:
    """Return what the runs were made with, those of the same origin together."""
    found: dict[tuple[str, str], list[str]] = {}
    for one in records:
        is_lost = one.folder.environment.name in one.facts.get("damaged", [])
        environment = {} if is_lost else dict(flatten(one.folder.read_environment()))
        software = [
            f"{label} {environment[key]}"
            for key, label in _ENVIRONMENT.items()
            if isinstance(environment.get(key), str)
        ]
        software += ["with uncommitted changes"] if environment.get("git.dirty") is True else []
        data, digest = one.facts.get("data.dataset", "unknown"), one.facts.get("data_sha256", "")
        told = f"{Path(str(data)).name}, SHA-256 {str(digest)[:12] or 'unknown'}"
        found.setdefault((", ".join(software) or "not recorded", told), []).append(one.name)
    return [
        {"software": software, "data": data, "runs": names[:6], "more": max(0, len(names) - 6)}
        for (software, data), names in found.items()
    ]
