"""Many processes that train at one instant, by a clock that stands still, into one runs folder."""

import argparse
import os
import random
import secrets
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from mnistlab.run_folders import RunFolder
from mnistlab.run_folders.provenance import is_intact
from tests.faults import promises
from tests.faults.command import invoke

_INSTANT = 1_700_000_000.0
WORDS = ("epochs=1", "batch_size=500", "data.dataset=mnist-mini", "data.validation=1000")


def crowd(processes: int, runs: Path, *, few: bool) -> list[str]:
    """Let so many processes train at once; return what is wrong with the runs they leave."""
    runs.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "tests.faults.crowd", str(processes), str(runs)]
    done = subprocess.run(
        [*command, "--few"] if few else command,
        cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False,
    )  # fmt: skip
    problems = [f"a process failed: {done.stdout}{done.stderr}"] if done.returncode else []
    made = runs.iterdir() if runs.is_dir() else ()
    folders = [path for path in made if not path.is_symlink()]
    if len(folders) != processes:
        problems.append(f"{processes} processes made {len(folders)} folders")
    problems += [f"{path.name} is not whole" for path in folders if not is_intact(RunFolder(path))]
    if (runs / "latest").resolve() not in [path.resolve() for path in folders]:
        problems.append("`latest` points to none of them")
    return problems + promises.litter(runs) + promises.half_files(runs)


def main(arguments: Sequence[str] | None = None) -> int:
    """Fork the processes, let them go, and return how many have failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("processes", type=int)
    parser.add_argument("runs", type=Path)
    parser.add_argument("--few", action="store_true")
    options = parser.parse_args(arguments)
    config = options.runs.parent / "crowd.yaml"
    config.write_text("seed: 0\n")
    words = ["train", "-c", config, *WORDS, "--no-plots", "-q", "--runs-dir"]
    warm = invoke(*words, options.runs.parent / "warm")  # all is imported and read once
    if warm.code:
        sys.stderr.write(warm.err)
        return warm.code
    names = options.processes + 2 if options.few else 0
    gate, opener = os.pipe()
    children = [_fork(gate, opener, [*words, options.runs], names)
                for _ in range(options.processes)]  # fmt: skip
    os.close(opener)
    return sum(os.waitpid(child, 0)[1] != 0 for child in children)


def _fork(gate: int, opener: int, words: Sequence[object], names: int) -> int:
    """Start a process that waits at the gate, stops its clock and trains; return its number."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        os.close(opener)
        os.read(gate, 1)  # ends when the parent has closed the other end
        _stop_clock()
        if names:
            _choose_from(names)
        outcome = invoke(*words)
        sys.stderr.write(outcome.err)
        sys.stderr.flush()
        code = outcome.code
    finally:
        os._exit(code)


def _stop_clock() -> None:
    instant, strftime = time.localtime(_INSTANT), time.strftime
    time.time = lambda: _INSTANT
    time.strftime = lambda form, moment=instant: strftime(form, moment)


def _choose_from(names: int) -> None:
    """Let the folders' names end in one of so few ways that some processes choose the same."""
    real = secrets.token_hex
    secrets.token_hex = lambda size=None: (
        f"{random.SystemRandom().randrange(names):04x}" if size == 2 else real(size)
    )


if __name__ == "__main__":
    sys.exit(main())
