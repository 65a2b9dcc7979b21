"""Measures mnistlab against its rivals and checks every claim that the project makes of its speed.

Prints the page of results; with at least five rounds of everyone it is written to RESULTS.md,
too. The exit code is 1 when a claim does not hold, 2 when a contestant fails.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from harness.claims import CLAIMS, MEMORY, judge
from harness.contestants import Contestant, Measures, base_environment, contestants, measure_memory
from harness.machine import describe_machine
from harness.measure import BenchmarkError
from harness.memory import is_available
from harness.results import render

RESULTS = Path(__file__).with_name("RESULTS.md")
ENOUGH = 5


def main() -> int:
    """Run everyone, print and write the results, and return the exit code."""
    chosen = _parse()
    everyone = [one for one in contestants() if chosen.only in (None, one.name)]
    skipped = sorted({f"{one.name}: {reason}" for one in everyone if (reason := one.missing())})
    with_memory = chosen.only in (None, MEMORY)
    if with_memory and not is_available():
        skipped.append("memory of all processes together: this system does not tell it")
    for line in skipped:
        _say(f"skipped: {line}")

    ready = [one for one in everyone if not one.missing()]
    try:
        rounds = _measure(ready, chosen.rounds, with_memory=with_memory)
    except BenchmarkError as error:
        _say(f"error: {error}")
        return 2
    outcomes = [outcome for claim in CLAIMS if (outcome := judge(claim, rounds))]
    date, machine = datetime.now(UTC).strftime("%Y-%m-%d"), describe_machine()
    page = render(date, machine, rounds, outcomes, skipped)

    if chosen.json:
        found = {"date": date, "machine": machine, "skipped": skipped, "rounds": rounds}
        print(json.dumps({**found, "claims": [asdict(outcome) for outcome in outcomes]}))
    else:
        print(page)
    if chosen.only is None and chosen.rounds >= ENOUGH:
        RESULTS.write_text(page, encoding="utf-8")
    elif chosen.only is None:
        _say(f"RESULTS.md is left as it was: it takes {ENOUGH} rounds")
    return 1 if any(outcome.holds is False for outcome in outcomes) else 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    names = [*dict.fromkeys(one.name for one in contestants()), MEMORY]
    parser.add_argument("--rounds", type=int, default=ENOUGH, help="rounds counted (default 5)")
    parser.add_argument("--only", choices=names, help="measure one contestant, write no file")
    parser.add_argument("--json", action="store_true", help="print one JSON document instead")
    chosen = parser.parse_args()
    if chosen.rounds < 1:
        parser.error("--rounds must be 1 or more")
    return chosen


def _measure(
    ready: Sequence[Contestant], count: int, *, with_memory: bool
) -> dict[str, dict[str, list[float]]]:
    """Return a value a round of every part of every contestant."""
    rounds: dict[str, dict[str, list[float]]] = {}

    def note(label: str, measures: Measures) -> None:
        for part, value in measures.items():
            rounds.setdefault(label, {}).setdefault(part, []).append(value)

    with tempfile.TemporaryDirectory() as runs_dir:
        environment = base_environment(Path(runs_dir))
        for index in range(count + 1):
            _say("warm-up" if index == 0 else f"round {index} of {count}")
            for one in ready:
                measures = one.run_round(environment)
                _say(f"  {one.label}: {measures['process']:.3f} s")
                if index:
                    note(one.label, measures)
        for _ in range(count if with_memory else 0):
            measures = measure_memory(environment)
            _say(f"  {MEMORY}: {max(measures.values()) / 1e6:.0f} MB")
            note(MEMORY, measures)
    return rounds


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
