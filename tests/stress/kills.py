"""Kills and interrupts commands at random moments of their lives."""

import random
import signal
import statistics
from pathlib import Path

from tests.faults.processes import KINDS, Victim
from tests.stress.figures import Figure
from tests.stress.tally import Tally

_KILLS = 200
_SIGNALS = 60
_SECONDS = 48
_BETWEEN = 0.1
"""The longest time between a signal and the next, in seconds."""


def measure_kills(scale: float, scratch: Path) -> list[Figure]:
    """Return a figure of SIGKILL for `train` and one for `sweep`, half of the moments each."""
    moments = random.Random(20191120)  # noqa: S311 - moments, no secrets
    figures = []
    for command in ("train", "sweep"):
        tally, ratios, unbegun = Tally(f"SIGKILL during `{command}`"), [], 0
        victims = _victims(command, scratch)
        for index in range(max(len(victims), round(_KILLS / 2 * scale))):
            # the last of the moments come after the end
            tally.add(victims[index % len(victims)].kill(moments.uniform(0.0, 1.02)))
        for victim in victims:
            ratios += victim.ratios
            unbegun += victim.unbegun
        figures.append(tally.figure(_note(ratios, unbegun)))
    return figures


def measure_signals(scale: float, scratch: Path) -> list[Figure]:
    """Return a figure of each signal, and one of a second one right after it."""
    moments = random.Random(20191121)  # noqa: S311 - moments, no secrets
    victims = _victims("train", scratch) + _victims("sweep", scratch)
    figures = []
    signums = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    for signum in signums:
        tally = Tally(f"{signum.name} at a random moment")
        for index in range(max(3, round(_SIGNALS / 3 * scale))):
            victim = victims[index % len(victims)]
            tally.add(victim.interrupt(moments.uniform(0.05, victim.seconds), signum))
        figures.append(tally.figure())
    tally = Tally("a second signal within 0.1 s of the first")
    for index in range(max(3, round(_SECONDS * scale))):
        victim = victims[index % len(victims)]
        moment, again = moments.uniform(0.05, victim.seconds), moments.uniform(0.0, _BETWEEN)
        tally.add(victim.interrupt(moment, signums[index % 3], again))
    return [*figures, tally.figure()]


def _victims(command: str, scratch: Path) -> list[Victim]:
    kinds = {name: words for name, words in KINDS.items() if words[0] == command}
    return [Victim(name, scratch / f"{command}-{index}", words).learn()
            for index, (name, words) in enumerate(kinds.items())]  # fmt: skip


def _note(ratios: list[float], unbegun: int) -> str:
    if not ratios:
        return "none went on"
    times = sorted(ratios)
    told = f"killed and gone on with, {statistics.median(times):.2f} times the undisturbed time"
    told += f" (90 %: {times[int(0.9 * len(times))]:.2f}, most: {times[-1]:.2f})"
    return f"{told}; {unbegun} killed before anything was begun" if unbegun else told
