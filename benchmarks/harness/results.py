"""Writes measurements down as the page benchmarks/RESULTS.md."""

import re
from collections.abc import Mapping, Sequence

from harness.claims import Outcome, Rounds
from harness.contestants import BOTH, EVALUATION, PEAK, PROCESS, STEPS, TREE
from harness.gradients import ACCEPTED, NAMED, REFUSED
from harness.many import OPENING
from harness.measure import Spread, spread
from harness.search import ERROR, SEARCH
from harness.sweep import ALL, EACH, GFLOPS, TOTAL, TRAINED, WRITE
from harness.tpe import BETTER

BEFORE = ("import", "load", "model", "compile")
SECONDS = (
    PROCESS,
    *BEFORE,
    STEPS,
    EVALUATION,
    BOTH,
    WRITE,
    TOTAL,
    "plain",
    "transposed",
    OPENING,
    SEARCH,
)
COUNTS = (ACCEPTED, REFUSED, NAMED, BETTER)
COLUMNS = (TRAINED, *COUNTS, *SECONDS, ALL, EACH, ERROR, GFLOPS, PEAK, TREE)
SCALES = {
    PEAK: (1e6, 0),
    TREE: (1e6, 0),
    TRAINED: (1, 0),
    GFLOPS: (1, 0),
    **dict.fromkeys(COUNTS, (1, 1)),
}
"""What a part is divided by for the table, and its digits; seconds have three."""

HEADINGS = {
    PROCESS: "whole process",
    TRAINED: "configurations trained",
    WRITE: "run folders",
    TOTAL: "the sweep's own total",
    ALL: "all 64 configurations",
    EACH: "each configuration",
    ERROR: "error of the best",
    GFLOPS: "GFLOP/s",
    "plain": "products, plain",
    "transposed": "products, transposed",
    OPENING: "opening the page",
    PEAK: "largest process, MB",
    TREE: "all processes, MB",
}

TO_REPRODUCE = "# Benchmark results\n\nTo reproduce: `make bench`.\n"


def render(
    title: str,
    date: str,
    machine: Mapping[str, str],
    rounds: Rounds,
    outcomes: Sequence[Outcome],
    skipped: Sequence[str],
    how: str,
    details: str = "",
) -> str:
    """Return the part of the page that one suite fills, as Markdown."""
    counted = max(
        (len(values) for parts in rounds.values() for values in parts.values()), default=0
    )
    facts = "".join(f"- {key}: {value}\n" for key, value in machine.items())
    notes = "".join(f"- skipped: {line}\n" for line in skipped)
    return "\n".join(
        [
            f"## {title}\n",
            f"Measured on {date} in {counted} round{'s' if counted > 1 else ''}.\n\n{facts}{notes}",
            *([f"### Claims\n\n{claims_table(outcomes)}"] if outcomes else []),
            f"### {_contents(rounds)}\n\nMedians (smallest-largest).\n\n{medians_table(rounds)}",
            *([f"### One by one\n\n{details}"] if details else []),
            f"### How it is measured\n\n{how}",
        ]
    )


def join_parts(titles: Sequence[str], parts: Mapping[str, str], page: str = "") -> str:
    """Return the whole page, in the order of titles; what is not in `parts` stays as in `page`."""
    before = re.split(r"^(?=## )", page, flags=re.MULTILINE)
    found = {**{part[3:].partition("\n")[0]: part for part in before}, **parts}
    return "\n".join(
        [TO_REPRODUCE, *(found[title].strip() + "\n" for title in titles if title in found)]
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
    used = [part for part in COLUMNS if any(part in parts for parts in rounds.values())]
    rows = [
        [label, *(_cell(part, parts[part]) if part in parts else "-" for part in used)]
        for label, parts in rounds.items()
    ]
    return _table(["", *(HEADINGS.get(part, part) for part in used)], rows)


def _contents(rounds: Rounds) -> str:
    """Return what the table of medians is about."""
    is_counted = any(part in parts for parts in rounds.values() for part in COUNTS)
    return "Counts and seconds" if is_counted else "Seconds and memory"


def _bound(outcome: Outcome) -> str:
    bound = outcome.claim.bound
    if bound is None:
        return "none"
    return f"{'at least' if outcome.claim.faster else 'at most'} {bound:g}"


def _cell(part: str, values: Sequence[float]) -> str:
    scale, digits = SCALES.get(part, (1, 3))
    return _range(spread([value / scale for value in values]), digits)


def _range(found: Spread, digits: int) -> str:
    return f"{found.median:.{digits}f} ({found.low:.{digits}f}-{found.high:.{digits}f})"


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
