"""Starts the drawing process beside a training run and asks it for pictures at the end."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Self, cast


class Painter:
    """A drawing process, as a context manager that leaves none behind.

    It loads the data of `first`, a run folder with its config in place, while the caller
    trains; `draw` then asks for the pictures of one run after another.
    """

    def __init__(self, first: Path, plugins: Sequence[Path] = ()) -> None:
        # a session of its own keeps the terminal's Ctrl-C away: it ends when its input closes
        self._process = subprocess.Popen(  # noqa: S603 - our own module
            [sys.executable, "-m", "mnistlab.plots", str(first), *map(str, plugins)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
            start_new_session=True,
        )
        self._questions = cast("IO[str]", self._process.stdin)
        self._answers = cast("IO[str]", self._process.stdout)

    def draw(self, folder: Path) -> list[str]:
        """Return the names of the plots drawn into a run; raise RuntimeError with the reason."""
        with suppress(BrokenPipeError):  # it has ended; what it said tells why
            self._questions.write(f"{json.dumps(str(folder))}\n")
            self._questions.flush()
        answer = self._answers.readline()
        if not answer:
            _, errors = self._process.communicate()
            lines = errors.strip().splitlines() or [f"exit code {self._process.returncode}"]
            raise RuntimeError(lines[-1])
        names: list[str] = json.loads(answer)
        return names

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.communicate()
