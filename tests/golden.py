"""Records what the shipped configs come to, byte for byte, and compares it with an earlier record.

    python -m tests.golden write golden.json      # before a change
    python -m tests.golden compare golden.json    # after it, on the same machine

Bytes depend on the machine's linear algebra, so a record is of use on the machine that made it.
"""

import csv
import hashlib
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from mnistlab.__main__ import main as mnistlab
from mnistlab.sweeps.sweep_file import is_sweep_file

ROOT = Path(__file__).resolve().parent.parent
SWEEP = ("sweep", "--config", "configs/linear.yaml", "learning_rate=0.005,0.01,0.02,0.5")
SWEEP_REST = ("epochs=2,3", "batch_size=50,100", "data.dataset=mnist-mini", "data.validation=1000")
TIMED = ("seconds",)
"""Columns and keys that hold durations."""


def run(*arguments: str) -> None:
    """Run one command in this process; exit codes 0 and 1 (a run diverged) are results."""
    sys.argv = ["mnistlab", *arguments]
    try:
        mnistlab()
    except SystemExit as stop:
        if stop.code not in (0, 1):
            raise


def sha256(content: bytes) -> str:
    """Return the SHA-256 as hexadecimal text."""
    return hashlib.sha256(content).hexdigest()


def keys_of(value: Any) -> Any:
    """Return a JSON document with every value that is not a mapping replaced by its type's name."""
    if isinstance(value, dict):
        return {key: keys_of(item) for key, item in sorted(value.items())}
    return type(value).__name__


def numbers_of(path: Path) -> str:
    """Return the SHA-256 of a CSV file without its columns of durations."""
    with path.open(newline="") as file:
        rows = [{k: v for k, v in row.items() if k not in TIMED} for row in csv.DictReader(file)]
    return sha256(json.dumps(rows).encode())


def record_of(folder: Path) -> dict[str, Any]:
    """Return what is compared of one run folder."""
    record: dict[str, Any] = {
        "files": sorted(p.name for p in folder.iterdir() if p.suffix != ".patch")
    }
    for name in ("model.safetensors", "predictions.npy", "config.yaml"):
        if (folder / name).exists():
            record[name] = sha256((folder / name).read_bytes())
    for name in ("metrics.csv", "divergence.csv"):
        if (folder / name).exists():
            record[name] = numbers_of(folder / name)
    for name in ("summary.json", "status.json", "environment.json"):
        if (folder / name).exists():
            content = json.loads((folder / name).read_text())
            content.pop("files", None)
            if name == "environment.json":
                for changing in ("git", "packages"):
                    content.pop(changing, None)
            record[name] = keys_of(content)
            if name == "summary.json":
                record["numbers"] = [content.get(s) for s in ("train", "validation", "test")]
    if (folder / "predictions.npy").exists():
        record["predicted"] = np.bincount(np.load(folder / "predictions.npy")).tolist()
    return record


def make() -> dict[str, Any]:
    """Train every shipped config and one sweep; return a record of each."""
    records = {}
    with tempfile.TemporaryDirectory() as kept:
        for config in sorted((ROOT / "configs").glob("*.yaml")):
            if is_sweep_file(config):
                continue
            runs = Path(kept) / config.stem
            run("train", "--config", f"configs/{config.name}", "--runs-dir", str(runs),
                "--no-plots", "-q")  # fmt: skip
            records[config.stem] = record_of((runs / "latest").resolve())
        runs = Path(kept) / "sweep"
        run(*SWEEP, *SWEEP_REST, "--runs-dir", str(runs), "--no-plots", "-q")
        sweep = (runs / "latest").resolve()
        records["sweep"] = record_of(sweep)
        records["sweep"]["results"] = numbers_of(sweep / "results.csv")
        for member in sorted((sweep / "runs").iterdir(), key=lambda path: int(path.name)):
            records[f"sweep/{member.name}"] = record_of(member)
    return records


def differences(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """Return a line for each entry that is not the same in both records."""
    return [
        f"{run} {key}: {old.get(run, {}).get(key)} became {new.get(run, {}).get(key)}"
        for run in sorted({*old, *new})
        for key in sorted({*old.get(run, {}), *new.get(run, {})})
        if old.get(run, {}).get(key) != new.get(run, {}).get(key)
    ]


if __name__ == "__main__":
    action, place = sys.argv[1], Path(sys.argv[2])
    made = make()
    if action == "write":
        place.write_text(json.dumps(made, indent=1))
        sys.stdout.write(f"{len(made)} records written to {place}\n")
    else:
        found = differences(json.loads(place.read_text()), made)
        said = "\n".join(found) or f"all {len(made)} records are the same"
        sys.stdout.write(f"{said}\n")
        sys.exit(1 if found else 0)
