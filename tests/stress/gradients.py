"""Judges right and slightly wrong gradients, and the files of students, from many seeds."""

import re
from pathlib import Path

import numpy as np

from mnistlab.gradcheck.check import METHODS
from mnistlab.gradcheck.mistakes import MISTAKES, Case
from tests.core.test_gradcheck import CASES, altered, judge, problem_of
from tests.gradcheck.test_target import FAULTY, report_on
from tests.stress.figures import Figure
from tests.stress.tally import Tally

_SEEDS = 4_000
_OF_STUDENTS = 40


def measure(scale: float, scratch: Path) -> list[Figure]:  # noqa: ARG001 - it needs no folder
    """Return figures of right gradients, of wrong ones, of known mistakes and of faulty files."""
    seeds = range(1, max(2, round(_SEEDS * scale)) + 1)
    right = Tally("a right gradient, judged by both methods")
    wrong = Tally("one coordinate that is off by 1e-5, to be found by both methods")
    known = Tally("a known mistake, to be named")
    for seed in seeds:
        choice = np.random.default_rng(seed)
        case = CASES[choice.integers(len(CASES))]
        scale_of_point = 10 ** choice.uniform(-3, 3)
        right.add(
            _judged_wrong(problem_of(case, seed, int(choice.integers(2, 40)), scale_of_point))
        )
        right.add(_judged_wrong(problem_of(Case(), seed, 10, scale_of_point)))
        wrong.add(_missed(problem_of(case, seed), choice))
        known.add(_unnamed(list(MISTAKES.values())[seed % len(MISTAKES)], seed))
    students = Tally("a faulty file of a student, to get its sentence")
    for seed in range(2, max(1, round(_OF_STUDENTS * scale)) + 2):
        for name in FAULTY:
            students.add(_untold(name, seed))
    return [tally.figure() for tally in (right, wrong, known, students)]


def _judged_wrong(problem) -> list[str]:
    found = {method: judge(problem, method) for method in METHODS}
    return [f"{method}: {one.diagnosis}" for method, one in found.items() if not one.passed]


def _missed(problem, choice: np.random.Generator) -> list[str]:
    analytic = problem.analytic.copy()
    flat = choice.choice(np.flatnonzero(np.abs(analytic.ravel()) > 1e-4))
    analytic.ravel()[flat] *= 1 + 1e-5
    at = np.unravel_index(flat, analytic.shape)
    found = {method: judge(altered(problem, analytic), method) for method in METHODS}
    return [f"{method} says {one.diagnosis!r}, worst at {one.worst_index} instead of {at}"
            for method, one in found.items() if one.passed or one.worst_index != at]  # fmt: skip


def _unnamed(mistake, seed: int) -> list[str]:
    if mistake.loss is not None:
        return []
    found = judge(problem_of(mistake.shown_by, seed, mistake=mistake))
    is_named = not found.passed and found.diagnosis == mistake.sentence
    return [] if is_named else [f"seed {seed}: {found.diagnosis!r} for {mistake.sentence!r}"]


def _untold(name: str, seed: int) -> list[str]:
    told = [one.diagnosis for one in report_on(name, seed=seed).verdicts if not one.passed]
    is_told = bool(told) and re.search(FAULTY[name], told[0])
    return [] if is_told else [f"{name} with seed {seed}: {told[:1]}"]
