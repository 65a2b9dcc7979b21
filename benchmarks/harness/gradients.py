"""Who judges the gradient files, and what came of each: files accepted, refused and explained."""

import csv
import json
import re
from collections.abc import Mapping, Sequence
from functools import partial

from harness.contestants import PROCESS, Contestant, Measures
from harness.measure import ROOT, BenchmarkError, Finished, spread

ACCEPTED, REFUSED, NAMED = "wrong accepted", "right refused", "mistakes named"

SEEDS = tuple(map(str, range(5)))
"""Of the random points; what is told of a file is the share of these."""

NAMES = {
    "gradients_mnistlab": "mnistlab gradcheck",
    "gradients_torch": "torch.autograd.gradcheck",
    "gradients_jax": "jax.test_util.check_grads",
}

Rounds = Mapping[str, Mapping[str, Sequence[float]]]


def gradient_contestants() -> list[Contestant]:
    """Return everyone in the order in which they are asked."""
    found = []
    for name in NAMES:
        who = name.partition("_")[2]
        found.append(
            Contestant(
                name,
                ("benchmarks/rivals/gradients.py", who),
                partial(read_verdicts, rows=read_table()),
                package=who,
                variants=tuple((seed,) for seed in SEEDS),
            )
        )
    return found


def read_table() -> list[dict[str, str]]:
    """Return the rows of benchmarks/gradients/files.csv, a file each."""
    path = ROOT / "benchmarks" / "gradients" / "files.csv"
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def read_verdicts(finished: Finished, rows: Sequence[Mapping[str, str]]) -> Measures:
    """Return how many files were misjudged and explained, and of each whether it was accepted.

    A mistake is named where the diagnosis has the words that the table's `says` lists.
    """
    verdicts = json.loads(finished.output)
    if verdicts.keys() != {row["file"] for row in rows}:
        raise BenchmarkError(f"not every file was judged, only {', '.join(verdicts)}")
    measures = {PROCESS: finished.seconds, **dict.fromkeys((ACCEPTED, REFUSED, NAMED), 0.0)}
    for row in rows:
        found = verdicts[row["file"]]
        is_accepted, is_right = found["verdict"] == "right", row["truth"] == "right"
        is_named = not (is_accepted or is_right) and bool(
            re.search(row["says"], found["diagnosis"])
        )
        accepted, named = _parts(row)
        measures[accepted], measures[named] = float(is_accepted), float(is_named)
        measures[ACCEPTED] += is_accepted and not is_right
        measures[REFUSED] += is_right and not is_accepted
        measures[NAMED] += is_named
    return measures


def files_table(rounds: Rounds) -> str:
    """Return a Markdown table of what each checker says of each file, bold where it is wrong."""
    rows = sorted(read_table(), key=lambda one: (one["truth"] == "right", one["wrong_at"]))
    ran = [name for name in NAMES if _parts(rows[0])[0] in rounds.get(name, {})]
    if not ran:
        return ""
    heads = ["file", "what it does", "truth", *(NAMES[name] for name in ran)]
    lines = [heads, ["---"] * len(heads)]
    for row in rows:
        truth = row["truth"]
        if row["wrong_at"] not in ("", "everywhere"):
            truth += f" at {row['wrong_at']}"
        cells = [_cell(rounds[name], row) for name in ran]
        lines.append([f"`{row['file']}`", row["what"], truth, *cells])
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _cell(measured: Mapping[str, Sequence[float]], row: Mapping[str, str]) -> str:
    accepted, named = (spread(measured[part]).median for part in _parts(row))
    if row["truth"] == "right":
        return "accepted" if accepted == 1 else f"**refused{_share(1 - accepted)}**"
    if accepted:
        return f"**accepted{_share(accepted)}**"
    return f"refused, named{_share(named)}" if named else "refused"


def _parts(row: Mapping[str, str]) -> tuple[str, str]:
    """Return under which names it is kept whether a file is accepted, and its mistake named."""
    return f"{row['file']} accepted", f"{row['file']} named"


def _share(share: float) -> str:
    """Return at how many of the seeds, nothing where it is all of them."""
    return "" if share == 1 else f" at {round(share * len(SEEDS))} of {len(SEEDS)} seeds"
