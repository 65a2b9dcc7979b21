"""Says in a few lines what came of training a run again."""

from mnistlab.config.load import shown
from mnistlab.store.verification import IDENTICAL, WITHIN_TOLERANCE, Verification


def describe(found: Verification) -> str:
    """Return the verdict, what it rests on, and what has changed since the run was made."""
    heading = found.verdict
    if found.epoch is not None:
        heading = f"differs from epoch {found.epoch}"
    lines = [f"{found.run}: {heading}", *(f"  {line}" for line in _reasons(found))]
    for key, (then, now) in found.changed.items():
        lines.append(f"  {key} was {shown(then)}, now it is {shown(now)}")
    if found.verdict != IDENTICAL and not found.changed:
        lines.append("  nothing that the run recorded of its environment has changed")
    return "\n".join(lines)


def _reasons(found: Verification) -> list[str]:
    epochs = "1 epoch" if found.epochs == 1 else f"{found.epochs} epochs"
    reasons = [f"{name} is not what the run left: it was changed" for name in found.damaged]
    if found.verdict == IDENTICAL:
        return [f"the metrics of {epochs}, the weights and the predictions are the same to the bit"]
    reasons.append(
        f"over {epochs} the losses are at most {found.loss:.2g} apart, relative to the larger "
        f"({found.tolerance:.2g} is allowed)"
    )
    if found.verdict == WITHIN_TOLERANCE and found.weight is not None:
        reasons[-1] += f", the weights at most {found.weight:.2g}"
    if found.predictions is not None:
        images = "image is" if found.predictions == 1 else "images are"
        reasons.append(f"{found.predictions} test {images} taken for another class")
    return reasons
