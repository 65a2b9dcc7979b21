"""Keeps the figures of stress runs in tests/STRESS.md, the newest first."""

import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

from tests.stress.figures import Figure

PATH = Path(__file__).parents[1] / "STRESS.md"
_HEAD = """# What was broken on purpose

`make stress` kills, starves, cuts and fuzzes mnistlab for an hour or two. Each line says how many
tries there were and how many of them broke a promise; a run with any is a failed one. No figure
here is edited by hand.
"""
_TABLE = "| part | what | tries | bad | note |\n|---|---|--:|--:|---|\n"


def table(parts: Mapping[str, Sequence[Figure]], minutes: Mapping[str, float]) -> str:
    """Return the figures of each part as a Markdown table."""
    return _TABLE + "".join(
        f"| {part}, {minutes[part]:.1f} min | {figure.what} | {figure.tries:,} | {figure.bad:,} "
        f"| {figure.note} |\n"
        for part, figures in parts.items()
        for figure in figures
    )


def keep(parts: Mapping[str, Sequence[Figure]], minutes: Mapping[str, float]) -> None:
    """Write a section of today and this commit; what it has of other parts stays in it."""
    text = PATH.read_text() if PATH.exists() else _HEAD
    head, *sections = text.split("\n## ")
    title = f"{datetime.now().astimezone():%Y-%m-%d}, commit {_commit()}"
    known = next((one for one in sections if one.startswith(f"{title}\n")), "")
    rows = [line for line in known.splitlines(keepends=True) if line.startswith("| ")][1:]
    kept = [row for row in rows if row.removeprefix("| ").partition(",")[0] not in parts]
    new = table(parts, minutes).removeprefix(_TABLE)
    section = f"{title}\n\n{_machine()}\n\n{_TABLE}{''.join(kept)}{new}"
    others = [one for one in sections if one != known]
    PATH.write_text("\n## ".join([head, section, *others]))


def _commit() -> str:
    def git(*words: str) -> str:
        command = ["git", "-C", str(PATH.parent), *words]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return done.stdout.strip()

    changed = git("status", "--porcelain", "--untracked-files=no", "--", ":/mnistlab")
    return (git("rev-parse", "--short", "HEAD") or "unknown") + (" and changes" if changed else "")


def _machine() -> str:
    lines = Path("/proc/cpuinfo")
    names = lines.read_text().splitlines() if lines.exists() else []
    models = (line.partition(":")[2].strip() for line in names if line.startswith("model name"))
    processor = next(models, platform.processor() or platform.machine())
    packages = ", ".join(f"{name} {version(name)}" for name in ("numpy", "safetensors", "filelock"))
    return (
        f"{processor}, {os.cpu_count()} cores, {platform.system()} {platform.release()}, "
        f"Python {platform.python_version()}, {packages}."
    )
