"""Judges right and slightly wrong gradients from many seeds, and files in all forms."""

import re
import time
from itertools import zip_longest
from pathlib import Path

import numpy as np

from mnistlab.gradcheck.check import METHODS, Options
from mnistlab.gradcheck.mistakes import MISTAKES, Case
from tests.core.test_gradcheck import CASES, altered, judge, problem_of
from tests.gradcheck.homework import FORMS, SPELLINGS
from tests.gradcheck.odd_files import RIGHT
from tests.gradcheck.students import FAULTY, UNJUDGED, WRONG
from tests.gradcheck.test_class import KINDS, SPELT, problems_of_a_class, verdict_on
from tests.gradcheck.test_forms import PAIRS, problems_of_a_mistake, problems_of_a_right_file
from tests.gradcheck.test_target import report_on
from tests.stress.figures import Figure
from tests.stress.tally import Tally
from tests.test_benchmarks_gradients import TABLE, rival

_SEEDS = 4_000
_OF_STUDENTS = 40


def measure(scale: float, scratch: Path) -> list[Figure]:
    """Return figures of right gradients, of wrong ones, of known mistakes and of files."""
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
            students.add(_untold(scratch, name, seed))
    figures = [tally.figure() for tally in (right, wrong, known, students)]
    found = Tally("a file as it is found, at three points")
    for name in RIGHT:
        verdict = verdict_on(scratch, RIGHT[name], Options())
        found.add([] if verdict == ("right", "") else [f"{name}: {verdict}"])
    for expected, files in (("wrong", WRONG), ("cannot be judged", UNJUDGED)):
        for name, (text, sentence) in files.items():
            verdict, told = verdict_on(scratch, text, Options())
            is_told = verdict == expected and sentence in told
            found.add([] if is_told else [f"{name}: {verdict}, {told}"])
    figures.append(found.figure())
    everywhere = Tally("a gradient that is off by 1e-5 everywhere")
    for case in CASES:
        problem = problem_of(case)
        judged = judge(altered(problem, problem.analytic * (1 + 1e-5)))
        everywhere.add([f"{case} passes"] if judged.passed else [])
    figures.append(everywhere.figure())
    figures.append(_of_the_benchmarks())
    files = [(kind, spelling) for kind in KINDS for spelling in SPELT]
    judged = Tally("a file of a class that is judged by one command")
    began = time.monotonic()
    problems = problems_of_a_class(scratch / "class", files)
    took = time.monotonic() - began
    for _, problem in zip_longest(files, problems):
        judged.add([] if problem is None else [str(problem)])
    figures.append(judged.figure(f"{took:.0f} s for {len(files)}"))
    return [*figures, *_forms(scratch / "mine.py", max(1, round(1 / scale)))]


def _of_the_benchmarks() -> Figure:
    """Return a figure of the wrong files of the benchmarks, judged by a command of its own."""
    tally = Tally("a wrong file of the benchmarks, to be called wrong")
    found = rival.by_mnistlab(0)
    for name in (name for name, row in TABLE.items() if row["truth"] == "wrong"):
        tally.add([] if found[name]["verdict"] == "wrong" else [f"{name}: {found[name]}"])
    return tally.figure()


def _forms(path: Path, every: int) -> list[Figure]:
    """Return figures of one in `every` right file, and of every mistake in every form."""
    right = Tally("a right file in some form and spelling, to pass")
    cases = [(form, spelling) for form in FORMS for spelling in SPELLINGS]
    for form, spelling in cases[::every]:
        right.add(problems_of_a_right_file(path, form, spelling, Options()))
    wrong = Tally("a mistake in some form and spelling, to be named")
    mistakes = [(*pair, spelling) for pair in PAIRS for spelling in SPELLINGS]
    for form, name, spelling in mistakes[::every]:
        wrong.add(problems_of_a_mistake(path, form, spelling, name, Options(points=1)))
    note = f"{len(FORMS)} forms, {len(SPELLINGS)} spellings"
    return [right.figure(note), wrong.figure(f"{note}, {len(PAIRS)} mistakes in forms")]


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


def _untold(folder: Path, name: str, seed: int) -> list[str]:
    told = [one.diagnosis for one in report_on(folder, name, seed=seed).verdicts if not one.passed]
    is_told = bool(told) and re.search(FAULTY[name][1], told[0])
    return [] if is_told else [f"{name} with seed {seed}: {told[:1]}"]
