"""Markdown: an independent parser must read each text as the text that it is, and nothing more."""

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from mnistlab.errors import MnistlabError
from mnistlab.report.document import (
    Code,
    Derivation,
    Equation,
    Listing,
    Number,
    Paragraph,
    Section,
    Table,
)
from mnistlab.report.document import Report as ReportDocument
from mnistlab.report.formula import row
from mnistlab.report.markdown import render_markdown
from mnistlab.report.numbers import numbers_of
from mnistlab.report.pictures import Pictures
from mnistlab.report.plain import visible
from tests.report.hostile import HOSTILE
from tests.report.paper import cannot_draw, picture, report_of, sample

ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=80)
OUR_HTML = {"<code>", "</code>"}
INLINE = {"text", "code_inline", "html_inline", "image", "strong_open", "strong_close"}


def parse(markdown):
    """Return the blocks that a parser of GitHub's tables sees."""
    return MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(markdown)


def words(token):
    """Return what a reader sees of a line; fail if any of it is more than text, code or strong."""
    shown = []
    for child in token.children:
        assert child.type in INLINE, child
        if child.type == "html_inline":
            assert child.content in OUR_HTML
        elif child.type == "image":
            assert re.fullmatch(r"figures/[\w-]+\.svg", child.attrs["src"])
            shown.append("".join(part.content for part in child.children))
        else:
            shown.append(child.content)
    return "".join(shown).strip()


def lines_of(markdown):
    return [words(token) for token in parse(markdown) if token.type == "inline"]


def one_space(text):
    """Return a line as it is set, where two spaces are one."""
    return re.sub(" +", " ", text).strip()


def expected(text):
    return visible(text).strip()


def check(text, folder):
    """Set a text in every place of a report, and read it back from each."""
    code = visible(text)
    blocks = [
        Paragraph([text]),
        Paragraph(["p: ", text]),
        Paragraph([Number("", "", 0, text), ". end"]),
        Paragraph(["code: ", Code(text), " end"]),
        Table([text, "b"], [[[text], [Code(text)]]], f"t: {text}"),
        Listing(text, f"s: {text}"),
        picture(f"f: {text}", cannot_draw),
    ]
    report = ReportDocument(f"T {text}", f"A {text}", text, [Section(f"S {text}", blocks, 2)])
    markdown = render_markdown(report, Pictures(), folder)
    lines = lines_of(markdown)
    date = f", {expected(text)}" if text else ""
    wanted = [f"T {expected(text)}", f"{expected(f'A {text}')}{date}", f"S {expected(text)}"]
    wanted += [expected(text)] if expected(text) else []
    wanted += [
        expected(f"p: {text}"),
        f"{visible(text)}. end".strip(),
        f"code: {code} end",
        expected(f"t: {text}"),
        expected(text),
        "b",
        expected(text),
        code.strip(),
        f"{expected(f's: {text}')}:",
    ]
    assert [*map(one_space, lines[:-1])] == [*map(one_space, wanted)]
    start = f"A figure is missing here: {expected(f'f: {text}')}"
    assert one_space(lines[-1]).startswith(one_space(start))
    kinds = [token.type for token in parse(markdown) if token.nesting == 0]
    assert set(kinds) <= {"inline", "fence"}
    (fence,) = (token for token in parse(markdown) if token.type == "fence")
    assert fence.content.strip("\n") == visible(text, lines=True).strip("\n")


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_texts_are_read_as_they_are(text, tmp_path):
    check(text, tmp_path)


@settings(max_examples=150)
@given(text=ANY_TEXT)
def test_any_text_is_read_as_it_is(text):
    check(text, Path())  # nothing is written: its picture cannot be drawn


def test_dollars_and_names_of_people_do_nothing(tmp_path):
    """GitHub looks for these in what Markdown has become."""
    text = render_markdown(report_of(Paragraph(["$x$ @someone $`y`$"])), Pictures(), tmp_path)
    assert "$" not in text
    assert "@" not in text


def test_addresses_are_no_links(tmp_path):
    text = "https://evil.example http://evil.example www.evil.example"
    markdown = render_markdown(report_of(Paragraph([text])), Pictures(), tmp_path)
    assert not re.search(r"https?://|www\.", markdown)
    assert lines_of(markdown)[-1] == text


def test_numbers_are_those_of_the_report(tmp_path):
    report = sample()
    text = " ".join(lines_of(render_markdown(report, Pictures(), tmp_path)))
    shown = [number["shown"] for number in numbers_of(report)]
    assert len(shown) == 7
    for number in set(shown):
        assert len(re.findall(rf"(?<![\d.]){re.escape(number)}(?!\d)", text)) == shown.count(number)


def test_sample_by_hand(tmp_path):
    lines = render_markdown(sample(), Pictures(), tmp_path).splitlines()
    assert lines[:5] == [
        "# Handwritten digits",
        "",
        "Ada Lovelace and Emmy Noether, 2026-11-23",
        "",
        "## Question 1: linear regression",
    ]
    assert r"We begin with $`\hat{\mathbf{y}}`$." in lines
    assert "### (a) The gradient" in lines
    at = lines.index("**All runs**")
    assert lines[at + 2 : at + 5] == [
        "| run | loss | accuracy |",
        "| --- | ---: | ---: |",
        "| 20261123-182052-linear-0315 | 0.2857 | 0.4286 |",
    ]
    assert "![a falling line](figures/curves.svg)" in lines
    assert lines[-1] == "It ends at 0.5714"


def test_derivation_is_aligned_at_its_relation(tmp_path):
    steps = [Equation(row("a", "=", "b"), "50% of {x_1}"), Equation(row("=", "c"))]
    markdown = render_markdown(report_of(Derivation(steps)), Pictures(), tmp_path)
    (fence,) = (token for token in parse(markdown) if token.type == "fence")
    assert fence.info == "math"
    assert fence.content == (
        "\\begin{aligned}\n"
        "a &= b && \\text{50$\\%$ of $\\{$x$\\_$1$\\}$} \\\\\n"
        "&= c\n"
        "\\end{aligned}\n"
    )


def test_pictures_lie_beside_it_each_under_a_name_of_its_own(tmp_path):
    pictures = [picture("a/../b"), picture("A-b"), picture("a-b")]
    markdown = render_markdown(report_of(*pictures), Pictures(), tmp_path)
    names = re.findall(r"\(figures/(.*?)\)", markdown)
    assert names == ["a-b.svg", "A-b-2.svg", "a-b-3.svg"]
    assert {path.name for path in (tmp_path / "figures").iterdir()} == set(names)
    assert all((tmp_path / "figures" / name).read_bytes().startswith(b"<svg") for name in names)


def test_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "figures").write_text("a file is in the way")
    with pytest.raises(
        MnistlabError, match=r"figures.curves\.svg: cannot be written \(File exists\)"
    ):
        render_markdown(sample(), Pictures(), tmp_path)
