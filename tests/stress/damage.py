"""Cuts files at every length and flips their bits."""

import random
from pathlib import Path

from mnistlab.run_folders.weights import load_checkpoint
from tests.faults.damage import Finished, Interrupted, cuts, flips, load_wrongly
from tests.faults.failing import scenarios
from tests.stress.figures import Figure
from tests.stress.tally import Tally

_LENGTHS, _FLIPS = 1_000, 10_000
_FLIPS_OF_A_FILE = 400
_OF_AN_INTERRUPTED = 120


def measure(scale: float, scratch: Path) -> list[Figure]:
    """Return figures of checkpoints, of finished runs and of interrupted ones that go on."""
    made = {scenario.name: scenario for scenario in scenarios(scratch)}
    choice = random.Random(20191120)  # noqa: S311 - samples, no secrets
    interrupted = Interrupted(made["train --resume"], scratch)
    figures = _checkpoints(interrupted.contents["checkpoint.safetensors"], scale, scratch, choice)
    finished = Finished(made["train"], scratch)
    for name in finished.names:
        content = (finished.path / name).read_bytes()
        tally = Tally(f"{name} of a finished run, cut or with flipped bits")
        lengths = max(2, round(len(content) * scale))
        for damaged in [
            *cuts(content, lengths),
            *flips(content, round(_FLIPS_OF_A_FILE * scale), choice),
        ]:
            tally.add(finished.attempt(name, damaged))
        figures.append(tally.figure(f"{len(content)} bytes"))
    count = max(2, round(_OF_AN_INTERRUPTED * scale))
    for name, content in interrupted.contents.items():
        tally = Tally(f"{name} of an interrupted run, cut or with flipped bits, then --resume")
        for damaged in [*cuts(content, count), *flips(content, count, choice)]:
            tally.add(interrupted.attempt(name, damaged))
        figures.append(tally.figure(f"{len(content)} bytes"))
    return figures


def _checkpoints(
    content: bytes, scale: float, scratch: Path, choice: random.Random
) -> list[Figure]:
    path = scratch / "checkpoint.safetensors"
    path.write_bytes(content)
    whole = load_checkpoint(path)
    figures = []
    for what, damages in (
        ("cut", cuts(content, round(_LENGTHS * scale))),
        ("with flipped bits", flips(content, round(_FLIPS * scale), choice)),
    ):
        tally = Tally(f"a checkpoint {what}, loaded")
        for damaged in damages:
            told = load_wrongly(path, damaged, whole)
            tally.add([told] if told else [])
        figures.append(tally.figure(f"{len(content)} bytes"))
    return figures
