"""The answers say what the runs say, show lines that are there, and miss nothing silently."""

import json
import math
import shutil
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

import mnistlab
from mnistlab.report.answers import AssignmentRuns, answer_sections
from mnistlab.report.answers.limits import find_limit
from mnistlab.report.collect import collect
from mnistlab.report.document import (
    Code,
    Derivation,
    Listing,
    Math,
    Number,
    Paragraph,
    Picture,
    Table,
)
from mnistlab.report.formula import equation_mathml
from mnistlab.runs import RunFolder
from mnistlab.statistics import wilson_interval
from mnistlab.store.facts import read_facts
from tests.report.assignment_runs import NAMES, train_assignment
from tests.report.test_formula import is_balanced

TITLES = [
    ("Question 1", 1),
    ("(a)", 2),
    ("(b)", 2),
    ("(c)", 2),
    ("(d)", 2),
    ("(e)", 2),
    ("Question 2", 1),
    ("(a)", 2),
    ("(b)", 2),
    ("(c)", 2),
    ("(d)", 2),
]


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    return train_assignment(tmp_path_factory.mktemp("assignment"))


@pytest.fixture(scope="module")
def sections(folders):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MNISTLAB_DATA_DIR", str(folders.data))
        return answer_sections(folders.collect())


@pytest.fixture(autouse=True)
def _one_cache(folders, monkeypatch):
    """Let all tests share what was straightened and which optima were found."""
    monkeypatch.setenv("MNISTLAB_DATA_DIR", str(folders.data))


def blocks_of(sections, kind):
    return [block for section in sections for block in section.blocks if isinstance(block, kind)]


def pieces_of(sections):
    for block in blocks_of(sections, Paragraph | Picture | Table):
        if isinstance(block, Paragraph):
            yield from block.pieces
        elif isinstance(block, Picture):
            yield from block.caption
        else:
            yield from (piece for row in block.rows for cell in row for piece in cell)


def shown(piece):
    if isinstance(piece, Math):
        return piece.formula.latex()
    return piece if isinstance(piece, str) else getattr(piece, "shown", "") or piece.text


def text_of(*sections):
    return "".join(map(shown, pieces_of(sections)))


def formulas_of(sections):
    steps = [step.formula for block in blocks_of(sections, Derivation) for step in block.steps]
    return steps + [piece.formula for piece in pieces_of(sections) if isinstance(piece, Math)]


def section(sections, start, question, nth=0):
    first = next(i for i, one in enumerate(sections) if one.title.startswith(question))
    return [one for one in sections[first:] if one.title.startswith(start)][nth]


def test_the_sections_stand_in_the_order_of_the_assignment(sections):
    assert len(sections) == len(TITLES)
    for one, (start, level) in zip(sections, TITLES, strict=True):
        assert one.title.startswith(start)
        assert one.level == level


def test_nothing_is_missing_when_all_is_there(sections):
    assert "Missing" not in text_of(*sections)
    assert "FAILED" not in text_of(*sections)


def test_numbers_are_those_of_the_run_folders(folders, sections):
    known = {folder.name: read_facts(folder) for folder in (*folders.runs.values(), folders.sweep)}
    numbers = [piece for piece in pieces_of(sections) if isinstance(piece, Number)]
    assert len(numbers) > 30
    for number in numbers:
        if number.run not in known:
            sweep, _, place = number.run.partition("/")
            assert sweep == folders.sweep.name
            known[number.run] = read_facts(RunFolder(folders.sweep.path / "runs" / place))
        assert known[number.run][number.key] == number.value
        if number.shown.endswith("%"):
            assert float(number.shown[:-1]) == pytest.approx(100 * number.value, abs=0.0051)
        else:
            assert float(number.shown) == pytest.approx(number.value, abs=5.1e-5)


def test_every_formula_is_well_formed_in_all_notations(sections):
    formulas = formulas_of(sections)
    assert len(formulas) > 50
    for formula in formulas:
        ElementTree.fromstring(equation_mathml(formula, display=True))  # noqa: S314 - our own
        assert is_balanced(formula.latex())
    typst = pytest.importorskip("typst", reason="typst, of the extra pdf, is not installed")
    source = "\n".join(f"$ {formula.typst()} $" for formula in formulas)
    typst.compile(source.encode(), format="pdf")


def test_every_step_of_a_derivation_has_its_reason(sections):
    for block in blocks_of(sections, Derivation):
        assert all(step.reason for step in block.steps)


SHOWN = [  # question, section, which of that name, file, what the lines must do
    ("Question 1", "(a)", 0, "losses.py", "outputs - targets"),
    ("Question 1", "(a)", 0, "objective.py", "np.matmul(self._dA_rows"),
    ("Question 1", "(b)", 0, "objective.py", "return 1 / B"),
    ("Question 1", "(c)", 0, "trainer.py", "parameters -= settings.optimizer.update"),
    ("Question 1", "(c)", 0, "objective.py", "np.matmul(self._parameter_rows"),
    ("Question 1", "(c)", 0, "metrics.py", "predictions == samples.labels"),
    ("Question 1", "(c)", 0, "metrics.py", "outputs.argmax"),
    ("Question 1", "(e)", 0, "curvature.py", "curvature * eigenvalue"),
    ("Question 1", "(e)", 0, "models.py", "e / (1 + e) ** 2"),
    ("Question 2", "(a)", 0, "losses.py", "softmax(outputs) - targets"),
    ("Question 2", "(b)", 0, "losses.py", "logits - logits.real.max"),
    ("Question 2", "(b)", 0, "losses.py", "np.log(np.exp(shifted).sum"),
    ("Question 2", "(c)", 0, "losses.py", "softmax(outputs) - targets"),
]


@pytest.mark.parametrize(("question", "start", "nth", "file", "key"), SHOWN)
def test_the_lines_that_implement_an_answer_are_shown(sections, question, start, nth, file, key):
    found = blocks_of([section(sections, start, question, nth)], Listing)
    assert any(key in one.code and file in one.source for one in found)


def test_listings_stand_where_they_say(sections):
    root = Path(mnistlab.__file__).parent.parent
    for one in blocks_of(sections, Listing):
        path, lines, _ = one.source.split(", ")
        first, *last = (int(word) for word in lines.split() if word.isdigit())
        there = (root / path).read_text().splitlines()[first - 1 : (last or [first])[0]]
        assert one.code
        for line in one.code.splitlines():
            assert any(line.strip() in real for real in there)


def test_every_derivation_has_its_numerical_proof(sections):
    for question, start, nth in (
        ("Question 1", "(a)", 0),
        ("Question 1", "(b)", 0),
        ("Question 1", "(e)", 0),
        ("Question 2", "(a)", 0),
    ):
        tables = blocks_of([section(sections, start, question, nth)], Table)
        proof = next(table for table in tables if table.header[0] == "gradient")
        for cells in proof.rows:
            assert float(cells[4][0]) < 1e-9
            assert float(cells[4][0]) <= float(cells[5][0]) < 1e-9
            assert cells[7] == ["passed"]


def test_the_three_points_are_those_of_the_command(run, sections):
    code, stdout, _ = run("gradcheck", "--json")
    assert code == 0
    checks = json.loads(stdout)["checks"]
    summary, *points = blocks_of([section(sections, "(d)", "Question 2")], Table)[:4]
    assert len(checks) == len(points) == len(summary.rows) == 3
    for check, cells, point in zip(checks, summary.rows, points, strict=True):
        assert [cell[0] for cell in cells[1:5]] == [
            str(check["label"]),
            f"{check['loss']:.8g}",
            f"{check['max_abs_error']:.1e}",
            f"{check['relative_error']:.1e}",
        ]
        numbers = [[cell[0].replace("−", "-") for cell in row] for row in point.rows]  # noqa: RUF001
        for row, *columns in zip(
            numbers, check["point"], check["analytic"], check["numerical"], strict=True
        ):
            assert row[1:4] == [f"{columns[0]:.9g}", f"{columns[1]:.12g}", f"{columns[2]:.12g}"]


def test_the_example_overflows_as_written_and_not_in_ours(sections):
    table = blocks_of([section(sections, "(b)", "Question 2")], Table)[0]
    cells = {(row[0][0], row[1][0]): [cell[0] for cell in row[2:]] for row in table.rows}
    large = cells["1000, 1001, 1002", "float64"]
    assert large[0] == "nan, nan, nan"
    total = 1 + math.e + math.e**2
    assert [float(word) for word in large[1].split(", ")] == pytest.approx(
        [1 / total, math.e / total, math.e**2 / total], rel=1e-4
    )
    assert large[2] == "nan"
    assert float(large[3]) == pytest.approx(math.log(total), rel=1e-4)
    assert "nan" in cells["88, 89, 90", "float32"][0]
    assert "nan" not in cells["88, 89, 90", "float64"][0]


def test_the_interval_is_wilsons(folders, sections):
    accuracy = read_facts(folders.runs["linear"])["test.accuracy"]
    low, high = wilson_interval(accuracy, 1000)
    assert f"{low:.2%} to {high:.2%}" in text_of(section(sections, "(d)", "Question 1"))


def test_the_limit_is_that_of_the_exact_eigenvalue(folders):
    run = folders.collect().linear
    x = run.dataset.train.images.reshape(len(run.dataset.train), -1) / 255
    x = np.hstack([x, np.ones((len(x), 1))])
    largest = np.linalg.eigvalsh(x.T @ x / len(x))[-1]
    limit = find_limit(run)
    assert limit.eigenvalue == pytest.approx(largest, rel=1e-4)
    assert limit.rate == pytest.approx(2 / (2 * largest), rel=1e-4)
    assert 0.01 < limit.rate < 0.1
    assert limit.factor(limit.rate) == pytest.approx(-1)


def test_the_forecast_growth_is_what_was_measured(sections):
    text = text_of(section(sections, "(e)", "Question 1"))
    forecast = float(text.split("grows by a factor of about ")[1].split()[0])
    measured = float(text.split("second half of the curve: ")[1].split(")")[0])
    assert measured == pytest.approx(forecast, rel=0.25)


def test_the_pictures_can_be_drawn(sections):
    pictures = blocks_of(sections, Picture)
    names = {picture.name for picture in pictures}
    assert names == {"answer-learning-curves", "answer-gap", "answer-overflow"}
    for picture in pictures:
        assert picture.draw().axes
        assert picture.alternative


def test_without_any_run_each_answer_says_what_is_missing():
    found = answer_sections(AssignmentRuns())
    assert [one.level for one in found] == [level for _, level in TITLES]
    commands = {piece.text for piece in pieces_of(found) if isinstance(piece, Code)}
    for config in NAMES:
        assert f"mnistlab train --config configs/{config}.yaml" in commands
    assert "mnistlab sweep --config configs/sweeps/assignment.yaml" in commands
    for start, nth in (("(c)", 0), ("(d)", 0), ("(e)", 0)):
        assert "Missing" in text_of(section(found, start, "Question 1", nth))
    assert "Missing" in text_of(section(found, "(b)", "Question 2"))
    assert not [piece for piece in pieces_of(found) if isinstance(piece, Number)]


DAMAGE = {
    "config.yaml": (None, b"", b"model: [linear"),
    "summary.json": (None, b"\xff{", b'{"test": {"loss": "x", "accuracy": 7}}'),
    "metrics.csv": (None, b"", b"epoch\n1\n"),
    "environment.json": (None,),
    "status.json": (None, b"[]"),
    "sweep.json": (None, b'{"best": 3, "results": [null, {}, {"train": 1, "runs": []}]}'),
    "divergence.csv": (None, b"", b"step,loss\n1,nan\n"),
    "model.safetensors": (None,),
}


@pytest.mark.parametrize(
    ("file", "content"), [(file, one) for file, ways in DAMAGE.items() for one in ways]
)
def test_a_damaged_folder_is_told_and_never_fatal(tmp_path, folders, file, content):
    copies = []
    for folder in (*folders.runs.values(), folders.sweep):
        copies.append(type(folder)(tmp_path / folder.path.name))
        shutil.copytree(folder.path, copies[-1].path, symlinks=True)
        for path in copies[-1].path.rglob(file):
            path.unlink() if content is None else path.write_bytes(content)
    runs, sweeps = collect(copies)
    given = AssignmentRuns(**dict(zip(folders.runs, runs, strict=True)), sweep=sweeps[0])
    found = answer_sections(given)
    assert len(found) == len(TITLES)
    assert "Missing here" in text_of(*found)
    for picture in blocks_of(found, Picture):
        picture.draw()


@pytest.mark.parametrize("lost", [*NAMES, "sweep"])
def test_one_run_less_is_told(folders, lost):
    found = answer_sections(replace(folders.collect(), **{lost: None}))
    config = "sweeps/assignment" if lost == "sweep" else lost
    assert f"configs/{config}.yaml" in text_of(*found).split("Missing here", 1)[1]
