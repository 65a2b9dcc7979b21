"""Takes runs over that are finished elsewhere: the same config, data and code give the same run."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from mnistlab.runs import RunFolder
from mnistlab.runs.atomic import write_bytes
from mnistlab.runs.sweep_folder import SweepFolder, is_sweep
from mnistlab.runs.whole import is_whole

_NOT_TAKEN = {"run.lock", "checkpoint.safetensors", "status.json", "summary.json"}


def copy_finished(folder: SweepFolder, runs_dir: Path, keys: Mapping[str, int]) -> set[int]:
    """Copy finished runs with these keys into a sweep, as the numbers given; return those."""
    found: set[int] = set()
    for run in _runs_below(runs_dir, folder.path):
        number = keys.get(str(run.read_environment().get("key")), -1)
        if number < 0 or number in found:
            continue
        if is_whole(run):
            _copy(run, folder.run(number))
            found.add(number)
    return found


def _runs_below(runs_dir: Path, but: Path) -> Iterator[RunFolder]:
    """Yield every run of a runs folder, those of its sweeps included, the newest first."""
    paths = (path for path in runs_dir.iterdir() if path.is_dir() and not path.is_symlink())
    for path in sorted(paths, reverse=True):
        if path == but:
            continue
        if is_sweep(path):
            sweep = SweepFolder(path)
            yield from (sweep.run(number) for number in sweep.runs())
        else:
            yield RunFolder(path)


def _copy(source: RunFolder, target: RunFolder) -> None:
    """Copy a run's files, its status last, so that the copy is never taken for whole too early."""
    target.path.mkdir(parents=True)
    files = [
        path for path in source.path.iterdir() if path.is_file() and path.name not in _NOT_TAKEN
    ]
    for path in files:
        write_bytes(target.path / path.name, path.read_bytes())
    known = source.read_summary()
    target.write_summary({**known, "run": target.name, "path": str(target.path)})
    target.say(f"taken over from {source.name}")
    details = {key: value for key, value in source.read_status().items() if key != "files"}
    target.write_status(**details, files=target.digests())
