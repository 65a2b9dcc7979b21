"""Writes measurements down as the page benchmarks/RESULTS.md."""

from collections.abc import Mapping, Sequence

from harness.claims import Outcome, Rounds
from harness.contestants import BOTH, EVALUATION, PEAK, PROCESS, STEPS, TREE
from harness.measure import Spread, spread

SECONDS = (PROCESS, "import", "load", "model", STEPS, EVALUATION, BOTH, "plain", "transposed")
MEGABYTES = (PEAK, TREE)
HEADINGS = {
    PROCESS: "whole process",
    "plain": "products, plain",
    "transposed": "products, transposed",
    PEAK: "largest process, MB",
    TREE: "all processes, MB",
}

HOW = """\
## How it is measured

Every contestant is a whole process, started anew each time and timed from outside; a round runs
each of them once (the short ones five times) before the next begins, after one round that is not
counted. Ratios are taken within a round; the table gives their median and range. Memory
comes from runs of their own, which are not timed: for the largest process the system's own
maximum, for all processes together the sum of their proportional shares every 20 ms.

`mnistlab train` includes its plots and its run folder. The PyTorch processes read the same files
and do the same work: ten epochs of 500 steps of 100 images, and after every epoch loss and
accuracy over all 50,000 training and 10,000 validation images; that they end at the same training
loss is checked. The one with a DataLoader takes its training batches from it, but evaluates whole
tensors like the other one, which favours it. `model` is the construction of the model and its
optimizer, which imports a good part of PyTorch; `torch_by_hand` does without an optimizer.
scikit-learn's perceptron always minimises the softmax cross-entropy, and evaluates nothing: only
our steps are held against its fit. Rivals with threads run with their default and with one; each
claim takes the setting that is faster for the rival, and likewise `--help` of the typer program
with and without rich. `bare_products` multiplies one batch again and again, with BLAS on one thread
and results written into buffers.

To reproduce: `make bench`.
"""


def render(
    date: str,
    machine: Mapping[str, str],
    rounds: Rounds,
    outcomes: Sequence[Outcome],
    skipped: Sequence[str],
) -> str:
    """Return the page as Markdown."""
    counted = max(
        (len(values) for parts in rounds.values() for values in parts.values()), default=0
    )
    facts = "".join(f"- {key}: {value}\n" for key, value in machine.items())
    notes = "".join(f"- skipped: {line}\n" for line in skipped)
    return "\n".join(
        [
            "# Benchmark results\n",
            f"Measured on {date} in {counted} round{'s' if counted > 1 else ''}.\n\n{facts}{notes}",
            *([f"## Claims\n\n{claims_table(outcomes)}"] if outcomes else []),
            f"## Seconds and memory\n\nMedians (smallest-largest).\n\n{medians_table(rounds)}",
            HOW,
        ]
    )


def claims_table(outcomes: Sequence[Outcome]) -> str:
    """Return a table of claims: bound, measured median with range, and whether it holds."""
    rows = [
        [
            outcome.claim.text,
            outcome.peer or "-",
            _bound(outcome),
            _range(outcome.measured, 2),
            {True: "yes", False: "**no**", None: "-"}[outcome.holds],
        ]
        for outcome in outcomes
    ]
    return _table(["claim", "against", "bound", "measured", "holds"], rows)


def medians_table(rounds: Rounds) -> str:
    """Return a table of the median of every part, with its range, a row a contestant."""
    used = [
        part for part in (*SECONDS, *MEGABYTES) if any(part in parts for parts in rounds.values())
    ]
    rows = [
        [label, *(_cell(part, parts[part]) if part in parts else "-" for part in used)]
        for label, parts in rounds.items()
    ]
    return _table(["", *(HEADINGS.get(part, part) for part in used)], rows)


def _bound(outcome: Outcome) -> str:
    bound = outcome.claim.bound
    if bound is None:
        return "none"
    return f"{'at least' if outcome.claim.faster else 'at most'} {bound:g}"


def _cell(part: str, values: Sequence[float]) -> str:
    scale, digits = (1e6, 0) if part in MEGABYTES else (1, 3)
    return _range(spread([value / scale for value in values]), digits)


def _range(found: Spread, digits: int) -> str:
    return f"{found.median:.{digits}f} ({found.low:.{digits}f}-{found.high:.{digits}f})"


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
