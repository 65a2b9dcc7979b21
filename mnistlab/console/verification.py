"""Says in a few lines what came of training a run again."""

import math
from collections.abc import Iterator

from mnistlab.config.load import shown
from mnistlab.store.verify import IDENTICAL, IMPOSSIBLE, WITHIN_TOLERANCE, Verification

_CODE = ("git.commit", "git.dirty", "git.uncommitted_sha256")
"""What says that the code is not the same; its numbers tell a person nothing."""


def describe(found: Verification) -> str:
    """Return the verdict, what it rests on, and what has changed since the run was made."""
    heading = found.verdict
    if found.verdict == IMPOSSIBLE:
        return f"{found.run}: {heading}: {found.reason}"
    if found.epoch is not None:
        heading = f"differs from epoch {found.epoch}"
    lines = [f"{found.run}: {heading}", *(f"  {line}" for line in _reasons(found))]
    lines += [f"  {line}" for line in _changes(found)]
    if not found.vouched:
        lines.append("  its status vouches for no file: they may all have been exchanged")
    return "\n".join(lines)


def _changes(found: Verification) -> Iterator[str]:
    code = [key for key in found.changed if key in _CODE]
    for key, (then, now) in found.changed.items():
        if key not in _CODE:
            yield f"since then: {key} was {shown(then)}, now it is {shown(now)}"
    if code:
        yield "since then: the code is not the same (git)"
    if found.verdict != IDENTICAL and not found.changed:
        yield "nothing that the run recorded of its environment has changed since"


def _reasons(found: Verification) -> Iterator[str]:
    epochs = "1 epoch" if found.epochs == 1 else f"{found.epochs} epochs"
    for name in found.damaged:
        yield f"{name} is missing or is not what the run left"
    if found.status[0] != found.status[1]:
        yield f"the run is said to be {found.status[0]}; trained again it is {found.status[1]}"
    for key, (then, now) in found.summary.items():
        yield f"summary.json says {key} {shown(then)}; trained again it is {shown(now)}"
    if found.verdict == IDENTICAL:
        parts = ["the predictions"] if found.predictions is not None else []
        parts = ["the weights", *parts] if found.weight is not None else parts
        told = " and ".join([", ".join([f"the metrics of {epochs}", *parts[:-1]]), *parts[-1:]])
        yield f"{told} are the same to the bit"
        return
    if math.isfinite(found.loss):
        yield (
            f"over {epochs} the losses are at most {found.loss:.2g} apart, relative to the larger "
            f"({found.tolerance:.2g} is allowed)"
        )
    if found.verdict == WITHIN_TOLERANCE and found.weight is not None:
        yield f"the weights are at most {found.weight:.2g} apart"
    if found.predictions is not None:
        images = "image is" if found.predictions == 1 else "images are"
        yield f"{found.predictions} test {images} taken for another class"
