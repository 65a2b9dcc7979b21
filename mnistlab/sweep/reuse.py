"""Takes runs over that are finished elsewhere: the same config, data and code give the same run."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mnistlab.runs import RunFolder
from mnistlab.runs.files import write_bytes, write_json
from mnistlab.runs.folder import SweepFolder
from mnistlab.runs.integrity import find_intact_runs

_NOT_TAKEN = {"run.lock", "checkpoint.safetensors", "status.json", "summary.json"}


def copy_finished(folder: SweepFolder, runs_dir: Path, keys: Mapping[str, int]) -> set[int]:
    """Copy finished runs with these keys into a sweep, as the numbers given; return those."""
    found: set[int] = set()

    def is_wanted(environment: Mapping[str, Any]) -> bool:
        return keys.get(str(environment.get("key")), -1) not in (-1, *found)

    for run in find_intact_runs(runs_dir, is_wanted, of_sweeps=True):
        number = keys[str(run.read_environment()["key"])]
        _copy(run, folder, number)
        found.add(number)
    return found


def _copy(source: RunFolder, sweep: SweepFolder, number: int) -> None:
    """Copy a run's files, its status last, so that the copy is never taken for whole too early."""
    target = sweep.run(number)
    target.path.mkdir(parents=True)
    files = [
        path for path in source.path.iterdir() if path.is_file() and path.name not in _NOT_TAKEN
    ]
    for path in files:
        write_bytes(target.path / path.name, path.read_bytes())
    known = source.read_summary()
    # what makes the folder that of a sweep is written later
    name = f"{sweep.name}/{number}"
    write_json(target.summary, {**known, "run": name, "path": str(target.path)})
    target.write_log(f"taken over from {source.name}")
    details = {key: value for key, value in source.read_status().items() if key != "files"}
    target.write_status(**details, checksums=target.compute_checksums())
