"""Runs a command of mnistlab on a set that is larger than memory, and watches its own memory.

Prints seconds and bytes as one JSON document. Pages of a mapped file are the system's, to be
dropped at any time, so what counts is what the process has for itself (RssAnon).
"""

import json
import subprocess
import sys
import time
from pathlib import Path

COMMANDS = {
    "train": ("train", "--config", "linear", "--no-plots"),
    "dry_run": ("train", "--config", "linear", "--dry-run"),
    "sweep": ("sweep", "--config", "learning_rate_64", "--no-plots"),
}


def private_bytes(pid: int) -> int:
    """Return the private memory of a process, 0 if it has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return max(
        (int(one.split()[1]) * 1024 for one in lines if one.startswith("RssAnon")), default=0
    )


def main() -> None:
    """Run the command and print what it took."""
    what, folder = sys.argv[1:]
    words = [*COMMANDS[what], f"data.dataset={folder}", "epochs=1", "--json"]
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "mnistlab", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    peak = 0
    while process.poll() is None:
        peak = max(peak, private_bytes(process.pid))
        time.sleep(0.02)
    assert process.stdout is not None  # noqa: S101 - it was asked for
    document = json.loads(process.stdout.read())
    seconds = document.get("seconds", {})
    print(
        json.dumps(
            {
                "process": time.perf_counter() - started,
                "training": seconds.get("train", 0.0) + seconds.get("evaluate", 0.0)
                if isinstance(seconds, dict)
                else 0.0,
                "private": peak,
                "images": document.get("train_images"),
                "status": document.get("status"),
            }
        )
    )


if __name__ == "__main__":
    main()
