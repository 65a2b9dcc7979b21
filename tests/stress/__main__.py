"""Runs the long form of the fault tests, part by part, and keeps the figures in tests/STRESS.md."""

import argparse
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.stress import (
    crowd,
    damage,
    document,
    failing,
    foreign,
    gradients,
    kills,
    late,
    races,
    unsynced,
)
from tests.stress.figures import Figure

_INPUTS = 100_000


def _fuzz(scale: float, scratch: Path) -> list[Figure]:  # noqa: ARG001 - it has its own
    from tests.stress import fuzzing  # noqa: PLC0415 - takes packages that the others do not

    return fuzzing.measure(round(_INPUTS * scale))


def _cluster(scale: float, scratch: Path) -> list[Figure]:
    from tests.stress import cluster  # noqa: PLC0415 - takes packages that the others do not

    return cluster.measure(scale, scratch)


PARTS: dict[str, Callable[[float, Path], list[Figure]]] = {
    "calls": failing.measure,
    "power": unsynced.measure,
    "damage": damage.measure,
    "kills": kills.measure_kills,
    "signals": kills.measure_signals,
    "crowd": crowd.measure,
    "foreign folders": foreign.measure,
    "races": races.measure,
    "late faults": late.measure,
    "gradients": gradients.measure,
    "cluster": _cluster,
    "fuzzing": _fuzz,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the parts; return 1 if any try broke a promise, else 0."""
    options = _parse(arguments)
    for signum, handler in (
        (signal.SIGINT, signal.default_int_handler),
        (signal.SIGTERM, signal.SIG_DFL),
        (signal.SIGHUP, signal.SIG_DFL),
    ):
        signal.signal(signum, handler)  # the parent may have had them ignored
    figures: dict[str, list[Figure]] = {}
    minutes: dict[str, float] = {}
    for part in options.only or PARTS:
        sys.stderr.write(f"{part}:\n")
        began = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="mnistlab-stress-") as scratch:
            # no part reads or writes the folders of whoever runs this
            os.environ["MNISTLAB_DATA_DIR"] = f"{scratch}/data"
            os.environ["MNISTLAB_RUNS_DIR"] = f"{scratch}/runs"
            figures[part] = PARTS[part](options.scale, Path(scratch))
        minutes[part] = (time.monotonic() - began) / 60
        sys.stderr.write(f"{part} took {minutes[part]:.1f} minutes\n")
        if options.scale == 1:  # what is cut short is no figure to keep
            document.keep({part: figures[part]}, {part: minutes[part]})
    sys.stdout.write(document.table(figures, minutes))
    return int(any(figure.bad for part in figures.values() for figure in part))


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.stress", description=__doc__)
    parser.add_argument(
        "--only", action="append", choices=PARTS, help="run this part (may be given again)"
    )
    parser.add_argument(
        "--scale",
        type=float,
        default=1.0,
        help="the fraction of the tries (default 1: all; the figures of less are not kept)",
    )
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
