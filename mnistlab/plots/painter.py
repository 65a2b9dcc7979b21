"""Starts the drawing process ahead of a training run and asks it for pictures at the end."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Self, cast

import mnistlab

_PROGRAM = f"""
import sys
sys.path.append({str(Path(mnistlab.__file__).parents[1])!r})
from mnistlab.plots.picture_file import import_matplotlib
import_matplotlib()
from mnistlab.plots.__main__ import main
main()
"""


class Painter:
    """A drawing process, as a context manager that leaves none behind.

    It imports what it needs while the caller prepares and trains.
    """

    def __init__(self, plugins: Sequence[Path] = ()) -> None:
        # a session of its own keeps the terminal's Ctrl-C away, and ends as a whole
        self._process = subprocess.Popen(  # noqa: S603 - our own module
            # -P: a `random.py` in the folder that somebody works in is none of its business
            [sys.executable, "-P", "-c", _PROGRAM, *map(str, plugins)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
            start_new_session=True,
        )
        if hasattr(os, "setpriority"):  # what imports meanwhile gives way to what trains
            with suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, self._process.pid, 10)
        self._questions = cast("IO[str]", self._process.stdin)
        self._answers = cast("IO[str]", self._process.stdout)

    def load(self, folder: Path) -> None:
        """Let it load the data of a run folder whose config is in place; does not wait."""
        self._ask("load", folder)

    def draw(self, folder: Path) -> list[str]:
        """Return the names of the plots drawn into a run; raise RuntimeError with the reason."""
        self._ask("draw", folder)
        answer = self._answers.readline()
        if not answer:
            _, errors = self._process.communicate()
            lines = errors.strip().splitlines() or [f"exit code {self._process.returncode}"]
            raise RuntimeError(lines[-1])
        names: list[str] = json.loads(answer)
        return names

    def _ask(self, what: str, folder: Path) -> None:
        with suppress(BrokenPipeError):  # it has ended; what it said tells why
            self._questions.write(f"{json.dumps([what, str(folder)])}\n")
            self._questions.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
        with suppress(BrokenPipeError):
            self._process.communicate()
