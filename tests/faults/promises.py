"""What must hold of a runs folder at any moment; each check returns what is broken, in words."""

import csv
import io
import json
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
import safetensors.numpy

from mnistlab.errors import RunFolderError
from mnistlab.run_folders import RunFolder
from mnistlab.run_folders.folder import SweepFolder, is_sweep
from mnistlab.run_folders.provenance import FINAL, is_intact
from mnistlab.store.listing import INDEX
from tests.faults.command import Outcome


def tree(folder: Path) -> dict[str, bytes | str]:
    """Return every file's bytes and every link's target below a folder."""
    found: dict[str, bytes | str] = {}
    for place, folders, files in os.walk(folder):
        for name in [*folders, *files]:
            path = Path(place, name)
            key = str(path.relative_to(folder))
            if path.is_symlink():
                found[key] = os.readlink(path)  # noqa: PTH115 - as text
            else:
                found[key] = path.read_bytes() if path.is_file() else b"folder"
    return found


def altered(before: Path, after: Path, but: str = "") -> list[str]:
    """Return which runs of `before` are not byte for byte the same in `after`, one folder aside."""
    return [
        f"the finished run {path.name} was altered"
        for path in sorted(before.iterdir())
        if path.name != "latest"
        and _without(tree(path), but) != _without(tree(after / path.name), but)
    ]


def _without(files: dict[str, bytes | str], folder: str) -> dict[str, bytes | str]:
    return {
        name: what for name, what in files.items() if not folder or Path(name).parts[0] != folder
    }


def litter(runs: Path) -> list[str]:
    """Return the files that were written aside and are still there."""
    hidden = [name for name in tree(runs) if Path(name).name.startswith(".")]
    return [f"{name} was left behind" for name in hidden if name != INDEX]


def run_folders(runs: Path) -> Iterator[RunFolder]:
    """Yield every run of a runs folder, sweeps and the runs in them."""
    for path in sorted(runs.iterdir()):
        if path.is_symlink() or path.name.startswith(".") or not path.is_dir():
            continue
        if not is_sweep(path):
            yield RunFolder(path)
            continue
        sweep = SweepFolder(path)
        yield sweep
        yield from (sweep.run(number) for number in sweep.runs())


def untrue(runs: Path) -> list[str]:
    """Return which runs claim to have ended and are not whole."""
    return [problem for run in run_folders(runs) for problem in _untrue(run)]


def _untrue(run: RunFolder) -> Iterator[str]:
    status = run.read_status()["status"]
    if status not in FINAL:
        return
    if not isinstance(run, SweepFolder):
        if not is_intact(run):
            yield f"{run.name} reads as {status} and is not whole ({run.damaged_files()})"
        elif status == "completed" and "/" not in run.name and not run.predictions.exists():
            yield f"{run.name} reads as completed without predictions"
        return
    missing = [path.name for path in (run.summary, run.results, run.plan) if not path.exists()]
    if missing or run.damaged_files():
        yield f"{run.name} reads as {status} without {missing}, damaged {run.damaged_files()}"
    for number in run.runs():
        inner = run.run(number)
        if not is_intact(inner):
            yield f"{run.name} reads as {status}, but its run {number} is not whole"


def half_files(runs: Path) -> list[str]:
    """Return the visible files that cannot be read as what their name says."""
    broken = []
    for name, content in tree(runs).items():
        path = Path(name)
        if isinstance(content, str) or content == b"folder" or path.name.startswith("."):
            continue
        try:
            if not _reads(path, content):
                broken.append(f"{name} is half a file ({len(content)} bytes)")
        except (ValueError, KeyError, csv.Error, safetensors.SafetensorError) as error:
            broken.append(f"{name} is half a file: {error}")
    return broken


def _reads(path: Path, content: bytes) -> bool:
    if path.name == "plan.json" and content == b"{}\n":
        return True  # it is not settled yet which of the sweep's runs train together
    return _FORMS.get(path.suffix, _ends_with_a_line)(content)


def _ends_with_a_line(content: bytes) -> bool:
    return content.endswith(b"\n")


def _is_table(content: bytes) -> bool:
    rows = list(csv.reader(io.StringIO(content.decode())))
    return content.endswith(b"\n") and len({len(row) for row in rows}) == 1


_FORMS: dict[str, Callable[[bytes], bool]] = {
    ".json": lambda content: bool(json.loads(content)),
    ".csv": _is_table,
    ".npy": lambda content: np.load(io.BytesIO(content), allow_pickle=False).ndim == 1,
    ".safetensors": lambda content: bool(safetensors.numpy.load(content)),
    ".png": lambda content: content[:4] == b"\x89PNG" and content[-8:-4] == b"IEND",
    ".lock": lambda content: content == b"",
}
"""When the file of a name is whole; YAML, the log and the patch end with a line."""


def content(folder: Path) -> dict[str, object]:
    """Return what must not depend on interruptions: weights, predictions, metrics, configs."""
    found: dict[str, object] = {}
    for run in run_folders(folder.parent):
        if run.path != folder and folder not in run.path.parents:
            continue
        key = str(run.path.relative_to(folder))
        if isinstance(run, SweepFolder):
            found[key] = run.read_status()["status"]
            continue
        metrics = run.read_metrics()
        del metrics["seconds"]
        files = [path.read_bytes() if path.exists() else None
                 for path in (run.model, run.predictions)]  # fmt: skip
        found[key] = (run.read_status()["status"], files, repr(metrics))
    return found


def differing(found: Path, expected: dict[str, object]) -> list[str]:
    """Return which runs below `found` did not come to what they would have undisturbed."""
    try:
        ours = content(found)
    except (OSError, ValueError, KeyError, RunFolderError) as error:
        return [f"{found.name} cannot be read: {error}"]
    keys = sorted(set(ours) | set(expected))
    return [f"run {key} of {found.name} came to other bits" for key in keys
            if ours.get(key) != expected.get(key)]  # fmt: skip


def told_badly(outcome: Outcome, places: Iterable[object] = ()) -> list[str]:
    """Return what is wrong with how a command told of an error, which must name a place."""
    lines = [line for line in outcome.err.splitlines() if line.startswith("mnistlab: ")]
    problems = []
    if outcome.code == 0:
        problems.append("exit code 0")
    if len(lines) != 1 or not outcome.err.rstrip().endswith(lines[-1]):
        problems.append(f"not one sentence: {outcome.err!r}")
    elif (names := [str(place) for place in places]) and not any(n in lines[0] for n in names):
        problems.append(f"names no path of {names}: {lines[0]!r}")
    if any(word in outcome.err for word in ("Traceback", "unexpected", "[Errno")):
        problems.append(f"not meant for people: {outcome.err!r}")
    return problems
