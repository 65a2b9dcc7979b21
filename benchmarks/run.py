"""Measures mnistlab against its rivals and checks every claim that the project makes of its speed.

Prints the page of results; with at least five rounds of everyone in a suite its part of
RESULTS.md is written, too. The exit code is 1 when a claim does not hold, 2 when a contestant
fails.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from harness.claims import Outcome, judge
from harness.contestants import Contestant, Measures, base_environment, measure_memory
from harness.machine import describe_machine
from harness.measure import BenchmarkError
from harness.memory import is_available
from harness.results import join_parts, render
from harness.suites import SUITES, Suite

RESULTS = Path(__file__).with_name("RESULTS.md")
ENOUGH = 5


@dataclass
class Found:
    """What came of a suite."""

    rounds: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    outcomes: list[Outcome] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)


def main() -> int:
    """Run everyone, print and write the results, and return the exit code."""
    chosen = _parse()
    suites = [
        suite
        for suite in SUITES
        if chosen.suite in (None, suite.name) and chosen.only in (None, *suite.names)
    ]
    found: dict[str, Found] = {}
    parts: dict[str, str] = {}
    titles = [suite.title for suite in SUITES]
    date, machine = datetime.now(UTC).strftime("%Y-%m-%d"), describe_machine()
    keeps = chosen.only is None and chosen.rounds >= ENOUGH
    for suite in suites:
        try:
            one = found[suite.title] = _run_suite(suite, chosen.only, chosen.rounds)
        except BenchmarkError as error:
            _say(f"error: {error}")
            return 2
        parts[suite.title] = render(
            suite.title,
            date,
            machine,
            one.rounds,
            one.outcomes,
            one.skipped,
            suite.how,
            suite.details(one.rounds) if suite.details else "",
        )
        if keeps:  # each suite as it ends: another one may fail
            before = RESULTS.read_text(encoding="utf-8") if RESULTS.exists() else ""
            RESULTS.write_text(join_parts(titles, parts, before), encoding="utf-8")
    if chosen.json:
        print(json.dumps({"date": date, "machine": machine, **_merge(list(found.values()))}))
    else:
        print(join_parts(titles, parts))
    if chosen.only is None and not keeps:
        _say(f"RESULTS.md is left as it was: it takes {ENOUGH} rounds")
    outcomes = [outcome for one in found.values() for outcome in one.outcomes]
    return 1 if any(outcome.holds is False for outcome in outcomes) else 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    names = [name for suite in SUITES for name in suite.names]
    parser.add_argument("--rounds", type=int, default=ENOUGH, help="rounds counted (default 5)")
    parser.add_argument(
        "--suite", choices=[suite.name for suite in SUITES], help="measure one suite (default all)"
    )
    parser.add_argument(
        "--only", choices=names, metavar="NAME", help="measure one contestant, write no file"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document instead")
    chosen = parser.parse_args()
    if chosen.rounds < 1:
        parser.error("--rounds must be 1 or more")
    for suite in SUITES:
        if chosen.suite == suite.name and chosen.only not in (None, *suite.names):
            parser.error(f"{chosen.only} is not in the suite {suite.name}")
    return chosen


def _run_suite(suite: Suite, only: str | None, rounds: int) -> Found:
    """Measure a suite, or `only` one of its contestants, and judge its claims."""
    everyone = [one for one in suite.contestants() if only in (None, one.name)]
    skipped = sorted({f"{one.name}: {reason}" for one in everyone if (reason := one.missing())})
    with_memory = suite.watched is not None and only in (None, suite.memory)
    if with_memory and not is_available():
        skipped.append("memory of all processes together: this system does not tell it")
    for line in skipped:
        _say(f"skipped: {line}")
    ready = [one for one in everyone if not one.missing()]
    measured = _measure(suite, ready, rounds, with_memory=with_memory)
    outcomes = [outcome for claim in suite.claims if (outcome := judge(claim, measured))]
    return Found(measured, outcomes, skipped)


def _merge(found: Sequence[Found]) -> dict[str, object]:
    """Return the suites' findings as one; no label is in two of them."""
    return {
        "skipped": [line for one in found for line in one.skipped],
        "rounds": {label: parts for one in found for label, parts in one.rounds.items()},
        "claims": [asdict(outcome) for one in found for outcome in one.outcomes],
    }


def _measure(
    suite: Suite, ready: Sequence[Contestant], count: int, *, with_memory: bool
) -> dict[str, dict[str, list[float]]]:
    """Return a value a round of every part of every contestant."""
    rounds: dict[str, dict[str, list[float]]] = {}

    def note(label: str, measures: Measures) -> None:
        for part, value in measures.items():
            rounds.setdefault(label, {}).setdefault(part, []).append(value)

    with tempfile.TemporaryDirectory() as runs_dir:
        environment = base_environment(Path(runs_dir))
        if suite.prepare is not None:
            _say("preparation")
            suite.prepare(environment)
        for index in range(count + 1) if suite.timed else (1,):
            _say("warm-up" if index == 0 else f"round {index} of {count if suite.timed else 1}")
            for one in ready:
                measures = one.run_round(environment)
                _say(f"  {one.label}: {measures['process']:.3f} s")
                if index:
                    note(one.label, measures)
        for _ in range(count if with_memory and suite.watched else 0):
            measures = measure_memory(suite.watched(), environment)
            _say(f"  {suite.memory}: {max(measures.values()) / 1e6:.0f} MB")
            note(suite.memory, measures)
    return rounds


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
