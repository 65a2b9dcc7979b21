"""Reports for the tests of PDF and Markdown, and what poppler's tools say of a PDF."""

import shutil
import subprocess

import matplotlib
import pytest
from matplotlib.figure import Figure

from mnistlab.report.document import (
    Code,
    Derivation,
    Equation,
    Listing,
    Math,
    Number,
    Paragraph,
    Picture,
    Report,
    Section,
    Table,
)
from mnistlab.report.formula import Bold, hat, row, scripts


def line_plot() -> Figure:
    with matplotlib.rc_context({"font.family": "DejaVu Sans"}):
        figure = Figure(figsize=(8, 3))
        figure.add_subplot(title="loss").plot([1, 2, 3], [0.5, 0.3, 0.2])
        return figure


def cannot_draw() -> Figure:
    raise ValueError("there is no [red]ink[/red] left")


def picture(text="Loss by epoch", draw=line_plot) -> Picture:
    return Picture(text, draw, [text], text)


def report_of(*blocks, title="Digits", author="Ada Lovelace", date="2026-11-23") -> Report:
    return Report(title, author, date, [Section("Question 1", blocks)])


def blocks_with(text):
    """Return a block of every kind with a text in each place that takes one."""
    return [
        Paragraph([text, " is ", Number(text, text, 0.5, text), " of ", Code(text)]),
        Derivation([Equation(row("a", "=", "b"), text), Equation(row("=", scripts("c", "i")))]),
        Listing(text, text),
        Table(
            [text, "other"], [[[text], [Code(text)]], [[Number(text, text, 1.0, text)], []]], text
        ),
        Table([text] * 8, [[[text]] * 8]),
        picture(text),
        picture(text, cannot_draw),
    ]


def sample() -> Report:
    """Return a report of all kinds of blocks, with numbers in text, table and caption."""
    numbers = [
        Number("20261123-182052-linear-0315", f"test.{at}", at / 7, f"{at / 7:.4f}")
        for at in range(9)
    ]
    y_hat = hat(Bold("y"))
    steps = [
        Equation(row("ℒ", "=", scripts(row(Bold("y"), "−", y_hat), above="2")), "the loss"),  # noqa: RUF001 - signs of mathematics
        Equation(row("=", "1")),
    ]
    sections = [
        Section("Question 1: linear regression", [Paragraph(["We begin with ", Math(y_hat), "."])]),
        Section(
            "(a) The gradient",
            [
                Derivation(steps),
                Listing("def gradient(outputs):\n    return 2 * outputs", "losses.py, line 5"),
                Paragraph(["Test accuracy ", numbers[0], ", loss ", numbers[1], "."]),
                Table(
                    ["run", "loss", "accuracy"],
                    [[["20261123-182052-linear-0315"], [numbers[2]], [numbers[3]]]] * 2,
                    "All runs",
                    frozenset({1, 2}),
                ),
                Picture("curves", line_plot, ["It ends at ", numbers[4]], "a falling line"),
            ],
            2,
        ),
    ]
    return Report("Handwritten digits", "Ada Lovelace and Emmy Noether", "2026-11-23", sections)


def tool(name, *arguments):
    """Return what a tool of poppler prints; skip the test where it is not installed."""
    if shutil.which(name) is None:
        pytest.skip(f"{name} is not installed (package poppler-utils)")
    done = subprocess.run([name, *map(str, arguments)], capture_output=True, check=True)
    return done.stdout.decode()
