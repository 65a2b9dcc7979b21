"""Says where the numbers of a report come from: code, data, versions and machine of its runs."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mnistlab.report.collect import ReportRun, ReportSweep
from mnistlab.report.document import Block, Code, Paragraph, Piece, Section

_SHORT = 12  # letters of a hash that tell it from all others here
_PACKAGES = ("numpy", "matplotlib")
_NAMED = 6  # runs


def section_of_provenance(
    runs: Sequence[ReportRun], sweeps: Sequence[ReportSweep], *, attached: bool = False
) -> Section:
    """Return what the runs' environment.json say, runs of the same origin together.

    `attached` says of the report that it has numbers.json among its attachments.
    """
    everything: list[ReportRun | ReportSweep] = [*runs, *sweeps]
    made, data = dict[str, list[str]](), dict[str, list[str]]()
    for one in everything:
        environment = one.folder.read_environment() if _may_be_read(one) else {}
        made.setdefault(_origin(environment), []).append(one.name)
        data.setdefault(_data(one.facts), []).append(one.name)
    blocks: list[Block] = [
        Paragraph([f"{_who(names, len(everything), origin)}."]) for origin, names in made.items()
    ]
    blocks += [
        Paragraph([f"{_who(names, len(everything), words)}."]) for words, names in data.items()
    ]
    checked: list[Piece] = [
        "Each number that is a run's stands in the run's own folder, under ",
        Code("summary.json"),
        ", ",
        Code("config.yaml"),
        " or, of a sweep, ",
        Code("sweep.json"),
    ]
    if attached:
        checked += [
            "; the file ",
            Code("numbers.json"),
            ", attached to this PDF, lists all of them with the run, the key and the exact value",
        ]
    return Section("Where the numbers come from", [*blocks, Paragraph([*checked, "."])])


def _may_be_read(one: ReportRun | ReportSweep) -> bool:
    return one.folder.environment.name not in one.facts.get("damaged", [])


def _who(names: Sequence[str], of: int, origin: str) -> str:
    """Return which of all runs are of an origin, and this."""
    verb = "was" if len(names) == 1 else "were"
    if len(names) == of:
        return f"{'All runs' if of > 1 else 'The run'} {verb} {origin}"
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"{', '.join(names[:_NAMED])}{more} {verb} {origin}"


def _origin(environment: Mapping[str, Any]) -> str:
    if not environment:
        return "made with what is not recorded"
    packages = _mapping(environment, "packages")
    versions = [f"{name} {packages[name]}" for name in _PACKAGES if _is_text(packages.get(name))]
    blas = environment.get("blas")
    for library in blas if isinstance(blas, list) else []:
        if isinstance(library, Mapping) and _is_text(library.get("internal_api")):
            threads = library.get("num_threads")
            versions.append(
                f"{library['internal_api']} {_text(library, 'version')} ({threads} "
                f"{'thread' if threads == 1 else 'threads'})"
            )
    processors = environment.get("processors")
    machine = f", {processors} processors" if isinstance(processors, int) else ""
    software = ", ".join([f"Python {_text(environment, 'python')}", *versions])
    return (
        f"made by mnistlab {_text(environment, 'mnistlab')}, {_commit(environment)}, with "
        f"{software}, on {_text(environment, 'platform')}{machine}"
    )


def _commit(environment: Mapping[str, Any]) -> str:
    git = _mapping(environment, "git")
    if not _is_text(git.get("commit")):
        return "of no known commit"
    changes = (
        " with changes that uncommitted.patch keeps" if git.get("dirty") else " without changes"
    )
    return f"commit {git['commit'][:_SHORT]}{changes}"


def _data(facts: Mapping[str, Any]) -> str:
    dataset, sha256 = facts.get("data.dataset"), facts.get("data_sha256")
    name = Path(str(dataset)).name if dataset is not None else "a dataset that is not named"
    steps = facts.get("data.preprocess")
    prepared = f" after {', '.join(map(str, steps))}" if isinstance(steps, list) and steps else ""
    digest = f", SHA-256 {sha256[:_SHORT]}" if isinstance(sha256, str) else ""
    return f"made on {name}{prepared}{digest}"


def _mapping(environment: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = environment.get(key)
    return found if isinstance(found, Mapping) else {}


def _text(environment: Mapping[str, Any], key: str) -> str:
    found = environment.get(key)
    return found if isinstance(found, str) and found else "(not known)"


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value)
