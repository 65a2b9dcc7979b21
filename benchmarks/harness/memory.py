"""Watches the memory of a process together with its children, which no counter of Linux adds up."""

import os
import time
from contextlib import suppress
from pathlib import Path

INTERVAL = 0.02
PROC = Path("/proc")


class TreeMemory:
    """The largest sum, seen every 20 ms, of the memory of a process and all its descendants.

    A page that several processes share counts for each of them in equal parts (Pss), so that
    the sum counts it once.
    """

    def __init__(self) -> None:
        self.peak_bytes = 0

    def __call__(self, pid: int) -> None:
        """Watch until the process has ended; it is left for its parent to wait for."""
        while os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            self.peak_bytes = max(self.peak_bytes, sum(map(memory_of, family(pid))))
            time.sleep(INTERVAL)


def is_available() -> bool:
    """Return whether this system tells what is needed."""
    return (PROC / "self" / "smaps_rollup").exists()


def memory_of(pid: int) -> int:
    """Return the proportional memory (Pss) of a process in bytes, 0 if it has ended."""
    with suppress(OSError):
        for line in (PROC / str(pid) / "smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0


def family(pid: int) -> list[int]:
    """Return a process and all its descendants."""
    children: dict[int, list[int]] = {}
    for folder in PROC.iterdir():
        if folder.name.isdigit():
            with suppress(OSError):  # it ended meanwhile
                after_name = (folder / "stat").read_text().rpartition(")")[2].split()
                children.setdefault(int(after_name[1]), []).append(int(folder.name))
    found = [pid]
    for member in found:  # grows while it is read
        found += children.get(member, [])
    return found
